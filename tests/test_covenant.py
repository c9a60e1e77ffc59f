"""The replay of April 2026: what it prints, and that its numbers are those of arithmetic."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trilemma import load
from trilemma.cutoff import CHANNELS, MIX, Terms, cutoff
from trilemma.errors import UsageError
from trilemma.incidents import INCIDENTS, Incident, ask, covenant_2026, prices
from trilemma.incidents.covenant_2026 import (
    ALTERNATIVES,
    FOUNDER,
    PRICE,
    STOOD,
    TERMS,
    network,
)
from trilemma.registry import label
from trilemma.twins import TwinTest

BESIDE = "governed(inner=root_vote, suspension=vote(electorate=by_identity, of='all'))"


@cache
def answer() -> Incident:
    """Return the answer for ten days, at three shares of the founder's, and without a search."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(covenant_2026, "TERMS", Terms(epochs=10, warm_up=4))
        patch.setattr(covenant_2026, "SHARES", (0.05, 0.3, 0.6))
        patch.setattr(prices, "EVALUATIONS", 0)
        return ask("covenant-2026", [BESIDE])


def cells(table: int) -> dict[str, tuple[Any, ...]]:
    return dict(answer().tables[table].rows)


def test_the_json_holds_what_is_documented_for_the_rules_as_they_stood_and_those_asked() -> None:
    told = json.loads(answer().to_json())
    assert told["incident"] == "covenant-2026"
    assert [it["label"] for it in told["mechanisms"]] == [
        label(load(spec)) for spec in (ALTERNATIVES[STOOD], BESIDE)
    ]
    for entry in told["mechanisms"]:
        assert {*entry} == {"label", "cutoff_number", "days_to_bite", "days_until_undone"}
        assert [*entry["cutoff_number"]] == [*CHANNELS, MIX]
    assert told["mechanisms"][0]["cutoff_number"] == {
        "weights": None, "votes": None, "orders": 1, "price": 1, "delegation": None, "mix": 1,
    }  # fmt: skip
    assert told["mechanisms"][0]["days_to_bite"] == 0
    assert told["mechanisms"][0]["days_until_undone"] is None


def test_keys_take_what_arithmetic_says() -> None:
    assert [*cells(2).values()] == [(1, 1, 1), (1, 1, 2), (1, 2, 3)]


def test_power_goes_by_stake_and_sums_to_less_than_one() -> None:
    stake, shapley, banzhaf = zip(*cells(3).values(), strict=True)
    for index in (stake, shapley, banzhaf):
        assert list(index) == sorted(index, reverse=True)
        assert sum(index) < 1
    assert shapley[0] > stake[0] == 0.25


def test_a_founder_with_keys_needs_no_stake_and_without_a_market_more_than_most() -> None:
    stood, beside = cells(4).values()
    assert stood == pytest.approx([1] * len(stood))
    assert list(beside) == sorted(beside)  # by reports only: nobody's keys count
    assert beside[0] < 0.1 < 0.8 < beside[-1]


def test_what_is_given_up_is_the_difference_to_yuma() -> None:
    stood, beside = cells(5).values()
    assert stood[1::2] == (0, 0, 0, 0)  # nothing: keys are not for sale
    assert beside[5] > 0.3  # Sybil resistance with identities free


def test_findings_say_who_could_and_what_the_record_does_not_show() -> None:
    found = "\n".join(answer().findings)
    assert "The public record shows neither who could sign" in found
    assert not re.search(r"\bnan\b", str(answer()))
    assert "[allegation]" in str(answer())
    assert answer().markdown().count("\n| --- |") == len(answer().tables)


def test_every_alternative_can_be_loaded_and_written() -> None:
    for spec in ALTERNATIVES.values():
        assert load(label(load(spec))) == load(spec)


@pytest.mark.parametrize(
    ("name", "orders", "votes"),
    [
        ("keys, appeal heard after 3 days", 4, None),  # one key, 3 of 5 members of the panel
        ("keys, appeal heard after 20 days", 1, None),  # too late
        ("vote of all root stake", None, 4),
        ("vote, keys override", 1, 5),  # four holders, and the keys must not object
    ],
)
def test_alternatives_take_what_arithmetic_says(
    name: str, orders: int | None, votes: int | None
) -> None:
    spec = ALTERNATIVES[name].replace(PRICE, "uniform")  # pays as soon, and is asked sooner
    found = cutoff(spec, [network(3)], TERMS, ("votes", "orders")).numbers
    assert (found["orders"], found["votes"]) == (orders, votes)


def test_the_network_treats_the_twins_alike_and_its_keys_are_apart_from_the_panel() -> None:
    world = network(5)
    one, other = TwinTest.of(world).pair
    target, twin = world.twins
    for matrix in ("weights", "flows"):
        was, now = getattr(one, matrix), getattr(other, matrix)
        assert np.array_equal(was[:, target], now[:, twin])
    assert world.flows is not None
    assert world.flows.sum(axis=0) == pytest.approx(0.001)
    assert {*world.seats[:3].tolist()} == {FOUNDER}
    assert len({*world.seats[3:].tolist()}) == 32
    assert FOUNDER not in world.seats[3:]
    founded = network(5, founder=0.35).stake
    assert founded[FOUNDER] / founded.sum() == pytest.approx(0.35)


def test_unknown_incidents_are_refused_with_what_was_meant() -> None:
    with pytest.raises(UsageError, match="did you mean 'covenant-2026'"):
        ask("covenant-2025")
    with pytest.raises(UsageError, match="no mechanism is called 'yama'"):
        ask("covenant-2026", ["yama"])


def test_every_incident_has_one_file_of_its_own() -> None:
    folder = Path(__file__).parents[1] / "harness" / "trilemma" / "incidents"
    assert len(INCIDENTS) == 13
    assert all((folder / f"{module}.py").is_file() for module in INCIDENTS.values())
