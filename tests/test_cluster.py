"""A real Dask cluster gives the bytes that one process gives, and may die at any moment."""

from __future__ import annotations

import importlib
import os
import platform
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Lock
from time import monotonic
from typing import Any

import dask
import numpy as np
import pytest

from tests.dask_cluster import Cluster, cluster
from tests.few_attacks import few_attacks
from tests.kept_cells import cells, changed
from trilemma import Budget, Play, Preset, compare, frontier, parcel, retention_map, sweep
from trilemma import cluster as dask_cluster
from trilemma.errors import DataError, PluginError, UsageError
from trilemma.executor import Progress, Workers, crew
from trilemma.model import Epoch, FloatArray
from trilemma.report import Report
from trilemma.resume import resume
from trilemma.sides import Experiment

__all__ = ["few_attacks"]  # a fixture that every test here takes

WORLD = Preset("pareto(1.2)", validators=5, miners=6)
BUDGET = Budget(stake=0.1, identities=2, evaluations=0)
SEARCHED = Budget(stake=0.1, identities=2, evaluations=20)
PAIR = ("uniform", "stake_weighted")
ALONE = Workers(1)


def asked(workers: Workers, out: Path | None = None, *mechanisms: Any, **changes: Any) -> Report:
    known: dict[str, Any] = {"world": WORLD, "worlds": 3, "budget": BUDGET}
    return compare(mechanisms or PAIR, workers=workers, out=out, **{**known, **changes})


def content(run: Path) -> dict[str, bytes]:
    """Return all that came out of a run, by file; and its cells, whatever their order."""
    with changed(run) as database:
        query = "SELECT mechanism, name, seal, arrays FROM kept ORDER BY mechanism, name"
        kept = database.execute(query).fetchall()
    files = (it for it in run.rglob("*") if it.is_file() and it.suffix != ".sqlite")
    told = {str(it.relative_to(run)): it.read_bytes() for it in files if it.name != "run.json"}
    return {**told, "cells": repr(kept).encode()}


@pytest.fixture(scope="module")
def three() -> Iterator[Cluster]:
    """Three workers, each in a process of its own that is started again when it dies."""
    with cluster(3) as made:
        yield made


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "run"


# --- the same bytes ------------------------------------------------------------------------------


def test_one_process_two_threads_two_processes_and_a_cluster_give_the_same_bytes(
    three: Cluster, tmp_path: Path
) -> None:
    crews = {
        "one": ALONE,
        "threads": Workers(2, "threads"),
        "processes": Workers(2),
        "cluster": three.workers,
    }
    calls = {}
    for name, workers in crews.items():
        calls[name] = asked(workers, tmp_path / name, budget=SEARCHED).calls
    expected = content(tmp_path / "one")
    assert {"report.json", "report.html", "scores.npz", "cells"} <= expected.keys()
    assert sum(it.startswith("witnesses/") for it in expected) > 4
    for name in crews:
        assert content(tmp_path / name) == expected
        assert calls[name] == calls["one"]


@pytest.mark.slow
def test_a_sweep_on_a_cluster_is_the_same(three: Cluster) -> None:
    for over, values in (("identity_cost", "0,0.05"), ("quadratic.power", "0.3,0.6")):
        known: dict[str, Any] = {"over": over, "values": values, "world": WORLD, "worlds": 2}
        known["budget"] = BUDGET
        one = sweep(["quadratic", "uniform"], workers=1, **known)
        assert sweep(["quadratic", "uniform"], workers=three.workers, **known) == one


def test_a_frontier_on_a_cluster_is_the_same(three: Cluster) -> None:
    known: dict[str, Any] = {"over": {"quadratic.power": "0.3,0.6"}, "world": WORLD, "worlds": 2}
    known["budget"] = BUDGET
    one = frontier(["quadratic", "uniform"], workers=1, **known)
    assert frontier(["quadratic", "uniform"], workers=three.workers, **known) == one


def test_a_retention_map_on_a_cluster_is_the_same(three: Cluster) -> None:
    known: dict[str, Any] = {"stakes": (0.55, 0.6, 0.7), "seeds": 2}
    known["experiment"] = Experiment(validators=8, miners=10, grid=5)
    one = retention_map(PAIR, workers=1, **known)
    assert retention_map(PAIR, workers=three.workers, **known).to_json() == one.to_json()


# --- what workers are sent -----------------------------------------------------------------------

