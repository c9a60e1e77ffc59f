"""Influence is stake to a power: the square root of quadratic voting by default.

Source: Lalley and Weyl 2018 (quadratic voting); power 1/2 on stake as in Gitcoin-style rounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from trilemma.model import AnyArray, Epoch, Mechanism, Rewards
from trilemma_mechanisms.influence import (
    claims_by_influence,
    claims_of,
    pay_by_influence,
    stages_by_influence,
    takes_batches,
)
from trilemma_mechanisms.yuma import Yuma

__all__ = ["Quadratic"]


@dataclass(frozen=True)
class Quadratic:
    """Stake counts to a power; then another mechanism pays.

    Parameters
    ----------
    power : float
        In [0, 1]: 1 is stake itself, 0 is one account one vote among those with stake.
    inner : Mechanism
        The rule that sees the transformed stake.
    """

    ranges: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "power": (0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 1)
    }
    published: ClassVar[Mapping[str, Mapping[str, float]]] = {"square root": {"power": 0.5}}

    power: float = 0.5
    inner: Mechanism = field(default_factory=Yuma)

    def __post_init__(self) -> None:
        if not 0 <= self.power <= 1:
            raise ValueError(f"power must be in [0, 1], not {self.power}")

    @property
    def batched(self) -> bool:
        """Whether it takes several epochs at once: where the inner rule does."""
        return takes_batches(self.inner)

    @property
    def claims(self) -> frozenset[str]:
        """What it claims, by what the inner rule does."""
        inner = claims_of(self.inner)
        if self.power == 1:
            return inner
        kept = claims_by_influence(self.inner, whoever_has_stake=True)
        agreed = "paid_by_stake_when_agreed"
        return kept | {f"{agreed}({self.power})"} if agreed in inner else kept

    def __call__(self, epoch: Epoch) -> Rewards:
        return pay_by_influence(self.inner, epoch, self.influence(epoch))

    def influence(self, epoch: Epoch) -> AnyArray:
        """Return what stands in for stake, (n,)."""
        if self.power == 1:
            return epoch.stake  # whole stakes stay whole
        largest = epoch.stake.max(axis=-1, keepdims=True)
        stake = epoch.stake / np.where(largest > 0, largest, 1)
        return np.where(stake > 0, stake**self.power, 0.0)

    def stages(self, epoch: Epoch) -> dict[str, AnyArray]:
        """Return `influence` (n,) and the stages of the rule that sees it."""
        return stages_by_influence(self.inner, epoch, self.influence(epoch))
