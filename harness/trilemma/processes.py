"""Workers that are forked from this process: they have every plug-in already, however it came."""

from __future__ import annotations

import ctypes
import faulthandler
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from trilemma.errors import DeadWorkerError

__all__ = ["CAN_FORK", "forked"]

# Between two kernel calls a mechanism holds the interpreter: two threads took 1.4 times as long
# as one.
CAN_FORK = sys.platform == "linux" and "fork" in multiprocessing.get_all_start_methods()

PR_SET_PDEATHSIG = 1  # linux/prctl.h
GRACE = 1.0  # seconds between asking a worker to stop and ending it
MEGABYTE = 10**6


@dataclass(frozen=True)
class _Forked:
    pool: ProcessPoolExecutor
    size: int

    def width(self) -> int:
        return self.size

    def submit(self, method: str, job: tuple[Any, ...]) -> Future[Any]:
        with warnings.catch_warnings():
            # From Python 3.12 on, forking beside any thread warns; numpy keeps idle ones, which
            # take care of themselves.
            warnings.filterwarnings("ignore", ".*multi-threaded.*", DeprecationWarning)
            return self.pool.submit(_call, method, job)

    def dismiss(self) -> None:
        for child in multiprocessing.active_children():
            child.terminate()


@contextmanager
def forked(
    shared: object, size: int, time_limit: float | None, memory_limit: float | None
) -> Iterator[_Forked]:
    """Give processes that have an object as it is now.

    Parameters
    ----------
    shared : object
    size : int
        How many.
    time_limit : float, optional
        Seconds that a job may take.
    memory_limit : float, optional
        Megabytes that each process may take beyond what it begins with.

    Raises
    ------
    DeadWorkerError
        If one of them ends by itself, or exceeds a limit.
    """
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(size, context, _adopt, (shared, time_limit, memory_limit))
    try:
        yield _Forked(pool, size)
    except BrokenProcessPool as error:
        raise DeadWorkerError(_died(time_limit, memory_limit)) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _died(time_limit: float | None, memory_limit: float | None) -> str:
    if time_limit is None and memory_limit is None:
        return "its process died; --workers 1 may show where"
    limits = {"s": time_limit, "MB": memory_limit}
    known = " and ".join(f"{it:g} {unit}" for unit, it in limits.items() if it is not None)
    return f"its process died, or did not stop at its limit of {known}"


# --- in the worker -------------------------------------------------------------------------------


class _TimeUpError(BaseException):
    """Not an Exception, so that a plug-in is less likely to swallow it."""


_shared: object
_time_limit: float | None


def _adopt(shared: object, time_limit: float | None, memory_limit: float | None) -> None:
    global _shared, _time_limit
    _shared, _time_limit = shared, time_limit
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    os.dup2(2, 1)  # what plug-ins print must not end up between the data
    # A worker holds the queue it reads from open, so it would outlive a parent that was killed.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGALRM, _time_is_up)
    if memory_limit is not None:
        _limit_memory(int(memory_limit * MEGABYTE))


def _limit_memory(more: int) -> None:
    import resource

    status = Path("/proc/self/status").read_text()
    [used] = [line.split()[1] for line in status.splitlines() if line.startswith("VmData:")]
    most = int(used) * 1024 + more
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _time_is_up(_: int, __: FrameType | None) -> NoReturn:
    raise _TimeUpError


def _call(method: str, job: tuple[Any, ...]) -> Any:
    try:
        with _timed(_time_limit):
            return getattr(_shared, method)(*job)
    except _TimeUpError:
        raise DeadWorkerError(f"took more than its limit of {_time_limit:g} s") from None
    except MemoryError as error:
        raise DeadWorkerError("ran out of memory") from error


@contextmanager
def _timed(limit: float | None) -> Iterator[None]:
    """Stop what takes too long: by a signal, or by ending the process if compiled code hangs."""
    if limit is None:
        yield
        return
    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(limit + GRACE, exit=True, file=nowhere)
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()
