"""Whole epochs of Yuma on sparse weights, column by column.

A column is read once: its consensus, its rank, its bonds and what they earn follow from each other
while its entries are in the cache. Sums over columns are made by part, in an order that the data
decide, so that every machine and any number of threads compute the same bits.

Floats that are not negative are ordered like the integers with the same bits. So the consensus is
searched among integers, and support is summed in integers: rounding decides neither order nor ties.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from trilemma.kernels.arithmetic import exponential, flushed, scaled
from trilemma.kernels.lanes import LIFT, Settings
from trilemma.kernels.sparse import Columns
from trilemma.kernels.tiles import compiled, inlined

__all__ = ["Stake", "forget", "stake_of", "version_2", "version_3"]

Numbers: TypeAlias = npt.NDArray[Any]
FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
Bar: TypeAlias = tuple[int, int, int, int]
Scratch: TypeAlias = tuple[Numbers, Numbers, Numbers, Numbers]

SHORT_BITS = 30  # of the total of stake in steps, so that no sum of them leaves int32
BLOCK = 64  # longer columns are padded to multiples of it: remainders of vectors took 12 % longer


class Stake(NamedTuple):
    """Stake as the search wants it; arrays are (n,).

    Parameters
    ----------
    units : ndarray of int64
        From `stake_units`.
    steps : ndarray of int64, or of int32 where weights are float32
        Units in larger steps, rounded down. What they leave in doubt, units decide.
    share : ndarray
        Of all that counts; -1 for who is not heard.
    needed : int
        The support that is enough, in units, at least 1.
    enough, scarce : int
        The same in steps, rounded up and down.
    doubt : int
        By how many steps one entry may be off: 0 or 1.
    """

    units: IntArray
    steps: Numbers
    share: FloatArray
    needed: int
    enough: int
    scarce: int
    doubt: int


def stake_of(units: IntArray, share: FloatArray, needed: int, weights: Numbers) -> Stake:
    """Return stake for a search among weights of some kind."""
    short = weights.dtype == np.float32
    shift = max(0, int(units.sum()).bit_length() - SHORT_BITS) if short else 0
    steps = (units >> shift).astype(np.int32 if short else np.int64)
    enough = needed + (1 << shift) - 1 >> shift
    return Stake(units, steps, share, needed, enough, needed >> shift, int(shift > 0))


@compiled
def _support(start: int, end: int, rows: Numbers, keys: Numbers, units: IntArray, key: Any) -> int:
    """Return the units of who reports at least so much."""
    total = 0
    for entry in range(start, end):
        if keys[entry] >= key:
            total += units[rows[entry]]
    return total


@inlined
def _consensus(
    start: int, end: int, rows: Numbers, keys: Numbers, units: IntArray, steps: Numbers, bar: Bar,
    held: Numbers, said: Numbers,
) -> Any:  # fmt: skip
    """Return the largest key of a column that enough stake reaches or exceeds, or 0.

    Closes a bracket, low <= consensus <= high, by halving it. Differences to a probe wrap around:
    the least is that of the next key at or above, the largest that of the one below.
    """
    # The two looks at support as one function take twice as long: it would get every array.
    key, unit = keys.dtype.type, held.dtype.type
    one, size, total = key(1), end - start, unit(0)
    needed, enough, scarce, doubt = bar
    slack = doubt * size
    for entry in range(size):
        held[entry] = steps[rows[start + entry]]
        total = unit(total + held[entry])
    if total < enough and (
        total + slack <= scarce or _support(start, end, rows, keys, units, key(0)) < needed
    ):
        return key(0)
    low, high = keys[start], keys[start]
    for entry in range(size):
        said[entry] = keys[start + entry]
        low, high = min(low, said[entry]), max(high, said[entry])
    if size > BLOCK:
        size = _padded(size, held, said)
    while low < high:
        gap = key(high - low)
        probe = key(low + key(gap >> one) + key(gap & one))
        seen, above, below = unit(0), key(key(0) - one), key(0)
        for entry in range(size):
            away = key(said[entry] - probe)
            seen = unit(seen + (held[entry] if said[entry] >= probe else unit(0)))
            above, below = min(above, away), max(below, away)
        if seen >= enough or (
            seen + slack > scarce and _support(start, end, rows, keys, units, probe) >= needed
        ):
            low = key(probe + above)
        else:
            high = key(probe + below)
    return low


@inlined
def _padded(size: int, held: Numbers, said: Numbers) -> int:
    """Fill up the last block with zeros that nobody with stake reports."""
    whole = -(-size // BLOCK) * BLOCK
    for entry in range(size, whole):
        held[entry], said[entry] = 0, 0
    return whole


@compiled
def _scratch(weights: Columns, keys: Numbers, steps: Numbers, first: int, last: int) -> Scratch:
    """Return space for a column's stake and keys, and a key beside the number whose bits it is."""
    size = 0
    for column in range(first, last):
        size = max(size, weights.indptr[column + 1] - weights.indptr[column])
    key = np.empty(1, keys.dtype)
    held, said = np.empty(size + BLOCK, steps.dtype), np.empty(size + BLOCK, keys.dtype)
    return held, said, key, key.view(weights.values.dtype)


@compiled
def _target(weight: Any, clipped: Any, beta: float) -> Any:
    """Return what a bond follows."""
    return clipped if beta == 1.0 else weight + beta * (clipped - weight)


