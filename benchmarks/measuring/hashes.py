"""One answer, however it is computed: `python -m benchmarks.measuring.hashes` prints its hash."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from functools import partial
from hashlib import sha256

import numpy as np

from benchmarks.measuring.clock import child
from benchmarks.measuring.data import KINDS, LIQUID, PLAIN, Numbers, Plays, plays_of, weights
from benchmarks.measuring.goals import DTYPES, Answers, Found
from trilemma import kernels
from trilemma.kernels.threads import in_threads

__all__ = ["levels", "measure"]

SHAPE = (12, 4, 64, 256)  # plays, epochs, validators, miners
RULES = (PLAIN, PLAIN._replace(version=2), LIQUID)
LEVELS = ("x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4")


def measure(_: bool = False) -> Answers:
    """Compute the same plays in every way there is."""
    return {f"hashes_{dtype}": _ways(dtype) for dtype in DTYPES}


def _ways(dtype: str) -> Found:
    hashes = []
    parts = [(play, play + 1) for play in range(SHAPE[0])]
    for plays in _networks(dtype):
        guess = np.zeros(0, dtype)
        ways = [(parts, 1, guess), (parts[::-1], 1, guess), ([(0, SHAPE[0])], 1, guess)]
        ways += [(parts, threads, guess) for threads in (2, 3)]
        ways += [(parts, 1, np.full(SHAPE[3], 0.01, dtype)), (parts, 2, plays.weights[0, 0, 0])]
        hashes.append([_hash(plays, *way) for way in ways])
    return Found(max(len(set(of_one)) for of_one in hashes), sum(map(len, hashes)))


def _networks(dtype: str) -> Iterable[Plays]:
    for kind in KINDS:
        said = weights(kind, (SHAPE[0] * SHAPE[1], *SHAPE[2:]), dtype)
        yield plays_of(said.reshape(SHAPE))


def _hash(plays: Plays, parts: list[tuple[int, int]], threads: int, guess: Numbers) -> str:
    """Return the hash of all outputs under all rules."""
    digest = sha256()
    for rule in RULES:
        for output in plays.outcome:
            output.fill(np.nan)
        in_threads(partial(plays.run, rule, guess), parts, threads)
        for output in plays.outcome:
            digest.update(output.tobytes())
    return digest.hexdigest()


def levels(_: bool = False) -> Answers:
    """Compute the same in processes that compile for processors of other generations."""
    said = {}
    for level in LEVELS:
        with tempfile.TemporaryDirectory() as cache:
            environment = {"NUMBA_CPU_NAME": level, "NUMBA_CPU_FEATURES": ""}
            run = child(["-m", __name__], NUMBA_CACHE_DIR=cache, **environment)
        said[level] = run.said.strip()
    own = json.dumps(_all())
    found = Found(len({own, *said.values()}), len(LEVELS) + 1, {"levels": [*LEVELS, "host"]})
    return {"hashes_x86": found}


def _all() -> list[str]:
    whole = [(0, SHAPE[0])]
    none = {dtype: np.zeros(0, dtype) for dtype in DTYPES}
    found = [_hash(plays, whole, 1, none[dtype]) for dtype in DTYPES for plays in _networks(dtype)]
    consensus = sha256()
    for dtype in DTYPES:
        for plays in _networks(dtype):
            for said in plays.weights[:, 0]:
                given = said, plays.units[0, 0], int(plays.needed[0, 0])
                consensus.update(kernels.consensus(*given).tobytes())
    return [*found, consensus.hexdigest()]


if __name__ == "__main__":
    print(json.dumps(_all()))
