"""The kernel that relabels, beside a slow twin; and whether what it lets through is valid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import naive
from trilemma import Epoch
from trilemma.errors import UsageError
from trilemma.fields import normalised
from trilemma.kernels.relabelled import relabelled
from trilemma.relabelling import PLAIN, Order

seeds = st.integers(0, 10_000)
N, M = 5, 7
ODD: dict[str, list[Any]] = {
    "weights": [np.nan, np.inf, -1e-3, 0.5, 1e308],
    "votes": [-2, 2, 127],
    "flows": [np.nan, np.inf, -np.inf],
}


def matrix(name: str, draw: np.random.Generator) -> Any:
    if name == "votes":
        return draw.integers(-1, 2, (N, M)).astype(np.int8)
    amounts = draw.random((N, M)) * draw.integers(0, 2, (N, 1))
    return normalised(amounts) if name == "weights" else amounts - 0.5


def epoch(order: Order, name: str, given: Any) -> Epoch:
    """Return an epoch that was validated in full."""
    moved = given[np.ix_(order.rows, order.columns)]
    if name == "weights":
        return Epoch(np.ones(N), moved)
    fields: dict[str, Any] = {name: moved}
    return Epoch(np.ones(N), np.ones((N, M)), **fields)


@given(seeds, st.sampled_from(sorted(PLAIN)), st.booleans())
def test_the_kernel_moves_and_counts_as_its_twin_does(seed: int, name: str, odd: bool) -> None:
    draw = np.random.default_rng(seed)
    given, order = matrix(name, draw), Order.of(seed, N, M, 0)
    if odd:
        given[draw.integers(N), draw.integers(M)] = draw.choice(ODD[name])
    kind, low, high, slack = PLAIN[name]
    out = np.empty((N, M), kind)
    wrong = relabelled(given, order.rows, order.columns, low, high, slack, out)
    shown, faults = naive.relabelled(given, order.rows, order.columns, low, high, slack)
    np.testing.assert_array_equal(out, shown)
    assert (wrong > 0) == (faults > 0)


@given(seeds, st.sampled_from(sorted(PLAIN)))
def test_a_matrix_is_shown_as_an_epoch_would_hold_it_and_nobody_can_write_to_it(
    seed: int, name: str
) -> None:
    given, order = matrix(name, np.random.default_rng(seed)), Order.of(seed, N, M, 0)
    shown = order.shown(name, given)
    np.testing.assert_array_equal(shown, getattr(epoch(order, name, given), name))
    with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
        shown.setflags(write=True)


@pytest.mark.parametrize("name", sorted(PLAIN))
@pytest.mark.parametrize("change", [np.asfortranarray, lambda it: it.astype(np.float32), np.copy])
@pytest.mark.parametrize("scale", [1, 0])
def test_other_kinds_of_arrays_are_shown_as_an_epoch_holds_them(
    name: str, change: Any, scale: int
) -> None:
    order = Order.of(3, N, M, 0)
    given = change(scale * matrix(name, np.random.default_rng(1)))
    given.setflags(write=False)
    expected = getattr(epoch(order, name, given), name)
    np.testing.assert_array_equal(order.shown(name, given), expected)
    assert order.shown(name, given).dtype == expected.dtype


def test_weights_of_any_scale_are_scaled_as_an_epoch_scales_them() -> None:
    order, given = Order.of(3, N, M, 0), 7 * matrix("weights", np.random.default_rng(1))
    expected = epoch(order, "weights", given).weights
    np.testing.assert_array_equal(order.shown("weights", given), expected)


REFUSED = [(name, odd) for name, values in ODD.items() for odd in values if odd != 0.5]


@pytest.mark.parametrize(("name", "odd"), REFUSED)
def test_what_no_epoch_holds_is_refused_in_the_words_of_an_epoch(name: str, odd: float) -> None:
    order, given = Order.of(3, N, M, 0), matrix(name, np.random.default_rng(1))
    given[2, 3] = odd
    if name == "weights" and odd == 1e308:
        given[2] = odd
    with pytest.raises(UsageError) as expected:
        epoch(order, name, given)
    with pytest.raises(UsageError) as found:
        order.shown(name, given)
    assert str(found.value) == str(expected.value)