@compiled
def _speed(target: Any, old: Any, agreed: Any, settings: Settings) -> Any:
    """Return the weight of a new bond, as `trilemma.kernels.yuma.liquid_alpha` defines it."""
    low, high = settings.low, settings.high
    away = target - agreed if target >= old else old - target
    steep = -settings.steepness * (min(max(away, 0.0), 1.0) - 0.5)
    sigmoid = 1.0 / (1.0 + exponential(steep))
    return min(max(low + sigmoid * (high - low), low), high)


@compiled
def _fade(start: int, end: int, prior: Numbers, rest: float, bonds: Numbers) -> None:
    """Keep this part of old bonds."""
    if prior.size == 0:
        for entry in range(start, end):
            bonds[entry] = 0
    else:
        for entry in range(start, end):
            bonds[entry] = flushed(min(1.0, rest * np.float64(prior[entry])))


@compiled
def version_3(
    weights: Columns, keys: Numbers, prior: Numbers, stake: Stake, alpha: float,
    settings: Settings | None, first: int, last: int,
    bonds: Numbers, ranks: FloatArray, earned: FloatArray,
) -> bool:  # fmt: skip
    """Compute an epoch where bonds follow weights, for the columns `first` to `last` (excluded).

    Parameters
    ----------
    weights : Columns
    keys : ndarray of uint32 or uint64, shape (k,)
        The bits of its values.
    prior : ndarray, shape (k,) or (0,)
        The bonds returned last time, in the places of the weights; none: zeros.
    stake : Stake
    alpha : float
        Weight of new bonds.
    settings : Settings, optional
        None: bonds follow clipped weights, all at one speed. To compile that alone saves 10 %.
    bonds : ndarray, shape (k,)
        Written to.
    ranks : ndarray, shape (m,)
        Written to: the stake-weighted sums of clipped weights.
    earned : ndarray, shape (n,)
        Added to: dividends by share of stake, in any unit.

    Returns
    -------
    bool
        Whether there is a consensus on anything.
    """
    indptr, rows, values = weights
    units, steps, shares, needed, enough, scarce, doubt = stake
    bar = needed, enough, scarce, doubt
    held, said, key, number = _scratch(weights, keys, steps, first, last)
    stored, some, fresh = bonds.dtype.type, False, prior.size == 0
    for column in range(first, last):
        start, end = indptr[column], indptr[column + 1]
        key[0] = _consensus(start, end, rows, keys, units, steps, bar, held, said)
        agreed = np.float64(number[0])
        if settings is None and agreed == 0:  # all is clipped to 0; a third of the time
            ranks[column] = 0
            _fade(start, end, prior, 1.0 - alpha, bonds)
            continue
        some = some or bool(agreed > 0)
        rank = total = 0.0
        for entry in range(start, end):
            share = shares[rows[entry]]
            weight = np.float64(values[entry]) if share >= 0 else 0.0
            clipped = min(weight, agreed)
            rank += share * clipped
            old = 0.0 if fresh else np.float64(prior[entry])
            target, speed = clipped, alpha
            if settings is not None:
                target = _target(weight, clipped, settings.beta)
                if settings.liquid:
                    speed = _speed(target, old, agreed, settings)
            bond = stored(flushed(min(1.0, (1.0 - speed) * old + speed * target)))
            bonds[entry] = bond
            total += bond
        ranks[column] = rank
        if rank > 0 and total > 0:
            worth = LIFT * rank / total
            for entry in range(start, end):
                earned[rows[entry]] += bonds[entry] * worth
    return some


@compiled
def version_2(
    weights: Columns, keys: Numbers, prior: Numbers, stake: Stake, alpha: float,
    settings: Settings | None, first: int, last: int,
    bonds: Numbers, ranks: FloatArray, earned: FloatArray,
) -> bool:  # fmt: skip
    """Compute an epoch where bonds are shares of a miner, bought with stake.

    Parameters and result are those of `version_3`; dividends are what is `earned` already.
    """
    indptr, rows, values = weights
    units, steps, shares, needed, enough, scarce, doubt = stake
    bar = needed, enough, scarce, doubt
    held, said, key, number = _scratch(weights, keys, steps, first, last)
    mixed, some, fresh = np.empty(held.size), False, prior.size == 0
    for column in range(first, last):
        start, end = indptr[column], indptr[column + 1]
        key[0] = _consensus(start, end, rows, keys, units, steps, bar, held, said)
        agreed = np.float64(number[0])
        some = some or bool(agreed > 0)
        rank = bought = owned = total = 0.0
        for entry in range(start, end):
            share = shares[rows[entry]]
            weight = np.float64(values[entry]) if share >= 0 else 0.0
            clipped = min(weight, agreed)
            rank += share * clipped
            target = clipped
            if settings is not None:
                target = _target(weight, clipped, settings.beta)
            now = share * target
            mixed[entry - start] = now
            bought += now
            owned += 0.0 if fresh else np.float64(prior[entry])
        new, rest = scaled(alpha, bought), scaled(1.0 - alpha, owned)
        for entry in range(start, end):
            old = 0.0 if fresh else np.float64(prior[entry])
            mixed[entry - start] = new * mixed[entry - start] + rest * old
            total += mixed[entry - start]
        ranks[column] = rank
        part, worth = scaled(1.0, total), LIFT * rank
        for entry in range(start, end):
            bonds[entry] = flushed(part * mixed[entry - start])
            earned[rows[entry]] += bonds[entry] * worth
    return some


@compiled
def forget(
    indptr: IntArray, rows: Numbers, kept: Numbers, first: int, last: int, bonds: Numbers
) -> None:
    """Delete the bonds (k,) of rows that are not kept (n,)."""
    for entry in range(indptr[first], indptr[last]):
        if not kept[rows[entry]]:
            bonds[entry] = 0
