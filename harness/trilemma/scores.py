"""The three scores: pure functions of what was measured, one number for every resample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trilemma.cells import CLONE_DETECTION, Cell, Suite
from trilemma.checks import NOTHING
from trilemma.model import Budget, FloatArray
from trilemma.resampled import Resampled
from trilemma.search import SEARCHED
from trilemma.twins import LARGEST_COALITION, Coalition, by_stake

__all__ = [
    "DELTA",
    "NO_PLAY",
    "SEARCH",
    "Scores",
    "by_size",
    "clone_sweep",
    "cutoff_number",
    "late",
    "named_cutting",
    "named_taking",
    "reach",
    "reached",
    "score",
    "spared",
]

SEARCH = "search"
NO_PLAY = "none"
DELTA = 0.5  # a miner that loses this much is cut off


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of one mechanism for one number of identities; b resamples, the first of all worlds.

    Parameters
    ----------
    sybil_resistance, neutrality, quality, quality_attacked, minimum : ndarray, shape (b,)
    neutrality_equal : ndarray, shape (b,)
        Neutrality if stake were equal and identities verified.
    cutoff : ndarray, shape (b, 10)
        D(b) for coalitions of at most 1 to 10 principals.
    worst_sybil_play, worst_neutrality_play : str
        What the worst plays do; "none" where none does harm, `SEARCH` where the search set the
        score.
    replayed : tuple of float, or None
        Sybil resistance and neutrality if what was found against others counted.
    """

    sybil_resistance: FloatArray
    neutrality: FloatArray
    quality: FloatArray
    quality_attacked: FloatArray
    minimum: FloatArray
    neutrality_equal: FloatArray
    cutoff: FloatArray
    worst_sybil_play: str
    worst_neutrality_play: str
    replayed: tuple[float, float] | None


def score(
    resampled: Resampled,
    coalitions: Sequence[Coalition],
    budget: Budget,
    *,
    knows_quality: bool,
    replayed: Sequence[FloatArray] = (),
) -> Scores:
    """Return all scores within a budget.

    Parameters
    ----------
    resampled : Resampled
        Within the budget's identities.
    coalitions : sequence of Coalition
        The coalitions that were measured with.
    budget : Budget
    knows_quality : bool
        Whether attacked quality counts in the minimum.
    replayed : sequence of ndarray
        By world, what was found against other mechanisms does to this one.
    """
    price, suite = budget.identity_cost, resampled.suite
    taken, harm = resampled.extraction(price), resampled.damage(price)
    gained, cut = resampled.found(price)
    scripted, curve = by_size(harm, coalitions), reach(harm, cut, coalitions)
    most = np.clip(taken.max(axis=(1, 2)), 0, 1)
    resistance = 1 - np.clip(np.maximum(most, gained), 0, 1)
    neutrality, attacked = spared(curve, budget), resampled.attacked_quality(price)
    counted = (resistance, neutrality, attacked) if knows_quality else (resistance, neutrality)
    return Scores(
        resistance,
        neutrality,
        resampled.quality,
        attacked,
        np.min(counted, axis=0),
        spared(by_size(resampled.harm_at_equal_stake, by_stake()), budget),
        curve,
        SEARCH if min(gained[0], 1) > most[0] + NOTHING else named_taking(taken[0], suite, budget),
        SEARCH
        if neutrality[0] < spared(scripted, budget)[0] - NOTHING
        else named_cutting(harm[0], curve[0], suite, coalitions, budget),
        _replayed(resampled, budget, replayed, float(resistance[0]), curve[:1]),
    )


def late(cells: Cell, budget: Budget) -> float:
    """Return what the last tenth of the evaluations gained, mean over worlds, at most."""
    searched = cells.found_identities[0] <= budget.identities
    gained = cells.found[:, searched, :, 3]
    return float(gained.mean(axis=0).max()) if gained.size else 0.0


def reach(harm: FloatArray, cut: FloatArray, coalitions: Sequence[Coalition]) -> FloatArray:
    """Return D(b), b = 1 to 10: the worst that plays (b, c, q) and searches (b, sizes) do."""
    return np.maximum(by_size(harm, coalitions), reached(cut))


