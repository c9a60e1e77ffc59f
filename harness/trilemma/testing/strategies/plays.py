"""What an attacker may do: budgets, plays, and splits of a stake."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from functools import cache, partial
from itertools import pairwise
from typing import TypeVar

from hypothesis import strategies as st

from trilemma.checks import whole
from trilemma.errors import UsageError, blaming
from trilemma.model import MOST_EVALUATIONS, MOST_IDENTITIES, STAKE_STEPS, Attack, Budget, Play
from trilemma.registry import load_attacks
from trilemma.testing.drawing import place
from trilemma.testing.strategies.arguments import aims

__all__ = ["budgets", "identity_splits", "plays"]

T = TypeVar("T")

MOST_INSIDERS = 10
MOST_STAKE = 2**63 - 1  # kept in int64
ANY_PARTS = 8  # parts of any sizes, drawn one by one


@cache
def budgets() -> st.SearchStrategy[Budget]:
    """Draw budgets over the whole range of every field; ends and steps of the grids are common.

    Returns
    -------
    strategy of Budget
        The simplest affords nothing: no stake, one identity, one insider, no evaluation.
    """
    top, dearest = math.nextafter(1, 0), sys.float_info.max
    steps = [step / STAKE_STEPS for step in range(STAKE_STEPS)]
    beside = [math.nextafter(step, end) for step in steps[1:] for end in (0, 1)]
    powers = [2**power for power in range(MOST_IDENTITIES.bit_length())]
    crews = st.lists(st.integers(1, MOST_INSIDERS), min_size=1, max_size=3).map(tuple)
    return st.builds(
        Budget,
        stake=_numbers([0.0, top], [*steps, *beside], st.floats(0, top)),
        identities=_numbers([1, MOST_IDENTITIES], powers, st.integers(1, MOST_IDENTITIES)),
        identity_cost=_numbers([0.0, dearest], [0.01, 1.0, 5e-324], st.floats(0, dearest)),
        insiders=_numbers([(1,), (MOST_INSIDERS,)], [(1, 3, 5)], crews),
        evaluations=_numbers([0, MOST_EVALUATIONS], [1, 500], st.integers(0, MOST_EVALUATIONS)),
    )


def _numbers(ends: list[T], steps: list[T], others: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    return st.sampled_from(ends) | st.sampled_from(steps) | others


def plays(
    budget: Budget | None = None,
    *,
    aim: str | None = None,
    attacks: Sequence[str | Attack] | None = None,
) -> st.SearchStrategy[Play]:
    """Draw plays of attack families within a budget; the simplest is the first one.

    Parameters
    ----------
    budget : Budget, optional
        Default: `Budget()`.
    aim : {"pay", "twin"}, optional
        What they are after. Default: either.
    attacks : sequence of (str or Attack), optional
        As for `trilemma.registry.load_attacks`. Default: all that are registered.

    Returns
    -------
    strategy of Play

    Raises
    ------
    UsageError
        If an argument is of another kind, or these attacks make no such play.
    PluginError
        If an attack fails to import or to enumerate its plays. Then name those that do not.
    """
    if budget is not None and not isinstance(budget, Budget):
        raise UsageError(f"plays: budget must be a trilemma.Budget, not {budget!r}")
    if attacks is not None and not isinstance(attacks, Sequence):
        raise UsageError(f"plays: attacks must be a list of attacks, not {attacks!r}")
    wanted = aims("plays: aim", aim)
    if attacks is None:
        return _registered(budget or Budget(), wanted)
    return _plays(budget or Budget(), wanted, attacks)


@cache
def _registered(budget: Budget, wanted: tuple[str, ...]) -> st.SearchStrategy[Play]:
    return _plays(budget, wanted, None)


def _plays(
    budget: Budget, wanted: tuple[str, ...], attacks: Sequence[str | Attack] | None
) -> st.SearchStrategy[Play]:
    loaded, broken = load_attacks(attacks)
    for failure in broken.values():
        raise failure
    found: list[Play] = []
    for label, attack in loaded.items():
        with blaming(f"{label} fails to enumerate its plays"):
            found += [play for play in attack(budget) if play.aim in wanted]
    if not found:
        raise UsageError(f"plays: none of {list(loaded)} aims at {' or '.join(wanted)} in {budget}")
    return st.sampled_from(found)


def identity_splits(stake: int, *, most: int = 8) -> st.SearchStrategy[tuple[int, ...]]:
    """Draw splits of a stake over identities: whole positive parts that sum to it.

    Equal parts, as far as whole numbers can be, and one large part beside parts of 1 are common.

    Parameters
    ----------
    stake : int
        In whole numbers, 1 to 2**63 - 1.
    most : int
        How many parts there are at most, 1 to 1024; never more than the stake has units.

    Returns
    -------
    strategy of tuple of int
        The simplest is the stake as it is.

    Raises
    ------
    UsageError
        If an argument is out of its range.
    """
    held = whole("identity_splits: stake", stake, 1, MOST_STAKE)
    parts = whole("identity_splits: most", most, 1, MOST_IDENTITIES)
    return _splits(held, min(held, parts))


@cache
def _splits(stake: int, most: int) -> st.SearchStrategy[tuple[int, ...]]:
    even = [count for count in range(1, most + 1) if stake % count == 0]
    count = st.sampled_from(even) | st.integers(1, most)
    kinds = [count.map(partial(_equal, stake)), count.map(partial(_one_against_many, stake))]
    if most > 1:
        cuts = st.lists(place(stake - 1), max_size=min(most, ANY_PARTS) - 1, unique=True)
        kinds.append(cuts.map(partial(_cut, stake)))
    return st.one_of(kinds)


def _equal(stake: int, count: int) -> tuple[int, ...]:
    part, left = divmod(stake, count)
    return (part + 1,) * left + (part,) * (count - left)


def _one_against_many(stake: int, count: int) -> tuple[int, ...]:
    return (stake - count + 1, *[1] * (count - 1))


def _cut(stake: int, cuts: list[int]) -> tuple[int, ...]:
    """Cut a stake behind these of its units."""
    ends = (0, *sorted(cut + 1 for cut in cuts), stake)
    return tuple(after - before for before, after in pairwise(ends))
