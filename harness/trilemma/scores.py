"""The three scores: pure functions of measured cells.

Every function takes `cells`, whose arrays carry a leading axis of worlds, and `sample`
(b, worlds), whose rows are weights of the worlds; it returns one number per row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from trilemma.cells import CLONE_DETECTION, Cell, Suite
from trilemma.checks import NOTHING
from trilemma.model import Budget, FloatArray
from trilemma.search import SEARCHED
from trilemma.twins import LARGEST_COALITION, Coalition, by_stake, loss

__all__ = [
    "DELTA",
    "NO_PLAY",
    "SEARCH",
    "Scores",
    "by_size",
    "clone_sweep",
    "cutoff_number",
    "damage",
    "extraction",
    "found",
    "late",
    "named_cutting",
    "named_taking",
    "reach",
    "reached",
    "score",
    "spared",
    "within",
]

SEARCH = "search"
NO_PLAY = "none"
DELTA = 0.5  # a miner that loses this much is cut off


PER_SYBIL_PLAY = ("sybil_pay", "sybil_fair", "sybil_rest", "sybil_distance", "sybil_extra")
PER_TWIN_PLAY = ("twin_pay", "twin_paid", "twin_extra")


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
    cells: Cell,
    suite: Suite,
    coalitions: Sequence[Coalition],
    budget: Budget,
    sample: FloatArray,
    *,
    knows_quality: bool,
    replayed: Sequence[FloatArray] = (),
) -> Scores:
    """Return all scores within a budget.

    Parameters
    ----------
    cells : Cell
        Stacked over worlds.
    suite : Suite
        The plays the cells were measured with; those beyond the budget are left out.
    coalitions : sequence of Coalition
        The coalitions they were measured with.
    budget : Budget
    sample : ndarray, shape (b, worlds)
    knows_quality : bool
        Whether attacked quality counts in the minimum.
    replayed : sequence of ndarray
        By world, what was found against other mechanisms does to this one.
    """
    cells, suite = within(cells, suite, budget)
    taken = extraction(cells, budget, sample)
    harm = damage(cells, budget, sample)
    gained, cut = found(cells, budget, sample)
    scripted, curve = by_size(harm, coalitions), reach(harm, cut, coalitions)
    most = np.clip(taken.max(axis=(1, 2)), 0, 1)
    resistance = 1 - np.clip(np.maximum(most, gained), 0, 1)
    neutrality = spared(curve, budget)
    quality = _quality(_mean(sample, cells.distance), _mean(sample, cells.twin_uniform))
    attacked = np.minimum(quality, _attacked_quality(cells, budget, sample))
    counted = (resistance, neutrality, attacked) if knows_quality else (resistance, neutrality)
    return Scores(
        resistance,
        neutrality,
        quality,
        attacked,
        np.min(counted, axis=0),
        spared(by_size(_damage_at_equal_stake(cells, sample), by_stake()), budget),
        curve,
        SEARCH if min(gained[0], 1) > most[0] + NOTHING else named_taking(taken[0], suite, budget),
        SEARCH
        if neutrality[0] < spared(scripted, budget)[0] - NOTHING
        else named_cutting(harm[0], curve[0], suite, coalitions, budget),
        _replayed(cells, budget, replayed, float(resistance[0]), curve[:1]),
    )


def found(cells: Cell, budget: Budget, sample: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return what the searches within the budget reach: the gain (b,), and the harm (b, sizes).

    It is the mean over worlds of the worst found in each; minus infinity where nothing was
    searched, or where a coalition cannot pay for its identities.
    """
    searched = cells.found_identities[0] <= budget.identities
    harm, extra, means, _ = np.moveaxis(_mean(sample, cells.found[:, searched]), -1, 0)
    spent = _mean(sample, (cells.found[..., 1] * cells.found[..., 2])[:, searched, 0])
    gain = harm[:, :, 0] - budget.identity_cost * spent
    affordable = budget.identity_cost * extra <= means + NOTHING
    cut = np.where(affordable, harm, -np.inf)[:, :, 1:]
    return gain.max(axis=1, initial=-np.inf), cut.max(axis=1, initial=-np.inf)


def late(cells: Cell, budget: Budget) -> float:
    """Return what the last tenth of the evaluations gained, mean over worlds, at most."""
    searched = cells.found_identities[0] <= budget.identities
    gained = cells.found[:, searched, :, 3]
    return float(gained.mean(axis=0).max()) if gained.size else 0.0


def reach(harm: FloatArray, cut: FloatArray, coalitions: Sequence[Coalition]) -> FloatArray:
    """Return D(b), b = 1 to 10: the worst that plays (b, c, q) and searches (b, sizes) do."""
    return np.maximum(by_size(harm, coalitions), reached(cut))


def _replayed(
    cells: Cell,
    budget: Budget,
    replayed: Sequence[FloatArray],
    resistance: float,
    curve: FloatArray,
) -> tuple[float, float] | None:
    """Return Sybil resistance and neutrality if what was found against others counted."""
    if not len(replayed):
        return None
    searched = cells.found_identities[0] <= budget.identities
    worst = np.mean(replayed, axis=0)[searched].max(axis=0)
    cut = np.maximum(curve, reached(worst[None, 1:]))
    return min(resistance, 1 - float(np.clip(worst[0], 0, 1))), float(spared(cut, budget)[0])


