"""Spread independent tasks over processes; what comes back never depends on how many."""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
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
    """
    if workers == 1 or not CAN_FORK:
        yield lambda method, jobs: ((job, getattr(shared, method)(*job)) for job in jobs)
        return
    _compile()
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(workers, context, _adopt, (shared,))
    try:
        yield lambda method, jobs: _spread(pool, method, jobs)
    except BrokenProcessPool as error:
        raise DeadWorkerError("its process died; --workers 1 may show where") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _compile() -> None:
    """Compile what every worker would compile for itself, if any mechanism has loaded kernels."""
    if "trilemma.kernels" in sys.modules:
        from trilemma.kernels import ready

        ready("float64")


def _spread(
    pool: ProcessPoolExecutor, method: str, jobs: Iterable[Job]
) -> Iterator[tuple[Job, Any]]:
    with warnings.catch_warnings():
        # From Python 3.12 on, forking beside any thread warns; numpy keeps idle ones, which
        # take care of themselves.
        warnings.filterwarnings("ignore", ".*multi-threaded.*", DeprecationWarning)
        futures = {pool.submit(_call, method, job): job for job in jobs}
    for future in as_completed(futures):
        yield futures.pop(future), future.result()  # kept, results would pile up


_shared: object


def _adopt(shared: object) -> None:
    global _shared
    _shared = shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    # A worker holds the queue it reads from open, so it would outlive a parent that was killed.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _call(method: str, job: Job) -> Any:
    return getattr(_shared, method)(*job)
