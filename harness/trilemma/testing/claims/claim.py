"""A claim: a check by name, perhaps with a bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from hypothesis import strategies as st

from trilemma.errors import UsageError
from trilemma.testing.case import Case
from trilemma.testing.check import Check, Fault, NotJudged, Subject

__all__ = ["Claim", "require"]


ClaimLook = Callable[[Subject, Case, float], Fault | None]


def require(fits: bool) -> None:
    """Raise unless a case is one that the claim speaks of."""
    if not fits:
        raise NotJudged("the claim says nothing about this case")


@dataclass(frozen=True)
class Claim:
    """A property that authors may claim of a mechanism.

    Parameters
    ----------
    name : str
    formula : str
        What holds, on one line; r are miners' and v validators' pay, primes mark what is paid
        after the act.
    source : str
        Literature.
    cases : callable
        From the bound to a strategy of cases.
    look : callable
        From a mechanism, a case and the bound to the fault, if there is one.
    controls : mapping
        For each control, whether it has the property, at the bound `usual`.
    symbol : str
        What the bound is called in the formula; empty where there is none.
    least, most : float
        Between which it lies.
    usual : float
        At which mechanisms are looked at that do not claim it.
    """

    name: str
    formula: str
    source: str
    cases: Callable[[float], st.SearchStrategy[Case]] = field(repr=False)
    look: ClaimLook = field(repr=False)
    controls: Mapping[str, bool] = field(repr=False)
    symbol: str = ""
    least: float = 0.0
    most: float = 1.0
    usual: float = 0.0

    def check(self, bound: float | None = None) -> Check:
        """Return the check at a bound; None: at the usual one.

        Raises
        ------
        UsageError
            If it has none, or one out of range is given.
        """
        if bound is not None and not (self.symbol and self.least <= bound <= self.most):
            takes = f"a bound in [{self.least:g}, {self.most:g}]" if self.symbol else "no bound"
            raise UsageError(f"claim {self.name}({bound:g}): it takes {takes}")
        at = self.usual if bound is None else bound
        return Check(
            f"{self.name}({at:.12g})" if self.symbol else self.name,
            "claim",
            self.formula,
            self.source,
            self.cases(at),
            partial(_look, self.look, at),
            self.controls if at == self.usual else {},
        )


def _look(look: ClaimLook, at: float, subject: Subject, case: Case) -> Fault | None:
    require(sum(case.stake) > 0)  # without stake nobody has a share: that is for the laws
    return look(subject, case, at)
