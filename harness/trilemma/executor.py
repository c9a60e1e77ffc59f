"""Spread independent tasks over processes; what comes back never depends on how many."""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeAlias

from trilemma.errors import DeadWorkerError

__all__ = ["CAN_FORK", "Progress", "Spread", "crew"]

Progress: TypeAlias = Callable[[int, int], None]
"""Told how many cells are done, and of how many."""
Job: TypeAlias = tuple[Any, ...]
Spread: TypeAlias = Callable[[str, Iterable[Job]], Iterator[tuple[Job, Any]]]
"""Calls a method of the shared object once for every tuple of arguments; yields the tuple and
the result, as they come."""

# Threads do not help: between two kernel calls a mechanism holds the interpreter (two threads
# took 1.4 times as long as one). A forked process has every plug-in already, however it came.
CAN_FORK = sys.platform == "linux" and "fork" in multiprocessing.get_all_start_methods()


PR_SET_PDEATHSIG = 1  # linux/prctl.h


@contextmanager
def crew(shared: object, workers: int) -> Iterator[Spread]:
    """Give a way to call methods of an object in other processes.

    Parameters
    ----------
    shared : object
        Every process has it as it is now; arguments and results must survive pickling.
    workers : int
        Processes. With one, or where processes cannot be forked (anywhere but on Linux),
        methods are called here, in order.

    Raises
    ------
    DeadWorkerError
        If a worker process ends by itself.
    KeyboardInterrupt
        Once what was under way is done and taken; at once where somebody interrupts again.
    """
    with _patience() as patience:
        if workers == 1 or not CAN_FORK:
            yield lambda method, jobs: _in_order(shared, method, jobs, patience)
            return
        _compile()
        context = multiprocessing.get_context("fork")
        pool = ProcessPoolExecutor(workers, context, _adopt, (shared,))
        try:
            yield lambda method, jobs: _spread(pool, workers, method, jobs, patience)
        except BrokenProcessPool as error:
            raise DeadWorkerError("its process died; --workers 1 may show where") from error
        except KeyboardInterrupt:
            if patience.is_lost:
                _end_workers()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _end_workers() -> None:
    for child in multiprocessing.active_children():
        child.terminate()


class _Patience:
    """What Ctrl-C means: the first time to take no new job, the second time to stop at once."""

    def __init__(self) -> None:
        self.is_over = self.is_lost = False

    def __call__(self, *_: object) -> None:
        if self.is_over:
            self.is_lost = True
            raise KeyboardInterrupt
        self.is_over = True
        print("finishing what is under way; Ctrl-C again stops at once", file=sys.stderr)

    def check(self) -> None:
        """Raise if somebody interrupted."""
        if self.is_over:
            raise KeyboardInterrupt


@contextmanager
def _patience() -> Iterator[_Patience]:
    """Take Ctrl-C over, where this is the thread that gets it and nobody else took it."""
    patience = _Patience()
    first = threading.current_thread() is threading.main_thread()
    if not first or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield patience
        return
    signal.signal(signal.SIGINT, patience)
    try:
        yield patience
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _in_order(
    shared: object, method: str, jobs: Iterable[Job], patience: _Patience
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
    pool: ProcessPoolExecutor,
    workers: int,
    method: str,
    jobs: Iterable[Job],
    patience: _Patience,
) -> Iterator[tuple[Job, Any]]:
    waiting = iter(jobs)
    under_way: dict[Future[Any], Job] = {}
    while True:
        # one more than there are workers, so that none waits for the next
        room = 0 if patience.is_over else workers + 1 - len(under_way)
        under_way |= {_submitted(pool, method, job): job for job in islice(waiting, room)}
        if not under_way:
            break
        done, _ = wait(under_way, return_when=FIRST_COMPLETED)
        for future in done:
            yield under_way.pop(future), future.result()  # kept, results would pile up
    patience.check()


def _submitted(pool: ProcessPoolExecutor, method: str, job: Job) -> Future[Any]:
    with warnings.catch_warnings():
        # From Python 3.12 on, forking beside any thread warns; numpy keeps idle ones, which
        # take care of themselves.
        warnings.filterwarnings("ignore", ".*multi-threaded.*", DeprecationWarning)
        return pool.submit(_call, method, job)


_shared: object


def _adopt(shared: object) -> None:
    global _shared
    _shared = shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    # A worker holds the queue it reads from open, so it would outlive a parent that was killed.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _call(method: str, job: Job) -> Any:
    return getattr(_shared, method)(*job)
