"""From a finished comparison to the witness of every score's worst play."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from trilemma.cells import Cell, Suite
from trilemma.checks import NOTHING
from trilemma.contract import copied
from trilemma.model import Budget, Mechanism, Play, World
from trilemma.resampled import Resampled
from trilemma.scores import cutoff_number, reach
from trilemma.search import SEARCHED, Witnessed
from trilemma.search.goals import affordable, net
from trilemma.twins import Coalition, TwinTest, members
from trilemma.witness.witness import Witness
from trilemma.worlds import Source, world_seed

__all__ = ["Case", "witnesses"]


@dataclass(frozen=True, eq=False)
class Case:
    """What a comparison knows about one mechanism.

    Parameters
    ----------
    label : str
    mechanism : Mechanism
    coalitions : sequence of Coalition
    cells : Cell
        Stacked over worlds.
    found : sequence of sequences of Witnessed
        What the search found, by world.
    suite : Suite
    budget : Budget
    source : Source
    xi : float
    seed : int
    """

    label: str
    mechanism: Mechanism
    coalitions: Sequence[Coalition]
    cells: Cell
    found: Sequence[Sequence[Witnessed]]
    suite: Suite
    budget: Budget
    source: Source
    xi: float
    seed: int


def witnesses(case: Case) -> list[Witness]:
    """Return the worst play of each score, with identities verified and with them free.

    A score is a mean over worlds; its witness is the world in which the play does most harm. A
    score that no play lowers has none.
    """
    sides = dict.fromkeys((1, case.budget.identities))
    return [
        _measured(case, witness)
        for identities in sides
        for witness in (*_taking(case, identities), *_cutting(case, identities))
    ]


def _measured(case: Case, witness: Witness) -> Witness:
    return replace(witness, harm=witness.replay(copied(case.mechanism)).harm)


def _taking(case: Case, identities: int) -> Iterator[Witness]:
    budget, resampled = case.budget, _everywhere(case, identities)
    price = budget.identity_cost
    cells, suite = resampled.cells, resampled.suite
    taken, gained = resampled.extraction(price)[0], resampled.found(price)[0][0]
    if max(gained, taken.max()) <= NOTHING:
        return
    if min(gained, 1) > min(taken.max(), 1) + NOTHING:
        number, witnessed = _worst_found(case, identities, lambda one: not one.coalition)
        world = case.source.sybil(world_seed(case.seed, number))
        plan = witnessed.found.plan
        share = budget.stakes[int(plan.place)]
        yield _witness(
            case, identities, number, _said(witnessed), share, (world,), (plan.act(world),)
        )
        return
    p, s = np.unravel_index(int(taken.argmax()), taken.shape)
    rest = cells.sybil_rest[:, p, s]
    number = int(
        np.argmax((cells.sybil_pay - cells.sybil_fair)[:, p, s] / np.maximum(rest, NOTHING))
    )
    world, play = case.source.sybil(world_seed(case.seed, number)), suite.sybil[int(p)]
    honest, attacked = (play.baseline(world),), (play.act(world),)
    share = budget.stakes[int(s)]
    yield _witness(case, identities, number, _named(play), share, honest, attacked)


def _cutting(case: Case, identities: int) -> Iterator[Witness]:
    budget, resampled = case.budget, _everywhere(case, identities)
    price = budget.identity_cost
    cells, suite = resampled.cells, resampled.suite
    harm, cut = resampled.damage(price)[0], resampled.found(price)[1][0]
    size = cutoff_number(reach(harm[None], cut[None], case.coalitions)[0]) or max(budget.insiders)
    small = np.array([len(coalition) <= size for coalition in case.coalitions])
    harm = np.where(small[:, None], harm, -np.inf)
    searched = cut[np.array(SEARCHED) <= size].max(initial=-np.inf)
    if max(searched, harm.max()) <= NOTHING:
        return
    if searched > harm.max() + NOTHING:
        number, witnessed = _worst_found(
            case, identities, lambda one: 0 < len(one.coalition) <= size
        )
        pair = _pair(case, number, witnessed.coalition)
        attacked = tuple(witnessed.found.plan.act(world, k) for k, world in enumerate(pair))
        said = f"{_said(witnessed)}, by stake rank {_ranks(witnessed.coalition)}"
        yield _witness(case, identities, number, said, None, pair, attacked)
        return
    c, q = np.unravel_index(int(harm.argmax()), harm.shape)
    twins = cells.twin_pay[:, c, q]
    number = int(np.argmin(twins[:, 0] / np.maximum(twins[:, 1], NOTHING)))
    coalition, play = case.coalitions[int(c)], suite.neutrality[int(q)]
    pair = _pair(case, number, coalition)
    attacked = tuple(play.act(world) for world in pair)
    said = f"{_named(play)}, by stake rank {_ranks(coalition)}"
    yield _witness(case, identities, number, said, None, pair, attacked)


def _worst_found(
    case: Case, identities: int, wanted: Callable[[Witnessed], bool]
) -> tuple[int, Witnessed]:
    """Return the world and the plan that did most harm, of the searches that are wanted."""
    price = case.budget.identity_cost
    able = [
        (number, one)
        for number, all_found in enumerate(case.found)
        for one in all_found
        if one.identities <= identities and wanted(one)
    ]
    return max(able, key=lambda one: _worth(one[1], price))


def _worth(witnessed: Witnessed, price: float) -> float:
    """Return the harm of a plan once its identities are paid for."""
    value = witnessed.found.value
    return affordable(value, price) if witnessed.coalition else net(value, price)


def _pair(case: Case, number: int, coalition: Coalition) -> tuple[World, World]:
    test = TwinTest.of(case.source.twin(world_seed(case.seed, number)))
    insiders = members(test.pair[0], coalition)
    one, other = (replace(world, adversary=insiders) for world in test.pair)
    return one, other


def _witness(
    case: Case,
    identities: int,
    number: int,
    play: str,
    share: float | None,
    honest: tuple[World, ...],
    attacked: tuple[World, ...],
) -> Witness:
    return Witness(
        case.label,
        "sybil_resistance" if len(honest) == 1 else "neutrality",
        play,
        0.0,
        identities,
        case.budget.identity_cost,
        case.xi,
        share,
        honest,
        attacked,
        {"seed": case.seed, "number": number, **case.source.describe()},
    )


def _everywhere(case: Case, identities: int) -> Resampled:
    worlds = case.cells.paid.size
    mean = np.full((1, worlds), 1 / worlds)
    return Resampled.within(case.cells, case.suite, identities, mean)


def _named(play: Play) -> str:
    return f"{play.attack}: {play.label}"


def _said(witnessed: Witnessed) -> str:
    shown = witnessed.found.plan.structure.words()
    return ", ".join([f"search, from {witnessed.found.start}", *shown])


def _ranks(coalition: Coalition) -> str:
    return ", ".join(str(rank + 1) for rank in coalition)
