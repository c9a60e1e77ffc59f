"""What the kit finds of a mechanism: property by property, holds or violated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from trilemma import registry
from trilemma.errors import PluginError, UsageError
from trilemma.model import Mechanism
from trilemma.profiles import Profile, profile
from trilemma.specs import meant
from trilemma.testing.check import Check
from trilemma.testing.claims import CLAIMS, claimed
from trilemma.testing.counterexample import Counterexample, kept
from trilemma.testing.finding import tried
from trilemma.testing.laws import LAWS

__all__ = ["Verdict", "Violated", "check_mechanism", "checks_of", "judge", "verdicts"]

Word = Literal["holds", "violated", "not judged", "fails as expected", "did not fail"]


class Violated(AssertionError):  # noqa: N818 - what a test that fails says
    """A mechanism breaks laws that bind it, or claims that it makes."""


@dataclass(frozen=True)
class Verdict:
    """What came of one property of one mechanism.

    Parameters
    ----------
    check : Check
    mechanism : Mechanism
    judged : int
        Cases that could be judged.
    counterexample : Counterexample or None
    bound : bool
        Whether the mechanism is bound by it: by a law, or by its own claim.
    expected : str
        Why it is known to break it; empty where it is not.
    """

    check: Check
    mechanism: Mechanism = field(repr=False)
    judged: int
    counterexample: Counterexample | None
    bound: bool = True
    expected: str = ""

    @property
    def word(self) -> Word:
        """What came of it, in a word."""
        if self.counterexample is not None:
            return "fails as expected" if self.expected else "violated"
        if self.expected:
            return "did not fail"
        return "holds" if self.judged else "not judged"

    @property
    def passes(self) -> bool:
        """Whether nothing is wrong: it holds, fails as expected, or nobody said that it holds."""
        return not self.bound or self.word in ("holds", "fails as expected")

    def told(self) -> str:
        """Say what came of it; where a counterexample was found, in the lines that show it."""
        claimed = "" if self.bound else "not claimed, and "
        said = (
            claimed
            + {
                "holds": f"holds ({self.judged} cases tried)",
                "violated": "VIOLATED" if self.bound else "broken",
                "not judged": "NOT JUDGED: it has no case, or another law is broken in each",
                "fails as expected": f"violated, as expected: {self.expected}",
                "did not fail": f"HOLDS ({self.judged} cases tried), expected to be violated: "
                f"{self.expected}",
            }[self.word]
        )
        if self.counterexample is None:
            return f"{self.check.name}: {said}"
        lines = [f"{self.check.name}: {said}", f"{self.check.kind}: {self.check.formula}"]
        return "\n    ".join([*lines, *self.counterexample.told(self.mechanism).split("\n")])

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        found = self.counterexample
        return {
            "check": self.check.name,
            "kind": self.check.kind,
            "verdict": self.word if self.bound else f"not claimed, {self.word}",
            "judged": self.judged,
            "expected": self.expected or None,
            "case": None if found is None else found.case.to_json(),
            "told": None if found is None else found.told(self.mechanism).split("\n"),
        }


def checks_of(mechanism: Mechanism) -> tuple[Check, ...]:
    """Return the laws, and what the mechanism claims."""
    return (*LAWS, *claimed(mechanism))


def judge(
    check: Check,
    mechanism: Mechanism,
    how: Profile | None = None,
    *,
    bound: bool = True,
    expected: str = "",
) -> Verdict:
    """Look whether a mechanism has a property.

    Past counterexamples of the profile's corpus are tried first; a new one is added to it.

    Parameters
    ----------
    check : Check
    mechanism : Mechanism
    how : Profile, optional
        Default: the one that is loaded.
    bound : bool
        Whether the mechanism is bound by it.
    expected : str
        Why it is expected to break it.
    """
    how = how or profile()
    past = (it.case for it in kept(how.corpus) if it.check.partition("(")[0] == check.head)
    found = tried(check, mechanism, how, past)
    if found.case is None:
        return Verdict(check, mechanism, found.judged, None, bound, expected)
    counterexample = Counterexample(registry.label(mechanism), check.name, found.case)
    if how.corpus is not None and bound and not expected:
        counterexample.save(how.corpus)
    return Verdict(check, mechanism, found.judged, counterexample, bound, expected)


def verdicts(
    mechanism: Mechanism,
    how: Profile | None = None,
    *,
    expected_failures: Mapping[str, str] | None = None,
    unclaimed: bool = False,
) -> Iterator[Verdict]:
    """Look at all laws and claims, and yield what comes of each.

    Parameters
    ----------
    mechanism : Mechanism
    how : Profile, optional
        Default: the one that is loaded.
    expected_failures : mapping, optional
        Name of a law or claim to why it is broken; added to those that the mechanism declares.
    unclaimed : bool
        Whether to look at claims that it does not make, too, at their usual bounds.

    Raises
    ------
    UsageError
        If a failure is expected of what does not bind it.
    PluginError
        If it claims, or expects to fail, what there is not.
    """
    checks = checks_of(mechanism)
    expected = expectations(mechanism, checks, expected_failures)
    for check in checks:
        yield judge(check, mechanism, how, expected=expected.get(check.name, ""))
    made = {check.head for check in checks}
    for name in CLAIMS if unclaimed else ():
        if name not in made:
            yield judge(CLAIMS[name].check(), mechanism, how, bound=False)


def expectations(
    mechanism: Mechanism, checks: Sequence[Check], given: Mapping[str, str] | None
) -> dict[str, str]:
    """Return by check why it is expected to fail: what the mechanism declares, and what is given.

    Raises as `verdicts` does.
    """
    declared = getattr(mechanism, "expected_failures", {})
    try:
        own = _named(dict(declared), checks)
    except (TypeError, ValueError, UsageError) as error:
        raise PluginError(f"{type(mechanism).__name__}.expected_failures: {error}") from error
    return own | _named(dict(given or {}), checks)


def _named(reasons: Mapping[str, str], checks: Sequence[Check]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, reason in reasons.items():
        known = [check.name for check in checks if name in (check.name, check.head)]
        if not known:
            heads = [check.head for check in checks]
            raise UsageError(f"{name!r} is no law, and not claimed{meant(name, heads)}")
        found |= dict.fromkeys(known, str(reason) or "no reason given")
    return found


def check_mechanism(
    mechanism: Mechanism | str,
    *,
    expected_failures: Mapping[str, str] | None = None,
    profile: Profile | None = None,
) -> None:
    """Raise unless a mechanism keeps the laws and what it claims.

    Parameters
    ----------
    mechanism : Mechanism or str
        Itself, or a spec as for `trilemma.load`.
    expected_failures : mapping, optional
        Name of a law or claim to why it is broken. It must be: one that holds is reported, too.
    profile : Profile, optional
        How hard to look. Default: the one that is loaded.

    Raises
    ------
    Violated
        With the smallest counterexample of each property that is broken.
    UsageError, DataError, PluginError
        As `trilemma.load`, and if there are no such properties.
    """
    rule = registry.load(mechanism) if isinstance(mechanism, str) else mechanism
    found = verdicts(rule, profile, expected_failures=expected_failures)
    wrong = [verdict.told() for verdict in found if not verdict.passes]
    if wrong:
        raise Violated("\n".join([registry.label(rule), *wrong]))
