from __future__ import annotations

import json
import multiprocessing
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from tests.few_attacks import few_attacks
from trilemma.compare import compare
from trilemma.errors import UsageError
from trilemma.executor import CAN_FORK
from trilemma.model import Budget, Epoch, FloatArray, Rewards
from trilemma.registry import label, names
from trilemma.report import Report
from trilemma.worlds import Preset, world_seed

__all__ = ["few_attacks"]  # a fixture that every test here takes

WORLD = Preset("pareto(1.2)", validators=4, miners=6)
BUDGET = Budget(stake=0.1, identities=2, evaluations=40)
TRUSTED = ("yuma", "stake_weighted")

Rule = Callable[[Epoch], Any]


def small(*mechanisms: str | Rule, **asked: Any) -> Report:
    known: dict[str, Any] = {"world": WORLD, "worlds": 2, "budget": BUDGET, "workers": 1}
    return compare(mechanisms, **{**known, **asked})


def even(epoch: Epoch) -> FloatArray:
    return np.full(epoch.weights.shape[1], 1 / epoch.weights.shape[1])


# --- the same numbers whatever else happens ------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_for_any_number_of_processes() -> None:
    reports = [small(*TRUSTED, "dao_vote", seed=5, workers=workers) for workers in (1, 2, 3)]
    assert len({report.to_json() for report in reports}) == 1
    assert len({str(report) for report in reports}) == 1
    assert reports[0].to_json() != small(*TRUSTED, "dao_vote", seed=6).to_json()


@pytest.fixture(scope="module")
def everybody() -> Report:
    return small(*names())


def test_company_and_order_change_nobodys_numbers(everybody: Report) -> None:
    def scores(report: Report) -> dict[str, object]:
        return {row.label: alone(row.to_json()) for row in report.rows}

    def alone(row: dict[str, Any]) -> dict[str, Any]:
        sides = {side: {**row[side], "replayed": None} for side in ("verified", "free")}
        return {**row, **sides, "pareto": None, "flags": None}

    known = scores(everybody)
    assert scores(small("quadratic(power=0.3)", *reversed(names()), even)).items() >= known.items()
    for name in ("dao_vote", "uniform", "yuma"):
        assert scores(small(name)) == {name: known[name]}


def test_rows_come_in_the_order_asked_and_once_each() -> None:
    report = small("yuma", "uniform", "yuma()", "stake_weighted")
    assert [row.label for row in report.rows] == ["yuma", "uniform", "stake_weighted"]


def test_every_registered_mechanism_is_compared_by_default() -> None:
    report = compare(world=WORLD, worlds=1, budget=Budget(0, 1), workers=1)
    assert [row.name for row in report.rows] == names()


# --- plug-ins that break the contract ------------------------------------------------------------


def raises(_: Epoch) -> FloatArray:
    raise KeyError("nothing\nhere")


def recurses(epoch: Epoch) -> FloatArray:
    return recurses(epoch)


def leaves(_: Epoch) -> FloatArray:
    raise SystemExit(0)


def writes(epoch: Epoch) -> FloatArray:
    epoch.weights[:] = 0
    return even(epoch)


def breaks_in(epoch: Epoch) -> FloatArray:
    base = epoch.weights.base
    assert base is not None
    base.flags.writeable = True
    base[:] = 1 / base.shape[1]
    return even(epoch)


def swaps(epoch: Epoch) -> FloatArray:
    vars(epoch)["stake"] = np.ones(epoch.stake.size)
    return even(epoch)


@dataclass
class Counts:
    calls: int = 0

    def __call__(self, epoch: Epoch) -> FloatArray:
        self.calls += 1
        return np.asarray(even(epoch) / self.calls)


