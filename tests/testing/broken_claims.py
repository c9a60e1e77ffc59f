"""For each claim a rule that breaks it, as its author might well write it, and one that keeps it.

All of them keep the laws. The bounds are the usual ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tests.testing.broken import Pair, Stored, support
from trilemma.model import AnyArray, BoolArray, Epoch, FloatArray, Rewards
from trilemma_mechanisms.influence import share

__all__ = ["OVERCLAIMED", "Pays"]

Influence: TypeAlias = Callable[[Epoch], AnyArray]


@dataclass(frozen=True)
class Pays:
    """Pay validators by influence, and miners by their reports, as far as it stands behind them."""

    influence: Influence

    def __call__(self, epoch: Epoch) -> Rewards:
        power = share(self.influence(epoch))
        return Rewards(power @ epoch.weights, power)


@dataclass(frozen=True)
class PaysMiners:
    """Pay miners by something that is made of stake and reports."""

    merit: Callable[[Epoch], AnyArray]

    def __call__(self, epoch: Epoch) -> FloatArray:
        return share(self.merit(epoch))


@dataclass(frozen=True)
class PaysValidators:
    """Pay miners by support, and validators for something else."""

    merit: Callable[[Epoch], AnyArray]

    def __call__(self, epoch: Epoch) -> Rewards:
        return Rewards(support(epoch), share(self.merit(epoch)))


# --- who stands behind accounts ------------------------------------------------------------------


def capped(epoch: Epoch) -> AnyArray:
    """Count half of all stake at most: one with more splits it."""
    return np.minimum(share(epoch.stake), 0.5)


def economies_of_scale(epoch: Epoch) -> AnyArray:
    """Count stake to a power a little above 1: two accounts count for less than both in one."""
    return np.asarray(share(epoch.stake) ** 1.1)


def above_dust(epoch: Epoch) -> AnyArray:
    """Count no account with less than a third of the stake."""
    held = share(epoch.stake)
    return np.where(3 * held >= 1, held, 0)


def basic_income(epoch: Epoch) -> AnyArray:
    """Share a tenth equally over all who hold anything."""
    return share(epoch.stake) + 0.1 * share(epoch.stake > 0)


def basic_income_for_accounts(epoch: Epoch) -> AnyArray:
    """Share a tenth equally over all accounts, also empty ones."""
    return share(epoch.stake) + 0.1 / epoch.stake.size


def at_most_half(epoch: Epoch) -> AnyArray:
    """Pay no miner for more than half of all support: one with more appears under two names."""
    return np.minimum(support(epoch), 0.5)


def at_least_a_quarter(epoch: Epoch) -> AnyArray:
    """Pay no miner for less than a quarter of all support: names that share it lose it."""
    earned = support(epoch)
    return np.where(4 * earned >= 1, earned, 0)


def most_named(epoch: Epoch) -> BoolArray:
    """Pay the miners on whom most accounts with stake report."""
    names = (epoch.weights[epoch.stake > 0] > 0).sum(axis=0)
    return np.asarray((names == names.max()) & (names > 0))


def most_named_by_the_chair(epoch: Epoch) -> AnyArray:
    """Pay the miners on whom most report; between equals, the first seat's report decides."""
    tied = most_named(epoch)
    if not epoch.seats.size:
        return tied
    chosen = tied * epoch.weights[epoch.seats[0]]
    return np.asarray(chosen if chosen.any() else tied)


# --- power ---------------------------------------------------------------------------------------


def sharpened(epoch: Epoch) -> AnyArray:
    """Pay by support to a power a little above 1: where it is even, pay moves more than support."""
    return np.asarray(support(epoch) ** 1.1)


def halfway(epoch: Epoch) -> AnyArray:
    """Pay half by support, and half equally."""
    return np.asarray(support(epoch) + 1 / epoch.weights.shape[1])


@dataclass(frozen=True)
class Ballot:
    """Do not pay miners whom a majority of the votes cast rejects, if a quorum votes on them."""

    quorum: float

    def __call__(self, epoch: Epoch) -> AnyArray:
        held = share(epoch.stake)
        against, cast = held @ (epoch.votes == 1), held @ (epoch.votes != 0)
        return np.where((cast >= self.quorum) & (2 * against > cast), 0, support(epoch))


def unless_outnumbered(epoch: Epoch) -> AnyArray:
    """Do not pay miners whom most accounts that vote on them reject, whatever these hold."""
    against, cast = (epoch.votes == 1).sum(axis=0), (epoch.votes != 0).sum(axis=0)
    return np.where(2 * against > cast, 0, support(epoch))


def _behind(epoch: Epoch) -> FloatArray:
    """Return which share of stake reports on each miner, (m,)."""
    return np.asarray(share(epoch.stake) @ (epoch.weights > 0))


def by_half_of_all(epoch: Epoch) -> AnyArray:
    """Pay miners on whom half of all stake reports."""
    return np.where(_behind(epoch) >= 0.5, support(epoch), 0)


def by_more_than_half(epoch: Epoch) -> AnyArray:
    """Pay miners on whom more than half of all stake reports; exactly half carries nobody."""
    return np.where(_behind(epoch) > 0.5, support(epoch), 0)


def by_half_of_speakers(epoch: Epoch) -> AnyArray:
    """Pay miners on whom half of the stake that speaks reports; the silent do not count."""
    spoke = share(epoch.stake) @ epoch.weights.any(axis=1)
    return np.where((_behind(epoch) >= spoke / 2), support(epoch), 0)


