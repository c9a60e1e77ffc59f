"""A run: mechanisms in the same worlds, play by play, with what is kept of it in its folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

import numpy as np

from trilemma.attacks import attacks_beside, plays
from trilemma.cells import Cell, Suite, measure, stack
from trilemma.concentration import concentration
from trilemma.contract import copied
from trilemma.entrant import Entrant
from trilemma.errors import DataError, DeadWorkerError, PluginError, TrilemmaError
from trilemma.executor import Progress, Spread, crew
from trilemma.model import AIMS, Attack, Budget, FloatArray, Mechanism
from trilemma.replays import Stage, replayed
from trilemma.report import Failure, MeanConcentration, Report
from trilemma.report.rows import Measured, rows_of
from trilemma.search import Witnessed
from trilemma.store import Store, code_of, key_of
from trilemma.twins import Coalition, TwinTest, grown, members, scripted
from trilemma.witness import Case, Explanation, Witness, explained, witnesses
from trilemma.worlds import Source, world_seed

__all__ = ["FIXED", "Run"]

PILOT = -1  # where a failure is no world's
PILOTS = 2  # worlds in which coalitions are grown before the comparison
# What every cell depends on; what is searched for depends on what identities cost as well.
FIXED = ("version", "seed", "world", "xi", "stakes", "identities", "attacks", "search")


def _armed(
    given: Sequence[str | Attack] | None, budget: Budget, source: Source, seed: int
) -> tuple[dict[str, str], Suite, dict[str, TrilemmaError]]:
    """Return the attacks that keep the rules with a hash of each, their plays, and the failures."""
    attacks, broken = attacks_beside(given)
    first = world_seed(seed, 0)
    twin = source.twin(first)
    insiders = members(twin, tuple(range(max(1, min(3, twin.stake.size - 1)))))
    worlds = {"pay": source.sybil(first), "twin": replace(twin, adversary=insiders)}
    made, spoilt = plays(attacks, budget, worlds)
    found = {aim: tuple(p for own in made.values() for p in own if p.aim == aim) for aim in AIMS}
    if not all(found.values()):
        raise PluginError(
            "no attack of trilemma's own is registered: its metadata is older than its code; "
            "expected entry points in the group trilemma.attacks; install it again"
        )
    hashes = {label: code_of(attacks[label]) for label in made}
    return hashes, Suite(found["pay"], found["twin"]), {**broken, **spoilt}


Told: TypeAlias = tuple[Witness, Explanation]


@dataclass
class _Contestant:
    mechanism: Mechanism
    unused: Mechanism
    key: str
    coalitions: list[Coalition] = field(default_factory=list)
    done: set[int] = field(default_factory=set)
    calls: int = 0
    failures: dict[int, str] = field(default_factory=dict)
    replayed: dict[int, FloatArray] = field(default_factory=dict)


class Run:
    """One comparison while it is being made."""

    def __init__(
        self,
        source: Source,
        worlds: int,
        budget: Budget,
        xi: float,
        seed: int,
        attacks: Sequence[str | Attack] | None = None,
    ) -> None:
        self.source, self.worlds, self.budget, self.xi, self.seed = source, worlds, budget, xi, seed
        self.attacks, self.suite, self.spoilt = _armed(attacks, budget, source, seed)
        pilots = [source.twin(world_seed(seed, number)) for number in range(PILOTS)]
        self.pilots = [TwinTest.of(pilot) for pilot in pilots]
        self.scripted = scripted(pilots[0])
        self.contestants: dict[str, _Contestant] = {}
        self.store: Store

    def asked(self, loaded: Mapping[str, Mechanism]) -> dict[str, object]:
        """Return everything asked, as JSON values."""
        return {
            "version": version("trilemma"),
            "seed": self.seed,
            "world": self.source.describe(),
            "worlds": self.worlds,
            "xi": self.xi,
            "stakes": list(self.budget.stakes),
            "identities": self.budget.identities,
            "attacks": self.attacks,
            # What the search finds depends on what identities cost; scripted plays do not.
            "search": [self.budget.evaluations, self.budget.identity_cost]
            if self.budget.evaluations
            else None,
            "budget": asdict(self.budget),
            "mechanisms": list(loaded),
            "codes": {label: code_of(mechanism) for label, mechanism in loaded.items()},
            "files": list(getattr(self.source, "files", ())),
            "asked_in": str(Path.cwd()),
        }

    def enter(self, loaded: Mapping[str, Mechanism], store: Store) -> None:
        """Find what is kept of each mechanism: its coalitions and its finished cells."""
        self.store = store
        for label, mechanism in loaded.items():
            key = key_of(label, code_of(mechanism))
            contestant = _Contestant(mechanism, copied(mechanism), key)
            self.contestants[label] = contestant
            if coalitions := store.load_coalitions(contestant.key):
                numbers = range(self.worlds)
                contestant.done = {n for n in numbers if self._is_kept(contestant.key, n)}
                contestant.coalitions = coalitions

    def _is_kept(self, key: str, number: int) -> bool:
        searched = self.budget.evaluations == 0 or self.store.load_found(key, number)
        return bool(searched) and self.store.load(key, number) is not None

    def compute(
        self,
        labels: Sequence[str],
        workers: int,
        progress: Progress | None,
        *,
        replaying: bool = True,
    ) -> None:
        """Compute what is missing of these mechanisms."""
        with crew(self, workers) as spread:
            self.grow(spread, labels)
            self.measure(spread, labels, progress)
            if replaying:
                self.replay(spread, labels)

    def compute_apart(self, workers: int, progress: Progress | None) -> None:
        """Compute what is missing one mechanism at a time: one of them kills its process."""
        for label in self.contestants:
            with self._surviving(label):
                self.compute([label], workers, progress, replaying=False)
        for label in self.contestants:
            with self._surviving(label), crew(self, workers) as spread:
                self.replay(spread, [label])

    @contextmanager
    def _surviving(self, label: str) -> Iterator[None]:
        try:
            yield
        except DeadWorkerError as error:
            self.contestants[label].failures[PILOT] = f"{label}: {error}"

    def grow(self, spread: Spread, labels: Sequence[str]) -> None:
        """Find the coalitions to try against each mechanism that has none yet."""
        new = [(label,) for label in labels if not self.contestants[label].coalitions]
        for (label,), (coalitions, calls, failure) in spread("coalitions", new):
            contestant = self.contestants[label]
            contestant.coalitions = coalitions
            contestant.calls += calls
            if failure:
                contestant.failures[PILOT] = f"{failure} [while coalitions were grown]"
            else:
                self.store.save_coalitions(contestant.key, coalitions)

    def coalitions(self, label: str) -> tuple[list[Coalition], int, str]:
        """Return the coalitions to try against a mechanism, with calls made and its failure."""
        entrant = self._entrant(label)
        extra = grown(entrant, self.pilots, self.xi)
        entrant.confirm()
        coalitions = list(dict.fromkeys([*self.scripted, *extra]))
        return coalitions, entrant.calls, str(entrant.failure or "")

    def measure(
        self,
        spread: Spread,
        labels: Sequence[str],
        progress: Progress | None,
    ) -> None:
        """Compute the missing cells, world by world, saving each as it comes."""
        total = self.worlds * len(self.contestants)
        done = sum(len(contestant.done) for contestant in self.contestants.values())
        jobs = [(n, todo) for n in range(self.worlds) if (todo := self._missing(n, labels))]
        if progress:
            progress(done, total)
        for (number, missing), (measured, calls, failures) in spread("world", jobs):
            for label in missing:
                self._collect(label, number, measured.get(label), failures.get(label))
                self.contestants[label].calls += calls[label]
            done += len(missing)
            if progress:
                progress(done, total)

    def _missing(self, number: int, labels: Sequence[str]) -> dict[str, list[Coalition]]:
        """Return the coalitions to try, of the mechanisms that have no cell of this world yet."""
        lacking = (label for label in labels if number not in self.contestants[label].done)
        return {label: self.contestants[label].coalitions for label in lacking}

    def world(
        self, number: int, missing: Mapping[str, list[Coalition]]
    ) -> tuple[dict[str, tuple[Cell, list[Witnessed]]], dict[str, int], dict[str, str]]:
        """Return what is missing of one world, with calls made and failures, by label."""
        entrants = {label: (self._entrant(label), tried) for label, tried in missing.items()}
        seed = world_seed(self.seed, number)
        measured = measure(self.source, seed, self.suite, self.budget, self.xi, entrants)
        calls = {label: entrant.calls for label, (entrant, _) in entrants.items()}
        failures = {label: str(e.failure) for label, (e, _) in entrants.items() if e.failure}
        return measured, calls, failures

    def replay(self, spread: Spread, labels: Sequence[str]) -> None:
        """Try on these mechanisms what was found against the others, world by world."""
        through = [label for label, it in self.contestants.items() if not it.failures]
        if self.budget.evaluations == 0 or len(through) < 2:
            return
        tried = [label for label in labels if label in through]
        jobs = [(number, tried, through) for number in range(self.worlds)]
        for (number, *_), answers in spread("replays", jobs):
            for label, (worths, calls, failure) in answers.items():
                contestant = self.contestants[label]
                contestant.calls += calls
                if failure:
                    contestant.failures[number] = failure
                    continue
                others = [worths[self.contestants[it].key] for it in through if it != label]
                contestant.replayed[number] = np.max(others, axis=0)
                if calls:
                    self.store.keep(contestant.key, f"{number}-replayed", worths)

    def replays(
        self, number: int, labels: Sequence[str], through: Sequence[str]
    ) -> dict[str, tuple[dict[str, FloatArray], int, str]]:
        """Return what others' plans do to each mechanism in one world, calls and its failure."""
        seed = world_seed(self.seed, number)
        test = TwinTest.of(self.source.twin(seed))
        stage = Stage(self.source.sybil(seed), test, self.budget, self.xi)
        keys = {label: self.contestants[label].key for label in through}
        answers = {}
        loaded: dict[str, list[Witnessed]] = {}
        for label in labels:
            entrant = self._entrant(label)
            kept = self.store.find(keys[label], f"{number}-replayed") or {}
            new = [it for it in keys.values() if it != keys[label] and it not in kept]
            for it in new:
                if it not in loaded:
                    loaded[it] = self.store.load_found(it, number)
            found = {it: loaded[it] for it in new}
            worths = replayed(stage, entrant, found) if new else {}
            answers[label] = {**kept, **worths}, entrant.calls, str(entrant.failure or "")
        return answers

    def _entrant(self, label: str) -> Entrant:
        contestant = self.contestants[label]
        return Entrant(label, contestant.mechanism, contestant.unused)

    def _collect(
        self,
        label: str,
        number: int,
        measured: tuple[Cell, list[Witnessed]] | None,
        failure: str | None,
    ) -> None:
        contestant = self.contestants[label]
        if failure:
            contestant.failures[number] = failure
        if measured:
            contestant.done.add(number)
            self.store.save_found(contestant.key, number, measured[1])
            self.store.save(contestant.key, number, measured[0])

    def witnesses(self, workers: int) -> list[Told]:
        """Return the worst play of every score, of one mechanism after the other, explained."""
        try:
            return self._witnesses(list(self.contestants), workers)
        except DeadWorkerError:
            return [
                it for label in self.contestants for it in self._witnesses_apart(label, workers)
            ]

    def _witnesses_apart(self, label: str, workers: int) -> list[Told]:
        with self._surviving(label):
            return self._witnesses([label], workers)
        return []

    def _witnesses(self, labels: Sequence[str], workers: int) -> list[Told]:
        through = [(label,) for label in labels if not self.contestants[label].failures]
        known: dict[str, list[Told]] = {}
        with crew(self, workers) as spread:
            for (label,), (found, failure) in spread("testify", through):
                known[label] = found
                if failure:
                    self.contestants[label].failures[PILOT] = failure
        return [it for label in labels for it in known.get(label, [])]

    def testify(self, label: str) -> tuple[list[Told], str]:
        """Return the witnesses against one mechanism, explained, and its failure."""
        _, mechanism, coalitions, cells, _ = self.measured(label)
        key = self.contestants[label].key
        found = [self.store.load_found(key, number) for number in range(self.worlds)]
        case = Case(
            label,
            mechanism,
            coalitions,
            cells,
            found,
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

    def report(self, broken: Mapping[str, TrilemmaError], told: Sequence[Told] = ()) -> Report:
        """Score the mechanisms that came through, and name those that did not."""
        stake = self.pilots[0].pair[0].stake
        return Report(
            seed=self.seed,
            budget=self.budget,
            world={**self.source.describe(), "worlds": self.worlds, "xi": self.xi},
            rows=rows_of(self.through(), self.suite, self.budget, self.source),
            failures=tuple(self.failures(broken)),
            attacks=tuple(self.attacks),
            worlds=self.worlds,
            plays=len(self.suite.sybil) * len(self.budget.stakes)
            + len(self.suite.neutrality) * len(self.scripted),
            calls=sum(contestant.calls for contestant in self.contestants.values()),
            equal_stake=bool(np.ptp(stake) < 1e-12),
            knows_quality=self.source.knows_quality,
            stake_concentration=self._stake_concentration(),
            witnesses=tuple(witness for witness, _ in told),
            explanations=tuple(explanation for _, explanation in told),
        )

    def _stake_concentration(self) -> MeanConcentration:
        """Return how concentrated stake is over principals, in the first world of the twins."""
        world = self.pilots[0].pair[0]
        return MeanConcentration(
            **asdict(concentration(np.bincount(world.validator_owner, world.stake)))
        )

    def through(self) -> Iterator[Measured]:
        """Read the cells of one mechanism after the other, of those that came through."""
        for label, it in self.contestants.items():
            if not it.failures:
                yield self.measured(label)

    def measured(self, label: str) -> Measured:
        """Read the cells of one mechanism."""
        it = self.contestants[label]
        cells = [self.store.load(it.key, number) for number in range(self.worlds)]
        if None in cells:
            raise DataError(f"{self.store.folder}: cells of {label} vanished; try again")
        found = stack([cell for cell in cells if cell])
        others = [it.replayed[number] for number in sorted(it.replayed)]
        return Measured(label, it.mechanism, it.coalitions, found, others)

    def failures(self, broken: Mapping[str, TrilemmaError]) -> Iterable[Failure]:
        """Name the mechanisms and attacks that failed, and why."""
        for spec, error in {**broken, **self.spoilt}.items():
            yield Failure(spec, str(error))
        for label, contestant in self.contestants.items():
            if contestant.failures:
                yield Failure(label, self._where(contestant.failures))

    def _where(self, failures: dict[int, str]) -> str:
        numbers = sorted(set(failures) - {PILOT})
        if not numbers:
            return failures[PILOT]
        first = f"world {numbers[0]} (world seed {world_seed(self.seed, numbers[0])})"
        return f"{failures[numbers[0]]} [{len(numbers)} of {self.worlds} worlds, first in {first}]"
