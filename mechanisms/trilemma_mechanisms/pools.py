"""Constant-product pools: where holders buy and sell the tokens of subnets, and what they cost.

Source: opentensor/subtensor, pallets/subtensor/src/coinbase: the pools that `get_shares_price_ema`
and `get_shares_flow` look at. The emission that the chain injects into them is left out, and so
are fees: only trades move a pool.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from trilemma.model import AnyArray, Epoch, FloatArray
from trilemma_mechanisms.influence import share, spoken

__all__ = ["Carried", "Pools", "carried", "frozen", "require", "require_pools", "trades"]

LEAST = 1e-3  # part of its initial tokens that a pool keeps
MOST = 1e100  # times its initial tokens, that a pool takes: squares of it are still floats
LONGEST = 1_000_000  # blocks of a tempo


@dataclass(frozen=True, eq=False)
class Pools:
    """One pool for each of m subnets. Nothing in it can be changed.

    Parameters
    ----------
    listed : ndarray, shape (m,)
        Prices at which the pools opened, in TAO a token.
    tokens : ndarray, shape (m,)
        What they hold, in units of what they opened with: from a thousandth to 1e100.

    Notes
    -----
    The price is `listed / tokens**2`, so that tokens times TAO stay what they were. No price is
    remembered: what was sold and is bought back leaves no trace but rounding.
    """

    listed: FloatArray
    tokens: FloatArray

    @classmethod
    def opened(cls, epoch: Epoch) -> Self:
        """Return pools in which nobody has traded yet.

        A price is what the holders say that the subnet is worth: the mean of their weights by
        stake. Prices sum to 1 at most; a subnet that nobody with stake reports on has price 0.
        """
        listed = share(epoch.stake) @ epoch.weights
        return cls(frozen(listed), frozen(np.ones(listed.size)))

    @property
    def price(self) -> FloatArray:
        """What a token costs, in TAO, shape (m,)."""
        return np.asarray(self.listed / self.tokens**2)

    def traded(self, bought: FloatArray) -> tuple[Self, FloatArray]:
        """Return the pools after net purchases, and the TAO paid for them.

        A pool keeps a thousandth of the tokens it opened with: there is no price for the last
        one, and nobody can pay an infinite one. More cannot be bought. Beyond 1e100 times what it
        opened with, a pool takes no tokens: by then they are worth nothing.

        Parameters
        ----------
        bought : ndarray, shape (m,)
            Tokens that leave each pool (+) or enter it (-), in units of what it opened with.

        Returns
        -------
        Pools
        ndarray, shape (m,)
            What went into each pool (+) or out of it (-): TAO by one such unit of tokens.
        """
        possible = np.clip(bought, self.tokens - MOST, self.tokens - LEAST)
        left = np.clip(self.tokens - bought, LEAST, MOST)  # a pool at its end is exactly there
        paid = self.listed * (possible / (self.tokens * left))
        return type(self)(self.listed, frozen(left)), np.asarray(paid)


def trades(epoch: Epoch, reserve: float) -> FloatArray:
    """Return the net purchases of each subnet's tokens, shape (m,), in units of the reserve.

    All holders trade at once. On a constant product nothing else would come of it one after the
    other: only the sum counts. Nobody's balance is known, so anybody may sell any amount; of one
    subnet, up to 1e100 reserves each.
    """
    bought = np.zeros(epoch.weights.shape[1])
    if not spoken(epoch.flows):
        return bought
    moved = np.flatnonzero(epoch.flows.any(axis=0))
    with np.errstate(over="ignore"):  # an infinite trade is cut like any other
        parts = np.clip(epoch.flows[:, moved] / reserve, -MOST, MOST)
    # Rounded once: 1e300 bought and sold hides no trade, in whatever order holders stand.
    bought[moved] = [*map(math.fsum, parts.T.tolist())]
    return bought


class Carried(Protocol):
    """What a rule carries: pools, and whatever else."""

    @property
    def pools(self) -> Pools:
        """As the last epoch left them."""


CarriedT = TypeVar("CarriedT", bound=Carried)


def carried(epoch: Epoch, kind: type[CarriedT], rule: str) -> CarriedT | None:
    """Return what a rule carries into an epoch; None in a first one.

    Raises
    ------
    ValueError
        If that is not its own, or speaks of another number of subnets.
    """
    carry, m = epoch.carry, epoch.weights.shape[1]
    if carry is None:
        return None
    if not isinstance(carry, kind):
        raise ValueError(f"carry must be what {rule} returned, not {type(carry).__name__}")
    if carry.pools.tokens.shape != (m,):
        held = carry.pools.tokens.size
        raise ValueError(f"carry holds {held} pools, but weights speak of {m} subnets")
    return carry


def frozen(array: AnyArray) -> FloatArray:
    """Return a copy in memory that nobody can write to."""
    return np.frombuffer(np.asarray(array, np.float64).tobytes())


def require(name: str, value: object, held: bool, expected: str) -> None:
    """Raise a ValueError that names a parameter, unless it is as expected."""
    if not held:
        raise ValueError(f"{name} must be {expected}, not {value!r}")


def require_pools(reserve: float, tempo: Any, smoothing: float) -> None:
    """Raise a ValueError unless the parameters that rules on pools share are in their ranges."""
    require("reserve", reserve, 1 / MOST <= reserve <= MOST, f"in [{1 / MOST:g}, {MOST:g}]")
    whole = isinstance(tempo, int | np.integer) and bool(1 <= tempo <= LONGEST)
    require("tempo", tempo, whole, f"a whole number in 1..{LONGEST}")
    require("smoothing", smoothing, 0 <= smoothing <= 1, "in [0, 1]")
