"""What a mechanism sees: stakes, reports, and epochs of them.

So that failures shrink well, all that is drawn of a validator is drawn in one go, with few draws:
Hypothesis leaves out five at most. What is not used is drawn as well, so that nothing else shifts.
And the simplest takes the fewest draws, as whatever needs fewer passes for simpler.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, partial
from itertools import combinations, compress, product
from typing import Any

import numpy as np
from hypothesis import strategies as st

from trilemma.checks import whole
from trilemma.fields import normalised
from trilemma.model import Epoch, FloatArray, IntArray
from trilemma.testing.case import Case, Places, Row, Rows
from trilemma.testing.drawing import LARGE, TENURES, TRADES, places, shares
from trilemma.testing.strategies.arguments import LARGEST, Span, flag, span

__all__ = ["SEATS", "epochs", "held", "parts", "reported", "reports", "stakes", "weights"]

SIGNS = (0, 1, -1)
SEATS = 3
ALONE = ((1,), (8,), (LARGE,))  # not `shares`, where some of these take fewer draws than others

OWN, NONE = -1, -2  # or the place of somebody whose report is repeated
VOICES = (OWN, OWN, OWN, OWN, 0, 1, NONE, NONE)


# --- stakes and reports --------------------------------------------------------------------------


def stakes(validators: int) -> st.SearchStrategy[IntArray]:
    """Draw stakes in whole numbers that sum to a power of two.

    Ties and zeros are common, and so is a stake that dwarfs the others.

    Parameters
    ----------
    validators : int
        How many there are, 1 to 8.

    Returns
    -------
    strategy of ndarray of int64, shape (validators,)

    Raises
    ------
    UsageError
        If there cannot be so many.
    """
    return _stakes(whole("stakes: validators", validators, 1, LARGEST))


@cache
def _stakes(size: int) -> st.SearchStrategy[IntArray]:
    return parts(size).map(held)


@cache
def parts(size: int) -> st.SearchStrategy[Row]:
    """Draw whole numbers that sum to a power of two."""
    return shares(size) if size > 1 else st.sampled_from(ALONE)


def held(row: Row) -> IntArray:
    """Return whole numbers as an array."""
    return np.array(row, np.int64)


def weights(validators: int, miners: int, *, silent: bool = True) -> st.SearchStrategy[FloatArray]:
    """Draw reports: rows that sum to 1, or to 0, exactly and in any order.

    Rows that another validator reports too, rows of zeros and miners of whom nobody speaks are
    common.

    Parameters
    ----------
    validators, miners : int
        How many there are, 1 to 8.
    silent : bool
        Whether a validator may say nothing.

    Returns
    -------
    strategy of ndarray of float64, shape (validators, miners)

    Raises
    ------
    UsageError
        If there cannot be so many, or `silent` is no truth value.
    """
    n = whole("weights: validators", validators, 1, LARGEST)
    m = whole("weights: miners", miners, 1, LARGEST)
    return _weights(n, m, flag("weights: silent", silent))


@cache
def _weights(n: int, m: int, silent: bool) -> st.SearchStrategy[FloatArray]:
    return reports((n, n), m, silent=silent).map(reported)


def reported(rows: Rows) -> FloatArray:
    """Return reports in whole numbers as rows that sum to 1 or 0."""
    return normalised(np.array(rows, np.float64))


@cache
@st.composite
def reports(
    draw: st.DrawFn, validators: Span, m: int, *, silent: bool, heard: bool = False
) -> Rows:
    """Draw what is said of m miners, in whole numbers. `heard`: the last one is not silent."""
    spoken_of = draw(_spoken_of(m))
    voices, own = zip(*draw(_everybody(validators, len(spoken_of), silent)), strict=True)
    voices = (*voices[:-1], OWN) if heard and voices[-1] == NONE else voices
    return _said(voices, [_spread(row, spoken_of, m) for row in own])


@cache
def _spoken_of(miners: int) -> st.SearchStrategy[Places]:
    """Draw the miners that are spoken of: mostly all of them."""
    everybody = tuple(range(miners))
    some = [it for size in range(miners - 1, 0, -1) for it in combinations(everybody, size)]
    return st.sampled_from([everybody] * max(1, 4 * len(some)) + some)


@cache
def _everybody(
    validators: Span, spoken_of: int, silent: bool, *acts: st.SearchStrategy[Any]
) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Draw of each validator whose report it gives, one of its own, and what it does."""
    voice = st.sampled_from([it for it in VOICES if silent or it != NONE])
    low, high = validators
    return st.lists(st.tuples(voice, parts(spoken_of), *acts), min_size=low, max_size=high)


