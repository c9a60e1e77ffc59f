"""Epochs one after the other, for a mechanism whose label is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trilemma.contract import Pay, call
from trilemma.model import Epoch, Mechanism

__all__ = ["played"]


def played(label: str, mechanism: Mechanism, epochs: Iterable[Epoch]) -> Iterator[Pay]:
    """Yield what is paid in each epoch, carrying on what the one before left behind.

    As `simulate` does, which finds out the label in every call: 25 ms for a composed rule, as
    long as 300 epochs of a small network.

    Raises
    ------
    PluginError
        If the mechanism breaks the contract.
    """
    carry = None
    for epoch in epochs:
        pay = call(label, mechanism, epoch.replace(carry=carry))
        carry = pay.carry
        yield pay
