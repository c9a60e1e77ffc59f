"""What a few attackers' weights, a candidate, come to on a shared base.

The consensus is that of `consensus`, exactly. Sums are those of `clip_and_rank`, `bonds_version_2`
and `bonds_version_3`, but for rounding: over the honest they are read from the base. The order in
which things are added up is the same on every machine.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from trilemma.kernels.arithmetic import FLUSH, flushed, scaled
from trilemma.kernels.shared_base import Records, SharedBase, compiled
from trilemma.kernels.yuma import normalised

__all__ = ["Earned", "consensus_on_base", "earned_on_base"]

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]


class Earned(NamedTuple):
    """What a candidate's rows come to.

    Parameters
    ----------
    incentive : ndarray, shape (m,)
        Ranks that sum to 1, or zeros.
    dividends : ndarray, shape (q,)
        The attackers' part of all dividends.
    doubt : float
        Honest bonds below FLUSH count as none in an epoch and are in the sums here. For each of
        the validators dividends may be off by so much of all dividends.
    """

    incentive: FloatArray
    dividends: FloatArray
    doubt: float


def consensus_on_base(base: SharedBase, said: FloatArray) -> FloatArray:
    """Return what `consensus` does once the attackers have said this.

    Parameters
    ----------
    base : SharedBase
    said : ndarray, shape (q, m)
        The attackers' weights; finite, not negative.

    Returns
    -------
    ndarray, shape (m,)
    """
    agreed, _ = _agree(base.places, base.first, base.units, base.needed, _own(said))
    return agreed


def earned_on_base(
    base: SharedBase, said: FloatArray, version: int, beta: float, alpha: float
) -> Earned:
    """Return what miners and attackers earn once the attackers have said this.

    Parameters
    ----------
    base : SharedBase
        For version 3 with honest weights and bonds of at most 1.
    said : ndarray, shape (q, m)
        The attackers' weights.
    version : {2, 3}
        Of the bonds.
    beta : float
        How much of the clipping binds bonds, as in `interpolated`.
    alpha : float
        Weight of this epoch in the bonds' moving average.

    Returns
    -------
    Earned
    """
    said = _own(said)
    agreed, found = _agree(base.places, base.first, base.units, base.needed, said)
    kept = _clip(base.places, base.first, base.columns, agreed, found)
    incentive = _incentive(kept[1], said, agreed, base.share)
    earn = _earn_version_2 if version == 2 else _earn_version_3
    held = base.columns, base.prior, base.share
    dividends, doubt = earn(said, agreed, incentive, *kept, *held, beta, alpha)
    return Earned(incentive, dividends, doubt)


def _own(said: FloatArray) -> FloatArray:
    """Return a copy that can be written to: numba compiles read-only arrays once more."""
    return np.array(said, np.float64, order="C")


@compiled
def _agree(
    places: Records, first: IntArray, units: IntArray, needed: int, said: FloatArray
) -> tuple[FloatArray, IntArray]:
    """Return the consensus, and the first place of each column that is not above it.

    The largest honest weight with enough support is found first. An attacker's own weight above
    it may have enough too: that of those before the place, and of attackers who say as much.
    """
    miners = said.shape[1]
    agreed, found = np.empty(miners), np.empty(miners, np.int64)
    for j in range(miners):
        low, high = first[j], first[j + 1] - 1
        while low < high:
            middle = (low + high) >> 1
            weight, support = places[middle].weight, places[middle + 1].units
            for a in range(units.size):
                if said[a, j] >= weight:
                    support += units[a]
            if support >= needed:
                high = middle
            else:
                low = middle + 1
        best = places[low].weight
        for a in range(units.size):
            weight, support = said[a, j], places[low].units
            if weight > best:
                for b in range(units.size):
                    if said[b, j] >= weight:
                        support += units[b]
                if support >= needed:
                    best = weight
        agreed[j], found[j] = best, low
    return agreed, found


@compiled
def _clip(
    places: Records, first: IntArray, columns: Records, agreed: FloatArray, found: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return sums over the honest of what the consensus leaves, and of share times that."""
    miners = agreed.size
    reported, supported = np.empty(miners), np.empty(miners)
    for j in range(miners):
        place = places[found[j]]
        above = columns[j].above + (found[j] - first[j])
        reported[j] = agreed[j] * above + place.reported
        supported[j] = agreed[j] * place.share + place.supported
    return reported, supported


