"""Comparisons of several sizes: what the model of capacity is made of, and what it is held to."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.measuring.stopwatch import BUSY, Asked, Taken, taken
from trilemma.kept import CELLS

__all__ = ["SERIES", "Series", "filled", "measured"]

EIGHT = ("dao_vote", "dictator", "quadratic", "stake_capped", "stake_proportional",
         "stake_weighted", "uniform", "yuma")  # fmt: skip
THREE = ("quadratic", "uniform", "yuma")
FAMILIES = (
    "dao_vote(quorum={})",
    "quadratic(power={})",
    "stake_capped(percentile={})",
    "yuma(kappa={})",
)
MANY = tuple(it.format(0.5 + n / 100) for n in range(9) for it in FAMILIES)
SEARCH = 500  # evaluations: the default
CALL = 6e-4  # seconds of the busy rule; a cell takes 1.65 calls, so 1 ms
KEPT = 2  # worlds that are computed before the others are copied


@dataclass(frozen=True)
class Series:
    """One comparison in several sizes: the last is predicted from the two before it.

    Parameters
    ----------
    about : str
    rules : tuple of str
        As many of them, from the first, as a size says.
    sizes : tuple of (int, int)
        Worlds and mechanisms.
    evaluations : int
    copied : bool
        Whether all but two worlds hold copies of their rows.
    """

    about: str
    rules: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    evaluations: int = 0
    copied: bool = False


BUILT_IN = "the eight built-in rules"
VARIANTS = "variants of four of them"
COPIES = "three of them in two worlds, their rows copied, so that only scoring takes time"
SERIES = {
    "busy": Series("the rule of 1 ms a cell", (BUSY,), ((19, 1), (187, 1))),
    "eight": Series(BUILT_IN, EIGHT, ((4, 8), (10, 8), (24, 8))),
    "eight searched": Series(f"{BUILT_IN}, searched", EIGHT, ((2, 8), (6, 8), (12, 8)), SEARCH),
    "many": Series(VARIANTS, MANY, ((2, 4), (2, 16), (2, 36))),
    "many searched": Series(f"{VARIANTS}, searched", MANY, ((2, 4), (2, 12), (2, 20)), SEARCH),
    "kept": Series(COPIES, THREE, ((300, 3), (600, 3), (1500, 3)), copied=True),
    "kept searched": Series(
        f"{COPIES}, searched", THREE, ((100, 3), (250, 3), (600, 3)), SEARCH, copied=True
    ),
}


def measured(series: Series) -> list[Taken]:
    """Measure a series."""
    return [_measured(series, *size) for size in series.sizes]


def _measured(series: Series, worlds: int, mechanisms: int) -> Taken:
    print(f"measuring {series.about}: {worlds} x {mechanisms}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        rules = series.rules[:mechanisms]
        asked = Asked(f"{folder}/run", rules, worlds, series.evaluations, call=CALL)
        if series.copied:
            taken(replace(asked, worlds=KEPT))
            filled(Path(asked.folder), KEPT, worlds)
        return taken(asked)


def filled(folder: Path, kept: int, worlds: int) -> None:
    """Give a run more worlds, whose cells are copies of those that it has."""
    copies = """
        WITH RECURSIVE world(number) AS
            (SELECT :kept UNION ALL SELECT number + 1 FROM world WHERE number + 1 < :worlds)
        INSERT INTO kept SELECT mechanism, number || :kind, seal, arrays
            FROM world JOIN kept ON name = (number % :kept) || :kind
    """
    with closing(sqlite3.connect(folder / CELLS)) as database, database:
        for kind in ("", "-found", "-replayed"):
            database.execute(copies, {"kept": kept, "worlds": worlds, "kind": kind})
