"""One run, one folder: `run.json` says what was asked, `cells/` holds what came out."""

from __future__ import annotations

import inspect
import json
import os
import re
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from trilemma.cells import Cell
from trilemma.errors import DataError, UsageError
from trilemma.model import AnyArray
from trilemma.search import Witnessed
from trilemma.search.keeping import from_arrays, to_arrays
from trilemma.specs import parameters
from trilemma.twins import Coalition

__all__ = ["ASKED", "Store", "asked_in", "code_of", "done_in", "is_running", "key_of", "written"]

ASKED, LOCK = "run.json", "lock.sqlite"


class Store:
    """A run's folder. Finished cells are found again; everything is written whole or not at all.

    It is held until `close`: no other process may write to it meanwhile.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.
    asked : dict
        Everything asked, as JSON values; kept in `run.json`.
    fixed : sequence of str
        Keys of `asked` that every cell of the folder depends on.

    Raises
    ------
    DataError
        If the folder cannot be written, or its `run.json` cannot be read.
    UsageError
        If the folder holds a run that differs in a fixed key, or another process writes to it.
    """

    def __init__(self, folder: Path, asked: dict[str, Any], fixed: Sequence[str]) -> None:
        self.folder = folder
        path = folder / ASKED
        with _keeping(folder):
            (folder / "cells").mkdir(parents=True, exist_ok=True)
            if path.exists():
                _refuse_other_run(path, asked, fixed)
            self._lock = _locked(folder)
            written(path, json.dumps(asked, indent=2).encode())

    def close(self) -> None:
        """Let go of the folder, so that another process may write to it."""
        self._lock.close()

    def load(self, key: str, number: int) -> Cell | None:
        """Return the cell of one mechanism in one world; None where it is missing or torn."""
        arrays = self.find(key, str(number))
        return Cell(**arrays) if arrays and set(arrays) == {f.name for f in fields(Cell)} else None

    def save(self, key: str, number: int, cell: Cell) -> None:
        """Keep a finished cell."""
        self.keep(key, str(number), {f.name: getattr(cell, f.name) for f in fields(Cell)})

    def load_found(self, key: str, number: int) -> list[Witnessed]:
        """Return what was found against one mechanism in one world; nothing where missing."""
        return from_arrays(self.find(key, f"{number}-found") or {})

    def save_found(self, key: str, number: int, found: Sequence[Witnessed]) -> None:
        """Keep what was found against one mechanism in one world."""
        if found:
            self.keep(key, f"{number}-found", to_arrays(found))

    def load_coalitions(self, key: str) -> list[Coalition] | None:
        """Return the coalitions that were tried against one mechanism; None if not known yet."""
        arrays = self.find(key, "coalitions")
        if arrays is None:
            return None
        return [tuple(int(r) for r in row if r >= 0) for row in arrays["ranks"]]

    def save_coalitions(self, key: str, coalitions: Sequence[Coalition]) -> None:
        """Keep the coalitions that are tried against one mechanism."""
        ranks = np.full((len(coalitions), max(map(len, coalitions))), -1)
        for row, coalition in zip(ranks, coalitions, strict=True):
            row[: len(coalition)] = coalition
        self.keep(key, "coalitions", {"ranks": ranks})

    def _path(self, key: str, name: str) -> Path:
        return _cells_of(self.folder, key) / f"{name}.npz"

    def find(self, key: str, name: str) -> dict[str, Any] | None:
        """Return the arrays kept of one mechanism under a name; None where missing or torn."""
        return _read(self._path(key, name))

    def keep(self, key: str, name: str, arrays: dict[str, Any]) -> None:
        """Keep arrays of one mechanism under a name."""
        path, file = self._path(key, name), BytesIO()
        np.savez(file, **arrays, seal=_seal(arrays))
        with _keeping(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            written(path, file.getvalue())


def asked_in(folder: Path) -> dict[str, Any]:
    """Return what the run of a folder was asked, its `run.json`.

    Raises
    ------
    DataError
        If the folder holds no run of this program.
    """
    path = folder / ASKED
    if not path.is_file():
        raise DataError(f"{folder}: no {ASKED} in it; expected the folder of a run")
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: not a run of this program; choose another folder") from error


def key_of(label: str, code: str) -> str:
    """Return what cells of a mechanism are kept under: what it is called, and what it does."""
    return f"{label} {code}"


def done_in(folder: Path, key: str, worlds: int) -> int:
    """Return in how many of its worlds a run has finished a mechanism."""
    kept = {path.name for path in _cells_of(folder, key).glob("*.npz")}
    return sum(f"{number}.npz" in kept for number in range(worlds))


def is_running(folder: Path) -> bool:
    """Tell whether some process is writing to a run."""
    if not (folder / LOCK).exists():
        return False
    try:
        _locked(folder).close()
    except UsageError:
        return True
    except sqlite3.Error as error:
        raise DataError(f"{folder}: cannot tell whether it runs ({error})") from error
    return False


def code_of(mechanism: object) -> str:
    """Return a hash of what a mechanism's label does not say.

    That is the source that defines it, what a plain object holds, and the mechanisms inside.
    """
    kind = mechanism if inspect.isroutine(mechanism) else type(mechanism)
    source = getattr(sys.modules.get(kind.__module__), "__file__", None)
    parts = [Path(source).read_bytes() if source and Path(source).is_file() else b""]
    if not is_dataclass(mechanism):
        # An object shown by its address has another one in the next process: computed again.
        parts.append(repr(sorted(getattr(mechanism, "__dict__", {}).items())).encode())
    inner = filter(callable, parameters(mechanism).values())
    return sha256(b"".join([*parts, *(code_of(it).encode() for it in inner)])).hexdigest()[:8]


def _cells_of(folder: Path, key: str) -> Path:
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "_", key)[:60]
    return folder / "cells" / f"{readable}-{sha256(key.encode()).hexdigest()[:8]}"


