"""A mechanism on its way through the evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trilemma.contract import SLACK, Pay, call, call_each, copied, refuse_change, takes_batches
from trilemma.errors import PluginError
from trilemma.fields import freeze
from trilemma.model import Epoch, Mechanism

__all__ = ["Entrant"]

# What may be slices of one memory for many epochs.
SLICED = ("weights", "votes", "orders", "flows", "tenure", "subnets")
KEPT = 61  # every so many answers one is kept, to be asked for again: 1.6 % more calls


class Entrant:
    """A mechanism on its way through the evaluation; it drops out where it fails.

    Parameters
    ----------
    label : str
        Its name in messages.
    mechanism : Mechanism
        The one that is asked.
    unused : Mechanism, optional
        A copy that was never asked anything. What it answers shows whether the answers of the
        other depend on what it was asked before.

    Attributes
    ----------
    calls : int
        How often it was asked.
    failure : PluginError or None
        Why it dropped out.
    """

    def __init__(self, label: str, mechanism: Mechanism, unused: Mechanism | None = None) -> None:
        self.label = label
        self.mechanism = mechanism
        self.unused = mechanism if unused is None else unused
        self.calls = 0
        self.failure: PluginError | None = None
        self._kept: list[tuple[Epoch, Pay]] = []
        self._last: tuple[Sequence[Epoch], Sequence[Pay]] = [], []

    def pay(self, epoch: Epoch, *, twice: bool = False) -> Pay | None:
        """Return what the mechanism pays; None once it has broken the contract."""
        answers = self.pays([epoch], twice=twice)
        return None if answers is None else answers[0]

    def pays(self, epochs: Sequence[Epoch], *, twice: bool = False) -> list[Pay] | None:
        """Return what it pays in several epochs; None once it has broken the contract."""
        if self.failure is not None:
            return None
        before = self.calls
        try:
            answers = self._asked(epochs)
            if twice:
                for first, second in zip(answers, self._asked(epochs), strict=True):
                    refuse_change(self.label, first, second)
        except PluginError as error:
            self.failure = error
            return None
        self._last = epochs, answers
        if before // KEPT < self.calls // KEPT:
            place = KEPT - 1 - before % KEPT  # so that every place in a batch has its turn
            self._kept.append(_answered(epochs, answers, place % len(epochs)))
        return answers

    def _asked(self, epochs: Sequence[Epoch]) -> list[Pay]:
        self.calls += len(epochs)
        return call_each(self.label, self.mechanism, epochs)

    def confirm(self) -> None:
        """Ask a copy without a past for some of the answers again, the last one first.

        It is asked for one epoch at a time, so that batches are held to it as well.
        """
        self._kept += zip(*(it[-1:] for it in self._last), strict=True)
        while self._kept and self.failure is None:
            epoch, answer = self._kept.pop()
            self.calls += 1
            try:
                slack = SLACK if takes_batches(self.label, self.unused) else 0
                again = call(self.label, copied(self.unused), epoch)
                refuse_change(self.label, answer, again, slack)
            except PluginError as error:
                self.failure = error


def _answered(epochs: Sequence[Epoch], pays: Sequence[Pay], place: int) -> tuple[Epoch, Pay]:
    """Return an epoch and its answer, without the carry, which may be large."""
    return _apart(epochs[place]), Pay(pays[place].miners, pays[place].validators)


def _apart(epoch: Epoch) -> Epoch:
    """Return an epoch that does not hold the memory of those it was put together with."""
    arrays = {name: getattr(epoch, name) for name in SLICED}
    return epoch.trusting(
        **{
            name: freeze(array)
            for name, array in arrays.items()
            if isinstance(getattr(array, "base", None), np.ndarray)
            and any(array.strides)
            and array.base.nbytes > array.nbytes
        }
    )
