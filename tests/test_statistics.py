from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kendalltau

from trilemma.model import FloatArray
from trilemma.statistics import (
    beats,
    best_share,
    interval,
    kendall_tau,
    rank_interval,
    resamples,
)

few = st.integers(0, 4).map(float)
shares = st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[FloatArray, FloatArray]:
    size = draw(st.integers(1, 30))
    values = draw(st.sampled_from([few, st.floats(-1e6, 1e6)]))
    return draw(arrays(float, size, elements=values)), draw(arrays(float, size, elements=values))


@st.composite
def tables(draw: st.DrawFn) -> FloatArray:
    """Minimums of some mechanisms (rows) in all worlds and in some resamples (columns)."""
    shape = draw(st.tuples(st.integers(1, 5), st.integers(2, 20)))
    table: FloatArray = draw(arrays(float, shape, elements=shares))
    return table


@given(pairs())
def test_kendalls_tau_is_scipys_with_ties(pair: tuple[FloatArray, FloatArray]) -> None:
    one, other = pair
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        assert kendall_tau(one, other) == 0
    else:
        assert kendall_tau(one, other) == pytest.approx(kendalltau(one, other).statistic, abs=1e-12)


def test_kendalls_tau_is_one_for_one_order_and_minus_one_for_its_reverse() -> None:
    order = np.array([1.0, 2.0, 5.0, 9.0])
    assert kendall_tau(order, order**2) == 1
    assert kendall_tau(order, -order) == -1
    assert kendall_tau(order, np.array([1.0, 2.0, 2.0, 9.0])) == pytest.approx(5 / np.sqrt(30))


@given(st.integers(1, 40))
def test_resamples_weigh_worlds_by_whole_draws(worlds: int) -> None:
    sample = resamples(worlds)
    assert sample.shape == (1001, worlds)
    assert np.allclose(sample.sum(axis=1), 1, rtol=0, atol=1e-12)
    assert (sample[0] == 1 / worlds).all()
    draws = sample[1:] * worlds
    assert np.allclose(draws, np.rint(draws), rtol=0, atol=1e-12)


def test_resamples_are_the_same_every_time() -> None:
    assert (resamples(7) == resamples(7)).all()


def test_every_world_is_drawn_as_often_as_any_other() -> None:
    # 16 worlds, 1000 resamples: the mean weight of a world has a standard error of .0019
    assert resamples(16)[1:].mean(axis=0) == pytest.approx(1 / 16, abs=0.01)


@given(arrays(float, st.integers(2, 50), elements=st.floats(-1e3, 1e3)))
def test_an_interval_holds_its_value(values: FloatArray) -> None:
    found = interval(values)
    assert found.value == values[0]
    assert found.low <= found.value <= found.high
    assert min(values) - 1e-9 <= found.low
    assert found.high <= max(values) + 1e-9


def test_an_interval_leaves_out_a_fortieth_at_either_end() -> None:
    values = np.append(500.0, np.arange(1001.0))
    found = interval(values)
    assert (found.low, found.high) == pytest.approx((25, 975))


def test_the_interval_of_a_mean_covers_it_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(1)
    sample = resamples(30)
    covered = [
        found.low <= 0 <= found.high
        for values in draw.standard_normal((400, 30))
        for found in [interval(sample @ values)]
    ]
    assert 0.88 < np.mean(covered) < 0.98  # 95 % nominal; a percentile bootstrap of 30 covers 93


@given(tables())
def test_chances_of_being_best_sum_to_one(table: FloatArray) -> None:
    chances = best_share(table)
    assert chances.sum() == pytest.approx(1)
    assert (chances >= 0).all()


def test_ties_share_the_first_place() -> None:
    table = np.array([[0.9, 0.9, 0.5], [0.1, 0.9, 0.5], [0.0, 0.2, 0.6]])
    assert best_share(table) == pytest.approx([0.25, 0.25, 0.5])  # the first column is all worlds


@given(tables())
def test_a_rank_interval_lies_among_the_ranks(table: FloatArray) -> None:
    for index in range(len(table)):
        low, high = rank_interval(table, index)
        assert 1 <= low <= high <= len(table)


def test_who_is_always_best_has_rank_one_and_ties_share_the_better_rank() -> None:
    table = np.repeat([[0.9], [0.5], [0.5], [0.1]], 11, axis=1)
    ranks = [rank_interval(table, index) for index in range(4)]
    assert ranks == [(1, 1), (2, 2), (2, 2), (4, 4)]


@given(arrays(float, st.integers(2, 50), elements=shares))
def test_nothing_beats_itself(values: FloatArray) -> None:
    assert not beats(values, values.copy())


@given(arrays(float, st.integers(2, 50), elements=shares), st.floats(0.01, 1))
def test_what_is_always_more_beats_what_is_less(values: FloatArray, more: float) -> None:
    assert beats(values + more, values)
    assert not beats(values, values + more)


def test_what_is_more_as_often_as_less_does_not_beat() -> None:
    values = np.zeros(101)
    assert not beats(values + np.resize([0.1, -0.1], 101), values)
