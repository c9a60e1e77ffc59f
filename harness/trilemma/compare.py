"""The comparison: the only place that loops over mechanisms, worlds and plays."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from trilemma import registry
from trilemma.checks import real, whole
from trilemma.errors import DataError, UsageError
from trilemma.executor import Progress, Workers
from trilemma.model import Attack, Budget, Mechanism
from trilemma.report import Report
from trilemma.report.files import save
from trilemma.run import FIXED, Run
from trilemma.store import Store
from trilemma.worlds import Preset, Source

__all__ = ["compare", "measured"]


def compare(
    mechanisms: Iterable[str | Mechanism] | None = None,
    *,
    world: Source | None = None,
    worlds: int = 16,
    budget: Budget | None = None,
    xi: float = 0.5,
    seed: int = 0,
    workers: int | Workers | None = None,
    out: str | os.PathLike[str] | None = None,
    attacks: Iterable[str | Attack] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Score mechanisms against the same adversarial weight matrices.

    Parameters
    ----------
    mechanisms : iterable of str or Mechanism, optional
        Names, specs such as `"yuma(kappa=0.6)"`, or callables. Default: every registered one.
    world : Source, optional
        Where worlds come from; default `Preset()`: root-2024, 64 validators, 128 miners.
    worlds : int
        How many worlds, at least 1.
    budget : Budget, optional
        What attackers may spend.
    xi : float
        The validators' part of all pay, in [0, 1].
    seed : int
        Non-negative. The same seed gives the same numbers, whatever else is compared.
    workers : int or Workers, optional
        Processes; default: one per core. They never change a number. `Workers` says more: threads
        or a cluster instead, and limits of time and memory.
    out : path, optional
        Folder that keeps finished cells, witnesses and the page, `report.html`; what it already
        holds is not computed again.
    attacks : iterable of str or callable, optional
        Attacks beside every registered one: names, specs or functions from a budget to plays.
    progress : callable, optional
        Called with cells done and cells in all.

    Returns
    -------
    Report
        A mechanism that fails is listed in `failures`; the others' rows are there. So is an
        attack that breaks the rules in the first world; it is left out.

    Raises
    ------
    PluginError
        If an attack fails in a world beyond the first.
    UsageError
        For an unknown mechanism, attack or parameter, or a value out of range.
    DataError
        If `out` cannot be used.
    """
    loaded, broken = registry.load_each(_listed(mechanisms))
    with measured(
        loaded,
        world=world,
        worlds=worlds,
        budget=budget,
        xi=xi,
        seed=seed,
        workers=workers,
        out=out,
        attacks=attacks,
        progress=progress,
    ) as run:
        report = run.report(broken, run.witnesses(Workers.of(workers)))
        if out is not None:
            save(report, Path(out))
        return report


@contextmanager
def measured(
    loaded: Mapping[str, Mechanism],
    *,
    world: Source | None = None,
    worlds: int = 16,
    budget: Budget | None = None,
    xi: float = 0.5,
    seed: int = 0,
    workers: int | Workers | None = None,
    out: str | os.PathLike[str] | None = None,
    attacks: Iterable[str | Attack] | None = None,
    progress: Progress | None = None,
) -> Iterator[Run]:
    """Measure mechanisms, given by label, and give the run; parameters as for `compare`.

    Without `out` its cells are gone afterwards.
    """
    worlds, seed = whole("worlds", worlds, 1), whole("seed", seed, 0)
    xi, budget = real("xi", xi, 0, 1), budget or Budget()
    run = Run(world or Preset(), worlds, budget, xi, seed, _listed(attacks))
    with _folder(out) as folder, closing(Store(folder, run.asked(loaded), FIXED)) as store:
        run.enter(loaded, store)
        run.finish(Workers.of(workers), progress)
        yield run


@contextmanager
def _folder(out: str | os.PathLike[str] | None) -> Iterator[Path]:
    """Give the folder that keeps the cells: in memory, those of many worlds would be too large."""
    if out is not None:
        yield Path(out)
        return
    try:
        kept = TemporaryDirectory(prefix="trilemma-")
    except OSError as error:
        raise DataError(
            f"no temporary folder for finished cells ({error.strerror}); name one with --out"
        ) from error
    with kept as folder:
        yield Path(folder)


Plugin = TypeVar("Plugin", Mechanism, Attack)


def _listed(plugins: Iterable[str | Plugin] | None) -> list[str | Plugin] | None:
    if isinstance(plugins, str):
        raise UsageError(f"expected a list of plug-ins; write [{plugins!r}]")
    return None if plugins is None else list(plugins)
