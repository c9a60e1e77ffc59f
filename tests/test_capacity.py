from __future__ import annotations

import json
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from benchmarks import capacity
from benchmarks.measuring import paper
from benchmarks.measuring.limits import Part, Shape, given_way
from benchmarks.measuring.needs import Costs, Line, costs, line, needs
from benchmarks.measuring.shown import cells, digits, seconds, size
from benchmarks.measuring.sizes import SERIES, filled
from benchmarks.measuring.stopwatch import Asked, taken
from benchmarks.measuring.took import Size, parent_peak, worker_peak
from docs import regenerate

PLAYS = 1000
COSTS = Costs(
    world=2.0,
    row=3.0,
    pair=0.5,
    grown=0.25,
    kept=Line(1.0, 0.125),
    entered=0.0625,
    scored=Line(4.0, 8.0),
    scored_row=0.5,
    scored_pair=0.25,
    stored_row=1000.0,
    stored_pair=100.0,
    filed=5000.0,
    page=700.0,
    computing=Line(50.0, 0.5),
    witnessing=Line(60.0, 1.0),
    reporting=Line(80.0, 2.0),
    job=0.0,
    done=0.0,
    stack=0.25,
    reported=1.5,
    worker=Line(30.0, 0.75),
    witness=Line(20.0, 0.5),
)


def made_up(worlds: int, mechanisms: int) -> dict[str, Any]:
    """Return what a comparison takes if `COSTS` are exactly right."""
    at = Size(worlds, mechanisms, 2)
    want = needs(COSTS, at)
    job = dict.fromkeys(("cpu", "wall", "bare", "peak"), 0.0)
    phase = {"wall": 0.0, "cpu": 0.0, "peak": 0.0}
    told = {
        "coalitions": {**job, "cpu": mechanisms * COSTS.grown},
        "world": {
            **job,
            "cpu": worlds * COSTS.world + at.rows * COSTS.row,
            "bare": at.rows * COSTS.row,
            "peak": COSTS.worker.at(mechanisms),
        },
        "replays": {**job, "cpu": want.replayed},
        "testify": {**job, "peak": COSTS.witness.at(worlds)},
    }
    phases = {
        "enter": {**phase, "cpu": want.entered},
        "finish": {**phase, "cpu": want.kept, "peak": COSTS.computing.at(mechanisms)},
        "witnesses": {
            **phase,
            "peak": COSTS.witnessing.at(mechanisms) + worlds * COSTS.stack * at.stacks,
        },
        "report": {
            **phase,
            "cpu": want.scored - mechanisms**2 * COSTS.scored_pair,
            "peak": COSTS.reporting.at(mechanisms) + worlds * COSTS.reported,
        },
        "save": phase,
    }
    held = {
        "cells.sqlite": want.stored,
        "replayed": at.pairs * COSTS.stored_pair,
        "report.html": want.page,
        "report.json": 0,
        "scores.npz": 0,
        "witnesses": want.filed - want.page,
    }
    asked = {"worlds": worlds, "rules": mechanisms, "workers": 2, "call": 0.001}
    facts = {"asked": asked, "rows": at.rows, "plays": PLAYS, "calls": 0}
    return {**facts, "jobs": told, "phases": phases, "bytes": held}


def numbers(cost: Costs) -> dict[object, float]:
    """Return every number by its name."""
    told: dict[object, float] = {}
    for name, it in vars(cost).items():
        parts = vars(it) if isinstance(it, Line) else {"": it}
        told |= {(name, key): part for key, part in parts.items()}
    return told


@pytest.fixture
def found() -> dict[str, Any]:
    """What would be measured if `COSTS` were exactly right."""
    series = {name: [made_up(*it) for it in one.sizes] for name, one in SERIES.items()}
    return {"series": series, "bookkeeping": {"job": 0.0, "row": 0.0}, "pair": COSTS.scored_pair}


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    """What was measured for the page."""
    told: dict[str, Any] = json.loads(capacity.KEPT.read_text())
    return told


# --- the model -----------------------------------------------------------------------------------


