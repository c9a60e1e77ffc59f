"""Figures, drawn by Matplotlib (`pip install 'trilemma[plot]'`); nothing else imports it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D

from trilemma.errors import DataError, UsageError
from trilemma.model import FloatArray

if TYPE_CHECKING:
    from trilemma.report.frontier import Candidate, Frontier
    from trilemma.report.retention import RetentionMap
    from trilemma.report.sweep import Curve, Sweep

__all__ = ["check", "draw_dividends", "draw_frontier", "draw_map", "draw_shares", "draw_sweep"]

SUFFIXES = (".svg", ".png", ".pdf")
COLOURS = "viridis"
STROKES = ("-", "--", ":")  # so that a line on top of another leaves it seen
COLUMNS = 2  # of panels
FAINT = "0.72"
LEGIBLE = 0.6  # shares above which black is no longer read
TITLES = {
    "minimum": "minimum of the three scores",
    "sybil_resistance": "Sybil resistance (SR)",
    "neutrality": "neutrality (CN)",
    "quality_attacked": "quality under attack (Q)",
}
AXES = {
    "identity_cost": "price of an identity (1: all that an epoch pays)",
    "identities": "identities that a principal may use per role",
    "stake": "largest share of stake that the attacker may hold",
    "insiders": "principals in the coalition",
}


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


def draw_shares(
    rows: Mapping[str, Sequence[float]], columns: Sequence[str], path: str, title: str, across: str
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
    """
    values = np.array([*rows.values()], np.float64)
    figure = Figure(figsize=(3 + 0.55 * len(columns), 1.4 + 0.3 * len(rows)), layout="constrained")
    panel = figure.subplots()
    panel.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    panel.set_xticks(range(len(columns)), columns)
    panel.set_yticks(range(len(rows)), [*rows])
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if value > LEGIBLE else "black"
        panel.text(column, row, f"{value:.2f}", color=colour, ha="center", va="center")
    panel.set_xlabel(across)
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    figure.suptitle(title, fontsize="large")
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


def draw_sweep(answer: Sweep, path: str) -> None:
    """Draw the minima along a range and where they turn over, and the three scores beside them.

    A mechanism whose minimum is 0 all along takes no part in the order; it is drawn faintly.
    """
    figure = Figure((10.6, 6.0), layout="constrained")
    layout: Any = [["minimum", score] for score in tuple(TITLES)[1:]]
    panels = figure.subplot_mosaic(layout, width_ratios=[2.2, 1], sharex=True)
    ranked = [curve for curve in answer.curves if curve.best("minimum").minimum.value > 0]
    flat = [curve for curve in answer.curves if curve not in ranked]
    for score, panel in panels.items():
        for curve in flat if score != "minimum" else ():
            _band(panel, curve, score, FAINT, "-", 1.0)
        styles = zip(ranked, _colours(len(ranked), 0.85), cycle(STROKES[:2]), strict=False)
        for curve, colour, stroke in styles:
            _band(panel, curve, score, colour, stroke, 2.0)
        panel.set_title(TITLES[score], fontsize="medium", loc="left")
        panel.set_ylim(-0.03, 1.03)
        panel.grid(axis="y", color="0.92")
        panel.spines[["top", "right"]].set_visible(False)
    main = panels["minimum"]
    if answer.parameter == "identities":
        main.set_xscale("log", base=2)
        main.set_xticks(answer.values, labels=[f"{value:g}" for value in answer.values])
    main.set_xlim(answer.values[0], answer.values[-1])
    main.set_xlabel(AXES.get(answer.parameter, answer.parameter.replace("_", " ")))
    handles, names = main.get_legend_handles_labels()
    below = figure.legend(handles, names, loc="outside lower left", ncols=5, frameon=False)
    if flat:
        said = f"grey: minimum 0 all along ({', '.join(curve.label for curve in flat)})"
        below.set_title(said, FontProperties(size="small"))
        below.set_alignment("left")
    _turnovers(main, answer)
    _save(figure, path)


def _band(panel: Any, curve: Curve, score: str, colour: Any, stroke: str, width: float) -> None:
    places = [point.at for point in curve.points]
    found = [getattr(point, score) for point in curve.points]
    low, high = ([getattr(it, end) for it in found] for end in ("low", "high"))
    panel.fill_between(places, low, high, color=colour, alpha=0.2, linewidth=0)
    values = [it.value for it in found]
    panel.plot(places, values, stroke, color=colour, linewidth=width, label=curve.label)


