"""Networks kept as two CSV files: edges (from,to,value or i,j,v) and stakes (id,stake or i,v)."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Generator, Iterator, Sequence, Sized
from contextlib import closing
from pathlib import Path
from reprlib import repr as short
from typing import BinaryIO, NamedTuple, TypeAlias

import numpy as np

from trilemma.errors import DataError
from trilemma.importers.limits import MOST_NUMBERS, check_growth
from trilemma.importers.network import Network
from trilemma.model import AnyArray

__all__ = ["read", "recognises"]

Record: TypeAlias = tuple[str, list[str]]  # `file:line`, fields

EDGES = ("from", "to", "value")
STAKES = ("id", "stake")
# local trust and pre-trust of EigenTrust; who has no pre-trust is left out of its file
TRUST = ("i", "j", "v")
PRETRUST = ("i", "v")
KINDS = {EDGES: "edges", STAKES: "stakes", TRUST: "edges", PRETRUST: "stakes"}
LONGEST_LINE = 2**16  # bytes
MOST_IDS = 2**20  # a million short ones take 200 MB
SHOWN = 80  # letters of a field that a message shows


class _File(NamedTuple):
    path: Path
    columns: tuple[str, ...]


def recognises(head: bytes) -> bool:
    """Tell whether a file with these first bytes names our columns in its first line."""
    line = head.partition(b"\n")[0].removeprefix(b"\xef\xbb\xbf")
    names = {field.strip(b'" \r').decode("latin-1") for field in line.split(b",")}
    return not names.isdisjoint(EDGES + STAKES) or names in (set(TRUST), set(PRETRUST))


def read(paths: Sequence[Path]) -> Network:
    """Read a network of one epoch; its stake is int64 if all are whole.

    Validators are the ids of the stakes file, in its order; miners are the ids in `to`, in the
    order of their first appearance. What no edge says is 0. Who is in `i` of local trust, but
    not of pre-trust, is a validator with stake 0.

    Raises
    ------
    DataError
        Unless there is one file of edges and one of stakes. With file and line, if a row is
        malformed or repeated, or names an unknown validator.
    """
    edges, stakes = _pair(paths)
    held = _stakes(stakes)
    miners, weights = _weights(edges, held, stakes)
    return Network(
        edges.path.name,
        _stake_array(list(held.values())),
        weights,
        validator_names=tuple(held),
        miner_names=tuple(miners),
    )


def _pair(paths: Sequence[Path]) -> tuple[_File, _File]:
    """Return the file of edges and the file of stakes, told apart by their headers."""
    found: dict[str, _File] = {}
    for path in paths:
        file = _File(path, _columns(path))
        kind = KINDS[file.columns]
        if kind in found:
            raise DataError(
                f"{path.name}: a second file of {kind}, after {found[kind].path.name}; pass one "
                "file of edges and one of stakes"
            )
        found[kind] = file
    for columns, kind in ((EDGES, "edges"), (STAKES, "stakes")):
        if kind not in found:
            raise DataError(
                f"{paths[0].name}: the file of {kind} ({','.join(columns)}) is missing; "
                "pass both: --network edges.csv --network stakes.csv"
            )
    return found["edges"], found["stakes"]


def _stakes(file: _File) -> dict[str, int | float]:
    held: dict[str, int | float] = {}
    for place, (identity, text) in _rows(file):
        if identity in held:
            raise DataError(f"{place}: id {identity[:SHOWN]!r} a second time; keep one row")
        held[identity] = _number(place, text)
        _check_ids(place, held)
    if not held:
        raise DataError(f"{file.path.name}: no rows; expected a validator's id,stake on each")
    return held


def _stake_array(stakes: list[int | float]) -> AnyArray:
    whole = all(stake == int(stake) for stake in stakes) and max(stakes) <= np.iinfo(np.int64).max
    return np.array([stakes], np.int64 if whole else np.float64)


def _weights(
    file: _File, held: dict[str, int | float], stakes: _File
) -> tuple[list[str], AnyArray]:
    """Return the miners and the matrix; who is missing in pre-trust joins the validators."""
    validators = {identity: row for row, identity in enumerate(held)}
    miners: dict[str, int] = {}
    lines, rows, columns, values = array("i"), array("i"), array("i"), array("d")
    for place, (source, target, text) in _rows(file):
        if source not in validators:
            _add(place, source, held, stakes)
            validators[source] = len(validators)
        miners.setdefault(target, len(miners))
        _check_ids(place, miners)
        if len(validators) * len(miners) > MOST_NUMBERS:
            raise DataError(
                f"{place}: too large; at most {MOST_NUMBERS:,} pairs of validator and miner "
                f"are read (2 GiB as float64), and there are {len(validators):,} validators"
            )
        lines.append(int(place.rpartition(":")[2]))
        rows.append(validators[source])
        columns.append(miners[target])
        values.append(_number(place, text))
    if not miners:
        raise DataError(f"{file.path.name}: no rows; expected an edge from,to,value on each")
    check_growth(
        f"{file.path.name}: {len(validators):,} validators by {len(miners):,} miners",
        8 * len(validators) * len(miners),
        file.path.stat().st_size + stakes.path.stat().st_size,
    )
    names = list(validators), list(miners)
    cells = np.array(rows, np.int64) * len(miners) + np.array(columns)
    _check_pairs(file.path.name, np.array(lines), cells, names)
    weights = np.zeros((1, len(validators), len(miners)))
    weights.reshape(-1)[cells] = values
    return list(miners), weights


def _add(place: str, source: str, held: dict[str, int | float], stakes: _File) -> None:
    if stakes.columns != PRETRUST:
        raise DataError(
            f"{place}: from {source[:SHOWN]!r} has no row in {stakes.path.name}; add its stake"
        )
    held[source] = 0
    _check_ids(place, held)


def _check_ids(place: str, ids: Sized) -> None:
    if len(ids) > MOST_IDS:
        raise DataError(f"{place}: too large; at most {MOST_IDS:,} ids are read")


def _check_pairs(
    name: str, lines: AnyArray, cells: AnyArray, names: tuple[list[str], list[str]]
) -> None:
    """Refuse the first edge that is there twice."""
    order = np.argsort(cells, kind="stable")
    again = order[1:][cells[order][1:] == cells[order][:-1]]
    if len(again):
        validators, miners = names
        row, column = divmod(int(cells[again.min()]), len(miners))
        raise DataError(
            f"{name}:{lines[again.min()]}: edge from {validators[row][:SHOWN]!r} to "
            f"{miners[column][:SHOWN]!r} a second time; keep one row"
        )


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
    # i,v is a part of i,j,v: of as many columns in common, those with fewer others are closer
    return max(KINDS, key=lambda columns: (len({*columns} & {*header}), -len(columns)))


def _rows(file: _File) -> Iterator[Record]:
    """Yield the place and the fields, in the order of the columns, of each row."""
    path, columns = file
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
