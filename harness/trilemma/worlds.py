"""Honest networks: synthetic presets and imported ones, each with an attacker or with twins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from hashlib import sha256
from typing import Any, Protocol

import numpy as np

from trilemma.checks import real, whole
from trilemma.errors import DataError, UsageError
from trilemma.fields import normalised
from trilemma.importers import Network
from trilemma.model import AnyArray, FloatArray, IntArray, World

__all__ = ["Imported", "Preset", "Source", "largest", "stake_vector", "world_seed"]

ROOT_2024 = (0.25, 0.135, 0.11, 0.09, 0.065, 0.04, 0.04, 0.04, 0.04, 0.04)
SEATS = 3
NEAREST = 8  # imported columns that may stand for a miner of median or mean quality


class Source(Protocol):
    """Where worlds come from."""

    @property
    def knows_quality(self) -> bool:
        """Whether quality is the truth, or only a named reference."""

    @property
    def clone_detection(self) -> float:
        """Chance that an honest validator sees through cloned work."""

    def sybil(self, seed: int) -> World:
        """Return the honest world that one attacker joins (one validator, one miner)."""

    def twin(self, seed: int) -> World:
        """Return the honest world with two equal miners for the twin test."""

    def describe(self) -> dict[str, object]:
        """Return what this source is, as plain JSON values."""


def world_seed(seed: int, number: int) -> int:
    """Return the seed of world `number` of a run."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0] >> 1)


def stake_vector(preset: str, n: int) -> FloatArray:
    """Return n stake shares, largest first, that sum to 1.

    Parameters
    ----------
    preset : str
        `root-2024` (published shares of Bittensor's root network, June 2024), `equal`, or
        `pareto(alpha)` (the n mid-quantiles of a Pareto law).
    n : int
        Number of validators.

    Raises
    ------
    UsageError
        If the preset is unknown, its parameter out of range, or n too small for it.
    """
    if preset == "equal":
        return np.full(n, 1 / n)
    if preset == "root-2024":
        rest = n - len(ROOT_2024)
        if rest < 1:
            raise UsageError(
                f"stake root-2024 needs at least {len(ROOT_2024) + 1} validators besides the "
                f"attacker, got {n}"
            )
        shares = np.append(ROOT_2024, np.full(rest, (1 - sum(ROOT_2024)) / rest))
        return np.sort(shares)[::-1]  # in a world of 14 and fewer the rest are not the smallest
    tail = (1 - (np.arange(n) + 0.5) / n) ** (-1 / _pareto_alpha(preset))
    return np.asarray(tail[::-1] / tail.sum())


def _pareto_alpha(preset: str) -> float:
    known = "root-2024, equal or pareto(alpha) with alpha > 0"
    if not (preset.startswith("pareto(") and preset.endswith(")")):
        raise UsageError(f"unknown stake preset {preset!r}: use {known}")
    try:
        alpha = float(preset[len("pareto(") : -1].strip().removeprefix("alpha="))
    except ValueError as error:
        raise UsageError(f"stake preset {preset!r}: alpha is not a number; use {known}") from error
    if not 0.05 <= alpha < np.inf:
        raise UsageError(f"stake preset {preset!r}: alpha must be .05 or more, not {alpha}")
    return alpha


def largest(stake: AnyArray, count: int) -> IntArray:
    """Return the places of the `count` largest stakes, largest first, ties by place."""
    return np.argsort(-stake, kind="stable")[:count]


