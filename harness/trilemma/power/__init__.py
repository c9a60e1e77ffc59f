"""Who decides a vote: simple games over players, and their power indices as exact fractions.

A player is a principal, not an identity: `merged` sums what each principal's identities hold.
"""

from __future__ import annotations

from trilemma.power.game import Game, asked, majority, merged, weighted
from trilemma.power.indices import (
    banzhaf,
    banzhaf_absolute,
    minimal_veto,
    minimal_winning,
    nakamoto,
    nakamoto_of,
    shapley_shubik,
)

__all__ = [
    "Game",
    "asked",
    "banzhaf",
    "banzhaf_absolute",
    "majority",
    "merged",
    "minimal_veto",
    "minimal_winning",
    "nakamoto",
    "nakamoto_of",
    "shapley_shubik",
    "weighted",
]
