"""Whole epochs of Yuma in one pass over the weights.

A play is a row of epochs, each of which starts from the bonds that the last one left. Its columns
do not need each other until the very end, so a tile of miners goes through all epochs before the
next tile does: its bonds stay in the cache, and each weight is read once.

`trilemma.kernels.yuma` says the same step by step, for explanation and for the chain's arithmetic.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy.typing as npt

from trilemma.kernels.bounds import scratch, search
from trilemma.kernels.lanes import (
    PART,
    Settings,
    bind_2,
    bind_liquid,
    clear,
    clip_and_bind,
    clip_and_rank,
    copy,
    dot_rows,
    lift,
    pay_rows,
    per_bond,
)
from trilemma.kernels.tiles import (
    LANES,
    STEP,
    compiled,
    inlined,
    inner,
    pack,
    total,
    zeros,
)

__all__ = ["Outcome", "Settings", "plays"]

Numbers: TypeAlias = npt.NDArray[Any]


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
        clear(incentive[epoch])
        clear(consensus[epoch])
        clear(dividends[epoch])
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
    lanes, ranks = zeros(2, width, stakes), zeros(1, 4 * LANES, shares)[0]
    found, last = lanes[0], lanes[1, : width if guess.size else 0]
    agreed = found.view(weights.dtype)
    rank, per = ranks[:width], ranks[LANES : 2 * LANES]
    sums = zeros(1, places * PART, shares)[0]
    work, few = scratch(stakes), zeros(2, places, stakes)
    if guess.size:
        copy(guess[first : first + span], last.view(weights.dtype))
    _load(prior, rows, first, span, held)
    for epoch in range(weights.shape[0]):
        share = shares[epoch]
        pack(keys[epoch], rows, share, first, span, tile)
        search(tile, stakes[epoch], needed[epoch], last, said, work, few, found)
        clear(said[rows.size * LANES :])
        if settings.version == 2:
            clip_and_rank(said, agreed, share, settings.beta, rank)
            bind_2(said, held, share, settings.alpha, width, ranks[LANES:])
            lift(rank, per)
        elif settings.liquid and not flat[epoch]:
            clip_and_rank(said, agreed, share, settings.beta, rank)
            bind_liquid(said, held, agreed, settings, per[:width])
            per_bond(rank, per)
        else:
            clip_and_bind(said, held, agreed, share, settings.beta, settings.alpha, ranks)
            per_bond(rank, per)
        copy(agreed[:span], consensus[epoch, first : first + span])
        copy(rank[:span], incentive[epoch, first : first + span])
        dot_rows(held, per, min(width, PART), sums)
        pay_rows(sums, share, settings.version == 3, earned[epoch])
        if guess.size:
            copy(found, last)
    _store(held, rows, first, span, bonds)


@inner
def _rows(share: Numbers, units: Numbers, prior: Numbers) -> Numbers:
    """Return who is heard in any epoch, or holds bonds."""
    rows, found = zeros(1, share.shape[1], units)[0], 0
    for row in range(rows.size):
        rows[found] = row
        heard = prior.shape[0] > 0 and _any(prior[0, row])
        for epoch in range(share.shape[0]):
            heard |= share[epoch, row] > 0
        found += heard
    alive: Numbers = rows[:found]
    return alive


@inner
def _picked(amounts: Numbers, rows: Numbers) -> Numbers:
    """Return the columns (t, places) of these rows, with zeros up to a whole number of steps."""
    picked = zeros(amounts.shape[0], -(-rows.size // STEP) * STEP, amounts)
    for row in range(rows.size):
        for epoch in range(amounts.shape[0]):
            picked[epoch, row] = amounts[epoch, rows[row]]
    return picked


@inner
def _load(prior: Numbers, rows: Numbers, first: int, span: int, held: Numbers) -> None:
    if prior.shape[0]:
        for row in range(rows.size):
            copy(prior[0, rows[row], first : first + span], held[row * LANES :])


@inner
def _store(held: Numbers, rows: Numbers, first: int, span: int, bonds: Numbers) -> None:
    if bonds.shape[0]:
        for row in range(rows.size):
            place = row * LANES
            copy(held[place : place + span], bonds[0, rows[row], first : first + span])


@inner
def _scale(amounts: Numbers) -> None:
    everything = total(amounts)
    if everything > 0:
        for place in range(amounts.size):
            amounts[place] /= everything


@inlined
def _any(amounts: Numbers) -> bool:
    """Tell whether something is above 0."""
    for place in range(amounts.size):  # noqa: SIM110 - kernels have no generators
        if amounts[place] > 0:
            return True
    return False