@dataclass(frozen=True)
class Preset:
    """Synthetic honest networks.

    Parameters
    ----------
    stake : str
        `root-2024`, `equal`, or `pareto(alpha)`.
    validators, miners : int
        Sizes of the world, the attacker's two identities included.
    noise : float
        Standard deviation of the log of a report around the truth.
    spread : float
        Standard deviation of the log of quality.
    clone_detection : float
        Chance that an honest validator sees through cloned work.
    attacker_work : float
        Quality of the attacker's miner in units of the median quality.
    subnets : int
        How many subnets the miners work in, in turn; the twins in two of them.

    Raises
    ------
    UsageError
        If there is no such preset, or a number is out of its range.
    """

    stake: str = "root-2024"
    validators: int = 64
    miners: int = 128
    noise: float = 0.1
    spread: float = 1.0
    clone_detection: float = 1.0
    attacker_work: float = 1.0
    subnets: int = 1
    knows_quality: bool = field(default=True, init=False, repr=False)

    def __post_init__(self) -> None:
        for name, value in {
            "validators": whole("world: validators", self.validators, 2, 4096),
            "miners": whole("world: miners", self.miners, 3, 65536),
            "noise": _noise(self.noise),
            "spread": real("world: spread", self.spread, 0, 5),
            "clone_detection": _detection(self.clone_detection),
            "attacker_work": real("world: attacker_work", self.attacker_work, 0, 1e6),
            "subnets": whole("world: subnets", self.subnets, 1, self.miners),
        }.items():
            object.__setattr__(self, name, value)
        stake_vector(self.stake, self.validators - 1)

    def sybil(self, seed: int) -> World:
        """Return an honest world whose last validator and last miner are the attacker's."""
        draw = np.random.default_rng([seed, 0])
        quality = np.exp(self.spread * draw.standard_normal(self.miners))
        quality[-1] = self.attacker_work * np.median(quality[:-1])
        # The attacker's own stake is a placeholder: plays are tried at several shares.
        stake = np.append(stake_vector(self.stake, self.validators - 1), 1.0)
        return self._world(seed, draw, stake, quality, twins=())

    def twin(self, seed: int) -> World:
        """Return an honest world whose last two miners are equals of mean quality."""
        draw = np.random.default_rng([seed, 1])
        quality = np.exp(self.spread * draw.standard_normal(self.miners))
        quality[-2:] = quality[:-2].mean()
        stake = stake_vector(self.stake, self.validators)
        return self._world(seed, draw, stake, quality, (self.miners - 2, self.miners - 1))

    def _world(
        self,
        seed: int,
        draw: np.random.Generator,
        stake: FloatArray,
        quality: FloatArray,
        twins: tuple[int, ...],
    ) -> World:
        noise = np.exp(self.noise * draw.standard_normal((self.validators, self.miners)))
        sees = draw.random(self.validators) < self.clone_detection
        world = _world(seed, stake, quality * noise, quality, twins, sees)
        if self.subnets == 1:
            return world
        return replace(world, subnets=np.arange(self.miners) % self.subnets)

    def describe(self) -> dict[str, object]:
        """Return the parameters."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.init}


@dataclass(frozen=True, eq=False)
class Imported:
    """Worlds built on a real network: its reports are taken as honest.

    Nobody knows the truth there, so the reference for quality is the stake-weighted mean of the
    reports. Worlds differ by the epoch they are drawn from and by which column is copied for the
    attacker's miner (one of the eight nearest the median) and for the twins (one of the eight
    nearest the mean, reported with independent noise for each). Only miners that half the stake
    reports on are copied: most columns of a real network hold the dust of a few validators, and
    who earns nothing cannot be cut off.

    Parameters
    ----------
    network : Network
        As read by `trilemma.read`.
    noise, clone_detection : float
        As in `Preset`.
    distrusted : int
        How many of the largest validators (by stake, in the epoch drawn) are not believed to
        report honestly. Each is taken to have said what one of the others did, drawn by stake:
        on average the stake-weighted mean of those who are believed, with as much disagreement
        as there is among them. The mean itself would be a report that everybody agrees with, and
        any consensus would look easier than it is.

    Raises
    ------
    UsageError
        If a number is out of its range; so if nobody is left to be believed in some epoch.
    DataError
        If the network has no miner that could be copied.
    """

    network: Network
    noise: float = 0.1
    clone_detection: float = 1.0
    distrusted: int = 0
    knows_quality: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "noise", _noise(self.noise))
        object.__setattr__(self, "clone_detection", _detection(self.clone_detection))
        if not any(self._in_use(epoch)[0].size for epoch in range(len(self.network.weights))):
            raise DataError(
                f"{self.network.name}: no validator in it has both stake and a non-zero row of "
                "weights, so there is no network to attack"
            )
        object.__setattr__(self, "distrusted", self._few(self.distrusted))

    def sybil(self, seed: int) -> World:
        """Return the network plus an attacker, whose validator reports the reference."""
        draw = np.random.default_rng([seed, 0])
        stake, weights = self._epoch(seed, draw)
        copied = weights[:, _near(draw, np.median, stake, weights)]
        weights = normalised(np.column_stack([weights, copied]))
        reference = stake @ weights / stake.sum()
        weights = np.vstack([weights, reference])
        sees = draw.random(len(weights)) < self.clone_detection
        return _world(seed, np.append(stake / stake.sum(), 1.0), weights, reference, (), sees)

    def twin(self, seed: int) -> World:
        """Return the network plus two miners of equal merit."""
        draw = np.random.default_rng([seed, 1])
        stake, weights = self._epoch(seed, draw)
        copied = weights[:, _near(draw, np.mean, stake, weights)]
        noise = np.exp(self.noise * draw.standard_normal((len(weights), 2)))
        weights = normalised(np.column_stack([weights, copied[:, None] * noise]))
        reference = stake @ weights / stake.sum()
        reference[-2:] = reference[-2:].mean()
        twins = (reference.size - 2, reference.size - 1)
        sees = draw.random(len(weights)) < self.clone_detection
        return _world(seed, stake / stake.sum(), weights, reference, twins, sees)

    @property
    def files(self) -> tuple[str, ...]:
        """Where the network was read from."""
        return self.network.files

    def describe(self) -> dict[str, object]:
        """Return the network's name and sizes beside the parameters."""
        epochs, n, m = self.network.weights.shape
        return {
            "network": self.network.name,
            "sha256": self._digest(),
            "epochs": epochs,
            "validators": n,
            "miners": m,
            "noise": self.noise,
            "clone_detection": self.clone_detection,
            "distrusted": self.distrusted,
        }

    def _few(self, distrusted: int) -> int:
        """Return how many are not believed, having seen that somebody is in every epoch in use."""
        number = whole("world: distrusted", distrusted, 0)
        if number == 0:
            return 0
        sizes = [self._in_use(epoch)[0].size for epoch in range(len(self.network.weights))]
        fewest = min(size for size in sizes if size)
        if number >= fewest:
            raise UsageError(
                f"world: distrusted must be less than {fewest}, the validators with stake and a "
                f"report in an epoch of {self.network.name}, so that one is believed; not {number}"
            )
        return number

    def _digest(self) -> str:
        arrays = (self.network.stake, self.network.weights)
        whole = b"".join(f"{it.dtype}{it.shape}".encode() + it.tobytes() for it in arrays)
        return sha256(whole).hexdigest()[:16]

    def _in_use(self, epoch: int) -> tuple[IntArray, IntArray]:
        weights = self.network.weights[epoch]
        rows = np.flatnonzero((self._stake(epoch) > 0) & weights.any(axis=1))
        return rows, np.flatnonzero(weights[rows].any(axis=0))

    def _stake(self, epoch: int) -> AnyArray:
        stake: AnyArray = self.network.stake[epoch % len(self.network.stake)]
        return stake

    def _epoch(self, seed: int, draw: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Draw an epoch that is in use: stake, and reports that sum to 1."""
        for epoch in draw.permutation(len(self.network.weights)):
            rows, columns = self._in_use(int(epoch))
            if rows.size:
                break
        stake = self._stake(int(epoch))[rows].astype(np.float64)
        weights = normalised(self.network.weights[epoch][np.ix_(rows, columns)].astype(np.float64))
        if self.distrusted:
            # draws of their own: everything else stays as it is where all are believed
            weights = self._believed(np.random.default_rng([seed, 2]), stake, weights)
        return stake / stake.max(), weights

    def _believed(
        self, draw: np.random.Generator, stake: FloatArray, weights: FloatArray
    ) -> FloatArray:
        """Return reports where the largest say what others do, of miners still reported on."""
        order = largest(stake, stake.size)
        doubted, others = order[: self.distrusted], order[self.distrusted :]
        shares = stake[others] / stake[others].max()
        said = weights.copy()
        said[doubted] = weights[draw.choice(others, doubted.size, p=shares / shares.sum())]
        return said.compress(said.any(axis=0), axis=1)  # by rows in memory, as before


def _near(
    draw: np.random.Generator,
    middle: Callable[[FloatArray], np.floating[Any]],
    stake: FloatArray,
    weights: FloatArray,
) -> int:
    """Draw a miner whose reference is near the middle of those that half the stake reports on."""
    reference = stake @ weights
    rated = np.flatnonzero(stake @ (weights > 0) >= stake.sum() / 2)
    if rated.size == 0:
        rated = np.arange(reference.size)
    away = np.abs(reference[rated] - middle(reference[rated]))
    return int(draw.choice(rated[np.argsort(away, kind="stable")[:NEAREST]]))


def _world(
    seed: int,
    stake: FloatArray,
    reports: FloatArray,
    quality: FloatArray,
    twins: tuple[int, ...],
    sees_clones: AnyArray,
) -> World:
    n, m = reports.shape
    attacked = not twins
    miner_owner = np.arange(n, n + m)
    if attacked:
        miner_owner[-1] = n - 1
    return World(
        stake=stake,
        weights=normalised(reports),
        quality=quality / quality.sum(),
        validator_owner=np.arange(n),
        miner_owner=miner_owner,
        seats=largest(stake[: n - 1] if attacked else stake, SEATS),
        adversary=(n - 1,) if attacked else (),
        twins=twins,
        sees_clones=sees_clones,
        seed=seed,
    )


def _noise(value: float) -> float:
    return real("world: noise", value, 0, 5)


def _detection(value: float) -> float:
    return real("world: clone_detection", value, 0, 1)
