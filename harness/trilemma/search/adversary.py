"""The adversary in one world of a comparison: it searches from what the scripted plays did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np

from trilemma.checks import NOTHING
from trilemma.entrant import Entrant
from trilemma.model import Budget, FloatArray, Play, World, unchanged
from trilemma.search.evolution import Found, Search, take_turns
from trilemma.search.goals import Cut, Gain, Value, affordable
from trilemma.search.starts import Scripted, starts
from trilemma.twins import Coalition, TwinTest, loss

__all__ = ["SEARCHED", "Adversary", "Witnessed"]

SEARCHED = (1, 3, 5)  # coalition sizes that are searched, whichever are judged

Part = Mapping[str, FloatArray]


class Witnessed(NamedTuple):
    """What one search found.

    Parameters
    ----------
    identities : int
        That a principal might use per role.
    coalition : tuple of int
        Ranks of its members; empty: the attacker, who is after pay.
    found : Found
    """

    identities: int
    coalition: Coalition
    found: Found


@dataclass(frozen=True, eq=False)
class Adversary:
    """Searches in one world, for pay and against a twin.

    Parameters
    ----------
    world : World
        Honest, with an attacker.
    test : TwinTest
    pay, twin : sequence of Play
        The scripted plays, by aim.
    budget : Budget
    xi : float
        The validators' part of all pay.
    """

    world: World
    test: TwinTest
    pay: Sequence[Play]
    twin: Sequence[Play]
    budget: Budget
    xi: float

    def against(
        self, entrant: Entrant, coalitions: Sequence[Coalition], part: Part
    ) -> list[Witnessed]:
        """Spend the evaluations for each aim, with identities verified and with them free.

        Parameters
        ----------
        entrant : Entrant
            The mechanism.
        coalitions : sequence of Coalition
            Those that made the scripted plays.
        part : mapping of str to ndarray
            What the scripted plays did; names and shapes as in `trilemma.cells.Cell`.
        """
        paid, cut = self._paid(part), self._cut(part, coalitions)
        return [
            witnessed
            for identities in dict.fromkeys((1, self.budget.identities))
            for witnessed in (
                self._for_pay(entrant, identities, paid, part),
                *self._against_twin(entrant, identities, cut, part),
            )
        ]

    def _for_pay(
        self, entrant: Entrant, identities: int, scripted: list[Scripted], part: Part
    ) -> Witnessed:
        plain = next(p for p, play in enumerate(self.pay) if play.baseline is unchanged)
        fair, rest = part["sybil_fair"][plain], part["sybil_rest"][plain]
        price, shares = self.budget.identity_cost, self.budget.stakes
        goal = Gain(self.world, shares, fair, rest, price, self.xi)
        begin = starts(goal, (one for one in scripted if one[0].identities <= identities))
        search = Search(entrant, goal, begin, identities, [self.world.seed, identities, 0])
        take_turns([search], self.budget.evaluations)
        return Witnessed(identities, (), search.best)

    def _paid(self, part: Part) -> list[Scripted]:
        """Return how far each scripted play for pay got, at each stake share."""
        fair, rest, extra = part["sybil_fair"], part["sybil_rest"], part["sybil_extra"]
        per_one = np.divide(1, rest, out=np.zeros_like(rest), where=rest >= NOTHING)
        taken = (part["sybil_pay"] - fair) * per_one
        return [
            (play, s, Value(float(taken[p, s]), float(extra[p]), float(per_one[p, s])))
            for p, play in enumerate(self.pay)
            if play.baseline is unchanged
            for s in range(len(self.budget.stakes))
        ]

    def _against_twin(
        self, entrant: Entrant, identities: int, scripted: list[_Cutting], part: Part
    ) -> Iterator[Witnessed]:
        chosen = [self._worst(scripted, size, identities) for size in SEARCHED]
        searches = [
            self._search(entrant, identities, size, coalition, scripted, part)
            for size, coalition in zip(SEARCHED, chosen, strict=True)
        ]
        take_turns(searches, self.budget.evaluations)
        for coalition, search in zip(chosen, searches, strict=True):
            yield Witnessed(identities, coalition, search.best)

    def _search(
        self,
        entrant: Entrant,
        identities: int,
        size: int,
        coalition: Coalition,
        scripted: list[_Cutting],
        part: Part,
    ) -> Search:
        pair = self.test.by(coalition).pair
        own = [it for it in scripted if it.coalition == coalition and it.within(identities)]
        twin, paid = float(part["twin_fair"]), float(part["paid"])
        goal = Cut(pair, twin, paid, own[0].value.means, self.budget.identity_cost, self.xi)
        begin = starts(goal, ((it.play, 0, it.value) for it in own))
        return Search(entrant, goal, begin, identities, [self.world.seed, identities, size])

    def _worst(self, scripted: list[_Cutting], size: int, identities: int) -> Coalition:
        """Return the coalition of at most so many whose scripted plays did most harm here."""
        price = self.budget.identity_cost
        able = [it for it in scripted if len(it.coalition) <= size and it.within(identities)]
        return max(able, key=lambda it: affordable(it.value, price)).coalition

    def _cut(self, part: Part, coalitions: Sequence[Coalition]) -> list[_Cutting]:
        """Return how far each scripted play of each coalition got."""
        lost = loss(part["twin_pay"], part["twin_fair"])
        paid = float(part["paid"])
        burnt = 1 - part["twin_paid"] / paid if paid >= NOTHING else np.zeros_like(lost)
        harm = np.clip(np.maximum(lost, burnt), 0, 1)
        extra, means = part["twin_extra"], part["coalition_fair"]
        return [
            _Cutting(c, play, Value(float(harm[i, q]), float(extra[i, q]), float(means[i])))
            for (i, c), (q, play) in product(enumerate(coalitions), enumerate(self.twin))
            if play.baseline is unchanged
        ]


class _Cutting(NamedTuple):
    coalition: Coalition
    play: Play
    value: Value

    def within(self, identities: int) -> bool:
        return self.play.identities <= identities
