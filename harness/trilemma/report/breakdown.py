"""A score taken apart: what each attack alone does to it, and what it is at other prices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from trilemma.cells import Suite
from trilemma.checks import NOTHING
from trilemma.model import Budget, FloatArray
from trilemma.report.model import AtPrice, ByAttack
from trilemma.resampled import Resampled
from trilemma.scores import (
    NO_PLAY,
    SEARCH,
    Scores,
    by_size,
    named_cutting,
    named_taking,
    reached,
    spared,
)
from trilemma.statistics import interval
from trilemma.twins import Coalition

__all__ = ["PRICES", "at_prices", "by_attack"]

PRICES = (0.0, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1)


class Judge(Protocol):
    """What scores one mechanism."""

    def __call__(self, budget: Budget) -> Scores:
        """Return its scores within a budget."""


def at_prices(judge: Judge, budget: Budget) -> tuple[AtPrice, ...]:
    """Return the scores at several prices of an identity, the budget's own among them.

    Parameters
    ----------
    judge : callable
        Gives the scores within a budget.
    budget : Budget
        What was searched for was searched for at its price, and is judged at every other.
    """
    points = []
    for price in sorted({*PRICES, budget.identity_cost}):
        scores = judge(replace(budget, identity_cost=price))
        named = ("sybil_resistance", "neutrality", "quality_attacked", "minimum")
        points.append(AtPrice(price, **{name: interval(getattr(scores, name)) for name in named}))
    return tuple(points)


def by_attack(
    resampled: Resampled, coalitions: Sequence[Coalition], budget: Budget
) -> tuple[ByAttack, ...]:
    """Return what each attack does if there is no other, in the order of their plays.

    Parameters
    ----------
    resampled : Resampled
        Within the budget's identities.
    coalitions : sequence of Coalition
        Those that were tried.
    budget : Budget
    """
    everywhere, price = resampled.at(slice(1)), budget.identity_cost
    gained, cut = everywhere.found(price)
    return (
        *_taking(everywhere.extraction(price)[0], resampled.suite, budget),
        *_cutting(everywhere.damage(price), resampled.suite, coalitions, budget),
        *_searched(gained, cut, budget),
    )


def _taking(taken: FloatArray, suite: Suite, budget: Budget) -> Iterator[ByAttack]:
    for attack in dict.fromkeys(play.attack for play in suite.sybil):
        own = [p for p, play in enumerate(suite.sybil) if play.attack == attack]
        alone = replace(suite, sybil=tuple(suite.sybil[p] for p in own))
        most, play = taken[own].max(), named_taking(taken[own], alone, budget)
        yield _told(attack, "pay", most, play)


def _cutting(
    harm: FloatArray, suite: Suite, coalitions: Sequence[Coalition], budget: Budget
) -> Iterator[ByAttack]:
    for attack in dict.fromkeys(play.attack for play in suite.neutrality):
        own = [q for q, play in enumerate(suite.neutrality) if play.attack == attack]
        alone = replace(suite, neutrality=tuple(suite.neutrality[q] for q in own))
        curve = np.maximum(by_size(harm[:, :, own], coalitions), 0)
        play = named_cutting(harm[0][:, own], curve[0], alone, coalitions, budget)
        yield _told(attack, "twin", 1 - spared(curve, budget)[0], play)


def _searched(gained: FloatArray, cut: FloatArray, budget: Budget) -> Iterator[ByAttack]:
    if budget.evaluations:
        yield _told(SEARCH, "pay", gained[0], SEARCH)
        yield _told(SEARCH, "twin", 1 - spared(reached(cut), budget)[0], SEARCH)


def _told(attack: str, aim: str, harm: np.floating[Any], play: str) -> ByAttack:
    most = min(float(harm), 1.0) if harm > NOTHING else 0.0
    return ByAttack(attack, aim, most, play if most else NO_PLAY)
