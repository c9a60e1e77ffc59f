"""Power indices of a game, as exact fractions, and its smallest coalitions."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import accumulate
from math import factorial

import numpy as np

from trilemma.errors import UsageError
from trilemma.power.game import (
    Coalition,
    Game,
    Number,
    halves,
    in_units,
    least_beyond,
    members_of,
    sizes_of,
)

__all__ = [
    "banzhaf",
    "banzhaf_absolute",
    "minimal_veto",
    "minimal_winning",
    "nakamoto",
    "nakamoto_of",
    "shapley_shubik",
]

LISTED = 1_000_000  # minimal coalitions; they take 200 MB


def shapley_shubik(game: Game) -> tuple[Fraction, ...]:
    """Return in which share of all orders of joining each player turns losing into winning.

    The shares sum to 1. Source: Shapley and Shubik 1954, American Political Science Review 48.

    Parameters
    ----------
    game : Game
    """
    last = game.players - 1
    orders = [factorial(size) * factorial(last - size) for size in range(game.players)]
    pivots = [sum(map(int.__mul__, orders, row)) for row in _swings(game)]
    return tuple(Fraction(it, factorial(game.players)) for it in pivots)


def banzhaf(game: Game) -> tuple[Fraction, ...]:
    """Return each player's part of all swings: coalitions that lose, but win once it joins.

    The parts sum to 1. Source: Banzhaf 1965, Rutgers Law Review 19.

    Parameters
    ----------
    game : Game
    """
    swings = [sum(row) for row in _swings(game)]
    return tuple(Fraction(it, sum(swings)) for it in swings)


def banzhaf_absolute(game: Game) -> tuple[Fraction, ...]:
    """Return each player's chance to decide where all others toss fair coins.

    Source: Penrose 1946, Journal of the Royal Statistical Society 109.

    Parameters
    ----------
    game : Game
    """
    return tuple(Fraction(sum(row), 1 << game.players - 1) for row in _swings(game))


def minimal_winning(game: Game) -> tuple[Coalition, ...]:
    """Return the winning coalitions that lose without any one member, smallest first.

    Parameters
    ----------
    game : Game

    Raises
    ------
    UsageError
        If there are more than a million.
    """
    minimal = game.winning.copy()
    for player in range(game.players):
        without, _ = halves(game.winning, player)
        halves(minimal, player)[1][...] &= ~without
    found = np.flatnonzero(minimal)
    if found.size > LISTED:
        raise UsageError(f"{found.size} minimal coalitions: at most {LISTED} can be listed")
    return tuple(sorted(map(members_of, found.tolist()), key=lambda it: (len(it), it)))


def minimal_veto(game: Game) -> tuple[Coalition, ...]:
    """Return the minimal coalitions without which the others cannot win: those of the dual.

    Parameters
    ----------
    game : Game
    """
    return minimal_winning(game.dual())


def nakamoto(game: Game) -> int:
    """Return how many players the smallest winning coalition has.

    Parameters
    ----------
    game : Game
    """
    return int(sizes_of(game.players)[game.winning].min())


def nakamoto_of(weights: Iterable[Number], share: Number) -> int:
    """Return how few players have more than a share of all weight; any number of them may vote.

    Source: Srinivasan and Lee 2017.

    Parameters
    ----------
    weights : iterable of int, float or Fraction
        By player.
    share : int, float or Fraction
        As in `majority`; so are the errors.
    """
    units, _ = in_units(weights)
    needed = least_beyond(share, units)
    sums = accumulate(sorted(units, reverse=True))
    return next(count for count, held in enumerate(sums, 1) if held >= needed)


def _swings(game: Game) -> list[list[int]]:
    """Return by player how many coalitions of each size win only once it joins, n rows of n."""
    sizes, counts = sizes_of(game.players - 1), []
    for player in range(game.players):
        without, joined = halves(game.winning, player)
        swinging = sizes[(joined > without).ravel()]
        counts.append(np.bincount(swinging, minlength=game.players).tolist())
    return counts
