"""Scores of measured mechanisms at every point of a range, and where they cross between points."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, TypeVar

import numpy as np

from trilemma import registry
from trilemma.axes import BUDGET, PRICE, Setting, varied
from trilemma.costs import break_even_price, break_even_stake, growth, up_to
from trilemma.errors import TrilemmaError
from trilemma.model import BoolArray, Budget, FloatArray, IntArray
from trilemma.report import Failure
from trilemma.report.rows import Measured
from trilemma.report.sweep import SCORES, Crossing, Curve, Point, Target
from trilemma.resampled import Resampled
from trilemma.run import Run
from trilemma.scores import Scores, score
from trilemma.statistics import interval, resamples
from trilemma.thresholds import (
    NOWHERE,
    TIE,
    Estimate,
    Holds,
    between,
    estimate,
    first,
    located,
    turns,
)

__all__ = ["Curves"]

Thing = TypeVar("Thing")

KEPT = 2  # mechanisms whose cells and means are in memory at a time


@dataclass
class Curves:
    """Measured cells, looked at along a range.

    Parameters
    ----------
    parameter : str
    places : tuple of float
        Its values.
    settings : list of Setting
        What each value makes of the question.
    runs : list of Run
        Where each setting's cells are; one run may hold those of several.
    """

    parameter: str
    places: tuple[float, ...]
    settings: list[Setting]
    runs: list[Run]
    minimums: dict[str, FloatArray] = field(default_factory=dict)
    kept: dict[tuple[int, str], Measured] = field(default_factory=dict)
    means: dict[tuple[Any, ...], Resampled] = field(default_factory=dict)
    costs: dict[tuple[Any, ...], tuple[Estimate, Estimate]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sample = resamples(self.runs[0].worlds)
        self.exact = self.parameter in BUDGET
        every = [it for setting in self.settings for it in setting.mechanisms.values()]
        once = {id(it): it for it in every}
        labels = {key: registry.label(it) for key, it in once.items()}  # 12 ms each
        self.shown = [
            {curve: labels[id(it)] for curve, it in setting.mechanisms.items()}
            for setting in self.settings
        ]
        self.runs_once = list({id(run): run for run in self.runs}.values())

    @property
    def calls(self) -> int:
        """Mechanism calls made; what was kept cost none."""
        return sum(it.calls for run in self.runs_once for it in run.contestants.values())

    @property
    def through(self) -> list[str]:
        """The curves whose mechanism failed nowhere."""
        failed = {it.label for run in self.runs_once for it in run.failures({})}
        return [
            curve
            for curve in self.settings[0].mechanisms
            if failed.isdisjoint(shown[curve] for shown in self.shown)
        ]

    def failures(self, broken: Mapping[str, TrilemmaError]) -> list[Failure]:
        """Name what is missing, each once, and why."""
        found = [failure for run in self.runs_once for failure in run.failures(broken)]
        return list({failure.label: failure for failure in reversed(found)}.values())[::-1]

    def of(self, label: str, target: Target | None) -> Curve:
        """Return the scores of one mechanism along the range."""
        found, points = {}, []
        for at, setting in enumerate(self.settings):
            same = id(self.runs[at]), self.shown[at][label], setting.budget
            if same not in found:
                scores = self._judged(label, at, setting.budget)
                found[same] = scores, self._point(label, at, scores)
            points.append(found[same])
        self.minimums[label] = np.stack([scores.minimum for scores, _ in points])
        meets = None
        if target is not None:
            reached = [getattr(scores, target.score) >= target.level for scores, _ in points]
            meets = self._meets(label, target, np.stack(reached))
        placed = zip(self.places, points, strict=True)
        return Curve(label, tuple(replace(point, at=place) for place, (_, point) in placed), meets)

    def _point(self, label: str, at: int, found: Scores) -> Point:
        budget, resampled = self.settings[at].budget, self._means(label, at)
        same = self._same(label, at)
        if same not in self.costs:  # neither depends on the price
            costs = break_even_price(resampled), growth(resampled, budget)
            self.costs[same] = estimate(costs[0]), estimate(costs[1])
        price, slope = self.costs[same]
        return Point(
            self.places[at],
            self.shown[at][label],
            **{name: interval(getattr(found, name)) for name in (*SCORES, "quality")},
            break_even_stake=estimate(break_even_stake(resampled, budget)),
            break_even_price=price,
            growth=slope,
            worst_sybil_play=found.worst_sybil_play,
            worst_neutrality_play=found.worst_neutrality_play,
        )

    def crossings(self) -> Iterator[Crossing]:
        """Yield where the minima of any two mechanisms change places, by the first's value."""
        found = [it for pair in combinations(self.minimums, 2) for it in self._turns(*pair)]
        yield from sorted(found, key=lambda it: it.at.value or 0.0)

    def _turns(self, one: str, other: str) -> Iterator[Crossing]:
        ahead = self.minimums[one] - self.minimums[other]
        values = np.array(self.places)
        for sign, points in turns(ahead):

            def holds(value: float, rows: IntArray, sign: int = sign) -> BoolArray:
                minimums = (self._at(value, label, rows).minimum for label in (one, other))
                return np.asarray(sign * np.subtract(*minimums) > TIE)

            at = self._begins(points, holds) if self.exact else between(values, ahead, points)
            below, above = (other, one) if sign > 0 else (one, other)
            gap = (self.places[points[0] - 1], self.places[points[0]])
            yield Crossing(below, above, at, gap)

    def _meets(self, label: str, target: Target, reached: BoolArray) -> Estimate:
        """Return the smallest value that meets a target: between points if only prices differ."""

        def holds(value: float, rows: IntArray) -> BoolArray:
            found: FloatArray = getattr(self._at(value, label, rows), target.score)
            return found >= target.level

        return self._begins(first(reached), holds)

    def _begins(self, points: IntArray, holds: Holds) -> Estimate:
        """Return where something begins to hold: between points if only prices differ.

        Stake, identities and coalitions come in steps, and scores change at steps only.
        """
        values = np.array(self.places)
        if self.parameter == PRICE:
            return located(values, points, holds)
        return estimate(np.where(points == NOWHERE, np.nan, values[points]))

    def _at(self, price: float, label: str, rows: IntArray) -> Scores:
        budget = varied(self.settings[0], self.parameter, price).budget
        return self._judged(label, 0, budget, rows)

    def _judged(self, label: str, at: int, budget: Budget, rows: Any = slice(None)) -> Scores:
        return score(
            self._means(label, at).at(rows),
            self._cells(label, at).coalitions,
            budget,
            knows_quality=self.runs[at].source.knows_quality,
        )

    def _means(self, label: str, at: int) -> Resampled:
        run, budget = self.runs[at], self.settings[at].budget

        def resampled() -> Resampled:
            cells = up_to(self._cells(label, at).cells, budget)
            return Resampled.within(cells, run.suite, budget.identities, self.sample)

        return _kept(self.means, self._same(label, at), resampled)

    def _cells(self, label: str, at: int) -> Measured:
        run, shown = self.runs[at], self.shown[at][label]
        return _kept(self.kept, (id(run), shown), lambda: run.measured(shown))

    def _same(self, label: str, at: int) -> tuple[Any, ...]:
        """Return what means depend on."""
        budget = self.settings[at].budget
        return id(self.runs[at]), self.shown[at][label], budget.stake, budget.identities


def _kept(kept: dict[Any, Thing], key: Any, make: Callable[[], Thing]) -> Thing:
    """Return what is kept, or make it and forget what has been kept longest."""
    if key not in kept:
        if len(kept) == KEPT:
            kept.pop(next(iter(kept)))
        kept[key] = make()
    return kept[key]
