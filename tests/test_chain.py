"""Records of a chain: what is refused, what is kept, and that junk never reaches a mechanism."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trilemma.chain import NEVER, Chain, Csr
from trilemma.contract import call
from trilemma.errors import UsageError
from trilemma.model import Epoch, Rewards
from trilemma_mechanisms.yuma import Yuma

Array = npt.NDArray[Any]
Rows = list[list[tuple[int, int]]]

U64 = 2**64 - 1


def csr(indptr: Any, indices: Any, values: Any) -> Csr:
    return Csr(indptr, indices, values)


def chain(**given: Any) -> Chain:
    return Chain(**given)


def epoch(**given: Any) -> Epoch:
    """Return an epoch of two validators and three miners with a record."""
    return Epoch([3, 1], [[1, 1, 2], [0, 1, 1]], chain=chain(**given))


def refusal(make: Callable[..., Any], *given: Any, **named: Any) -> str:
    """Return the one line with which something is refused."""
    with pytest.raises(UsageError) as caught:
        make(*given, **named)
    assert str(caught.value).isprintable()
    return str(caught.value)


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            ([0, 2, 1, 2], [0, 1], [5, 5]),
            "csr: indptr must rise from 0 to 2, the number of values, not [0 2 1 2]",
        ),
        (
            ([1, 2], [0, 1], [5, 5]),
            "csr: indptr must rise from 0 to 2, the number of values, not [1 2]",
        ),
        (
            ([0, 1], [0, 1], [5, 5]),
            "csr: indptr must rise from 0 to 2, the number of values, not [0 1]",
        ),
        (
            ([0, 3], [0, 1], [5, 5]),
            "csr: indptr must rise from 0 to 2, the number of values, not [0 3]",
        ),
        (([], [], []), "csr: indptr must rise from 0 to 0, the number of values, not []"),
        (([0, -1], [], []), "csr: indptr: expected 0 or more, got -1"),
        ((0, [], []), "csr: indptr: expected whole numbers (k,), got int64 ()"),
        (([[0, 1]], [0], [5]), "csr: indptr: expected whole numbers (k,), got int64 (1, 2)"),
        (([0.0, 1.0], [0], [5]), "csr: indptr: expected whole numbers (k,), got float64 (2,)"),
        ((["0"], [], []), "csr: indptr: expected real numbers, got <U1"),
        ((None, [], []), "csr: indptr: expected whole numbers (k,), got float64 ()"),
        (
            ([0, 2], [0], [5, 5]),
            "csr: indices: expected shape (2,) (one column per value), got (1,)",
        ),
        (([0, 1], [-1], [5]), "csr: indices: expected 0 or more, got -1"),
        (([0, 1], [0.0], [5]), "csr: indices: expected whole numbers (k,), got float64 (1,)"),
        (([0, 2], [1, 1], [5, 5]), "csr: indices name a column twice in one row"),
        (([0, 2], [U64, U64 - 1], [5, 5]), "csr: indices name a column twice in one row"),
        (([0, 1], [0], [65536]), "csr: values must be in 0..65535 (u16), not 65536"),
        (([0, 1], [0], [U64]), f"csr: values must be in 0..65535 (u16), not {NEVER}"),
        (([0, 1], [0], [-1]), "csr: values: expected 0 or more, got -1"),
        (([0, 1], [0], [0.5]), "csr: values: expected whole numbers (k,), got float64 (1,)"),
        (([0, 1], [0], [np.nan]), "csr: values: expected whole numbers (k,), got float64 (1,)"),
    ],
    ids=str,
)
def test_rows_that_do_not_fit_are_refused_by_field(given: tuple[Any, ...], said: str) -> None:
    assert refusal(csr, *given) == said


def test_pointers_that_do_not_fit_are_refused_in_one_line_however_many_they_are() -> None:
    assert refusal(csr, np.arange(100), [1], [1]).startswith("csr: indptr must rise from 0 to 1")


@pytest.mark.parametrize("matrix", [[[-1]], [[65536]], [[0.5]], [["a"]], [[None]]], ids=str)
def test_a_matrix_that_is_none_of_u16_is_refused(matrix: Any) -> None:
    assert refusal(Csr.of, matrix).startswith("csr: values")


@pytest.mark.parametrize("matrix", [1, [1, 2], [[[1]]], [[1, 2], [3]], "ab"], ids=str)
def test_what_is_no_matrix_is_refused(matrix: Any) -> None:
    assert refusal(Csr.of, matrix).startswith("csr: ")


def test_the_same_column_in_two_rows_is_no_duplicate() -> None:
    assert csr([0, 1, 2], [1, 1], [5, 6]).dense(2).tolist() == [[0, 5], [0, 6]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"block": -1}, f"chain: block must be in 0..{U64}, not -1"),
        ({"block": 2**64}, f"chain: block must be in 0..{U64}, not {2**64}"),
        ({"block": 1.0}, f"chain: block must be in 0..{U64}, not 1.0"),
        ({"block": "1"}, f"chain: block must be in 0..{U64}, not '1'"),
        ({"tempo": -1}, f"chain: tempo must be in 0..{U64}, not -1"),
        ({"tempo": None}, f"chain: tempo must be in 0..{U64}, not None"),
        ({"last_step": None}, f"chain: last_step must be in 0..{U64}, not None"),
        ({"last_step": -1}, f"chain: last_step must be in 0..{U64}, not -1"),
        ({"owner": -1}, f"chain: owner must be in 0..{U64}, not -1"),
        ({"owner": 2}, "chain: owner (a uid) must be in 0..1, not 2"),
        ({"last_update": [1, -5]}, "chain: last_update: expected 0 or more, got -5"),
        ({"registered": [1, -5, 1]}, "chain: registered: expected 0 or more, got -5"),
        ({"commits": [-5, 1]}, "chain: commits: expected 0 or more, got -5"),
        (
            {"last_update": [1.5, 1]},
            "chain: last_update: expected whole numbers (k,), got float64 (2,)",
        ),
        (
            {"registered": [[1], [1], [1]]},
            "chain: registered: expected whole numbers (k,), got int64 (3, 1)",
        ),
        ({"permits": 1}, "chain: permits: expected whole numbers (k,), got int64 ()"),
        ({"permits": ["yes", "no"]}, "chain: permits: expected real numbers, got <U3"),
        ({"permits": [-1, 1]}, "chain: permits: expected 0 or more, got -1"),
        ({"resets": [0.0] * 3}, "chain: resets: expected whole numbers (k,), got float64 (3,)"),
        (
            {"last_update": [1]},
            "chain: last_update: expected shape (2,) (one per validator), got (1,)",
        ),
        ({"permits": []}, "chain: permits: expected shape (2,) (one per validator), got (0,)"),
        ({"commits": [1] * 3}, "chain: commits: expected shape (2,) (one per validator), got (3,)"),
        (
            {"registered": [1, 1]},
            "chain: registered: expected shape (3,) (one per miner), got (2,)",
        ),
        ({"resets": [1, 0]}, "chain: resets: expected shape (3,) (one per miner), got (2,)"),
        ({"weights": [[1]]}, "chain: weights must be a Csr, not list"),
        ({"bonds": np.ones((2, 3))}, "chain: bonds must be a Csr, not ndarray"),
        ({"weights": csr([0], [], [])}, "chain: weights has 0 rows for 2 validators"),
        ({"bonds": Csr.of(np.eye(3, dtype=int))}, "chain: bonds has 3 rows for 2 validators"),
        (
            {"weights": csr([0, 0, 1], [3], [9])},
            "chain: weights names column 3; miners are 0..2",
        ),
        (
            {"bonds": csr([0, 1, 1], [U64], [9])},
            f"chain: bonds names column {NEVER}; miners are 0..2",
        ),
    ],
    ids=str,
)
def test_a_wrong_fact_is_named_with_its_value(given: dict[str, Any], said: str) -> None:
    assert refusal(epoch, **given) == said


# --- what is kept --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        np.array([U64, 5], np.uint64),
        np.array([NEVER, 5]),
        [NEVER, 5],
        [np.uint64(U64), np.uint64(5)],
        [U64, 5],
        (5, U64),
    ],
    ids=repr,
)
@pytest.mark.parametrize("name", ["last_update", "registered", "commits"])
def test_the_last_block_of_a_u64_is_never(name: str, given: Any) -> None:
    kept = getattr(chain(**{name: given}), name)
    assert kept.dtype == np.int64
    assert sorted(kept.tolist()) == [5, NEVER]


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.uint16, np.int32, np.uint64, ">u4", bool])
def test_whole_numbers_of_every_type_are_taken(kind: Any) -> None:
    ones = np.array([0, 1], kind)
    kept = chain(last_update=ones, permits=ones, weights=csr(ones, ones[1:], ones[1:]))
    assert kept.last_update is not None
    assert kept.last_update.tolist() == [0, 1]
    assert kept.permits is not None
    assert kept.permits.tolist() == [False, True]
    assert kept.weights is not None
    assert kept.weights.dense(2).tolist() == [[0, 1]]


def test_any_number_but_zero_is_a_flag() -> None:
    kept = chain(permits=[2, 0], resets=[True, False, U64])
    assert kept.permits is not None
    assert kept.resets is not None
    assert kept.permits.tolist() == [True, False]
    assert kept.resets.tolist() == [True, False, True]


@st.composite
def rows(draw: st.DrawFn) -> tuple[Rows, int]:
    """Return rows in any order of columns, some of their entries zero, and how many miners."""
    n, m = draw(st.integers(0, 5)), draw(st.integers(1, 6))
    values = st.sampled_from([0, 1, 65535]) | st.integers(0, 65535)
    entries = st.tuples(st.integers(0, m - 1), values)
    unique = st.lists(entries, max_size=m, unique_by=lambda entry: entry[0])
    return draw(st.lists(unique, min_size=n, max_size=n)), m


@given(rows())
def test_rows_become_the_matrix_that_they_name(given: tuple[Rows, int]) -> None:
    stored, m = given
    flat = [entry for row in stored for entry in row]
    pointers = np.cumsum([0, *map(len, stored)])
    it = csr(pointers, [column for column, _ in flat], [value for _, value in flat])
    dense, held = np.zeros((len(stored), m)), np.zeros((len(stored), m), bool)
    for row, entries in enumerate(stored):
        for column, value in entries:
            dense[row, column], held[row, column] = value, True
    assert it.dense(m).tolist() == dense.tolist()
    assert it.entries(m).tolist() == held.tolist()
    assert it.rows.tolist() == [row for row, entries in enumerate(stored) for _ in entries]
    assert it.indices.tolist() == [column for column, _ in flat]  # in the order given


@given(arrays(np.uint16, st.tuples(st.integers(0, 5), st.integers(0, 6))))
def test_a_matrix_comes_back_with_an_entry_everywhere(matrix: Array) -> None:
    it, miners = Csr.of(matrix), matrix.shape[1]
    assert it.dense(miners).tolist() == matrix.tolist()
    assert it.entries(miners).all()
    again = csr(it.indptr, it.indices, it.values)
    assert again.dense(miners).tolist() == matrix.tolist()


# --- nothing changes -----------------------------------------------------------------------------


def full() -> Chain:
    return chain(
        block=900,
        tempo=99,
        last_step=800,
        owner=1,
        last_update=np.array([700, U64], np.uint64),
        registered=[1, 2, 3],
        permits=[True, False],
        commits=np.array([U64, 5], np.uint64),
        resets=[False, True, False],
        weights=csr([0, 2, 3], [2, 0, 1], [9, 0, 7]),
        bonds=Csr.of(np.ones((2, 3), int)),
    )


def parts(record: Chain) -> dict[str, Any]:
    """Return everything in a record by name, rows taken apart."""
    found: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        inner = {f"{field.name}.{it.name}": it.name for it in fields(Csr)}
        if isinstance(value, Csr):
            found |= {name: getattr(value, it) for name, it in inner.items()}
        else:
            found[field.name] = value
    return found


@pytest.mark.parametrize(
    "again",
    [
        lambda it: it,
        lambda it: pickle.loads(pickle.dumps(it)),
        copy.deepcopy,
        copy.copy,
        lambda it: copy.deepcopy(Epoch([3, 1], np.ones((2, 3)), chain=it)).chain,
    ],
    ids=["itself", "pickled", "deep copy", "copy", "in an epoch"],
)
def test_a_record_survives_travel_and_stays_read_only(again: Callable[[Chain], Chain]) -> None:
    first, second = parts(full()), parts(again(full()))
    assert first.keys() == second.keys()
    for name, one in first.items():
        other = second[name]
        np.testing.assert_array_equal(other, one)
        assert type(other) is type(one)
        if isinstance(other, np.ndarray):
            assert other.dtype == one.dtype
            with pytest.raises(ValueError, match="WRITEABLE"):
                other.flags.writeable = True
            with pytest.raises(ValueError, match="read-only"):
                other[...] = 0


def test_fields_of_a_record_cannot_be_set() -> None:
    record: Any = full()
    for thing, name in ((record, "block"), (record, "permits"), (record.weights, "values")):
        with pytest.raises(AttributeError, match=name):
            setattr(thing, name, None)


def test_the_callers_arrays_stay_the_callers() -> None:
    given = np.array([0, 1])
    record = chain(last_update=given, permits=given.astype(bool), weights=csr(given, [1], [5]))
    given[:] = 7
    assert record.last_update is not None
    assert record.last_update.tolist() == [0, 1]
    assert record.weights is not None
    assert record.weights.indptr.tolist() == [0, 1]


# --- junk ----------------------------------------------------------------------------------------

EDGES = st.sampled_from([0, 1, 2, 359, 360, 5000, 65535, 65536, 2**63 - 1, 2**63, U64])
WHOLE = EDGES | st.integers(0, 9)
ODD = st.sampled_from([-1, 2**64, 0.5, np.nan, None, "1", True, [1], np.uint64(U64), np.int8(-1)])


def mostly(usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 19).flatmap(lambda chance: usual if chance else odd)


def lists(length: int, elements: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return lists of that length, or sometimes of another or of anything."""
    usual = st.lists(elements, min_size=length, max_size=length)
    return mostly(usual, st.lists(elements | ODD, max_size=6) | ODD)


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    """Return stake, weights and junk for every fact beside them, most of it nearly right."""
    n = draw(st.integers(1, 4))
    m = n if draw(st.booleans()) else draw(st.integers(1, 4))
    flags = st.integers(0, 1) | st.booleans()
    facts = {
        "block": mostly(WHOLE | st.none(), ODD),
        "tempo": mostly(WHOLE, st.sampled_from([-1, 0.5, "1", 2**64])),
        "last_step": mostly(WHOLE, ODD),
        "owner": mostly(st.none() | st.integers(0, min(n, m) - 1), ODD),
        **{name: st.none() | lists(n, WHOLE) for name in ("last_update", "commits")},
        "registered": st.none() | lists(m, WHOLE),
        "permits": st.none() | lists(n, flags),
        "resets": st.none() | lists(m, flags),
    }
    return {
        "stake": draw(arrays(np.int64, n, elements=st.integers(0, 3) | st.just(2**61))),
        "weights": draw(arrays(np.float64, (n, m), elements=st.integers(0, 3).map(float))),
        "facts": {name: draw(junk) for name, junk in facts.items()},
        "csr": {name: draw(st.none() | junk_rows(n, m)) for name in ("weights", "bonds")},
    }


