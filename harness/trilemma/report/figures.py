"""Figures, drawn by Matplotlib (`pip install 'trilemma[plot]'`); nothing else imports it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from trilemma.errors import DataError, UsageError
from trilemma.model import FloatArray

if TYPE_CHECKING:
    from trilemma.report.retention import RetentionMap

__all__ = ["check", "draw_dividends", "draw_map"]

SUFFIXES = (".svg", ".png", ".pdf")
COLOURS = "viridis"
STROKES = ("-", "--", ":")  # so that a line on top of another leaves it seen
COLUMNS = 2  # of panels


def check(path: str) -> None:
    """Raise unless a figure may have this name."""
    if Path(path).suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: a figure must end in one of {', '.join(SUFFIXES)}")


def draw_map(answer: RetentionMap, path: str) -> None:
    """Draw the retention lines, one panel per mechanism; the suffix of the path is the format."""
    figure, panels = _panels(len(answer.surfaces), (4.6, 4.2))
    colours = _colours(len(answer.stakes))
    parts = np.linspace(0, 1, answer.experiment["grid"])
    for panel, (label, surfaces) in zip(panels, answer.surfaces.items(), strict=True):
        panel.set_title(label, fontsize="medium")
        panel.set_aspect("equal")
        for colour, (stake, surface) in zip(colours, surfaces.items(), strict=True):
            if np.ptp(surface - stake) > 0 and surface.min() < stake < surface.max():
                panel.contour(parts, parts, surface, [stake], colors=[colour], linewidths=1.4)
            panel.plot([], [], color=colour, label=f"{stake:.2f}")
        panel.set_xlabel("honest self-weight (W_H)")
        panel.set_ylabel("cabal self-weight (W_C)")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, title="honest stake", loc="outside right center", frameon=False)
    figure.suptitle("Right of its line, the honest side keeps its share of stake", fontsize="large")
    _save(figure, path)


def draw_dividends(
    histories: Mapping[str, FloatArray], names: Sequence[str], path: str, title: str = ""
) -> None:
    """Draw dividends per epoch, one panel per mechanism.

    Parameters
    ----------
    histories : mapping
        Label to dividends, ndarray (T, n).
    names : sequence of str
        Of the n validators.
    path : str
        Its suffix is the format.
    title : str
    """
    figure, panels = _panels(len(histories), (5.2, 2.9))
    for panel, (label, dividends) in zip(panels, histories.items(), strict=True):
        panel.set_title(label, fontsize="medium")
        lines = zip(_colours(len(names)), cycle(STROKES), names, dividends.T, strict=False)
        for colour, stroke, name, series in lines:
            panel.plot(series, stroke, color=colour, label=name, linewidth=1.8)
        panel.set_xlabel("epoch")
        panel.set_ylabel("share of dividends")
        panel.set_ylim(-0.02, 1.02)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False)
    figure.suptitle(title, fontsize="large")
    _save(figure, path)


def _panels(count: int, size: tuple[float, float]) -> tuple[Figure, list[Any]]:
    columns = min(COLUMNS, max(count, 1))
    rows = -(-max(count, 1) // columns)
    figure = Figure((columns * size[0] + 1.2, rows * size[1] + 0.5), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for spare in panels[count:]:
        spare.set_axis_off()
    return figure, panels[:count] if count else panels


def _colours(count: int) -> list[Any]:
    return [mpl.colormaps[COLOURS](place) for place in np.linspace(0, 0.92, max(count, 1))][:count]


def _save(figure: Figure, path: str) -> None:
    # Without a date and with fixed ids the same question gives the same bytes.
    metadata = {"Date": None} if path.lower().endswith(".svg") else None
    try:
        with mpl.rc_context({"svg.hashsalt": "trilemma"}):
            figure.savefig(path, metadata=metadata, dpi=150)
    except OSError as error:
        raise DataError(f"{path}: cannot write the figure ({error.strerror})") from error