def blind(epoch: Epoch) -> Rewards:
    """Pay miners equally, and validators by the square root of stake."""
    miners = epoch.weights.shape[1]
    return Rewards(np.full(miners, 1 / miners), share(np.sqrt(share(epoch.stake))))


def blind_to_all_but_silence(epoch: Epoch) -> Rewards:
    """Pay as `blind`, but not validators who say nothing."""
    paid = blind(epoch)
    spoke = epoch.weights.any(axis=1)
    return Rewards(paid.miners, share(np.where(spoke, share(epoch.stake), 0)))


# --- reports -------------------------------------------------------------------------------------


def stored_and_scaled(epoch: Epoch) -> FloatArray:
    """Pay in u16, as chains store it, scaled to a sum of 1."""
    return share(Stored(np.floor)(epoch))


def or_equally(epoch: Epoch) -> AnyArray:
    """Pay all equally where nobody with stake reports anything, so that nothing is burnt."""
    earned = support(epoch)
    return earned if earned.any() else np.ones_like(earned)


def speakers(epoch: Epoch) -> AnyArray:
    """Pay for having spoken."""
    return np.where(epoch.weights.any(axis=1), share(epoch.stake), 0)


def in_agreement(epoch: Epoch) -> AnyArray:
    """Pay by how far a report agrees with the mean of all."""
    return share(epoch.stake) * (epoch.weights @ support(epoch))


def original(epoch: Epoch) -> AnyArray:
    """Pay no copies: of those who report the same, the largest only."""
    same = (epoch.weights[:, None] == epoch.weights[None]).all(axis=2)
    larger = epoch.stake[None, :] > epoch.stake[:, None]
    return np.where((same & larger).any(axis=1), 0, share(epoch.stake))


@dataclass(frozen=True)
class Middle:
    """Pay miners what half of the electorate grants them at least; scaled only if that is too much.

    Parameters
    ----------
    electorate : callable
        From the epoch to what each validator counts.
    """

    electorate: Influence

    def __call__(self, epoch: Epoch) -> FloatArray:
        power = share(self.electorate(epoch))
        grants = epoch.weights[:, None] >= epoch.weights[None]  # (n, n, m)
        granted = np.einsum("i,ikj->kj", power, grants) >= 0.5
        middle = np.where(granted, epoch.weights, 0).max(axis=0)
        return np.asarray(middle / max(1, middle.sum()))


def stakes(epoch: Epoch) -> AnyArray:
    """Count stake."""
    return epoch.stake


def accounts(epoch: Epoch) -> AnyArray:
    """Count accounts that have any stake."""
    return epoch.stake > 0


@dataclass(frozen=True)
class Taxed:
    """Burn part of a validator's pay, the more the larger its share.

    Parameters
    ----------
    rate : float
        By how much the tax grows with the share. Above a half, the largest earn less than others.
    """

    rate: float

    def __call__(self, epoch: Epoch) -> Rewards:
        held = share(epoch.stake)
        return Rewards(support(epoch), held * (1 - self.rate * held))


@dataclass(frozen=True)
class Praise:
    """Pay by support, but hear no praise above three quarters: cut it, or drop it."""

    cut: bool

    def __call__(self, epoch: Epoch) -> AnyArray:
        heard = np.minimum(epoch.weights, 0.75)
        if not self.cut:
            heard = np.where(epoch.weights <= 0.75, epoch.weights, 0)
        return np.asarray(share(epoch.stake) @ heard)


def in_bytes(epoch: Epoch) -> AnyArray:
    """Store reports in bytes, of 256 steps: the whole step 256 is stored as 0."""
    steps = np.rint(epoch.weights * 256).astype(np.int64).astype(np.uint8)
    return np.asarray(share(epoch.stake) @ steps)


# -------------------------------------------------------------------------------------------------

OVERCLAIMED = {
    "anonymous": Pair(PaysMiners(most_named), PaysMiners(most_named_by_the_chair)),
    "clone_proof": Pair(PaysMiners(at_least_a_quarter), PaysMiners(at_most_half)),
    "merge_proof": Pair(Pays(capped), Pays(economies_of_scale)),
    "split_proof": Pair(Pays(above_dust), Pays(capped)),
    "zero_stake_ignored": Pair(Pays(basic_income), Pays(basic_income_for_accounts)),
    "carried_by": Pair(PaysMiners(by_half_of_all), PaysMiners(by_more_than_half)),
    "continuous": Pair(PaysMiners(halfway), PaysMiners(sharpened)),
    "no_boost_below": Pair(PaysMiners(by_half_of_all), PaysMiners(by_half_of_speakers)),
    "no_veto_below": Pair(PaysMiners(Ballot(0.5)), PaysMiners(Ballot(0))),
    "suspended_by": Pair(PaysMiners(Ballot(0.5)), PaysMiners(unless_outnumbered)),
    "weight_blind": Pair(blind, blind_to_all_but_silence),
    "budget_balanced": Pair(stored_and_scaled, Stored(np.floor)),
    "consensus_copying_gains_nothing": Pair(PaysValidators(speakers), PaysValidators(in_agreement)),
    "paid_by_stake_when_agreed": Pair(PaysValidators(in_agreement), PaysValidators(original)),
    "self_dealing_proof": Pair(Middle(stakes), Middle(accounts)),
    "stake_monotone": Pair(Taxed(0.5), Taxed(0.6)),
    "support_monotone": Pair(PaysMiners(Praise(cut=True)), PaysMiners(Praise(cut=False))),
    "unanimity": Pair(Middle(stakes), PaysMiners(in_bytes)),
    "unreported_unpaid": Pair(PaysMiners(support), PaysMiners(or_equally)),
}
