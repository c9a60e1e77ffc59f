"""The comparison: the only place that loops over mechanisms, worlds and plays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from trilemma import registry
from trilemma.attacks import NEUTRALITY, SYBIL, plays
from trilemma.cells import Cell, Suite, measure, stack
from trilemma.contract import Entrant
from trilemma.errors import TrilemmaError, UsageError
from trilemma.executor import spread
from trilemma.model import Budget, Mechanism
from trilemma.report import Failure, Report
from trilemma.report.rows import rows_of
from trilemma.store import Store, code_of
from trilemma.twins import Coalition, TwinTest, grown, scripted
from trilemma.worlds import Preset, Source, world_seed

__all__ = ["Progress", "compare"]

PILOTS = 2  # worlds in which coalitions are grown before the comparison
FIXED = ("version", "seed", "world", "xi", "stakes", "identities")  # what every cell depends on

Progress = Callable[[int, int], None]
"""Told how many cells are done, and of how many."""


def compare(
    mechanisms: Iterable[str | Mechanism] | None = None,
    *,
    world: Source | None = None,
    worlds: int = 16,
    budget: Budget | None = None,
    xi: float = 0.5,
    seed: int = 0,
    workers: int | None = None,
    out: str | os.PathLike[str] | None = None,
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
    workers : int, optional
        Processes; default: one per core. They never change a number.
    out : path, optional
        Folder that keeps finished cells; what it already holds is not computed again.
    progress : callable, optional
        Called with cells done and cells in all.

    Returns
    -------
    Report
        A mechanism that fails is listed in `failures`; the others' rows are there.

    Raises
    ------
    UsageError
        For an unknown mechanism or parameter, or a value out of range.
    DataError
        If `out` cannot be used.
    """
    _check(worlds, xi, seed, workers)
    source, budget = world or Preset(), budget or Budget()
    loaded, broken = registry.load_each(None if mechanisms is None else list(mechanisms))
    run = _Run(source, worlds, budget, xi, seed)
    store = None if out is None else Store(Path(out), run.asked(list(loaded)), FIXED)
    workers = workers or os.cpu_count() or 1
    run.enter(loaded, workers, store)
    run.measure(workers, store, progress)
    return run.report(broken)


def _check(worlds: int, xi: float, seed: int, workers: int | None) -> None:
    for name, value, fits, demand in (
        ("worlds", worlds, worlds >= 1, "at least 1"),
        ("xi", xi, 0 <= xi <= 1, "in [0, 1]"),
        ("seed", seed, seed >= 0, "not negative"),
        ("workers", workers, workers is None or workers >= 1, "at least 1"),
    ):
        if not fits:
            raise UsageError(f"{name} must be {demand}, not {value!r}")


@dataclass
class _Contestant:
    mechanism: Mechanism
    key: str
    coalitions: list[Coalition] = field(default_factory=list)
    cells: dict[int, Cell] = field(default_factory=dict)
    calls: int = 0
    failures: dict[int, str] = field(default_factory=dict)


