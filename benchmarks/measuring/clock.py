"""Times that can be compared: interleaved rounds, medians, the thread's CPU time beside the wall.

Whatever slows the machine down for a while slows down every work of a round. CPU time does not
count what other programs take, so ratios of work on one thread are ratios of CPU time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeAlias

__all__ = ["ROOT", "ROUNDS", "Child", "Times", "Work", "child", "interleaved"]

ROOT = Path(__file__).parents[2]
ROUNDS = 11

Work: TypeAlias = Callable[[], object]


class Times(NamedTuple):
    """Seconds of one work, round by round."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    def over(self, other: Times, clock: str = "cpu") -> float:
        """Return the median in units of another's."""
        return self.median(clock) / other.median(clock)

    def median(self, clock: str = "cpu") -> float:
        """Return the median by a clock: "wall" or "cpu"."""
        return median(self.cpu if clock == "cpu" else self.wall)


def interleaved(works: Mapping[str, Work], rounds: int = ROUNDS) -> dict[str, Times]:
    """Do every work once to compile and to touch its memory, then once a round."""
    for work in works.values():
        work()
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(_timed(work))
    return {name: Times(*zip(*pairs, strict=True)) for name, pairs in taken.items()}


def _timed(work: Work) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.thread_time()
    work()
    return time.perf_counter() - wall, time.thread_time() - cpu


class Child(NamedTuple):
    """What a process took, its own children included: seconds, and MiB at most in one process."""

    wall: float
    cpu: float
    peak: float
    said: str


def child(command: Sequence[str], **environment: str) -> Child:
    """Run this Python with a command in the root, and wait for it."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    with process.stdout:
        said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} failed: {process.returncode}")
    wall = time.perf_counter() - start
    return Child(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, said)
