"""What plug-ins print, by whatever means, ends up on stderr and never between the data."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from functools import cache
from typing import Any

__all__ = ["aside", "flush", "print_aside"]


@contextmanager
def aside() -> Iterator[None]:
    """Send to stderr what is printed meanwhile, by Python, by C, and straight to the descriptor."""
    flush()
    try:
        kept = os.dup(1)
    except OSError:  # somebody closed stdout: nothing can come between
        with redirect_stdout(sys.stderr):
            yield
        return
    try:
        print_aside()
        with redirect_stdout(sys.stderr):
            yield
    finally:
        flush()
        os.dup2(kept, 1)
        os.close(kept)


def print_aside() -> None:
    """Let this process's stdout be its stderr from now on."""
    try:
        os.dup2(2, 1)
    except OSError:  # somebody closed stderr
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)


def flush() -> None:
    """Write what Python and C hold back, which later would go elsewhere."""
    for stream in (sys.stdout, sys.__stdout__):
        if stream is not None:
            with suppress(OSError, ValueError):  # full, or closed by a plug-in
                stream.flush()
    if os.name == "posix":
        _c().fflush(None)


@cache
def _c() -> Any:
    import ctypes

    return ctypes.CDLL(None)
