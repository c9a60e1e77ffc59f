"""From measured cells to rows: scores with intervals, ranks, flags and the Pareto set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from trilemma import registry
from trilemma.cells import Cell, Suite
from trilemma.model import Budget, FloatArray, Mechanism
from trilemma.report.model import Row, Side
from trilemma.scores import NOTHING, Scores, clone_sweep, cutoff_number, score
from trilemma.statistics import beats, best_share, interval, rank_interval, resamples
from trilemma.twins import Coalition
from trilemma.worlds import Source

__all__ = ["rows_of"]

UNSTAKED = 0.1  # distance of validators' pay from stake that is worth a flag
BURNT = 0.01
LABELS = 1e-9

Measured = Mapping[str, tuple[Mechanism, Sequence[Coalition], Cell]]


def rows_of(measured: Measured, suite: Suite, budget: Budget, source: Source) -> tuple[Row, ...]:
    """Return one row per mechanism.

    Parameters
    ----------
    measured : mapping of label to (mechanism, coalitions, cells stacked over worlds)
    suite : Suite
    budget : Budget
        Of the free side; the verified side has one identity per role.
    source : Source
        Where the worlds came from.
    """
    if not measured:
        return ()
    scored = [
        _scored(measured, suite, within, source.knows_quality)
        for within in (replace(budget, identities=1), budget)
    ]
    verified, free = _sides(scored[0], 1), _sides(scored[1], budget.identities)
    pareto = _pareto(free)
    overtaken = _overtaken(list(measured), *map(_ranking, scored))
    return tuple(
        Row(
            name=registry.name(mechanism),
            label=label,
            distribution=registry.origin(mechanism),
            verified=verified[place],
            free=free[place],
            tau=float(cells.tau.mean()),
            flags=tuple(_flags(cells)),
            pareto=pareto[place],
            overtaken_by=overtaken[place],
            clone_sweep=tuple(
                (chance, resistance)
                for chance, resistance in clone_sweep(
                    cells, suite, budget, free[place].sybil_resistance.value
                )
                if chance < source.clone_detection
            ),
        )
        for place, (label, (mechanism, _, cells)) in enumerate(measured.items())
    )


def _scored(measured: Measured, suite: Suite, budget: Budget, knows_quality: bool) -> list[Scores]:
    sample = resamples(next(iter(measured.values()))[2].paid.size)
    return [
        score(cells, suite, coalitions, budget, sample, knows_quality=knows_quality)
        for _, coalitions, cells in measured.values()
    ]


def _ranking(scores: Sequence[Scores]) -> FloatArray:
    """Return the minimums, shape (mechanisms, resamples), -1 for those that are not ranked."""
    # A rule whose pay has nothing to do with merit takes no part in the ranking.
    return np.array([np.where(one.quality > NOTHING, one.minimum, -1.0) for one in scores])


def _sides(scores: Sequence[Scores], identities: int) -> list[Side]:
    minimums = _ranking(scores)
    best = best_share(minimums)
    return [
        _side(one, identities, float(best[place]), rank_interval(minimums, place))
        for place, one in enumerate(scores)
    ]


def _overtaken(
    labels: Sequence[str], verified: FloatArray, free: FloatArray
) -> list[tuple[str, ...]]:
    """Return, by mechanism, those that it decisively beats verified and falls below free."""
    return [
        tuple(
            label
            for label, other_verified, other_free in zip(labels, verified, free, strict=True)
            if beats(own_verified, other_verified) and beats(other_free, own_free)
        )
        for own_verified, own_free in zip(verified, free, strict=True)
    ]


def _side(scores: Scores, identities: int, best: float, ranks: tuple[int, int]) -> Side:
    curve: FloatArray = scores.cutoff[0]
    return Side(
        identities=identities,
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
