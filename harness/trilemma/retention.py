"""What an honest majority must be worth to keep its share: the retention map of any mechanism.

Everybody belongs to one of two sides, honest or cabal, each with its own validators and miners.
Honest validators give their own miners a part W_H of their weights, those of the cabal give theirs
a part W_C. The honest side *retains* where its share of all pay is at least its share of stake.

Source: opentensor/subtensor, ``docs/consensus.md`` and ``tests/consensus.rs``; without its u16
rounding of weights.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import cast

import numpy as np

from trilemma import registry
from trilemma.checks import real, whole
from trilemma.contract import call
from trilemma.errors import PluginError, UsageError
from trilemma.executor import Progress, crew
from trilemma.fields import normalised
from trilemma.model import Epoch, FloatArray, Mechanism, World
from trilemma.report.retention import Line, RetentionMap, line_of
from trilemma.specs import adjusted
from trilemma.store import Store, code_of

__all__ = ["STAKES", "Experiment", "Sides", "retention_map"]

STAKES = (0.51, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99)
FIXED = ("version", "kind", "experiment")  # what every cell depends on


@dataclass(frozen=True)
class Experiment:
    """A network of two sides, and the grid of what they report of each other.

    Parameters
    ----------
    validators, miners : int
        Of both sides together; each side has them in proportion to its stake.
    sigma : float
        Standard deviation of a weight around its mean of 1, drawn by validator and miner.
    stake_sigma : float
        The same of a validator's stake.
    validator_share : float
        xi: the validators' part of all pay, in [0, 1].
    grid : int
        Points along W_H and along W_C, from 0 to 1.
    """

    validators: int = 64
    miners: int = 448
    sigma: float = 0.4
    stake_sigma: float = 0.3
    validator_share: float = 0.5
    grid: int = 51

    def __post_init__(self) -> None:
        for name, value in {
            "validators": whole("validators", self.validators, 2, 4096),
            "miners": whole("miners", self.miners, 2, 65536),
            "sigma": real("sigma", self.sigma, 0, 5),
            "stake_sigma": real("stake_sigma", self.stake_sigma, 0, 5),
            "validator_share": real("validator_share", self.validator_share, 0, 1),
            "grid": whole("grid", self.grid, 3, 1001),
        }.items():
            object.__setattr__(self, name, value)

    def sides(self, honest_stake: float, seed: int) -> Sides:
        """Draw the two sides; one seed serves all honest stakes."""
        draw = np.random.default_rng(seed)
        stakes = np.maximum(1 + self.stake_sigma * draw.standard_normal(self.validators), 0)
        shape = (self.validators, self.miners)
        reports = np.maximum(1 + self.sigma * draw.standard_normal(shape), 0)
        validators = _part(honest_stake, self.validators)
        miners = _part(honest_stake, self.miners)
        return Sides(
            np.concatenate(
                [
                    honest_stake * _shares(stakes[:validators]),
                    (1 - honest_stake) * _shares(stakes[validators:]),
                ]
            ),
            np.hstack([normalised(reports[:, :miners]), normalised(reports[:, miners:])]),
            validators,
            miners,
        )


@dataclass(frozen=True, eq=False)
class Sides:
    """The two sides of a network; the honest accounts come first.

    Parameters
    ----------
    stake : ndarray, shape (n,)
    reports : ndarray, shape (n, m)
        What each validator says of each side's miners, which sums to 1 for either side.
    validators, miners : int
        How many of them are honest.
    """

    stake: FloatArray
    reports: FloatArray
    validators: int
    miners: int

    def epoch(self, honest_weight: float, cabal_weight: float) -> Epoch:
        """Return the epoch in which the sides give these parts of their weights to their own."""
        return Epoch(self.stake, self.weights(honest_weight, cabal_weight))

    def world(self, honest_weight: float, cabal_weight: float) -> World:
        """Return the same as a world of two principals: 0 honest, 1 the cabal, who plays."""
        n, m = self.reports.shape
        return World(
            stake=self.stake,
            weights=self.weights(honest_weight, cabal_weight),
            quality=np.full(m, 1 / m),
            validator_owner=(np.arange(n) >= self.validators).astype(np.int64),
            miner_owner=(np.arange(m) >= self.miners).astype(np.int64),
            seats=np.zeros(0, np.int64),
            adversary=(1,),
            twins=(),
            sees_clones=np.ones(n, np.bool_),
            seed=0,
        )

    def weights(self, honest_weight: float, cabal_weight: float) -> FloatArray:
        """Return what all validators report when the sides give these parts to their own."""
        weights = self.reports.copy()
        weights[: self.validators, : self.miners] *= honest_weight
        weights[: self.validators, self.miners :] *= 1 - honest_weight
        weights[self.validators :, : self.miners] *= 1 - cabal_weight
        weights[self.validators :, self.miners :] *= cabal_weight
        return weights

    def emission(self, label: str, mechanism: Mechanism, epoch: Epoch, xi: float) -> float:
        """Return the honest share of all that is paid; of nothing it is 0."""
        pay = call(label, mechanism, epoch)
        honest = xi * pay.validators[: self.validators].sum()
        honest += (1 - xi) * pay.miners[: self.miners].sum()
        total = pay.total(xi)
        return float(honest / total) if total > 0 else 0.0


def retention_map(
    mechanisms: Iterable[str | Mechanism] | None = None,
    *,
    experiment: Experiment | None = None,
    stakes: Sequence[float] = STAKES,
    parameters: Mapping[str, object] | None = None,
    seeds: int = 1,
    workers: int | None = None,
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
    workers : int, optional
        Processes; default: one per core. They never change a number.
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
    crew_size = (os.cpu_count() or 1) if workers is None else whole("workers", workers, 1)
    loaded, broken = registry.load_each(None if mechanisms is None else list(mechanisms))
    loaded = _adjusted(loaded, parameters or {})
    run = _Run(chosen, shares, whole("seeds", seeds, 1), loaded)
    store = None if out is None else Store(Path(out), run.asked(), FIXED)
    run.compute(crew_size, store, progress)
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

    def compute(self, workers: int, store: Store | None, progress: Progress | None) -> None:
        """Compute the missing cells, keeping each as it comes."""
        wanted = [
            (label, stake, seed)
            for seed in range(self.seeds)
            for stake in self.stakes
            for label in self.mechanisms
        ]
        keys = {label: f"{label} {code_of(it)}" for label, it in self.mechanisms.items()}
        for label, stake, seed in wanted if store else ():
            found = store.find(keys[label], f"{stake}-{seed}") if store else None
            if found is not None and "emission" in found:
                self.cells[label, stake, seed] = found["emission"]
        with crew(self, workers) as spread:
            missing = [cell for cell in wanted if cell not in self.cells]
            if progress:
                progress(len(self.cells), len(wanted))
            for done, ((label, stake, seed), answer) in enumerate(spread("measure", missing), 1):
                if isinstance(answer, str):
                    self.failures.setdefault(label, answer)
                else:
                    self.cells[label, stake, seed] = answer
                    if store:
                        store.keep(keys[label], f"{stake}-{seed}", {"emission": answer})
                if progress:
                    progress(len(wanted) - len(missing) + done, len(wanted))

    def measure(self, label: str, stake: float, seed: int) -> FloatArray | str:
        """Return the honest share of pay by (W_C, W_H), or what is wrong with the mechanism."""
        sides = self.experiment.sides(stake, seed)
        parts = np.linspace(0, 1, self.experiment.grid)
        xi, mechanism = self.experiment.validator_share, self.mechanisms[label]
        try:
            rows = [
                [sides.emission(label, mechanism, sides.epoch(w_h, w_c), xi) for w_h in parts]
                for w_c in parts
            ]
        except PluginError as error:
            return str(error)
        return np.array(rows)

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

    def _through(self) -> list[str]:
        return [label for label in self.mechanisms if label not in self.failures]

    def _draws(self, label: str, stake: float) -> list[FloatArray]:
        return [self.cells[label, stake, seed] for seed in range(self.seeds)]


def _adjusted(
    mechanisms: Mapping[str, Mechanism], values: Mapping[str, object]
) -> dict[str, Mechanism]:
    for name, value in values.items():
        if all(_changed(label, it, {name: value}) is it for label, it in mechanisms.items()):
            raise UsageError(f"none of {', '.join(mechanisms)} has a parameter {name!r}")
    changed = [_changed(label, mechanism, values) for label, mechanism in mechanisms.items()]
    return {registry.label(mechanism): mechanism for mechanism in changed}


def _changed(label: str, mechanism: Mechanism, values: Mapping[str, object]) -> Mechanism:
    try:
        return cast("Mechanism", adjusted(mechanism, values))
    except ValueError as error:
        raise UsageError(f"{label}: {error}") from error


def _part(share: float, size: int) -> int:
    """Return how many of all belong to the honest side, at least one, and not all."""
    return min(max(int(share * size + 1e-9), 1), size - 1)


def _shares(stakes: FloatArray) -> FloatArray:
    total = stakes.sum()
    return stakes / total if total > 0 else np.full(stakes.size, 1 / stakes.size)
