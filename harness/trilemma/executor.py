"""Spread independent tasks over workers; what comes back never depends on who they are."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, TypeAlias, TypeVar

from trilemma.checks import real, whole
from trilemma.errors import DeadWorkerError, UsageError
from trilemma.limits import Limits
from trilemma.patience import Patience, patience
from trilemma.processes import CAN_FORK, forked

__all__ = ["CAN_FORK", "Job", "Progress", "Spread", "Team", "Workers", "crew", "together_or_apart"]

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many cells are done, and of how many."""
Job: TypeAlias = tuple[Any, ...]
Spread: TypeAlias = Callable[[str, Iterable[Job]], Iterator[tuple[Job, Any]]]
"""Calls a method of the shared object once for every tuple of arguments; yields the tuple and
the result, as they come."""

Result = TypeVar("Result")

DASK = "dask://"


class Team(Protocol):
    """Workers that have been given the shared object."""

    def width(self) -> int:
        """Return how many jobs are done at a time."""

    def submit(self, method: str, job: Job) -> Future[Any]:
        """Have a method of the shared object called by one of them."""

    def dismiss(self) -> None:
        """Stop what is under way, as far as that can be done."""


@dataclass(frozen=True)
class Workers:
    """Who computes, and what each may use. It never changes a number.

    Parameters
    ----------
    count : int, optional
        How many processes or threads; default: one per core.
    executor : str
        `"processes"`; `"threads"`, for mechanisms that leave the interpreter to others; or the
        address of a Dask scheduler, `"dask://host:8786"`, whose workers are all used.
    time_limit : float, optional
        Seconds that one mechanism may take in one world.
    memory_limit : float, optional
        Megabytes that a process may take beyond what it begins with.

    Raises
    ------
    UsageError
        For a value out of range, an unknown executor, or limits where they cannot be held: they
        need processes of this program's own, so Linux.
    """

    count: int | None = None
    executor: str = "processes"
    time_limit: float | None = None
    memory_limit: float | None = None

    def __post_init__(self) -> None:
        if self.count is not None:
            whole("workers", self.count, 1)
        if self.executor not in ("processes", "threads") and not self.executor.startswith(DASK):
            raise UsageError(
                f"no executor is called {self.executor!r}; expected processes, threads or "
                f"{DASK}host:port"
            )
        if self.executor.startswith(DASK) and self.count is not None:
            raise UsageError(f"{self.executor} has as many workers as it has; leave the number out")
        for name in ("time_limit", "memory_limit"):
            if getattr(self, name) is not None:
                real(name, getattr(self, name), 1e-3, 1e9)
        if self.is_limited and not (self.executor == "processes" and CAN_FORK):
            raise UsageError(
                "limits of time and memory need processes of this program's own, on Linux; Dask "
                "has limits of memory for its workers"
            )

    @classmethod
    def of(cls, asked: int | Workers | None) -> Workers:
        """Return the workers that somebody asked for, perhaps by their number only."""
        return asked if isinstance(asked, Workers) else cls(asked)

    @property
    def is_limited(self) -> bool:
        """Whether a mechanism may be stopped, and so has to be alone in its process."""
        return self.time_limit is not None or self.memory_limit is not None

    @property
    def size(self) -> int:
        """How many processes or threads."""
        return self.count or os.cpu_count() or 1

    @property
    def in_turn(self) -> bool:
        """Whether one job is done after the other, here."""
        if self.executor == "processes":
            return not CAN_FORK or (self.size == 1 and not self.is_limited)
        return self.executor == "threads" and self.size == 1


@contextmanager
def crew(shared: object, workers: Workers) -> Iterator[Spread]:
    """Give a way to have methods of an object called by workers.

    Parameters
    ----------
    shared : object
        Every worker has it as it is now; arguments and results must survive pickling.
    workers : Workers
        Where they would be processes that cannot be forked (anywhere but on Linux), methods are
        called here, in order.

    Raises
    ------
    DeadWorkerError
        If a worker ends by itself, or exceeds a limit.
    KeyboardInterrupt
        Once what was under way is done and taken; at once where somebody interrupts again.
    """
    with patience() as left:
        if workers.in_turn:
            yield lambda method, jobs: _in_order(shared, method, jobs, left)
            return
        _compile()
        limits = Limits(workers.time_limit, workers.memory_limit)
        with _team(shared, workers, limits) as team:
            try:
                yield lambda method, jobs: _spread(team, method, jobs, left, limits.longest)
            except KeyboardInterrupt:
                if left.is_lost:
                    team.dismiss()
                raise


def together_or_apart(
    workers: Workers, together: Callable[[], Result], apart: Callable[[], Result]
) -> Result:
    """Do the jobs of all mechanisms together; or each one's apart, to know who ends its worker.

    Parameters
    ----------
    workers : Workers
        With limits, a mechanism may be ended at any time, so none is with another.
    together, apart : callable
        What does the jobs; `apart` finds what `together` has finished.
    """
    if workers.is_limited:
        return apart()
    try:
        return together()
    except DeadWorkerError:
        return apart()


def _team(shared: object, workers: Workers, limits: Limits) -> AbstractContextManager[Team]:
    if workers.executor.startswith(DASK):
        from trilemma.cluster import connected

        return connected(shared, workers.executor.removeprefix(DASK))
    if workers.executor == "threads":
        return _threads(shared, workers.size)
    return forked(shared, workers.size, limits)


@dataclass(frozen=True)
class _Threads:
    shared: object
    pool: ThreadPoolExecutor
    size: int

    def width(self) -> int:
        return self.size

    def submit(self, method: str, job: Job) -> Future[Any]:
        return self.pool.submit(getattr(self.shared, method), *job)

    def dismiss(self) -> None:
        """Do nothing: a thread cannot be stopped."""


@contextmanager
def _threads(shared: object, size: int) -> Iterator[Team]:
    pool = ThreadPoolExecutor(size, "trilemma")
    try:
        yield _Threads(shared, pool, size)
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(
    shared: object, method: str, jobs: Iterable[Job], patience: Patience
) -> Iterator[tuple[Job, Any]]:
    for job in jobs:
        yield job, getattr(shared, method)(*job)
        patience.check()


def _compile() -> None:
    """Compile what every worker would compile for itself, if any mechanism has loaded kernels."""
    if "trilemma.kernels" in sys.modules:
        from trilemma.kernels import ready

        ready("float64")


def _spread(
    team: Team, method: str, jobs: Iterable[Job], patience: Patience, longest: float | None
) -> Iterator[tuple[Job, Any]]:
    waiting = iter(jobs)
    under_way: dict[Future[Any], Job] = {}
    while True:
        # one more than are done at a time, so that no worker waits for the next
        room = 0 if patience.is_over else team.width() + 1 - len(under_way)
        under_way |= {team.submit(method, job): job for job in islice(waiting, max(0, room))}
        if not under_way:
            break
        done, _ = wait(under_way, longest, FIRST_COMPLETED)
        if not done:  # somebody was stopped, or has put its own clock out of order
            team.dismiss()
        for future in done:
            yield under_way.pop(future), future.result()  # kept, results would pile up
    patience.check()
