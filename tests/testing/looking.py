"""What the tests of laws, claims and cases look at, and what they ask of a check and a rule."""

from __future__ import annotations

import json

from trilemma.model import Mechanism
from trilemma.testing.case import Case
from trilemma.testing.check import Check, NotJudged
from trilemma.testing.claims import CLAIMS
from trilemma.testing.laws import LAWS
from trilemma.testing.smaller import smaller

__all__ = ["CHECKS", "FULL", "PLAIN", "breaks", "sent", "smaller_ones_that_break"]

CHECKS = (*LAWS, *(claim.check() for claim in CLAIMS.values()))
PLAIN = Case((3, 1), ((1, 0, 2), (0, 0, 0)))
FULL = Case(
    stake=(5, 0, 2),
    weights=((1, 0), (0, 0), (3, 4)),
    votes=((1, 0), (0, -1), (0, 0)),
    seats=(2, 0),
    orders=((1, 0), (0, -1)),
    flows=((0, -7), (0, 0), (1, 0)),
    tenure=(0, 2, 100),
    subnets=(4, 1),
    validators=(1, 2),
    miners=(1,),
    reports=((0, 4), (1, 1)),
    numbers=(2, 3),
)


def sent(case: Case) -> Case:
    """Return a case as it comes back from a file."""
    return Case.read(json.loads(json.dumps(case.to_json())))


def breaks(check: Check, mechanism: Mechanism, case: Case) -> bool:
    """Tell whether a mechanism breaks a property in a case; not where that cannot be judged."""
    try:
        return check.fault(mechanism, case) is not None
    except NotJudged:
        return False


def smaller_ones_that_break(check: Check, mechanism: Mechanism, case: Case) -> list[Case]:
    """Return the cases one step smaller that break the property, too."""
    return [it for it in smaller(case) if breaks(check, mechanism, it)]
