"""Holders vote on what the network pays its subnets; here miners are subnets.

Source: opentensor/subtensor, pallets/subtensor/src/coinbase, `root_epoch` (2023 to February 2025).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from trilemma import kernels
from trilemma.model import AnyArray, Epoch, FloatArray, Sparse
from trilemma_mechanisms.controls import BY_STAKE
from trilemma_mechanisms.influence import share

__all__ = ["RootVote"]

STEEPEST = 500  # at which exp(-rho) times any rank is a float above 0
AGREED = frozenset({"anonymous", "budget_balanced", "clone_proof", "unanimity"})
PAYS_ANY_SUPPORT = frozenset({"carried_by(0)", "no_veto_below(1)"})


@dataclass(frozen=True)
class RootVote:
    """A subnet's stake-weighted support counts by how much of the stake supports it at all.

    Its share is in proportion to `sigmoid(rho * (trust - kappa)) * rank`: its trust is the share
    of all stake whose holders give it any weight, its rank the stake-weighted mean of its weights.
    Holders are paid by stake. Without stake, or without reports, the subnets' pool is burnt.

    Parameters
    ----------
    rho : float
        How steeply trust counts, 0 or more: at 0 it does not.
    kappa : float
        The trust at which the sigmoid is a half, in [0, 1].
    """

    ranges: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "rho": (0, 2.5, 5, 10, 20, 40),
        "kappa": (0.25, 0.5, 0.75),
    }
    published: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "root network": {"rho": 10, "kappa": 0.5}
    }

    rho: float = 10
    kappa: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.rho < np.inf:
            raise ValueError(f"rho must be finite and 0 or more, not {self.rho}")
        if not 0 <= self.kappa <= 1:
            raise ValueError(f"kappa must be in [0, 1], not {self.kappa}")

    @property
    def claims(self) -> frozenset[str]:
        """What it claims, at these parameters."""
        claims = BY_STAKE | AGREED | {"unreported_unpaid"}
        return claims | PAYS_ANY_SUPPORT if self.rho <= STEEPEST else claims

    def __call__(self, epoch: Epoch) -> FloatArray:
        return self.stages(epoch)["incentive"]

    def stages(self, epoch: Epoch) -> dict[str, FloatArray]:
        """Return `trust`, `rank`, `consensus` (the sigmoid) and `incentive`, all (m,)."""
        trust, rank = _trust(epoch), share(epoch.stake) @ epoch.weights
        logs = -np.logaddexp(0, -self.rho * (trust - self.kappa))
        return {
            "trust": trust,
            "rank": rank,
            "consensus": np.exp(logs),
            "incentive": _shares(logs, rank),
        }


def _trust(epoch: Epoch) -> FloatArray:
    """Return the share of stake that gives each subnet any weight, (m,)."""
    units = kernels.stake_units(epoch.stake)  # a steep sigmoid would show in which order floats add
    total = int(units.sum())
    return np.asarray(units @ _spoken_for(epoch.weights) / max(total, 1))


def _spoken_for(weights: Any) -> Any:
    if isinstance(weights, Sparse):
        return weights.like(lambda values: np.copyto(values, weights.values > 0))
    return weights > 0


def _shares(logs: FloatArray, rank: AnyArray) -> FloatArray:
    """Return sigmoids, given by their logarithms, times ranks, scaled to sum 1.

    Only their ratios count: where all sigmoids round to 0, these do not.
    """
    if not rank.any():
        return np.zeros(rank.size)
    ranked = np.where(rank > 0, logs, -np.inf)
    return share(np.exp(ranked - ranked.max()) * rank)
