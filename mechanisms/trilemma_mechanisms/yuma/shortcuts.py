"""Two exact shortcuts: a few rows on a base that stays, and many epochs in which nothing changes.

Both follow the epoch in `rule.py`, for arithmetic='float' and dense weights, without chain records
and without version 3's liquid alpha, and say None elsewhere. They add up in another order: what is
reported comes from the rule itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np

from trilemma import kernels
from trilemma.kernels.arithmetic import FLUSH
from trilemma.model import AnyArray, BoolArray, Epoch, FloatArray, IntArray
from trilemma_mechanisms.yuma.accounts import Accounts
from trilemma_mechanisms.yuma.entries import bonds_of, weights_of
from trilemma_mechanisms.yuma.numbers import NUMBERS

if TYPE_CHECKING:
    from trilemma_mechanisms.yuma.rule import State, Yuma, _Outcome

__all__ = ["Estimator", "after", "on_base", "pay_over"]

DOUBT = 1e-13  # of all dividends


Estimate: TypeAlias = tuple[FloatArray, FloatArray]
"""The miners' pool (m,), and the attackers' part (q,) of the validators' pool."""
Estimator: TypeAlias = Callable[[FloatArray], Estimate | None]


def on_base(rule: Yuma, epoch: Epoch, rows: IntArray) -> Estimator | None:
    """Return a function from attackers' weights to what they lead to.

    Parameters
    ----------
    rule : Yuma
    epoch : Epoch
        Everything but the attackers' weights: those it holds are not read.
    rows : ndarray of int, shape (q,)
        Who the attackers are.

    Returns
    -------
    callable or None
        Takes weights (q, m) with rows that sum to 1 or 0, and returns an estimate, or None
        where bonds are so small that some may count as none. None where no shortcut is known;
        so in version 3 where honest weights or bonds exceed 1, at which bonds end.
    """
    if not _covers(rule, epoch):
        return None
    numbers = NUMBERS[rule.arithmetic]
    accounts = Accounts.of(epoch, rule, numbers)
    weights = weights_of(epoch, rule, accounts, numbers).numbers
    prior = bonds_of(epoch, rule, numbers).numbers
    if rule.version == 3 and max(_most(weights, rows), _most(prior, rows)) > 1:
        return None
    units = kernels.stake_units(accounts.stake)
    needed = kernels.needed_support(rule.kappa, int(units.sum()))
    base = kernels.shared_base(weights, units, accounts.counted, prior, rows, needed)
    heard = None if accounts.permits is None else accounts.permits[rows]
    return partial(_estimate, rule, base, heard, accounts.by_stake()[rows], epoch.stake.size)


def _covers(rule: Yuma, epoch: Epoch) -> bool:
    plain = rule.arithmetic == "float" and epoch.chain is None and epoch.stake.ndim == 1
    held = [epoch.weights] if epoch.carry is None else [epoch.weights, epoch.carry.bonds]
    dense = all(isinstance(matrix, np.ndarray) for matrix in held)
    return plain and dense and (rule.version == 2 or not rule.liquid_alpha)


def _most(matrix: AnyArray, rows: IntArray) -> float:
    return float(np.delete(matrix, rows, axis=0).max(initial=0.0))


def _estimate(
    rule: Yuma,
    base: kernels.SharedBase,
    heard: BoolArray | None,
    by_stake: FloatArray,
    validators: int,
    said: FloatArray,
) -> Estimate | None:
    if heard is not None:  # scaled once more, as in `weights_of`
        said = NUMBERS[rule.arithmetic].rows(np.where(heard[:, None], said, 0.0))
    alpha = 1.0 - float(rule.bonds_moving_average)
    beta = float(rule.bonds_penalty)
    incentive, dividends, doubt = kernels.earned_on_base(base, said, rule.version, beta, alpha)
    if not np.count_nonzero(incentive):
        return incentive, by_stake
    return None if doubt * validators > DOUBT else (incentive, dividends)


