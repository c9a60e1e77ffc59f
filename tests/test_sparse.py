"""Sparse weights: what they take and refuse, and that every mechanism pays as for dense ones."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from trilemma import fields, registry
from trilemma.chain import Chain
from trilemma.contract import call
from trilemma.dynamics import simulate
from trilemma.errors import PluginError, UsageError
from trilemma.kernels import threads
from trilemma.model import Epoch, Mechanism, Sparse
from trilemma_mechanisms.controls import Dictator, StakeWeighted
from trilemma_mechanisms.dao_vote import DaoVote
from trilemma_mechanisms.quadratic import Quadratic
from trilemma_mechanisms.stake_capped import StakeCapped
from trilemma_mechanisms.yuma import State, Yuma

Array = npt.NDArray[Any]

patient = settings(deadline=None)  # the first call compiles

SOME = ([0.25, 0.75, 1.0], ([0, 0, 1], [2, 0, 2]))
SHAPE = (2, 3)
DENSE: Any = [[0.75, 0, 0.25], [0, 0, 1]]


def some() -> Sparse:
    return Sparse(SOME, shape=SHAPE)


def network(n: int, m: int, k: int, seed: int = 0, kind: Any = np.float64) -> tuple[Array, Sparse]:
    """Return stake and weights of about k entries, in columns of all lengths."""
    rng = np.random.default_rng(seed)
    places = np.unique(rng.integers(0, n, k) + n * np.sort(rng.integers(0, m, k) ** 2 // m))
    values = rng.lognormal(size=places.size).astype(kind)
    return rng.pareto(1.0, n), Sparse((values, (places % n, places // n)), (n, m))


def state(bonds: Any) -> State:
    return State(bonds)


# --- what is taken -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        some,
        lambda: Sparse(([0.75, 0.25, 1.0], [0, 0, 1], [0, 1, 1, 3]), SHAPE),
        lambda: Sparse(([0.75, 1.0, 0.25], [0, 1, 0], [0, 1, 1, 3]), SHAPE),  # unsorted
        lambda: Sparse.of(DENSE),
        lambda: Sparse.of(some()),
        lambda: Sparse.of(scipy.sparse.csc_array(DENSE)),
        lambda: Sparse.of(scipy.sparse.csr_matrix(DENSE)),
        lambda: Sparse.of(scipy.sparse.coo_array(DENSE)),
        lambda: pickle.loads(pickle.dumps(some())),
    ],
)
def test_every_way_to_say_it_gives_the_same_matrix(make: Callable[[], Sparse]) -> None:
    found = make()
    assert found.dense().tolist() == DENSE
    assert found.rows.tolist() == [0, 0, 1]
    assert found.rows.dtype == np.uint16
    assert found.indptr.tolist() == [0, 1, 1, 3]
    assert found.indptr.dtype == np.int64
    assert found.values.tolist() == [0.75, 0.25, 1.0]
    assert found.dtype == np.float64
    assert (found.shape, found.ndim, found.nnz, found.nbytes) == ((2, 3), 2, 3, 3 * 10 + 4 * 8)
    assert repr(found) == "Sparse(2 x 3, 3 entries of float64)"


@st.composite
def triples(draw: st.DrawFn) -> tuple[Array, Array, Array, tuple[int, int]]:
    n, m = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    every = [(row, column) for row in range(n) for column in range(m)]
    places = draw(st.lists(st.sampled_from(every), unique=True))
    part = st.sampled_from([0.0, -0.0, 5e-324, 1.0]) | st.floats(0, 1e30)
    values = draw(st.lists(part, min_size=len(places), max_size=len(places)))
    rows, columns = ([place[axis] for place in places] for axis in (0, 1))
    return np.array(values, float), np.array(rows, int), np.array(columns, int), (n, m)


@patient
@given(triples(), st.sampled_from([np.int64, np.int32, np.uint16, np.uint64, np.int8]))
def test_entries_in_any_order_and_kind_agree_with_scipy(
    given: tuple[Array, Array, Array, tuple[int, int]], kind: Any
) -> None:
    values, rows, columns, shape = given
    found = Sparse((values, (rows.astype(kind), columns.astype(kind))), shape)
    expected = scipy.sparse.coo_array((values, (rows, columns)), shape).tocsc()
    expected.sort_indices()
    np.testing.assert_array_equal(found.values, expected.data)
    np.testing.assert_array_equal(found.rows, expected.indices)
    np.testing.assert_array_equal(found.indptr, expected.indptr)
    assert not np.signbit(found.values).any()
    np.testing.assert_array_equal(found.dense(), expected.toarray())
    again = Sparse((values[::-1], (rows[::-1], columns[::-1])), shape)
    np.testing.assert_array_equal(again.dense(), found.dense())


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.float32, np.float32),
        (">f4", np.float32),
        (np.float16, np.float64),
        (">f8", np.float64),
        (np.int32, np.float64),
        (np.bool_, np.float64),
        (np.uint64, np.float64),
    ],
)
def test_values_stay_float32_or_become_float64(given: Any, kept: Any) -> None:
    found = Sparse((np.array([1, 0, 1], given), SOME[1]), SHAPE)
    assert found.dtype == kept
    assert found.values.dtype.isnative
    assert found.values.tolist() == [0, 1, 1]


def test_denormal_float32_stay_what_they_are() -> None:
    least = np.float32(2.0**-149)
    found = Sparse((np.array([least, 1, 1], np.float32), SOME[1]), SHAPE)
    assert found.values.tolist() == [1, float(least), 1]


def test_rows_beyond_65536_take_four_bytes() -> None:
    for n, kind in ((65_536, np.uint16), (65_537, np.uint32)):
        found = Sparse(([1.0], ([n - 1], [0])), (n, 1))
        assert found.rows.dtype == kind
        assert found.rows.tolist() == [n - 1]


def test_what_is_given_is_copied_and_nobody_can_write_to_what_is_kept() -> None:
    values, rows, ends = np.ones(3), np.array([0, 0, 1], np.uint16), np.array([0, 1, 1, 3])
    found = Sparse((values, rows, ends), SHAPE)
    values[:], rows[:], ends[:] = 7, 7, 7
    assert found.dense().tolist() == [[1, 0, 1], [0, 0, 1]]
    for array in (found.values, found.rows, found.indptr, found.sum(axis=1)):
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.setflags(write=True)
    with pytest.raises(AttributeError, match="immutable: cannot set 'shape'"):
        found.shape = (1, 1)
    with pytest.raises(AttributeError, match="immutable: cannot delete 'rows'"):
        del found.rows
    assert found != some()  # only itself
    assert len({found, some()}) == 2


def test_an_array_that_its_maker_keeps_is_copied() -> None:
    kept: list[Array] = []
    found = some().like(kept.append)
    kept[0][:] = 7
    assert found.values.tolist() == [0, 0, 0]


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "shape", "said"),
    [
        (SOME, (2,), "shape must be (rows, columns), not (2,)"),
        (SOME, 3, "shape must be (rows, columns), not 3"),
        (SOME, (0, 3), "rows of shape must be in 1..4294967296, not 0"),
        (SOME, (2, 0), "columns of shape must be a whole number, 1 or more, not 0"),
        (SOME, (2.0, 3), "rows of shape must be"),
        (np.eye(2), (2, 2), "not ndarray; Sparse.of takes whole matrices"),
        (([1],), SHAPE, "expected (values, (rows, columns)) or (values, rows, indptr)"),
        (([1], [0]), SHAPE, "expected two sequences, (rows, columns), beside the values"),
        (([[1]], ([0], [0])), SHAPE, "values: expected shape (1,) (one number per entry)"),
        ((["a"], ([0], [0])), SHAPE, "values: expected real numbers, got <U1"),
        (([1, 1], ([0], [0, 1])), SHAPE, "rows: expected shape (2,) (one per value), got (1,)"),
        (([1, 1], ([0, 1], [0])), SHAPE, "columns: expected shape (2,) (one per value), got (1,)"),
        (([1], ([0.0], [0])), SHAPE, "rows: expected whole numbers, got float64"),
        (
            ([1, 1], ([0, 2], [0, 1])),
            SHAPE,
            "rows: got 2 at entry 1; the shape numbers them 0..1",
        ),
        (([1, 1], ([0, 1], [-1, 1])), SHAPE, "columns: got -1 at entry 0; the shape"),
        (([1, 1], ([0, 1], [1, 3])), SHAPE, "columns: got 3 at entry 1; the shape"),
        (
            ([1, np.nan], ([0, 1], [1, 2])),
            SHAPE,
            "values: expected finite numbers, not negative; got nan at entry 1 (row 1, column 2)",
        ),
        (([np.inf], ([0], [1])), SHAPE, "got inf at entry 0 (row 0, column 1)"),
        (([-0.5], ([0], [1])), SHAPE, "got -0.5 at entry 0 (row 0, column 1)"),
        (([1, -1], [0, 1], [0, 0, 0, 2]), SHAPE, "got -1.0 at entry 1 (row 1, column 2)"),
        (
            ([1, 2, 3], ([1, 0, 1], [2, 0, 2])),
            SHAPE,
            "row 1 of column 2 is given more than once; add such entries up first",
        ),
        (([1, 2], [1, 1], [0, 0, 2, 2]), SHAPE, "row 1 of column 1 is given more than once"),
        (([1], [0], [0, 1, 1]), SHAPE, "indptr: expected shape (4,) (one more than columns)"),
        (([1], [0], [0.0, 1, 1, 1]), SHAPE, "indptr: expected whole numbers, got float64"),
        (([1], [0], [1, 1, 1, 1]), SHAPE, "rise from 0 to 1, the number of values; got 1 at [0]"),
        (([1], [0], [0, 1, 0, 1]), SHAPE, "rise from 0 to 1, the number of values; got 0 at [2]"),
        (([1], [0], [0, 0, 0, 2]), SHAPE, "rise from 0 to 1, the number of values; got 2 at [3]"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(entries: Any, shape: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        Sparse(entries, shape)
    assert str(caught.value).startswith("sparse: ")
    assert said in str(caught.value)


@pytest.mark.parametrize("part", [np.asarray, lambda it: it[0], lambda it: it[:, 1], list])
def test_what_is_not_offered_says_what_is(part: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"Sparse\(2 x 3, .*sum\(axis\), any\(axis\) and dense\(\)"):
        part(some())


def test_only_vectors_of_fitting_length_and_axes_that_there_are_count() -> None:
    for factors in (np.ones(3), np.ones((1, 2))):
        with pytest.raises(UsageError, match=r"factors of sparse rows: expected shape \(2,\)"):
            factors @ some()
    with pytest.raises(UsageError, match="axis must be None, 0 or 1, not 2"):
        some().sum(axis=2)
    with pytest.raises(UsageError, match=r"expected shape \(2, 3\)"):
        some().aligned(Sparse(([1], ([0], [0])), (1, 1)))
    with pytest.raises(UsageError, match="sparse: expected a matrix"):
        Sparse.of([1, 2])


# --- arithmetic ----------------------------------------------------------------------------------


@patient
@given(triples())
def test_sums_and_products_are_those_of_the_dense_matrix(
    given: tuple[Array, Array, Array, tuple[int, int]],
) -> None:
    values, rows, columns, shape = given
    found = Sparse((values, (rows, columns)), shape)
    dense = found.dense()
    for axis in (None, 0, 1, -1, -2):
        np.testing.assert_allclose(found.sum(axis=axis), dense.sum(axis=axis), rtol=1e-13)
        np.testing.assert_array_equal(found.any(axis=axis), dense.any(axis=axis))
    for factors in (np.arange(shape[0]) + 0.5, np.arange(shape[0]), np.ones(shape[0], bool)):
        np.testing.assert_allclose(factors @ found, factors @ dense, rtol=1e-13)
    np.testing.assert_allclose(np.arange(shape[0]).tolist() @ found, np.arange(shape[0]) @ dense)


def test_matrices_of_one_pattern_share_its_memory() -> None:
    one, other = some(), Sparse(([3.0, 2, 1], [0, 0, 1], [0, 1, 1, 3]), SHAPE)
    first, second = one.aligned(other)
    assert first is one
    assert second.rows is one.rows
    assert second.indptr is one.indptr
    assert second.values is other.values
    within = Sparse(([9.0, 0.0], ([0, 1], [2, 0])), SHAPE)  # a zero where the other has no entry
    first, second = one.aligned(within)
    assert first is one
    assert second.rows is one.rows
    assert second.dense().tolist() == [[0, 0, 9], [0, 0, 0]]
    first, second = within.aligned(one)
    assert first.dense().tolist() == [[0, 0, 9], [0, 0, 0]]
    assert second.dense().tolist() == DENSE
    assert first.rows is second.rows
    assert first.nnz == 4


# --- epochs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "weights",
    [
        Sparse.of([[1, 0, 3], [0, 0, 0]]),
        scipy.sparse.csr_array([[1, 0, 3], [0, 0, 0]]),
        scipy.sparse.coo_matrix([[1, 0, 3], [0, 0, 0]]),
    ],
    ids=["ours", "csr", "coo"],
)
def test_an_epoch_takes_sparse_matrices_and_scales_their_rows(weights: Any) -> None:
    found: Any = Epoch([3, 1], weights).weights
    assert isinstance(found, Sparse)
    assert found.dense().tolist() == [[0.25, 0, 0.75], [0, 0, 0]]
    assert Epoch([3, 1], found).weights is found
    assert repr(Epoch([3, 1], found)) == "Epoch(2 validators, 3 miners, 0 seats)"


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_scaling_twice_is_scaling_once(kind: Any) -> None:
    for seed in range(5):
        _, said = network(50, 400, 5000, seed, kind)
        once: Any = Epoch(np.ones(50), said).weights
        assert once.dtype == kind
        assert once.rows is said.rows
        again: Any = Epoch(np.ones(50), once).weights
        assert again is once
        np.testing.assert_allclose(once.sum(axis=1), 1, rtol=1e-7 if kind == np.float32 else 1e-13)
    equal = Sparse((np.full(10**6, 1e-6), np.zeros(10**6, int), np.arange(10**6 + 1)), (1, 10**6))
    kept: Any = Epoch([1], equal).weights
    assert kept is equal


def test_an_epoch_of_sparse_weights_is_refused_like_one_of_dense_ones() -> None:
    with pytest.raises(UsageError, match=r"stake: expected shape \(2,\) \(weights has 2 rows\)"):
        Epoch([1, 2, 3], some())
    huge = Sparse(([1e308, 1e308, 1], SOME[1]), SHAPE)
    with pytest.raises(UsageError, match="weights: row 0 sums to inf; scale it down"):
        Epoch([1, 2], huge)
    with pytest.raises(UsageError, match="chain: a record needs dense weights"):
        Epoch([1, 2], some(), chain=Chain(block=7))
    with pytest.raises(UsageError, match=r"votes: not an array of numbers .*dense\(\)"):
        Epoch([1, 2], some(), votes=some())


def test_a_dense_matrix_larger_than_memory_says_that_there_is_another_way() -> None:
    shape = (10_000, 10**9)
    everywhere = np.broadcast_to(np.float32(1), shape)
    with pytest.raises(UsageError, match=r"80000\.0 GB as a dense array.*trilemma\.Sparse"):
        Epoch(np.ones(10_000), everywhere)
    with pytest.raises(UsageError, match=r"sparse: dense\(\): .* 80000\.0 GB"):
        Sparse(([1.0], [0], np.minimum(np.arange(10**6 + 1), 1)), (10**7, 10**6)).dense()


def test_a_system_that_does_not_tell_its_memory_refuses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("os.sysconf")
    fields.fits("weights", (10**9, 10**9))


def test_pickles_hold_no_default_written_out() -> None:
    _, said = network(2000, 3000, 5000)
    epoch: Any = Epoch(np.ones(2000), said, carry=state(said))
    pickled = pickle.dumps(epoch)
    assert len(pickled) < 300_000
    found = pickle.loads(pickled)
    assert found.weights.dense().tolist() == epoch.weights.dense().tolist()
    assert found.votes.strides == found.flows.strides == (0, 0)
    assert found.tenure.tolist() == [np.inf] * 2000
    for array in (found.weights.values, found.carry.bonds.values):
        assert not array.flags.writeable


# --- mechanisms ----------------------------------------------------------------------------------

TENTHS = st.integers(0, 10).map(lambda tenths: tenths / 10)
PART = st.sampled_from([0.0, 0.1, 0.5, 1.0]) | st.floats(0.001, 1)
# Not less: from denormal ranks the dense kernel makes no dividends, or rounded ones.
SAID = st.sampled_from([0.0, -0.0, 1e-200, 0.25, 0.5, 1.0]) | st.floats(0.001, 1)


@st.composite
def yumas(draw: st.DrawFn) -> Yuma:
    version, (low, high) = draw(st.sampled_from([2, 3])), sorted([draw(PART), draw(PART)])
    return Yuma(
        draw(TENTHS), draw(PART), draw(PART), version,
        liquid_alpha=draw(st.booleans()), alpha_low=low, alpha_high=high,
        steepness=draw(st.floats(-50, 50)),
        max_validators=draw(st.none() | st.integers(1, 4)),
        stake_threshold=draw(st.sampled_from([0.0, 0.0, 2.0])),
    )  # fmt: skip


@st.composite
def mechanisms(draw: st.DrawFn) -> Mechanism:
    inner = draw(yumas())
    rules: list[Mechanism] = [
        inner,
        inner,
        StakeCapped(inner=inner),
        StakeCapped(cap=0.3, inner=inner),
        Quadratic(inner=inner),
        DaoVote(inner=inner),
        DaoVote("stake", inner=inner),
        StakeWeighted(),
        Dictator(),
    ]
    return draw(st.sampled_from(rules))


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Array, Array, dict[str, Any]]]:
    """Return stake, weights and votes of three epochs, perhaps of different patterns."""
    n, m = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    stakes = st.integers(0, 9) | st.sampled_from([0.0, 0.1, 1e-9, 1e9])

    def matrix(part: st.SearchStrategy[Any]) -> Array:
        rows = st.lists(part, min_size=m, max_size=m)
        return np.array(draw(st.lists(rows, min_size=n, max_size=n)))

    votes = {"votes": matrix(st.sampled_from([-1, 0, 1]))} if draw(st.booleans()) else {}
    facts = {**votes, "seats": [n - 1]}
    return [
        (np.array(draw(st.lists(stakes, min_size=n, max_size=n))), matrix(SAID), facts)
        for _ in range(3)
    ]


@settings(patient, max_examples=200)
@given(mechanisms(), histories(), st.booleans())
def test_every_mechanism_pays_as_for_dense_weights(
    mechanism: Mechanism, history: list[tuple[Array, Array, dict[str, Any]]], zeros: bool
) -> None:
    """Also where patterns change, stake comes and goes, and zeros are entries."""
    dense_carry = sparse_carry = None
    for stake, said, facts in history:
        dense = Epoch(stake, said, carry=dense_carry, **facts)
        places = np.indices(said.shape).reshape(2, -1) if zeros else np.nonzero(dense.weights)
        rows, columns = places
        given = Sparse((dense.weights[rows, columns], (rows, columns)), said.shape)
        sparse = Epoch(stake, given, carry=sparse_carry, **facts)
        expected, found = call("dense", mechanism, dense), call("sparse", mechanism, sparse)
        np.testing.assert_allclose(found.miners, expected.miners, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.validators, expected.validators, rtol=0, atol=1e-12)
        dense_carry, sparse_carry = expected.carry, found.carry
        if dense_carry is not None:
            assert isinstance(sparse_carry.bonds, Sparse)
            bonds = sparse_carry.bonds.dense()
            np.testing.assert_allclose(bonds, dense_carry.bonds, rtol=0, atol=1e-12)
            np.testing.assert_array_equal(sparse_carry.permits, dense_carry.permits)


@pytest.mark.parametrize("version", [2, 3])
def test_ranks_that_are_hardly_numbers_pay_dividends_in_proportion(version: int) -> None:
    rule, said = Yuma(kappa=1, version=version), [[1, 2e-323], [2e-323, 1]]
    bonds = np.array([[0.3, 0.1], [0.2, 0.9]])
    found = call("it", rule, Epoch([2, 1], Sparse.of(said), carry=state(Sparse.of(bonds))))
    expected = rule.stages(Epoch([2, 1], said, carry=state(bonds)))
    np.testing.assert_allclose(found.miners, [0.5, 0.5], rtol=1e-12)
    np.testing.assert_allclose(found.validators, expected["dividends"], rtol=1e-12)


@pytest.mark.parametrize("spec", ["yuma", "yuma(version=2)", "yuma(liquid_alpha=True)"])
def test_float32_agrees_as_far_as_its_digits_go(spec: str) -> None:
    mechanism = registry.load(spec)
    stake, said = network(300, 200, 20_000, kind=np.float32)
    sparse: Any = Epoch(stake, said)
    dense = Epoch(stake, sparse.weights.dense())
    for _ in range(3):
        expected, found = call("dense", mechanism, dense), call("sparse", mechanism, sparse)
        assert expected.miners.any()
        np.testing.assert_allclose(found.miners, expected.miners, rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(found.validators, expected.validators, rtol=1e-5, atol=1e-9)
        assert found.carry.bonds.dtype == np.float32
        dense, sparse = dense.replace(carry=expected.carry), sparse.replace(carry=found.carry)


SPECS = [
    "yuma", "yuma(version=2, bonds_penalty=0.5)", "yuma(liquid_alpha=True)",
    "yuma(max_validators=200)", "stake_capped", "quadratic", "dao_vote", "stake_weighted",
]  # fmt: skip


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("spec", SPECS)
def test_any_number_of_threads_pays_the_same_bits(
    spec: str, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mechanism = registry.load(spec)
    monkeypatch.setattr(threads, "LEAST", 1 << 10)
    seen = set()
    for crew in (1, 2, 3):
        monkeypatch.setattr(threads, "available", lambda crew=crew: crew)
        stake, said = network(300, 2000, 40_000, kind=kind)
        _, later = network(300, 2000, 40_000, seed=1, kind=kind)
        assert len(said.parts) > 30
        first = call("it", mechanism, Epoch(stake, said))
        second = call("it", mechanism, Epoch(stake, later, carry=first.carry))
        pools = (first.miners, first.validators, second.miners, second.validators)
        bonds = [] if second.carry is None else [second.carry.bonds.values, second.carry.bonds.rows]
        seen.add(tuple(array.tobytes() for array in (*pools, *bonds)))
    assert len(seen) == 1


def test_an_epoch_holds_ten_bytes_for_an_entry_of_float32() -> None:
    stake, said = network(5000, 2000, 100_000, kind=np.float32)
    epoch: Any = Epoch(stake, said)
    bonds = call("yuma", Yuma(), epoch).carry.bonds
    for _ in range(2):  # where the pattern stays, only values are new
        assert bonds.rows is epoch.weights.rows
        assert bonds.indptr is epoch.weights.indptr
        held = epoch.weights.nbytes + bonds.values.nbytes - epoch.weights.indptr.nbytes
        assert held == 10 * said.nnz
        bonds = call("yuma", Yuma(), epoch.replace(carry=state(bonds))).carry.bonds


def test_bonds_that_are_nothing_any_more_leave_the_pattern() -> None:
    rule, place = Yuma(bonds_moving_average=0.0), [[0, 1], [0, 1]]
    there, elsewhere = (
        Sparse(([1, 1], (place[0], columns)), (2, 3)) for columns in ([0, 1], [2, 2])
    )
    first = call("yuma", rule, Epoch([1, 1], there))
    second = call("yuma", rule, Epoch([1, 1], elsewhere, carry=first.carry))
    assert second.carry.bonds.nnz == 4  # of them two zeros
    third = call("yuma", rule, Epoch([1, 1], elsewhere, carry=second.carry))
    assert third.carry.bonds.nnz == 2


def test_what_needs_dense_weights_says_so() -> None:
    epoch = Epoch([2, 1], some())
    for rule in (Yuma(arithmetic="chain"), Yuma(arithmetic="chain", version=2)):
        with pytest.raises(PluginError, match="stages and arithmetic='chain' need dense weights"):
            call("yuma", rule, epoch)
    with pytest.raises(ValueError, match="need dense weights; give"):
        Yuma().stages(epoch)
    sparse, dense = (
        call("yuma", Yuma(), epoch).carry,
        call("yuma", Yuma(), Epoch([2, 1], DENSE)).carry,
    )
    with pytest.raises(PluginError, match="holds dense bonds, but weights are sparse"):
        call("yuma", Yuma(), epoch.replace(carry=dense))
    with pytest.raises(PluginError, match="holds sparse bonds, but weights are dense"):
        call("yuma", Yuma(), Epoch([2, 1], DENSE, carry=sparse))


def test_a_plugin_that_knows_dense_weights_only_is_told() -> None:
    def picky(epoch: Epoch) -> Array:
        return np.asarray(epoch.weights[0])

    with pytest.raises(PluginError, match=r"cannot be indexed; it offers .*dense\(\)"):
        call("picky", picky, Epoch([2, 1], some()))


def test_sparse_epochs_can_be_simulated() -> None:
    stake, said = network(20, 30, 200)
    dense = Epoch(stake, said.dense())
    for spec in ("yuma", "dao_vote", "yuma(version=2)"):
        mechanism = registry.load(spec)
        found = simulate(mechanism, Epoch(stake, said), epochs=5, compounding=0.01)
        expected = simulate(mechanism, dense, epochs=5, compounding=0.01)
        np.testing.assert_allclose(found.dividends, expected.dividends, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.incentive, expected.incentive, rtol=0, atol=1e-12)
