"""Lines of the retention map, and dividends from epoch to epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from trilemma.model import FloatArray
from trilemma.report.figures.drawing import STROKES, colours_of, panels_of, save

if TYPE_CHECKING:
    from trilemma.report.retention import RetentionMap

__all__ = ["draw_dividends", "draw_map"]


def draw_map(answer: RetentionMap, path: str) -> None:
    """Draw the retention lines, one panel per mechanism; the suffix of the path is the format."""
    figure, panels = panels_of(len(answer.surfaces), (4.6, 4.2))
    colours = colours_of(len(answer.stakes))
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
    save(figure, path)


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
    figure, panels = panels_of(len(histories), (5.2, 2.9))
    for panel, (label, dividends) in zip(panels, histories.items(), strict=True):
        panel.set_title(label, fontsize="medium")
        lines = zip(colours_of(len(names)), cycle(STROKES), names, dividends.T, strict=False)
        for colour, stroke, name, series in lines:
            panel.plot(series, stroke, color=colour, label=name, linewidth=1.8)
        panel.set_xlabel("epoch")
        panel.set_ylabel("share of dividends")
        panel.set_ylim(-0.02, 1.02)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False)
    figure.suptitle(title, fontsize="large")
    save(figure, path)
