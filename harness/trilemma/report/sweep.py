"""Scores along a range of a parameter: where the order turns over, and what attacks cost there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trilemma.costs import PAYS
from trilemma.model import Budget
from trilemma.statistics import Interval
from trilemma.thresholds import Estimate

if TYPE_CHECKING:
    from trilemma.report import Failure

__all__ = ["SCORES", "Crossing", "Curve", "Point", "Sweep", "Target"]

SCHEMA = 1
SCORES = {
    "sybil_resistance": "SR",
    "neutrality": "CN",
    "quality_attacked": "Q",
    "minimum": "minimum",
}
COLUMNS = 10  # of points in a table 100 characters wide


@dataclass(frozen=True)
class Target:
    """What a score has to reach; written `sybil_resistance >= 0.9`."""

    score: str
    level: float

    def __str__(self) -> str:
        return f"{'quality' if self.score == 'quality_attacked' else self.score} >= {self.level:g}"


@dataclass(frozen=True)
class Point:
    """One mechanism at one value of the parameter.

    Parameters
    ----------
    at : float
        The value.
    label : str
        What was measured there: `yuma(kappa=0.6)` where the parameter is the mechanism's own.
    sybil_resistance, neutrality, quality, quality_attacked, minimum : Interval
    break_even_stake : Estimate
        The smallest share of stake at which a play takes more than 0.001 of what others earn.
    break_even_price : Estimate
        The smallest price of an identity at which more than one take no more than one.
    growth : Estimate
        The exponent with which the largest gain grows with identities, at no price.
    worst_sybil_play, worst_neutrality_play : str
    """

    at: float
    label: str
    sybil_resistance: Interval
    neutrality: Interval
    quality: Interval
    quality_attacked: Interval
    minimum: Interval
    break_even_stake: Estimate
    break_even_price: Estimate
    growth: Estimate
    worst_sybil_play: str
    worst_neutrality_play: str

    @property
    def costs(self) -> tuple[Estimate, Estimate, Estimate]:
        """Stake and price at which attacks break even, and the growth of gains."""
        return self.break_even_stake, self.break_even_price, self.growth


@dataclass(frozen=True)
class Curve:
    """One mechanism along the range.

    Parameters
    ----------
    label : str
    points : tuple of Point
    meets : Estimate or None
        The smallest value of the parameter that meets the target; None if there is no target.
    """

    label: str
    points: tuple[Point, ...]
    meets: Estimate | None

    def best(self, score: str) -> Point:
        """Return the point with the highest value of a score, the first of them."""
        return max(self.points, key=lambda point: getattr(point, score).value)


@dataclass(frozen=True)
class Crossing:
    """Where the minimum of one mechanism rises above that of another, along the parameter.

    Parameters
    ----------
    below, above : str
        Labels: who is ahead below that value, and who is above it.
    at : Estimate
        `share`: in which share of the resamples the two change places in this direction.
    between : tuple of float
        The neighbouring points of the range that it lies between.
    """

    below: str
    above: str
    at: Estimate
    between: tuple[float, float]

    def __str__(self) -> str:
        return f"{self.above} overtakes {self.below} at {self.at}"


@dataclass(frozen=True)
class Sweep:
    """The answer of `sweep`. Prints as tables.

    Parameters
    ----------
    parameter : str
    values : tuple of float
        Where it was looked at.
    seed, budget, world
        What was asked besides; `world` as plain JSON values.
    worlds : int
    target : Target or None
    curves : tuple of Curve
        In the order asked.
    crossings : tuple of Crossing
        Of every two mechanisms, in the order of the values.
    exact : bool
        Whether it is known what happens between points; otherwise curves are taken to be straight
        there.
    failures : tuple of Failure
    calls : int
        Mechanism calls made; what was kept cost none.
    """

    parameter: str
    values: tuple[float, ...]
    seed: int
    budget: Budget
    world: dict[str, Any]
    worlds: int
    target: Target | None
    curves: tuple[Curve, ...]
    crossings: tuple[Crossing, ...]
    exact: bool
    failures: tuple[Failure, ...]
    calls: int

    def __str__(self) -> str:
        return "\n".join([*_tables(self), *self.notes])

    @property
    def met(self) -> bool:
        """Whether some mechanism meets the target; also if there is none."""
        return self.target is None or any(
            it.meets is not None and it.meets.value is not None for it in self.curves
        )

    def reached(self, curve: Curve) -> float:
        """Return the highest value of the target's score along a curve; 0 without a target."""
        if self.target is None:
            return 0.0
        score: Interval = getattr(curve.best(self.target.score), self.target.score)
        return score.value

    @property
    def notes(self) -> Sequence[str]:
        """What the curves say: the turnovers, what attacks cost, and who meets the target."""
        return [*_turnovers(self), *_costs(self), *_targets(self), *_effort(self)]

    def to_json(self) -> str:
        """Return the documented JSON (docs/sweeps.md), the same bytes for the same question."""
        whole = {
            "schema": SCHEMA,
            "parameter": self.parameter,
            "values": self.values,
            "seed": self.seed,
            "budget": asdict(self.budget),
            "world": self.world,
            "target": None if self.target is None else str(self.target),
            "mechanisms": [asdict(curve) for curve in self.curves],
            "crossings": [asdict(crossing) for crossing in self.crossings],
        }
        return json.dumps(whole, indent=2, allow_nan=False) + "\n"