class _Run:
    """One comparison while it is being made."""

    def __init__(self, source: Source, worlds: int, budget: Budget, xi: float, seed: int) -> None:
        self.source, self.worlds, self.budget, self.xi, self.seed = source, worlds, budget, xi, seed
        self.suite = Suite(tuple(plays(SYBIL, budget)), tuple(plays(NEUTRALITY, budget)))
        pilots = [source.twin(world_seed(seed, number)) for number in range(PILOTS)]
        self.pilots = [TwinTest.of(pilot) for pilot in pilots]
        self.scripted = scripted(pilots[0])
        self.contestants: dict[str, _Contestant] = {}

    def asked(self, labels: Sequence[str]) -> dict[str, object]:
        """Return everything asked, as JSON values."""
        from importlib.metadata import version

        return {
            "version": version("trilemma"),
            "seed": self.seed,
            "world": self.source.describe(),
            "worlds": self.worlds,
            "xi": self.xi,
            "stakes": list(self.budget.stakes),
            "identities": self.budget.identities,
            "budget": asdict(self.budget),
            "mechanisms": list(labels),
        }

    def enter(self, loaded: Mapping[str, Mechanism], workers: int, store: Store | None) -> None:
        """Find finished cells, and the coalitions to try against each mechanism."""
        new = []
        for label, mechanism in loaded.items():
            contestant = _Contestant(mechanism, f"{label} {code_of(mechanism)}")
            self.contestants[label] = contestant
            coalitions = store.load_coalitions(contestant.key) if store else None
            if store and coalitions:
                found = {n: store.load(contestant.key, n) for n in range(self.worlds)}
                contestant.cells = {number: cell for number, cell in found.items() if cell}
                contestant.coalitions = coalitions
            else:
                # One call here compiles what the workers share.
                Entrant(label, mechanism).pay(self.pilots[0].honest()[0].epoch)
                new.append(label)
        for at, (coalitions, calls) in spread(partial(self._grown, new), range(len(new)), workers):
            contestant = self.contestants[new[at]]
            contestant.coalitions, contestant.calls = coalitions, calls
            if store:
                store.save_coalitions(contestant.key, coalitions)

    def _grown(self, labels: Sequence[str], at: int) -> tuple[list[Coalition], int]:
        entrant = Entrant(labels[at], self.contestants[labels[at]].mechanism)
        extra = grown(entrant, self.pilots, self.xi)
        return list(dict.fromkeys([*self.scripted, *extra])), entrant.calls

    def measure(self, workers: int, store: Store | None, progress: Progress | None) -> None:
        """Compute the missing cells, world by world, saving each as it comes."""
        total = self.worlds * len(self.contestants)
        done = sum(len(contestant.cells) for contestant in self.contestants.values())
        wanted = [number for number in range(self.worlds) if self._missing(number)]
        if progress:
            progress(done, total)
        for number, (cells, calls, failures) in spread(self._world, wanted, workers):
            for label, cell in cells.items():
                self.contestants[label].cells[number] = cell
                if store:
                    store.save(self.contestants[label].key, number, cell)
            for label, count in calls.items():
                self.contestants[label].calls += count
            for label, reason in failures.items():
                self.contestants[label].failures[number] = reason
            done += len(calls)
            if progress:
                progress(done, total)

    def _missing(self, number: int) -> list[str]:
        return [label for label, it in self.contestants.items() if number not in it.cells]

    def _world(self, number: int) -> tuple[dict[str, Cell], dict[str, int], dict[str, str]]:
        """Return the missing cells of one world, with calls made and failures, by label."""
        entrants = {
            label: (Entrant(label, it.mechanism), it.coalitions)
            for label in self._missing(number)
            for it in [self.contestants[label]]
        }
        seed = world_seed(self.seed, number)
        cells = measure(self.source, seed, self.suite, self.budget, self.xi, entrants)
        calls = {label: entrant.calls for label, (entrant, _) in entrants.items()}
        failures = {label: str(e.failure) for label, (e, _) in entrants.items() if e.failure}
        return cells, calls, failures

    def report(self, broken: Mapping[str, TrilemmaError]) -> Report:
        """Score the mechanisms that came through, and name those that did not."""
        through = {
            label: (it.mechanism, it.coalitions, self._stacked(it))
            for label, it in self.contestants.items()
            if not it.failures
        }
        stake = self.pilots[0].pair[0].stake
        return Report(
            seed=self.seed,
            budget=self.budget,
            world={**self.source.describe(), "worlds": self.worlds, "xi": self.xi},
            rows=rows_of(through, self.suite, self.budget, self.source.knows_quality),
            failures=tuple(self._failures(broken)),
            worlds=self.worlds,
            plays=len(self.suite.sybil) * len(self.budget.stakes)
            + len(self.suite.neutrality) * len(self.scripted),
            calls=sum(contestant.calls for contestant in self.contestants.values()),
            equal_stake=bool(np.ptp(stake) < 1e-12),
            knows_quality=self.source.knows_quality,
        )

    def _stacked(self, contestant: _Contestant) -> Cell:
        return stack([contestant.cells[number] for number in range(self.worlds)])

    def _failures(self, broken: Mapping[str, TrilemmaError]) -> Iterable[Failure]:
        for spec, error in broken.items():
            yield Failure(spec, str(error))
        for label, contestant in self.contestants.items():
            if contestant.failures:
                number = min(contestant.failures)
                where = f"world {number} (world seed {world_seed(self.seed, number)})"
                count = f"{len(contestant.failures)} of {self.worlds} worlds, first in {where}"
                yield Failure(label, f"{contestant.failures[number]} [{count}]")
