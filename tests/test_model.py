from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trilemma.chain import Chain
from trilemma.errors import UsageError
from trilemma.model import Budget, Epoch, Mechanism, Rewards

Array = npt.NDArray[Any]

STAKE = np.array([3.0, 1.0])
WEIGHTS = np.array([[1.0, 0.0, 3.0], [0.0, 0.5, 0.5]])
RECORD = Chain(block=720, tempo=99, last_update=np.array([700, 0]), registered=np.array([1, 2, 3]))
FIELDS = ("stake", "weights", "votes", "seats", "orders", "flows", "tenure")


def epoch(**given: Any) -> Epoch:
    return Epoch(**{"stake": STAKE, "weights": WEIGHTS, **given})


def full(**given: Any) -> Epoch:
    facts: dict[str, Any] = {
        "votes": np.array([[1, -1, 0], [0, 0, 1]]),
        "seats": np.array([1, 0]),
        "orders": np.array([[1, 0, 0], [0, -1, 0]]),
        "flows": np.array([[0.5, -1.5, 0], [0, 0, 2]]),
        "tenure": np.array([4.0, 0.0]),
        "chain": RECORD,
        "carry": np.eye(2, 3),
    }
    return epoch(**{**facts, **given})


def refusal(**given: Any) -> str:
    """Return the one line with which an epoch is refused."""
    with pytest.raises(UsageError) as caught:
        epoch(**given)
    assert str(caught.value).isprintable()
    return str(caught.value)


# --- what is refused -----------------------------------------------------------------------------