@dataclass
class Remembers:
    """The longer it has been asked, the less it pays; but never twice in a row."""

    calls: int = 0

    def __call__(self, epoch: Epoch) -> FloatArray:
        self.calls += 1
        return np.asarray(even(epoch) / (1 + self.calls // 50))


@dataclass
class Draws:
    draw: Any = field(default_factory=lambda: np.random.default_rng(0))

    def __call__(self, epoch: Epoch) -> FloatArray:
        return np.asarray(even(epoch) * self.draw.random())


@dataclass(frozen=True)
class Pays:
    """What a function makes of equal pay; a text tells it from others."""

    told: str
    pay: Callable[[FloatArray], Any]

    def __call__(self, epoch: Epoch) -> Any:
        return self.pay(even(epoch))


class PaysValidators(Pays):
    def __call__(self, epoch: Epoch) -> Rewards:
        equal = np.full(epoch.stake.size, 1 / epoch.stake.size)
        return Rewards(even(epoch), self.pay(equal))


def marked(pool: FloatArray, value: float) -> FloatArray:
    pool[1] = value
    return pool


FAULTS: dict[str, tuple[Rule, str]] = {
    "raises": (raises, r"failed: KeyError: 'nothing\\nhere'"),
    "never returns": (recurses, "failed: RecursionError"),
    "leaves": (leaves, "failed: SystemExit: 0"),
    "writes": (writes, "failed: ValueError: .*read-only"),
    "breaks in": (breaks_in, "wrote to the epoch it was given|failed: ValueError"),
    "swaps": (swaps, "wrote to the epoch it was given"),
    "counts": (Counts(), "gave two answers for one epoch"),
    "remembers": (Remembers(), "gave two answers for one epoch"),
    "draws": (Draws(), "gave two answers for one epoch"),
    "NaN": (Pays("NaN", lambda pool: marked(pool, np.nan)), "miners hold nan at 1"),
    "infinity": (Pays("infinity", lambda pool: marked(pool, np.inf)), "miners hold inf at 1"),
    "negative": (
        Pays("negative", lambda pool: marked(pool, -0.25)),
        "miners hold -0.25 at 1; no reward",
    ),
    "over-pays": (
        Pays("over-pays", lambda pool: 1.01 * pool),
        r"miners sum to 1\.01.*; a pool pays at most",
    ),
    "too many": (
        Pays("too many", lambda pool: [*pool, 0]),
        r"miners have shape \(7,\), not \(6,\)",
    ),
    "a table": (Pays("a table", lambda pool: [pool]), r"miners have shape \(1, 6\), not \(6,\)"),
    "nothing": (Pays("nothing", lambda _: None), r"rewards for miners have shape \(\), not \(6,\)"),
    "none at all": (
        Pays("none at all", lambda _: []),
        r"rewards for miners have shape \(0,\), not \(6,\)",
    ),
    "objects": (Pays("objects", lambda pool: [object()] * pool.size), "miners are not numbers"),
    "words": (Pays("words", lambda pool: ["a lot"] * pool.size), "miners are not numbers"),
    "complex": (Pays("complex", lambda pool: pool + 0j), "miners are not numbers"),
    "validators": (PaysValidators("validators", lambda pool: 2 * pool), r"validators sum to 2\.0"),
    "no validators": (
        PaysValidators("no validators", lambda pool: pool[:0]),
        "rewards for validators have shape",
    ),
    "negative one": (
        PaysValidators("negative one", lambda pool: marked(pool, -1)),
        "validators hold -1.0 at 1",
    ),
}


@pytest.fixture(scope="module")
def trusted() -> Report:
    return small(*TRUSTED)


LABELS = {name: label(rule) for name, (rule, _) in FAULTS.items()}  # before it counts anything


@pytest.fixture(scope="module")
def beside_faulty() -> Report:
    """Ask those that can be trusted and all others at once."""
    return small(TRUSTED[0], *(rule for rule, _ in FAULTS.values()), *TRUSTED[1:])


def test_plugins_that_break_the_contract_fail_alone(trusted: Report, beside_faulty: Report) -> None:
    assert beside_faulty.to_json() == trusted.to_json()
    assert {failure.label for failure in beside_faulty.failures} == set(LABELS.values())


@pytest.mark.parametrize("name", FAULTS)
def test_a_plugin_that_breaks_the_contract_is_told_why(beside_faulty: Report, name: str) -> None:
    [failure] = [it for it in beside_faulty.failures if it.label == LABELS[name]]
    _, said = FAULTS[name]
    assert re.search(said, failure.reason), failure.reason
    assert "2 of 2 worlds, first in world 0" in failure.reason
    assert f"(world seed {world_seed(0, 0)})" in failure.reason
    assert failure.reason.isprintable()
    assert f"{failure.label} is missing: {failure.reason}" in str(beside_faulty)


@dataclass(frozen=True)
class FailsIn:
    """Stumbles over the epochs of one world."""

    number: int

    def __call__(self, epoch: Epoch) -> FloatArray:
        world = WORLD.twin(world_seed(0, self.number))
        if np.array_equal(epoch.weights, world.epoch().weights):
            raise ArithmeticError("of all places, here")
        return even(epoch)


@pytest.mark.parametrize(("number", "workers"), [(0, 2), (1, 1)])
def test_a_failure_in_one_world_is_reported_with_the_seed_that_shows_it(
    trusted: Report, number: int, workers: int
) -> None:
    rule = FailsIn(number)
    report = small(*TRUSTED, rule, workers=workers)
    assert report.to_json() == trusted.to_json()
    [failure] = report.failures
    found = re.search(r"1 of 2 worlds, first in world (\d) \(world seed (\d+)\)", failure.reason)
    assert found, failure.reason
    assert int(found[1]) == number
    with pytest.raises(ArithmeticError):
        rule(WORLD.twin(int(found[2])).epoch())


def dies_in_a_worker(epoch: Epoch) -> FloatArray:
    if multiprocessing.parent_process() is not None:
        os._exit(0)
    return even(epoch)


@pytest.mark.skipif(not CAN_FORK, reason="plug-ins run in this process here")
def test_a_plugin_that_kills_its_process_fails_alone(trusted: Report) -> None:
    report = small(*TRUSTED, dies_in_a_worker, workers=2)
    assert report.to_json() == trusted.to_json()
    [failure] = report.failures
    assert failure.label == label(dies_in_a_worker)
    assert "its process died" in failure.reason


def test_a_report_without_any_row_can_be_printed() -> None:
    for report in (small(), small(raises)):
        assert report.rows == ()
        assert json.loads(report.to_json())["mechanisms"] == []
        assert "0 of" not in str(report)
        assert report.to_markdown().count("\n") == 2
    assert "raises is missing" in str(report)


# --- what may be asked ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        {"worlds": 0},
        {"worlds": 2.5},
        {"worlds": "3"},
        {"xi": -0.1},
        {"xi": 1.1},
        {"xi": np.nan},
        {"xi": "half"},
        {"seed": -1},
        {"seed": 1.5},
        {"seed": None},
        {"workers": 0},
        {"workers": 1.5},
    ],
    ids=str,
)
def test_what_lies_out_of_range_is_refused_by_name(asked: dict[str, Any]) -> None:
    [name] = asked
    with pytest.raises(UsageError, match=f"^{name} must be ") as caught:
        small("uniform", **asked)
    assert str(caught.value).isprintable()


