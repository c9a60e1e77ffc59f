"""What becomes of a plan when the adversary shows another number of identities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trilemma.model import AnyArray, FloatArray, IntArray
from trilemma.search.plan import Plan
from trilemma.search.sight import Sight
from trilemma.search.structure import Structure

__all__ = ["resized"]


def resized(plan: Plan, structure: Structure, before: Sight, after: Sight) -> Plan:
    """Return the plan with other identities.

    Accounts report as those of their principal did, in turn, and hold equal parts; what was said
    of own miners is said of all of them equally.

    Parameters
    ----------
    plan : Plan
    structure : Structure
        The new one.
    before, after : Sight
        What is seen in the plan's structure and in the new one.
    """
    rows = _successors(before.principals, after.principals)
    miners = after.order.size
    share = 1 / np.bincount(after.principals)[after.principals]
    same = structure.parts == plan.structure.parts
    return replace(
        plan,
        structure=structure,
        share=plan.share if same else share,
        weights=_reports(plan.weights[:, rows], before.own, after.own, miners),
        votes=_fitted(plan.votes, rows, miners),
        orders=None if plan.orders is None else _columns(plan.orders, miners),
        flows=_fitted(plan.flows, rows, miners),
        tenure=None if plan.tenure is None else plan.tenure[rows],
    )


def _successors(before: IntArray, after: IntArray) -> IntArray:
    """Return for each account the one of the same principal, before, whom it follows."""
    followed = np.empty(after.size, np.int64)
    for principal in np.unique(after):
        old, new = np.flatnonzero(before == principal), np.flatnonzero(after == principal)
        followed[new] = np.resize(old, new.size)
    return followed


def _reports(said: FloatArray, before: IntArray, after: IntArray, miners: int) -> FloatArray:
    fitted = _columns(said, miners)
    if after.size:
        fitted[..., after] = said[..., before].sum(axis=-1, keepdims=True) / after.size
    return fitted


def _fitted(acts: AnyArray | None, rows: IntArray, miners: int) -> AnyArray | None:
    return None if acts is None else _columns(acts[rows], miners)


def _columns(array: AnyArray, miners: int) -> AnyArray:
    """Return an array with as many miners; identities are appended, so the first are the same."""
    kept = min(array.shape[-1], miners)
    fitted = np.zeros((*array.shape[:-1], miners), array.dtype)
    fitted[..., :kept] = array[..., :kept]
    return fitted