@st.composite
def junk_rows(draw: st.DrawFn, n: int, m: int) -> tuple[Any, Any, Any]:
    sizes = draw(st.lists(st.integers(0, m), min_size=n, max_size=n))
    columns = [draw(st.permutations(range(m)))[:size] for size in sizes]
    indices: Any = [column for row in columns for column in row]
    u16 = st.integers(0, 3) | st.sampled_from([65534, 65535])
    indptr = draw(mostly(st.just(np.cumsum([0, *sizes])), lists(n + 1, st.integers(0, 4))))
    indices = draw(mostly(st.just(indices), lists(len(indices), st.integers(0, m))))
    return indptr, indices, draw(lists(sum(sizes), u16))


KINDS: list[dict[str, Any]] = [
    {"version": version, "liquid_alpha": liquid, "arithmetic": arithmetic}
    for version, liquid in ((2, False), (3, False), (3, True))
    for arithmetic in ("float", "chain")
]
LIMITS: dict[str, Any] = {"bonds_penalty": 0.5, "bonds_reset": True, "max_validators": 1}
RULES = [Yuma(**kind, **more) for kind in KINDS for more in ({}, LIMITS)]


def tried(given: dict[str, Any]) -> Epoch | str:
    """Return the epoch, or why there is none."""
    try:
        stored = {name: it and csr(*it) for name, it in given["csr"].items()}
        record = chain(**given["facts"], **stored)
        return Epoch(given["stake"], given["weights"], chain=record)
    except UsageError as error:
        return str(error)


@settings(max_examples=150, deadline=None)  # the first call compiles
@given(records())
def test_junk_is_refused_in_one_line_or_is_paid_like_anything_else(given: dict[str, Any]) -> None:
    first = tried(given)
    if isinstance(first, str):
        assert first.startswith(("csr: ", "chain: "))
        assert first.isprintable()
        return
    for rule in RULES:
        now = first
        for _ in range(2):
            pay = call("yuma", rule, now)
            assert np.isfinite(pay.miners).all()
            assert np.isfinite(pay.validators).all()
            answer = rule(now)
            assert isinstance(answer, Rewards)
            now = first.replace(carry=answer.carry)


def test_places_tell_the_order_of_rows_that_are_not_in_the_order_of_columns() -> None:
    assert csr([0, 2, 3], [0, 2, 1], [5, 6, 7]).places(3) is None
    found = csr([0, 2, 3], [2, 0, 1], [5, 0, 7]).places(3)
    assert found is not None
    assert found.tolist() == [[1, NEVER, 0], [NEVER, 2, NEVER]]
