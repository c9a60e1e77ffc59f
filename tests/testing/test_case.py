"""Cases: what is taken, said and held in them; the way to a file and back."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.testing.looking import CHECKS, FULL, PLAIN, sent
from trilemma.errors import DataError
from trilemma.testing.case import LARGEST, Case
from trilemma.testing.check import Check
from trilemma.testing.drawing import cases

FIELDS = [field.name for field in fields(Case)]

swift = settings(deadline=None)
all_cases = cases(trades=True)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


# --- to a file and back --------------------------------------------------------------------------


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_what_a_check_is_tried_on_comes_back_from_a_file_as_it_was(check: Check) -> None:
    @settings(swift, max_examples=12)
    @given(check.cases)
    def comes_back(case: Case) -> None:
        assert sent(case) == case

    comes_back()


@pytest.mark.parametrize("case", [PLAIN, FULL])
def test_a_case_comes_back_from_a_file_as_it_was(case: Case) -> None:
    assert sent(case) == case


def test_fields_that_are_empty_are_not_told() -> None:
    assert PLAIN.to_json() == {"stake": (3, 1), "weights": ((1, 0, 2), (0, 0, 0))}
    assert list(FULL.to_json()) == FIELDS


@settings(swift, max_examples=60)
@given(json_values)
def test_whatever_is_no_case_is_refused(told: Any) -> None:
    with pytest.raises(DataError):
        Case.read(told)


@settings(swift, max_examples=250)
@given(st.sampled_from([PLAIN, FULL]), st.sampled_from(FIELDS), json_values)
def test_a_case_with_any_value_in_a_field_is_a_case_or_refused(
    case: Case, name: str, value: Any
) -> None:
    told = {**case.to_json(), name: value}
    try:
        read = Case.read(told)
    except DataError:
        return
    assert sent(read) == read
    assert "\n" not in read.words()
    assert 0 <= read.share(0) <= 1


MALFORMED = {
    "no dictionary": [1, 2],
    "no weights": {"stake": [1]},
    "a field of another kind": {"colour": [1]},
    "text for stake": {"stake": ["a", "b"]},
    "numbers as text for stake": {"stake": ["1", "2"]},
    "rows for stake": {"stake": [[1], [1, 2]]},
    "a number for stake": {"stake": 2},
    "stake beyond floats": {"stake": [10**400, 1]},
    "stake below whole numbers": {"stake": [-(10**30), 1]},
    "negative stake": {"stake": [-1, 1]},
    "stake that is not a number": {"stake": [float("nan"), 1]},
    "infinite stake": {"stake": [float("inf"), 1]},
    "stake for others": {"stake": [1, 1, 1]},
    "a number for weights": {"weights": 3},
    "ragged weights": {"weights": [[1, 2], [1]]},
    "no miners": {"weights": [[], []]},
    "nothing in weights": {"weights": [[None, 1], [1, 1]]},
    "votes of another size": {"votes": [[1, 0]]},
    "votes that are none": {"votes": [[2, 0, 0], [0, 0, 0]]},
    "a dictionary for votes": {"votes": {}},
    "false for votes": {"votes": False},
    "no value for flows": {"flows": None},
    "infinite flows": {"flows": [[float("inf"), 0, 0], [0, 0, 0]]},
    "a seat of nobody": {"seats": [2], "orders": [[0, 0, 0]]},
    "half a seat": {"seats": [0.5], "orders": [[0, 0, 0]]},
    "rows for seats": {"seats": [[]]},
    "orders without seats": {"orders": [[1, 0, 0]]},
    "negative tenure": {"tenure": [-1, 0]},
    "a number for validators": {"validators": 1},
    "a validator that is not there": {"validators": [2]},
    "a miner that is not there": {"miners": [-1]},
    "half a miner": {"miners": [0.5]},
    "text for miners": {"miners": "01"},
    "a number for reports": {"reports": 5},
    "a dictionary for reports": {"reports": {}},
    "short reports": {"reports": [[1]]},
    "negative reports": {"reports": [[1, 0, -1]]},
    "a number for numbers": {"numbers": 5},
    "text for numbers": {"numbers": ["5"]},
    "numbers that are none": {"numbers": [float("nan")]},
    "too many miners": {"stake": [1], "weights": [[1] * (LARGEST + 1)]},
    "too many validators": {"stake": [1] * (LARGEST + 1), "weights": [[1]] * (LARGEST + 1)},
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_case_is_refused(what: str) -> None:
    told: Any = MALFORMED[what]
    if what not in ("no dictionary", "no weights"):
        told = {**PLAIN.to_json(), **told}
    with pytest.raises(DataError):
        Case.read(json.loads(json.dumps(told)))


# --- what is taken, said and held ----------------------------------------------------------------


@settings(swift, max_examples=60)
@given(all_cases, st.data())
def test_everything_of_an_account_follows_it(case: Case, data: st.DataObject) -> None:
    n, m = case.shape
    up = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=6))
    across = data.draw(st.lists(st.integers(0, m - 1), min_size=1, max_size=6))
    old, new = case.epoch(), case.taking(up, across).epoch()
    assert (new.stake == old.stake[up]).all()
    assert (new.tenure == old.tenure[up]).all()
    for before, after in (
        (np.array(case.weights), np.array(case.taking(up, across).weights)),
        (old.votes, new.votes),
        (old.flows, new.flows),
    ):
        assert (after == before[np.ix_(up, across)]).all()


@settings(swift, max_examples=60)
@given(all_cases, st.data())
def test_seats_follow_their_accounts_and_orders_their_seats(
    case: Case, data: st.DataObject
) -> None:
    up = data.draw(st.lists(st.integers(0, case.shape[0] - 1), min_size=1, max_size=6))
    after = case.taking(rows=up)
    stay = [it for it, holder in enumerate(case.seats) if holder in up]
    assert [up[seat] for seat in after.seats] == [case.seats[it] for it in stay]
    assert after.orders == tuple(case.orders[it] for it in stay)
    assert all(seat == up.index(up[seat]) for seat in after.seats)  # not that of a copy


def test_a_seat_goes_with_the_account_that_holds_it() -> None:
    alone = FULL.taking(rows=[2])
    assert (alone.seats, alone.orders) == ((0,), ((1, 0),))
    turned = FULL.taking(rows=[0, 2, 1], columns=[1, 0])
    assert (turned.seats, turned.orders) == ((1, 0), ((0, 1), (-1, 0)))


@given(all_cases)
@settings(swift, max_examples=30)
def test_who_takes_all_changes_nothing(case: Case) -> None:
    n, m = case.shape
    assert case.taking() == case
    assert case.taking(range(n), range(m)) == case


def test_reports_of_those_who_act_follow_the_miners() -> None:
    assert FULL.taking(columns=[1, 0, 1]).reports == ((4, 0, 4), (1, 1, 1))


def test_saying_and_holding_change_what_they_name_and_nothing_else() -> None:
    said = PLAIN.saying({1: (0, 5, 0)})
    assert said == replace(PLAIN, weights=((1, 0, 2), (0, 5, 0)))
    held = FULL.holding({0: 7, 2: 0})
    assert held == replace(FULL, stake=(7, 0, 0))


def test_shares_are_of_all_stake_and_0_where_there_is_none() -> None:
    assert FULL.share(0) == 5 / 7
    assert FULL.share(0, 2) == 1
    assert FULL.share() == 0
    assert replace(FULL, stake=(0, 0, 0)).share(0, 1, 2) == 0


def test_whole_stake_stays_whole_while_it_fits() -> None:
    most = 2**62
    assert Case((most, 1), ((1,), (1,))).epoch().stake.tolist() == [most, 1]
    assert Case((most, most), ((1,), (1,))).epoch().stake.dtype == np.float64
    assert Case((1.5, 1), ((1,), (1,))).epoch().stake.tolist() == [1.5, 1]


@settings(swift, max_examples=40)
@given(all_cases)
def test_words_are_one_line_that_names_all_there_is(case: Case) -> None:
    words = case.words()
    assert "\n" not in words
    told = case.to_json().keys() - {"weights"} | {"reports"}
    assert [it.split()[0] for it in words.split("; ")] == [it for it in ORDER if it in told]


ORDER = ["stake", "reports", "votes", "seats", "orders", "flows", "tenure", "subnets"]


def test_words_tell_a_case_as_one_would_write_it() -> None:
    assert PLAIN.words() == "stake 3 1; reports 1 0 2 | 0 0 0"
    assert FULL.words() == (
        "stake 5 0 2; reports 1 0 | 0 0 | 3 4; votes 1 0 | 0 -1 | 0 0; seats 2 0; "
        "orders 1 0 | 0 -1; flows 0 -7 | 0 0 | 1 0; tenure 0 2 100; subnets 4 1"
    )
