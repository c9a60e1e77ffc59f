"""A report in its run's folder: `report.json`, what it says, and `report.html`, the page of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import UndefinedError

from trilemma.errors import DataError, one_line
from trilemma.report.document import document
from trilemma.report.page import render

if TYPE_CHECKING:
    from trilemma.report import Report

__all__ = ["load", "rebuild", "save"]

DOCUMENT, PAGE, PROPERTIES = "report.json", "report.html", "properties.json"
# what a file that is JSON, but no report, makes of the page
FAULTS = (AttributeError, IndexError, KeyError, TypeError, ValueError, UndefinedError)


def save(report: Report, folder: Path) -> Path:
    """Write what a report says, and its page, and the witnesses; return the page's path.

    Raises
    ------
    DataError
        If they cannot be written.
    """
    for witness in report.witnesses:
        witness.save(folder / "witnesses")
    told = json.dumps(document(report), indent=1, allow_nan=False)
    _write(folder / DOCUMENT, f"{told}\n")
    return rebuild(folder)


def rebuild(folder: Path) -> Path:
    """Write the page of a run again, with `properties.json` if there is one; return its path.

    Raises
    ------
    DataError
        If the folder holds no report, or cannot be written.
    """
    properties = folder / PROPERTIES
    told, found = load(folder), _read(properties) if properties.exists() else None
    try:
        page = render(told, found)
    except FAULTS as error:
        reason = one_line(error)[:200]
        raise DataError(
            f"{folder}: {DOCUMENT} or {PROPERTIES} is not of this program ({reason}); run the "
            "comparison, or trilemma check, again"
        ) from error
    _write(folder / PAGE, page)
    return folder / PAGE


def load(folder: Path) -> dict[str, Any]:
    """Return what the report of a run says.

    Raises
    ------
    DataError
        If the folder holds none.
    """
    path = folder / DOCUMENT
    if not path.is_file():
        raise DataError(
            f"{folder}: no {DOCUMENT} in it; expected the folder of a finished comparison, "
            "trilemma compare --out RUN"
        )
    return _read(path)


def _read(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON; run what wrote it again") from error
    if not isinstance(told, dict):
        raise DataError(f"{path}: expected an object, got {type(told).__name__}")
    return told


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from error
