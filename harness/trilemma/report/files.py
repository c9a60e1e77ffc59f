"""A report in its run's folder: `report.json`, what it says; `report.html`, the page of it.

`scores.npz` holds the scores of every resample, for `trilemma diff`: `labels` (k,), and `scores`
(k, 2, 4, 1 + resamples) as `Row.sampled` has them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trilemma.errors import DataError, one_line
from trilemma.model import AnyArray, FloatArray
from trilemma.report.document import document
from trilemma.report.model import KEPT_SCORES
from trilemma.statistics import RESAMPLES
from trilemma.store import written

if TYPE_CHECKING:
    from zipfile import ZipFile

    from trilemma.report import Report

__all__ = ["PAGE", "keep", "load", "load_scores", "rebuild", "save"]

DOCUMENT, PAGE, PROPERTIES = "report.json", "report.html", "properties.json"
SCORES = "scores.npz"
# what a file that is JSON, but no report, makes of the page
FAULTS = (AttributeError, IndexError, KeyError, TypeError, ValueError)


def save(report: Report, folder: Path) -> Path:
    """Write what a report says, and its page, and the witnesses; return the page's path.

    Raises
    ------
    DataError
        If they cannot be written.
    """
    for witness in report.witnesses:
        witness.save(folder / "witnesses")
    keep(folder / SCORES, _scores(report))
    told = json.dumps(document(report), indent=1, allow_nan=False)
    keep(folder / DOCUMENT, f"{told}\n".encode())
    return rebuild(folder)


def rebuild(folder: Path) -> Path:
    """Write the page of a run again, with `properties.json` if there is one; return its path.

    Raises
    ------
    DataError
        If the folder holds no report, or cannot be written.
    """
    # here, because whoever imports trilemma would wait 40 ms for the templates' library
    from jinja2 import UndefinedError

    from trilemma.report.page import render

    properties = folder / PROPERTIES
    told, found = load(folder), _read(properties) if properties.exists() else None
    try:
        page = render(told, found)
    except (*FAULTS, UndefinedError) as error:
        reason = one_line(error)[:200]
        raise DataError(
            f"{folder}: {DOCUMENT} or {PROPERTIES} is not of this program ({reason}); run the "
            "comparison, or trilemma check, again"
        ) from error
    keep(folder / PAGE, page.encode())
    return folder / PAGE


def load(folder: Path) -> dict[str, Any]:
    """Return what the report of a run says.

    Raises
    ------
    DataError
        If the folder holds none.
    """
    return _read(_there(folder, DOCUMENT))


def load_scores(folder: Path, labels: Sequence[str]) -> FloatArray:
    """Return the scores of every resample, (k, 2, 4, 1 + resamples), of these k mechanisms.

    Raises
    ------
    DataError
        If the folder does not hold them.
    """
    from trilemma.importers.archives import opened

    path = folder / SCORES
    if not path.is_file():
        raise DataError(
            f"{folder}: no {SCORES} in it, which older versions did not keep; repeat the same "
            f"compare command with --out {folder} to add it (nothing is computed again)"
        )
    shape = (len(labels), 2, len(KEPT_SCORES), 1 + RESAMPLES)
    try:
        with opened(path) as archive:
            kept = _array(archive, "labels", "U", shape[:1]).tolist()
            scores: FloatArray = _array(archive, "scores", "f", shape)
        if kept != list(labels) or not np.isfinite(scores).all():
            raise DataError(f"not of the mechanisms in {DOCUMENT}, or not of numbers")
    except DataError as error:
        raise DataError(
            f"{path}: not the scores of this run ({error}); repeat the same compare command with "
            f"--out {folder}"
        ) from error
    return scores


def _scores(report: Report) -> bytes:
    labels = np.array([row.label for row in report.rows], np.str_)
    shape = (len(report.rows), 2, len(KEPT_SCORES), 1 + RESAMPLES)
    scores = np.array([row.sampled for row in report.rows], np.float64).reshape(shape)
    file = BytesIO()
    np.savez_compressed(file, labels=labels, scores=scores)
    return file.getvalue()


def _array(archive: ZipFile, name: str, kind: str, shape: tuple[int, ...]) -> AnyArray:
    """Return an array of an archive, having seen from its header that it is what is expected."""
    from trilemma.importers.archives import member

    file = BytesIO(member(archive, f"{name}.npy"))
    np.lib.format.read_magic(file)
    found, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if (found, fortran, dtype.kind) != (shape, False, kind):
        raise DataError(f"{name} is {dtype} {found}, expected kind {kind} {shape}")
    return np.ndarray(shape, dtype, file.read())


def _there(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise DataError(
            f"{folder}: no {name} in it; expected the folder of a finished comparison, "
            "trilemma compare --out RUN"
        )
    return path


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


def keep(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    try:
        written(path, content)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from error