HUGE = 10**400


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"stake": [3, np.nan]},
            "stake: expected finite numbers, not negative; got nan at [1]",
        ),
        (
            {"stake": [np.inf, 1]},
            "stake: expected finite numbers, not negative; got inf at [0]",
        ),
        ({"stake": [3, -2]}, "stake: expected finite numbers, not negative; got -2 at [1]"),
        ({"stake": [3, -0.5]}, "stake: expected finite numbers, not negative; got -0.5 at [1]"),
        ({"stake": [[3, 1]]}, "stake: expected one number per validator, got shape (1, 2)"),
        ({"stake": 3}, "stake: expected one number per validator, got shape ()"),
        ({"stake": []}, "stake: expected one number per validator, got shape (0,)"),
        ({"stake": ["3", "1"]}, "stake: expected real numbers, got <U1"),
        ({"stake": [3j, 1]}, "stake: expected real numbers, got complex128"),
        ({"stake": [3, 1, 2]}, "stake: expected shape (2,) (weights has 2 rows), got (3,)"),
        (
            {"weights": [[1, 2], [np.nan, 1]]},
            "weights: expected finite numbers, not negative; got nan at [1, 0]",
        ),
        (
            {"weights": [[1, 2], [3, -1]]},
            "weights: expected finite numbers, not negative; got -1.0 at [1, 1]",
        ),
        ({"weights": [1, 2]}, "weights: expected (validators, miners), got shape (2,)"),
        ({"weights": [[], []]}, "weights: expected (validators, miners), got shape (2, 0)"),
        (
            {"weights": [[[1]], [[1]]]},
            "weights: expected (validators, miners), got shape (2, 1, 1)",
        ),
        (
            {"weights": [[1e308, 1e308], [1, 1]]},
            "weights: row 0 sums to inf; scale it down",
        ),
        (
            {"votes": np.full((2, 3), 2)},
            "votes: expected -1, 0 or 1, got 2 at [0, 0]",
        ),
        (
            {"votes": np.where(WEIGHTS == 3, np.nan, 0)},
            "votes: expected -1, 0 or 1, got nan at [0, 2]",
        ),
        (
            {"votes": np.zeros((3, 2))},
            "votes: expected shape (2, 3) (as stake, weights and seats have it), got (3, 2)",
        ),
        ({"seats": [0, 2]}, "seats: 2 is no validator; they are numbered 0..1"),
        ({"seats": [-1]}, "seats: -1 is no validator; they are numbered 0..1"),
        ({"seats": [0.0]}, "seats: expected whole numbers (k,), got float64 (1,)"),
        ({"seats": [[0]]}, "seats: expected whole numbers (k,), got int64 (1, 1)"),
        (
            {"orders": np.zeros((1, 3))},
            "orders: expected shape (0, 3) (as stake, weights and seats have it), got (1, 3)",
        ),
        (
            {"seats": [1], "orders": [[0, -2, 0]]},
            "orders: expected -1, 0 or 1, got -2 at [0, 1]",
        ),
        (
            {"flows": np.zeros(3)},
            "flows: expected shape (2, 3) (as stake and weights have it), got (3,)",
        ),
        (
            {"flows": np.where(WEIGHTS == 3, np.nan, 0)},
            "flows: expected finite numbers, got nan at [0, 2]",
        ),
        (
            {"tenure": [1]},
            "tenure: expected shape (2,) (as stake has it), got (1,)",
        ),
        ({"tenure": [1, np.nan]}, "tenure: expected 0 or more, got nan at [1]"),
        ({"chain": {"tempo": 360}}, "chain: expected a trilemma.Chain, not dict"),
        ({"chain": Chain}, "chain: expected a trilemma.Chain, not type"),
        (
            {"chain": Chain(last_update=np.arange(3))},
            "chain: last_update: expected shape (2,) (one per validator), got (3,)",
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_place_and_value(given: dict[str, Any], said: str) -> None:
    assert refusal(**given) == said


@pytest.mark.parametrize("name", ["stake", "weights", "votes", "seats", "flows", "tenure"])
@pytest.mark.parametrize("value", ["much", {"a": 1}, [[1], [1, 2]], [object()], [HUGE], [None]])
def test_what_is_no_array_of_numbers_is_refused_by_name(name: str, value: Any) -> None:
    assert refusal(**{name: value}).startswith(f"{name}: ")


def test_stakes_whose_total_is_no_number_are_refused() -> None:
    assert refusal(stake=[1e308, 1e308]).startswith("stake: ")


def test_no_tenure_is_negative_and_no_flow_infinite() -> None:
    assert refusal(tenure=[1, -1]).startswith("tenure: ")
    assert refusal(flows=np.full((2, 3), np.inf)).startswith("flows: ")


# --- what is taken -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "convert",
    [
        np.asarray,
        np.ndarray.tolist,
        lambda it: it.astype(np.float32),
        lambda it: it.astype(np.uint16),
        lambda it: it.astype(np.int64),
        lambda it: it.astype(bool),
        lambda it: it.astype(object),
        lambda it: it.astype(">f8"),
        lambda it: np.asfortranarray(it),
        lambda it: np.repeat(it, 2, axis=-1)[..., ::2],
        lambda it: tuple(map(tuple, it)) if it.ndim > 1 else tuple(it),
    ],
)
def test_anything_that_numpy_can_read_is_taken(convert: Callable[[Array], Any]) -> None:
    weights = np.array([[1, 0, 1], [0, 1, 0]])
    found = epoch(stake=convert(np.array([1, 1])), weights=convert(weights), votes=convert(weights))
    assert found.stake.tolist() == [1, 1]
    assert found.weights.tolist() == [[0.5, 0, 0.5], [0, 1, 0]]
    assert found.votes.tolist() == weights.tolist()
    assert found.weights.dtype == np.float64
    assert found.weights.flags.c_contiguous


def test_what_is_not_given_has_its_default() -> None:
    found = epoch()
    assert found.votes.tolist() == np.zeros((2, 3)).tolist()
    assert found.seats.shape == (0,)
    assert found.orders.shape == (0, 3)
    assert found.flows.tolist() == np.zeros((2, 3)).tolist()
    assert found.tenure.tolist() == [np.inf, np.inf]
    assert found.chain is None
    assert found.carry is None
    assert repr(found) == "Epoch(2 validators, 3 miners, 0 seats)"


def test_one_validator_one_miner_and_no_seat_are_enough() -> None:
    found = Epoch([0], [[0]], seats=[], orders=np.zeros((0, 1)))
    assert (found.stake.tolist(), found.weights.tolist()) == ([0], [[0]])