@compiled
def _incentive(
    supported: FloatArray, said: FloatArray, agreed: FloatArray, share: FloatArray
) -> FloatArray:
    ranks = supported.copy()
    for a in range(share.size):
        for j in range(ranks.size):
            ranks[j] += share[a] * min(said[a, j], agreed[j])
    return normalised(ranks)


@compiled
def _bound(whole: float, clipped: float, beta: float) -> float:
    """Return whole + beta * (clipped - whole), which would lose digits if computed so."""
    return (1.0 - beta) * whole + beta * clipped


@compiled
def _whole(total: float) -> float:
    """Return what a column sums to once it is scaled."""
    return 1.0 if total >= FLUSH else 0.0


@compiled
def _earn_version_2(
    said: FloatArray,
    agreed: FloatArray,
    incentive: FloatArray,
    _: FloatArray,
    supported: FloatArray,
    columns: Records,
    prior: FloatArray,
    share: FloatArray,
    beta: float,
    alpha: float,
) -> tuple[FloatArray, float]:
    """Return the attackers' part of all dividends: columns sum to 1, so the whole is known."""
    earned, everything, rest = np.zeros(share.size), 0.0, 1.0 - alpha
    for j in range(incentive.size):
        bought, held = _bound(columns[j].supported, supported[j], beta), columns[j].held
        for a in range(share.size):
            bought += share[a] * _bound(said[a, j], min(said[a, j], agreed[j]), beta)
            held += prior[a, j]
        mixed = alpha * _whole(bought) + rest * _whole(held)
        everything += incentive[j] * _whole(mixed)
        for a in range(share.size):
            new = share[a] * _bound(said[a, j], min(said[a, j], agreed[j]), beta)
            bond = alpha * scaled(new, bought) + rest * scaled(prior[a, j], held)
            earned[a] += flushed(scaled(bond, mixed)) * incentive[j]
    return _shares(earned, everything), 0.0


@compiled
def _earn_version_3(
    said: FloatArray,
    agreed: FloatArray,
    incentive: FloatArray,
    reported: FloatArray,
    supported: FloatArray,
    columns: Records,
    prior: FloatArray,
    share: FloatArray,
    beta: float,
    alpha: float,
) -> tuple[FloatArray, float]:
    """Return the attackers' part of all dividends, and by how much it may be off."""
    earned, bonds = np.zeros(share.size), np.empty(share.size)
    everything, doubt, rest = 0.0, 0.0, 1.0 - alpha
    for j in range(incentive.size):
        column = columns[j]
        total = rest * column.held + alpha * _bound(column.reported, reported[j], beta)
        staked = rest * column.staked + alpha * _bound(column.supported, supported[j], beta)
        for a in range(share.size):
            wanted = _bound(said[a, j], min(said[a, j], agreed[j]), beta)
            bonds[a] = flushed(min(1.0, rest * prior[a, j] + alpha * wanted))
            total += bonds[a]
            staked += share[a] * bonds[a]
        each = scaled(incentive[j], total)
        everything += each * staked
        doubt += incentive[j] / total if staked > 0 else 0.0
        for a in range(share.size):
            earned[a] += each * share[a] * bonds[a]
    return _shares(earned, everything), doubt * FLUSH / everything if doubt > 0 else 0.0


@compiled
def _shares(earned: FloatArray, everything: float) -> FloatArray:
    for a in range(earned.size):
        earned[a] = earned[a] / everything if everything > 0 else 0.0
    return earned