@pytest.mark.parametrize("searched", [False, True])
def test_costs_come_out_of_what_they_make(found: dict[str, Any], searched: bool) -> None:
    again, made_of = (numbers(it) for it in (costs(found, searched=searched), COSTS))
    for phase in ("computing", "witnessing", "reporting", "scored"):  # two worlds are in it
        del again[phase, "start"], made_of[phase, "start"]
    assert again == pytest.approx(made_of)


def test_the_largest_size_takes_no_part_in_the_costs(found: dict[str, Any]) -> None:
    other = deepcopy(found)
    for series in other["series"].values():
        if len(series) > 2:
            series[-1] = made_up(7, 7)
            series[-1]["bytes"]["cells.sqlite"] = 1e12
    assert costs(other, searched=True) == costs(found, searched=True)


def test_what_is_needed_is_worked_out_from_worlds_mechanisms_and_workers() -> None:
    it = needs(COSTS, Size(worlds=10, mechanisms=4, workers=3))
    assert it.job == 2 + 4 * 3 + 4 * 3 * 0.5
    assert it.replayed == 10 * 4 * 3 * 0.5
    assert it.computed == 10 * it.job + 4 * 0.25
    assert it.kept == 1 + 40 * 0.125
    assert it.scored == 4 + 4 * 8 + 40 * 0.5 + 16 * 0.25
    assert it.elapsed == it.computed / 3 + it.scored
    assert it.entered == 40 * 0.0625
    assert (it.stored, it.filed, it.page) == (40 * 1000 + 120 * 100, 4 * 5000, 4 * 700)
    assert it.parent == max(50 + 2, 60 + 4 + 10 * 0.25 * (4 + 2), 80 + 8 + 15)
    assert it.worker == max(30 + 3, 20 + 5)
    assert it.memory == it.parent + 3 * 33


def test_more_workers_than_worlds_are_no_faster_and_one_parent_feeds_only_so_many() -> None:
    few, many, crowd = (needs(COSTS, Size(4, 2, workers)) for workers in (1, 4, 400))
    assert many.elapsed < few.elapsed
    assert crowd.elapsed == many.elapsed
    slow = needs(COSTS, Size(100_000, 8, 1000))
    assert slow.elapsed == slow.kept + slow.scored > slow.computed / 1000 + slow.scored


def test_memory_counts_the_workers_that_have_something_to_do() -> None:
    at = needs(COSTS, Size(worlds=1000, mechanisms=2, workers=16))
    assert at.memory == at.parent + max(16 * COSTS.worker.at(2), 2 * COSTS.witness.at(1000))


def test_a_line_goes_along_what_grows(found: dict[str, Any]) -> None:
    many = line(found["series"]["many"], lambda it: it["asked"]["rules"] * 3.0 + 1)
    eight = line(found["series"]["eight"], lambda it: it["asked"]["worlds"] * 5.0 + 2)
    assert (many.start, many.slope) == pytest.approx((1, 3))
    assert (eight.start, eight.slope) == pytest.approx((2, 5))


# --- what gives way ------------------------------------------------------------------------------


def test_a_part_gives_way_where_it_is_loaded_beyond_what_it_bears() -> None:
    shape, bears = Shape("mechanisms", worlds=16), 700.0 * 5000
    part = Part("the page", lambda it: it.page / bears)
    least = given_way(part, COSTS, shape, PLAYS)
    assert least == pytest.approx(5000 * 16 * PLAYS, rel=0.01)
    assert given_way(part, COSTS, Shape("worlds", mechanisms=8), PLAYS) is None


def test_a_shape_has_as_many_cells_as_it_is_asked_for() -> None:
    for shape in (Shape("worlds", mechanisms=8), Shape("mechanisms", worlds=16)):
        assert shape.size(1e8, PLAYS).rows * PLAYS == pytest.approx(1e8, rel=1e-3)


