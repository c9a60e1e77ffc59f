from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import complexity
from benchmarks.measuring.goals import GOALS, Found, Goal
from benchmarks.ratios import GROUPS, Entry, entry_of, table
from tests.data import ROOT

pytestmark = pytest.mark.slow

MINE = """
import numpy as np

class Mine:
    def __call__(self, epoch):
        return np.full(epoch.weights.shape[1], 1 / epoch.weights.shape[1])
"""
QUICK = ("--benchmark-enable", "--benchmark-min-rounds=1", "--benchmark-max-time=0.01")


def outcome_of(*arguments: str) -> tuple[int, str]:
    """Return the exit code and the output of pytest in the root."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    # Benchmarks are off in workers of pytest-xdist, and this one is none.
    alone = {name: held for name, held in os.environ.items() if name != "PYTEST_XDIST_WORKER"}
    done = subprocess.run(
        command, cwd=ROOT, env=alone, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def test_a_plugin_of_ones_own_is_timed_beside_the_registered_ones(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    spec = f"{tmp_path}/mine.py:Mine"
    chosen = ("benchmarks/bench_mechanisms.py", "-k", "16-16 and (Mine or uniform)")
    code, said = outcome_of(*chosen, "--mechanism", spec, *QUICK)
    assert code == 0, said
    assert "benchmark 'one epoch, 16 x 16': 2 tests" in said
    table = said[said.index("benchmark 'one epoch") :]
    assert f"{spec}-16-16]" in table
    assert "[uniform-16-16]" in table


def test_a_mechanism_that_does_not_exist_is_said_before_anything_is_timed() -> None:
    code, said = outcome_of("benchmarks", "--mechanism", "uniform", "--mechanism", "yuna")
    assert code == 4
    assert "--mechanism yuna: no mechanism is called 'yuna'; did you mean 'yuma'?" in said


def test_what_is_timed_is_checked_as_well() -> None:
    spec = "quadratic(power=0.25)"
    code, said = outcome_of("benchmarks", "--mechanism", spec, "--collect-only", "--quiet")
    assert code == 0, said
    assert f"bench_mechanisms.py::test_one_epoch[{spec}-16-16]" in said
    assert f"{spec}::finite" in said


# --- the ratios ----------------------------------------------------------------------------------

FACTS = {"about", "unit", "value", "samples", "better", "at_least", "aim", "met", "aim_met"}


def ratios(*arguments: str) -> str:
    """Return what the script prints."""
    command = [sys.executable, "benchmarks/ratios.py", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def entries() -> dict[str, Entry]:
    asked = ("differences_random", "hashes_float32")
    answer: dict[str, Entry] = json.loads(ratios("--json", "--only", *asked))
    return answer


def test_the_json_names_every_ratio_and_says_what_was_not_measured(
    entries: dict[str, Entry],
) -> None:
    assert list(entries) == list(GOALS)
    for name, entry in entries.items():
        assert set(entry) - {"skipped", "detail"} == FACTS, name
        assert ("skipped" in entry) == (entry["value"] is None) == (entry["samples"] == 0), name


def test_what_was_asked_for_was_measured_and_met(entries: dict[str, Entry]) -> None:
    measured = {name: entry for name, entry in entries.items() if entry["value"] is not None}
    assert set(measured) == {"differences_random", "hashes_float32"}
    assert measured["differences_random"]["value"] == 0
    assert measured["differences_random"]["samples"] == 100_000
    assert measured["hashes_float32"]["value"] == 1
    assert all(entry["met"] and entry["aim_met"] for entry in measured.values())


def test_every_goal_belongs_to_a_measurement() -> None:
    assert {goal.group for goal in GOALS.values()} == set(GROUPS)


@pytest.mark.parametrize(
    ("better", "value", "met", "aim_met"),
    [
        ("lower", 3.0, True, False),
        ("lower", 2.0, True, True),
        ("lower", 3.1, False, False),
        ("higher", 3.0, True, True),
        ("higher", 2.9, False, True),
        ("higher", 1.0, False, False),
    ],
)
def test_a_threshold_itself_is_enough(better: str, value: float, met: bool, aim_met: bool) -> None:
    goal = Goal("epochs", "", at_least=3, aim=2, better=better)
    entry = entry_of(goal, Found(value, 9))
    assert (entry["met"], entry["aim_met"]) == (met, aim_met)


def test_the_table_says_what_each_value_reaches_and_why_one_is_missing() -> None:
    goal = Goal("epochs", "", at_least=3, aim=2)
    shown = table(
        {
            "good": entry_of(goal, Found(1.5, 9)),
            "bad": entry_of(goal, Found(4, 9)),
            "gone": entry_of(goal, "no data"),
            "wish": entry_of(Goal("sparse", "", "s", aim=3), Found(4, 9)),
            "information": entry_of(Goal("map", "", "s"), Found(4, 9)),
        }
    )
    _, good, bad, gone, wish, information = (line.split() for line in shown.splitlines())
    assert good == ["good", "1.5", "x", "<=", "3", "<=", "2", "aim"]
    assert bad[-1] == "no"
    assert gone == ["gone", "-", "no", "data"]
    assert wish[-1] == "no"
    assert information[-3:] == ["-", "-", "-"]


# --- complexity ----------------------------------------------------------------------------------


def test_slopes_are_fitted_and_drawn(tmp_path: Path) -> None:
    axis = complexity.Axis("n", "things", 2, (1, 2, 4), lambda _: lambda: None)
    curve = complexity.Curve(axis, (0.001, 0.004, 0.016))
    assert curve.slope == pytest.approx(2)
    assert "| n | things | 1 | 4 | 1 to 16 | 2.00 | 2 |" in complexity.table([curve])
    complexity.draw([curve], str(tmp_path / "it.svg"))
    assert (tmp_path / "it.svg").read_text().count('id="axes_') == complexity.COLUMNS


def test_what_grows_is_measured() -> None:
    axis = complexity.Axis("n", "steps", 1, (1000, 1_000_000), lambda n: lambda: sum(range(n)))
    [curve] = complexity.measured([axis], rounds=3)
    assert curve.seconds[0] < curve.seconds[1]
