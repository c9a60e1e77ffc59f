from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.few_attacks import few_attacks
from tests.kept_cells import cells, changed
from trilemma import registry
from trilemma.cells import Cell
from trilemma.compare import compare
from trilemma.errors import DataError, UsageError
from trilemma.importers import read
from trilemma.kept import Kept
from trilemma.model import Budget, Epoch, FloatArray
from trilemma.report import Report
from trilemma.resume import resume
from trilemma.store import Store
from trilemma.tasks import Tasks
from trilemma.worlds import Imported, Preset

__all__ = ["few_attacks"]  # a fixture that every test here takes

WORLD = Preset("pareto(1.2)", validators=5, miners=6)
BUDGET = Budget(stake=0.1, identities=2, evaluations=0)
SEARCHED = replace(BUDGET, evaluations=40)
PAIR = ("uniform", "stake_weighted")


def small(*mechanisms: Any, **asked: Any) -> Report:
    known: dict[str, Any] = {"world": WORLD, "worlds": 3, "budget": BUDGET, "workers": 1}
    return compare(mechanisms or PAIR, **{**known, **asked})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "run"


@pytest.fixture(scope="module")
def fresh() -> Report:
    return small()


# --- what is there is not computed again ---------------------------------------------------------


def test_a_finished_run_is_read_back_without_a_call(run: Path, fresh: Report) -> None:
    first = small(out=run)
    assert first.to_json() == fresh.to_json()
    assert first.calls == fresh.calls
    before = cells(run)
    again = small(out=run)
    assert again.to_json() == fresh.to_json()
    assert again.calls == 0
    assert cells(run) == before
    assert len(before) == 6


def test_another_mechanism_costs_only_its_own_calls(run: Path) -> None:
    small("uniform", out=run)
    both = small(*PAIR, out=run)
    assert both.calls == small("stake_weighted").calls
    assert both.to_json() == small(*PAIR).to_json()
    assert small("uniform", out=run).calls == 0


