"""Simple games: a vote of yes and no among players, and which coalitions win it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, lcm
from numbers import Integral, Rational
from typing import Any, TypeAlias

import numpy as np

from trilemma.checks import whole
from trilemma.errors import UsageError
from trilemma.fields import freeze
from trilemma.model import AnyArray, BoolArray

__all__ = [
    "Coalition",
    "Game",
    "Number",
    "asked",
    "halves",
    "in_units",
    "least_beyond",
    "majority",
    "members_of",
    "merged",
    "sizes_of",
    "weighted",
]

Number: TypeAlias = int | float | Fraction
Coalition: TypeAlias = tuple[int, ...]  # players, sorted

MOST_PLAYERS = 25  # then a game takes 32 MiB, its indices two seconds and at most 250 MB


@dataclass(frozen=True, eq=False)
class Game:
    """A vote: which coalitions win. Games are equal where the same coalitions win.

    The coalition of nobody loses, that of all wins, and no coalition loses by a member more; so
    every index is defined. `one & other` is won by winning both, `one | other` by winning either.

    Parameters
    ----------
    players : int
        n, 1 to 25; they are numbered from 0.
    winning : ndarray of bool, shape (2**n,)
        By bit mask: bit i is set where player i is a member. Copied and read-only.

    Raises
    ------
    UsageError
        If there are more players, the shape or type is another, or a coalition breaks a rule.
    """

    players: int
    winning: BoolArray

    def __post_init__(self) -> None:
        count, winning = _seated(self.players), np.asarray(self.winning)
        if winning.shape != (1 << count,) or winning.dtype != np.bool_:
            raise UsageError(
                f"winning: expected bool ({1 << count},) for {count} players, "
                f"got {winning.dtype} {winning.shape}"
            )
        if winning[0]:
            raise UsageError("winning: the coalition of nobody wins, so that nobody decides")
        if not winning[-1]:
            raise UsageError("winning: the coalition of all loses, so that nobody can win")
        for player in range(count):
            _refuse_harm(winning, player)
        object.__setattr__(self, "players", count)
        object.__setattr__(self, "winning", freeze(winning))

    def __and__(self, other: Game) -> Game:
        return Game(self._like(other), self.winning & other.winning)

    def __or__(self, other: Game) -> Game:
        return Game(self._like(other), self.winning | other.winning)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Game) and np.array_equal(self.winning, other.winning)

    def __hash__(self) -> int:
        return hash(np.packbits(self.winning).tobytes())

    def dual(self) -> Game:
        """Return the game of blocking: a coalition wins where all the others together lose."""
        return Game(self.players, ~self.winning[::-1])

    def _like(self, other: Game) -> int:
        if self.players != other.players:
            raise UsageError(
                f"two games combine over the same players, not {self.players} and {other.players}"
            )
        return self.players


def weighted(quota: Number, weights: Iterable[Number]) -> Game:
    """Return the game in which a coalition wins when its weight reaches the quota.

    Parameters
    ----------
    quota : int, float or Fraction
        Above 0, and at most the total weight.
    weights : iterable of int, float or Fraction, length n
        By player, finite, 0 or more. Nothing is rounded: for a tenth give `Fraction(1, 10)`.

    Raises
    ------
    UsageError
        If there are more than 25 players, or a number is out of range.
    """
    units, scale = in_units(weights)
    needed = ceil(_exact("quota", quota) * scale)
    if needed <= 0:
        raise UsageError("quota must be above 0, not 0: the coalition of nobody would win")
    if needed > sum(units):
        total = Fraction(sum(units), scale)
        raise UsageError(f"quota must be at most all weight, {total}, not {quota}: nobody can win")
    return _reaching(needed, units)


def majority(share: Number, weights: Iterable[Number]) -> Game:
    """Return the game in which a coalition wins with more than a share of all weight.

    Parameters
    ----------
    share : int, float or Fraction
        In [0, 1). A float is read as the fraction it is written for: one of ten equal players
        does not have more than 0.1, although the float nearest to a tenth is another number.
    weights : iterable of int, float or Fraction, length n
        As in `weighted`, not all 0; so are the errors.
    """
    units, _ = in_units(weights)
    return _reaching(least_beyond(share, units), units)


def asked(players: int, wins: Callable[[frozenset[int]], bool]) -> Game:
    """Return the game that a predicate tells; 20 players take seconds: it is called 2**n times.

    Parameters
    ----------
    players : int
        n, 1 to 25.
    wins : callable
        From the set of members to whether they win.

    Raises
    ------
    UsageError
        As `Game`: where a member more makes a coalition lose, both are named.
    """
    masks = range(1 << _seated(players))
    answers = (bool(wins(frozenset(members_of(mask)))) for mask in masks)
    return Game(players, np.fromiter(answers, np.bool_, len(masks)))


def merged(weights: Iterable[Number], owners: Iterable[Hashable]) -> dict[Hashable, Fraction]:
    """Return what each principal holds, exactly, in order of first identities.

    Parameters
    ----------
    weights : iterable of int, float or Fraction
        By identity.
    owners : iterable of hashable
        The principal behind each.

    Raises
    ------
    UsageError
        If there are not as many of both, or a weight is negative or not finite.
    """
    units, scale = in_units(weights)
    whose = [it.item() if isinstance(it, np.generic) else it for it in owners]
    if len(units) != len(whose):
        raise UsageError(f"owners: expected {len(units)}, one per weight, got {len(whose)}")
    held = dict.fromkeys(whose, Fraction(0))
    for owner, unit in zip(whose, units, strict=True):
        held[owner] += Fraction(unit, scale)
    return held


def _seated(players: int) -> int:
    count = whole("players", players, 1)
    if count > MOST_PLAYERS:
        raise UsageError(
            f"{count} players: at most {MOST_PLAYERS}, since 2**n coalitions take memory and time; "
            "merge small players into one, or ask for nakamoto_of(weights, share) only"
        )
    return count


def _exact(name: str, value: Any) -> Fraction:
    try:
        number = int(value) if isinstance(value, Integral) else value
        exact = Fraction(*number.as_integer_ratio())
    except (AttributeError, ValueError, OverflowError) as error:
        raise UsageError(f"{name}: expected a finite number, got {value!r}") from error
    if exact < 0:
        raise UsageError(f"{name}: expected 0 or more, got {value!r}")
    return exact


def in_units(weights: Iterable[Number]) -> tuple[list[int], int]:
    """Return weights as integers, and how many units a weight of 1 comes to."""
    held = [_exact(f"weights[{place}]", it) for place, it in enumerate(weights)]
    scale = lcm(*(it.denominator for it in held))
    return [it.numerator * (scale // it.denominator) for it in held], scale


def least_beyond(share: Number, units: Sequence[int]) -> int:
    """Return the least that is more than a share of all; `trilemma.kernels` reads shares alike."""
    part = _exact("share", share)
    if part >= 1:
        raise UsageError(f"share must be in [0, 1), not {share}: nobody holds more than all")
    if not any(units):
        raise UsageError("weights: all are 0, so that nobody can win")
    if not isinstance(share, Rational):
        written, simple = float(share), part.limit_denominator(10**6)
        part = simple if float(simple) == written else Fraction(repr(written))
    return floor(part * sum(units)) + 1


def _reaching(needed: int, units: Sequence[int]) -> Game:
    """Return the game won with that many units, of any size: sums of half the players are ranked.

    Whether two halves win together is then a comparison of two small integers.
    """
    half = _seated(len(units)) // 2
    sums, others = _sums(units[:half]), _sums(units[half:])
    order = sorted(sums)
    ranks = np.array([bisect_left(order, it) for it in sums])
    missing = np.array([bisect_left(order, needed - it) for it in others])
    return Game(len(units), (ranks >= missing[:, None]).ravel())


def _sums(units: Sequence[int], kind: type = object) -> AnyArray:
    """Return what each coalition of these players has, shape (2**players,)."""
    sums: AnyArray = np.zeros(1 << len(units), kind)
    for player, unit in enumerate(units):
        sums[1 << player : 2 << player] = sums[: 1 << player] + unit
    return sums


def sizes_of(players: int) -> AnyArray:
    """Return how many members each coalition has, shape (2**players,)."""
    return _sums([1] * players, np.uint8)


def members_of(mask: int) -> Coalition:
    """Return the players whose bits are set."""
    return tuple(player for player in range(mask.bit_length()) if mask >> player & 1)


def halves(coalitions: BoolArray, player: int) -> tuple[BoolArray, BoolArray]:
    """Return views of the coalitions without a player and, in the same order, with it."""
    pairs = coalitions.reshape(-1, 2, 1 << player)
    return pairs[:, 0], pairs[:, 1]


def _refuse_harm(winning: BoolArray, player: int) -> None:
    without, joined = halves(winning, player)
    harmed = without > joined
    if harmed.any():
        row, place = divmod(int(harmed.argmax()), 1 << player)
        mask = (row << player + 1) + place
        raise UsageError(
            f"winning: {members_of(mask)} wins but {members_of(mask | 1 << player)} loses; "
            "a member more must not harm"
        )
