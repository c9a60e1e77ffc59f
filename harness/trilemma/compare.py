"""The comparison: the only place that loops over mechanisms, worlds and plays."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from trilemma import registry
from trilemma.attacks import NEUTRALITY, SYBIL, plays
from trilemma.cells import Cell, Suite, measure, stack
from trilemma.checks import real, whole
from trilemma.contract import copied
from trilemma.entrant import Entrant
from trilemma.errors import DataError, DeadWorkerError, TrilemmaError, UsageError
from trilemma.executor import Progress, Spread, crew
from trilemma.model import Budget, Mechanism
from trilemma.report import Failure, Report
from trilemma.report.rows import Measured, rows_of
from trilemma.store import Store, code_of
from trilemma.twins import Coalition, TwinTest, grown, scripted
from trilemma.worlds import Preset, Source, world_seed

__all__ = ["compare"]

PILOT = -1  # where a failure is no world's
PILOTS = 2  # worlds in which coalitions are grown before the comparison
FIXED = ("version", "seed", "world", "xi", "stakes", "identities")  # what every cell depends on


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
    worlds, seed = whole("worlds", worlds, 1), whole("seed", seed, 0)
    crew_size = (os.cpu_count() or 1) if workers is None else whole("workers", workers, 1)
    loaded, broken = registry.load_each(_listed(mechanisms))
    run = _Run(world or Preset(), worlds, budget or Budget(), real("xi", xi, 0, 1), seed)
    with _folder(out) as folder:
        run.enter(loaded, Store(folder, run.asked(list(loaded)), FIXED))
        try:
            run.compute(list(loaded), crew_size, progress)
        except DeadWorkerError:
            run.compute_apart(crew_size, progress)
        return run.report(broken)


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


def _listed(mechanisms: Iterable[str | Mechanism] | None) -> list[str | Mechanism] | None:
    if isinstance(mechanisms, str):
        raise UsageError(f"expected a list of mechanisms; write [{mechanisms!r}]")
    return None if mechanisms is None else list(mechanisms)


@dataclass
class _Contestant:
    mechanism: Mechanism
    unused: Mechanism
    key: str
    coalitions: list[Coalition] = field(default_factory=list)
    done: set[int] = field(default_factory=set)
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
        self.store: Store

    def asked(self, labels: Sequence[str]) -> dict[str, object]:
        """Return everything asked, as JSON values."""
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

    def enter(self, loaded: Mapping[str, Mechanism], store: Store) -> None:
        """Find what is kept of each mechanism: its coalitions and its finished cells."""
        self.store = store
        for label, mechanism in loaded.items():
            key = f"{label} {code_of(mechanism)}"
            contestant = _Contestant(mechanism, copied(mechanism), key)
            self.contestants[label] = contestant
            if coalitions := store.load_coalitions(contestant.key):
                numbers = range(self.worlds)
                contestant.done = {n for n in numbers if store.load(contestant.key, n)}
                contestant.coalitions = coalitions

    def compute(
        self,
        labels: Sequence[str],
        workers: int,
        progress: Progress | None,
    ) -> None:
        """Compute what is missing of these mechanisms."""
        with crew(self, workers) as spread:
            self.grow(spread, labels)
            self.measure(spread, labels, progress)

    def compute_apart(self, workers: int, progress: Progress | None) -> None:
        """Compute what is missing one mechanism at a time: one of them kills its process."""
        for label, contestant in self.contestants.items():
            try:
                self.compute([label], workers, progress)
            except DeadWorkerError as error:
                contestant.failures[PILOT] = f"{label}: {error}"

    def grow(self, spread: Spread, labels: Sequence[str]) -> None:
        """Find the coalitions to try against each mechanism that has none yet."""
        new = [(label,) for label in labels if not self.contestants[label].coalitions]
        for (label,), (coalitions, calls, failure) in spread("coalitions", new):
            contestant = self.contestants[label]
            contestant.coalitions = coalitions
            contestant.calls += calls
            if failure:
                contestant.failures[PILOT] = f"{failure} [while coalitions were grown]"
            else:
                self.store.save_coalitions(contestant.key, coalitions)

    def coalitions(self, label: str) -> tuple[list[Coalition], int, str]:
        """Return the coalitions to try against a mechanism, with calls made and its failure."""
        entrant = self._entrant(label)
        extra = grown(entrant, self.pilots, self.xi)
        entrant.confirm()
        coalitions = list(dict.fromkeys([*self.scripted, *extra]))
        return coalitions, entrant.calls, str(entrant.failure or "")

    def measure(
        self,
        spread: Spread,
        labels: Sequence[str],
        progress: Progress | None,
    ) -> None:
        """Compute the missing cells, world by world, saving each as it comes."""
        total = self.worlds * len(self.contestants)
        done = sum(len(contestant.done) for contestant in self.contestants.values())
        jobs = [(n, todo) for n in range(self.worlds) if (todo := self._missing(n, labels))]
        if progress:
            progress(done, total)
        for (number, missing), (cells, calls, failures) in spread("world", jobs):
            for label in missing:
                self._collect(label, number, cells.get(label), failures.get(label))
                self.contestants[label].calls += calls[label]
            done += len(missing)
            if progress:
                progress(done, total)

    def _missing(self, number: int, labels: Sequence[str]) -> dict[str, list[Coalition]]:
        """Return the coalitions to try, of the mechanisms that have no cell of this world yet."""
        lacking = (label for label in labels if number not in self.contestants[label].done)
        return {label: self.contestants[label].coalitions for label in lacking}

    def world(
        self, number: int, missing: Mapping[str, list[Coalition]]
    ) -> tuple[dict[str, Cell], dict[str, int], dict[str, str]]:
        """Return the missing cells of one world, with calls made and failures, by label."""
        entrants = {label: (self._entrant(label), tried) for label, tried in missing.items()}
        seed = world_seed(self.seed, number)
        cells = measure(self.source, seed, self.suite, self.budget, self.xi, entrants)
        calls = {label: entrant.calls for label, (entrant, _) in entrants.items()}
        failures = {label: str(e.failure) for label, (e, _) in entrants.items() if e.failure}
        return cells, calls, failures

    def _entrant(self, label: str) -> Entrant:
        contestant = self.contestants[label]
        return Entrant(label, contestant.mechanism, contestant.unused)

    def _collect(self, label: str, number: int, cell: Cell | None, failure: str | None) -> None:
        contestant = self.contestants[label]
        if failure:
            contestant.failures[number] = failure
        if cell:
            contestant.done.add(number)
            self.store.save(contestant.key, number, cell)

    def report(self, broken: Mapping[str, TrilemmaError]) -> Report:
        """Score the mechanisms that came through, and name those that did not."""
        stake = self.pilots[0].pair[0].stake
        return Report(
            seed=self.seed,
            budget=self.budget,
            world={**self.source.describe(), "worlds": self.worlds, "xi": self.xi},
            rows=rows_of(self._through(), self.suite, self.budget, self.source),
            failures=tuple(self._failures(broken)),
            worlds=self.worlds,
            plays=len(self.suite.sybil) * len(self.budget.stakes)
            + len(self.suite.neutrality) * len(self.scripted),
            calls=sum(contestant.calls for contestant in self.contestants.values()),
            equal_stake=bool(np.ptp(stake) < 1e-12),
            knows_quality=self.source.knows_quality,
        )

    def _through(self) -> Iterator[Measured]:
        """Read the cells of one mechanism after the other."""
        for label, it in self.contestants.items():
            if not it.failures:
                cells = [self.store.load(it.key, number) for number in range(self.worlds)]
                if None in cells:
                    raise DataError(f"{self.store.folder}: cells of {label} vanished; try again")
                yield label, it.mechanism, it.coalitions, stack([cell for cell in cells if cell])

    def _failures(self, broken: Mapping[str, TrilemmaError]) -> Iterable[Failure]:
        for spec, error in broken.items():
            yield Failure(spec, str(error))
        for label, contestant in self.contestants.items():
            if contestant.failures:
                yield Failure(label, self._where(contestant.failures))

    def _where(self, failures: dict[int, str]) -> str:
        numbers = sorted(set(failures) - {PILOT})
        if not numbers:
            return failures[PILOT]
        first = f"world {numbers[0]} (world seed {world_seed(self.seed, numbers[0])})"
        return f"{failures[numbers[0]]} [{len(numbers)} of {self.worlds} worlds, first in {first}]"
