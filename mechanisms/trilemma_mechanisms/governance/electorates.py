"""How much a voter's ballot counts: callables from an epoch to power (n,)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from trilemma.model import AnyArray, Epoch, FloatArray

__all__ = ["ByConviction", "ByIdentity", "ByStake", "ByTenure"]

FOREVER = 1e300  # epochs; exp(-infinity / infinity) is no number


@dataclass(frozen=True)
class ByStake:
    """One unit of stake, one vote."""

    batched: ClassVar[bool] = True

    def __call__(self, epoch: Epoch) -> AnyArray:
        return epoch.stake


@dataclass(frozen=True)
class ByIdentity:
    """One identity, one vote."""

    batched: ClassVar[bool] = True

    def __call__(self, epoch: Epoch) -> AnyArray:
        return np.ones_like(epoch.stake, np.int64)


@dataclass(frozen=True)
class ByTenure:
    """Stake counts in full once it has been in place for a while, and in part before.

    Parameters
    ----------
    full : float
        Epochs after which it counts in full.
    """

    batched: ClassVar[bool] = True

    full: float = 30.0

    def __post_init__(self) -> None:
        _require_positive("full", self.full)

    def __call__(self, epoch: Epoch) -> AnyArray:
        return np.asarray(epoch.stake * (np.minimum(epoch.tenure, self.full) / self.full))


@dataclass(frozen=True)
class ByConviction:
    """Stake that was locked counts by its conviction, which grows while it stays.

    A perpetual lock of mass m has the conviction m (1 - exp(-t/maturity)) after t epochs. One that
    unlocks has m u (exp(-t/u) - exp(-t/maturity)) / (u - maturity), with u = unlocking; at equal
    rates m (t/u) exp(-t/u), at most m/e. Source: opentensor/subtensor,
    pallets/subtensor/src/staking/lock.rs, where both rates are 934,866 blocks, about 130 days.

    Parameters
    ----------
    maturity : float
        Epochs in which conviction comes to 1 - 1/e of the mass.
    unlocking : float
        Epochs in which all but 1/e of the mass unlocks; infinity: a perpetual lock.
    """

    batched: ClassVar[bool] = True

    maturity: float = 130.0
    unlocking: float = math.inf

    def __post_init__(self) -> None:
        _require_positive("maturity", self.maturity)
        if not self.unlocking > 0:
            raise ValueError(f"unlocking must be above 0, or inf, not {self.unlocking}")

    def __call__(self, epoch: Epoch) -> AnyArray:
        return np.asarray(epoch.stake * self.conviction(epoch.tenure))

    def conviction(self, tenure: FloatArray) -> FloatArray:
        """Return the conviction of one unit that was locked so long ago."""
        tenure, gap = np.minimum(tenure, FOREVER), abs(1 - self.maturity / self.unlocking)
        with np.errstate(over="ignore"):  # of forever, in parts of an epoch
            age = np.minimum(tenure / self.maturity, FOREVER)
            # The difference of two powers of nearly one base would be all rounding.
            grown = -np.expm1(-age * gap) / gap if gap else age
            return np.asarray(grown * np.exp(-tenure / max(self.maturity, self.unlocking)))


def _require_positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be a number of epochs above 0, not {value}")
