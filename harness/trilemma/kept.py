"""What a run keeps of its mechanisms, in one SQLite file: arrays by mechanism and name."""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias
from zipfile import BadZipFile

import numpy as np

from trilemma.cells import Cell
from trilemma.errors import DataError
from trilemma.search import Witnessed
from trilemma.search.keeping import from_arrays
from trilemma.twins import Coalition

__all__ = [
    "CELLS",
    "Arrays",
    "Kept",
    "Named",
    "found_in",
    "keeping",
    "packed",
    "replayed_in",
    "to_write",
]

Arrays: TypeAlias = dict[str, Any]
Named: TypeAlias = tuple[str, str]
"""A mechanism's key and a name: where arrays are kept."""

CELLS = "cells.sqlite"
TABLE = """
CREATE TABLE IF NOT EXISTS kept (
    mechanism TEXT NOT NULL,
    name TEXT NOT NULL,
    seal INTEGER NOT NULL,
    arrays BLOB NOT NULL,
    UNIQUE (mechanism, name)
)
"""
PATIENCE = 60.0  # seconds to wait for another connection's commit
WHOLE = {field.name for field in fields(Cell)}


class Kept:
    """The cells of a run's folder, to be read, also while another process writes to them.

    Parameters
    ----------
    folder : Path
        Of the run.

    Raises
    ------
    DataError
        If it holds no cells that can be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with keeping(folder):
            self._database = _to_read(folder / CELLS)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def load(self, key: str, number: int) -> Cell | None:
        """Return the cell of one mechanism in one world; None where it is missing or torn."""
        arrays = self.find(key, str(number))
        return Cell(**arrays) if arrays and set(arrays) == WHOLE else None

    def load_coalitions(self, key: str) -> list[Coalition] | None:
        """Return the coalitions that were tried against one mechanism; None if not known yet."""
        arrays = self.find(key, "coalitions")
        if arrays is None:
            return None
        return [tuple(int(r) for r in row if r >= 0) for row in arrays["ranks"]]

    def load_found(self, key: str, number: int) -> list[Witnessed]:
        """Return what was found against one mechanism in one world; nothing where missing."""
        return from_arrays(self.find(key, found_in(number)) or {})

    def find(self, key: str, name: str) -> Arrays | None:
        """Return the arrays kept of one mechanism under a name; None where missing or torn."""
        query = "SELECT arrays FROM kept WHERE mechanism = ? AND name = ?"
        with keeping(self.folder):
            row = self._database.execute(query, (key, name)).fetchone()
        return None if row is None else unpacked(row[0])

    def names(self, key: str) -> set[str]:
        """Return the names of all that is kept of one mechanism, and not torn."""
        query = "SELECT name, seal, arrays FROM kept WHERE mechanism = ?"
        with keeping(self.folder):
            rows = self._database.execute(query, (key,))
            return {name for name, seal, arrays in rows if zlib.crc32(arrays) == seal}

    def done(self, key: str, worlds: int) -> int:
        """Return how many of the first worlds hold a finished cell of one mechanism."""
        query = (
            "SELECT count(*) FROM kept WHERE mechanism = ? "
            "AND name NOT GLOB '*[^0-9]*' AND CAST(name AS INTEGER) < ?"
        )
        with keeping(self.folder):
            return int(self._database.execute(query, (key, worlds)).fetchone()[0])


def found_in(number: int) -> str:
    """Return the name of what a search found in one world."""
    return f"{number}-found"


def replayed_in(number: int) -> str:
    """Return the name of what others' plans were worth in one world."""
    return f"{number}-replayed"


@contextmanager
def keeping(folder: Path) -> Iterator[None]:
    """Turn what a disk or a database says into a `DataError` about a run's folder."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{folder}: cannot keep the run here ({error.strerror})") from error
    except sqlite3.DatabaseError as error:
        raise DataError(f"{folder}: cannot keep the run here ({error}){_way_out(error)}") from error


def _way_out(error: sqlite3.DatabaseError) -> str:
    if isinstance(error, sqlite3.OperationalError):
        return ""
    return f"; {CELLS} is damaged: move it away, and all of the run is computed again"


def to_write(path: Path) -> sqlite3.Connection:
    """Return a connection that may write."""
    database = sqlite3.connect(path, timeout=PATIENCE)
    # Readers need not wait for the writer, and what is committed outlives a power cut.
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    with database:
        database.execute(TABLE)
    return database


def _to_read(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise DataError(f"{path.parent}: no {CELLS} in it; expected the folder of a run")
    # where nothing can be written, nothing changes, and SQLite may not put its files beside it
    fixed = "&immutable=1" if not os.access(path.parent, os.W_OK) else ""
    uri = f"{path.resolve().as_uri()}?mode=ro{fixed}"
    return sqlite3.connect(uri, uri=True, timeout=PATIENCE)


def packed(arrays: Mapping[str, Any]) -> bytes:
    """Return arrays as bytes."""
    file = BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def unpacked(data: bytes) -> Arrays | None:
    """Return the arrays of `packed`; None where they are torn, to be computed again."""
    try:
        with np.load(BytesIO(data), allow_pickle=False) as found:
            return dict(found)
    except (OSError, ValueError, TypeError, AttributeError, EOFError, KeyError):
        return None
    except (BadZipFile, zlib.error, NotImplementedError, RuntimeError):
        return None
