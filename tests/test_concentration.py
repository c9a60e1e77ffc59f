"""How concentrated amounts are: closed forms, and what may not change them."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trilemma import UsageError
from trilemma.concentration import Concentration, concentration, entropy, gini, hhi, nakamoto
from trilemma.worlds import stake_vector

MEASURES = (hhi, nakamoto, entropy, gini)
whole_amounts = st.lists(st.integers(0, 1000), min_size=1, max_size=12)
held = whole_amounts.filter(any)


@given(st.integers(1, 500), st.floats(1e-300, 1e300))
def test_equal_holders_have_1_over_n_and_more_than_half_is_half_and_one(
    n: int, each: float
) -> None:
    found = concentration(np.full(n, each))
    assert found.hhi == pytest.approx(1 / n)
    assert found.nakamoto == n // 2 + 1
    assert found.entropy == pytest.approx(1 if n > 1 else 0)
    assert found.gini == pytest.approx(0)


def test_root_2024_is_as_concentrated_as_its_publication_says() -> None:
    found = concentration(stake_vector("root-2024", 64))
    assert (round(found.hhi, 4), found.nakamoto) == (0.1136, 4)


def test_a_single_holder_has_everything() -> None:
    assert concentration([7]) == Concentration(1, 1, 0, 0)
    assert concentration([0, 7, 0, 0]) == Concentration(1, 1, 0, 0.75)


@pytest.mark.parametrize("nothing", [[], [0], [0, 0, 0]])
def test_nothing_is_in_nobodys_hands(nothing: Any) -> None:
    assert concentration(nothing) == Concentration(0, 0, 0, 0)


def test_two_holders_of_a_quarter_and_three_quarters() -> None:
    found = concentration([1, 3])
    assert (found.hhi, found.nakamoto, found.gini) == (0.625, 1, 0.25)
    assert found.entropy == pytest.approx(2 - 0.75 * math.log2(3))


@given(held)
def test_gini_is_half_of_the_mean_difference_over_the_mean(amounts: list[int]) -> None:
    n, mean = len(amounts), sum(amounts) / len(amounts)
    apart = sum(abs(one - other) for one, other in permutations(amounts, 2))
    assert gini(amounts) == pytest.approx(apart / (2 * n * n * mean))


@given(held)
def test_the_fewest_who_have_more_than_half_are_the_largest(amounts: list[int]) -> None:
    sums = np.cumsum(sorted(amounts, reverse=True))
    assert nakamoto(amounts) == int(np.argmax(2 * sums > sums[-1])) + 1


@given(held, st.integers(1, 50))
def test_holders_of_nothing_change_only_gini_and_drive_it_to_1(
    amounts: list[int], more: int
) -> None:
    before, after = concentration(amounts), concentration([*amounts, *[0] * more])
    assert after.hhi == pytest.approx(before.hhi)
    assert after.nakamoto == before.nakamoto
    assert after.entropy == pytest.approx(before.entropy)
    assert after.gini > before.gini
    assert gini([*amounts, *[0] * 10**5]) > 0.999


@given(held, st.randoms(), st.sampled_from([1e-9, 0.5, 3.0, 1e12]))
def test_neither_the_order_nor_the_unit_matters(
    amounts: list[int], order: Any, unit: float
) -> None:
    mixed = [unit * it for it in amounts]
    order.shuffle(mixed)
    for measure in MEASURES:
        assert measure(mixed) == pytest.approx(measure(amounts))


@given(whole_amounts)
def test_every_measure_is_within_its_bounds(amounts: list[int]) -> None:
    found = concentration(amounts)
    assert 0 <= found.hhi <= 1 + 1e-12
    assert 0 <= found.nakamoto <= len(amounts)
    assert 0 <= found.entropy <= 1
    assert 0 <= found.gini < 1


@given(held, st.data())
def test_what_a_larger_holder_gives_to_a_smaller_one_makes_it_more_equal(
    amounts: list[int], data: st.DataObject
) -> None:
    rich, poor = int(np.argmax(amounts)), int(np.argmin(amounts))
    given_away = data.draw(st.integers(0, (amounts[rich] - amounts[poor]) // 2))
    after = list(amounts)
    after[rich], after[poor] = after[rich] - given_away, after[poor] + given_away
    assert hhi(after) <= hhi(amounts) + 1e-12
    assert gini(after) <= gini(amounts) + 1e-12
    assert nakamoto(after) >= nakamoto(amounts)


def test_equal_holders_whose_shares_were_rounded_are_equal() -> None:
    assert nakamoto([0.1 + 0.2, 0.3]) == 2
    assert nakamoto([0.3 + 1e-6, 0.3]) == 1


def test_dust_is_no_holder_but_little_is() -> None:
    assert entropy([1, 1, 1e-12]) == pytest.approx(1)
    assert entropy([1, 1, 1e-6]) < 0.64


@pytest.mark.parametrize("amounts", [[1e308, 1e308], [5e-324, 5e-324]])
def test_the_largest_and_the_smallest_numbers_have_shares_too(amounts: list[float]) -> None:
    assert concentration(amounts) == Concentration(0.5, 2, 1, 0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([1, -2], "amounts: expected finite, not negative; got -2.0 at 1"),
        ([np.nan], "amounts: expected finite, not negative; got nan at 0"),
        ([1, np.inf], "got inf at 1"),
        ([[1, 2]], r"amounts: expected one per holder, shape \(n,\), got \(1, 2\)"),
        (["a"], "amounts: "),
    ],
)
def test_what_is_no_amount_is_refused(wrong: Any, said: str) -> None:
    for measure in (concentration, *MEASURES):
        with pytest.raises(UsageError, match=said):
            measure(wrong)
