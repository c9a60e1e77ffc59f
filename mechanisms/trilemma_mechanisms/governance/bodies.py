"""Who decides: a ballot, the holders of keys, and two bodies together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral
from typing import ClassVar, Literal

import numpy as np

from trilemma import kernels
from trilemma.model import AnyArray, BoolArray, Epoch
from trilemma_mechanisms.governance.electorates import ByStake
from trilemma_mechanisms.governance.ruling import (
    Ruling,
    Suspension,
    asked,
    decided,
    kept,
    ruled,
    shape,
)
from trilemma_mechanisms.influence import spoken, takes_batches

__all__ = ["Both", "Keys", "Override", "Vote", "require_seats", "said_by"]


@dataclass(frozen=True)
class Vote:
    """Whoever has power may vote, for as long as a suspension is to last.

    A miner is suspended when the votes cast on it reach the quorum and those in favour are more
    than the threshold of the base; it is reinstated when those against are.

    Parameters
    ----------
    electorate : callable
        From an epoch to the power (n,) of every validator: `by_stake`, `by_identity`, `by_tenure`,
        `by_conviction`.
    quorum : float
        Share of all power that must vote on a miner, in [0, 1].
    threshold : float
        Share of the base that must be exceeded, in [0, 1).
    of : {"cast", "all"}
        The base: votes that are cast, or all power.
    """

    electorate: Callable[[Epoch], AnyArray] = field(default_factory=ByStake)
    quorum: float = 0.0
    threshold: float = 0.5
    of: Literal["cast", "all"] = "cast"

    def __post_init__(self) -> None:
        if not callable(self.electorate):
            raise ValueError(f"electorate must be such as by_stake, not {self.electorate!r}")
        if not 0 <= self.quorum <= 1:
            raise ValueError(f"quorum must be in [0, 1], not {self.quorum}")
        if not 0 <= self.threshold < 1:
            raise ValueError(f"threshold must be in [0, 1), not {self.threshold}")
        if self.of not in ("cast", "all"):
            raise ValueError(f"of must be 'cast' or 'all', not {self.of!r}")

    @property
    def batched(self) -> bool:
        """Whether it takes several epochs at once: where the electorate does."""
        return takes_batches(self.electorate)

    def __call__(self, epoch: Epoch) -> Ruling:
        if not spoken(epoch.votes):
            return Ruling(np.zeros(shape(epoch), np.int8))
        units = _units(self.electorate(epoch))
        total = units.sum(axis=-1, keepdims=True)
        favour, against = (_counted(units, epoch.votes == side) for side in (1, -1))
        cast = favour + against
        heard = cast >= _each(lambda all_: kernels.needed_support(self.quorum, all_), total)
        enough = _each(self._enough, cast if self.of == "cast" else total)
        return ruled(heard & (favour >= enough), heard & (against >= enough))

    def _enough(self, base: int) -> int:
        return kernels.least_beyond(self.threshold, base)


def _units(power: AnyArray) -> AnyArray:
    """Return power (..., n) in whole units, whose sums are exact."""
    if power.ndim == 1:
        return kernels.stake_units(power)
    return np.stack([*map(_units, power)])


def _counted(units: AnyArray, ballots: BoolArray) -> AnyArray:
    return np.asarray(np.matmul(units[..., None, :], ballots)[..., 0, :])


def _each(count: Callable[[int], int], amounts: AnyArray) -> AnyArray:
    """Return the count for every amount, taken once for those that are equal."""
    known, which = np.unique(amounts, return_inverse=True)
    return np.array([*map(count, known.tolist())], np.int64)[which].reshape(amounts.shape)


@dataclass(frozen=True)
class Keys:
    """Holders of privileged seats order, as a multisig does.

    A seat that nobody holds orders nothing.

    Parameters
    ----------
    needed : int
        How many of the seats must give an order, or the opposite one.
    seats : tuple of int
        Their places in `Epoch.seats`.
    """

    batched: ClassVar[bool] = True

    needed: int = 2
    seats: tuple[int, ...] = (0, 1, 2)

    def __post_init__(self) -> None:
        require_seats("seats", self.seats)
        if self.needed not in range(1, len(self.seats) + 1) or isinstance(self.needed, bool):
            raise ValueError(
                f"needed must be 1 to {len(self.seats)}, as many as there are seats, "
                f"not {self.needed}"
            )

    def __call__(self, epoch: Epoch) -> Ruling:
        said = said_by(self.seats, epoch)
        order, opposite = ((said == side).sum(axis=-2) >= self.needed for side in (1, -1))
        return ruled(order, opposite)


def said_by(seats: tuple[int, ...], epoch: Epoch) -> AnyArray:
    """Return the orders (..., s, m) of those seats that somebody holds."""
    return epoch.orders[..., [seat for seat in seats if seat < epoch.orders.shape[-2]], :]


def require_seats(name: str, seats: tuple[int, ...]) -> None:
    """Raise ValueError unless these are places of seats, each once."""
    if not seats:
        raise ValueError(f"{name} must name one seat or more; a body without members never decides")
    whole = all(isinstance(it, Integral) and not isinstance(it, bool) for it in seats)
    if not whole or min(seats) < 0 or len({*seats}) < len(seats):
        raise ValueError(f"{name} must be different places of seats, 0, 1, ..., not {seats}")


@dataclass(frozen=True)
class Both:
    """Two bodies have to agree on a suspension; either reinstates.

    Parameters
    ----------
    first, second : Suspension
    """

    first: Suspension = field(default_factory=Vote)
    second: Suspension = field(default_factory=Keys)

    @property
    def batched(self) -> bool:
        """Whether it takes several epochs at once: where both bodies do."""
        return takes_batches(self.first) and takes_batches(self.second)

    def __call__(self, epoch: Epoch) -> Ruling:
        one, other, carry = _pair(self.first, self.second, epoch)
        return Ruling(decided((one == 1) & (other == 1), (one == -1) | (other == -1)), carry)


@dataclass(frozen=True)
class Override:
    """What a second body orders, force on or force off, stands above what the first decides.

    Parameters
    ----------
    of, by : Suspension
        The first and the second body.
    """

    of: Suspension = field(default_factory=Vote)
    by: Suspension = field(default_factory=lambda: Keys(needed=1))

    @property
    def batched(self) -> bool:
        """Whether it takes several epochs at once: where both bodies do."""
        return takes_batches(self.of) and takes_batches(self.by)

    def __call__(self, epoch: Epoch) -> Ruling:
        under, above, carry = _pair(self.of, self.by, epoch)
        return Ruling(np.where(above == 0, under, above), carry)


def _pair(first: Suspension, second: Suspension, epoch: Epoch) -> tuple[AnyArray, AnyArray, object]:
    """Return what two bodies decide, and what both carry."""
    before = epoch.carry or (None, None)
    one, other = (
        asked(body, epoch, carry) for body, carry in zip((first, second), before, strict=True)
    )
    return one.decision, other.decision, kept(one.carry, other.carry)
