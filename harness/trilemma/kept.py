"""What a run keeps of its mechanisms, in one SQLite file: arrays by mechanism and name."""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import fields
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias
from zipfile import BadZipFile, ZipFile

import numpy as np

from trilemma.cells import Cell
from trilemma.errors import DataError
from trilemma.model import AnyArray
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
NPY, LENGTH = ".npy", slice(8, 10)  # of an array in an archive; where its header's length is
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

    def find(self, key: str, name: str, only: Collection[str] = ()) -> Arrays | None:
        """Return the arrays kept of one mechanism under a name; None where missing or torn.

        Parameters
        ----------
        key, name : str
        only : collection of str, optional
            Those to read, by their names; default: all.
        """
        query = "SELECT arrays FROM kept WHERE mechanism = ? AND name = ?"
        with keeping(self.folder):
            row = self._database.execute(query, (key, name)).fetchone()
        return None if row is None else unpacked(row[0], only)

    def names(self, key: str) -> set[str]:
        """Return the names of all that is kept of one mechanism, and not torn."""
        query = "SELECT name, seal, arrays FROM kept WHERE mechanism = ?"
        with keeping(self.folder):
            rows = self._database.execute(query, (key,))
            return {name for name, seal, arrays in rows if zlib.crc32(arrays) == seal}

    def worlds(self, key: str) -> set[int]:
        """Return the worlds that hold a finished cell of one mechanism, by their numbers."""
        query = "SELECT name FROM kept WHERE mechanism = ? AND name NOT GLOB '*[^0-9]*'"
        with keeping(self.folder):
            return {int(name) for (name,) in self._database.execute(query, (key,))}

    def done(self, key: str, worlds: int) -> int:
        """Return how many of the first worlds hold a finished cell of one mechanism."""
        return sum(number < worlds for number in self.worlds(key))


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
    with ExitStack() as opened:
        database = opened.enter_context(closing(sqlite3.connect(path, timeout=PATIENCE)))
        # Readers need not wait for the writer, and what is committed outlives a power cut.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        with database:
            database.execute(TABLE)
        opened.pop_all()
    return database


def _to_read(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise DataError(f"{path.parent}: no {CELLS} in it; expected the folder of a run")
    # where nothing can be written, nothing changes, and SQLite may not put its files beside it;
    # unless somebody else writes, whose files are there already
    alone = not path.with_name(f"{path.name}-wal").exists()
    fixed = "&immutable=1" if alone and not os.access(path.parent, os.W_OK) else ""
    uri = f"{path.resolve().as_uri()}?mode=ro{fixed}"
    return sqlite3.connect(uri, uri=True, timeout=PATIENCE)


def packed(arrays: Mapping[str, Any]) -> bytes:
    """Return arrays as bytes."""
    file = BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def unpacked(data: bytes, only: Collection[str] = ()) -> Arrays | None:
    """Return the arrays of `packed`, or only some; None if torn, to be computed again."""
    try:
        with ZipFile(BytesIO(data)) as file:
            names = only or [it.removesuffix(NPY) for it in file.namelist()]
            return {name: _array(file.read(name + NPY)) for name in names}
    except (OSError, ValueError, TypeError, AttributeError, EOFError, KeyError):
        return None
    except (BadZipFile, zlib.error, NotImplementedError, RuntimeError):
        return None


def _array(data: bytes) -> AnyArray:
    start = LENGTH.stop + int.from_bytes(data[LENGTH], "little")
    shape, fortran, dtype = _header(data[:start])
    return np.ndarray(shape, dtype, data, start, order="F" if fortran else "C").copy()


@lru_cache
def _header(data: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    # to read one takes longer than to unpack its array, and all cells have the same ones
    file = BytesIO(data)
    version = np.lib.format.read_magic(file)
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if version != (1, 0) or dtype.hasobject:  # whose bytes would be addresses
        raise ValueError
    return shape, fortran, dtype
