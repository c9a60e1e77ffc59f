"""What figures share: panels, colours, and how a file is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from trilemma.errors import DataError, UsageError

__all__ = ["STROKES", "check", "colours_of", "panels_of", "save"]

SUFFIXES = (".svg", ".png", ".pdf")
COLOURS = "viridis"
STROKES = ("-", "--", ":")  # so that a line on top of another leaves it seen
COLUMNS = 2  # of panels


def check(path: str) -> None:
    """Raise unless a figure may have this name."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: a figure must end in one of {', '.join(SUFFIXES)}")


def panels_of(count: int, size: tuple[float, float]) -> tuple[Figure, list[Any]]:
    """Return a figure and as many panels in it, each of a size in inches."""
    columns = min(COLUMNS, max(count, 1))
    rows = -(-max(count, 1) // columns)
    figure = Figure((columns * size[0] + 1.2, rows * size[1] + 0.5), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for spare in panels[count:]:
        spare.set_axis_off()
    return figure, panels[:count] if count else panels


def colours_of(count: int, brightest: float = 0.92) -> list[Any]:
    """Return colours that differ in brightness."""
    places = np.linspace(0, brightest, max(count, 1))
    return [mpl.colormaps[COLOURS](place) for place in places][:count]


def save(figure: Figure, path: str) -> None:
    """Write a figure; the suffix of the path is the format."""
    # Without a date and with fixed ids the same question gives the same bytes.
    metadata = {"Date": None} if path.lower().endswith(".svg") else None
    try:
        with mpl.rc_context({"svg.hashsalt": "trilemma"}):
            figure.savefig(path, metadata=metadata, dpi=150)
    except OSError as error:
        raise DataError(f"{path}: cannot write the figure ({error.strerror})") from error