@pytest.mark.parametrize(
    ("stake", "kept"),
    [
        ([2**53 + 1, 1], np.int64),
        (np.array([2**63 - 1, 0], np.uint64), np.int64),
        (np.array([2**63, 1], np.uint64), np.float64),
        (np.array([65535, 1], np.uint16), np.int64),
        ([True, False], np.int64),
        ([2.0, 1.0], np.float64),
    ],
)
def test_integer_stake_stays_integer(stake: Any, kept: type) -> None:
    found = epoch(stake=stake).stake
    assert found.dtype == kept
    assert found.tolist() == [kept(one) for one in np.asarray(stake).tolist()]


NUMBERS = st.sampled_from([0.0, -0.0, 5e-324, 1e-310, 0.1, 1 / 3, 1.0, 1e300]) | st.floats(0, 1e300)
MATRICES = st.tuples(st.integers(1, 5), st.integers(1, 30)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=NUMBERS)
)


@given(MATRICES)
def test_rows_are_scaled_once_and_never_again(weights: Array) -> None:
    before = weights.copy()
    stake = np.ones(len(weights))
    once = Epoch(stake, weights).weights
    for row, scaled in zip(weights, once, strict=True):
        assert scaled.sum() == pytest.approx(1, abs=1e-12) if row.any() else not scaled.any()
        assert ((scaled > 0) <= (row > 0)).all()
    again = Epoch(stake, once).weights
    assert again.tobytes() == once.tobytes()
    assert weights.tobytes() == before.tobytes()


def test_rows_that_sum_to_one_are_left_as_they_are() -> None:
    nearly = np.array([[0.7, 0.2, 0.1]])
    assert nearly.sum() != 1
    assert Epoch([1], nearly).weights.tobytes() == nearly.tobytes()


# --- nothing changes -----------------------------------------------------------------------------


def test_the_callers_arrays_stay_the_callers() -> None:
    given: dict[str, Any] = {
        "stake": np.array([3, 1], np.int64),
        "weights": np.array([[0.5, 0, 0.5], [0, 0.5, 0.5]]),
        "votes": np.zeros((2, 3), np.int8),
        "seats": np.array([1]),
        "orders": np.zeros((1, 3), np.int8),
        "flows": np.zeros((2, 3)),
        "tenure": np.ones(2),
    }
    found = Epoch(**given)
    for name, array in given.items():
        assert array.flags.writeable
        assert not np.shares_memory(array, getattr(found, name))
        before = getattr(found, name).copy()
        array[...] = array + 1
        np.testing.assert_array_equal(getattr(found, name), before)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("make", [epoch, full])
def test_arrays_cannot_be_written_to_nor_made_writeable(
    make: Callable[[], Epoch], name: str
) -> None:
    array = getattr(make(), name)
    assert not array.flags.writeable
    with pytest.raises(ValueError, match="WRITEABLE"):
        array.flags.writeable = True
    with pytest.raises(ValueError, match="read-only"):
        array[...] = 0


def test_the_memory_under_an_array_cannot_be_made_writeable() -> None:
    base: Any = epoch().weights.base
    while isinstance(base, np.ndarray):
        with pytest.raises(ValueError, match="WRITEABLE"):
            base.flags.writeable = True
        base = base.base


@pytest.mark.parametrize("name", [*FIELDS, "chain", "carry", "other"])
def test_fields_cannot_be_set_or_deleted(name: str) -> None:
    found = full()
    with pytest.raises(AttributeError, match=name):
        setattr(found, name, 1)
    with pytest.raises(AttributeError, match=name):
        delattr(found, name)


def test_another_stake_or_carry_leaves_the_first_epoch_alone() -> None:
    first = full()
    second = first.replace(stake=[1, 7], carry="memory")
    assert (second.stake.tolist(), second.carry) == ([1, 7], "memory")
    assert first.stake.tolist() == STAKE.tolist()
    assert np.array_equal(first.carry, np.eye(2, 3))
    assert not second.stake.flags.writeable
    for name in ("weights", "votes", "seats", "orders", "flows", "tenure", "chain"):
        assert getattr(second, name) is getattr(first, name)
    assert second.replace().carry == "memory"
    assert second.replace().stake is second.stake


