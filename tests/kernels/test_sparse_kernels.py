from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests import naive
from trilemma.kernels import Settings, needed_support, normalised, stake_units, threads
from trilemma.kernels import sparse as kernels
from trilemma.kernels.sparse import Columns
from trilemma.kernels.sparse_yuma import forget, stake_of, version_2, version_3

Array = npt.NDArray[Any]

patient = settings(deadline=None)  # the first call compiles

KINDS = st.sampled_from([np.float32, np.float64])
SAID = st.sampled_from([0.0, 2.0**-140, 1e-30, 0.125, 0.25, 1.0]) | st.floats(0, 1, width=32)
HELD = st.sampled_from([0, 0, 1, 1, 2, 3]) | st.integers(0, 2**58)


@st.composite
def matrices(
    draw: st.DrawFn, shape: tuple[int, int] | None = None
) -> tuple[Columns, tuple[int, int]]:
    """Small, with empty rows and columns, explicit zeros, ties, denormal numbers."""
    n, m = shape or (draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    every = [(row, column) for row in range(n) for column in range(m)]
    held = {place: draw(SAID | st.just(1e-310)) for place in every if draw(st.booleans())}
    indptr, rows, values = naive.compressed(held, m)
    columns = Columns(
        np.array(indptr, np.int64), np.array(rows, np.uint16), np.array(values, draw(KINDS))
    )
    for array in columns:
        array.setflags(write=False)
    return columns, (n, m)


def dense(matrix: Columns, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    found = np.zeros(shape)
    for place, value in naive.places(*matrix).items():
        found[place] = value
    return found


# --- structure -----------------------------------------------------------------------------------


@patient
@given(matrices(), st.randoms(use_true_random=False), st.booleans())
def test_entries_in_any_order_come_into_that_of_columns_and_rows(
    given: tuple[Columns, tuple[int, int]], random: Any, shuffled: bool
) -> None:
    (indptr, rows, values), (_, m) = given
    order = random.sample(range(rows.size), rows.size) if shuffled else list(range(rows.size))
    columns = np.repeat(np.arange(m), np.diff(indptr))[order]
    counts = np.zeros(m + 1, np.int64)
    kernels.count_entries(columns, counts)
    np.testing.assert_array_equal(np.cumsum(counts), indptr)
    found_rows, found = np.zeros_like(rows), np.zeros_like(values)
    ends = indptr[:-1].copy()
    kernels.place(columns, rows[order], values[order], ends, found_rows, found)
    np.testing.assert_array_equal(ends, indptr[1:])
    kernels.sort_columns(indptr, found_rows, found, 0, m)
    np.testing.assert_array_equal(found_rows, rows)
    np.testing.assert_array_equal(found, values)
    assert kernels.first_fall(indptr, found_rows, 0, m) == -1


def test_the_first_fall_is_found_within_columns_only() -> None:
    indptr, rows = np.array([0, 2, 2, 5]), np.array([3, 7, 1, 4, 4], np.uint16)
    assert kernels.first_fall(indptr, rows, 0, 3) == 4  # equal is no rise
    assert kernels.first_fall(indptr, rows, 0, 2) == -1


@patient
@given(matrices(), st.data())
def test_sums_and_scaling_agree_with_their_twins(
    given: tuple[Columns, tuple[int, int]], data: st.DataObject
) -> None:
    matrix, (n, m) = given
    held = naive.places(*matrix)
    sums, lost = np.zeros(n), np.zeros(n)
    cut = data.draw(st.integers(0, m))
    for part in ((0, cut), (cut, m)):
        kernels.row_sums(matrix, *part, sums, lost)
    np.testing.assert_allclose(sums + lost, naive.row_sums(held, n), rtol=1e-15)
    factors = data.draw(arrays(np.float64, n, elements=st.floats(0, 9)))
    found = np.full(m, np.nan)
    kernels.column_sums(matrix, factors, 0, m, found)
    np.testing.assert_allclose(found, naive.column_sums(held, factors, m), rtol=1e-14)
    divisors = data.draw(arrays(np.float64, n, elements=st.floats(0.5, 9)))
    scaled = np.zeros_like(matrix.values)
    kernels.scale_rows(matrix, divisors, 0, m, scaled)
    expected = dense(matrix, (n, m)) / divisors[:, None]
    found_dense = dense(matrix._replace(values=scaled), (n, m))
    np.testing.assert_array_equal(found_dense, expected.astype(scaled.dtype))
    assert naive.scaled_rows(held, divisors).keys() == held.keys()


def test_a_million_equal_weights_are_summed_as_if_exactly() -> None:
    k = 10**6
    matrix = Columns(np.arange(k + 1), np.zeros(k, np.uint16), np.full(k, 1 / k))
    sums, lost = np.zeros(1), np.zeros(1)
    kernels.row_sums(matrix, 0, k, sums, lost)
    assert abs(sums[0] - 1) > 1e-12  # why there is more than one sum
    assert abs(sums[0] + lost[0] - 1) < 1e-15


@patient
@given(st.data())
def test_a_union_holds_what_either_does(data: st.DataObject) -> None:
    one, (n, m) = data.draw(matrices())
    other, _ = data.draw(matrices((n, m)))
    counts = np.zeros(m + 1, np.int64)
    cut = data.draw(st.integers(0, m))
    parts = ((0, cut), (cut, m))
    for part in parts:
        kernels.count_union(one, other, *part, counts)
    indptr = np.cumsum(counts)
    rows = np.zeros(indptr[-1], np.uint16)
    found = []
    for part in parts:
        kernels.fill_union(one, other, *part, indptr, rows)
    for matrix in (one, other):
        values = np.zeros(rows.size, matrix.values.dtype)
        for part in parts:
            kernels.spread(matrix, indptr, rows, *part, values)
        found.append(naive.places(indptr, rows, values))
    assert tuple(found) == naive.aligned(naive.places(*one), naive.places(*other))
    assert kernels.first_fall(indptr, rows, 0, m) == -1


@patient
@given(matrices(), st.data())
def test_only_rows_that_are_kept_keep_bonds(
    given: tuple[Columns, tuple[int, int]], data: st.DataObject
) -> None:
    matrix, (n, m) = given
    kept = data.draw(arrays(np.bool_, n))
    bonds = matrix.values.copy()
    forget(matrix.indptr, matrix.rows, kept, 0, m, bonds)
    expected = dense(matrix, (n, m)) * kept[:, None]
    np.testing.assert_array_equal(dense(matrix._replace(values=bonds), (n, m)), expected)


# --- epochs --------------------------------------------------------------------------------------


def outcome(
    weights: Columns,
    shape: tuple[int, int],
    stake: Array,
    kappa: float,
    rule: Settings,
    *,
    prior: Array | None = None,
    heard: Array | None = None,
) -> tuple[Array, Array, Array, bool]:
    """Return ranks, dividends, bonds (k,), and whether there is a consensus."""
    n, m = shape
    for array in weights:
        array.setflags(write=False)  # as epochs have them: compiled once
    units = stake_units(stake)
    share = normalised(stake / stake.max(initial=1))
    spoken = share if heard is None else np.where(heard, share, -1.0)
    given = stake_of(units, spoken, needed_support(kappa, int(units.sum())), weights.values)
    keys = weights.values.view(f"u{weights.values.itemsize}")
    old = weights.values[:0] if prior is None else prior
    bonds, ranks = np.full_like(weights.values, np.nan), np.full(m, np.nan)  # all is written to
    earned = np.zeros(n)
    kernel = version_2 if rule.version == 2 else version_3
    bent = rule if rule.beta < 1 or rule.liquid else None
    agreed = [
        kernel(weights, keys, old, given, rule.alpha, bent, *part, bonds, ranks, earned)
        for part in ((0, m // 2), (m // 2, m))
    ]
    dividends = earned if rule.version == 2 else earned * share
    return ranks, naive.normalised(dividends), bonds, any(agreed)


@st.composite
def rules(draw: st.DrawFn) -> Settings:
    part = st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0.001, 0.999)
    version = draw(st.sampled_from([2, 3]))
    low, high = sorted([draw(part), draw(part)])
    plain = draw(st.booleans())  # a loop of its own
    liquid = version == 3 and not plain and draw(st.booleans())
    beta = 1.0 if plain else draw(part)
    return Settings(version, beta, draw(part), liquid, low, high, draw(st.floats(-50, 50)))


@patient
@given(matrices(), rules(), st.data())
def test_an_epoch_agrees_with_its_twin(
    given: tuple[Columns, tuple[int, int]], rule: Settings, data: st.DataObject
) -> None:
    weights, (n, m) = given
    stake = data.draw(arrays(np.int64, n, elements=HELD))
    heard = (stake > 0) | data.draw(arrays(np.bool_, n))  # a permit outlives the stake
    kappa = data.draw(st.sampled_from(["0", "0.25", "0.5", "1"]))
    part = SAID | st.floats(0, 9, width=32)  # bonds that were scaled otherwise
    old = data.draw(st.none() | arrays(weights.values.dtype, weights.values.size, elements=part))
    prior = np.zeros((n, m)) if old is None else dense(weights._replace(values=old), (n, m))
    if old is not None:
        old.setflags(write=False)
    ranks, dividends, bonds, agreed = outcome(
        weights, (n, m), stake, float(kappa), rule, prior=old, heard=heard
    )
    bounds = (rule.low, rule.high, rule.steepness) if rule.liquid else None
    plain = (rule.version, rule.beta, rule.alpha, bounds)
    expected = naive.sparse_epoch(
        dense(weights, (n, m)), prior, stake, heard.tolist(), kappa, plain
    )
    assert agreed == expected[0].any()
    if rule.liquid and not agreed:
        return  # then the caller asks again, without
    np.testing.assert_allclose(ranks, expected[1], rtol=1e-12, atol=1e-300)
    tolerance: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-15}
    if weights.values.dtype == np.float32:
        tolerance = {"rtol": 1e-6, "atol": 1e-36}
    np.testing.assert_allclose(
        dense(weights._replace(values=bonds), (n, m)), expected[3], **tolerance
    )
    if expected[1].min(initial=1) > 1e-300 or not agreed:  # else the twin's ranks are denormal
        np.testing.assert_allclose(dividends, expected[2], **tolerance)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 66, 127, 128, 129, 300])
