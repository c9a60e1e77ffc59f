"""How cases are drawn: few numbers, many ties, and sums that floats hold exactly.

Stakes and reports are whole numbers that add up to a power of two, so that shares, and sums of
products of shares, are exact in floats: a tie is a tie in whatever order a rule adds up. Rules
that jump are therefore compared at exact ties and away from them, and not where rounding decides.

Hypothesis draws sizes, acts, and a seed for stakes and reports. Row by row it repeats itself: in
2,000 cases it drew 150 of 501 rows for four, and missed in 3,000 where Yuma burns the miners' pool.
`smaller` makes up for what cannot be shrunk in a seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import combinations, pairwise, product
from random import Random

from hypothesis import strategies as st

from trilemma.testing.case import Case, Places, Row, Rows

__all__ = ["LARGE", "cases", "place", "places", "reporting", "reports", "shares"]

MOST = 4  # validators and miners
LARGE = 2**20  # an amount beside which the others hardly count
TRADES = (0, 1, -1, 7, -LARGE)
TENURES = (0, 1, 2, 7, 100)
_SEEDS = st.binary(min_size=8, max_size=8)  # integers are small too often
_ANY = st.booleans()


@lru_cache  # strategies are made once: making them takes as long as drawing
def shares(size: int) -> st.SearchStrategy[Row]:
    """Draw whole numbers that sum to a power of two: small, tied, or one that dwarfs the others."""
    small, tied, extreme = _small(size), _tied(size), _extreme(size)
    often, few = tied * (len(small) // len(tied)), extreme[:: max(1, len(extreme) // len(small))]
    return st.sampled_from([*often, *small, *few])  # one list: shrinking finds its start


@lru_cache
def _small(size: int) -> list[Row]:
    """Return all ways to share 1, 2, 4 and 8, the simplest first; drawn at once, for speed.

    Number by number a case takes five times as long to draw.
    """
    totals = (1, 2, 4, 8) if size <= MOST else (1, 2, 4)  # of 8 among 8 there are 6,435
    return [row for total in totals for row in _compositions(total, size)]


@lru_cache
def _tied(size: int) -> list[Row]:
    """Return the rows in which one, two or four share everything equally."""
    return [it for it in _rows((0, 1), size) if sum(it) in (1, 2, 4)]


@lru_cache
def _extreme(size: int) -> list[Row]:
    beside = _small(size - 1) if size > 1 else [()]
    return [
        (*rest[:place], LARGE - sum(rest), *rest[place:])
        for place in range(size)
        for rest in beside
    ]


def _compositions(total: int, size: int) -> Iterator[Row]:
    """Yield all tuples of whole numbers with a sum, those with few non-zero first."""
    found = []
    for bars in combinations(range(total + size - 1), size - 1):
        ends = (-1, *bars, total + size - 1)
        found.append(tuple(after - before - 1 for before, after in pairwise(ends)))
    yield from sorted(found, key=lambda row: (sum(map(bool, row)), max(row), row))


@lru_cache
@st.composite
def reports(draw: st.DrawFn, n: int, m: int, *, silent: bool = True) -> Rows:
    """Draw what n validators say of m miners; often what another says, sometimes nothing.

    Sometimes everybody has a favourite of its own, so that nothing is agreed on.
    """
    return _said(Random(draw(_SEEDS)), n, m, silent)


def _said(chance: Random, n: int, m: int, silent: bool) -> Rows:
    if chance.random() < 1 / 8:
        return tuple(tuple(int(it == row % m) for it in range(m)) for row in range(n))
    rows: list[Row] = []
    for _ in range(n):
        kind = chance.random()
        if kind < 1 / 4 and rows:
            rows.append(chance.choice(rows))
        else:
            rows.append((0,) * m if silent and kind > 3 / 4 else _shared(chance, m))
    return tuple(rows)


def _shared(chance: Random, size: int) -> Row:
    return chance.choice(chance.choice((_small(size), _tied(size), _extreme(size))))


def reporting(row: Row, miner: int, *, on: bool) -> Row:
    """Return a report on a miner, or without it: then the next miner gets what it had."""
    if on == bool(row[miner]):
        return row
    if on:
        return tuple(max(1, sum(row)) if it == miner else said for it, said in enumerate(row))
    heir = (miner + 1) % len(row)
    kept = [0 if it == miner else said for it, said in enumerate(row)]
    kept[heir] += row[miner] if heir != miner else 0
    return tuple(kept)


@lru_cache
def place(size: int) -> st.SearchStrategy[int]:
    """Draw one of so many places."""
    return st.integers(0, size - 1)


@lru_cache
def places(size: int, least: int, most: int) -> st.SearchStrategy[Places]:
    """Draw different places in order, `least` to `most` of them."""
    counts = range(least, min(most, size) + 1)
    return st.sampled_from([it for count in counts for it in combinations(range(size), count)])


@st.composite
def cases(
    draw: st.DrawFn,
    validators: int = 1,
    miners: int = 1,
    *,
    silent: bool = True,
    acts: bool = True,
    trades: bool = False,
) -> Case:
    """Draw an epoch in which nobody does anything yet.

    Parameters
    ----------
    draw : callable
    validators, miners : int
        How many there are at least.
    silent : bool
        Whether a validator may say nothing.
    acts : bool
        Whether there may be ballots, seats and orders.
    trades : bool
        Whether there may be trades, tenure and subnets.
    """
    n, m = validators + draw(place(MOST + 1 - validators)), miners + draw(place(MOST + 1 - miners))
    chance = Random(draw(_SEEDS))
    case = Case(_shared(chance, n), _said(chance, n, m, silent))
    if acts:
        seats, signs = draw(places(n, 0, 2)), (0, 1, -1)
        votes = draw(_matrix(signs, n, m)) if draw(_ANY) else ()
        case = replace(case, votes=votes, seats=seats, orders=draw(_matrix(signs, len(seats), m)))
    if trades and draw(_ANY):
        [tenure] = draw(_matrix(TENURES, 1, n))
        case = replace(case, flows=draw(_matrix(TRADES, n, m)), tenure=tenure)
    if trades and draw(_ANY):
        [subnets] = draw(_matrix((0, 1, 2), 1, m))
        case = replace(case, subnets=tuple(map(int, subnets)))
    return case


@lru_cache
def _matrix(elements: Row, rows: int, columns: int) -> st.SearchStrategy[Rows]:
    return st.tuples(*[st.sampled_from(_rows(elements, columns))] * rows)


@lru_cache
def _rows(elements: Row, size: int) -> list[Row]:
    return sorted(product(elements, repeat=size), key=lambda row: sum(map(bool, row)))
