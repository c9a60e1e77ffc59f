"""What workers compute for a comparison: they read and write nothing, wherever they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from trilemma.cells import Cell, Suite, measure
from trilemma.contract import copied
from trilemma.entrant import Entrant
from trilemma.errors import PluginError
from trilemma.kept import Arrays
from trilemma.model import Budget, FloatArray, Mechanism
from trilemma.replays import Stage, replayed
from trilemma.search import Witnessed
from trilemma.search.keeping import from_arrays
from trilemma.twins import Coalition, TwinTest, grown, scripted
from trilemma.witness import Case, Explanation, Witness, explained, witnesses
from trilemma.worlds import Source, world_seed

__all__ = ["Found", "Replayed", "Tasks", "Told"]

Found: TypeAlias = tuple[Cell, list[Witnessed]]
"""What one mechanism did in one world, and what was found against it there."""
Replayed: TypeAlias = tuple[dict[str, FloatArray], int, str]
"""What others' plans are worth against a mechanism, by whom they were found against; calls made,
and why it failed."""
Told: TypeAlias = tuple[Witness, Explanation]


@dataclass(frozen=True, eq=False)
class Tasks:
    """The question, as every worker has it; its methods are what workers are asked to do.

    Parameters
    ----------
    source : Source
    budget : Budget
    xi : float
    seed : int
        Of the run.
    suite : Suite
    pilots : tuple of TwinTest
        The worlds in which coalitions are grown.
    mechanisms : mapping of str to (Mechanism, Mechanism)
        By label; with each a copy that was never asked anything.
    """

    source: Source
    budget: Budget
    xi: float
    seed: int
    suite: Suite
    pilots: tuple[TwinTest, ...]
    mechanisms: Mapping[str, tuple[Mechanism, Mechanism]]

    def coalitions(self, label: str) -> tuple[list[Coalition], int, str]:
        """Return the coalitions to try against a mechanism, with calls made and its failure."""
        entrant = self._entrant(label)
        extra = grown(entrant, self.pilots, self.xi)
        entrant.confirm()
        coalitions = list(dict.fromkeys([*scripted(self.pilots[0].pair[0]), *extra]))
        return coalitions, entrant.calls, str(entrant.failure or "")

    def world(
        self, number: int, missing: Mapping[str, Sequence[Coalition]]
    ) -> tuple[dict[str, Found], dict[str, int], dict[str, str]]:
        """Return what is missing of one world, with calls made and failures, by label."""
        entrants = {label: (self._entrant(label), tried) for label, tried in missing.items()}
        seed = world_seed(self.seed, number)
        measured = measure(self.source, seed, self.suite, self.budget, self.xi, entrants)
        calls = {label: entrant.calls for label, (entrant, _) in entrants.items()}
        failures = {label: str(e.failure) for label, (e, _) in entrants.items() if e.failure}
        return measured, calls, failures

    def replays(
        self, number: int, new: Mapping[str, Sequence[str]], found: Mapping[str, Arrays]
    ) -> dict[str, Replayed]:
        """Return what others' plans do to each mechanism in one world.

        Parameters
        ----------
        number : int
            Of the world.
        new : mapping of str to sequence of str
            Against whom the plans that are tried were found, by the mechanism they are tried on.
        found : mapping of str to dict
            The plans, as they are kept.
        """
        seed = world_seed(self.seed, number)
        test = TwinTest.of(self.source.twin(seed))
        stage = Stage(self.source.sybil(seed), test, self.budget, self.xi)
        plans = {label: from_arrays(arrays) for label, arrays in found.items()}
        answers = {}
        for label, others in new.items():
            entrant = self._entrant(label)
            worths = replayed(stage, entrant, {other: plans[other] for other in others})
            answers[label] = worths, entrant.calls, str(entrant.failure or "")
        return answers

    def testify(
        self, label: str, coalitions: Sequence[Coalition], cells: Cell, found: Sequence[Arrays]
    ) -> tuple[list[Told], str]:
        """Return the witnesses against one mechanism, explained, and its failure.

        Parameters
        ----------
        label : str
        coalitions : sequence of Coalition
        cells : Cell
            Stacked over worlds.
        found : sequence of dict
            By world, what was found, as it is kept.
        """
        mechanism = copied(self.mechanisms[label][0])
        case = Case(
            label,
            mechanism,
            coalitions,
            cells,
            [from_arrays(it) for it in found],
            self.suite,
            self.budget,
            self.source,
            self.xi,
            self.seed,
        )
        try:
            return [(it, explained(it, mechanism)) for it in witnesses(case)], ""
        except PluginError as error:
            return [], f"{error} [while its worst plays were made again]"

    def _entrant(self, label: str) -> Entrant:
        mechanism, unused = self.mechanisms[label]
        # a copy for every job: workers may be threads, and a mechanism may work in place on its own
        return Entrant(label, copied(mechanism), unused)
