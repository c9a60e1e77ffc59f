"""What if a network had paid by another rule? All its epochs again, under both."""

from __future__ import annotations

from trilemma.report.outcomes import Change, Group, Identity, Order, Outcome
from trilemma.report.whatif import WhatIf
from trilemma.whatif.question import whatif
from trilemma.whatif.record import Record

__all__ = ["Change", "Group", "Identity", "Order", "Outcome", "Record", "WhatIf", "whatif"]