# --- many epochs in which nothing changes --------------------------------------------------------


def after(rule: Yuma, epoch: Epoch, epochs: int) -> State | None:
    """Return what is carried after some epochs that are all alike.

    Bonds approach a fixed point, by the same factor in every epoch. In version 3 that is what
    bonds follow; in version 2 the same scaled by miner, or, where nobody buys, the bonds there are.

    Two epochs are paid one by one. After the first, permits are what this stake grants. After the
    second, bonds are at most 1, and whoever buys too little to hold anything holds nothing.

    Parameters
    ----------
    rule : Yuma
    epoch : Epoch
        The first of them, with its carry.
    epochs : int
        How many; 1 or more.

    Returns
    -------
    State or None
        None where no shortcut is known.
    """
    if not _covers(rule, epoch):
        return None
    first = rule(epoch)
    if epochs == 1:
        return cast("State", first.carry)
    settled = rule._epoch(epoch.replace(carry=first.carry))
    carry = settled.state(rule)
    return carry._replace(bonds=_moved(rule, settled, carry.bonds, epochs - 2))


def pay_over(rule: Yuma, epoch: Epoch, epochs: int) -> FloatArray | None:
    """Return the validators' pool of each of some epochs that are all alike; version 2 only.

    There a miner's bonds sum to 1 for good, so that dividends move as bonds do. In version 3 the
    bonds of a miner are divided by their sum, which moves too, at another pace for each miner:
    dividends are no longer a fixed point and one term that fades.

    Parameters
    ----------
    rule : Yuma
    epoch : Epoch
        The first of them, with its carry.
    epochs : int
        How many; 1 or more.

    Returns
    -------
    ndarray, shape (epochs, n), or None
        None where no shortcut is known. Bonds that fade below 1e-30 are still paid.
    """
    if rule.version != 2 or not _covers(rule, epoch):
        return None
    first = rule(epoch)
    settled = rule._epoch(epoch.replace(carry=first.carry))
    ends = settled.bonds, _fixed_point(rule, settled, settled.bonds)
    start, end = (_scaled(bonds @ settled.incentive) for bonds in ends)
    paid = np.empty((epochs, epoch.stake.size))
    for number in range(epochs):
        old, new = _parts(rule, max(0, number - 1))
        paid[number] = old * start + new * end
    if not settled.incentive.any():
        paid[:] = settled.pay
    paid[0] = first.validators
    return paid


def _moved(rule: Yuma, settled: _Outcome, bonds: FloatArray, epochs: int) -> FloatArray:
    """Return bonds after more epochs like the settled one, which left these."""
    old, new = _parts(rule, epochs)
    moved = old * bonds + new * _fixed_point(rule, settled, bonds)
    held = (bonds > 0) & (moved >= FLUSH)
    return np.where(held, np.minimum(moved, 1.0), 0.0)


def _parts(rule: Yuma, epochs: int) -> tuple[float, float]:
    """Return how much is left of old bonds, and how much of the fixed point is reached."""
    alpha = 1.0 - float(rule.bonds_moving_average)
    reached = -math.expm1(epochs * math.log1p(-alpha)) if alpha < 1 else float(epochs > 0)
    return (1.0 - alpha) ** epochs, reached


def _fixed_point(rule: Yuma, settled: _Outcome, bonds: FloatArray) -> FloatArray:
    """Return the bonds that no further epoch changes."""
    numbers = NUMBERS[rule.arithmetic]
    target = rule._target(settled.weights, settled.clipped, settled.consensus, numbers).numbers
    if rule.version == 3:
        return target
    new = settled.accounts.counted[:, None] * target
    bought = new.sum(axis=0)
    return np.where(bought >= FLUSH, new / np.where(bought > 0, bought, 1.0), bonds)


def _scaled(amounts: FloatArray) -> FloatArray:
    total = amounts.sum()
    return np.asarray(amounts / total) if total > 0 else amounts
