"""Yuma on sparse weights: the same epoch in floats, at a cost of the entries instead of n x m.

Weights keep their kind, float32 or float64, and so do bonds; everything else is float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trilemma import kernels
from trilemma.kernels import sparse_yuma
from trilemma.kernels.threads import Part, in_threads
from trilemma.model import AnyArray, BoolArray, Epoch, FloatArray, Sparse
from trilemma_mechanisms.yuma.accounts import Accounts
from trilemma_mechanisms.yuma.numbers import FLOATS

if TYPE_CHECKING:
    from trilemma_mechanisms.yuma.rule import Yuma

__all__ = ["is_dense", "pay", "require_dense"]


class _Epoch(NamedTuple):
    """Weights and the bonds of the last epoch, in the same places, and who counts."""

    weights: Sparse
    prior: Sparse | None
    accounts: Accounts
    stake: sparse_yuma.Stake


class _Outcome(NamedTuple):
    ranks: FloatArray
    earned: FloatArray
    bonds: Sparse
    agreed: bool


def is_dense(epoch: Epoch) -> bool:
    """Tell whether both weights and bonds of the last epoch are dense; raise if only one is."""
    said: Any = epoch.weights
    dense = not isinstance(said, Sparse)
    if epoch.carry is not None and isinstance(epoch.carry.bonds, Sparse) == dense:
        raise ValueError(
            f"carry holds {'sparse' if dense else 'dense'} bonds, but weights are "
            f"{'dense' if dense else 'sparse'}; go on with the kind of weights it comes from"
        )
    return dense


def require_dense(epoch: Epoch) -> None:
    """Raise if weights are sparse."""
    if not is_dense(epoch):
        raise ValueError(
            "stages and arithmetic='chain' need dense weights; give weights.dense() to the epoch"
        )


def pay(rule: Yuma, epoch: Epoch) -> tuple[FloatArray, FloatArray, Any, BoolArray | None]:
    """Return incentive (m,), dividends (n,), bonds (n, m) and the permits of the next epoch."""
    facts, settings = _facts(rule, epoch), rule.settings
    outcome = _outcome(facts, settings)
    if settings.liquid and not outcome.agreed:  # then bonds move at the plain speed
        outcome = _outcome(facts, settings._replace(liquid=False))
    accounts, incentive = facts.accounts, kernels.normalised(outcome.ranks)
    earned = outcome.earned if rule.version == 2 else outcome.earned * accounts.counted
    dividends = kernels.normalised(earned) if incentive.any() else accounts.by_stake()
    return incentive, dividends, outcome.bonds, accounts.next_permits


def _facts(rule: Yuma, epoch: Epoch) -> _Epoch:
    weights: Any = epoch.weights
    prior = None
    if epoch.carry is not None:
        weights, prior = weights.aligned(epoch.carry.bonds)
    accounts = Accounts.of(epoch, rule, FLOATS["float"])
    units = kernels.stake_units(accounts.stake)
    needed = kernels.needed_support(rule.kappa, int(units.sum()))
    heard = accounts.counted if accounts.permits is None else _heard(accounts)
    return _Epoch(
        weights, prior, accounts, sparse_yuma.stake_of(units, heard, needed, weights.values)
    )


def _heard(accounts: Accounts) -> FloatArray:
    """Return shares of stake, -1 for those without a permit."""
    return np.where(np.asarray(accounts.permits), accounts.counted, -1.0)


def _outcome(facts: _Epoch, settings: kernels.Settings) -> _Outcome:
    weights, prior, accounts, stake = facts
    keys = weights.values.view(f"u{weights.dtype.itemsize}")
    old = weights.values[:0] if prior is None else prior.values
    kernel: Any = sparse_yuma.version_2 if settings.version == 2 else sparse_yuma.version_3
    ranks, sums = np.zeros(weights.shape[1]), np.zeros(weights.shape[0])
    bent = settings if settings.beta < 1 or settings.liquid else None
    agreed: list[bool] = []

    def bind(bonds: AnyArray) -> None:
        def of(part: Part) -> FloatArray:
            earned = np.zeros(weights.shape[0])
            given = weights.columns, keys, old, stake, settings.alpha, bent
            agreed.append(kernel(*given, *part, bonds, ranks, earned))
            if accounts.next_permits is not None:
                kept = accounts.next_permits
                sparse_yuma.forget(weights.indptr, weights.rows, kept, *part, bonds)
            return earned

        for earned in in_threads(of, weights.parts):
            np.add(sums, earned, out=sums)

    bonds = weights.like(bind)
    return _Outcome(ranks, sums, bonds, any(agreed))