def _replayed(
    resampled: Resampled,
    budget: Budget,
    replayed: Sequence[FloatArray],
    resistance: float,
    curve: FloatArray,
) -> tuple[float, float] | None:
    """Return Sybil resistance and neutrality if what was found against others counted."""
    if not len(replayed):
        return None
    worst = np.mean(replayed, axis=0)[resampled.searched].max(axis=0)
    cut = np.maximum(curve, reached(worst[None, 1:]))
    return min(resistance, 1 - float(np.clip(worst[0], 0, 1))), float(spared(cut, budget)[0])


def reached(cut: FloatArray) -> FloatArray:
    """Return the worst that coalitions of at most 1 to 10 principals were found to do: (b, 10)."""
    sizes = np.array(SEARCHED)
    return np.stack(
        [cut[:, sizes <= b].max(axis=1, initial=0.0) for b in range(1, LARGEST_COALITION + 1)],
        axis=1,
    )


def clone_sweep(
    cells: Cell, suite: Suite, budget: Budget, resistance: float
) -> list[tuple[float, float]]:
    """Return Sybil resistance by the chance that honest validators see through clones.

    Only for chances below the one that the worlds were drawn with.

    Parameters
    ----------
    cells : Cell
        Stacked over worlds, measured with the budget.
    suite : Suite
    budget : Budget
    resistance : float
        Sybil resistance with the chance that the worlds were drawn with.
    """
    places = suite.clonings
    price = budget.identity_cost * cells.sybil_extra[0, places][:, None]
    gain = (cells.clone_pay - cells.sybil_fair[:, None, places]).mean(axis=0) - price
    rest = cells.sybil_rest[:, places].mean(axis=0)
    taken = np.divide(gain, rest, out=np.zeros_like(gain), where=rest >= NOTHING)
    worst = taken.max(axis=(1, 2), initial=0.0)
    return [
        (chance, min(resistance, 1 - min(float(most), 1.0)))
        for chance, most in zip(CLONE_DETECTION, worst, strict=True)
    ]


def cutoff_number(curve: FloatArray) -> int | None:
    """Return the fewest principals who can cut a miner off, from D(1), D(2), ...; else None."""
    reached = np.flatnonzero(curve >= DELTA)
    return int(reached[0]) + 1 if reached.size else None


def spared(curve: FloatArray, budget: Budget) -> FloatArray:
    """Return neutrality, (b,): the mean of 1 - D over the budget's coalition sizes."""
    return np.asarray(1 - curve[:, [size - 1 for size in budget.insiders]].mean(axis=1))


def by_size(harm: FloatArray, coalitions: Sequence[Coalition]) -> FloatArray:
    """Return D(b): the worst that coalitions of at most 1 to 10 principals do; shape (b, 10)."""
    sizes = np.array([len(coalition) for coalition in coalitions])
    worst = harm.max(axis=2)
    curve = [worst[:, sizes <= b].max(axis=1) for b in range(1, LARGEST_COALITION + 1)]
    return np.stack(curve, axis=1)


def named_taking(taken: FloatArray, suite: Suite, budget: Budget) -> str:
    """Name the play that takes most, of what each takes, (p, s)."""
    p, s = divmod(int(taken.argmax()), taken.shape[1])
    if taken[p, s] <= NOTHING:
        return NO_PLAY
    play = suite.sybil[p]
    return f"{play.attack}: {play.label}, stake {budget.stakes[s]:.2f}"


def named_cutting(
    harm: FloatArray,
    curve: FloatArray,
    suite: Suite,
    coalitions: Sequence[Coalition],
    budget: Budget,
) -> str:
    """Name the worst play of the coalitions that just cut off, or else of the largest judged."""
    size = cutoff_number(curve) or max(budget.insiders)
    small = np.array([len(coalition) <= size for coalition in coalitions])
    harm = np.where(small[:, None], harm, -np.inf)
    c, q = divmod(int(harm.argmax()), harm.shape[1])
    if harm[c, q] <= NOTHING:
        return NO_PLAY
    play = suite.neutrality[q]
    ranks = ", ".join(str(rank + 1) for rank in coalitions[c])
    return f"{play.attack}: {play.label}, by stake rank {ranks}"
