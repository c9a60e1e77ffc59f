"""Read a study file, and say everything that is wrong with it at once."""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path
from typing import Any

from trilemma.errors import DataError, TrilemmaError, UsageError
from trilemma.importers.paths import printable
from trilemma.study.asking import Asked
from trilemma.study.places import KeyPath, places
from trilemma.study.study import Study

__all__ = ["read_study", "schema", "study_of"]

LARGEST = 2**20  # bytes
# tomllib takes time with the square of the words between dots
DOTTED = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){64}""")
MOST_LINES = 20  # of complaints
EXPECTED = "expected a study in TOML, as in docs/how-to/study.md"


def read_study(path: str | Path) -> Study:
    """Read a study file.

    Relative paths in it are relative to its folder.

    Parameters
    ----------
    path : path
        A TOML file; `trilemma run --schema` prints what may be in it.

    Returns
    -------
    Study
        Its network is read, and all that can be known before the work is checked.

    Raises
    ------
    UsageError
        If something in it is unknown, of the wrong type or out of range: a line for each.
    DataError
        If it, or nothing but a file that it names, cannot be read.
    """
    path = Path(path)
    return study_of(path, path.parent)


def study_of(path: Path, folder: Path) -> Study:
    """Read a study file whose relative paths start from some folder; errors as `read_study`."""
    source = _content(path)
    text = _text(path, source)
    asked = Asked(_document(path, text), folder)
    study = asked.study(source)
    if study is None:
        raise _refused(path, text, asked.faults)
    return study


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a study file."""
    from trilemma.study import shape

    return shape.schema()


def _content(path: Path) -> bytes:
    """Return the bytes of a file; one that is not regular might never end."""
    try:
        if not path.is_file():
            what = "not a regular file" if path.exists() else "no such file"
            raise DataError(printable(f"{path}: {what}; {EXPECTED}"))
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise DataError(printable(f"{path}: cannot be read ({error.strerror})")) from error
    if len(content) > LARGEST:
        raise DataError(printable(f"{path}: more than {LARGEST:,} bytes; {EXPECTED}"))
    return content


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise DataError(printable(f"{path}: not UTF-8, so no TOML; {EXPECTED}")) from error


def _document(path: Path, text: str) -> dict[str, Any]:
    if DOTTED.search(text):
        raise DataError(printable(f"{path}: a key of 64 or more dotted words; {EXPECTED}"))
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise DataError(printable(f"{path}: nested too deeply; {EXPECTED}")) from error
    except ValueError as error:  # of tomllib; or of a whole number with thousands of digits
        raise DataError(printable(f"{path}: not TOML ({str(error)[:200]})")) from error


def _refused(path: Path, text: str, faults: list[tuple[KeyPath, TrilemmaError]]) -> TrilemmaError:
    """Return the error that says all faults, in the order of the file."""
    known = places(text)
    ordered = sorted(faults, key=lambda fault: _line(known, fault[0]) or math.inf)
    lines = []
    for at, error in ordered[:MOST_LINES]:
        line = _line(known, at)
        place = str(path) if line is None else f"{path}:{line}"
        lines.append(printable(f"{place}: {_written(at)}: {error}"))
    if len(faults) > MOST_LINES:
        lines.append(printable(f"{path}: {len(faults) - MOST_LINES:,} more; mend these first"))
    kind = UsageError if any(isinstance(it, UsageError) for _, it in faults) else DataError
    return kind("\n".join(lines))


def _line(known: dict[KeyPath, int], path: KeyPath) -> int | None:
    """Return the line of a path, or of what holds it; None where nothing of it was placed."""
    return next((known[path[:n]] for n in range(len(path), 0, -1) if path[:n] in known), None)


def _written(path: KeyPath) -> str:
    """Write a path as TOML has it, the places in arrays counted from 0."""
    said = "".join(f"[{it}]" if isinstance(it, int) else f".{_key(it)}" for it in path)
    return said.removeprefix(".")


def _key(key: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", key):
        return key
    return repr(key) if len(key) <= 60 else f"{key[:60]!r}..."
