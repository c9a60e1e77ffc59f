"""One run, one folder: `run.json` says what was asked, `cells.sqlite` holds what came out."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from trilemma.cells import Cell
from trilemma.errors import DataError, UsageError
from trilemma.kept import CELLS, Arrays, Kept, Named, found_in, keeping, packed, to_write
from trilemma.lock import locked
from trilemma.search import Witnessed
from trilemma.search.keeping import to_arrays
from trilemma.twins import Coalition

__all__ = ["ASKED", "Store", "asked_in", "writing", "written"]

FORMAT = 2
ASKED = "run.json"


class Store(Kept):
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
        If the folder cannot be written, its `run.json` cannot be read, or is of an older version.
    UsageError
        If the folder holds a run that differs in a fixed key, or another process writes to it.
    """

    def __init__(self, folder: Path, asked: dict[str, Any], fixed: Sequence[str]) -> None:
        self.folder = folder
        path = folder / ASKED
        with keeping(folder), ExitStack() as opened:
            folder.mkdir(parents=True, exist_ok=True)
            if path.exists():
                _refuse_other_run(folder, asked, fixed)
            self._lock = opened.enter_context(closing(locked(folder)))
            self._database = opened.enter_context(closing(to_write(folder / CELLS)))
            written(path, json.dumps({"format": FORMAT, **asked}, indent=2).encode())
            opened.pop_all()  # until `close`

    def close(self) -> None:
        """Let go of the folder, so that another process may write to it."""
        with keeping(self.folder):
            super().close()
            self._lock.close()

    def save(self, number: int, measured: Mapping[str, tuple[Cell, Sequence[Witnessed]]]) -> None:
        """Keep the finished cells of one world and what was found in it, by the mechanism's key."""
        named: dict[Named, Arrays] = {}
        for key, (cell, found) in measured.items():
            named[key, str(number)] = {f.name: getattr(cell, f.name) for f in fields(Cell)}
            if found:
                named[key, found_in(number)] = to_arrays(found)
        self.keep(named)

    def save_coalitions(self, key: str, coalitions: Sequence[Coalition]) -> None:
        """Keep the coalitions that are tried against one mechanism."""
        ranks = np.full((len(coalitions), max(map(len, coalitions))), -1)
        for row, coalition in zip(ranks, coalitions, strict=True):
            row[: len(coalition)] = coalition
        self.keep({(key, "coalitions"): {"ranks": ranks}})

    def keep(self, named: Mapping[Named, Arrays]) -> None:
        """Keep arrays by key and name: all of them, or none if this process ends meanwhile."""
        blobs = {at: packed(arrays) for at, arrays in named.items()}
        rows = [(*at, zlib.crc32(blob), blob) for at, blob in blobs.items()]
        with keeping(self.folder), self._database:
            self._database.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", rows)


def asked_in(folder: Path, *, any_format: bool = False) -> dict[str, Any]:
    """Return what the run of a folder was asked, its `run.json`.

    Parameters
    ----------
    folder : Path
    any_format : bool
        Whether cells need not be read, so that a run of an older version will do.

    Raises
    ------
    DataError
        If the folder holds no run of this program, or one of another version.
    """
    path = folder / ASKED
    if not path.is_file():
        raise DataError(f"{folder}: no {ASKED} in it; expected the folder of a run")
    try:
        asked = dict(json.loads(path.read_text()))
        known, version = asked.get("format", 1), asked["version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: not a run of this program; choose another folder") from error
    if known != FORMAT and not any_format:
        raise DataError(
            f"{folder}: kept in format {known!r}, and this program reads {FORMAT}; go on with the "
            f"trilemma that made it ({version!r}), or choose another folder"
        )
    return asked


def _refuse_other_run(folder: Path, asked: dict[str, Any], fixed: Sequence[str]) -> None:
    found = asked_in(folder)
    if not found.keys() >= set(fixed):
        raise DataError(f"{folder / ASKED}: not a run of this program; choose another folder")
    for key in fixed:
        if json.dumps(found[key]) != json.dumps(asked[key]):  # attacks in the same order, too
            before, now = _differing(found[key], asked[key])
            raise UsageError(
                f"{folder} holds a run with {key} {before}, not {now}; choose another folder"
            )


def _differing(before: object, now: object) -> tuple[object, object]:
    """Return what differs: of two mappings, only what is not in both, or else their order."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return before, now
    if before == now:
        return [*before], [*now]
    return _beyond(before, now), _beyond(now, before)


def _beyond(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {key: it for key, it in one.items() if key not in other or other[key] != it}


def written(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, also in a power cut; an OSError is the caller's to tell."""
    with writing(path) as file:
        file.write(data)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to, which is there afterwards whole, or as it was before."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with scratch.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
