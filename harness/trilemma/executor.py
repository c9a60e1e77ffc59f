"""Spread independent tasks over processes; what comes back never depends on how many."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from trilemma.errors import PluginError

__all__ = ["spread"]

T = TypeVar("T")

# Threads do not help: between two kernel calls a mechanism holds the interpreter (two threads
# took 1.4 times as long as one). A forked process has every plug-in already, however it came.
CAN_FORK = sys.platform == "linux" and "fork" in multiprocessing.get_all_start_methods()


def spread(
    task: Callable[[int], T], numbers: Iterable[int], workers: int
) -> Iterator[tuple[int, T]]:
    """Do a task for every number; yield each number with its result, as they come.

    Parameters
    ----------
    task : callable
        Its results must survive pickling.
    numbers : iterable of int
    workers : int
        Processes. With one, or where processes cannot be forked (anywhere but on Linux), the
        tasks are done here, in order.

    Raises
    ------
    PluginError
        If a worker process dies.
    """
    if workers == 1 or not CAN_FORK:
        yield from ((number, task(number)) for number in numbers)
        return
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, context, _adopt, (task,)) as pool:
        futures = _submitted(pool, numbers)
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise PluginError(
                "a worker process died, perhaps in a plug-in; --workers 1 shows where"
            ) from error
        except (GeneratorExit, KeyboardInterrupt):
            pool.shutdown(cancel_futures=True)
            raise


def _submitted(pool: ProcessPoolExecutor, numbers: Iterable[int]) -> dict[Future[Any], int]:
    with warnings.catch_warnings():
        # From Python 3.12 on, forking beside any thread warns; numpy keeps idle ones, which
        # take care of themselves.
        warnings.filterwarnings("ignore", ".*multi-threaded.*", DeprecationWarning)
        return {pool.submit(_run, number): number for number in numbers}


_task: Callable[[int], Any]


def _adopt(task: Callable[[int], Any]) -> None:
    global _task
    _task = task
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means


def _run(number: int) -> Any:
    return _task(number)
