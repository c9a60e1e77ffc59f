"""One formula, two kinds of numbers: floats, and integers that count in steps of 2**-32."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba import njit

from tests.naive_chain import E_TO_23_BITS, exp, u16
from trilemma.kernels import ONE, arithmetic, fixed, to_u16

MOST = 2**63 - 1
WIDEST = 2**47 - 1  # divisors stay below 2**15

by_example = settings(max_examples=500, deadline=None)  # the first call compiles


def near(*powers: int) -> st.SearchStrategy[int]:
    """Return powers of two and their neighbours."""
    return st.sampled_from([2**power + by for power in powers for by in (-1, 0, 1)])


# Compiled one by one: outside of a kernel these functions are only names.


@njit
def one(like: Any) -> Any:
    return arithmetic.one(like)


@njit
def half(like: Any) -> Any:
    return arithmetic.number(like, 0.5)


@njit
def times(a: Any, b: Any) -> Any:
    return arithmetic.times(a, b)


@njit
def over(a: Any, b: Any) -> Any:
    return arithmetic.over(a, b)


@njit
def inverse(a: Any) -> Any:
    return arithmetic.inverse(a)


@njit
def share(amount: Any, total: Any) -> Any:
    return arithmetic.scaled(amount, total)


@njit
def flushed(bond: Any) -> Any:
    return arithmetic.flushed(bond)


@njit
def exponential(x: Any) -> Any:
    return arithmetic.exponential(x)


# --- fixed point ---------------------------------------------------------------------------------


@st.composite
def factors(draw: st.DrawFn) -> tuple[int, int]:
    """Return two numbers of either sign whose product fits 64 bits."""
    signs = st.sampled_from([-1, 1])
    b = draw(st.integers(0, MOST) | st.integers(0, 2 * ONE) | near(1, 16, 31, 32, 33, 62))
    largest = min(MOST, ((MOST << 32) // b) if b else MOST)
    a = draw(st.integers(0, largest) | st.integers(0, min(largest, 2 * ONE)) | st.just(largest))
    return a * draw(signs), b * draw(signs)


@by_example
@given(factors())
@example((ONE, -1))
@example((1, -1))
@example((-1, ONE - 1))
@example((ONE - 1, ONE - 1))
@example((-(2**63), ONE))
@example((MOST, ONE))
def test_products_are_rounded_down_whatever_their_signs(pair: tuple[int, int]) -> None:
    a, b = pair
    assert times(a, b) == times(b, a) == a * b >> 32


@st.composite
def quotients(draw: st.DrawFn) -> tuple[int, int]:
    b = draw(st.integers(1, WIDEST) | st.integers(1, 99) | near(1, 15, 16, 17, 31, 32, 33, 46))
    largest = min(MOST, ((MOST + 1) * b - 1) >> 32)
    a = draw(st.integers(0, largest) | st.integers(0, min(largest, 2 * b)) | st.just(largest))
    return a, b


@by_example
@given(quotients())
@example((0, 1))
@example((WIDEST, WIDEST))
@example((WIDEST - 1, WIDEST))
@example((1, WIDEST))
def test_quotients_are_rounded_down(pair: tuple[int, int]) -> None:
    a, b = pair
    assert over(a, b) == share(a, b) == a * ONE // b


@by_example
@given(st.integers(3, MOST) | st.integers(3, 4 * ONE) | near(2, 31, 32, 33, 62))
def test_the_inverse_is_rounded_down_also_of_powers_of_two(a: int) -> None:
    assert inverse(a) == ONE * ONE // a


@given(st.integers(0, MOST))
def test_a_share_of_nothing_is_nothing(amount: int) -> None:
    assert share(amount, 0) == 0


@by_example
@given(st.integers(-25 * ONE, 25 * ONE))
@example(ONE)
@example(-ONE)
@example(ONE - 1)
@example(-ONE - 1)
@example(0)
@example(1)
@example(-1)
def test_powers_of_e_equal_the_chains_series(x: int) -> None:
    assert exponential(x) == exp(min(max(x, -20 * ONE), 20 * ONE))


@given(st.integers(-8 * ONE, 8 * ONE))
def test_the_series_is_close_to_powers_of_e_where_it_is_long_enough(x: int) -> None:
    assert exponential(x) == pytest.approx(math.exp(x / ONE) * ONE, rel=1e-7, abs=2)


@pytest.mark.parametrize("whole", range(-25, 26))
def test_every_whole_power_of_e_and_its_neighbours_equal_the_chains(whole: int) -> None:
    for x in range(whole * ONE - 2, whole * ONE + 3):
        assert exponential(x) == exp(min(max(x, -20 * ONE), 20 * ONE))


def test_only_the_power_of_exactly_one_is_the_short_constant() -> None:
    assert exponential(ONE) == E_TO_23_BITS
    assert exponential(ONE - 1) > E_TO_23_BITS
    assert exponential(-ONE) == pytest.approx(math.exp(-1) * ONE, abs=9)
    assert exponential(-ONE) != ONE * ONE // E_TO_23_BITS
    assert exponential(MOST) == exponential(20 * ONE)
    assert exponential(-MOST) == exponential(-20 * ONE)


def test_constants_are_whole_steps() -> None:
    assert (one(7), half(7)) == (ONE, ONE // 2)
    assert flushed(1) == 1


# --- from and to what the chain stores -----------------------------------------------------------


@pytest.mark.parametrize(("steps", "whole"), [(1, 65535), (97, 10**6), (1, 100)])
def test_a_quotient_of_settings_is_read_as_that_quotient(steps: int, whole: int) -> None:
    for part in range(0, whole + 1, steps):
        assert fixed(part / whole) == (part << 32) // whole


@given(st.integers(-100_000, 100_000))
def test_negative_numbers_are_rounded_towards_zero(hundredths: int) -> None:
    size = (abs(hundredths) << 32) // 100
    assert fixed(hundredths / 100) == (size if hundredths >= 0 else -size)


@given(st.floats(-1000, 1000))
def test_a_float_is_read_as_the_simplest_fraction_that_it_stands_for(value: float) -> None:
    simple = Fraction(value).limit_denominator(10**6)
    meant = simple if float(simple) == value else Fraction(repr(value))
    # A decimal of 17 digits may lie on the other side of a step than its float does.
    assert abs(fixed(value) - int(meant * ONE)) <= (meant is not simple)
    assert abs(fixed(value) - Fraction(value) * ONE) < 1.001


@by_example
@given(st.lists(st.integers(0, 2 * ONE) | near(16, 32, 40), min_size=1))
@example([0, 1, ONE - 1, ONE, ONE // 65535, ONE // 65535 + 1])
def test_shares_are_stored_in_65535ths_rounded_down(shares: list[int]) -> None:
    stored = to_u16(np.array(shares, np.int64))
    assert stored.dtype == np.uint16
    assert stored.tolist() == [u16(it) for it in shares]


def test_what_is_stored_never_wraps() -> None:
    assert to_u16(np.array([-1, -ONE, ONE + 1, 9 * ONE])).tolist() == [0, 0, 65535, 65535]


@given(st.integers(0, 65535))
def test_what_was_stored_is_read_again_within_one_step(stored: int) -> None:
    again = to_u16(np.array([(stored << 32) // 65535]))[0]
    assert again in (stored - 1, stored)


# --- floats --------------------------------------------------------------------------------------

REALS = st.floats(-1e100, 1e100)
POSITIVE = st.floats(1e-29, 1e100)


@given(REALS, POSITIVE)
def test_floats_are_multiplied_and_divided_plainly(a: float, b: float) -> None:
    assert times(a, b) == a * b
    assert over(abs(a), b) == abs(a) / b
    assert inverse(b) == 1 / b
    assert share(abs(a), b) == abs(a) / b


@given(st.floats(-30, 30))
@example(1.0)
@example(-1.0)
@example(20.0)
@example(-20.0)
def test_powers_of_e_are_clamped_in_floats_too(x: float) -> None:
    assert exponential(x) == pytest.approx(math.exp(min(max(x, -20), 20)), rel=1e-14)


def test_floats_too_small_to_be_bonds_are_none() -> None:
    assert flushed(1e-30) == 1e-30
    assert flushed(np.nextafter(1e-30, 0)) == 0
    assert share(1e-31, 9e-31) == 0
    assert share(1e-31, 1e-30) == pytest.approx(0.1)
    assert share(1.0, 0.0) == 0
    assert (one(7.0), half(7.0)) == (1.0, 0.5)
