"""Shares in [0, 1] as a table of colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from trilemma.report.figures.drawing import save

__all__ = ["draw_shares"]

LEGIBLE = 0.6  # shares above which black is no longer read


def draw_shares(
    rows: Mapping[str, Sequence[float]],
    columns: Sequence[str],
    path: str,
    title: str,
    across: str,
    *,
    slanted: bool = False,
) -> None:
    """Draw shares in [0, 1] as a table of colours.

    Parameters
    ----------
    rows : mapping
        Label to one share per column.
    columns : sequence of str
    path : str
        Its suffix is the format.
    title, across : str
        Above the figure, and what the columns are.
    slanted : bool
        Whether the columns' names are long.
    """
    values = np.array([*rows.values()], np.float64)
    tall = 1.4 + 0.3 * len(rows) + (1.5 if slanted else 0)
    figure = Figure(figsize=(3 + 0.55 * len(columns), tall), layout="constrained")
    panel = figure.subplots()
    panel.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    panel.set_xticks(range(len(columns)), columns)
    if slanted:
        panel.tick_params("x", rotation=55)
    panel.set_yticks(range(len(rows)), [*rows])
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if value > LEGIBLE else "black"
        panel.text(column, row, f"{value:.2f}", color=colour, ha="center", va="center")
    panel.set_xlabel(across)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    figure.suptitle(title, fontsize="large")
    save(figure, path)
