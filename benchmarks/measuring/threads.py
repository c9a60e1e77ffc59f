"""Two threads against one: plays in chunks, of which a thread that is done takes the next."""

from __future__ import annotations

import time
from functools import partial

import numpy as np

from benchmarks.measuring.clock import ROUNDS, Times, Work, interleaved
from benchmarks.measuring.data import plays_of, weights
from benchmarks.measuring.goals import DTYPES, Answers, Found
from trilemma.kernels.threads import in_threads

__all__ = ["measure"]

SHAPE = (256, 8, 64, 256)  # plays, epochs, validators, miners: starting threads counts little
CHUNK = 8  # plays: about 1 ms; in chunks of 0.1 ms two threads gain a fifth less
TURNS = 3 * ROUNDS  # other programs disturb two threads more than one


def measure(_: bool = False) -> Answers:
    """Measure in both kinds of numbers."""
    return {f"two_threads_{dtype}": _ratio(dtype) for dtype in DTYPES}


def _ratio(dtype: str) -> Found:
    said = weights("honest", (SHAPE[0] * SHAPE[1], *SHAPE[2:]), dtype)
    plays = plays_of(said.reshape(SHAPE))
    parts = [(first, first + CHUNK) for first in range(0, SHAPE[0], CHUNK)]
    work = partial(in_threads, lambda part: plays.run(part=part), parts)
    target = np.empty_like(plays.weights)
    taken = interleaved(
        {
            "1": partial(work, 1),
            "2": partial(work, 2),
            "memcpy": partial(np.copyto, target, plays.weights),
        },
        TURNS,
    )
    detail = {
        "ms, one thread": 1e3 * taken["1"].median("wall"),
        "copies of the weights, two threads": taken["2"].over(taken["memcpy"], "wall"),
        "fastest / fastest": _fastest(taken),
        "cores that two threads got": _cores(partial(work, 2)),
    }
    return Found(taken["1"].over(taken["2"], "wall"), TURNS, detail)


def _fastest(taken: dict[str, Times]) -> float:
    return min(taken["1"].wall) / min(taken["2"].wall)


def _cores(work: Work) -> float:
    """Return how many processors a work keeps busy; what other programs hold is missing."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(ROUNDS):
        work()
    return (time.process_time() - cpu) / (time.perf_counter() - wall)
