"""Sparse epochs, 10,000 validators by 1,000,000 miners, each kind in a process of its own.

`python -m benchmarks.measuring.sparse KIND` prints seconds and bytes as JSON.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from functools import partial
from importlib.util import find_spec
from itertools import starmap
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring.clock import ROUNDS, child, interleaved
from benchmarks.measuring.data import Numbers
from benchmarks.measuring.goals import Answers, Found

__all__ = ["measure", "network"]

VALIDATORS, MINERS = 10_000, 1_000_000
FEW, MANY = 10, 100  # non-zeros a column
BLOCK = 50_000  # columns drawn at a time
LARGE = 8  # validators with four fifths of the stake ...
HEARD = 6  # ... of whom so many rate every miner of an agreed network
SPARE = 4 << 30  # bytes that have to be free
KINDS = ("agreed", "scattered")


def measure(_: bool = False) -> Answers:
    """Measure networks where every miner has a consensus, and where none has."""
    names = ("sparse_growth", "sparse_bytes", "sparse_seconds")
    if reason := _not_here():
        return dict.fromkeys(names, reason)
    told = {kind: json.loads(child(["-m", __name__, kind]).said) for kind in KINDS}
    return {name: _worse(told, name) for name in names}


def _not_here() -> str:
    if not find_spec("trilemma.sparse"):
        return "no sparse weights in this version"
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"less than {SPARE >> 30} GiB free" if free < SPARE else ""


def _worse(told: dict[str, dict[str, float]], name: str) -> Found:
    kind = max(told, key=lambda it: told[it][name])
    other = {f"on {it} data": told[it][name] for it in told if it != kind}
    samples = 1 if name == "sparse_bytes" else ROUNDS  # a peak is not a time: once is enough
    return Found(told[kind][name], samples, {"data": kind, **other, **told[kind]})


def network(kind: str, miners: int, per_column: int, validators: int = VALIDATORS) -> Any:
    """Return weights whose columns have as many entries on average, and the stake.

    Parameters
    ----------
    kind : {"agreed", "scattered"}
        Whether a few large validators rate every miner, so that it has a consensus.
    miners, per_column, validators : int
    """
    from trilemma import Sparse

    draw = np.random.default_rng(0)
    blocks = [
        _block(draw, kind, min(BLOCK, miners - first), per_column, validators)
        for first in range(0, miners, BLOCK)
    ]
    counts, rows = (np.concatenate(part) for part in zip(*blocks, strict=True))
    values = np.exp(0.1 * draw.standard_normal(rows.size, np.float32))
    indptr = np.concatenate([[0], np.cumsum(counts)])
    stake = 1 + draw.random(validators)
    if kind == "agreed":
        stake[:LARGE] = stake[LARGE:].sum() * 4 / LARGE
    return stake, Sparse((values, rows, indptr), (validators, miners))


def _block(
    draw: np.random.Generator, kind: str, miners: int, per_column: int, validators: int
) -> tuple[Numbers, Numbers]:
    """Return how many entries each column has, and their rows, rising: one of each stratum."""
    first = LARGE if kind == "agreed" else 0
    heard = HEARD if first else 0
    least = max(1, (per_column - heard) // 2)
    most = 2 * (per_column - heard) - least
    counts = draw.integers(least, most + 1, miners)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    size = np.repeat(counts, counts)
    span = validators - first
    start, end = place * span // size, (place + 1) * span // size
    rows = first + start + (draw.random(place.size) * (end - start)).astype(np.int64)
    if not heard:
        return counts, rows.astype(np.uint16)
    large = draw.random((miners, LARGE)).argsort(axis=1)[:, :heard]
    large.sort(axis=1)
    where = np.repeat(np.cumsum(counts) - counts, heard)
    return counts + heard, np.insert(rows, where, large.ravel()).astype(np.uint16)


def _measured(kind: str) -> dict[str, float]:
    from trilemma import Epoch, load

    rule = load("yuma(arithmetic='float32')")
    rule(Epoch(*network(kind, 1000, MANY)))  # compiles
    before = _memory("VmRSS")
    stake, said = network(kind, MINERS, MANY)
    many: Any = Epoch(stake, said)
    non_zeros = said.nnz
    del said
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    rule(many)
    peak = _memory("VmHWM") - before
    few = Epoch(*network(kind, MINERS, FEW))
    held = many.weights
    pairs = [(np.empty_like(array), array) for array in (held.values, held.rows)]
    taken = interleaved(
        {
            "many": partial(rule, many),
            "few": partial(rule, few),
            "memcpy": lambda: list(starmap(np.copyto, pairs)),
        }
    )
    return {
        "sparse_seconds": taken["many"].median("wall"),
        "sparse_growth": taken["many"].over(taken["few"], "wall"),
        "sparse_bytes": peak / non_zeros,
        "non-zeros": non_zeros,
        "peak GB": peak / 1e9,
        "copies of the weights": taken["many"].over(taken["memcpy"], "wall"),
        "s with a tenth of them": taken["few"].median("wall"),
    }


def _memory(name: str) -> int:
    """Return bytes that the kernel accounts to this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


if __name__ == "__main__":
    print(json.dumps(_measured(sys.argv[1])))
