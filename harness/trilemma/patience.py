"""What Ctrl-C means: first to finish what is under way, then to stop at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Patience", "patience"]


class Patience:
    """The first time somebody interrupts, no new job is taken; the second time all stops at once.

    Attributes
    ----------
    is_over, is_lost : bool
        Whether somebody interrupted once, or twice.
    """

    def __init__(self) -> None:
        self.is_over = self.is_lost = False

    def __call__(self, *_: object) -> None:
        """Take note that somebody interrupted, as a signal's handler."""
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
def patience() -> Iterator[Patience]:
    """Take Ctrl-C over, where this is the thread that gets it and nobody else took it."""
    taken = Patience()
    first = threading.current_thread() is threading.main_thread()
    if not first or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield taken
        return
    signal.signal(signal.SIGINT, taken)
    try:
        yield taken
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