def _locked(folder: Path) -> sqlite3.Connection:
    """Return what holds a folder until it is closed, or this process ends, however it does."""
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


@contextmanager
def _keeping(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{folder}: cannot keep the run here ({error.strerror})") from error
    except sqlite3.Error as error:
        raise DataError(f"{folder}: cannot keep the run here ({error})") from error


def _refuse_other_run(path: Path, asked: dict[str, Any], fixed: Sequence[str]) -> None:
    try:
        before = json.loads(path.read_text())
        found = {key: before[key] for key in fixed}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: not a run of this program; choose another folder") from error
    for key in fixed:
        if found[key] != json.loads(json.dumps(asked[key])):
            before, now = _differing(found[key], asked[key])
            raise UsageError(
                f"{path.parent} holds a run with {key} {before}, not {now}; choose another folder"
            )


def _differing(before: object, now: object) -> tuple[object, object]:
    """Return what differs: of two mappings, only the entries that are not in both."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return before, now
    return _beyond(before, now), _beyond(now, before)


def _beyond(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {key: it for key, it in one.items() if key not in other or other[key] != it}


def _read(path: Path) -> dict[str, Any] | None:
    """Return the arrays of a file; None where it is missing or torn, to be computed again."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            arrays = dict(found)
        seal = arrays.pop("seal")
    except (OSError, ValueError, TypeError, AttributeError, EOFError, KeyError, BadZipFile):
        return None
    return arrays if np.array_equal(seal, _seal(arrays)) else None


def _seal(arrays: dict[str, Any]) -> AnyArray:
    """Return a hash of names, types, shapes and values."""
    digest = sha256()
    for name, array in sorted(arrays.items()):
        array = np.ascontiguousarray(array).reshape(np.shape(array))
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return np.frombuffer(digest.digest(), np.uint8)


def written(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; an OSError is the caller's to tell."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_bytes(data)
    scratch.replace(path)
