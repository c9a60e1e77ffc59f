"""Runs that are killed: what is resumed ends as if nothing had happened, to the last byte."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tests.dask_cluster import cluster
from tests.kept_cells import changed, rows
from trilemma.executor import CAN_FORK

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CAN_FORK, reason="workers are not processes here"),
]

QUESTION = (
    *("uniform", "stake_weighted", "yuma"),
    *("--stake=pareto(1.2)", "--validators=5", "--miners=6", "--worlds=5"),
    *("--identities=2", "--evaluations=20", "--workers=2", "--quiet"),
)
LIVES = 5  # of one run
Killer = Callable[["subprocess.Popen[str]", float], None]


def started(*command: str, most: int | None = None) -> subprocess.Popen[str]:
    """Start a command; no file that it writes may get larger than so many bytes."""

    def limited() -> None:
        if most is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    return subprocess.Popen(
        [sys.executable, "-m", "trilemma", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limited,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, err = process.communicate(timeout=120)
    return process.returncode, err


def out(run: Path) -> dict[str, bytes]:
    """Return all that came out of a run, by file; and its cells, whatever their order."""
    with changed(run) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        query = "SELECT mechanism, name, seal, arrays FROM kept ORDER BY mechanism, name"
        kept = database.execute(query).fetchall()
    beside = {".sqlite", ".sqlite-wal", ".sqlite-shm"}
    files = (it for it in run.rglob("*") if it.is_file() and it.suffix not in beside)
    told = {str(it.relative_to(run)): it.read_bytes() for it in files if it.name != "run.json"}
    return {**told, "cells": repr(kept).encode()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    """What comes out where nobody disturbs it, and how many seconds that takes."""
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    began = time.monotonic()
    assert ended(started("compare", *QUESTION, "--out", str(run))) == (0, "")
    return out(run), time.monotonic() - began


def lives(run: Path) -> Iterator[tuple[str, ...]]:
    """Yield the command that begins a run, and then those that go on with it."""
    yield ("compare", *QUESTION, "--out", str(run))
    for _ in range(1, LIVES):
        yield going_on(run)


def going_on(run: Path) -> tuple[str, ...]:
    """Return the command that goes on with a run, or begins it where nothing is there yet."""
    if (run / "run.json").exists():
        return ("resume", str(run), "--workers=2", "--quiet")
    return ("compare", *QUESTION, "--out", str(run))


def finished(run: Path) -> None:
    """Go on with a run until it is done."""
    assert ended(started(*going_on(run))) == (0, "")


@pytest.mark.parametrize("seed", range(6))
def test_a_run_that_is_killed_five_times_ends_as_if_it_had_not_been(
    seed: int, tmp_path: Path, undisturbed: tuple[dict[str, bytes], float]
) -> None:
    whole, lasted = undisturbed
    draw = np.random.default_rng(seed)
    run = tmp_path / "run"
    for command in lives(run):
        before = rows(run)
        process = started(*command)
        with suppress(subprocess.TimeoutExpired):
            process.wait(draw.uniform(0.1, 0.7) * lasted)
        process.kill()
        process.communicate()
        assert before.items() <= rows(run).items()  # nothing is lost, or computed again
    finished(run)
    assert out(run) == whole


@pytest.mark.parametrize("seed", range(5))
def test_a_run_whose_workers_are_killed_ends_by_itself_as_if_they_had_not_been(
    seed: int, tmp_path: Path, undisturbed: tuple[dict[str, bytes], float]
) -> None:
    whole, lasted = undisturbed
    draw = np.random.default_rng(seed)
    run = tmp_path / "run"
    process = started("compare", *QUESTION, "--out", str(run))
    with suppress(subprocess.TimeoutExpired):
        process.wait(draw.uniform(0.4, 0.9) * lasted)
    if workers := children(process.pid):
        os.kill(int(draw.choice(workers)), signal.SIGKILL)
    code, err = ended(process)
    if code:  # it was blamed on a mechanism that was alone at that moment
        assert "its process died" in err
        finished(run)
    assert out(run) == whole


def children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(it) for it in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@pytest.mark.parametrize("seed", range(5))
def test_a_cluster_whose_workers_are_killed_gives_the_bytes_of_this_machine(
    seed: int, tmp_path: Path, undisturbed: tuple[dict[str, bytes], float]
) -> None:
    whole, lasted = undisturbed
    draw = np.random.default_rng(seed)
    run = tmp_path / "run"
    question = [it for it in QUESTION if not it.startswith("--workers")]
    with cluster(3) as three:
        pids = three.pids()
        address = f"dask://{three.address}"
        process = started("compare", *question, "--out", str(run), "--executor", address)
        for pid in draw.permutation(pids)[:2]:
            with suppress(subprocess.TimeoutExpired):
                process.wait(draw.uniform(0.2, 1) * lasted)
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        assert ended(process) == (0, "")
    assert out(run) == whole


@pytest.mark.parametrize("seed", range(3))
def test_a_disk_that_is_full_is_told_of_and_room_makes_all_good(
    seed: int, tmp_path: Path, undisturbed: tuple[dict[str, bytes], float]
) -> None:
    whole, _ = undisturbed
    draw = np.random.default_rng(seed)
    run = tmp_path / "run"
    largest = 1.2 * max(map(len, whole.values()))
    for command in lives(run):
        before = rows(run)
        room = int(np.exp(draw.uniform(np.log(2000), np.log(largest))))
        code, err = ended(started(*command, most=room))
        assert code in (0, 3)
        if code:
            assert err.startswith("trilemma: ")
            assert err.count("\n") == 1
        assert before.items() <= rows(run).items()
    finished(run)
    assert out(run) == whole
