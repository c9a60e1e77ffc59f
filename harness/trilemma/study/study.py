"""A study: a comparison, and sweeps beside it, ready to be run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trilemma.compare import compare
from trilemma.executor import Progress, Workers
from trilemma.model import Budget
from trilemma.report import Failure, Report
from trilemma.report.sweep import Sweep
from trilemma.store import ASKED
from trilemma.study.keeping import keep_outcome, keep_question
from trilemma.sweep import sweep
from trilemma.worlds import Preset, Source

__all__ = ["Outcome", "Study", "StudySweep"]


@dataclass(frozen=True, eq=False)
class StudySweep:
    """A sweep of a study; parameters as of `trilemma.sweep`.

    Parameters
    ----------
    over : str
    values : str or tuple of float
    until : str, optional
    mechanisms : tuple of str, optional
    world : Source
    budget : Budget
    """

    over: str
    values: str | tuple[float, ...]
    until: str | None = None
    mechanisms: tuple[str, ...] | None = None
    world: Source = field(default_factory=Preset)
    budget: Budget = field(default_factory=Budget)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a study found.

    Parameters
    ----------
    report : Report
        Of the comparison.
    sweeps : tuple of Sweep
        In the order of the file.
    """

    report: Report
    sweeps: tuple[Sweep, ...] = ()

    def __str__(self) -> str:
        return "\n\n".join(str(it) for it in (self.report, *self.sweeps))

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Plug-ins that failed, and why, each once."""
        every = [*self.report.failures, *(it for swept in self.sweeps for it in swept.failures)]
        return tuple({failure.reason: failure for failure in every}.values())

    def to_json(self) -> str:
        """Return `comparison` and `sweeps`, each as documented in docs/json.md."""
        swept = [json.loads(it.to_json()) for it in self.sweeps]
        whole = {"comparison": self.report.answer(), "sweeps": swept}
        return json.dumps(whole, indent=2, allow_nan=False) + "\n"


@dataclass(frozen=True, eq=False)
class Study:
    """A comparison, and sweeps beside it; parameters as of `trilemma.compare`.

    Parameters
    ----------
    mechanisms : tuple of str, optional
    attacks : tuple of str
    world : Source
    worlds : int
    budget : Budget
    xi : float
    seed : int
    out : Path, optional
        Sweeps keep their cells in `sweeps/1-PARAMETER` and so on below it.
    sweeps : tuple of StudySweep
    source : bytes
        The file that it was read from; kept in `out` as `study.toml`.
    folder : Path
        That relative paths in the file start from.
    """

    mechanisms: tuple[str, ...] | None = None
    attacks: tuple[str, ...] = ()
    world: Source = field(default_factory=Preset)
    worlds: int = 16
    budget: Budget = field(default_factory=Budget)
    xi: float = 0.5
    seed: int = 0
    out: Path | None = None
    sweeps: tuple[StudySweep, ...] = ()
    source: bytes = field(default=b"", repr=False)
    folder: Path = Path()

    def run(
        self, *, progress: Progress | None = None, workers: int | Workers | None = None
    ) -> Outcome:
        """Run the comparison, then the sweeps.

        Parameters
        ----------
        progress : callable, optional
            Called with cells done and cells in all; every part counts alike.
        workers : int or Workers, optional
            Processes; default: one per core. They never change a number.

        Returns
        -------
        Outcome

        Raises
        ------
        PluginError, UsageError, DataError
            As `trilemma.compare` and `trilemma.sweep`.
        """
        told = self._told(progress)
        asked = {"workers": workers, "attacks": self.attacks or None}
        # whatever else lies there may be another run, which the comparison refuses
        if self.out is not None and not (self.out / ASKED).exists():
            self._keep_question(self.out)
        report = self._compared(progress=next(told), **asked)
        if self.out is not None:
            self._keep_question(self.out)
        swept = [
            self._swept(number, it, progress=next(told), **asked)
            for number, it in enumerate(self.sweeps, 1)
        ]
        outcome = Outcome(report, tuple(swept))
        if self.out is not None:
            keep_outcome(outcome, self.out)
        return outcome

    def _compared(self, **asked: Any) -> Report:
        return compare(
            self.mechanisms,
            world=self.world,
            worlds=self.worlds,
            budget=self.budget,
            xi=self.xi,
            seed=self.seed,
            out=self.out,
            **asked,
        )

    def _swept(self, number: int, it: StudySweep, **asked: Any) -> Sweep:
        return sweep(
            it.mechanisms,
            over=it.over,
            values=it.values,
            until=it.until,
            world=it.world,
            worlds=self.worlds,
            budget=it.budget,
            xi=self.xi,
            seed=self.seed,
            out=self._folder_of(number, it.over),
            **asked,
        )

    def _folder_of(self, number: int, over: str) -> Path | None:
        """Return the folder of a sweep: below the run's, also where a file is swept over."""
        readable = re.sub(r"[^A-Za-z0-9_.-]+", "_", over)
        return self.out and self.out / "sweeps" / f"{number}-{readable}"

    def _told(self, progress: Progress | None) -> Iterator[Progress | None]:
        """Yield for every part what tells of it as of the whole."""
        parts = 1 + len(self.sweeps)
        for at in range(parts):
            yield progress and _part(progress, at, parts)

    def _keep_question(self, out: Path) -> None:
        if self.source:
            out.mkdir(parents=True, exist_ok=True)
            keep_question(self, out)


def _part(progress: Progress, at: int, parts: int) -> Progress:
    return lambda done, total: progress(at * total + done, parts * total)
