"""A check: a property, the cases it is tried on, and the look that tells whether one breaks it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st

from trilemma.contract import Pay, call, copied
from trilemma.errors import PluginError, UsageError
from trilemma.model import Epoch, Mechanism, Rewards
from trilemma.testing.case import Case
from trilemma.testing.words import numbers

__all__ = ["SLACK", "Check", "Fault", "Look", "NotJudged", "Subject", "asked", "moved"]

SLACK = 1e-9  # of pay, for rounding


class NotJudged(Exception):  # noqa: N818 - no error, but a case that says nothing
    """A case in which a check cannot be judged: another law is broken there, or it is no case."""


@dataclass(frozen=True)
class Fault:
    """How a case breaks a property: what was done, what was paid, what was expected."""

    done: str
    paid: str
    expected: str


class Subject:
    """A mechanism that is looked at.

    Every question goes to a copy that was asked nothing before, so that state which it keeps where
    it should not breaks one law and not all of them.
    """

    def __init__(self, mechanism: Mechanism) -> None:
        self.mechanism = mechanism

    def raw(self, epoch: Epoch) -> Rewards:
        """Return what it answers, of any shape; an epoch that is its own to write to."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters is what it pays then
            answer = copied(self.mechanism)(epoch)
        return answer if isinstance(answer, Rewards) else Rewards(answer)

    def pay(self, case: Case, carry: Any = None) -> Pay:
        """Return what it pays in a case.

        Raises
        ------
        NotJudged
            If the answer breaks the contract.
        """
        return asked(copied(self.mechanism), case.epoch().replace(carry=carry))


def asked(mechanism: Mechanism, epoch: Epoch) -> Pay:
    """Return what this very object pays in an epoch; raises as `Subject.pay`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call("it", mechanism, epoch)
    except PluginError as error:
        raise NotJudged(str(error)) from error


def moved(before: Pay, after: Pay, slack: float = SLACK) -> str:
    """Say which pool is paid differently, by more than some slack, and how; nothing if none is."""
    for name in ("miners", "validators"):
        was, now = getattr(before, name), getattr(after, name)
        if np.abs(was - now).max() > slack:
            return f"{name} are paid {numbers(was)}, then {numbers(now)}"
    return ""


Look = Callable[[Subject, Case], Fault | None]


@dataclass(frozen=True)
class Check:
    """A property that mechanisms may have.

    Parameters
    ----------
    name : str
        As in `claims`, with its bound: `continuous(2)`.
    kind : {"law", "claim"}
        Laws bind every mechanism, claims those that make them.
    formula : str
        What holds, on one line.
    source : str
        Where it comes from.
    cases : strategy
        Draws what it is tried on.
    look : callable
        Tells how a mechanism breaks it in a case, if it does.
    controls : mapping
        For each control, whether it has the property.
    """

    name: str
    kind: Literal["law", "claim"]
    formula: str
    source: str
    cases: st.SearchStrategy[Case] = field(repr=False)
    look: Look = field(repr=False)
    controls: Mapping[str, bool] = field(default_factory=dict, repr=False)

    @property
    def head(self) -> str:
        """Its name without the bound."""
        return self.name.partition("(")[0]

    def fault(self, mechanism: Mechanism, case: Case) -> Fault | None:
        """Return how a mechanism breaks it in a case; None if it does not.

        Raises
        ------
        NotJudged
            If the mechanism breaks another law there, or it is no case of this check.
        """
        try:
            return self.look(Subject(mechanism), case)
        except UsageError as error:  # what is done leads to no epoch
            raise NotJudged(str(error)) from error
