"""What a worker may use: seconds for a job, memory; and which exceptions are about that."""

from __future__ import annotations

import faulthandler
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

__all__ = ["GRACE", "Limits", "TimeUpError", "is_ours"]

GRACE = 1.0  # seconds between asking a worker to stop and ending it
PATIENCE = 3.0  # seconds more until one that does not even end itself is ended from outside
MEGABYTE = 10**6

_may_run_out = False  # whether this process may be given up where memory runs out


class TimeUpError(BaseException):
    """Not an Exception, so that a plug-in is less likely to swallow it."""


def is_ours(error: BaseException) -> bool:
    """Tell whether an exception that comes out of a plug-in is none of its own."""
    if isinstance(error, KeyboardInterrupt):  # only there does somebody interrupt
        first = threading.current_thread() is threading.main_thread()
        handler = signal.getsignal(signal.SIGINT)  # a `Patience`, which knows of it
        return first and getattr(handler, "is_lost", handler is not signal.SIG_IGN)
    if isinstance(error, MemoryError):  # who gets it need not be who took the memory
        return _may_run_out
    return isinstance(error, TimeUpError)


@dataclass(frozen=True)
class Limits:
    """What a process may use.

    Parameters
    ----------
    time : float, optional
        Seconds that a job may take.
    memory : float, optional
        Megabytes that a process may take beyond what it begins with.
    """

    time: float | None = None
    memory: float | None = None

    @property
    def longest(self) -> float | None:
        """Seconds without an answer after which workers are ended from outside."""
        return None if self.time is None else self.time + GRACE + PATIENCE

    def too_late(self) -> str:
        """Say what a job did that took too long."""
        return f"took longer than the time limit of {self.time:g} s (--time-limit)"

    def too_large(self, why: str) -> str:
        """Say what a job did that found no memory."""
        told = f"ran out of memory ({why})" if why else "ran out of memory"
        if self.memory is None:
            return told
        return f"{told}; its process may take {self.memory:g} MB (--memory-limit)"

    def death(self, code: int) -> str:
        """Say how a process ended that was not to end, by its exit code."""
        if code >= 0:
            return f"its process died with exit code {code}; --workers 1 may show where"
        told = f"its process died of signal {-code} ({signal.strsignal(-code)})"
        if self.memory is not None:
            return f"{told}, perhaps for want of memory: it may take {self.memory:g} MB " + (
                "(--memory-limit)"
            )
        if code == -signal.SIGKILL:
            return f"{told}, as where memory runs out; see --memory-limit"
        return f"{told}; --workers 1 may show where"

    def begin(self) -> None:
        """Hold this process, a worker, to its memory from now on."""
        global _may_run_out
        _may_run_out = True
        if self.memory is not None:
            _hold_memory(int(self.memory * MEGABYTE))

    @contextmanager
    def timed(self, trace: int) -> Iterator[None]:
        """Stop what takes too long: by a signal, or by ending the process if it is deaf to that.

        Parameters
        ----------
        trace : int
            A file descriptor, to which is written where a process was when it had to be ended.

        Raises
        ------
        TimeUpError
            That says where the job was.
        """
        if self.time is None:
            yield
            return
        rung: list[TimeUpError] = []

        def ring(_: int, frame: FrameType | None) -> None:
            rung.append(TimeUpError(_place(frame)))
            raise rung[0]

        faulthandler.dump_traceback_later(self.time + GRACE, exit=True, file=trace)
        signal.signal(signal.SIGALRM, ring)  # for every job: a plug-in may have a clock, too
        signal.setitimer(signal.ITIMER_REAL, self.time)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()
        if rung:  # a plug-in swallowed it, and has answered something since
            raise rung[0]


def _place(frame: FrameType | None) -> str:
    if frame is None:
        return ""
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}, in {frame.f_code.co_name}"


def _hold_memory(more: int) -> None:
    import resource

    status = Path("/proc/self/status").read_text()
    [used] = [line.split()[1] for line in status.splitlines() if line.startswith("VmData:")]
    most, (_, hard) = int(used) * 1024 + more, resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
