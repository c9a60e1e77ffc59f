"""From measured cells to rows: scores with intervals, ranks, flags and the Pareto set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from trilemma import registry
from trilemma.cells import Cell, Suite
from trilemma.checks import NOTHING
from trilemma.model import Budget, FloatArray, Mechanism
from trilemma.report.breakdown import at_prices, by_attack
from trilemma.report.model import KEPT_SCORES, AtPrice, ByAttack, MeanConcentration, Row, Side
from trilemma.resampled import Resampled
from trilemma.scores import Scores, clone_sweep, cutoff_number, late, score
from trilemma.statistics import beats, best_share, interval, rank_interval, resamples
from trilemma.twins import Coalition
from trilemma.worlds import Source

__all__ = ["Measured", "rows_of"]

UNSTAKED = 0.1  # distance of validators' pay from stake that is worth a flag
BURNT = 0.01
LABELS = 1e-9
LATE = 5e-3  # a gain that shows in the table


class Measured(NamedTuple):
    """What is known of one mechanism.

    Parameters
    ----------
    label : str
    mechanism : Mechanism
    coalitions : sequence of Coalition
        Those that were tried.
    cells : Cell
        Stacked over worlds.
    replayed : sequence of ndarray
        By world, what was found against others does to it, as `trilemma.replays` returns it.
    """

    label: str
    mechanism: Mechanism
    coalitions: Sequence[Coalition]
    cells: Cell
    replayed: Sequence[FloatArray] = ()


@dataclass(frozen=True)
class _Judged:
    """What is left of one mechanism's cells."""

    label: str
    mechanism: Mechanism
    scores: tuple[Scores, Scores]
    tau: float
    flags: tuple[str, ...]
    clone_sweep: tuple[tuple[float, float], ...]
    by_attack: tuple[tuple[ByAttack, ...], tuple[ByAttack, ...]]
    by_price: tuple[AtPrice, ...]
    concentration: MeanConcentration


def rows_of(
    measured: Iterable[Measured], suite: Suite, budget: Budget, source: Source
) -> tuple[Row, ...]:
    """Return one row per mechanism.

    Parameters
    ----------
    measured : iterable of Measured
        Taken one by one: the cells of one mechanism are in memory at a time.
    suite : Suite
    budget : Budget
        Of the free side; the verified side has one identity per role.
    source : Source
        Where the worlds came from.
    """
    judged = [_judged(one, suite, budget, source) for one in measured]
    scored = [[one.scores[side] for one in judged] for side in (0, 1)]
    if not judged:
        return ()
    verified, free = (
        _sides(judged, side, count) for side, count in enumerate((1, budget.identities))
    )
    pareto = _pareto(free)
    overtaken = _overtaken([one.label for one in judged], *map(_ranking, scored))
    return tuple(
        Row(
            name=registry.name(one.mechanism),
            label=one.label,
            distribution=registry.origin(one.mechanism),
            verified=verified[place],
            free=free[place],
            tau=one.tau,
            flags=one.flags,
            pareto=pareto[place],
            overtaken_by=overtaken[place],
            clone_sweep=one.clone_sweep,
            by_price=one.by_price,
            concentration=one.concentration,
            control=bool(getattr(one.mechanism, "control", False)),
            sampled=np.array([[getattr(it, name) for name in KEPT_SCORES] for it in one.scores]),
        )
        for place, one in enumerate(judged)
    )


def _judged(measured: Measured, suite: Suite, budget: Budget, source: Source) -> _Judged:
    label, mechanism, coalitions, cells, replayed = measured
    sample, budgets = resamples(cells.paid.size), (replace(budget, identities=1), budget)
    sides = [Resampled.within(cells, suite, it.identities, sample) for it in budgets]

    def judged(side: Resampled, within: Budget) -> Scores:
        known = source.knows_quality
        return score(side, coalitions, within, knows_quality=known, replayed=replayed)

    verified, free = map(judged, sides, budgets)
    sweep = clone_sweep(cells, suite, budget, interval(free.sybil_resistance).value)
    return _Judged(
        label,
        mechanism,
        (verified, free),
        float(cells.tau.mean()),
        (*_flags(cells), *_unconverged(cells, budget, (verified, free))),
        tuple(point for point in sweep if point[0] < source.clone_detection),
        (by_attack(sides[0], coalitions, budgets[0]), by_attack(sides[1], coalitions, budget)),
        at_prices(partial(judged, sides[1]), budget),
        MeanConcentration(*map(float, cells.concentration.mean(axis=0))),
    )


def _ranking(scores: Sequence[Scores]) -> FloatArray:
    """Return the minimums, shape (mechanisms, resamples), -1 for those that are not ranked."""
    # A rule whose pay has nothing to do with merit takes no part in the ranking.
    return np.array([np.where(one.quality > NOTHING, one.minimum, -1.0) for one in scores])


def _sides(judged: Sequence[_Judged], side: int, identities: int) -> list[Side]:
    minimums = _ranking([one.scores[side] for one in judged])
    best = best_share(minimums)
    return [
        _side(
            one.scores[side],
            one.by_attack[side],
            identities,
            float(best[place]),
            rank_interval(minimums, place),
        )
        for place, one in enumerate(judged)
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


def _side(
    scores: Scores,
    by_attack: tuple[ByAttack, ...],
    identities: int,
    best: float,
    ranks: tuple[int, int],
) -> Side:
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
        replayed=scores.replayed,
        cutoff=tuple((size, float(cut)) for size, cut in enumerate(curve, start=1)),
        cutoff_number=cutoff_number(curve),
        by_attack=by_attack,
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


def _unconverged(cells: Cell, budget: Budget, sides: Sequence[Scores]) -> Iterator[str]:
    """Say what makes the search look as if more evaluations would find worse."""
    if (gained := late(cells, budget)) > LATE:
        yield (
            f"the search still found {gained:.3f} more in the last tenth of its evaluations; "
            "raise --evaluations"
        )
    for side, count in zip(sides, (1, budget.identities), strict=True):
        own = float(side.sybil_resistance[0]), interval(side.neutrality).value
        for name, mine, other in zip(("SR", "CN"), own, side.replayed or own, strict=True):
            if other < mine - LATE:
                yield (
                    f"what was found against another mechanism brings {name} at K = {count} down "
                    f"to {other:.3f}, its own search to {mine:.3f}; raise --evaluations"
                )


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