@pytest.mark.parametrize("budget", [BUDGET, SEARCHED], ids=["scripted", "searched"])
def test_a_thirteenth_mechanism_computes_its_own_cells_and_no_other(
    run: Path, budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    twelve = [f"stake_capped(percentile={percentile})" for percentile in range(60, 84, 2)]
    made: list[tuple[str, int]] = []
    plain = Tasks.world

    def counted(self: Tasks, number: int, missing: dict[str, Any]) -> Any:
        made.extend((label, number) for label in missing)
        return plain(self, number, missing)

    monkeypatch.setattr(Tasks, "world", counted)
    small(*twelve, budget=budget, worlds=1, out=run)
    assert sorted(made) == sorted((label, number) for label in twelve for number in range(1))
    made.clear()
    before = cells(run)
    small(*twelve, "yuma", budget=budget, worlds=1, out=run)
    assert made == [("yuma", 0)]
    new = cells(run).items() - before.items()
    assert {(key.split()[0], name) for (key, name), _ in new} == {("yuma", "0")}


def test_more_worlds_extend_a_run_and_fewer_are_its_beginning(run: Path) -> None:
    small(worlds=2, out=run)
    before = cells(run)
    longer = small(worlds=4, out=run)
    assert longer.to_json() == small(worlds=4).to_json()
    assert before.items() <= cells(run).items()
    shorter = small(worlds=1, out=run)
    assert shorter.to_json() == small(worlds=1).to_json()
    assert shorter.calls == 0


@pytest.mark.parametrize("change", [{"insiders": (2, 4)}, {"identity_cost": 0.01}], ids=str)
def test_what_only_the_scores_depend_on_costs_nothing(run: Path, change: dict[str, Any]) -> None:
    small(out=run)
    budget = replace(BUDGET, **change)
    changed = small(budget=budget, out=run)
    assert changed.calls == 0
    assert changed.to_json() == small(budget=budget).to_json()


def test_processes_may_change_from_one_part_to_the_next(run: Path, fresh: Report) -> None:
    small(worlds=1, out=run, workers=2)
    assert small(out=run, workers=3).to_json() == fresh.to_json()


def test_a_mechanism_that_failed_is_asked_again_and_the_others_are_not(run: Path) -> None:
    def raises(_: Epoch) -> FloatArray:
        raise ValueError

    first = small(raises, *PAIR, out=run)
    again = small(raises, *PAIR, out=run)
    assert first.to_json() == again.to_json()
    assert [failure.reason for failure in first.failures] == [
        failure.reason for failure in again.failures
    ]
    assert 0 < again.calls < 20


@dataclass(frozen=True)
class Healed:
    """Fails until a file is there."""

    def __call__(self, epoch: Epoch) -> FloatArray:
        if not Path("healed").exists():
            raise OSError("not yet")
        return np.asarray(epoch.weights[epoch.stake.argmin()])


def test_a_mechanism_that_failed_once_leaves_nothing_behind(
    run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert small(Healed(), out=run).failures
    Path("healed").touch()
    assert small(Healed(), out=run).to_json() == small(Healed()).to_json()


# --- what the search found is kept ---------------------------------------------------------------


def test_a_finished_search_is_read_back_without_a_call(run: Path) -> None:
    first = small(budget=SEARCHED, out=run)
    again = small(budget=SEARCHED, out=run)
    assert again.calls == 0
    assert first.to_json() == again.to_json() == small(budget=SEARCHED).to_json()


def test_another_mechanism_costs_its_calls_and_the_replays(run: Path) -> None:
    small("uniform", budget=SEARCHED, out=run)
    both = small(*PAIR, budget=SEARCHED, out=run)
    assert both.to_json() == small(*PAIR, budget=SEARCHED).to_json()
    own = small("stake_weighted", budget=SEARCHED).calls
    # Eight plans of each in three worlds, in one epoch or two, and what all are paid when honest.
    assert own < both.calls < own + 3 * 2 * 8 * 5
    assert small(*PAIR, budget=SEARCHED, out=run).calls == 0


def test_a_search_that_was_interrupted_goes_on(run: Path) -> None:
    whole = small(budget=SEARCHED)
    small(worlds=1, budget=SEARCHED, out=run)
    with changed(run) as database:
        database.execute("DELETE FROM kept WHERE mechanism LIKE 'uniform %' AND name = '0-found'")
    resumed = small(budget=SEARCHED, out=run)
    assert resumed.to_json() == whole.to_json()
    assert resumed.calls < whole.calls


@pytest.mark.parametrize("change", [{"evaluations": 41}, {"identity_cost": 0.01}], ids=str)
def test_another_search_needs_another_folder(run: Path, change: dict[str, Any]) -> None:
    small(budget=SEARCHED, out=run)
    with pytest.raises(UsageError, match="holds a run with search"):
        small(budget=replace(SEARCHED, **change), out=run)


# --- what is torn is computed again --------------------------------------------------------------


SPOILS = {
    "missing": "DELETE FROM kept",
    "empty": "UPDATE kept SET arrays = x''",
    "text": "UPDATE kept SET arrays = CAST('PK and then nothing' AS BLOB)",
    "halved": "UPDATE kept SET arrays = substr(arrays, 1, length(arrays) / 2)",
    "flipped": "UPDATE kept SET arrays = CAST(substr(arrays, 1, 99) || x'ff' || "
    "substr(arrays, 101) AS BLOB)",
    "of another seal": "UPDATE kept SET seal = seal + 1",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("finished") / "run"
    small(out=run)
    return run


def content(run: Path) -> list[tuple[str, str, bytes]]:
    with changed(run) as database:
        query = "SELECT mechanism, name, arrays FROM kept ORDER BY mechanism, name"
        return database.execute(query).fetchall()


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
@pytest.mark.parametrize("name", ["1", "coalitions"])
def test_what_is_torn_is_made_again_and_the_others_are_not(
    finished: Path, run: Path, fresh: Report, spoil: str, name: str
) -> None:
    shutil.copytree(finished, run)
    before, whole = cells(run), content(run)
    with changed(run) as database:
        where = f"WHERE mechanism LIKE 'stake_weighted %' AND name = '{name}'"
        assert database.execute(f"{spoil} {where}").rowcount == 1
    again = small(out=run)
    assert again.to_json() == fresh.to_json()
    assert 0 < again.calls <= fresh.calls / (4 if name == "1" else 2)
    others = {at: row for at, row in before.items() if at[0].startswith("uniform ")}
    assert others.items() <= cells(run).items()
    assert content(run) == whole


def test_a_damaged_file_of_cells_says_what_to_do(finished: Path, run: Path) -> None:
    shutil.copytree(finished, run)
    file = run / "cells.sqlite"
    file.write_bytes(b"not a database at all" * 400)
    with pytest.raises(DataError, match=r"cells\.sqlite is damaged: move it away"):
        small(out=run)
    file.unlink()
    assert small(out=run).calls > 0


def test_a_run_of_another_format_is_refused_with_the_way_out(finished: Path, run: Path) -> None:
    shutil.copytree(finished, run)
    asked = json.loads((run / "run.json").read_text())
    for known in (None, 1, 3, "x"):
        asked["format"] = known
        (run / "run.json").write_text(json.dumps(asked))
        with pytest.raises(DataError, match="go on with the trilemma that made it"):
            small(out=run)
    del asked["format"]  # as the first version wrote it
    (run / "run.json").write_text(json.dumps(asked))
    with pytest.raises(DataError, match="kept in format 1, and this program reads 2"):
        resume(run)


def test_a_cell_comes_back_as_it_was(tmp_path: Path) -> None:
    store = Store(tmp_path, {"seed": 1}, ["seed"])
    numbers = np.random.default_rng(0)
    cell = Cell(**{field.name: numbers.random((2, 3)) for field in fields(Cell)})
    store.save(7, {"a(b='/..')": (cell, ())})
    store.save_coalitions("a(b='/..')", [(3,), (0, 1, 2)])
    found = store.load("a(b='/..')", 7)
    assert found is not None
    for field in fields(Cell):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(cell, field.name))
    assert store.load_coalitions("a(b='/..')") == [(3,), (0, 1, 2)]
    assert store.load("a(b='/..')", 8) is None
    assert store.load("a(b='/.,')", 7) is None
    assert store.load_coalitions("a") is None
    store.close()
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {"run.json", "cells.sqlite", "lock.sqlite"}
    with Kept(tmp_path) as read:
        assert read.names("a(b='/..')") == {"7", "coalitions"}
        assert read.done("a(b='/..')", 8) == 1
        assert read.done("a(b='/..')", 7) == 0


# --- what belongs to another run is refused ------------------------------------------------------


def test_attacks_in_another_order_are_another_run_because_plays_are_counted_through(
    run: Path,
) -> None:
    small(attacks=["rounding", "tie_grinding"], out=run)
    with pytest.raises(UsageError, match=r"attacks \[.*'rounding', 'tie_grinding'\], not \["):
        small(attacks=["tie_grinding", "rounding"], out=run)


def test_run_json_holds_everything_asked(run: Path) -> None:
    small(out=run, xi=0.25, seed=3)
    asked = json.loads((run / "run.json").read_text())
    assert asked["seed"] == 3
    assert asked["xi"] == 0.25
    assert asked["worlds"] == 3
    assert asked["mechanisms"] == list(PAIR)
    assert asked["world"]["stake"] == "pareto(1.2)"
    assert asked["budget"]["insiders"] == [1, 3, 5]
    assert asked["version"]
    assert asked["versions"]["numpy"] == np.__version__
    assert set(asked["codes"]) == set(PAIR)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, "seed 0, not 1"),
        ({"xi": 0.4}, r"xi 0\.5, not 0\.4"),
        ({"world": replace(WORLD, noise=0.2)}, "world .*0.1.*, not .*0.2"),
        ({"budget": replace(BUDGET, stake=0.2)}, r"stakes \[0.0, 0.05, 0.1\], not"),
        ({"budget": replace(BUDGET, identities=4)}, "identities 2, not 4"),
    ],
    ids=str,
)
def test_the_folder_of_another_run_is_refused_and_left_alone(
    finished: Path, change: dict[str, Any], said: str
) -> None:
    before = (finished / "run.json").read_bytes()
    with pytest.raises(UsageError, match=said) as caught:
        small(out=finished, **change)
    assert str(caught.value).startswith(str(finished))
    assert str(caught.value).isprintable()
    assert (finished / "run.json").read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'"seed"', b'{"seed": 0}', b"\xff\xfe", b"[" * 100_000],
    ids=lambda content: repr(content[:8]),
)
def test_a_run_json_that_is_none_is_a_data_error(run: Path, content: bytes) -> None:
    run.mkdir(parents=True)
    (run / "run.json").write_bytes(content)
    with pytest.raises(DataError, match=r"run\.json: not a run of this program"):
        small(out=run)
    assert (run / "run.json").read_bytes() == content


