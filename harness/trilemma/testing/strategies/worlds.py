"""Honest worlds with an adversary who has not acted yet."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
from hypothesis import strategies as st

from trilemma.checks import whole
from trilemma.model import IntArray, World
from trilemma.testing.case import Places, Row, Rows
from trilemma.testing.drawing import places
from trilemma.testing.strategies.arguments import FEW, LARGEST, Span, aims
from trilemma.testing.strategies.epochs import SEATS, held, parts, reported, reports

__all__ = ["worlds"]


def worlds(
    aim: str | None = None, *, max_validators: int = FEW, max_miners: int = FEW
) -> st.SearchStrategy[World]:
    """Draw honest worlds in which every move, and every play, of an aim can be made.

    As in `trilemma.worlds`: for `"pay"` the last validator and the last miner belong to the
    adversary, who holds some of the stake but not all, and no seat; for `"twin"` the last two
    miners are the twins, and the adversary is a coalition of validators. Nobody has acted yet, and
    no adversary is silent.

    Parameters
    ----------
    aim : {"pay", "twin"}, optional
        What plays there are after. Default: either.
    max_validators : int
        How many validators there are at most, 2 to 8.
    max_miners : int
        How many miners there are at most, 3 to 8.

    Returns
    -------
    strategy of World

    Raises
    ------
    UsageError
        If an argument is out of its range.
    """
    n = whole("worlds: max_validators", max_validators, 2, LARGEST)
    m = whole("worlds: max_miners", max_miners, 3, LARGEST)
    return _worlds(aims("worlds: aim", aim), n, m)


@cache
def _worlds(wanted: tuple[str, ...], n: int, m: int) -> st.SearchStrategy[World]:
    kinds = {"pay": _attacked((2, n), (2, m)), "twin": _twinned((2, n), (3, m))}
    return st.one_of([kinds[aim] for aim in wanted])


@st.composite
def _attacked(draw: st.DrawFn, validators: Span, miners: Span) -> World:
    m = draw(st.integers(*miners))
    said = draw(reports(validators, m, silent=True, heard=True))
    n = len(said)
    return _world(
        draw,
        stake=draw(_contested(n)),
        said=said,
        quality=draw(parts(m)),
        miner_owner=np.append(np.arange(n, n + m - 1), n - 1),
        seats=draw(places(n - 1, 0, SEATS)),
        adversary=(n - 1,),
    )


@st.composite
def _twinned(draw: st.DrawFn, validators: Span, miners: Span) -> World:
    m = draw(st.integers(*miners))
    said = draw(reports(validators, m, silent=True, heard=True))
    n = len(said)
    voices = [row for row in range(n) if any(said[row])]
    merits = draw(parts(m - 2))
    return _world(
        draw,
        stake=draw(parts(n)),
        said=said,
        quality=(*merits, *[sum(merits) / 2] * 2),
        miner_owner=np.arange(n, n + m),
        seats=draw(places(n, 0, SEATS)),
        adversary=tuple(voices[it] for it in draw(places(len(voices), 1, n))),
        twins=(m - 2, m - 1),
    )


def _world(
    draw: st.DrawFn,
    *,
    stake: Row,
    said: Rows,
    quality: Row,
    miner_owner: IntArray,
    seats: Places,
    adversary: tuple[int, ...],
    twins: tuple[int, ...] = (),
) -> World:
    n = len(stake)
    return World(
        stake=held(stake),
        weights=reported(said),
        quality=np.array(quality) / sum(quality),
        validator_owner=np.arange(n),
        miner_owner=miner_owner,
        seats=np.array(seats, np.int64),
        adversary=adversary,
        twins=twins,
        sees_clones=np.array(draw(_sights(n))),
        seed=draw(_SEEDS),
    )


_SEEDS = st.integers(0, 2**32 - 1)


@cache
def _contested(size: int) -> st.SearchStrategy[Row]:
    """Draw stakes of which the last one is some but not all."""
    return parts(size).map(_with_a_last_holder)


def _with_a_last_holder(row: Row) -> Row:
    """Let the last one hold what another did, or as much as the only holder."""
    *others, last = (it for it, amount in enumerate(row) if amount)
    end = len(row) - 1
    if others and last == end:
        return row
    if others:
        return (*row[:last], *[0] * (end - last), row[last])
    first = last if last < end else 0
    return tuple(row[last] if it in (first, end) else 0 for it in range(len(row)))


@cache
def _sights(size: int) -> st.SearchStrategy[tuple[bool, ...]]:
    return st.sampled_from(sorted(product((True, False), repeat=size), key=sum, reverse=True))
