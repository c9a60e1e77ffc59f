"""What a run keeps, looked at from outside: rows of its SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

__all__ = ["cells", "changed", "rows"]


def rows(run: Path) -> dict[tuple[str, str], int]:
    """Return all that is kept by mechanism and name; what is written again has another number."""
    if not (run / "cells.sqlite").exists():
        return {}
    uri = f"{(run / 'cells.sqlite').resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'kept'").fetchone():
            return {}  # somebody is just beginning
        query = "SELECT mechanism, name, rowid FROM kept"
        return {(mechanism, name): row for mechanism, name, row in database.execute(query)}


def cells(run: Path) -> dict[tuple[str, str], int]:
    """Return the rows that are finished cells: of a comparison, or of a map."""
    beside = ("-found", "-replayed")
    return {
        at: row
        for at, row in rows(run).items()
        if at[1][0].isdigit() and not at[1].endswith(beside)
    }


@contextmanager
def changed(run: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection with which somebody spoils what is kept."""
    with closing(sqlite3.connect(run / "cells.sqlite")) as database, database:
        yield database