@pytest.mark.parametrize("place", ["", "run.json", "cells.sqlite"])
def test_what_stands_in_the_way_is_a_data_error(run: Path, place: str) -> None:
    at = run / place
    at.parent.mkdir(parents=True)
    at.mkdir() if place else at.touch()
    with pytest.raises(DataError, match=str(run)):
        small(out=run)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing stops the superuser")
def test_a_read_only_folder_is_a_data_error(run: Path) -> None:
    run.mkdir(parents=True)
    run.chmod(0o500)
    try:
        with pytest.raises(DataError, match=str(run)):
            small(out=run)
    finally:
        run.chmod(0o700)


# --- what has changed under its name is computed again -------------------------------------------

RULE = """
import numpy as np

def rule(epoch):
    support = (epoch.stake @ epoch.weights) ** POWER
    return support / support.sum() if support.any() else support
"""


@pytest.fixture
def forgetting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Return what makes this process load files again, as another process would."""
    monkeypatch.setattr(registry, "_found", {})
    monkeypatch.syspath_prepend(tmp_path)

    def forget() -> None:
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
                del sys.modules[name]
        registry._found.clear()
        importlib.invalidate_caches()
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)

    yield forget
    forget()


@pytest.mark.parametrize("spec", ["{}/ruled.py:rule", "ruled:rule", "stake_capped(inner='{}')"])
def test_a_changed_plugin_file_is_computed_again(
    tmp_path: Path, run: Path, forgetting: Callable[[], None], spec: str
) -> None:
    inner = f"{tmp_path}/ruled.py:rule" if "inner" in spec else str(tmp_path)
    spec = spec.format(inner)
    (tmp_path / "ruled.py").write_text(RULE.replace("POWER", "1"))
    first = small(spec, "uniform", worlds=1, out=run)
    forgetting()
    (tmp_path / "ruled.py").write_text(RULE.replace("POWER", "3"))
    changed = small(spec, "uniform", worlds=1, out=run)
    assert changed.to_json() == small(spec, "uniform", worlds=1).to_json()
    assert changed.to_json() != first.to_json()
    assert changed.calls == small(spec, worlds=1).calls


class Power:
    """A plain class: its label does not say what it holds."""

    def __init__(self, power: float) -> None:
        self.power = power

    def __call__(self, epoch: Epoch) -> FloatArray:
        support = (epoch.stake @ epoch.weights) ** self.power
        return np.asarray(support / support.sum() if support.any() else support)


def test_objects_that_share_a_label_do_not_share_cells(run: Path) -> None:
    small(Power(1), out=run)
    assert small(Power(3), out=run).to_json() == small(Power(3)).to_json()


def test_a_changed_network_of_the_same_name_does_not_get_the_old_cells(
    tmp_path: Path, run: Path
) -> None:
    path = tmp_path / "network.npz"
    for seed in (1, 2):
        draw = np.random.default_rng(seed)
        np.savez(path, stake=draw.random(5), weights=draw.random((5, 6)))
        world = Imported(read([path]))
        try:
            kept = small("stake_weighted", world=world, out=run)
        except UsageError:
            continue  # to refuse the folder is as good
        assert kept.to_json() == small("stake_weighted", world=world).to_json()


def test_without_a_temporary_folder_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"no temporary folder .* name one with --out"):
        small("uniform")
