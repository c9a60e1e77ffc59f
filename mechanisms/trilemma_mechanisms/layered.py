"""Two levels at once: a rule that shares emission among subnets, and one inside each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from trilemma.model import AnyArray, BoolArray, Epoch, FloatArray, Mechanism, Rewards
from trilemma_mechanisms.influence import share
from trilemma_mechanisms.root_vote import RootVote
from trilemma_mechanisms.yuma import Yuma

__all__ = ["Layered"]


class Levels(NamedTuple):
    """What the rule above carries, and what the one inside carries by subnet."""

    above: Any
    inside: Mapping[int, Any]


@dataclass(frozen=True)
class Layered:
    """Emission flows from the network to its subnets, and from each to its miners.

    The rule above sees subnets in the place of miners: what a validator says a subnet deserves
    is what it says of its miners together, and it votes, orders and trades on a subnet as it does
    on the miners there, taken together. The rule inside sees one subnet at a time.

    Parameters
    ----------
    above : Mechanism
        Shares emission among subnets.
    inside : Mechanism
        Shares what a subnet gets among its miners and validators.
    less_burned : bool
        Whether a subnet's share counts only by the part that its miners are paid (1 - miner
        burned), unless none is paid anything. Source: opentensor/subtensor,
        pallets/subtensor/src/coinbase, from 22 June 2026 on; there of the epoch before.
    """

    above: Mechanism = field(default_factory=RootVote)
    inside: Mechanism = field(default_factory=Yuma)
    less_burned: bool = False

    def __call__(self, epoch: Epoch) -> Rewards:
        known, which = np.unique(epoch.subnets, return_inverse=True)
        before: Levels = epoch.carry or Levels(None, {})
        members = [which == number for number in range(known.size)]
        top = _rewards(self.above, _above(epoch, members, before.above))
        inside = [
            _rewards(self.inside, _part(epoch, there, before.inside.get(int(label))))
            for label, there in zip(known, members, strict=True)
        ]
        emission = self._emission(top.miners, inside)
        miners, validators = np.zeros(which.size), np.zeros(epoch.stake.size)
        for there, part, rewards in zip(members, emission, inside, strict=True):
            miners[there] = part * rewards.miners
            validators += part * _validators(rewards, epoch)
        carried = {int(label): it.carry for label, it in zip(known, inside, strict=True)}
        return Rewards(miners, validators, Levels(top.carry, carried))

    def _emission(self, shares: AnyArray, inside: list[Rewards]) -> FloatArray:
        if not self.less_burned:
            return np.asarray(shares)
        paid = shares * np.array([min(rewards.miners.sum(), 1.0) for rewards in inside])
        return np.asarray(shares.sum() * share(paid) if paid.any() else shares)

    def stages(self, epoch: Epoch) -> dict[str, AnyArray]:
        """Return `subnet` (m,), what each miner's subnet gets above, and `incentive` (m,)."""
        known, which = np.unique(epoch.subnets, return_inverse=True)
        before: Levels = epoch.carry or Levels(None, {})
        members = [which == number for number in range(known.size)]
        top = _rewards(self.above, _above(epoch, members, before.above))
        return {"subnet": np.asarray(top.miners)[which], "incentive": self(epoch).miners}


def _rewards(rule: Mechanism, epoch: Epoch) -> Rewards:
    answer = rule(epoch)
    rewards = answer if isinstance(answer, Rewards) else Rewards(answer)
    return replace(rewards, miners=np.asarray(rewards.miners))


def _validators(rewards: Rewards, epoch: Epoch) -> AnyArray:
    return share(epoch.stake) if rewards.validators is None else rewards.validators


def _above(epoch: Epoch, members: list[BoolArray], carry: Any) -> Epoch:
    """Return what the rule above sees: (n, g) for g subnets."""

    def together(values: AnyArray) -> AnyArray:
        return np.stack([values[:, there].sum(axis=1) for there in members], axis=1)

    return Epoch(
        epoch.stake,
        together(epoch.weights),
        votes=np.sign(together(epoch.votes)),
        seats=epoch.seats,
        orders=np.sign(together(epoch.orders)),
        flows=together(epoch.flows),
        tenure=epoch.tenure,
        carry=carry,
    )


def _part(epoch: Epoch, there: BoolArray, carry: Any) -> Epoch:
    """Return what the rule inside sees of one subnet."""
    return Epoch(
        epoch.stake,
        epoch.weights[:, there],
        votes=epoch.votes[:, there],
        seats=epoch.seats,
        orders=epoch.orders[:, there],
        flows=epoch.flows[:, there],
        tenure=epoch.tenure,
        carry=carry,
    )
