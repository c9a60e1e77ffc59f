"""What a part of governance answers, and how parts ask one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from trilemma.model import AnyArray, BoolArray, Epoch

__all__ = ["Ruling", "Suspension", "asked", "decided", "kept", "ruled", "shape"]


@dataclass(frozen=True, eq=False)
class Ruling:
    """What is decided on every miner.

    Parameters
    ----------
    decision : ndarray of int8, shape (m,)
        +1 suspended, -1 reinstated, 0 nothing.
    carry : object, optional
        State for the next epoch.
    against : ndarray of bool, shape (m,), optional
        Where reinstatement has what it takes, also if suspension has as well: an appeal asks for
        that. Default: where -1 is decided.
    """

    decision: AnyArray
    carry: Any = None
    against: BoolArray | None = None

    @property
    def reverses(self) -> BoolArray:
        """Where a body that is appealed to reverses a suspension."""
        return np.asarray(self.decision == -1) if self.against is None else self.against


class Suspension(Protocol):
    """A part of governance: a callable from an epoch to a ruling.

    Its `epoch.carry` is what it returned last time. Where code counts axes from the end it may
    declare `batched = True`, as mechanisms do. It may tell by `waits` how many epochs pass until it
    acts, and by `seats` or `panel` whose orders it reads.
    """

    def __call__(self, epoch: Epoch, /) -> Ruling:
        """Return what is decided on every miner."""


def asked(part: Suspension, epoch: Epoch, carry: Any) -> Ruling:
    """Return what a part inside another one decides, with the carry of its own.

    Raises TypeError, with the part's name, where it answers with anything else.
    """
    ruling: Any = part(epoch if carry is epoch.carry else epoch.replace(carry=carry))
    if not isinstance(ruling, Ruling):
        name = getattr(part, "__name__", type(part).__name__)
        raise TypeError(f"{name} must return a Ruling, not {type(ruling).__name__}")
    return ruling


def ruled(suspended: BoolArray, reinstated: BoolArray) -> Ruling:
    """Return what a body without memory decides."""
    return Ruling(decided(suspended, reinstated), against=reinstated)


def decided(suspended: BoolArray, reinstated: BoolArray | bool) -> AnyArray:
    """Return decisions; where both sides have what it takes, suspension counts."""
    return np.where(suspended, 1, np.where(reinstated, -1, 0)).astype(np.int8)


def kept(*carries: Any) -> Any:
    """Return the carries of several parts, or None where there are none."""
    return None if all(carry is None for carry in carries) else carries


def shape(epoch: Epoch) -> tuple[int, ...]:
    """Return the shape of decisions: (m,), or with the axes of a batch before."""
    return (*epoch.weights.shape[:-2], epoch.weights.shape[-1])
