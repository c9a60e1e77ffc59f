"""Compile once what every epoch of Yuma needs, however many processes start at the same time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

import numpy as np

from trilemma.kernels.epochs import Outcome, Settings, plays
from trilemma.kernels.yuma import normalised

__all__ = ["ready"]

LOCK = "trilemma.lock"


@cache  # 0.05 us from the second call on
def ready(kind: str) -> None:
    """Compile the kernels of an epoch, or load them if they are in the cache.

    Once per process, and in one process at a time: of several that start on a cold cache the
    first compiles, and the others load what it has left.

    Parameters
    ----------
    kind : {"float64", "float32"}
        Of weights and bonds.
    """
    if not hasattr(plays, "stats"):  # NUMBA_DISABLE_JIT: nothing is compiled
        return
    with _alone(Path(str(plays.stats.cache_path))), _uncollected():
        normalised(np.ones(1))  # stakes are floats of 64 bits
        normalised(np.ones(1, kind))
        _smallest_epoch(np.dtype(kind))


def _smallest_epoch(kind: np.dtype[np.floating]) -> None:
    """Compute an epoch of one validator and one miner, from arrays like those of any epoch."""
    units = np.dtype(f"int{8 * kind.itemsize}")
    weights, stake = np.ones((1, 1, 1, 1), kind), np.ones((1, 1, 1), kind)
    if kind == np.float64:  # an epoch's own, which nobody can write to
        weights.setflags(write=False)
    outcome = Outcome(*(np.zeros((1, 1, 1), kind) for _ in Outcome._fields))
    settings = Settings(3, 1.0, 0.1, False, 0.7, 0.9, 10.0)
    one, none = np.ones((1, 1), units), np.zeros((0, 1, 1), kind)
    plays(weights, stake, one[None], one, none, np.zeros(0, kind), settings, 0, 1, outcome)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes out; a lock of the system's, so that it goes with its owner."""
    with ExitStack() as held:
        with suppress(ImportError, OSError):  # Windows and some file systems know no such locks
            from fcntl import LOCK_EX, flock

            flock(held.enter_context(open(folder / LOCK, "w")), LOCK_EX)
        yield


@contextmanager
def _uncollected() -> Iterator[None]:
    """Hold the garbage collector back: it would take a tenth of the time to compile."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
