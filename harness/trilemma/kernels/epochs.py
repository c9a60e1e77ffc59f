"""Whole epochs of Yuma in one pass over the weights.

A play is a row of epochs, each of which starts from the bonds that the last one left. Its columns
do not need each other until the very end, so a tile of miners goes through all epochs before the
next tile does: its bonds stay in the cache, and each weight is read once.

`trilemma.kernels.yuma` says the same step by step, for explanation and for the chain's arithmetic.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy.typing as npt

from trilemma.kernels.arithmetic import FLUSH, exponential, flushed, scaled
from trilemma.kernels.tiles import (
    LANES,
    STEP,
    bracket,
    compiled,
    inlined,
    pack,
    part,
    scratch,
    search,
    zeros,
)

__all__ = ["Outcome", "Settings", "plays"]

Numbers: TypeAlias = npt.NDArray[Any]

PART = LANES // 4  # running sums a row: a fixed order of additions that is a loop without carries


class Settings(NamedTuple):
    """The numbers of the rule, as `trilemma_mechanisms.yuma.Yuma` explains them.

    `beta` is the bonds' penalty, `alpha` the weight of new bonds.
    """

    version: int
    beta: float
    alpha: float
    liquid: bool
    low: float
    high: float
    steepness: float


class Outcome(NamedTuple):
    """What p plays of t epochs come to: n validators, m miners.

    Parameters
    ----------
    consensus, incentive : ndarray, shape (p, t, m)
    dividends : ndarray, shape (p, t, n)
    bonds : ndarray, shape (p, n, m) or (0, n, m)
        After the last epoch, unless nobody asks. Rows of who neither counts nor held any before
        are left as they are.
    """

    consensus: Numbers
    incentive: Numbers
    dividends: Numbers
    bonds: Numbers


@compiled
def plays(
    weights: Numbers,
    share: Numbers,
    units: Numbers,
    needed: Numbers,
    prior: Numbers,
    guess: Numbers,
    settings: Settings,
    first: int,
    last: int,
    outcome: Outcome,
) -> None:
    """Compute the plays `first` to `last`, the last one excluded.

    Parameters
    ----------
    weights : ndarray of float64 or float32, shape (1 or p, t, n, m)
        Not negative, C-contiguous. One play's may serve all.
    share : ndarray, shape (1 or p, t, n)
        Of all that counts; a row without is not heard.
    units : ndarray of int64 (int32 where weights are float32), shape (1 or p, t, n)
        The same stakes from `stake_units`.
    needed : ndarray, of the kind of units, shape (1 or p, t)
        From `needed_support`.
    prior : ndarray, shape (p, n, m) or (0, n, m)
        Bonds before the first epoch; none: a fresh start.
    guess : ndarray, shape (m,) or (0,)
        A consensus to start the search from; none: every search starts cold.
    settings : Settings
    outcome : Outcome
        Written to.
    """
    one_network, one_stake = weights.shape[0] == 1, share.shape[0] == 1
    start = guess
    for play in range(first, last):
        network, holders = 0 if one_network else play, 0 if one_stake else play
        held, kept = prior[play : play + 1], outcome.bonds[play : play + 1]  # or none
        _play(
            weights[network], share[holders], units[holders], needed[holders], held, start,
            settings, outcome.consensus[play], outcome.incentive[play],
            outcome.dividends[play], kept,
        )  # fmt: skip
        if one_network and guess.size:
            start = outcome.consensus[play, 0]


@inlined
def _play(
    weights: Numbers,
    share: Numbers,
    units: Numbers,
    needed: Numbers,
    prior: Numbers,
    guess: Numbers,
    settings: Settings,
    consensus: Numbers,
    incentive: Numbers,
    dividends: Numbers,
    bonds: Numbers,
) -> None:
    epochs, _, miners = weights.shape
    rows = _rows(share, units, prior)
    for epoch in range(epochs):
        _clear(incentive[epoch])
        _clear(consensus[epoch])
        _clear(dividends[epoch])
    if rows.size == 0:
        return
    shares, stakes = _picked(share, rows), _picked(units, rows)
    flat = zeros(1, epochs, units)[0]  # where liquid alpha has nothing to go by
    redo = True
    while redo:
        earned = zeros(epochs, shares.shape[1], share)
        for first in range(0, miners, LANES):
            _tile(
                weights, shares, stakes, needed, rows, prior, guess, settings, flat, first,
                consensus, incentive, earned, bonds,
            )  # fmt: skip
        redo = False
        for epoch in range(epochs):
            silent = settings.liquid and not _any(consensus[epoch])
            redo |= silent and not flat[epoch]
            flat[epoch] = silent
    for epoch in range(epochs):
        for row in range(rows.size):
            dividends[epoch, rows[row]] = earned[epoch, row]
        _scale(dividends[epoch])
        _scale(incentive[epoch])


@inlined
def _tile(
    weights: Numbers,
    shares: Numbers,
    stakes: Numbers,
    needed: Numbers,
    rows: Numbers,
    prior: Numbers,
    guess: Numbers,
    settings: Settings,
    flat: Numbers,
    first: int,
    consensus: Numbers,
    incentive: Numbers,
    earned: Numbers,
    bonds: Numbers,
) -> None:
    """Take one tile of miners through all epochs of a play."""
    places = shares.shape[1]
    keys = weights.view(stakes.dtype)
    span = min(LANES, weights.shape[2] - first)
    width = -(-span // 16) * 16  # lanes beyond the span hold zeros
    tile = zeros(1, places * LANES, stakes)[0]
    said = tile.view(weights.dtype)
    held = zeros(1, places * LANES, shares)[0]
    lanes, ranks = zeros(3, width, stakes), zeros(4, LANES, shares)
    low, high, last = lanes[0], lanes[1], lanes[2, : width if guess.size else 0]
    agreed = low.view(weights.dtype)
    rank, per = ranks[0, :width], ranks[1]
    sums = zeros(1, places * PART, shares)[0]
    work = scratch(width, stakes)
    if guess.size:
        _copy(guess[first : first + span], last.view(weights.dtype))
    _load(prior, rows, first, span, held)
    for epoch in range(weights.shape[0]):
        share = shares[epoch]
        pack(keys[epoch], rows, share, first, span, tile)
        bracket(tile, low, high)
        spare = stakes.dtype.type(_total(stakes[epoch]) - needed[epoch])
        search(tile, stakes[epoch], spare, low, high, last, work)
        _clear(said[rows.size * LANES :])
        _clip_and_rank(said, agreed, share, settings.beta, rank)
        if settings.version == 2:
            _bind_2(said, held, share, settings.alpha, width, ranks[1:])
            _copy(rank, per)
        else:
            if settings.liquid and not flat[epoch]:
                _bind_liquid(said, held, agreed, settings)
            else:
                _bind_3(said, held, settings.alpha)
            _per_bond(held, rank, per)
        _copy(agreed[:span], consensus[epoch, first : first + span])
        _copy(rank[:span], incentive[epoch, first : first + span])
        _dot_rows(held, per, min(width, PART), sums)
        _pay_rows(sums, share, settings.version == 3, earned[epoch])
        if guess.size:
            _copy(low, last)
    _store(held, rows, first, span, bonds)


@part
def _rows(share: Numbers, units: Numbers, prior: Numbers) -> Numbers:
    """Return who is heard in any epoch, or holds bonds."""
    rows, found = zeros(1, share.shape[1], units)[0], 0
    for row in range(rows.size):
        rows[found] = row
        found += _any(share[:, row]) or (prior.shape[0] > 0 and _any(prior[0, row]))
    alive: Numbers = rows[:found]
    return alive


@part
def _picked(amounts: Numbers, rows: Numbers) -> Numbers:
    """Return the columns (t, places) of these rows, with zeros up to a whole number of steps."""
    picked = zeros(amounts.shape[0], -(-rows.size // STEP) * STEP, amounts)
    for row in range(rows.size):
        for epoch in range(amounts.shape[0]):
            picked[epoch, row] = amounts[epoch, rows[row]]
    return picked


@part
def _load(prior: Numbers, rows: Numbers, first: int, span: int, held: Numbers) -> None:
    if prior.shape[0]:
        for row in range(rows.size):
            _copy(prior[0, rows[row], first : first + span], held[row * LANES :])


@part
def _store(held: Numbers, rows: Numbers, first: int, span: int, bonds: Numbers) -> None:
    if bonds.shape[0]:
        for row in range(rows.size):
            place = row * LANES
            _copy(held[place : place + span], bonds[0, rows[row], first : first + span])


@part
def _clip_and_rank(
    said: Numbers, agreed: Numbers, share: Numbers, beta: float, rank: Numbers
) -> None:
    """Add up clipped weights; leave in the tile what bonds follow."""
    part, whole = said.dtype.type(beta), beta == 1.0
    _clear(rank)
    for row in range(0, share.size, 2):
        lanes = said[row * LANES : (row + 2) * LANES]
        left, right = share[row], share[row + 1]
        for lane in range(rank.size):
            top = agreed[lane]
            a, b = lanes[lane], lanes[lane + LANES]
            cut_a, cut_b = min(a, top), min(b, top)
            rank[lane] += left * cut_a + right * cut_b
            lanes[lane] = cut_a if whole else a + part * (cut_a - a)
            lanes[lane + LANES] = cut_b if whole else b + part * (cut_b - b)


@part
def _bind_3(target: Numbers, held: Numbers, alpha: float) -> None:
    fresh, unit = held.dtype.type(alpha), held.dtype.type(1)
    rest = unit - fresh
    flush, none = held.dtype.type(FLUSH), held.dtype.type(0)
    for lane in range(held.size):
        bond = min(unit, rest * held[lane] + fresh * target[lane])
        held[lane] = bond if bond >= flush else none


@part
def _bind_liquid(target: Numbers, held: Numbers, agreed: Numbers, settings: Settings) -> None:
    """As `trilemma.kernels.yuma.liquid_alpha` and `bonds_version_3`."""
    kind = held.dtype.type
    unit, half, none = kind(1), kind(0.5), kind(0)
    low, high, steepness = kind(settings.low), kind(settings.high), kind(settings.steepness)
    for row in range(held.size // LANES):
        wanted = target[row * LANES : (row + 1) * LANES]
        before = held[row * LANES : (row + 1) * LANES]
        for lane in range(agreed.size):
            want, have = wanted[lane], before[lane]
            away = want - agreed[lane] if want >= have else have - want
            steep = -steepness * (min(max(away, none), unit) - half)
            speed = min(max(low + (high - low) / (unit + exponential(steep)), low), high)
            before[lane] = flushed(min(unit, (unit - speed) * have + speed * want))


@part
def _bind_2(
    target: Numbers, held: Numbers, share: Numbers, alpha: float, lanes: int, sums: Numbers
) -> None:
    kind = held.dtype.type
    fresh, rest = kind(alpha), kind(1) - kind(alpha)
    had, bought, mixed = sums[0], sums[1], sums[2]
    for place in range(3):
        _clear(sums[place])
    for row in range(share.size):
        wanted = target[row * LANES : (row + 1) * LANES]
        before = held[row * LANES : (row + 1) * LANES]
        stake = share[row]
        for lane in range(lanes):
            wanted[lane] = stake * wanted[lane]
            bought[lane] += wanted[lane]
            had[lane] += before[lane]
    for row in range(share.size):
        wanted = target[row * LANES : (row + 1) * LANES]
        before = held[row * LANES : (row + 1) * LANES]
        for lane in range(lanes):
            old = rest * scaled(before[lane], had[lane])
            before[lane] = fresh * scaled(wanted[lane], bought[lane]) + old
            mixed[lane] += before[lane]
    for row in range(share.size):
        before = held[row * LANES : (row + 1) * LANES]
        for lane in range(lanes):
            before[lane] = flushed(scaled(before[lane], mixed[lane]))


@part
def _per_bond(held: Numbers, rank: Numbers, per: Numbers) -> None:
    """Return what a bond in each miner earns: its rank over all bonds in it."""
    _clear(per)
    for row in range(0, held.size // LANES, 4):
        lanes = held[row * LANES : (row + 4) * LANES]
        for lane in range(rank.size):
            left = lanes[lane] + lanes[lane + LANES]
            per[lane] += left + (lanes[lane + 2 * LANES] + lanes[lane + 3 * LANES])
    for lane in range(rank.size):
        per[lane] = scaled(rank[lane], per[lane])


@part
def _dot_rows(held: Numbers, per: Numbers, part: int, sums: Numbers) -> None:
    """Multiply every row by `per` and add it up to a quarter of the lanes."""
    for row in range(0, held.size // LANES, 2):
        lanes = held[row * LANES : (row + 2) * LANES]
        into = sums[row * PART : (row + 2) * PART]
        for lane in range(part):
            p, q = per[lane], per[lane + PART]
            r, s = per[lane + 2 * PART], per[lane + 3 * PART]
            a = lanes[lane] * p + lanes[lane + PART] * q
            b = lanes[lane + 2 * PART] * r + lanes[lane + 3 * PART] * s
            c = lanes[lane + LANES] * p + lanes[lane + LANES + PART] * q
            d = lanes[lane + LANES + 2 * PART] * r + lanes[lane + LANES + 3 * PART] * s
            into[lane], into[lane + PART] = a + b, c + d


@part
def _pay_rows(sums: Numbers, share: Numbers, by_stake: bool, earned: Numbers) -> None:
    """Add up the rest, in eight running sums."""
    unit = share.dtype.type(1)
    for row in range(share.size):
        part = sums[row * PART : (row + 1) * PART]
        a = b = c = d = e = f = g = h = 0 * unit
        for lane in range(0, PART, 8):
            a, b = a + part[lane], b + part[lane + 1]
            c, d = c + part[lane + 2], d + part[lane + 3]
            e, f = e + part[lane + 4], f + part[lane + 5]
            g, h = g + part[lane + 6], h + part[lane + 7]
        total = ((a + b) + (c + d)) + ((e + f) + (g + h))
        earned[row] += (share[row] if by_stake else unit) * total


@part
def _clear(amounts: Numbers) -> None:
    for place in range(amounts.size):
        amounts[place] = 0


@part
def _copy(source: Numbers, target: Numbers) -> None:
    for place in range(source.size):
        target[place] = source[place]


@part
def _scale(amounts: Numbers) -> None:
    total = _total(amounts)
    if total > 0:
        for place in range(amounts.size):
            amounts[place] /= total


@inlined
def _total(amounts: Numbers) -> Any:
    """Return the sum, from first to last; `sum` takes 0.15 s more to compile."""
    total = amounts.dtype.type(0)
    for place in range(amounts.size):
        total += amounts[place]
    return total


@inlined
def _any(amounts: Numbers) -> bool:
    """Tell whether something is above 0."""
    for place in range(amounts.size):  # noqa: SIM110 - kernels have no generators
        if amounts[place] > 0:
            return True
    return False