def _said(voices: Sequence[int], own: Sequence[Row]) -> Rows:
    rows: list[Row] = []
    for voice, row in zip(voices, own, strict=True):
        if voice == NONE:
            rows.append((0,) * len(row))
        else:
            repeated = rows[voice % len(rows)] if voice != OWN and rows else ()
            rows.append(repeated if any(repeated) else row)
    return tuple(rows)


def _spread(row: Row, columns: Places, size: int) -> Row:
    said = dict(zip(columns, row, strict=True))
    return tuple(said.get(column, 0) for column in range(size))


# --- epochs --------------------------------------------------------------------------------------


def epochs(
    *,
    min_validators: int = 1,
    max_validators: int | None = None,
    min_miners: int = 1,
    max_miners: int | None = None,
    silent: bool = True,
    acts: bool = True,
    trades: bool = True,
) -> st.SearchStrategy[Epoch]:
    """Draw epochs of a few validators and miners.

    Parameters
    ----------
    min_validators, min_miners : int
        How many there are at least, 1 to 8.
    max_validators, max_miners : int, optional
        How many there are at most, to 8. Default: 4, or the least if that is more.
    silent : bool
        Whether a validator may say nothing.
    acts : bool
        Whether there may be ballots, seats and orders.
    trades : bool
        Whether there may be trades and tenure.

    Returns
    -------
    strategy of Epoch

    Raises
    ------
    UsageError
        If an argument is out of its range, or no truth value where one is expected.
    """
    return _epochs(
        span("epochs", "validators", min_validators, max_validators),
        span("epochs", "miners", min_miners, max_miners),
        silent=flag("epochs: silent", silent),
        acts=flag("epochs: acts", acts),
        trades=flag("epochs: trades", trades),
    )


@cache
def _epochs(validators: Span, miners: Span, **allowed: bool) -> st.SearchStrategy[Epoch]:
    # A failure prints what is mapped: all numbers of the case, which an epoch does not print.
    return _cases(validators, miners, **allowed).map(Case.epoch)


@st.composite
def _cases(
    draw: st.DrawFn, validators: Span, miners: Span, *, silent: bool, acts: bool, trades: bool
) -> Case:
    m = draw(st.integers(*miners))
    spoken_of = draw(_spoken_of(m))
    facts = draw(_facts(("votes", "seats") * acts + ("flows", "tenure") * trades))
    channels = ("votes",) * acts + ("flows", "tenure") * trades
    everybody = draw(_everybody(validators, len(spoken_of), silent, _act(channels, m)))
    voices, own, acted = zip(*everybody, strict=True)
    done = zip(*acted, strict=True)
    told: dict[str, Any] = {it: act for it, act in zip(channels, done, strict=True) if it in facts}
    stake = draw(parts(len(everybody)))
    if "seats" in facts:
        told["seats"] = draw(places(len(everybody), 1, SEATS))
        order = st.sampled_from(_ways("votes", m))
        told["orders"] = draw(st.tuples(*[order] * len(told["seats"])))
    return Case(stake, _said(voices, [_spread(row, spoken_of, m) for row in own]), **told)


@cache
def _facts(names: tuple[str, ...]) -> st.SearchStrategy[set[str]]:
    """Draw which optional fields of an epoch are not at their default."""
    chosen = st.tuples(*[st.booleans()] * len(names))
    return chosen.map(lambda marks: set(compress(names, marks)))


@cache
def _act(channels: tuple[str, ...], miners: int) -> st.SearchStrategy[tuple[Any, ...]]:
    """Draw at once what a validator does through some channels."""
    ways = [_ways(name, miners) for name in channels]
    return st.integers(0, math.prod(map(len, ways)) - 1).map(partial(_digits, ways))


def _digits(ways: list[list[Any]], number: int) -> tuple[Any, ...]:
    act = []
    for way in ways:
        number, digit = divmod(number, len(way))
        act.append(way[digit])
    return tuple(act)


@cache
def _ways(name: str, miners: int) -> list[Any]:
    """Return what a validator may do through a channel: something about two miners at most."""
    if name == "tenure":
        return list(TENURES)
    acts = [it for it in (SIGNS if name == "votes" else TRADES) if it]
    return [
        _spread(row, columns, miners)
        for count in range(min(2, miners) + 1)
        for columns in combinations(range(miners), count)
        for row in product(acts, repeat=count)
    ]
