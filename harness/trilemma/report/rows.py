"""From measured cells to rows: scores with intervals, ranks, flags and the Pareto set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from trilemma import registry
from trilemma.cells import Cell, Suite
from trilemma.model import Budget, FloatArray, Mechanism
from trilemma.report.model import Row, Side
from trilemma.scores import NOTHING, Scores, cutoff_number, score
from trilemma.statistics import best_share, interval, rank_interval, resamples
from trilemma.twins import Coalition

__all__ = ["rows_of"]

UNSTAKED = 0.1  # distance of validators' pay from stake that is worth a flag
BURNT = 0.01
LABELS = 1e-9

Measured = Mapping[str, tuple[Mechanism, Sequence[Coalition], Cell]]


def rows_of(
    measured: Measured, suite: Suite, budget: Budget, knows_quality: bool
) -> tuple[Row, ...]:
    """Return one row per mechanism.

    Parameters
    ----------
    measured : mapping of label to (mechanism, coalitions, cells stacked over worlds)
    suite : Suite
    budget : Budget
        Of the free side; the verified side has one identity per role.
    knows_quality : bool
    """
    if not measured:
        return ()
    sides = [
        _sides(measured, suite, replace(budget, identities=identities), knows_quality)
        for identities in (1, budget.identities)
    ]
    pareto = _pareto(sides[1])
    return tuple(
        Row(
            name=registry.name(mechanism),
            label=label,
            distribution=registry.origin(mechanism),
            verified=sides[0][place],
            free=sides[1][place],
            tau=float(cells.tau.mean()),
            flags=tuple(_flags(cells)),
            pareto=pareto[place],
        )
        for place, (label, (mechanism, _, cells)) in enumerate(measured.items())
    )


def _sides(measured: Measured, suite: Suite, budget: Budget, knows_quality: bool) -> list[Side]:
    worlds = next(iter(measured.values()))[2].paid.size
    sample = resamples(worlds)
    scores = [
        score(cells, suite, coalitions, budget, sample, knows_quality=knows_quality)
        for _, coalitions, cells in measured.values()
    ]
    # A rule whose pay has nothing to do with merit takes no part in the ranking.
    minimums = np.array([np.where(one.quality > NOTHING, one.minimum, -1.0) for one in scores])
    best = best_share(minimums)
    return [
        _side(one, budget, float(best[place]), rank_interval(minimums, place))
        for place, one in enumerate(scores)
    ]


def _side(scores: Scores, budget: Budget, best: float, ranks: tuple[int, int]) -> Side:
    curve: FloatArray = scores.cutoff[0]
    return Side(
        identities=budget.identities,
        sybil_resistance=interval(scores.sybil_resistance),
        neutrality=interval(scores.neutrality),
        quality=interval(scores.quality),
        quality_attacked=interval(scores.quality_attacked),
        minimum=interval(scores.minimum),
        neutrality_equal=interval(scores.neutrality_equal),
        worst_sybil_play=scores.worst_sybil_play,
        worst_neutrality_play=scores.worst_neutrality_play,
        cutoff=tuple((size, float(cut)) for size, cut in enumerate(curve, start=1)),
        cutoff_number=cutoff_number(curve),
        best=best,
        ranks=ranks,
    )


def _pareto(sides: Sequence[Side]) -> list[bool]:
    points = np.array(
        [
            [side.sybil_resistance.value, side.neutrality.value, side.quality_attacked.value]
            for side in sides
        ]
    )
    return [
        not any((other >= point).all() and (other > point + 1e-9).any() for other in points)
        for point in points
    ]


def _flags(cells: Cell) -> Iterator[str]:
    unpaid = int((cells.twin_fair <= 0).sum())
    if unpaid:
        yield (
            f"both twins get nothing when all are honest, in {unpaid} of {cells.paid.size} "
            "worlds, so neutrality says little"
        )
    if cells.paid.mean() < 1 - BURNT:
        yield f"burns {1 - cells.paid.mean():.0%} of the pay when all are honest"
    if cells.unstaked.mean() > UNSTAKED:
        yield f"validators' pay is far from stake (total variation {cells.unstaked.mean():.2f})"
    if cells.relabelled.max() > LABELS:
        yield "pay depends on the order of the identities"