def _tables(sweep: Sweep) -> Iterator[str]:
    shown = _shown(len(sweep.values))
    head = "".join(f"{sweep.values[place]:>9.4g}" for place in shown)
    yield f"Scores by {sweep.parameter}, with half the width of their 95 % intervals:"
    yield ""
    yield f"{'':9}{head}"
    for curve in sweep.curves:
        yield curve.label
        for score, name in SCORES.items():
            cells = (_cell(getattr(curve.points[place], score)) for place in shown)
            yield f"  {name:7}{''.join(f'{cell:>9}' for cell in cells)}"
    yield ""
    yield "SR Sybil resistance, CN neutrality, Q quality under attack; all of them upper bounds."


def _shown(points: int) -> list[int]:
    """Return which points a table shows: all, or as many as are equally far apart."""
    if points <= COLUMNS:
        return list(range(points))
    even = [count for count in range(5, COLUMNS + 1) if (points - 1) % (count - 1) == 0]
    return [round(place) for place in np.linspace(0, points - 1, max(even, default=COLUMNS))]


def _cell(score: Interval) -> str:
    half = max(score.high - score.value, score.value - score.low)
    return f"{score.value:.2f}±{half:.2f}".replace("±0", "±")


def _turnovers(sweep: Sweep) -> Iterator[str]:
    yield ""
    if not sweep.crossings:
        yield f"The order of the minima does not turn over along {sweep.parameter}."
        return
    how = "" if sweep.exact else ", by straight lines between points"
    yield f"The order of the minima turns over along {sweep.parameter} (95 % interval{how}):"
    for crossing in sweep.crossings:
        yield f"  {crossing}"


def _costs(sweep: Sweep) -> Iterator[str]:
    """Say what attacks cost at the lowest value, and at the highest if it differs."""
    ends = [0, -1] if any(it.points[0].costs != it.points[-1].costs for it in sweep.curves) else [0]
    for end in ends:
        yield ""
        yield f"What attacks cost at {sweep.parameter} = {sweep.values[end]:g}:"
        yield from _aligned(
            [
                ("mechanism", "stake", "identity price c*", "growth"),
                *((it.label, *map(str, it.points[end].costs)) for it in sweep.curves),
            ]
        )
    yield f"stake: least share at which a play takes more than {PAYS:g} of what the others earn;"
    yield "c*: least price of an identity at which more than one take no more than one; growth:"
    yield "exponent of the largest gain in the number of identities, where they are free."


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def _targets(sweep: Sweep) -> Iterator[str]:
    if sweep.target is None:
        return
    yield ""
    yield f"The smallest {sweep.parameter} with {sweep.target}:"
    for curve in sweep.curves:
        if curve.meets is None or curve.meets.value is None:
            yield f"  {curve.label}: none in this range; at most {sweep.reached(curve):.3g}"
        else:
            yield f"  {curve.label}: {curve.meets}"


def _effort(sweep: Sweep) -> Iterator[str]:
    yield ""
    yield from (f"{failure.label} is missing: {failure.reason}" for failure in sweep.failures)
    yield (
        f"{sweep.calls:,} mechanism calls; {len(sweep.values)} points, {sweep.worlds} worlds, "
        f"seed {sweep.seed}."
    )
