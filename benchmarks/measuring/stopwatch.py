"""One comparison with a stopwatch beside it: `python -m benchmarks.measuring.stopwatch ASKED`.

ASKED is JSON, and so is what is printed. It is a process of its own, so that the most memory it has
held is nobody else's; that is read from /proc, so on Linux only.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from benchmarks.measuring.clock import child
from trilemma import Budget, compare
from trilemma.kept import CELLS
from trilemma.model import Epoch, FloatArray
from trilemma.run import Run
from trilemma.store import Store
from trilemma.tasks import Tasks
from trilemma.worlds import Preset

__all__ = ["Asked", "Busy", "Taken", "taken"]

Taken: TypeAlias = dict[str, Any]

JOBS = ("coalitions", "world", "replays", "testify")
PHASES = ("enter", "finish", "witnesses", "report")
BUSY = "busy"
KINDS = ("found", "replayed")  # of what is kept beside a cell


@dataclass(frozen=True)
class Asked:
    """What is compared, and where.

    Parameters
    ----------
    folder : str
        Of the run.
    rules : tuple of str
        Specs; `"busy"` is the rule that takes a known time.
    worlds, evaluations, validators, miners, workers : int
    call : float
        Seconds that a call of the busy rule takes.
    """

    folder: str
    rules: tuple[str, ...]
    worlds: int
    evaluations: int = 0
    validators: int = 64
    miners: int = 128
    workers: int = os.cpu_count() or 1
    call: float = 0.0


class Busy:
    """Pays everybody the same, after a known time of its core; asleep it would lend that out."""

    seconds = 0.0
    taken = 0.0  # of all instances: the harness copies them
    calls = 0

    def __call__(self, epoch: Epoch) -> FloatArray:
        """Pay everybody the same."""
        start = time.thread_time()
        miners = epoch.weights.shape[1]
        while time.thread_time() - start < Busy.seconds:
            pass
        Busy.calls += 1
        Busy.taken += time.thread_time() - start
        return np.full(miners, 1 / miners)


def taken(asked: Asked) -> Taken:
    """Return what a comparison took, in a fresh process."""
    said = child(["-m", "benchmarks.measuring.stopwatch", json.dumps(asdict(asked))]).said
    answer: Taken = json.loads(said)
    return answer


# --- in that process -----------------------------------------------------------------------------


def _measured(asked: Asked) -> Taken:
    Busy.seconds = asked.call
    phases: Taken = {}
    with tempfile.TemporaryDirectory() as notes:
        _watch(phases, Path(notes))
        report = compare(
            [Busy() if rule == BUSY else rule for rule in asked.rules],
            world=Preset(validators=asked.validators, miners=asked.miners),
            worlds=asked.worlds,
            budget=Budget(evaluations=asked.evaluations),
            workers=asked.workers,
            out=asked.folder,
        )
        jobs = _jobs(Path(notes))
    if report.failures:
        raise RuntimeError(str(report.failures[0]))
    size = {"rows": len(asked.rules) * asked.worlds, "plays": report.plays, "calls": report.calls}
    return {
        "asked": {**asdict(asked), "folder": "", "rules": len(asked.rules)},
        **size,
        "phases": phases,
        "jobs": jobs,
        "bytes": _bytes(Path(asked.folder)),
    }


def _watch(phases: Taken, notes: Path) -> None:
    for name in PHASES:
        setattr(Run, name, _phase(getattr(Run, name), name, phases))
    store, module = "save", import_module("trilemma.compare")
    setattr(module, store, _phase(getattr(module, store), store, phases))
    Store.keep = _phase(Store.keep, "keep", phases, whole=False)  # type: ignore[method-assign]
    for name in JOBS:
        setattr(Tasks, name, _job(getattr(Tasks, name), name, notes))


def _phase(
    work: Callable[..., Any], name: str, phases: Taken, *, whole: bool = True
) -> Callable[..., Any]:
    """Return the same, with what it takes added to a phase; memory only of those that are whole."""

    @wraps(work)
    def watched(*arguments: Any, **named: Any) -> Any:
        if whole:
            _forget_peak()
        start = _now()
        try:
            return work(*arguments, **named)
        finally:
            entry = phases.setdefault(name, dict.fromkeys(start, 0.0) | {"peak": 0.0})
            _add(entry, start)
            if whole:
                entry["peak"] = max(entry["peak"], _peak())

    return watched


def _job(work: Callable[..., Any], name: str, notes: Path) -> Callable[..., Any]:
    """Return the same, with a line for what it takes added to a file of the worker's own."""

    @wraps(work)
    def watched(*arguments: Any) -> Any:
        _forget_peak()
        start, busy = _now(), (Busy.taken, Busy.calls)
        answer = work(*arguments)
        note = {name: end - start[name] for name, end in _now().items()}
        note |= {"bare": Busy.taken - busy[0], "calls": Busy.calls - busy[1], "peak": _peak()}
        with (notes / str(os.getpid())).open("a") as file:
            file.write(json.dumps([name, note]) + "\n")
        return answer

    return watched


def _now() -> dict[str, float]:
    return {"wall": time.perf_counter(), "cpu": time.process_time()}


def _add(entry: Taken, start: dict[str, float]) -> None:
    for name, end in _now().items():
        entry[name] += end - start[name]


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text(
        "5"
    )  # ru_maxrss cannot be, and is the parent's at first


def _peak() -> float:
    """Return how many MiB this process has held at most."""
    [line] = [it for it in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in it]
    return int(line.split()[1]) / 1024


def _jobs(notes: Path) -> Taken:
    """Return by kind of job how many there were, what all took, and the most of one."""
    lines = [json.loads(line) for path in notes.iterdir() for line in path.open()]
    return {kind: _summed([note for job, note in lines if job == kind]) for kind in JOBS}


def _summed(notes: list[dict[str, float]]) -> Taken:
    totals = {it: sum(note[it] for note in notes) for it in ("wall", "cpu", "bare", "calls")}
    most = {it: max((note[it] for note in notes), default=0.0) for it in ("wall", "peak")}
    return {"count": len(notes), **totals, "longest": most["wall"], "peak": most["peak"]}


def _bytes(folder: Path) -> Taken:
    """Return the bytes of everything in a run's folder, and of what is in its cells by kind."""
    files = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    witnesses = sum(path.stat().st_size for path in folder.glob("witnesses/*"))
    query = "SELECT coalesce(sum(length(arrays)), 0) FROM kept WHERE name GLOB ?"
    with closing(sqlite3.connect(folder / CELLS)) as cells:
        kinds = {kind: cells.execute(query, (f"*-{kind}",)).fetchone()[0] for kind in KINDS}
    return {**files, "witnesses": witnesses, **kinds}


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps(_measured(Asked(**{**given, "rules": tuple(given["rules"])}))))
