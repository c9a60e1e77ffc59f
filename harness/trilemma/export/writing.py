"""Rows as files: CSV, JSON, Markdown, and Parquet with the extra `data`."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from trilemma.errors import DataError, UsageError
from trilemma.report.diff import code
from trilemma.specs import meant
from trilemma.store import writing

__all__ = ["FORMATS", "Table", "format_of", "send", "write"]

FORMATS = ("csv", "json", "md", "parquet")
AT_ONCE = 4096  # rows of text that are in memory
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "'")


class Table(Protocol):
    """Rows of one kind.

    Parameters
    ----------
    row : type
        A `NamedTuple` of texts and numbers, each of which may be None if it says so.
    """

    @property
    def row(self) -> Any:
        """The kind."""

    def __iter__(self) -> Iterator[Any]: ...


def write(table: Table, file: str | os.PathLike[str], format: str | None = None) -> None:
    """Write rows to a file, whole or not at all; a few thousand are in memory at a time.

    Parameters
    ----------
    table : Cells or Scores
    file : path
    format : {"csv", "json", "md", "parquet"}, optional
        Default: what the file's name ends with.

    Raises
    ------
    UsageError
        If the format is unknown, or needs what is not installed.
    DataError
        If the file cannot be written, or the rows cannot be read.
    """
    path, chosen = Path(file), format_of(file, format)
    if path.exists() and not path.is_file():  # as root, /dev/null would be replaced
        raise DataError(f"{path}: cannot write the table there; name a file")
    try:
        with writing(path) as out:
            send(table, out, chosen)
    except OSError as error:
        raise DataError(f"{path}: cannot write the table ({error.strerror})") from error


def send(table: Table, file: BinaryIO, format: str) -> None:
    """Write rows to what takes bytes; parameters and errors as of `write`."""
    if format == "parquet":
        _parquet(table, file)
        return
    for text in TEXTS[format](table):
        file.write(text.encode())


def format_of(file: str | os.PathLike[str], format: str | None = None) -> str:
    """Return the format that is asked for, or else the one that a file's name ends with.

    Raises
    ------
    UsageError
        If there is no such format.
    """
    asked = Path(file).suffix[1:].lower() if format is None else format
    if asked not in FORMATS:
        said = f"{os.fspath(file)}: its name ends with no format" if format is None else "format"
        raise UsageError(
            f"{said}: expected {', '.join(FORMATS)}, got {asked!r}{meant(asked, FORMATS)}"
        )
    return asked


def _parquet(table: Table, file: BinaryIO) -> None:
    try:
        from trilemma.export.parquet import send_parquet
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow: pip install 'trilemma[data]', or choose csv, json or md"
        ) from error
    send_parquet(table.row, iter(table), file)


def _csv(table: Table) -> Iterator[str]:
    """Yield CSV as RFC 4180 has it; floats have all their digits, and None is empty."""
    rows = iter(table)
    yield ",".join(table.row._fields) + "\r\n"
    while some := list(islice(rows, AT_ONCE)):
        text = StringIO(newline="")
        csv.writer(text).writerows(map(_harmless, some))
        yield text.getvalue()


def _harmless(row: Iterable[Any]) -> list[Any]:
    return [_quoted(it) if isinstance(it, str) else it for it in row]


@lru_cache(maxsize=AT_ONCE)
def _quoted(text: str) -> str:
    # A spreadsheet would run what begins like a formula; the quote itself, so that all come back.
    return f"'{text}" if text.startswith(FORMULAS) else text


def _json(table: Table) -> Iterator[str]:
    """Yield a list of objects, one a line."""
    before = "[\n"
    for row in table:
        yield before + json.dumps(row._asdict(), allow_nan=False)
        before = ",\n"
    yield "\n]\n" if before[0] == "," else "[]\n"


def _markdown(table: Table) -> Iterator[str]:
    """Yield a table in which no text has a meaning of its own; floats have all their digits."""
    fields = table.row._fields
    kinds = ("---:" if "str" not in str(table.row.__annotations__[it]) else "---" for it in fields)
    yield f"| {' | '.join(fields)} |\n| {' | '.join(kinds)} |\n"
    for row in table:
        yield f"| {' | '.join(map(_shown, row))} |\n"


def _shown(value: object) -> str:
    if isinstance(value, str):
        return code(value)
    return "" if value is None else repr(value)


TEXTS = {"csv": _csv, "json": _json, "md": _markdown}
