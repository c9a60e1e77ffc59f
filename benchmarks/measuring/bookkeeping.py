"""What a run remembers of every world and every finished row; what it takes to rank a pair."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring.clock import interleaved
from benchmarks.measuring.sizes import EIGHT, KEPT, filled
from benchmarks.measuring.stopwatch import Asked, taken
from trilemma import Budget, load
from trilemma.executor import Job
from trilemma.run import FIXED, Run
from trilemma.statistics import RESAMPLES, beats, rank_interval
from trilemma.store import Store
from trilemma.worlds import Preset

__all__ = ["bookkeeping", "pair"]

VALIDATORS, MINERS = 12, 5  # small: what a run remembers does not depend on them
WORLDS = 1000
RANKED = 100  # mechanisms


def bookkeeping() -> dict[str, float]:
    """Return the bytes of a world's job that waits, and of what is remembered of a finished row."""
    with tempfile.TemporaryDirectory() as folder:
        new, old = Path(folder) / "new", Path(folder) / "old"
        taken(Asked(str(old), EIGHT, KEPT, 0, VALIDATORS, MINERS))
        filled(old, KEPT, WORLDS)
        jobs, rows = _held(new), _held(old)
    return {"job": jobs / WORLDS, "row": rows / (WORLDS * len(EIGHT))}


def _held(folder: Path) -> int:
    """Return the bytes that a run holds once it knows what is missing."""
    run = Run(Preset(validators=VALIDATORS, miners=MINERS), WORLDS, Budget(evaluations=0), 0.5, 0)
    loaded, kept = {name: load(name) for name in EIGHT}, []

    def hold(_: str, jobs: Iterable[Job]) -> Iterator[tuple[Job, Any]]:
        kept.append(jobs)
        return iter(())

    with closing(Store(folder, run.asked(loaded), FIXED)) as store:
        tracemalloc.start()
        run.enter(loaded, store)
        run.measure(hold, EIGHT, None)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    return held


def pair() -> float:
    """Return the seconds that ranking takes, for every ordered pair of mechanisms, at most."""
    scores = np.random.default_rng(0).random((RANKED, 1 + RESAMPLES))
    each = interleaved(
        {
            "beats": partial(beats, scores[0], scores[1]),
            "ranks": partial(rank_interval, scores, 0),
        },
        rounds=101,
    )
    # verified and free: whether one beats the other, and the ranks of one among all
    return 2 * (each["beats"].median() + each["ranks"].median() / RANKED)