def test_columns_of_every_length_are_searched_to_their_ends(size: int, kind: Any) -> None:
    rng = np.random.default_rng(size)
    values = np.concatenate([rng.random(size), rng.integers(0, 3, size) / 2]).astype(kind)
    weights = Columns(
        np.array([0, size, 2 * size]), np.tile(np.arange(size, dtype=np.uint16), 2), values
    )
    stake = rng.integers(0, 5, size) * rng.integers(1, 2**40)
    for kappa in ("0", "0.3", "0.5", "1"):
        rule = Settings(3, 1.0, 1.0, False, 0.0, 0.0, 0.0)  # bonds are the clipped weights
        _, _, bonds, _ = outcome(weights, (size, 2), stake, float(kappa), rule)
        needed = max(1, ceil(Fraction(kappa) * int(stake.sum())))
        said = values.reshape(2, size).T
        agreed = naive.consensus(said, stake, needed)
        np.testing.assert_array_equal(bonds.reshape(2, size).T, np.minimum(said, agreed))


@pytest.mark.parametrize("reporters", range(1, 11))
@pytest.mark.parametrize("stakes", [np.full(10, 7), np.full(10, 0.1), np.full(10, 1e308)])
def test_a_support_of_exactly_kappa_is_enough_although_steps_are_coarse(
    stakes: Array, reporters: int
) -> None:
    values = np.ones(reporters, np.float32)
    weights = Columns(np.array([0, reporters]), np.arange(reporters, dtype=np.uint16), values)
    rule = Settings(3, 1.0, 1.0, False, 0.0, 0.0, 0.0)
    for kappa, enough in ((reporters / 10, True), (reporters / 10 + 1e-15, False)):
        assert outcome(weights, (10, 1), stakes, kappa, rule)[3] == (enough and kappa <= 1)


