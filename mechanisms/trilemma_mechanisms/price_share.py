"""Subnets are paid by what their tokens cost; here miners are subnets, and validators holders.

Source: opentensor/subtensor, pallets/subtensor/src/coinbase, `get_shares_price_ema` (dTAO, February
to November 2025).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np

from trilemma.model import AnyArray, Epoch, FloatArray, Rewards
from trilemma_mechanisms.controls import StakeWeighted
from trilemma_mechanisms.influence import share
from trilemma_mechanisms.pools import Pools, carried, frozen, require, require_pools, trades

__all__ = ["PriceShare", "State"]

HIGHEST = 1.0  # price that counts


class State(NamedTuple):
    """What an epoch leaves to the next.

    Parameters
    ----------
    pools : Pools
    average : ndarray, shape (m,)
        The moving average of prices.
    blocks : int
        Since the start.
    """

    pools: Pools
    average: FloatArray
    blocks: int


@dataclass(frozen=True)
class PriceShare:
    """A subnet's share is its part of the sum of all moving average prices.

    Parameters
    ----------
    reserve : float
        Tokens that each pool opens with, in [1e-100, 1e100], in the unit of flows.
    tempo : int
        Blocks in an epoch.
    halving : float
        Blocks after which the average moves at half its speed, 0 or more.
    smoothing : float
        Speed of the average in the end: the weight of one block's price, in [0, 1].

    Notes
    -----
    Holders' reports set the prices at which the pools open, in a first epoch; later only
    `epoch.flows` move them (`Pools`). In the first epoch the average is the price that its trades
    lead to, the limit of sustaining it. From then on every block moves it: by
    `smoothing * b / (b + halving)` of the way to the price, b blocks after the start; a price
    above 1 counts as 1. Trades come at the beginning of an epoch.

    Whoever sells f times the tokens in a pool divides the price by `(1 + f)**2`: 0.414 halves it.
    Holders are paid by stake. Where no subnet has a price, their pool is burnt.

    State: pools, averages and blocks travel in `carry`.
    """

    claims: ClassVar = StakeWeighted.claims  # of reports; the cases of the kit hold no trades
    ranges: ClassVar[Mapping[str, tuple[float, ...]]] = {"reserve": (0.25, 0.5, 1, 2, 4)}
    published: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "dTAO": {"tempo": 360, "halving": 201_600, "smoothing": 3e-6}
    }

    reserve: float = 1.0
    tempo: int = 360
    halving: float = 201_600
    smoothing: float = 3e-6

    def __post_init__(self) -> None:
        require_pools(self.reserve, self.tempo, self.smoothing)
        require("halving", self.halving, 0 <= self.halving < np.inf, "finite and 0 or more")

    def __call__(self, epoch: Epoch) -> Rewards:
        after = self._after(epoch)
        return Rewards(share(after.average), carry=after)

    def stages(self, epoch: Epoch) -> dict[str, AnyArray]:
        """Return `tokens` (in reserves), `price`, `average` and `incentive`, all (m,)."""
        after = self._after(epoch)
        return {
            "tokens": after.pools.tokens,
            "price": after.pools.price,
            "average": after.average,
            "incentive": share(after.average),
        }

    def _after(self, epoch: Epoch) -> State:
        before = carried(epoch, State, "PriceShare")
        opened = Pools.opened(epoch) if before is None else before.pools
        pools, _ = opened.traded(trades(epoch, self.reserve))
        price = np.minimum(pools.price, HIGHEST)
        if before is None:
            return State(pools, frozen(price), self.tempo)
        kept = _kept(before.blocks, self.tempo, self.halving, self.smoothing)
        average = kept * before.average + (1 - kept) * price
        return State(pools, frozen(average), before.blocks + self.tempo)


@lru_cache(maxsize=1024)
def _kept(blocks: int, tempo: int, halving: float, smoothing: float) -> float:
    """Return what `tempo` blocks leave of an average that is so many blocks old."""
    ages = blocks + np.arange(1, tempo + 1, dtype=np.float64)
    with np.errstate(divide="ignore"):  # at speed 1 a block leaves nothing
        return float(np.exp(np.log1p(-smoothing * (ages / (ages + halving))).sum()))
