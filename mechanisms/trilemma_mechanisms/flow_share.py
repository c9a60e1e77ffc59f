"""Subnets are paid by the TAO that flows into their pools; here miners are subnets.

Source: opentensor/subtensor, pallets/subtensor/src/coinbase, `get_shares_flow`, `get_ema_flow` and
`get_lower_limit` (November 2025 to June 2026).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from trilemma.model import AnyArray, Epoch, FloatArray, Rewards
from trilemma_mechanisms.controls import BY_STAKE
from trilemma_mechanisms.influence import share
from trilemma_mechanisms.pools import Pools, carried, frozen, require, require_pools, trades

__all__ = ["FlowShare", "State"]

OF_REPORTS = frozenset({"support_monotone", "unreported_unpaid"})


class State(NamedTuple):
    """What an epoch leaves to the next.

    Parameters
    ----------
    pools : Pools
    average : ndarray, shape (m,)
        The moving average of net flows, in TAO an epoch.
    """

    pools: Pools
    average: FloatArray


@dataclass(frozen=True)
class FlowShare:
    """A subnet is paid for the TAO that its buyers pay in and its sellers do not take out.

    Its share is in proportion to `max(average - limit, 0)**exponent`, where `average` is the
    moving average of its net flow, and `limit = max(cutoff, min(0, lowest average))`. With the
    cutoff at 0, whoever has lost more TAO than it took in gets nothing.

    Parameters
    ----------
    reserve : float
        Tokens that each pool opens with, in [1e-100, 1e100], in the unit of flows.
    tempo : int
        Blocks in an epoch.
    smoothing : float
        Weight of one block's flow in the average, in [0, 1]. At the chain's own, half of an
        average is left after 216,000 blocks.
    cutoff : float
        Average flow up to which nothing is paid, in TAO an epoch. Below 0, some outflow is
        forgiven.
    exponent : float
        0 or more: 1 pays in proportion.

    Notes
    -----
    Holders' reports set the prices at which the pools open, in a first epoch; later only
    `epoch.flows` move them (`Pools`). The net flow is what buyers paid minus what sellers got, at
    the prices of the pool; it is spread evenly over the blocks of the epoch. In the first epoch
    it is the average, too, the limit of sustaining it; the chain's own averages began at prices.
    What the protocol itself spends on tokens is left out.

    Where nobody has ever traded, no flow is above the limit, and all of the subnets' pool is burnt:
    that is the rule. Holders are paid by stake.

    State: pools and averages travel in `carry`.
    """

    ranges: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "reserve": (0.25, 0.5, 1, 2, 4),
        "exponent": (0.5, 1, 2),
    }
    published: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "TAO flow": {"tempo": 360, "smoothing": 3.209e-6, "cutoff": 0, "exponent": 1}
    }

    reserve: float = 1.0
    tempo: int = 360
    smoothing: float = 3.209e-6
    cutoff: float = 0.0
    exponent: float = 1.0

    def __post_init__(self) -> None:
        require_pools(self.reserve, self.tempo, self.smoothing)
        require("cutoff", self.cutoff, abs(self.cutoff) < np.inf, "finite")
        require("exponent", self.exponent, 0 <= self.exponent < np.inf, "finite and 0 or more")

    @property
    def claims(self) -> frozenset[str]:
        """What it claims; the cases of the kit hold no trades, but these hold where there are."""
        # Below a cutoff of 0, who is listed higher loses more by the same sale, and who is not
        # reported on has no outflow and may be paid.
        claims = BY_STAKE | {"anonymous", "unreported_unpaid"}
        return claims if self.cutoff >= 0 else claims - OF_REPORTS

    def __call__(self, epoch: Epoch) -> Rewards:
        after, _ = self._after(epoch)
        return Rewards(self._shares(after.average), carry=after)

    def stages(self, epoch: Epoch) -> dict[str, AnyArray]:
        """Return `tokens` (in reserves), `price`, `flow`, `average` and `incentive`, all (m,)."""
        after, flow = self._after(epoch)
        return {
            "tokens": after.pools.tokens,
            "price": after.pools.price,
            "flow": flow,
            "average": after.average,
            "incentive": self._shares(after.average),
        }

    def _after(self, epoch: Epoch) -> tuple[State, FloatArray]:
        """Return what the epoch leaves behind, and the TAO that flowed into each pool in it."""
        before = carried(epoch, State, "FlowShare")
        opened = Pools.opened(epoch) if before is None else before.pools
        pools, paid = opened.traded(trades(epoch, self.reserve))
        flow = self.reserve * paid
        if before is None:
            return State(pools, frozen(flow)), flow
        kept = (1 - self.smoothing) ** self.tempo
        return State(pools, frozen(kept * before.average + (1 - kept) * flow)), flow

    def _shares(self, average: FloatArray) -> FloatArray:
        limit = max(self.cutoff, min(0.0, float(average.min())))
        above = np.maximum(average - limit, 0)
        most = above.max()
        if not most > 0:
            return np.zeros(above.size)
        return share(np.where(above > 0, (above / most) ** self.exponent, 0.0))
