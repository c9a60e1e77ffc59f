"""Go on with a run from its folder alone, and say how far it is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from trilemma.codes import key_of
from trilemma.compare import compare
from trilemma.entries import ATTACKS, registered
from trilemma.errors import DataError, UsageError
from trilemma.executor import Progress, Workers
from trilemma.importers import read
from trilemma.kept import Kept
from trilemma.lock import is_running
from trilemma.model import Budget
from trilemma.report import Report
from trilemma.report.files import PAGE
from trilemma.store import ASKED, asked_in
from trilemma.worlds import Imported, Preset, Source

__all__ = ["OUTCOME", "STUDY", "Status", "new_run", "resume", "status"]

RUNS = Path("runs")
STUDY, OUTCOME = "study.toml", "outcome.json"  # in the run of a study


def new_run(parent: Path = RUNS) -> Path:
    """Make a folder for a run, the first of 0001, 0002, ... that is not there; return it.

    Raises
    ------
    DataError
        If it cannot be made.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            folder = parent / f"{number:04}"
            with suppress(FileExistsError):  # of another run, perhaps begun just now
                folder.mkdir()
                return folder
    except OSError as error:
        raise DataError(f"{parent}: cannot keep runs there ({error.strerror})") from error
    raise AssertionError


def resume(
    run: str | os.PathLike[str],
    *,
    workers: int | Workers | None = None,
    progress: Progress | None = None,
) -> Report:
    """Compute what is missing of a run, and score it: the question is the one in its folder.

    Parameters
    ----------
    run : path
        Folder of a `compare(out=...)`; of a study, its comparison is computed, and not its sweeps
        (`trilemma.study.resume_study` does both).
    workers, progress
        As for `compare`.

    Returns
    -------
    Report

    Raises
    ------
    UsageError
        If its worlds were made by a program of its own, or a mechanism is not found any more.
    DataError
        If the folder holds no run, or its network has changed.
    """
    folder = Path(run).absolute()
    question, there = _question(folder)
    with chdir(there) if there.is_dir() else nullcontext():  # where ./file.py:Name was meant
        return compare(**question, out=folder, workers=workers, progress=progress)


def _question(folder: Path) -> tuple[dict[str, Any], Path]:
    """Return what `compare` was asked, and where."""
    asked = asked_in(folder)
    with _misread(folder):
        budget = {**asked["budget"], "insiders": tuple(asked["budget"]["insiders"])}
        added = [it for it in asked["attacks"] if it not in registered(ATTACKS)]
        question = {
            **{name: asked[name] for name in ("mechanisms", "worlds", "xi", "seed")},
            "world": _source(folder, asked),
            "budget": Budget(**budget),
            "attacks": added or None,
        }
        return question, Path(asked["asked_in"])


@contextmanager
def _misread(folder: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{folder}: its run.json is not of this program; ask again") from error


def _source(folder: Path, asked: dict[str, Any]) -> Source:
    told = asked["world"]
    if "network" in told:
        if not asked["files"]:
            raise UsageError(
                f"{folder}: its network was not read from a file; write it to one (trilemma "
                "import), and compare that"
            )
        chosen = {it: told[it] for it in ("noise", "clone_detection", "distrusted")}
        source: Source = Imported(read(asked["files"]), **chosen)
    elif told.keys() == Preset().describe().keys():
        source = Preset(**told)
    else:
        raise UsageError(f"{folder}: its worlds were made by a program of its own; run that again")
    if json.loads(json.dumps(source.describe())) != told:
        raise DataError(f"{folder}: {', '.join(asked['files'])} changed since; ask again")
    return source


@dataclass(frozen=True)
class Status:
    """How far a run is.

    Parameters
    ----------
    run : Path
    state : {"running", "stopped", "finished"}
    worlds : int
    done : dict
        In how many worlds each mechanism is finished.
    """

    run: Path
    state: str
    worlds: int
    done: dict[str, int]

    def __str__(self) -> str:
        width = max(map(len, self.done), default=0)
        lines = [f"{self.run}: {self.state}"]
        lines += [f"  {label:{width}}  {it} of {self.worlds}" for label, it in self.done.items()]
        if self.state == "stopped":
            lines.append(f"trilemma resume {self.run} goes on")
        return "\n".join(lines)

    def to_json(self) -> str:
        """Return it as JSON: `run`, `state`, `worlds` and `mechanisms` (`label`, `done`)."""
        mechanisms = [{"label": label, "done": it} for label, it in self.done.items()]
        told = {"run": str(self.run), "state": self.state, "worlds": self.worlds}
        return json.dumps({**told, "mechanisms": mechanisms}, indent=2) + "\n"


def status(run: str | os.PathLike[str]) -> Status:
    """Return how far a run is, also while it runs.

    Raises
    ------
    DataError
        If the folder holds no run.
    """
    folder = Path(run)
    asked = asked_in(folder)
    with _misread(folder):
        worlds = len(range(asked["worlds"]))
        codes = asked["codes"].items()
        with Kept(folder) as kept:
            done = {label: kept.done(key_of(label, code), worlds) for label, code in codes}
    return Status(folder, _state(folder), worlds, done)


def _state(folder: Path) -> str:
    if is_running(folder):
        return "running"
    # the question is written at the beginning of a run, this at its end
    asked, last = folder / ASKED, folder / (OUTCOME if (folder / STUDY).exists() else PAGE)
    done = last.exists() and last.stat().st_mtime_ns >= asked.stat().st_mtime_ns
    return "finished" if done else "stopped"
