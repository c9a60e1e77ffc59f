"""Mutants, each tried in a process of its own; no file of the tree is written to."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from benchmarks.mutation.kill import CI, drawn
from benchmarks.mutation.scope import ROOT, File
from trilemma.profiles import Profile

__all__ = ["CRASH", "ENDLESS", "Job", "Kit", "Outcome", "outcomes"]

CRASH, ENDLESS = "crash", "time limit"
SECONDS = 60  # many times what a check takes, and enough to compile
COMMAND = (sys.executable, "-m", "benchmarks.mutation.kill")
KEPT = "NUMBA_CACHE_DIR"  # a folder of our own: nobody else may run what is compiled here
# Soon rather than to fast code, and stopped where it would leave an array; numba keeps none of it.
ANEW = {"NUMBA_OPT": "0", "NUMBA_BOUNDSCHECK": "1"}

Job: TypeAlias = tuple[File, str]
"""A file, and the source to try in its place."""
Outcome: TypeAlias = str | None
"""What kills it; None: it survives."""


class Kit:
    """The kit, with its cases drawn, and a folder to work in.

    Parameters
    ----------
    place : Path
        Empty.
    files : sequence of File
        Whose mutants will be tried.
    how : Profile
        How many cases each check is tried on.
    seconds : float
        Of the processor that a check may take.
    """

    def __init__(
        self, place: Path, files: Sequence[File], how: Profile = CI, seconds: float = SECONDS
    ) -> None:
        self.place, self.cases, self.seconds = place, place / "cases", seconds
        specs = dict.fromkeys(spec for file in files for spec in file.specs)
        self.cases.write_bytes(pickle.dumps(drawn(specs, how)))

    def kills(self, file: File, source: str) -> Outcome:
        """Return what kills a source that stands in a file's place."""
        with TemporaryDirectory(dir=self.place) as folder:
            path = Path(folder) / Path(file.path).name
            path.write_text(source)
            given = file.module, path, self.cases, self.seconds
            kernels = {**ANEW, KEPT: folder} if file.anew else {KEPT: str(self.place / "kernels")}
            done = subprocess.run(
                [*COMMAND, *map(str, given), *file.specs],
                cwd=ROOT,
                env={**os.environ, **kernels},
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode > 0:
            raise RuntimeError(f"{file.path}: the kit could not be run\n{done.stderr}")
        if done.returncode < 0:
            return ENDLESS if done.returncode == -signal.SIGPROF else CRASH
        found: Outcome = json.loads(done.stdout.splitlines()[-1])
        return found


def outcomes(
    files: Sequence[File], jobs: Sequence[Job], workers: int, told: Callable[[int, Outcome], None]
) -> None:
    """Tell what kills each source.

    Parameters
    ----------
    files : sequence of File
        All whose mutants are tried.
    jobs : sequence of Job
    workers : int
        How many processes at a time.
    told : callable
        Is called with the number of a job and its outcome, as they come.
    """
    with TemporaryDirectory() as place, ThreadPoolExecutor(workers) as pool:
        kit = Kit(Path(place), files)

        def work(number: int) -> None:
            told(number, kit.kills(*jobs[number]))

        list(pool.map(work, range(len(jobs))))
