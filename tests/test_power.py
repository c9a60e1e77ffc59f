"""Power indices against published numbers, and against a twin that asks every order and subset."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from fractions import Fraction
from itertools import combinations, permutations
from math import comb, factorial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trilemma import power
from trilemma.errors import UsageError
from trilemma.kernels import least_beyond
from trilemma.power import (
    Game,
    asked,
    banzhaf,
    banzhaf_absolute,
    majority,
    merged,
    minimal_veto,
    minimal_winning,
    nakamoto,
    nakamoto_of,
    shapley_shubik,
    weighted,
)
from trilemma.worlds import ROOT_2024, stake_vector

Members = frozenset[int]
Rule = Callable[[Members], bool]
Votes = tuple[Game, Rule]
Shares = tuple[Fraction, ...]

INDICES = (shapley_shubik, banzhaf, banzhaf_absolute)
few = settings(max_examples=40, deadline=None)


def shares(*parts: tuple[str, int]) -> Shares:
    return tuple(Fraction(part) for part, times in parts for _ in range(times))


# --- published numbers ---------------------------------------------------------------------------

SIX = weighted(12, [4, 4, 4, 2, 2, 1])
NINE = weighted(41, [10, 10, 10, 10, 5, 5, 3, 3, 2])
COUNCIL = weighted(39, [7] * 5 + [1] * 10)


@pytest.mark.parametrize(
    ("game", "index", "expected"),
    [
        (SIX, shapley_shubik, shares(("7/30", 3), ("3/20", 2), ("0", 1))),
        (SIX, banzhaf, shares(("5/21", 3), ("1/7", 2), ("0", 1))),
        (NINE, shapley_shubik, shares(("5/28", 4), ("17/210", 2), ("2/35", 2), ("1/105", 1))),
        (COUNCIL, shapley_shubik, shares(("421/2145", 5), ("4/2145", 10))),
        (COUNCIL, banzhaf, shares(("106/635", 5), ("21/1270", 10))),
    ],
    ids=["EEC 1958", "EEC 1958, swings", "EEC 1973", "UN", "UN, swings"],
)
def test_councils_have_the_published_power(
    game: Game, index: Callable[[Game], Shares], expected: Shares
) -> None:
    assert index(game) == expected


def test_the_security_council_is_its_two_conditions_together() -> None:
    permanent = weighted(5, [1] * 5 + [0] * 10)
    nine = weighted(9, [1] * 15)
    assert permanent & nine == COUNCIL
    assert hash(permanent & nine) == hash(COUNCIL)
    assert permanent | nine != COUNCIL


def test_the_security_council_is_blocked_by_one_permanent_member_or_seven_elected() -> None:
    vetoes = minimal_veto(COUNCIL)
    assert vetoes[:5] == ((0,), (1,), (2,), (3,), (4,))
    assert vetoes[5:] == tuple(combinations(range(5, 15), 7))
    assert nakamoto(COUNCIL) == 9


def test_four_of_the_root_network_of_2024_held_more_than_half() -> None:
    percent = [Fraction(it) for it in ("25", "13.5", "11", "9", "6.5", *"44444")]
    assert sum(percent) == 85
    assert nakamoto_of([*percent, *[Fraction(15, 54)] * 54], 0.5) == 4
    assert nakamoto_of(stake_vector("root-2024", 64), 0.5) == 4
    largest = [*map(Fraction, map(str, ROOT_2024)), *[Fraction(3, 200)] * 10]
    assert nakamoto(majority(0.5, largest)) == 4
    assert len(minimal_winning(majority(0.5, largest))[0]) == 4


@pytest.mark.parametrize(("needed", "seats"), [(1, 1), (1, 5), (3, 5), (5, 5), (8, 12)])
def test_k_of_s_seats_are_blocked_by_s_minus_k_plus_1(needed: int, seats: int) -> None:
    game = weighted(needed, [1] * seats)
    assert minimal_winning(game) == tuple(combinations(range(seats), needed))
    assert minimal_veto(game) == tuple(combinations(range(seats), seats - needed + 1))
    assert nakamoto(game) == needed
    assert shapley_shubik(game) == banzhaf(game) == shares((f"1/{seats}", seats))
    chance = Fraction(comb(seats - 1, needed - 1), 2 ** (seats - 1))
    assert banzhaf_absolute(game) == (chance,) * seats


@pytest.mark.parametrize(("panel", "reversing"), [(3, 2), (5, 3), (7, 5)])
def test_who_would_stop_an_appeal_needs_p_minus_r_plus_1_of_the_panel(
    panel: int, reversing: int
) -> None:
    # player 0 decides first; its decision falls when enough of the panel reverse it
    decides = asked(panel + 1, lambda members: 0 in members)
    upheld = weighted(panel - reversing + 1, [0] + [1] * panel)
    stands = decides & upheld
    assert nakamoto(upheld) == panel - reversing + 1
    reversal = weighted(reversing, [1] * panel)
    assert {len(it) for it in minimal_veto(reversal)} == {panel - reversing + 1}
    assert minimal_veto(stands)[0] == (0,)
    assert {len(it) for it in minimal_veto(stands)[1:]} == {reversing}


# --- the slow twin -------------------------------------------------------------------------------


def everybody(players: int) -> list[Members]:
    return [
        frozenset(it) for size in range(players + 1) for it in combinations(range(players), size)
    ]


def mask(members: Members) -> int:
    return sum(1 << player for player in members)


def by_orders(players: int, wins: Rule) -> Shares:
    pivots = [0] * players
    for order in permutations(range(players)):
        joined: Members = frozenset()
        for player in order:
            joined |= {player}
            if wins(joined):
                pivots[player] += 1
                break
    return tuple(Fraction(it, factorial(players)) for it in pivots)


def by_swings(players: int, wins: Rule) -> list[int]:
    losing = [it for it in everybody(players) if not wins(it)]
    return [sum(wins(it | {player}) for it in losing) for player in range(players)]


def smallest(players: int, wins: Rule) -> tuple[tuple[int, ...], ...]:
    winning = [it for it in everybody(players) if wins(it)]
    minimal = [it for it in winning if not any(wins(it - {player}) for player in it)]
    return tuple(tuple(sorted(it)) for it in minimal)


def rule(quota: Any, weights: list[Any]) -> Rule:
    held = [Fraction(it) for it in weights]
    return lambda members: sum((held[it] for it in members), Fraction(0)) >= Fraction(quota)


def both(one: Rule, other: Rule) -> Rule:
    return lambda members: one(members) and other(members)


def either(one: Rule, other: Rule) -> Rule:
    return lambda members: one(members) or other(members)


def blocking(players: int, wins: Rule) -> Rule:
    return lambda members: not wins(frozenset(range(players)) - members)


def known(players: int, wins: Rule) -> Rule:
    """Ask once about each coalition: the twin asks again and again."""
    answers = {members: wins(members) for members in everybody(players)}
    return answers.__getitem__


WEIGHT = (
    st.integers(0, 5)
    | st.integers(0, 2**70)
    | st.sampled_from([0.1, 0.2, 0.3, 5e-324, 1e-9, 1e300])
    | st.fractions(0, 3, max_denominator=7)
)


@st.composite
def votes(draw: st.DrawFn, players: int | None = None, depth: int = 2) -> Votes:
    """A game that is weighted or made of such, and what tells of a coalition whether it wins."""
    n = draw(st.integers(1, 6)) if players is None else players
    if depth and draw(st.booleans()):
        one, says = draw(votes(n, depth - 1))
        how = draw(st.sampled_from(["and", "or", "dual"]))
        if how == "dual":
            return one.dual(), blocking(n, says)
        other, tells = draw(votes(n, depth - 1))
        return (
            (one & other, both(says, tells))
            if how == "and"
            else (
                one | other,
                either(says, tells),
            )
        )
    weights = draw(st.lists(WEIGHT, min_size=n, max_size=n).filter(any))
    held = [Fraction(it) for it in weights]
    exactly = st.sets(st.integers(0, n - 1)).map(lambda some: sum(held[it] for it in some))
    part = st.fractions(0, 1, max_denominator=11).map(lambda it: it * sum(held))
    quota = draw((exactly | part).filter(bool))
    return weighted(quota, weights), rule(quota, weights)


@few
@given(votes())
def test_a_game_and_its_indices_are_those_of_the_twin(vote: Votes) -> None:
    game, says = vote
    n, wins = game.players, known(game.players, says)
    assert all(game.winning[mask(members)] == wins(members) for members in everybody(n))
    swings = by_swings(n, wins)
    assert shapley_shubik(game) == by_orders(n, wins)
    assert banzhaf(game) == tuple(Fraction(it, sum(swings)) for it in swings)
    assert banzhaf_absolute(game) == tuple(Fraction(it, 2 ** (n - 1)) for it in swings)
    assert minimal_winning(game) == smallest(n, wins)
    assert minimal_veto(game) == smallest(n, blocking(n, wins))
    assert nakamoto(game) == min(len(it) for it in everybody(n) if wins(it))
    assert asked(n, wins) == game


@few
@given(votes(), st.data())
def test_indices_sum_to_one_and_do_not_change_in_the_dual(vote: Votes, data: st.DataObject) -> None:
    game, _ = vote
    assert sum(shapley_shubik(game)) == sum(banzhaf(game)) == 1
    for index in INDICES:
        assert index(game.dual()) == index(game)
    assert game.dual().dual() == game
    other, _ = data.draw(votes(game.players))
    assert (game & other).dual() == game.dual() | other.dual()


@few
@given(st.lists(WEIGHT, min_size=1, max_size=6).filter(any), st.integers(1, 4), st.data())
def test_players_without_weight_have_no_power_and_take_none(
    weights: list[Any], dummies: int, data: st.DataObject
) -> None:
    share: Any = data.draw(st.sampled_from([0, 0.1, 0.5, Fraction(2, 3)]))
    alone, joined = majority(share, weights), majority(share, weights + [0] * dummies)
    for index in INDICES:
        assert index(joined) == index(alone) + (Fraction(0),) * dummies
    assert minimal_winning(joined) == minimal_winning(alone)
    assert nakamoto_of(weights + [0] * dummies, share) == nakamoto(alone)


@few
@given(st.lists(WEIGHT, min_size=2, max_size=6).filter(any), st.randoms(), st.integers(1, 10**9))
def test_power_goes_with_the_player_whatever_its_number_and_the_unit(
    weights: list[Any], chance: Any, unit: int
) -> None:
    order = list(range(len(weights)))
    chance.shuffle(order)
    scaled = [Fraction(weights[it]) * Fraction(unit, 7) for it in order]
    before, after = majority(0.5, weights), majority(0.5, scaled)
    for index in INDICES:
        assert index(after) == tuple(index(before)[it] for it in order)


# --- shares, read as they are meant --------------------------------------------------------------

PARTS = st.sampled_from([0, 0.1, 0.3, 1 / 3, 0.5, 2 / 3, 0.7, 0.9, 5e-324]) | st.floats(0, 0.999)


@few
@given(st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any), PARTS)
def test_a_majority_reaches_what_the_kernels_say_is_more_than_a_share(
    weights: list[int], share: float
) -> None:
    game = majority(share, weights)
    for members in everybody(len(weights)):
        held = sum(weights[it] for it in members)
        assert game.winning[mask(members)] == (held >= least_beyond(share, sum(weights)))
    assert nakamoto_of(weights, share) == nakamoto(game)


@pytest.mark.parametrize("tenth", [0.1, np.float64(0.1), Fraction(1, 10)])
def test_one_of_ten_equal_players_does_not_have_more_than_a_tenth(tenth: Any) -> None:
    everyone: list[Any] = [[1] * 10, [0.1] * 10, np.full(10, 0.3), [Fraction(1, 3)] * 10]
    for weights in everyone:
        assert nakamoto_of(weights, tenth) == nakamoto(majority(tenth, weights)) == 2


EXACTLY: list[tuple[Any, int, int]] = [
    *((top / (top + 100_000), top, 100_000) for top in range(199_990, 200_000)),
    *((float(f"0.{top}"), top, 10**10 - top) for top in range(8_765_432_111, 8_765_432_120)),
    (Fraction(1, 2) + Fraction(1, 10**40), 5 * 10**39 + 1, 5 * 10**39 - 1),
]


@pytest.mark.parametrize(("share", "held", "rest"), EXACTLY)
def test_who_holds_exactly_the_share_has_no_majority(share: Any, held: int, rest: int) -> None:
    assert nakamoto_of([held, rest], share) == 2
    assert nakamoto_of([held + 1, rest - 1], share) == 1


def test_exactly_half_is_no_majority_and_a_grain_more_is_one() -> None:
    assert nakamoto_of([1, 1], 0.5) == 2
    assert nakamoto_of([10**30 + 1, 10**30], 0.5) == 1
    assert nakamoto_of([1.0, np.nextafter(1, 2)], 0.5) == 1
    assert nakamoto(majority(0.5, [1e300, 1e300, 5e-324])) == 2
    assert minimal_winning(majority(0.5, [1e300, 1e300, 5e-324])) == ((0, 1), (0, 2), (1, 2))


def test_a_quota_is_read_exactly() -> None:
    assert weighted(Fraction(3, 10), [Fraction(1, 10)] * 3) == weighted(3, [1, 1, 1])
    with pytest.raises(UsageError, match="nobody can win"):
        weighted(0.9, [0.3] * 3)  # three floats of 0.3 are a little less than the float 0.9


def test_nakamoto_of_takes_any_number_of_players() -> None:
    most = 10_000
    found = nakamoto_of(range(1, most + 1), 0.5)
    # the k largest of 1..n sum to k (2n - k + 1) / 2, all to n (n + 1) / 2
    held = [2 * k * (2 * most - k + 1) for k in (found - 1, found)]
    assert held[0] <= most * (most + 1) < held[1]


# --- principals and identities -------------------------------------------------------------------


def test_power_is_that_of_principals_and_not_of_their_identities() -> None:
    stake, owners = np.array([2.0, 0.5, 1.0, 0.5]), np.array([7, 3, 9, 3])
    held = merged(stake, owners)
    assert held == {7: 2, 3: 1, 9: 1}
    assert list(held) == [7, 3, 9]
    assert all(type(owner) is int for owner in held)
    assert shapley_shubik(majority(0.5, held.values())) == shares(("2/3", 1), ("1/6", 2))
    assert merged([0.1, 0.2], ["one", "one"]) == {"one": Fraction(0.1) + Fraction(0.2)}


@pytest.mark.parametrize("n", [2, 3, 6])
def test_splitting_in_two_may_raise_power_by_2n_in_n_plus_1_or_take_most_of_it(n: int) -> None:
    """Aziz, Bachrach, Elkind and Paterson 2011: the factors 2n/(n+1) and 2/(n+1) are reached."""
    twos, split = [2] * n, [2] * (n - 1) + [1, 1]
    for quota, factor in ((2 * n, Fraction(2 * n, n + 1)), (2 * n - 1, Fraction(2, n + 1))):
        whole = shapley_shubik(weighted(quota, twos))[-1]
        parts = shapley_shubik(weighted(quota, split))[-2:]
        assert whole == Fraction(1, n)
        assert sum(parts) == factor * whole


# --- size ----------------------------------------------------------------------------------------


def test_25_players_have_their_power_in_bounded_memory() -> None:
    tracemalloc.start()
    try:
        game = weighted(13, [12] + [1] * 24)
        found = shapley_shubik(game)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # the large one decides in 12 of 25 places: those after 1 to 12 others
    assert found == shares(("12/25", 1), ("13/600", 24))
    assert peak < 300 * 2**20
    assert nakamoto(game) == 2


def test_importing_it_compiles_nothing() -> None:
    code = "import sys, trilemma.power; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: weighted(3, [1] * 26), r"26 players: at most 25, since 2\*\*n coalitions"),
        (lambda: majority(0.5, [1] * 26), r"merge small players .* nakamoto_of\(weights, share\)"),
        (lambda: asked(26, bool), "26 players"),
        (lambda: Game(26, np.zeros(1, np.bool_)), "26 players"),
        (lambda: asked(0, bool), "players must be a whole number, 1 or more, not 0"),
        (lambda: weighted(1, [1, -2]), r"weights\[1\]: expected 0 or more, got -2"),
        (lambda: weighted(1, [float("nan")]), r"weights\[0\]: expected a finite number, got nan"),
        (lambda: majority(0.5, [1, float("inf")]), r"weights\[1\]: .* got inf"),
        (
            lambda: nakamoto_of(np.eye(2), 0.5),
            r"weights\[0\]: expected a finite number, got array\(\[1., 0.\]\)",
        ),
        (lambda: merged([-1], [0]), r"weights\[0\]: expected 0 or more"),
        (lambda: weighted(float("nan"), [1]), "quota: expected a finite number, got nan"),
        (lambda: weighted(0, [1]), "quota must be above 0, not 0: the coalition of nobody"),
        (lambda: weighted(-1, [1]), "quota: expected 0 or more, got -1"),
        (lambda: weighted(4, [1, 2]), "at most all weight, 3, not 4: nobody can win"),
        (lambda: weighted(1, []), "at most all weight, 0, not 1: nobody can win"),
        (lambda: majority(1, [1]), r"share must be in \[0, 1\), not 1: nobody holds more"),
        (lambda: majority(-0.1, [1]), "share: expected 0 or more, got -0.1"),
        (lambda: nakamoto_of([1], float("nan")), "share: expected a finite number, got nan"),
        (lambda: majority(0.5, [0, 0]), "weights: all are 0, so that nobody can win"),
        (lambda: nakamoto_of([], 0.5), "nobody can win"),
        (lambda: merged([1, 2], [0]), "owners: expected 2, one per weight, got 1"),
        (lambda: SIX & NINE, "same players, not 6 and 9"),
        (lambda: NINE | SIX, "same players, not 9 and 6"),
        (lambda: asked(2, lambda _: False), "the coalition of all loses"),
        (lambda: asked(2, lambda _: True), "the coalition of nobody wins"),
        (lambda: Game(2, np.ones(3, np.bool_)), r"expected bool \(4,\) for 2 players, got bool"),
        (lambda: Game(1, np.array([0, 1])), r"expected bool \(2,\) .* got int64 \(2,\)"),
    ],
)
def test_what_makes_no_game_is_refused_with_the_reason(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make()


@pytest.mark.parametrize(
    ("small", "joining", "said"),
    [
        ({0}, 1, r"\(0,\) wins but \(0, 1\) loses"),
        ({0, 3}, 1, r"\(0, 3\) wins but \(0, 1, 3\) loses"),
        ({1, 3}, 0, r"\(1, 3\) wins but \(0, 1, 3\) loses"),
        ({0, 1, 4}, 3, r"\(0, 1, 4\) wins but \(0, 1, 3, 4\) loses"),
    ],
)
def test_a_coalition_that_loses_by_a_member_more_is_shown(
    small: set[int], joining: int, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        asked(5, lambda members: small <= members != small | {joining})


def test_a_list_of_too_many_minimal_coalitions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power.indices, "LISTED", 15)
    with pytest.raises(UsageError, match="20 minimal coalitions: at most 15 can be listed"):
        minimal_winning(weighted(3, [1] * 6))
    assert len(minimal_winning(weighted(2, [1] * 6))) == 15


def test_a_game_is_a_value_that_nobody_can_change() -> None:
    winning = np.array([False, True, True, True])
    game = Game(2, winning)
    winning[0] = True
    assert game == weighted(1, [1, 1])
    assert len({game, weighted(1, [1, 1]), weighted(2, [1, 1])}) == 2
    assert game != "game"
    with pytest.raises(ValueError, match="read-only"):
        game.winning[0] = True
    with pytest.raises(FrozenInstanceError):
        game.players = 3  # type: ignore[misc]
