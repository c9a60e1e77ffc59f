"""Networks to measure with: honest ones, and ones without any order."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from trilemma import kernels

__all__ = ["KINDS", "LIQUID", "PLAIN", "Plays", "changed", "plays_of", "unchanged", "weights"]

Numbers: TypeAlias = npt.NDArray[Any]

KINDS = ("honest", "uniform")
PLAIN = kernels.Settings(3, 1.0, 0.1, False, 0.7, 0.9, 10.0)
LIQUID = PLAIN._replace(liquid=True)
CHANGED = 0.01


def weights(kind: str, shape: tuple[int, int, int], dtype: Any, seed: int = 0) -> Numbers:
    """Return t epochs of weights (t, n, m).

    Parameters
    ----------
    kind : {"honest", "uniform"}
        Reports on log-normal qualities with independent log-normal noise of 0.1, or independent
        uniform numbers.
    shape, dtype
        Of the result.
    seed : int
    """
    epochs, _, miners = shape
    draw = np.random.default_rng(seed)
    if kind == "honest":
        noise = np.exp(0.1 * draw.standard_normal(shape, np.float32))
        said = draw.lognormal(size=(epochs, 1, miners)).astype(np.float32) * noise
    else:
        said = draw.random(shape, np.float32)
    return _scaled(said.astype(dtype))


def unchanged(said: Numbers) -> Numbers:
    """Return as many epochs, each like the first."""
    return np.broadcast_to(said[0], said.shape).copy()


def changed(said: Numbers, seed: int = 0) -> Numbers:
    """Return as many epochs, in each of which 1 % of the reports differ from the epoch before."""
    draw = np.random.default_rng(seed)
    moved = unchanged(said)
    for before, now in pairwise(moved):
        which = draw.random(now.shape) < CHANGED
        now[:] = before
        now[which] *= np.exp(0.1 * draw.standard_normal(np.count_nonzero(which)))
        now[:] = _scaled(now)
    return moved


def _scaled(said: Numbers) -> Numbers:
    said /= said.sum(axis=-1, keepdims=True)
    return said


class Plays(NamedTuple):
    """What `kernels.plays` takes, and where it writes to; p plays of t epochs."""

    weights: Numbers
    share: Numbers
    units: Numbers
    needed: Numbers
    outcome: kernels.Outcome

    def run(
        self,
        settings: kernels.Settings = PLAIN,
        guess: Numbers | None = None,
        part: tuple[int, int] | None = None,
    ) -> None:
        """Compute some of the plays, by default all; with a guess, searches start warm."""
        kind, size = self.weights.dtype, self.weights.shape[2:]
        start = np.zeros(0, kind) if guess is None else guess
        first, last = part or (0, len(self.weights))
        prior = np.zeros((0, *size), kind)
        given = self.weights, self.share, self.units, self.needed
        kernels.plays(*given, prior, start, settings, first, last, self.outcome)


def plays_of(said: Numbers) -> Plays:
    """Return plays (p, t, n, m) of weights under one unequal stake."""
    count, epochs, validators, miners = said.shape
    kind = said.dtype
    stake = np.power(np.random.default_rng(1).random(validators), 3)
    units = kernels.stake_units(stake, 30 if kind == np.float32 else 62)
    needed = kernels.needed_support(0.5, int(units.sum(dtype=np.int64)))
    over = (count, epochs)
    outcome = kernels.Outcome(
        np.zeros((*over, miners), kind),
        np.zeros((*over, miners), kind),
        np.zeros((*over, validators), kind),
        np.zeros((count, validators, miners), kind),
    )
    return Plays(
        said,
        np.broadcast_to((stake / stake.sum()).astype(kind), (*over, validators)).copy(),
        np.broadcast_to(units, (*over, validators)).copy(),
        np.full(over, needed, units.dtype),
        outcome,
    )
