"""Whole epochs of the fused kernel, beside copying their weights and beside our peers."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.measuring.clock import ROUNDS, Times, Work, interleaved
from benchmarks.measuring.data import (
    KINDS,
    LIQUID,
    Numbers,
    Plays,
    changed,
    plays_of,
    unchanged,
    weights,
)
from benchmarks.measuring.goals import DTYPES, GOALS, SIZES, Answers, Found
from benchmarks.peers import numpy_epoch

__all__ = ["measure"]

PEERS = (64, 256)  # n, m of the networks that they are measured on
RATIOS = {  # by the name of an entry: what is measured, in units of what
    "cold": ("cold", "memcpy"),
    "warm": ("warm", "memcpy"),
    "liquid": ("liquid", "cold"),
    "changed": ("changed warm", "changed cold"),
    "numpy": ("numpy", "cold"),
    "torch": ("torch", "cold"),
}


def measure(_: bool = False) -> Answers:
    """Measure every size in both kinds of numbers, on both kinds of networks."""
    found: Answers = {}
    for dtype in DTYPES:
        for shape in SIZES:
            times = {kind: _times(weights(kind, shape, dtype)) for kind in KINDS}
            found |= _answers(f"{shape[1]}x{shape[2]}_{dtype}", times, int(np.prod(shape)))
    return found


def _answers(size: str, times: dict[str, dict[str, Times]], elements: int) -> Answers:
    found: Answers = {}
    for name, (over, under) in RATIOS.items():
        entry = f"{name}_{size}"
        if entry in GOALS and over in times[KINDS[0]]:
            found[entry] = _worse(entry, times, over, under, elements)
        elif entry in GOALS:
            found[entry] = "torch is not installed: pip install 'trilemma[bench]'"
    return found


def _worse(
    entry: str, times: dict[str, dict[str, Times]], over: str, under: str, elements: int
) -> Found:
    """Return the ratio on the kind of network where it is worse, and that on the other."""
    ratios = {kind: taken[over].over(taken[under]) for kind, taken in times.items()}
    worst = max if GOALS[entry].better == "lower" else min
    kind = worst(ratios, key=lambda it: ratios[it])
    detail: dict[str, Any] = {
        "data": kind,
        **{f"on {other} data": ratio for other, ratio in ratios.items() if other != kind},
        "copies of the weights": times[kind][over].over(times[kind]["memcpy"]),
        "by the wall clock": times[kind][over].over(times[kind][under], "wall"),
        **{f"ns, {it}": times[kind][it].median() * 1e9 / elements for it in (over, under)},
    }
    if over == "numpy":
        detail["with argsort"] = times[kind]["argsort"].over(times[kind][under])
    return Found(ratios[kind], ROUNDS, detail)


def _times(said: Numbers) -> dict[str, Times]:
    plain, still, moving = (plays_of(it[None]) for it in (said, unchanged(said), changed(said)))
    target = np.empty_like(said)
    works: dict[str, Work] = {
        "memcpy": lambda: np.copyto(target, said),
        "cold": plain.run,
        "warm": partial(still.run, guess=_first(still)),
        "liquid": partial(plain.run, LIQUID),
        "changed cold": moving.run,
        "changed warm": partial(moving.run, guess=_first(moving)),
    }
    if said.shape[1:] == PEERS:
        works |= _peers(plain)
    return interleaved(works)


def _first(plays: Plays) -> Numbers:
    plays.run()
    return np.array(plays.outcome.consensus[0, 0])


def _peers(plays: Plays) -> dict[str, Work]:
    said, share, units, needed = (held[0] for held in plays[:4])
    given = said, share[0], units[0], int(needed[0]), 0.1
    argsort = partial(numpy_epoch.epochs, *given, packed=False)
    best = partial(numpy_epoch.epochs, *given, packed=said.dtype == np.float32)
    works: dict[str, Work] = {"numpy": best, "argsort": argsort}
    if find_spec("torch"):
        import torch

        from benchmarks.peers import torch_epoch

        torch.set_num_threads(1)
        works["torch"] = partial(torch_epoch.epochs, *given)
    return works
