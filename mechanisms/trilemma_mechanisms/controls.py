"""Rules with known scores: if a control is off, the evaluation is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from trilemma.model import Epoch, FloatArray, Sparse
from trilemma_mechanisms.influence import share

__all__ = ["Dictator", "StakeProportional", "StakeWeighted", "Uniform"]


BY_STAKE = frozenset(  # what follows from paying validators by stake, and reports in proportion
    {
        "consensus_copying_gains_nothing",
        "merge_proof",
        "paid_by_stake_when_agreed",
        "split_proof",
        "stake_monotone",
        "support_monotone",
        "zero_stake_ignored",
    }
)
BLIND = BY_STAKE | {"anonymous", "continuous(0)", "self_dealing_proof(1)", "weight_blind"}


@dataclass(frozen=True)
class Uniform:
    """Every miner's account gets the same."""

    control: ClassVar = True
    claims: ClassVar = BLIND | {"budget_balanced", "carried_by(0)", "no_veto_below(1)"}

    def __call__(self, epoch: Epoch) -> FloatArray:
        miners = epoch.weights.shape[1]
        return np.full(miners, 1 / miners)


@dataclass(frozen=True)
class StakeProportional:
    """Validators are paid for their stake; the miners' pool is burnt."""

    control: ClassVar = True
    claims: ClassVar = BLIND | {
        "clone_proof",
        "no_boost_below(1)",
        "suspended_by(0)",
        "unreported_unpaid",
    }

    def __call__(self, epoch: Epoch) -> FloatArray:
        return np.zeros(epoch.weights.shape[1])


@dataclass(frozen=True)
class StakeWeighted:
    """The stake-weighted mean of all reports, undefended."""

    control: ClassVar = True
    claims: ClassVar = BY_STAKE | {
        "anonymous",
        "budget_balanced",
        "carried_by(0)",
        "clone_proof",
        "continuous(1)",
        "no_veto_below(1)",
        "unanimity",
        "unreported_unpaid",
    }

    def __call__(self, epoch: Epoch) -> FloatArray:
        return share(epoch.stake @ epoch.weights)


@dataclass(frozen=True)
class Dictator:
    """The first seat's report decides; no seat, no pay."""

    control: ClassVar = True
    claims: ClassVar = BY_STAKE | {"clone_proof"}

    def __call__(self, epoch: Epoch) -> FloatArray:
        if epoch.seats.size == 0:
            return np.zeros(epoch.weights.shape[1])
        said: Any = epoch.weights
        if isinstance(said, Sparse):
            return np.asarray((np.arange(epoch.stake.size) == epoch.seats[0]) @ said)
        return np.asarray(said[epoch.seats[0]])
