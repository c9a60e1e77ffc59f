"""Yuma in floats, as fast as it goes: one kernel for whole epochs, alone or in batches.

`rule.py` takes the same steps one by one, for `stages`, for the chain's arithmetic and for chain
records; the two agree but for rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trilemma import kernels
from trilemma.model import AnyArray, Epoch, Rewards
from trilemma_mechanisms.yuma.accounts import Accounts

if TYPE_CHECKING:
    from trilemma_mechanisms.yuma.numbers import Float
    from trilemma_mechanisms.yuma.rule import State, Yuma

__all__ = ["pay", "pay_batch", "serves"]


def serves(epoch: Epoch, accounts: Accounts) -> bool:
    """Tell whether the kernel covers an epoch: whoever has a permit has stake."""
    if epoch.chain is not None:
        return False
    counted = accounts.counted > 0
    return bool(counted.all() if accounts.permits is None else counted[accounts.permits].all())


def pay(
    rule: Yuma, epoch: Epoch, accounts: Accounts, numbers: Float
) -> tuple[AnyArray, AnyArray, AnyArray, AnyArray]:
    """Return incentive (m,), dividends (n,), bonds (n, m) and consensus (m,)."""
    weights = numbers.set_weights(epoch.weights)[None, None]
    prior, guess = np.empty((0, *weights.shape[2:]), weights.dtype), NOWHERE.astype(numbers.kind)
    if epoch.carry is not None:
        carry: State = epoch.carry
        prior = np.ascontiguousarray(numbers.read(carry.bonds, rule.version))[None]
        guess = guess if carry.consensus is None else carry.consensus
    units = kernels.stake_units(accounts.stake, numbers.bits)
    needed = np.full((1, 1), kernels.needed_support(rule.kappa, int(units.sum())), units.dtype)
    done = _outcome(1, weights, bonds=1)
    share = accounts.counted[None, None]
    kernels.plays(
        weights, share, units[None, None], needed, prior, guess, rule.settings, 0, 1, done
    )
    bonds = done.bonds[0]
    if accounts.next_permits is not None:
        bonds[~accounts.next_permits] = 0
    return done.incentive[0, 0], done.dividends[0, 0], bonds, done.consensus[0, 0]


def pay_batch(rule: Yuma, batch: Epoch, numbers: Float) -> Rewards:
    """Return what first epochs (b, ...) pay."""
    network, count = batch.weights, len(batch.weights)
    shared = network.strides[0] == 0
    # Stake that is the same everywhere is counted once: 10 us an epoch.
    stakes = list(batch.stake[:1] if batch.stake.strides[0] == 0 else batch.stake)
    weights = numbers.set_weights(network[:1] if shared else network)[:, None]
    # Shares are scaled twice, as `Accounts` does: the same bits as alone.
    share = np.stack([kernels.normalised(numbers.share(stake)) for stake in stakes])
    units = np.stack([kernels.stake_units(stake, numbers.bits) for stake in stakes])
    needed = [kernels.needed_support(rule.kappa, int(row.sum(dtype=np.int64))) for row in units]
    share = _for_each(count, share)
    done = _outcome(count, weights, bonds=0)
    kernels.plays(
        np.ascontiguousarray(weights),
        share[:, None],
        _for_each(count, units)[:, None],
        _for_each(count, np.array(needed, units.dtype)[:, None]),
        np.empty((0, *weights.shape[2:]), weights.dtype),
        np.zeros(weights.shape[3] if shared else 0, weights.dtype),
        rule.settings,
        0,
        count,
        done,
    )
    incentive, dividends = done.incentive[:, 0], done.dividends[:, 0]
    nobody = ~incentive.any(axis=1)
    dividends[nobody] = share[nobody]
    return Rewards(numbers.pool(incentive), numbers.pool(dividends))


NOWHERE = np.zeros(0)


def _for_each(count: int, rows: AnyArray) -> AnyArray:
    return rows if len(rows) == count else np.repeat(rows, count, axis=0)


def _outcome(plays: int, weights: AnyArray, bonds: int) -> kernels.Outcome:
    (_, _, n, m), kind = weights.shape, weights.dtype
    return kernels.Outcome(
        np.empty((plays, 1, m), kind),
        np.empty((plays, 1, m), kind),
        np.empty((plays, 1, n), kind),
        np.zeros((bonds, n, m), kind),
    )
