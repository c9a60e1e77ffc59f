"""Who writes to a run's folder: one process at a time."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from trilemma.errors import DataError, UsageError

__all__ = ["LOCK", "is_running", "locked"]

LOCK = "lock.sqlite"


def locked(folder: Path) -> sqlite3.Connection:
    """Return what holds a folder until it is closed, or this process ends, however it does.

    Raises
    ------
    UsageError
        If another process holds it.
    """
    # forked workers have it open, too, and hold nothing by it; SQLite locks everywhere alike
    lock = sqlite3.connect(folder / LOCK, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        lock.execute("PRAGMA journal_mode = MEMORY")  # or a journal would lie beside it
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        if "locked" not in str(error):
            raise
        raise UsageError(
            f"{folder}: another process is writing to this run; wait for it, or choose another "
            "folder"
        ) from error
    return lock


def is_running(folder: Path) -> bool:
    """Tell whether some process is writing to a run.

    Raises
    ------
    DataError
        If that cannot be told.
    """
    path = folder / LOCK
    if not (path.exists() and os.access(path, os.W_OK)):  # nobody writes where nobody can
        return False
    try:
        locked(folder).close()
    except UsageError:
        return True
    except sqlite3.Error as error:
        raise DataError(f"{folder}: cannot tell whether it runs ({error})") from error
    return False
