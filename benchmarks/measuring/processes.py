"""What a fresh process takes: to help, to a first answer, to compile; and its memory."""

from __future__ import annotations

import json
import os
import tempfile
from statistics import median

from benchmarks.bench_compare import FIRST_ANSWER
from benchmarks.measuring.clock import ROUNDS, Child, child
from benchmarks.measuring.goals import Answers, Found

__all__ = ["compile_", "memory", "start"]

MEASURED = """
import json, resource
from trilemma import compare
compare(worlds={worlds})
own, largest = (resource.getrusage(who).ru_maxrss for who in
                (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(json.dumps([own / 1024, largest / 1024]))
"""
WORLDS = 16  # the default


def start(_: bool = False) -> Answers:
    """Measure, with everything compiled, how soon the help and a first answer are there."""
    commands = {"help": ["-m", "trilemma", "--help"], "first_answer": ["-c", FIRST_ANSWER]}
    rounds = [{name: child(it) for name, it in commands.items()} for _ in range(ROUNDS + 1)]
    return {name: _seconds([runs[name] for runs in rounds[1:]]) for name in commands}


def _seconds(runs: list[Child]) -> Found:
    cpu = median(run.cpu for run in runs)
    return Found(median(run.wall for run in runs), len(runs), {"CPU s": cpu})


def compile_(full: bool = False) -> Answers:
    """Measure a first answer with nothing compiled."""
    runs = []
    for _ in range(ROUNDS if full else 3):
        with tempfile.TemporaryDirectory() as cache:
            runs.append(child(["-c", FIRST_ANSWER], NUMBA_CACHE_DIR=cache))
    wall = median(run.wall for run in runs)
    return {"cold_compile": Found(median(run.cpu for run in runs), len(runs), {"wall s": wall})}


def memory(_: bool = False) -> Answers:
    """Compare peak memory of the comparison with that of one with ten times the worlds."""
    few, many = (_peak(worlds) for worlds in (WORLDS, 10 * WORLDS))
    detail = {
        "worlds": [WORLDS, 10 * WORLDS],
        "MiB": [few, many],
        "counted": "the parent and as many of its largest child as there are workers",
    }
    return {"peak_memory": Found(many / few, 1, detail)}  # a maximum, not a time: once is enough


def _peak(worlds: int) -> float:
    own, largest = json.loads(child(["-c", MEASURED.format(worlds=worlds)]).said)
    return float(own + (os.cpu_count() or 1) * largest)
