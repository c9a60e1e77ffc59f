"""Who may suspend a miner or a subnet, when it bites, and who can undo it: parts to compose.

A part is a callable from an epoch to a `Ruling`; `governed` puts one around any mechanism. Parts
that look back keep their state in the ruling's carry. Epochs are the unit of time.
"""

from __future__ import annotations

from trilemma_mechanisms.governance.bodies import Both, Keys, Override, Vote
from trilemma_mechanisms.governance.electorates import (
    ByConviction,
    ByIdentity,
    ByStake,
    ByTenure,
)
from trilemma_mechanisms.governance.hearing import Appeal, Review
from trilemma_mechanisms.governance.ruling import Ruling, Suspension
from trilemma_mechanisms.governance.timing import Delayed, Lasting

__all__ = [
    "Appeal",
    "Both",
    "ByConviction",
    "ByIdentity",
    "ByStake",
    "ByTenure",
    "Delayed",
    "Keys",
    "Lasting",
    "Override",
    "Review",
    "Ruling",
    "Suspension",
    "Vote",
]
