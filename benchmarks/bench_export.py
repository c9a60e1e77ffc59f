"""What it takes to ask something of a large run: 8 rules in 24 worlds, 205,440 plays in all."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from time import process_time
from typing import TypeAlias

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from trilemma import Budget, Preset, load, names
from trilemma.cells import Cell
from trilemma.codes import code_of, key_of
from trilemma.export import cells
from trilemma.model import FloatArray
from trilemma.run import FIXED, Run
from trilemma.store import Store
from trilemma.twins import Coalition

WORLDS = 24
LIMIT = 0.5  # seconds
Worst: TypeAlias = dict[str, tuple[float, str, str, float]]
"""By mechanism, what the worst play takes, its attack, what it does, and the attacker's share."""


def worst_plays(run: Path) -> Worst:
    """Return the play of each mechanism that takes most, on the mean over worlds."""
    sums: dict[str, FloatArray] = {}
    for block in cells(run).blocks("pay"):
        told = block.columns
        gain = np.stack([told["pay"] - told["fair"], told["rest"]])
        sums[block.mechanism] = sums.get(block.mechanism, 0) + gain
    worst: Worst = {}
    for label, (gain, rest) in sums.items():
        at = int((gain / rest).argmax())
        taken = float(gain[at] / rest[at])
        worst[label] = taken, told["attack"][at], told["play"][at], told["stake"][at]
    return worst


def drawn(run: Run, coalitions: list[Coalition], numbers: np.random.Generator) -> Cell:
    """Return a cell of noise, as large as one that was measured."""
    p, s, c = len(run.suite.sybil), len(run.budget.stakes), len(coalitions)
    q, alone = len(run.suite.neutrality), sum(it.identities == 1 for it in run.suite.neutrality)
    shapes = {
        **dict.fromkeys(("sybil_pay", "sybil_fair", "sybil_rest", "sybil_distance"), (p, s)),
        "sybil_extra": (p,),
        "clone_pay": (2, len(run.suite.clonings), s),
        "twin_pay": (c, q, 2),
        **dict.fromkeys(("twin_paid", "twin_extra"), (c, q)),
        "coalition_fair": (c,),
        "concentration": (4,),
        "equal_pay": (10, alone, 2),
        "equal_paid": (10, alone),
        "found_identities": (0,),
        "found": (0, 4, 4),
    }
    fields = Cell.__dataclass_fields__
    return Cell(**{name: numbers.random(shapes.get(name, ())) for name in fields})


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run as large as a default comparison in 24 worlds, without having made it."""
    folder = tmp_path_factory.mktemp("large")
    run = Run(Preset(), WORLDS, Budget(evaluations=0), 0.5, 0)
    loaded = {name: load(name) for name in names()}
    keys = [key_of(label, code_of(it)) for label, it in loaded.items()]
    coalitions = [tuple(range(size)) for size in range(1, 11)]
    store, numbers = Store(folder, run.asked(loaded), FIXED), np.random.default_rng(0)
    for key in keys:
        store.save_coalitions(key, coalitions)
    for world in range(WORLDS):
        store.save(world, {key: (drawn(run, coalitions, numbers), ()) for key in keys})
    store.close()
    return folder


def test_the_worst_play_of_each_mechanism(benchmark: BenchmarkFixture, large: Path) -> None:
    worst = benchmark(partial(worst_plays, large))
    assert list(worst) == names()
    assert all(taken > 0 for taken, *_ in worst.values())


def test_every_row(benchmark: BenchmarkFixture, large: Path) -> None:
    def every() -> tuple[int, float]:
        pays = [row.pay for row in cells(large) if row.pay is not None]
        return len(pays), max(pays)

    rows, most = benchmark(every)
    assert rows == 8 * WORLDS * 820
    assert most < 1


@pytest.mark.slow
def test_a_query_over_200_000_cells_takes_less_than_half_a_second(large: Path) -> None:
    assert sum(1 for _ in cells(large)) == 205_440

    def seconds() -> float:
        begin = process_time()  # which neighbours do not lengthen; nothing is waited for
        worst_plays(large)
        return process_time() - begin

    assert min(seconds() for _ in range(5)) < LIMIT