# --- threads -------------------------------------------------------------------------------------


def test_results_come_in_the_order_of_jobs_and_errors_come_out() -> None:
    for crew in (1, 2, 3):
        assert threads.in_threads(lambda job: job * job, range(50), crew) == [
            job * job for job in range(50)
        ]
        with pytest.raises(ZeroDivisionError):
            threads.in_threads(lambda job: 1 // job, [1, 0], crew)
    assert threads.in_threads(len, []) == []


def test_a_worker_process_has_one_thread_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 5)
    assert threads.available() == 5
    monkeypatch.setattr("multiprocessing.parent_process", lambda: object())
    assert threads.available() == 1


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=300), st.integers(1, 70_000))
def test_parts_cover_every_column_once_and_are_about_equal(counts: list[int], rows: int) -> None:
    indptr = np.cumsum([0, *counts])
    found = threads.parts(indptr, rows)
    assert [first for first, _ in found] == [0, *(last for _, last in found[:-1])]
    assert found[-1][1] == len(counts)
    assert all(first < last for first, last in found)
    work = [int(indptr[last] - indptr[first]) for first, last in found]
    fair = int(indptr[-1]) / len(found) + max(counts)
    assert len(found) == 1 or max(work) <= 2 * fair + 16 * len(counts)
    assert len(found) * rows <= max(rows, int(indptr[-1]))
