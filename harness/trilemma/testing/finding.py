"""The search for a case that breaks a property, and the smallest such case."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from hypothesis import HealthCheck, Phase, Verbosity, find, settings
from hypothesis.errors import NoSuchExample, Unsatisfiable

from trilemma.model import Mechanism
from trilemma.profiles import Profile
from trilemma.testing.case import Case
from trilemma.testing.check import Check, NotJudged
from trilemma.testing.smaller import smallest

__all__ = ["Tried", "tried"]


@dataclass(frozen=True)
class Tried:
    """What came of looking: the smallest case that breaks the property, and how many were judged.

    `case` None: none was found. `judged` 0 then: nothing could be judged, as there is no
    such case or another law is broken in each.
    """

    judged: int
    case: Case | None


def tried(
    check: Check, mechanism: Mechanism, profile: Profile, known: Iterable[Case] = ()
) -> Tried:
    """Look for the smallest case in which a mechanism breaks a property.

    Parameters
    ----------
    check : Check
    mechanism : Mechanism
    profile : Profile
    known : iterable of Case
        Cases that broke something before; they are tried first.
    """
    judge = _Judge(check, mechanism)
    found = next((case for case in known if judge(case)), None)
    if found is None:
        with suppress(NoSuchExample, Unsatisfiable):
            found = find(check.cases, judge, settings=_settings(profile), random=_chance(profile))
    judged = judge.judged
    return Tried(judged, None if found is None else smallest(found, judge))


def _settings(profile: Profile) -> settings:
    return settings(
        max_examples=profile.examples,
        deadline=None,  # a first call compiles
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )


def _chance(profile: Profile) -> Random | None:
    return Random(0) if profile.same else None


class _Judge:
    """Tells whether a case breaks the property; counts those that could be judged."""

    def __init__(self, check: Check, mechanism: Mechanism) -> None:
        self.check, self.mechanism, self.judged = check, mechanism, 0

    def __call__(self, case: Case) -> bool:
        try:
            fault = self.check.fault(self.mechanism, case)
        except NotJudged:
            return False
        self.judged += 1
        return fault is not None