RULES = """
import numpy as np

def support(epoch):
    return epoch.stake @ epoch.weights

class Powered:
    def __init__(self, power=2.0):
        self.power = power

    def __call__(self, epoch):
        known = support(epoch) ** self.power
        return known / known.sum() if known.any() else known

    def stages(self, epoch):
        raise ArithmeticError("no stages today")
"""
ATTACK = """
from dataclasses import replace
from functools import partial

from trilemma import Play

def shouting(world, part):
    weights = world.weights.copy()
    weights[world.own_validators] = 0
    weights[world.own_validators[:, None], world.own_miners] = part
    return replace(world, weights=weights)

def shouts(budget):
    yield Play("shouts", "all", partial(shouting, part=0.5))
"""


def test_code_that_only_the_asking_process_has_travels_with_the_question(
    three: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name, text in {"rules": RULES, "loose": RULES, "attack": ATTACK}.items():
        Path(f"{name}.py").write_text(text)
    power = 0.5

    def rooted(epoch: Epoch) -> FloatArray:
        known = np.asarray((epoch.stake @ epoch.weights) ** power)
        return known / known.sum() if known.any() else known

    mine = ("./rules.py:Powered", "loose:Powered", "stake_capped(inner='./rules.py:Powered')")
    for name, workers in {"one": ALONE, "cluster": three.workers}.items():
        report = asked(workers, tmp_path / name, *mine, rooted, attacks=["./attack.py:shouts"])
        assert not report.failures
    told = content(tmp_path / "one")
    assert content(tmp_path / "cluster") == told
    assert (
        b"./rules.py:Powered.stages failed: ArithmeticError: no stages today" in told["report.json"]
    )
    assert b"./attack.py:shouts" in (tmp_path / "cluster" / "run.json").read_bytes()


def test_what_a_distribution_brings_does_not_travel_wherever_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, name in (("site", "brought_by_some"), ("here", "brought_by_none")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.py").touch()
        monkeypatch.syspath_prepend(tmp_path / folder)
        monkeypatch.setitem(sys.modules, name, importlib.import_module(name))
    metadata = tmp_path / "site" / "some-1.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: some\nVersion: 1.0\n")
    travels = {module.__name__ for module in parcel._loose()}
    assert {"brought_by_none", __name__} <= travels
    assert not {"brought_by_some", "numpy", "json", "trilemma", "trilemma.cells"} & travels


def test_a_worker_that_lacks_what_a_plugin_needs_says_so(
    three: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "installed_here_only.py").write_text(RULES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(parcel, "_loose", lambda: iter(()))  # as if a distribution had brought it
    said = r"worker tcp://\S+ lacks what a plug-in needs \(.*installed_here_only"
    with pytest.raises(UsageError, match=said):
        asked(three.workers, None, "installed_here_only:Powered")


@pytest.mark.parametrize(("name", "said"), [("numpy", "has numpy 2"), ("plurality-rule", "has no")])
def test_a_worker_with_other_versions_is_refused_by_name(
    three: Cluster, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    versions = {**parcel._versions(), name: "0.0.7"}
    monkeypatch.setattr(parcel, "_versions", lambda: versions)
    with pytest.raises(UsageError, match=rf"worker tcp://\S+ {said}.*; expected 0\.0\.7"):
        asked(three.workers)


def test_workers_are_not_told_where_the_run_is_kept_and_write_nothing(
    three: Cluster, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []
    submit, packed = dask_cluster._Cluster.submit, parcel.packed

    def submitted(team: Any, method: str, job: tuple[Any, ...]) -> Any:
        sent.append(repr(job).encode())
        return submit(team, method, job)

    def recorded(shared: object) -> bytes:
        sent.append(packed(shared))
        return sent[-1]

    monkeypatch.setattr(dask_cluster._Cluster, "submit", submitted)
    monkeypatch.setattr(dask_cluster, "packed", recorded)
    asked(three.workers, run, budget=SEARCHED)
    everything = b"".join(sent)
    assert b"stake_weighted" in everything
    assert str(run).encode() not in everything
    left = {it.name for it in three.place.glob("worker-*/*")}
    assert left == {"dask-scratch-space", "stderr"}


def test_what_cannot_be_sent_is_named(three: Cluster) -> None:
    lock = Lock()

    def holds(epoch: Epoch) -> FloatArray:
        with lock:
            return np.asarray(epoch.weights[0])

    with pytest.raises(PluginError, match=r"holds cannot be sent to other machines \(.*lock"):
        asked(three.workers, None, "uniform", holds)


def test_an_attack_that_fails_on_a_worker_ends_the_run_as_it_does_here(three: Cluster) -> None:
    here = os.getpid()

    def fails(world: Any) -> Any:
        if os.getpid() != here:
            raise ValueError("only there")
        return world

    def elsewhere(_: Budget) -> Iterator[Play]:
        yield Play("elsewhere", "all", fails)

    with pytest.raises(PluginError, match=r"elsewhere.*only there"):
        asked(three.workers, None, attacks=[elsewhere])


class Echo:
    """Says what it is asked, and writes down where it was unpickled."""

    def __init__(self, diary: Path) -> None:
        self.diary = diary

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        with self.diary.open("a") as diary:
            print(os.getpid(), file=diary)

    def say(self, number: int) -> tuple[int, FloatArray]:
        return os.getpid(), np.full(1000, number)


def test_an_object_is_unpickled_once_a_process_and_results_do_not_pile_up(
    three: Cluster, tmp_path: Path
) -> None:
    echo = Echo(tmp_path / "diary")
    three.join()
    with crew(echo, three.workers) as spread:
        pids = {pid for _, (pid, _) in spread("say", ((number,) for number in range(60)))}
        with three.client() as client:
            held = client.run(lambda dask_worker: sorted(dask_worker.data))
    assert pids <= set(three.pids())
    assert sorted(map(str, pids)) == sorted((tmp_path / "diary").read_text().split())
    kinds = [name.split("-")[0] for names in held.values() for name in names]
    assert "bytes" in kinds  # what is sent is held until the crew is done
    assert kinds.count("job") < 10  # and of 60 results those on their way


def test_threads_of_one_worker_share_what_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    both, times = Barrier(2, timeout=0.3), []

    def slowly(_: bytes, by: str) -> object:
        times.append(by)
        with suppress(BrokenBarrierError):  # until somebody else is at it, too
            both.wait()
        return object()

    monkeypatch.setattr(parcel, "_unpickled", slowly)
    sent = parcel.packed(None)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(parcel.opened, [sent, sent], ["here", "here"])
    assert one is other
    assert times == ["here"]


def test_large_questions_pass_without_a_warning(three: Cluster) -> None:
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 B"}):
        assert not asked(three.workers).failures


# --- who cannot be asked -------------------------------------------------------------------------


def test_without_dask_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("distributed", "cloudpickle"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"needs Dask: pip install 'trilemma\[cluster\]'"):
        asked(Workers(executor="dask://127.0.0.1:8786"))


@pytest.mark.parametrize("listens", [False, True])
def test_where_no_scheduler_answers_that_is_said_in_time(
    monkeypatch: pytest.MonkeyPatch, listens: bool
) -> None:
    monkeypatch.setattr(dask_cluster, "PATIENCE", 1.0)
    began = monotonic()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if listens:
            silent.listen()
        address = f"dask://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"{address}: no scheduler answers"):
            asked(Workers(executor=address))
    assert monotonic() - began < 30


@pytest.mark.parametrize("address", ["dask://", "dask://127.0.0.1", "dask://127.0.0.1:x"])
def test_an_address_that_is_none_is_a_usage_error(address: str) -> None:
    with pytest.raises(UsageError, match=r"no scheduler answers .* expected its host and port"):
        asked(Workers(executor=address))


# --- who dies ------------------------------------------------------------------------------------


def once_one_is_done(act: Callable[[], object]) -> Progress:
    """Return a progress that acts once, when the first cell is kept."""
    left = [act]

    def progress(done: int, _: int) -> None:
        if done and left:
            left.pop()()

    return progress


def test_a_worker_that_is_killed_changes_nothing(three: Cluster, tmp_path: Path) -> None:
    calls = asked(ALONE, tmp_path / "one", worlds=8).calls
    three.join()
    victims = three.pids()[:2]

    def kill() -> None:
        for pid in victims:
            os.kill(pid, signal.SIGKILL)

    meanwhile = once_one_is_done(kill)
    report = asked(three.workers, tmp_path / "cluster", worlds=8, progress=meanwhile)
    assert content(tmp_path / "cluster") == content(tmp_path / "one")
    assert report.calls == calls
    three.join()
    assert not set(victims) & set(three.pids())


def test_a_mechanism_that_ends_its_workers_fails_alone(three: Cluster) -> None:
    here = os.getpid()

    def deadly(epoch: Epoch) -> FloatArray:
        if os.getpid() != here:
            os._exit(1)
        return np.asarray(epoch.weights[0])

    report = asked(three.workers, None, deadly, *PAIR)
    [failure] = report.failures
    assert "deadly: the processes of several workers died with it" in failure.reason
    assert report.rows == asked(ALONE).rows


def test_after_ctrl_c_what_is_under_way_is_kept(
    three: Cluster, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(ALONE, tmp_path / "one", worlds=8)
    three.join()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        stop = once_one_is_done(lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            asked(three.workers, run, worlds=8, progress=stop)
    finally:
        signal.signal(signal.SIGINT, before)
    assert "finishing what is under way" in capsys.readouterr().err
    assert len(cells(run)) == (3 + 1) * len(PAIR)  # one world more than there are workers
    resume(run, workers=three.workers)
    assert content(run) == content(tmp_path / "one")


def test_where_there_are_no_workers_they_are_waited_for(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dask_cluster, "PULSE", 0.05)
    short = dask.config.set({dask_cluster.TIMEOUT: "0.2 s"})
    with cluster(0) as late:
        with short, pytest.raises(DataError, match=r"no workers for 0\.2 s; start some \(dask w"):
            asked(late.workers, run)
        assert "no workers; waiting 0.2 s for some" in capsys.readouterr().err
        late.start(1, "--nthreads=2")  # and nobody waits for it but the run
        resume(run, workers=late.workers)
        assert "no workers; waiting 600 s for some" in capsys.readouterr().err
    asked(ALONE, tmp_path / "one")
    assert content(run) == content(tmp_path / "one")


def test_whatever_else_dask_complains_of_is_an_error_of_ours(three: Cluster) -> None:
    from distributed.exceptions import Reschedule

    said = rf"{three.workers.executor}: Reschedule: elsewhere; go on once"
    with pytest.raises(DataError, match=said), crew(None, three.workers):
        raise Reschedule("elsewhere")
    with pytest.raises(ZeroDivisionError), crew(None, three.workers):
        raise ZeroDivisionError


@pytest.mark.slow
def test_a_scheduler_that_is_killed_loses_nothing_that_was_finished(
    three: Cluster, run: Path, tmp_path: Path
) -> None:
    asked(ALONE, tmp_path / "one", worlds=8)
    with cluster(2) as doomed, pytest.raises(DataError, match="the scheduler is gone") as caught:
        asked(doomed.workers, run, worlds=8, progress=once_one_is_done(doomed.process.kill))
    assert caught.value.exit_code == 3
    kept = cells(run)
    assert 2 <= len(kept) < 16
    resume(run, workers=three.workers)
    assert content(run) == content(tmp_path / "one")
    assert kept.items() <= cells(run).items()


@pytest.mark.slow
def test_workers_that_nobody_starts_again_are_not_waited_for_forever(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "ALONE", 1.0)
    here = os.getpid()

    def deadly(epoch: Epoch) -> FloatArray:
        if os.getpid() != here:
            os._exit(1)
        return np.asarray(epoch.weights[0])

    with (
        cluster(1, "--no-nanny", "--nthreads=1") as mortal,
        pytest.raises(DataError, match=r"no workers for 1 s; .* without --no-nanny"),
    ):
        asked(mortal.workers, run, deadly, "uniform")


@pytest.mark.slow
def test_the_command_line_says_nothing_more_where_warnings_are_errors(
    three: Cluster, tmp_path: Path
) -> None:
    small = ("--stake=equal", "--validators=4", "--miners=5", "--worlds=2")
    question = ("uniform", "yuma", *small, "--identities=2", "--evaluations=0")
    command = (sys.executable, "-W", "error", "-m", "trilemma", "compare", *question, "--json", "-")
    said = [
        subprocess.run(
            [*command, "--executor", executor, "--out", executor[:4]],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        for executor in (three.workers.executor, "processes")
    ]
    assert [(it.returncode, it.stderr) for it in said] == [(0, ""), (0, "")]
    assert said[0].stdout == said[1].stdout


@pytest.mark.slow
def test_a_worker_without_this_package_is_named_and_lives_on(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['trilemma'] = None")
    with cluster(0) as strange:
        strange.start(1, PYTHONPATH=str(tmp_path))
        strange.join()
        pids = strange.pids()
        said = r"worker tcp://\S+: .*trilemma.*; install trilemma\[cluster\]=="
        with pytest.raises(UsageError, match=said):
            asked(strange.workers)
        assert strange.pids() == pids


@pytest.mark.slow
@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="BLAS is another one here"
)
def test_a_worker_whose_processor_rounds_otherwise_is_refused_with_the_way_out() -> None:
    with cluster(0) as old:
        old.start(1, OPENBLAS_CORETYPE="Nehalem")
        old.join()
        with pytest.raises(
            UsageError, match=r"has matrix products \w+; .*OPENBLAS_CORETYPE=Haswell"
        ):
            asked(old.workers)
