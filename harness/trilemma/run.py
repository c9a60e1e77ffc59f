"""A run: mechanisms in the same worlds, play by play, with what is kept of it in its folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from platform import python_version

import numpy as np

from trilemma.attacks import attacks_beside, plays
from trilemma.cells import Cell, Suite, stack
from trilemma.codes import code_of, key_of
from trilemma.concentration import concentration
from trilemma.contract import copied
from trilemma.errors import DataError, DeadWorkerError, PluginError, TrilemmaError
from trilemma.executor import Job, Progress, Spread, Workers, crew, together_or_apart
from trilemma.kept import Arrays, Named, found_in, replayed_in
from trilemma.model import AIMS, Attack, Budget, FloatArray, Mechanism
from trilemma.report import Failure, MeanConcentration, Report
from trilemma.report.rows import Measured, rows_of
from trilemma.store import Store
from trilemma.tasks import Found, Replayed, Tasks, Told
from trilemma.twins import Coalition, TwinTest, members, scripted
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


@dataclass
class _Contestant:
    mechanism: Mechanism
    key: str
    coalitions: list[Coalition] = field(default_factory=list)
    done: set[int] = field(default_factory=set)
    calls: int = 0
    failures: dict[int, str] = field(default_factory=dict)


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
        self.pilots = tuple(TwinTest.of(pilot) for pilot in pilots)
        self.scripted = scripted(pilots[0])
        self.contestants: dict[str, _Contestant] = {}
        self.tasks: Tasks
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
            "versions": {
                "python": python_version(),
                **{name: version(name) for name in ("numpy", "numba")},
            },
        }

    def enter(self, loaded: Mapping[str, Mechanism], store: Store) -> None:
        """Find what is kept of each mechanism: its coalitions and its finished cells."""
        self.store = store
        asked = {label: (mechanism, copied(mechanism)) for label, mechanism in loaded.items()}
        self.tasks = Tasks(
            self.source, self.budget, self.xi, self.seed, self.suite, self.pilots, asked
        )
        for label, mechanism in loaded.items():
            contestant = _Contestant(mechanism, key_of(label, code_of(mechanism)))
            self.contestants[label] = contestant
            kept = store.names(contestant.key)
            if "coalitions" in kept and (coalitions := store.load_coalitions(contestant.key)):
                contestant.done = {n for n in range(self.worlds) if self._is_done(n, kept)}
                contestant.coalitions = coalitions

    def _is_done(self, number: int, kept: set[str]) -> bool:
        """Tell whether a world is finished, from the names of what is kept of a mechanism."""
        searched = self.budget.evaluations == 0 or found_in(number) in kept
        return searched and str(number) in kept

    def finish(self, workers: Workers, progress: Progress | None) -> None:
        """Compute what is missing; one mechanism at a time where one of them ends its process."""
        together_or_apart(
            workers,
            lambda: self.compute(list(self.contestants), workers, progress),
            lambda: self.compute_apart(workers, progress),
        )

    def compute(
        self,
        labels: Sequence[str],
        workers: Workers,
        progress: Progress | None,
        *,
        replaying: bool = True,
    ) -> None:
        """Compute what is missing of these mechanisms."""
        with crew(self.tasks, workers) as spread:
            self.grow(spread, labels)
            self.measure(spread, labels, progress)
            if replaying:
                self.replay(spread, labels)

    def compute_apart(self, workers: Workers, progress: Progress | None) -> None:
        """Compute what is missing one mechanism at a time: one of them kills its process."""
        for label in self.contestants:
            with self._surviving(label):
                self.compute([label], workers, progress, replaying=False)
        for label in self.contestants:
            with self._surviving(label), crew(self.tasks, workers) as spread:
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

    def measure(
        self,
        spread: Spread,
        labels: Sequence[str],
        progress: Progress | None,
    ) -> None:
        """Compute the missing cells, world by world, saving each as it comes."""
        total = self.worlds * len(self.contestants)
        done = sum(len(contestant.done) for contestant in self.contestants.values())
        jobs = ((n, todo) for n in range(self.worlds) if (todo := self._missing(n, labels)))
        if progress:
            progress(done, total)
        for (number, missing), answer in spread("world", jobs):
            self._collect(number, *answer)
            done += len(missing)
            if progress:
                progress(done, total)

    def _missing(self, number: int, labels: Sequence[str]) -> dict[str, list[Coalition]]:
        """Return the coalitions to try, of the mechanisms that have no cell of this world yet."""
        lacking = (label for label in labels if number not in self.contestants[label].done)
        return {label: self.contestants[label].coalitions for label in lacking}

    def _collect(
        self,
        number: int,
        measured: Mapping[str, Found],
        calls: Mapping[str, int],
        failures: Mapping[str, str],
    ) -> None:
        """Keep what a worker found in one world."""
        self.store.save(number, {self.contestants[label].key: it for label, it in measured.items()})
        for label, made in calls.items():
            self.contestants[label].calls += made
        for label, failure in failures.items():
            self.contestants[label].failures[number] = failure
        for label in measured:
            self.contestants[label].done.add(number)

    def replay(self, spread: Spread, labels: Sequence[str]) -> None:
        """Try on these mechanisms what was found against the others, world by world."""
        through = [label for label, it in self.contestants.items() if not it.failures]
        if self.budget.evaluations == 0 or len(through) < 2:
            return
        tried = [label for label in labels if label in through]
        jobs = (self._plans(number, tried, through) for number in range(self.worlds))
        for (number, *_), answers in spread("replays", (job for job in jobs if job[1])):
            self.store.keep(dict(self._tried(number, answers)))

    def _tried(
        self, number: int, answers: Mapping[str, Replayed]
    ) -> Iterator[tuple[Named, Arrays]]:
        """Take note of what plans did in one world, and yield what is to be kept of it."""
        for label, (worths, calls, failure) in answers.items():
            contestant = self.contestants[label]
            contestant.calls += calls
            if failure:
                contestant.failures[number] = failure
            else:
                new = {self.contestants[other].key: it for other, it in worths.items()}
                yield (contestant.key, replayed_in(number)), self._replayed(label, number) | new

    def _plans(self, number: int, tried: Sequence[str], through: Sequence[str]) -> Job:
        """Return what is new in one world: on whom to try whose plans, and the plans."""
        new = {}
        for label in tried:
            known = self._replayed(label, number)
            others = [it for it in through if it != label and self.contestants[it].key not in known]
            if others:
                new[label] = others
        wanted = dict.fromkeys(other for others in new.values() for other in others)
        return number, new, {other: self._found(other, number) for other in wanted}

    def _found(self, label: str, number: int) -> Arrays:
        return self.store.find(self.contestants[label].key, found_in(number)) or {}

    def _replayed(self, label: str, number: int) -> Arrays:
        return self.store.find(self.contestants[label].key, replayed_in(number)) or {}

    def _worst(self, label: str) -> list[FloatArray]:
        """Return what the worst of the others' plans did to one mechanism, by world.

        Of those that came through to the end: who fails changes nobody else's numbers.
        """
        others = [
            it.key for name, it in self.contestants.items() if name != label and not it.failures
        ]
        if self.budget.evaluations == 0 or not others:
            return []
        known = [self._replayed(label, number) for number in range(self.worlds)]
        return [np.asarray(np.max([it[key] for key in others], axis=0)) for it in known]

    def witnesses(self, workers: Workers) -> list[Told]:
        """Return the worst play of every score, of one mechanism after the other, explained."""
        labels = list(self.contestants)
        return together_or_apart(
            workers,
            lambda: self._witnesses(labels, workers),
            lambda: [it for label in labels for it in self._witnesses_apart(label, workers)],
        )

    def _witnesses_apart(self, label: str, workers: Workers) -> list[Told]:
        with self._surviving(label):
            return self._witnesses([label], workers)
        return []

    def _witnesses(self, labels: Sequence[str], workers: Workers) -> list[Told]:
        through = [label for label in labels if not self.contestants[label].failures]
        known: dict[str, list[Told]] = {}
        with crew(self.tasks, workers) as spread:
            for (label, *_), (found, failure) in spread("testify", map(self._evidence, through)):
                known[label] = found
                if failure:
                    self.contestants[label].failures[PILOT] = failure
        return [it for label in labels for it in known.get(label, [])]

    def _evidence(self, label: str) -> Job:
        found = [self._found(label, it) for it in range(self.worlds)]
        return label, self.contestants[label].coalitions, self._cells(label), found

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
        return Measured(label, it.mechanism, it.coalitions, self._cells(label), self._worst(label))

    def _cells(self, label: str) -> Cell:
        key = self.contestants[label].key
        cells = [self.store.load(key, number) for number in range(self.worlds)]
        if None in cells:
            raise DataError(f"{self.store.folder}: cells of {label} vanished; try again")
        return stack([cell for cell in cells if cell])

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
