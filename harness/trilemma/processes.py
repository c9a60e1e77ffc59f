"""Workers that are forked from this process: they have every plug-in already, however it came."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import re
import signal
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from itertools import chain
from multiprocessing.process import BaseProcess
from threading import Timer
from typing import Any

from trilemma.errors import DeadWorkerError
from trilemma.limits import GRACE, Limits, TimeUpError
from trilemma.printing import flush, print_aside

__all__ = ["CAN_FORK", "forked"]

# Between two kernel calls a mechanism holds the interpreter: four worlds that take 9.3 s one after
# the other take 4.4 s in two processes, and 6.6 s in two threads.
CAN_FORK = sys.platform == "linux" and "fork" in multiprocessing.get_all_start_methods()

PR_SET_PDEATHSIG = 1  # linux/prctl.h
# The pool terminates the others when one has died, and what does not end then is killed.
SENT = {-signal.SIGTERM: 2, -signal.SIGKILL: 1} if CAN_FORK else {}
PIPEFUL = 1 << 16  # bytes
TRACED = re.compile('File "(.*)", (line [0-9]+) (in .*)')  # as faulthandler writes


class _Nursery:
    """Forks, and knows its children from those that others have in this program."""

    def __init__(self) -> None:
        self.context = multiprocessing.get_context("fork")
        self.children: list[BaseProcess] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.context, name)

    def Process(self, *arguments: Any, **options: Any) -> BaseProcess:  # noqa: N802
        self.children.append(self.context.Process(*arguments, **options))
        return self.children[-1]


class _Forked:
    def __init__(self, shared: object, size: int, limits: Limits) -> None:
        self.size, self.limits = size, limits
        self.is_dismissed = False
        # What faulthandler says of a process that it ends; two that end at once do not mix it up.
        self.traces = [os.pipe() for _ in range(size)]
        for end in chain(*self.traces):
            os.set_blocking(end, False)  # nobody waits: no reader where it is full, no writer ever
        nursery: Any = _Nursery()
        self.children: list[BaseProcess] = nursery.children
        given = shared, limits, self.traces, self.children
        self.pool = ProcessPoolExecutor(size, nursery, _adopt, given)

    def width(self) -> int:
        return self.size

    def submit(self, method: str, job: tuple[Any, ...]) -> Future[Any]:
        with warnings.catch_warnings():
            # From Python 3.12 on, forking beside any thread warns; numpy keeps idle ones, which
            # take care of themselves.
            warnings.filterwarnings("ignore", ".*multi-threaded.*", DeprecationWarning)
            return self.pool.submit(_call, method, job)

    def dismiss(self) -> None:
        self.is_dismissed = True
        self._kill()

    def _kill(self) -> None:
        for child in self.children:
            if child.pid is not None:
                child.kill()

    def close(self) -> None:
        """End all of them; nobody waits for what is still under way."""
        late = Timer(GRACE, self._kill)
        late.start()
        self.pool.shutdown(cancel_futures=True)
        late.cancel()
        late.join()

    def death(self) -> str:
        """Say why one of them ended by itself, or had to be ended; all are closed."""
        told = next(filter(None, (_read(end) for end, _ in self.traces)), "")
        if told or self.is_dismissed:
            return f"{self.limits.too_late()} and did not stop when asked{_traced(told)}"
        codes = {code for child in self.children if (code := child.exitcode) is not None}
        return self.limits.death(min(codes, key=lambda code: SENT.get(code, 0)))


@contextmanager
def forked(shared: object, size: int, limits: Limits) -> Iterator[_Forked]:
    """Give processes that have an object as it is now.

    Parameters
    ----------
    shared : object
    size : int
        How many.
    limits : Limits
        Of each of them.

    Raises
    ------
    DeadWorkerError
        If one of them ends by itself, or exceeds a limit.
    """
    team = _Forked(shared, size, limits)
    try:
        yield team
    except BrokenProcessPool as error:
        team.close()
        raise DeadWorkerError(team.death()) from error
    except BaseException:
        team.dismiss()  # nobody takes what is under way
        raise
    finally:
        team.close()
        for end in chain(*team.traces):
            os.close(end)


def _read(end: int) -> str:
    with suppress(BlockingIOError):
        return os.read(end, PIPEFUL).decode(errors="replace")
    return ""


def _traced(told: str) -> str:
    """Return where the first thread was, of all that faulthandler lists, the last first."""
    found = TRACED.search(told.rpartition("Thread ")[2])
    return f"; it was at {', '.join(found.groups())}" if found else ""


# --- in the worker -------------------------------------------------------------------------------

_shared: object
_limits: Limits
_trace: int


def _adopt(
    shared: object, limits: Limits, traces: list[tuple[int, int]], children: list[BaseProcess]
) -> None:
    global _shared, _limits, _trace
    _shared, _limits = shared, limits
    _trace = traces[len(children) - 1][1]  # its own: it was forked as the last of them
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # and what it does when it is terminated
    print_aside()
    # A worker holds the queue it reads from open, so it would outlive a parent that was killed;
    # and what a plug-in forks would outlive the worker.
    _end_with_parent()
    os.register_at_fork(after_in_child=_end_with_parent)
    limits.begin()


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _call(method: str, job: tuple[Any, ...]) -> Any:
    try:
        with _limits.timed(_trace):
            return getattr(_shared, method)(*job)
    except TimeUpError as error:
        raise DeadWorkerError(f"{_limits.too_late()}; it was at {error}") from None
    except MemoryError as error:
        raise DeadWorkerError(_limits.too_large(str(error))) from None
    finally:
        flush()  # a worker that is ended says no more
