"""Networks kept as two CSV files: edges `from,to,value` and stakes `id,stake`."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from reprlib import repr as short
from typing import BinaryIO, TypeAlias

import numpy as np

from trilemma.errors import DataError
from trilemma.importers.network import Network
from trilemma.importers.npz import MOST_NUMBERS
from trilemma.model import AnyArray

__all__ = ["pair", "read", "recognises"]

Record: TypeAlias = tuple[str, list[str]]  # `file:line`, fields

EDGES = ("from", "to", "value")
STAKES = ("id", "stake")
KINDS = {EDGES: "edges", STAKES: "stakes"}
LONGEST_LINE = 2**16  # bytes
SHOWN = 80  # letters of a field that a message shows
UNSAID = -1.0


def recognises(head: bytes) -> bool:
    """Tell whether a file with these first bytes names one of our columns in its first line."""
    line = head.partition(b"\n")[0].removeprefix(b"\xef\xbb\xbf")
    names = {field.strip(b'" \r').decode("latin-1") for field in line.split(b",")}
    return not names.isdisjoint(EDGES + STAKES)


def pair(paths: Sequence[Path]) -> tuple[Path, Path]:
    """Return the file of edges and the file of stakes, told apart by their headers.

    Raises
    ------
    DataError
        Unless there is exactly one of each.
    """
    found: dict[tuple[str, ...], Path] = {}
    for path in paths:
        columns = _columns(path)
        if columns in found:
            raise DataError(
                f"{path.name}: a second file of {KINDS[columns]}, after "
                f"{found[columns].name}; pass one file of edges and one of stakes"
            )
        found[columns] = path
    for columns, kind in KINDS.items():
        if columns not in found:
            raise DataError(
                f"{paths[0].name}: the file of {kind} ({','.join(columns)}) is missing; "
                "pass both: --network edges.csv --network stakes.csv"
            )
    return found[EDGES], found[STAKES]


def read(edges: Path, stakes: Path) -> Network:
    """Read a network of one epoch; its stake is int64 if all are whole.

    Validators are the ids of the stakes file, in its order; miners are the ids in `to`, in the
    order of their first appearance. What no edge says is 0.

    Raises
    ------
    DataError
        With file and line, if a row is malformed or repeated, or names an unknown validator.
    """
    held = _stakes(stakes)
    validators = list(held)
    miners, weights = _weights(edges, validators, stakes.name)
    return Network(
        edges.name,
        _stake_array(list(held.values())),
        weights,
        validator_names=tuple(validators),
        miner_names=tuple(miners),
    )


def _stakes(path: Path) -> dict[str, int | float]:
    held: dict[str, int | float] = {}
    for place, (identity, text) in _rows(path, STAKES):
        if identity in held:
            raise DataError(f"{place}: id {identity[:SHOWN]!r} a second time; keep one row")
        held[identity] = _number(place, text)
    if not held:
        raise DataError(f"{path.name}: no rows; expected a validator's id,stake on each")
    return held


def _stake_array(stakes: list[int | float]) -> AnyArray:
    whole = all(stake == int(stake) for stake in stakes) and max(stakes) <= np.iinfo(np.int64).max
    return np.array([stakes], np.int64 if whole else np.float64)


def _weights(path: Path, validators: list[str], stakes: str) -> tuple[list[str], AnyArray]:
    rows = {identity: row for row, identity in enumerate(validators)}
    miners: dict[str, int] = {}
    cells = array("d")  # one miner after the other
    silence = array("d", [UNSAID]) * len(rows)
    for place, (source, target, text) in _rows(path, EDGES):
        if source not in rows:
            raise DataError(
                f"{place}: from {source[:SHOWN]!r} has no row in {stakes}; add its stake"
            )
        if target not in miners:
            if len(cells) + len(silence) > MOST_NUMBERS:
                raise DataError(
                    f"{place}: too large; at most {MOST_NUMBERS:,} pairs of validator and miner "
                    f"are read (2 GiB as float64), and there are {len(rows):,} validators"
                )
            miners[target] = len(miners)
            cells.extend(silence)
        cell = miners[target] * len(rows) + rows[source]
        if cells[cell] != UNSAID:
            raise DataError(
                f"{place}: edge from {source[:SHOWN]!r} to {target[:SHOWN]!r} a second time; "
                "keep one row"
            )
        cells[cell] = _number(place, text)
    if not miners:
        raise DataError(f"{path.name}: no rows; expected an edge from,to,value on each")
    said = np.frombuffer(cells).reshape(1, len(miners), len(rows)).transpose(0, 2, 1)
    return list(miners), np.maximum(said, 0.0, order="C")


def _number(place: str, text: str) -> int | float:
    """Return an int where that is exact: float64 holds whole numbers up to 2**53 only."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    # Python's float takes 1_000 too; nobody else's CSV means a number by it
    if not 0 <= value < math.inf or "_" in text:
        raise DataError(f"{place}: expected a finite number, not negative, got {text[:SHOWN]!r}")
    return int(text) if text.isdecimal() and len(text) < 20 else value


def _columns(path: Path) -> tuple[str, ...]:
    """Return the columns that the file's header is closest to."""
    with closing(_records(path)) as records:
        _, header = next(records, ("", []))
    return max(KINDS, key=lambda columns: len(set(columns).intersection(header)))


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[Record]:
    """Yield the place and the fields, in the order of `columns`, of each row."""
    records = _records(path)
    place, header = next(records, (path.name, []))
    if sorted(header) != sorted(columns):
        raise DataError(f"{place}: expected the columns {','.join(columns)}, got {short(header)}")
    order = [header.index(column) for column in columns]
    for place, row in records:
        if len(row) != len(columns) or not all(row):
            raise DataError(f"{place}: expected {','.join(header)}, none empty, got {short(row)}")
        yield place, [row[i] for i in order]


def _records(path: Path) -> Generator[Record, None, None]:
    """Yield `file:line` and the fields of each line that is not blank."""
    with path.open("rb") as file:
        reader = csv.reader(_lines(path.name, file), strict=True)
        try:
            for row in reader:
                if row:
                    yield f"{path.name}:{reader.line_num}", row
        except csv.Error as error:
            raise DataError(f"{path.name}:{reader.line_num}: {error}") from error


def _lines(name: str, file: BinaryIO) -> Iterator[str]:
    """Yield lines of text, never more than LONGEST_LINE in memory, and the number at fault."""
    for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), 1):
        if len(line) > LONGEST_LINE:
            raise DataError(f"{name}:{number}: a line longer than {LONGEST_LINE:,} bytes")
        if b"\0" in line:
            raise DataError(f"{name}:{number}: a NUL byte; expected text in UTF-8")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{name}:{number}: {error.reason}; expected text in UTF-8") from error
        yield text