def test_scheduling_is_what_workers_wait_over_the_calls() -> None:
    run = made_up(1, 1)
    run["phases"]["finish"] |= {"wall": 60.0, "cpu": 2.0}
    job = {"wall": 0.0, "cpu": 0.0, "bare": 0.0}
    run["jobs"] = {
        "coalitions": {"wall": 10.0, "cpu": 10.0, "bare": 5.0},
        "world": {"wall": 100.0, "cpu": 95.0, "bare": 75.0},
        "replays": job,
    }
    assert paper.overhead(run) == {
        "scheduling": (2 * 60 - 110) / 80,
        "taken from": 5 / 80,
        "harness": 25 / 80,
        "parent": 2 / 80,
    }


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (seconds(0.0052), "5.2 ms"),
        (seconds(89), "89 s"),
        (seconds(91), "1.5 min"),
        (seconds(5399), "90 min"),
        (seconds(3 * 365 * 86400), "3 years"),
        (seconds(0), "-"),
        (seconds(1e-5), "0.01 ms"),
        (size(1500), "1.5 kB"),
        (size(1e12), "1 TB"),
        (size(5e18), "5,000 PB"),
        (digits(1234.5), "1,230"),
        (digits(-0.444), "-0.44"),
        (cells(2.7e7), "3 x 10^7"),
        (cells(None), "never"),
    ],
)
def test_numbers_are_shown_to_two_digits_in_a_fitting_unit(shown: str, said: str) -> None:
    assert shown == said


# --- what was measured ---------------------------------------------------------------------------


def test_the_page_follows_from_what_was_measured(recorded: dict[str, Any]) -> None:
    text = (regenerate.ROOT / "docs" / "capacity.md").read_text()
    part = text.split(regenerate.begin("capacity"))[1].split(regenerate.end("capacity"))[0]
    assert part == capacity.page(recorded), "write it again: python docs/regenerate.py capacity"


def test_every_series_was_measured_in_the_sizes_that_the_script_names(
    recorded: dict[str, Any],
) -> None:
    for name, series in SERIES.items():
        asked = [it["asked"] for it in recorded["series"][name]]
        assert tuple((it["worlds"], it["rules"]) for it in asked) == series.sizes
        assert {it["evaluations"] for it in asked} == {series.evaluations}


def test_memory_was_flat_and_the_store_small_up_to_200_000_cells(
    recorded: dict[str, Any],
) -> None:
    few, many = recorded["series"]["busy"]
    assert paper.count(few) < 21_000
    assert paper.count(many) > 200_000
    assert many["bytes"]["cells.sqlite"] < 100e6
    for place in (("phases", "finish"), ("jobs", "world")):
        small, large = (it[place[0]][place[1]]["peak"] for it in (few, many))
        assert large < 1.1 * small
    assert parent_peak(many) - parent_peak(few) < 0.2 * (187 - 19)  # MiB a world, of scores


def test_scheduling_took_less_than_two_hundredths_of_the_bare_calls(
    recorded: dict[str, Any],
) -> None:
    many = recorded["series"]["busy"][-1]
    assert many["jobs"]["world"]["bare"] / paper.count(many) == pytest.approx(1e-3, rel=0.1)
    assert paper.overhead(many)["scheduling"] < 0.02


# --- how it was measured -------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_the_stopwatch_counts_every_call_and_every_job(tmp_path: Path) -> None:
    asked = Asked(str(tmp_path / "run"), ("busy",), 2, validators=12, miners=4, call=2e-4)
    run = taken(asked)
    jobs = run["jobs"]
    assert jobs["world"]["count"] == 2
    assert jobs["coalitions"]["calls"] + jobs["world"]["calls"] == run["calls"] > 1000
    assert jobs["world"]["calls"] * 2e-4 <= jobs["world"]["bare"] <= jobs["world"]["cpu"] + 0.05
    assert run["phases"]["finish"]["wall"] >= jobs["world"]["longest"] > 0
    assert min(parent_peak(run), worker_peak(run)) > 20
    assert run["bytes"]["cells.sqlite"] == (tmp_path / "run" / "cells.sqlite").stat().st_size

    filled(tmp_path / "run", 2, 5)
    more = taken(Asked(str(tmp_path / "run"), ("busy",), 5, validators=12, miners=4, call=2e-4))
    assert more["rows"] == 5
    assert (more["calls"], more["jobs"]["world"]["count"]) == (0, 0)
    assert more["bytes"]["cells.sqlite"] > run["bytes"]["cells.sqlite"]