def test_the_ends_of_every_range_are_in_it() -> None:
    for asked in ({"xi": 0, "worlds": 1, "budget": Budget(0, 1)}, {"xi": 1, "seed": 2**70}):
        assert len(small(*TRUSTED, **asked).rows) == 2


def test_numbers_may_be_numpys() -> None:
    budget = Budget(np.float64(0.1), np.int64(2), insiders=(np.int64(1), np.int64(3)))  # type: ignore[arg-type]
    asked: dict[str, Any] = {"worlds": np.int64(1), "seed": np.int64(3), "xi": np.float64(0.5)}
    same = small("uniform", worlds=1, seed=3, budget=Budget(0.1, 2, insiders=(1, 3)))
    assert small("uniform", budget=budget, **asked).to_json() == same.to_json()


def test_one_name_is_not_taken_for_a_list_of_letters() -> None:
    with pytest.raises(UsageError, match="yuma"):
        compare("yuma")


# --- the report ----------------------------------------------------------------------------------


def test_progress_is_told_from_nothing_to_everything_failures_included() -> None:
    told: list[tuple[int, int]] = []
    small("uniform", raises, FailsIn(1), progress=lambda *now: told.append(now))
    assert told[0] == (0, 6)
    assert told[-1] == (6, 6)
    assert all(one[0] < other[0] for one, other in pairwise(told))