def reached(cut: FloatArray) -> FloatArray:
    """Return the worst that coalitions of at most 1 to 10 principals were found to do: (b, 10)."""
    sizes = np.array(SEARCHED)
    return np.stack(
        [cut[:, sizes <= b].max(axis=1, initial=0.0) for b in range(1, LARGEST_COALITION + 1)],
        axis=1,
    )


def within(cells: Cell, suite: Suite, budget: Budget) -> tuple[Cell, Suite]:
    """Return cells and suite without the plays that need more identities than the budget has."""
    sybil, neutrality = (
        [at for at, play in enumerate(plays) if play.identities <= budget.identities]
        for plays in (suite.sybil, suite.neutrality)
    )
    kept = {name: getattr(cells, name)[:, sybil] for name in PER_SYBIL_PLAY}
    kept |= {name: getattr(cells, name)[:, :, neutrality] for name in PER_TWIN_PLAY}
    return replace(cells, **kept), Suite(
        tuple(suite.sybil[at] for at in sybil), tuple(suite.neutrality[at] for at in neutrality)
    )


def extraction(cells: Cell, budget: Budget, sample: FloatArray) -> FloatArray:
    """Return what each play takes, in units of what the others earn; shape (b, p, s)."""
    price = budget.identity_cost * cells.sybil_extra[0][:, None]
    gain = _mean(sample, cells.sybil_pay - cells.sybil_fair) - price
    rest = _mean(sample, cells.sybil_rest)
    return np.asarray(np.divide(gain, rest, out=np.zeros_like(gain), where=rest >= NOTHING))


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


def damage(cells: Cell, budget: Budget, sample: FloatArray) -> FloatArray:
    """Return how far each coalition's play cuts the target off; shape (b, c, q).

    It is the target's mean loss against its twin, or the share of all pay made to vanish if
    that is more. A coalition buys identities out of its honest pay; plays that it cannot
    afford do minus infinity.
    """
    harm = _harm(cells.twin_pay, cells.twin_fair, cells.twin_paid, cells.paid, sample)
    price = budget.identity_cost * cells.twin_extra[0]
    affordable = price <= _mean(sample, cells.coalition_fair)[:, :, None] + NOTHING
    return np.where(affordable, harm, -np.inf)


def cutoff_number(curve: FloatArray) -> int | None:
    """Return the fewest principals who can cut a miner off, from D(1), D(2), ...; else None."""
    reached = np.flatnonzero(curve >= DELTA)
    return int(reached[0]) + 1 if reached.size else None


def _damage_at_equal_stake(cells: Cell, sample: FloatArray) -> FloatArray:
    return _harm(cells.equal_pay, cells.equal_fair, cells.equal_paid, cells.equal_honest, sample)


def _harm(
    twins: FloatArray, fair: FloatArray, paid: FloatArray, honest: FloatArray, sample: FloatArray
) -> FloatArray:
    lost = _mean(sample, loss(twins, fair[:, None, None]))
    before = _mean(sample, honest)[:, None, None]
    after = _mean(sample, paid)
    burnt = 1 - np.divide(after, before, out=np.ones_like(after), where=before >= NOTHING)
    return np.asarray(np.clip(np.maximum(lost, burnt), 0, 1))


def spared(curve: FloatArray, budget: Budget) -> FloatArray:
    """Return neutrality, (b,): the mean of 1 - D over the budget's coalition sizes."""
    return np.asarray(1 - curve[:, [size - 1 for size in budget.insiders]].mean(axis=1))


def by_size(harm: FloatArray, coalitions: Sequence[Coalition]) -> FloatArray:
    """Return D(b): the worst that coalitions of at most 1 to 10 principals do; shape (b, 10)."""
    sizes = np.array([len(coalition) for coalition in coalitions])
    worst = harm.max(axis=2)
    curve = [worst[:, sizes <= b].max(axis=1) for b in range(1, LARGEST_COALITION + 1)]
    return np.stack(curve, axis=1)


def _attacked_quality(cells: Cell, budget: Budget, sample: FloatArray) -> FloatArray:
    """Return the lowest quality under the attacker's plays; shape (b,).

    Identities are bought out of honest pay, as in the twin test: who ruins quality need not
    gain by it, but must be able to pay.
    """
    uniform = _mean(sample, cells.sybil_uniform)[:, None, None]
    quality = _quality(_mean(sample, cells.sybil_distance), uniform)
    price = budget.identity_cost * cells.sybil_extra[0][:, None]
    affordable = price <= _mean(sample, cells.sybil_fair) + NOTHING
    return np.asarray(np.where(affordable, quality, np.inf).min(axis=(1, 2)))


def _quality(distance: FloatArray, uniform: FloatArray) -> FloatArray:
    where = np.broadcast_to(uniform > 0, distance.shape)
    ratio = np.divide(distance, uniform, out=np.ones_like(distance), where=where)
    return np.asarray(np.clip(1 - ratio, 0, 1))


def _mean(sample: FloatArray, values: FloatArray) -> FloatArray:
    return np.asarray(np.tensordot(sample, values, 1))


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