@pytest.mark.parametrize(
    ("stake", "said"),
    [
        ([1, np.nan], "stake: expected finite numbers, not negative; got nan at [1]"),
        ([1, 2, 3], "stake: expected shape (2,) (as before), got (3,)"),
    ],
)
def test_another_stake_is_checked_like_the_first(stake: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        full().replace(stake=stake)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    "again", [lambda it: pickle.loads(pickle.dumps(it)), copy.deepcopy, copy.copy]
)
@pytest.mark.parametrize("make", [epoch, full])
def test_an_epoch_survives_pickling_and_copying_read_only(
    make: Callable[[], Epoch], again: Callable[[Epoch], Epoch]
) -> None:
    first = make()
    second = again(first)
    for name in FIELDS:
        one, other = getattr(first, name), getattr(second, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert (second.chain is None) == (first.chain is None)
    if first.chain is not None and second.chain is not None:
        assert (second.chain.block, second.chain.tempo) == (720, 99)
        np.testing.assert_array_equal(second.chain.last_update, first.chain.last_update)
        np.testing.assert_array_equal(second.chain.registered, first.chain.registered)
    np.testing.assert_array_equal(second.carry, first.carry)
    with pytest.raises(AttributeError):
        second.stake = STAKE
    assert not any(getattr(second, name).flags.writeable for name in FIELDS)


def test_rewards_survive_pickling() -> None:
    first = Rewards(np.array([0.5, 0.5]), np.array([1.0]), {"bonds": np.eye(2)})
    second = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(second.miners, first.miners)
    np.testing.assert_array_equal(second.validators, first.validators)
    np.testing.assert_array_equal(second.carry["bonds"], np.eye(2))
    assert pickle.loads(pickle.dumps(Rewards(np.ones(1)))).validators is None


def test_any_callable_is_a_mechanism() -> None:
    assert isinstance(lambda epoch: epoch, Mechanism)
    assert not isinstance(5, Mechanism)


# --- budgets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"stake": 1},
        {"stake": -0.1},
        {"stake": np.nan},
        {"stake": "half"},
        {"identities": 0},
        {"identities": 1025},
        {"identities": 2.5},
        {"identities": "4"},
        {"identity_cost": -1.0},
        {"identity_cost": np.inf},
        {"identity_cost": None},
        {"insiders": ()},
        {"insiders": 3},
        {"insiders": "13"},
        {"epochs": 2},
        {"evaluations": -1},
        {"evaluations": 0.5},
        {"evaluations": 10**8},
    ],
    ids=str,
)
def test_a_budget_out_of_range_is_refused_by_name_and_value(given: dict[str, Any]) -> None:
    [(name, value)] = given.items()
    with pytest.raises(UsageError, match=rf"^budget: {name} .*must be ") as caught:
        Budget(**given)
    assert str(caught.value).endswith(f", not {value!r}")


@pytest.mark.parametrize("size", [0, 11, 2.5, "3"])
def test_a_coalition_size_out_of_range_is_refused_by_value(size: Any) -> None:
    with pytest.raises(UsageError, match=r"^budget: insiders must be ") as caught:
        Budget(insiders=(1, size))
    assert repr(size) in str(caught.value)


@pytest.mark.parametrize(
    ("stake", "steps"), [(0, 1), (0.049, 1), (0.05, 2), (0.15, 4), (0.45, 10), (0.99, 20)]
)
def test_stake_shares_are_twentieths_up_to_the_budget(stake: float, steps: int) -> None:
    shares = Budget(stake).stakes
    assert shares == tuple(step / 20 for step in range(steps))
    assert shares[-1] <= stake + 1e-9


@pytest.mark.parametrize(
    ("identities", "counts"),
    [(1, ()), (2, (2,)), (3, (2,)), (64, (2, 4, 8, 16, 32, 64)), (100, (2, 4, 8, 16, 32, 64))],
)
def test_identity_counts_are_powers_of_two_up_to_the_budget(
    identities: int, counts: tuple[int, ...]
) -> None:
    assert Budget(identities=identities).identity_counts == counts


def test_a_larger_budget_has_everything_that_a_smaller_one_has() -> None:
    small, large = Budget(0.3, 20), Budget(0.33, 21)
    assert set(small.stakes) <= set(large.stakes)
    assert set(small.identity_counts) <= set(large.identity_counts)


def test_a_carry_can_be_taken_away_again() -> None:
    epoch = Epoch([1], [[1]], carry="past")
    assert epoch.replace().carry == "past"
    assert epoch.replace(carry=None).carry is None