def test_calls_are_the_calls_made() -> None:
    seen = []

    def watches(epoch: Epoch) -> FloatArray:
        seen.append(epoch)
        return even(epoch)

    report = small(watches)
    replayed = sum(2 * len(it.honest) for it in report.witnesses)
    assert report.calls == len(seen) - 2 * replayed  # each is measured, then explained
    assert f"{report.calls:,} mechanism calls" in str(report)


def test_rows_hold_what_they_should(everybody: Report) -> None:
    for row in everybody.rows:
        assert (row.verified.identities, row.free.identities) == (1, 2)
        assert row.distribution.startswith("trilemma ")
        assert -1 <= row.tau <= 1
        for side in (row.verified, row.free):
            scores = [side.sybil_resistance, side.neutrality, side.quality, side.quality_attacked]
            for score in (*scores, side.minimum):
                assert 0 <= score.low <= score.value <= score.high <= 1
            assert side.minimum.value == min(it.value for it in scores)
            assert [size for size, _ in side.cutoff] == list(range(1, 11))
            assert all(one[1] <= other[1] for one, other in pairwise(side.cutoff))
            assert 1 <= side.ranks[0] <= side.ranks[1] <= len(everybody.rows)
        for name in ("sybil_resistance", "neutrality", "quality_attacked"):
            assert getattr(row.free, name).value <= getattr(row.verified, name).value
        assert row.free.quality == row.verified.quality
    assert sum(row.verified.best for row in everybody.rows) == pytest.approx(1)
    assert sum(row.free.best for row in everybody.rows) == pytest.approx(1)


def test_pareto_rows_are_those_that_nobody_beats(everybody: Report) -> None:
    points = {
        row.label: (
            row.free.sybil_resistance.value,
            row.free.neutrality.value,
            row.free.quality_attacked.value,
        )
        for row in everybody.rows
    }
    for row in everybody.rows:
        beaten = any(
            all(a >= b - 1e-9 for a, b in zip(other, points[row.label], strict=True))
            and any(a > b + 1e-9 for a, b in zip(other, points[row.label], strict=True))
            for other in points.values()
        )
        assert row.pareto is not beaten


def test_markdown_is_one_table_with_the_numbers_of_the_rows(everybody: Report) -> None:
    head, rule, *lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in everybody.to_markdown().splitlines()
    ]
    assert {len(line) for line in (head, rule, *lines)} == {14}
    assert set("".join(rule)) <= set("-: ")
    for row, line in zip(everybody.rows, lines, strict=True):
        assert line[0] == f"`{row.label}`"
        for place, side in ((2, row.verified), (8, row.free)):
            assert float(line[place]) == pytest.approx(side.sybil_resistance.value, abs=0.006)
            assert float(line[place + 1]) == pytest.approx(side.neutrality.value, abs=0.006)
            assert float(line[place + 2]) == pytest.approx(side.quality_attacked.value, abs=0.006)
            assert float(line[place + 3].split("±")[0]) == pytest.approx(
                side.minimum.value, abs=0.006
            )
            assert line[place + 4] == str(side.cutoff_number or "-")


def test_the_table_names_everybody_and_every_worst_play(everybody: Report) -> None:
    table = str(everybody)
    for row in everybody.rows:
        for said in (row.label, row.free.worst_sybil_play, row.free.worst_neutrality_play):
            assert said in table
        assert "takes by search:" not in table
        assert all(f"{row.label}: {flag}." in table for flag in row.flags)
    assert "seed 0" in table
    assert not any(line.endswith(" ") for line in table.splitlines())
