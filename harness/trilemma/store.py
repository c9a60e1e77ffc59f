"""One run, one folder: `run.json` says what was asked, `cells/` holds what came out."""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from trilemma.cells import Cell
from trilemma.errors import DataError, UsageError
from trilemma.specs import parameters
from trilemma.twins import Coalition

__all__ = ["Store", "code_of"]


class Store:
    """A run's folder. Finished cells are found again; everything is written whole or not at all.

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
        If the folder holds a run that differs in a fixed key.
    """

    def __init__(self, folder: Path, asked: dict[str, Any], fixed: Sequence[str]) -> None:
        self.folder = folder
        path = folder / "run.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if path.exists():
                _refuse_other_run(path, asked, fixed)
            _write(path, json.dumps(asked, indent=2).encode())
        except OSError as error:
            raise DataError(f"{folder}: cannot keep the run here ({error.strerror})") from error

    def load(self, key: str, number: int) -> Cell | None:
        """Return the cell of one mechanism in one world; None where it is missing or torn."""
        arrays = _read(self._path(key, str(number)))
        names = [field.name for field in fields(Cell)]
        if arrays is None or set(names) != set(arrays):
            return None
        return Cell(**{name: arrays[name] for name in names})

    def save(self, key: str, number: int, cell: Cell) -> None:
        """Keep a finished cell."""
        self._save(key, str(number), {f.name: getattr(cell, f.name) for f in fields(Cell)})

    def load_coalitions(self, key: str) -> list[Coalition] | None:
        """Return the coalitions that were tried against one mechanism; None if not known yet."""
        arrays = _read(self._path(key, "coalitions"))
        if arrays is None:
            return None
        return [tuple(int(r) for r in row if r >= 0) for row in arrays["ranks"]]

    def save_coalitions(self, key: str, coalitions: Sequence[Coalition]) -> None:
        """Keep the coalitions that are tried against one mechanism."""
        ranks = np.full((len(coalitions), max(map(len, coalitions))), -1)
        for row, coalition in zip(ranks, coalitions, strict=True):
            row[: len(coalition)] = coalition
        self._save(key, "coalitions", {"ranks": ranks})

    def _path(self, key: str, name: str) -> Path:
        readable = re.sub(r"[^A-Za-z0-9_.-]+", "_", key)[:60]
        return (
            self.folder
            / "cells"
            / f"{readable}-{sha256(key.encode()).hexdigest()[:8]}"
            / f"{name}.npz"
        )

    def _save(self, key: str, name: str, arrays: dict[str, Any]) -> None:
        path = self._path(key, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile() as file:
            np.savez(file, **arrays)
            file.seek(0)
            _write(path, file.read())


def code_of(mechanism: object) -> str:
    """Return a hash of the source that defines a mechanism and the mechanisms inside it.

    Empty where there is no source to read, as in an interactive session.
    """
    kind = mechanism if inspect.isroutine(mechanism) else type(mechanism)
    source = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if source is None or not Path(source).is_file():
        return ""
    inner = [code_of(value) for value in parameters(mechanism).values() if callable(value)]
    return sha256(b"".join([Path(source).read_bytes(), *map(str.encode, inner)])).hexdigest()[:8]


def _refuse_other_run(path: Path, asked: dict[str, Any], fixed: Sequence[str]) -> None:
    try:
        before = json.loads(path.read_text())
        found = {key: before[key] for key in fixed}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a run of this program; choose another folder") from error
    for key in fixed:
        if found[key] != json.loads(json.dumps(asked[key])):
            raise UsageError(
                f"{path.parent} holds a run with {key} {found[key]}, not {asked[key]}; "
                "choose another folder"
            )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        # Torn by a crash, or not there yet: the cell is computed again either way.
        return None


def _write(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    Path(name).replace(path)