def _turnovers(panel: Any, answer: Sweep) -> None:
    """Mark where minima turn over, with their intervals, and say so where no curve is."""
    heights = {
        curve.label: [point.minimum.value for point in curve.points] for curve in answer.curves
    }
    dot: dict[str, Any] = {"marker": "o", "color": "white", "markeredgecolor": "black"}
    for crossing in answer.crossings:
        at: Any = crossing.at  # a crossing is somewhere
        # Where one of the curves jumps, the dot belongs on the other.
        curves = (heights[crossing.below], heights[crossing.above])
        height = max(float(np.interp(at.value, answer.values, curve)) for curve in curves)
        panel.plot([at.low, at.high], [height, height], color="black", linewidth=4, alpha=0.4)
        panel.plot(at.value, height, linestyle="", zorder=5, **dot)
    if answer.crossings:
        dots = [Line2D([], [], linestyle="", **dot) for _ in answer.crossings]
        panel.legend(dots, map(str, answer.crossings), fontsize="small", framealpha=0.9)


def draw_frontier(answer: Frontier, path: str) -> None:
    """Draw every setting by neutrality: against Sybil resistance, and against quality.

    Filled: no other setting beats it. Those that have a name are diamonds, named in the legend.
    """
    figure, panels = _panels(2, (4.8, 4.6))
    heads = list(dict.fromkeys(candidate.mechanism for candidate in answer.candidates))
    colours = dict(zip(heads, _colours(len(heads), 0.85), strict=True))
    for panel, score in zip(panels, ("sybil_resistance", "quality_attacked"), strict=True):
        for candidate in sorted(answer.candidates, key=lambda it: it.setting is not None):
            _dot(panel, candidate, score, colours[candidate.mechanism])
        panel.set_xlabel(TITLES["neutrality"])
        panel.set_ylabel(TITLES[score])
        panel.set_xlim(-0.03, 1.03)
        panel.set_ylim(-0.03, 1.03)
        panel.grid(color="0.92")
        panel.spines[["top", "right"]].set_visible(False)
    handles, names = panels[0].get_legend_handles_labels()
    named = {candidate.mechanism for candidate in answer.candidates if candidate.setting}
    for head in (head for head in heads if head not in named):
        handles.append(Line2D([], [], marker="o", linestyle="", color=colours[head]))
        names.append(head)
    figure.legend(handles, names, loc="outside right center", frameon=False)
    figure.suptitle("Filled: no other setting is as good in all three scores", fontsize="medium")
    _save(figure, path)


def _dot(panel: Any, candidate: Candidate, score: str, colour: Any) -> None:
    across, up = candidate.neutrality, getattr(candidate, score)
    spread = [[[it.value - it.low], [it.high - it.value]] for it in (across, up)]
    named = candidate.setting is not None
    panel.errorbar(
        across.value,
        up.value,
        xerr=spread[0],
        yerr=spread[1],
        fmt="D" if named else "o",
        markersize=8 if named else 6,
        color=colour,
        markerfacecolor=colour if candidate.beaten is None else "white",
        markeredgewidth=2 if named else 1,
        elinewidth=1,
        zorder=4 if named else 3,
        label=f"{candidate.mechanism}: {candidate.setting}" if named else None,
    )


def _panels(count: int, size: tuple[float, float]) -> tuple[Figure, list[Any]]:
    columns = min(COLUMNS, max(count, 1))
    rows = -(-max(count, 1) // columns)
    figure = Figure((columns * size[0] + 1.2, rows * size[1] + 0.5), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for spare in panels[count:]:
        spare.set_axis_off()
    return figure, panels[:count] if count else panels


def _colours(count: int, brightest: float = 0.92) -> list[Any]:
    places = np.linspace(0, brightest, max(count, 1))
    return [mpl.colormaps[COLOURS](place) for place in places][:count]


def _save(figure: Figure, path: str) -> None:
    # Without a date and with fixed ids the same question gives the same bytes.
    metadata = {"Date": None} if path.lower().endswith(".svg") else None
    try:
        with mpl.rc_context({"svg.hashsalt": "trilemma"}):
            figure.savefig(path, metadata=metadata, dpi=150)
    except OSError as error:
        raise DataError(f"{path}: cannot write the figure ({error.strerror})") from error
