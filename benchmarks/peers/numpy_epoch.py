"""Epochs of version 3 in plain numpy, as fast as we could make them."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["FLUSH", "Answer", "argsort_consensus", "epochs", "packed_consensus"]

Numbers: TypeAlias = npt.NDArray[Any]

FLUSH = 1e-30


class Answer(NamedTuple):
    """What t epochs come to; shapes (t, m), (t, m), (t, n) and, after the last, (n, m)."""

    consensus: Numbers
    incentive: Numbers
    dividends: Numbers
    bonds: Numbers


def argsort_consensus(weights: Numbers, units: Numbers, spare: int) -> Numbers:
    """Return the consensus (m,): the first report, from the least, with more than `spare` below."""
    columns = np.ascontiguousarray(weights.T)
    order = columns.argsort(axis=1)
    below = np.cumsum(units[order], axis=1)
    place = np.count_nonzero(below <= spare, axis=1)
    miners = np.arange(len(columns))
    return np.asarray(columns[miners, order[miners, place]])


def packed_consensus(weights: Numbers, units: Numbers, spare: int) -> Numbers:
    """Do the same for float32: weight and stake in 64 bits, sorted as one integer.

    On processors with AVX-512 numpy sorts those faster than it finds the order of floats.
    """
    pairs = np.empty((*weights.T.shape, 2), np.uint32)
    pairs[..., 0], pairs[..., 1] = units, weights.T.view(np.uint32)
    pairs.view(np.uint64)[..., 0].sort(axis=1)
    below = np.cumsum(pairs[..., 0], axis=1, dtype=np.uint32)
    place = np.count_nonzero(below <= spare, axis=1)
    return np.asarray(pairs[np.arange(len(pairs)), place, 1].view(np.float32))


def epochs(
    weights: Numbers, share: Numbers, units: Numbers, needed: int, alpha: float, packed: bool
) -> Answer:
    """Return what epochs come to, from a fresh start.

    Parameters
    ----------
    weights : ndarray of float32 or float64, shape (t, n, m)
    share : ndarray, shape (n,)
        Stake shares; everybody has some.
    units : ndarray of int, shape (n,)
        The same stakes from `stake_units`.
    needed : int
        From `needed_support`.
    alpha : float
        Weight of new bonds.
    packed : bool
        How to find the consensus; only float32 can be packed.
    """
    find = packed_consensus if packed else argsort_consensus
    spare = int(units.sum(dtype=np.int64)) - needed
    held = np.zeros(weights.shape[1:], weights.dtype)
    rows: list[tuple[Numbers, Numbers, Numbers]] = []
    for said in weights:
        agreed = find(said, units, spare)
        clipped = np.minimum(said, agreed)
        rank = share @ clipped
        rows.append((agreed, scaled(rank), _dividends(held, clipped, rank, share, alpha)))
    agreed, incentive, dividends = (np.stack(part) for part in zip(*rows, strict=True))
    return Answer(agreed, incentive, dividends, held)


def _dividends(
    held: Numbers, clipped: Numbers, rank: Numbers, share: Numbers, alpha: float
) -> Numbers:
    """Move the bonds that are held, in place, and return what they earn."""
    clipped *= alpha
    held *= 1 - alpha
    held += clipped
    np.minimum(held, 1, out=held)
    held[held < FLUSH] = 0
    total = held.sum(axis=0)
    return scaled(share * (held @ (rank / np.where(total > 0, total, 1))))


def scaled(amounts: Numbers) -> Numbers:
    """Return amounts scaled to sum 1, or zeros."""
    total = amounts.sum()
    return np.asarray(amounts / total) if total > 0 else amounts
