"""No wallet counts for more than a cap.

Source: Lui and Sun 2025, arXiv 2507.02951 (a cap at the 88th percentile of wallets).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from trilemma.model import AnyArray, Epoch, Mechanism, Rewards
from trilemma_mechanisms.influence import (
    claims_by_influence,
    pay_by_influence,
    stages_by_influence,
    takes_batches,
)
from trilemma_mechanisms.yuma import Yuma

__all__ = ["StakeCapped"]


@dataclass(frozen=True)
class StakeCapped:
    """Stake above a cap does not count; then another mechanism pays.

    Parameters
    ----------
    cap : float, optional
        Largest share of all stake that counts, in (0, 1]. None: the percentile decides.
    percentile : float
        Percentile of the stakes of the accounts that set weights, in (0, 100]; linearly
        interpolated.
    inner : Mechanism
        The rule that sees the capped stake.
    """

    ranges: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "percentile": (50, 60, 70, 75, 80, 84, 88, 92, 96, 100)
    }
    published: ClassVar[Mapping[str, Mapping[str, float]]] = {"88th percentile": {"percentile": 88}}

    cap: float | None = None
    percentile: float = 88
    inner: Mechanism = field(default_factory=Yuma)

    def __post_init__(self) -> None:
        if self.cap is not None and not 0 < self.cap <= 1:
            raise ValueError(f"cap must be a share of stake in (0, 1], not {self.cap}")
        if not 0 < self.percentile <= 100:
            raise ValueError(f"percentile must be in (0, 100], not {self.percentile}")

    @property
    def batched(self) -> bool:
        """Whether it takes several epochs at once: where the inner rule does."""
        return takes_batches(self.inner)

    @property
    def claims(self) -> frozenset[str]:
        """What it claims, by what the inner rule does."""
        # A percentile is 0 where most accounts that set weights have no stake.
        return claims_by_influence(self.inner, whoever_has_stake=self.cap is not None)

    def __call__(self, epoch: Epoch) -> Rewards:
        return pay_by_influence(self.inner, epoch, self.influence(epoch))

    def influence(self, epoch: Epoch) -> AnyArray:
        """Return what stands in for stake, (n,)."""
        set_weights = np.asarray(epoch.weights.any(axis=-1))
        if epoch.stake.ndim == 1:
            return self._capped(epoch.stake, set_weights)
        return np.stack([*map(self._capped, epoch.stake, set_weights)])

    def stages(self, epoch: Epoch) -> dict[str, AnyArray]:
        """Return `influence` (n,) and the stages of the rule that sees it."""
        return stages_by_influence(self.inner, epoch, self.influence(epoch))

    def _capped(self, stake: AnyArray, set_weights: AnyArray) -> AnyArray:
        if self.cap is not None:
            return np.minimum(stake, float(self.cap * stake.sum(dtype=np.float64)))
        setters = stake[set_weights]
        return np.minimum(stake, _percentile(setters, self.percentile) if setters.size else 0.0)


def _percentile(values: AnyArray, percentile: float) -> float:
    """As `np.percentile`, which takes 95 us for 64 values; this takes 9."""
    ordered = np.sort(values).astype(np.float64)
    place = percentile / 100 * (ordered.size - 1)
    below = int(place)
    above = min(below + 1, ordered.size - 1)
    return float(ordered[below] + (place - below) * (ordered[above] - ordered[below]))
