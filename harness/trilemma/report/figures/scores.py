"""Scores along a range, and settings on the frontier."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D

from trilemma.report.figures.drawing import STROKES, colours_of, panels_of, save

if TYPE_CHECKING:
    from trilemma.report.frontier import Candidate, Frontier
    from trilemma.report.sweep import Curve, Sweep

__all__ = ["draw_frontier", "draw_sweep"]

FAINT = "0.72"
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
        styles = zip(ranked, colours_of(len(ranked), 0.85), cycle(STROKES[:2]), strict=False)
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
    save(figure, path)


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
    figure, panels = panels_of(2, (4.8, 4.6))
    heads = list(dict.fromkeys(candidate.mechanism for candidate in answer.candidates))
    colours = dict(zip(heads, colours_of(len(heads), 0.85), strict=True))
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
    save(figure, path)


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
