"""What an honest majority must be worth to keep its share: the retention map of any mechanism.

The honest side of a network *retains* where its share of all pay is at least its share of stake.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import cast

import numpy as np

from trilemma import registry
from trilemma.checks import real, whole
from trilemma.codes import code_of, key_of
from trilemma.contract import Pay, call_each, copied
from trilemma.errors import DeadWorkerError, PluginError, UsageError
from trilemma.executor import Progress, Workers, crew, together_or_apart
from trilemma.model import FloatArray, Mechanism
from trilemma.report.retention import Line, RetentionMap, line_of
from trilemma.sides import Experiment, Sides
from trilemma.specs import adjusted
from trilemma.store import Store

__all__ = ["STAKES", "retention_map"]

STAKES = (0.51, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99)
FIXED = ("version", "kind", "experiment")  # what every cell depends on


def retention_map(
    mechanisms: Iterable[str | Mechanism] | None = None,
    *,
    experiment: Experiment | None = None,
    stakes: Sequence[float] = STAKES,
    parameters: Mapping[str, object] | None = None,
    seeds: int = 1,
    workers: int | Workers | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> RetentionMap:
    """Find what honest stake must be worth in honest work to keep its share.

    Parameters
    ----------
    mechanisms : iterable of str or Mechanism, optional
        Names, specs or callables. Default: every registered one.
    experiment : Experiment, optional
        Default: the published one, 64 validators, 448 miners, a grid of 51 by 51.
    stakes : sequence of float
        Honest shares of stake, each in (0, 1).
    parameters : mapping, optional
        Of every mechanism that has them, itself or inside: `{"kappa": 0.6}`.
    seeds : int
        How many draws; the lines are means over them.
    workers : int or Workers, optional
        Processes; default: one per core. They never change a number. A time limit is one for a
        mechanism at one stake.
    out : path, optional
        Folder that keeps finished cells; what it already holds is not computed again.
    progress : callable, optional
        Called with cells done and cells in all.

    Returns
    -------
    RetentionMap
        A mechanism that fails is listed in `failures`; the others' lines are there.

    Raises
    ------
    UsageError
        For an unknown mechanism or parameter, or a value out of range.
    DataError
        If `out` cannot be used.
    """
    chosen = experiment or Experiment()
    shares = tuple(real("stakes", stake, 0, 1, open_end=True) for stake in stakes)
    if not shares or min(shares) <= 0:
        raise UsageError(f"stakes must be one or more shares in (0, 1), not {list(stakes)}")
    crew_asked = Workers.of(workers)
    loaded, broken = registry.load_each(None if mechanisms is None else list(mechanisms))
    loaded = _adjusted(loaded, parameters or {})
    run = _Run(chosen, shares, whole("seeds", seeds, 1), loaded)
    kept = nullcontext() if out is None else closing(Store(Path(out), run.asked(), FIXED))
    with kept as store:
        if store:
            run.recall(store)
        run.finish(crew_asked, store, progress)
    failures = {spec: str(error) for spec, error in broken.items()} | run.failures
    return RetentionMap(asdict(chosen), shares, run.seeds, run.lines(), run.surfaces(), failures)


Cell = tuple[str, float, int]
"""A label, an honest stake, a seed."""


@dataclass
class _Run:
    experiment: Experiment
    stakes: tuple[float, ...]
    seeds: int
    mechanisms: Mapping[str, Mechanism]
    cells: dict[Cell, FloatArray] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def asked(self) -> dict[str, object]:
        """Return everything asked, as JSON values."""
        return {
            "version": version("trilemma"),
            "kind": "map",
            "experiment": asdict(self.experiment),
            "stakes": list(self.stakes),
            "seeds": self.seeds,
            "mechanisms": list(self.mechanisms),
        }

    def recall(self, store: Store) -> None:
        """Take the cells that are kept already."""
        for label, stake, seed in self._wanted(self.mechanisms):
            found = store.find(self._key(label), f"{stake}-{seed}")
            if found is not None and "emission" in found:
                self.cells[label, stake, seed] = found["emission"]

    def finish(self, workers: Workers, store: Store | None, progress: Progress | None) -> None:
        """Compute what is missing; one mechanism at a time where one of them ends its process."""
        together_or_apart(
            workers,
            lambda: self.compute(self.mechanisms, workers, store, progress),
            lambda: self.compute_apart(workers, store, progress),
        )

    def compute(
        self,
        labels: Iterable[str],
        workers: Workers,
        store: Store | None,
        progress: Progress | None,
    ) -> None:
        """Compute the missing cells of these mechanisms, keeping each as it comes."""
        total = len(self._wanted(self.mechanisms))
        missing = [cell for cell in self._wanted(labels) if cell not in self.cells]
        if progress:
            progress(len(self.cells), total)
        with crew(_Tasks(self.experiment, self.mechanisms), workers) as spread:
            for (label, stake, seed), answer in spread("measure", missing):
                if isinstance(answer, str):
                    self.failures.setdefault(label, answer)
                    continue
                self.cells[label, stake, seed] = answer
                if store:
                    store.keep({(self._key(label), f"{stake}-{seed}"): {"emission": answer}})
                if progress:
                    progress(len(self.cells), total)

    def compute_apart(
        self, workers: Workers, store: Store | None, progress: Progress | None
    ) -> None:
        """Compute what is missing one mechanism at a time: one of them kills its process."""
        for label in self.mechanisms:
            try:
                self.compute([label], workers, store, progress)
            except DeadWorkerError as error:
                self.failures[label] = f"{label}: {error}"

    def surfaces(self) -> dict[str, dict[float, FloatArray]]:
        """Return the honest share of pay, mean over seeds, by label and honest stake."""
        return {
            label: {stake: np.mean(self._draws(label, stake), axis=0) for stake in self.stakes}
            for label in self._through()
        }

    def lines(self) -> dict[str, tuple[Line, ...]]:
        """Return the retention lines by label."""
        return {
            label: tuple(line_of(stake, self._draws(label, stake)) for stake in self.stakes)
            for label in self._through()
        }

    def _wanted(self, labels: Iterable[str]) -> list[Cell]:
        return [
            (label, stake, seed)
            for seed in range(self.seeds)
            for stake in self.stakes
            for label in labels
        ]

    def _key(self, label: str) -> str:
        return key_of(label, code_of(self.mechanisms[label]))

    def _through(self) -> list[str]:
        return [label for label in self.mechanisms if label not in self.failures]

    def _draws(self, label: str, stake: float) -> list[FloatArray]:
        return [self.cells[label, stake, seed] for seed in range(self.seeds)]


@dataclass(frozen=True)
class _Tasks:
    """The question, as every worker has it."""

    experiment: Experiment
    mechanisms: Mapping[str, Mechanism]

    def measure(self, label: str, stake: float, seed: int) -> FloatArray | str:
        """Return the honest share of pay by (W_C, W_H), or what is wrong with the mechanism."""
        sides = self.experiment.sides(stake, seed)
        parts = np.linspace(0, 1, self.experiment.grid)
        xi = self.experiment.validator_share
        mechanism = copied(self.mechanisms[label])  # its own: workers may be threads

        def shares(cabal: float) -> list[float]:
            epochs = [sides.epoch(honest, cabal) for honest in parts]
            pays = call_each(label, mechanism, epochs)
            return [_honest_share(sides, pay, xi) for pay in pays]

        try:
            return np.array([shares(cabal) for cabal in parts])
        except PluginError as error:
            return str(error)


def _honest_share(sides: Sides, pay: Pay, xi: float) -> float:
    """Return the honest share of all that is paid; of nothing it is 0."""
    honest = xi * pay.validators[: sides.validators].sum()
    honest += (1 - xi) * pay.miners[: sides.miners].sum()
    total = pay.total(xi)
    return float(honest / total) if total > 0 else 0.0


def _adjusted(
    mechanisms: Mapping[str, Mechanism], values: Mapping[str, object]
) -> dict[str, Mechanism]:
    for name, value in values.items():
        same = [_changed(label, it, {name: value}) is it for label, it in mechanisms.items()]
        if same and all(same):
            raise UsageError(f"none of {', '.join(mechanisms)} has a parameter {name!r}")
    changed = [_changed(label, mechanism, values) for label, mechanism in mechanisms.items()]
    return {registry.label(mechanism): mechanism for mechanism in changed}


def _changed(label: str, mechanism: Mechanism, values: Mapping[str, object]) -> Mechanism:
    try:
        return cast("Mechanism", adjusted(mechanism, values))
    except ValueError as error:
        raise UsageError(f"{label}: {error}") from error
