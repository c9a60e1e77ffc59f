"""Where everything stands in the page's drawings: numbers in, places in an SVG out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

__all__ = [
    "Bars",
    "Curves",
    "Frame",
    "Matrix",
    "Plane",
    "bars",
    "columns_of",
    "curves",
    "matrix",
    "plane",
    "shown",
]

COLOURS = 8  # that are told apart; the ninth mechanism has the first one's, dashed
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
CELL = (34.0, 26.0)
LETTER = 6.1  # width of a letter of a label, in units of a drawing
LONGEST = 28  # letters of a label that a drawing shows
SCORES = {"pay": "sybil_resistance", "twin": "neutrality"}  # by what a play is after
CUT = 0.5  # delta: a miner that loses this much is cut off


@dataclass(frozen=True)
class Frame:
    """A rectangle that holds 0 to `right` across and 0 to 1 upwards.

    Parameters
    ----------
    left, top, width, height : float
        In the units of the drawing.
    start, stop : float
        What its left and its right edge stand for.
    """

    left: float
    top: float
    width: float
    height: float
    start: float = 0.0
    stop: float = 1.0

    def x(self, value: float) -> float:
        """Return the place of a value, across."""
        part = (value - self.start) / (self.stop - self.start)
        return round(self.left + self.width * part, 2)

    def y(self, value: float) -> float:
        """Return the place of a value, from above."""
        return round(self.top + self.height * (1 - value), 2)

    @property
    def ticks(self) -> tuple[float, ...]:
        """Where the axes are marked."""
        return TICKS


def shown(label: str) -> str:
    """Return as much of a label as a drawing has room for."""
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"


def _room(labels: Iterable[str]) -> float:
    """Return what labels need at the left of a drawing."""
    return 16 + LETTER * max((len(shown(label)) for label in labels), default=0)


def _colour(place: int) -> int:
    return place % COLOURS


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x},{y}" for x, y in points)


# --- Sybil resistance against neutrality ---------------------------------------------------------


@dataclass(frozen=True)
class Plane:
    """The trade-off: every mechanism a dot, at every price of an identity.

    Parameters
    ----------
    frame : Frame
    prices : list of float
    start : int
        Which of them is the budget's.
    dots : list of dict
        `label`, `control`, `colour`, `dashed`, `x`, `y`, `r`, `path` (along the prices) and
        `here` (the scores at the budget's price).
    pareto : str
        The line through those that nobody beats in both scores.
    """

    frame: Frame
    prices: list[float]
    start: int
    dots: list[dict[str, Any]]
    pareto: str


def plane(document: Mapping[str, Any]) -> Plane:
    """Return the places of the trade-off plane."""
    frame = Frame(58, 26, 396, 310)
    rows = document["mechanisms"]
    prices = [point["price"] for point in rows[0]["by_price"]] if rows else []
    start = prices.index(document["budget"]["identity_cost"]) if rows else 0
    dots = []
    for place, row in enumerate(rows):
        here = row["by_price"][start]
        track = [_at(frame, point) for point in row["by_price"]]
        x, y = track[start]
        dots.append(
            {
                "label": row["label"],
                "control": row["control"],
                "colour": _colour(place),
                "dashed": place >= COLOURS,
                "x": x,
                "y": y,
                "r": radius(here["quality_attacked"]["value"]),
                "path": _path(track),
                "here": here,
            }
        )
    return Plane(frame, prices, start, dots, _path(_undominated(dots)) if dots else "")


def radius(quality: float) -> float:
    """Return the radius of a dot whose area grows with quality; page.js has the same."""
    return round(4 + 8 * sqrt(quality), 2)


def _at(frame: Frame, point: Mapping[str, Any]) -> tuple[float, float]:
    return frame.x(point["neutrality"]["value"]), frame.y(point["sybil_resistance"]["value"])


def _undominated(dots: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """Return the corners of the Pareto line, from the left; upwards is a smaller y."""
    line: list[tuple[float, float]] = []
    for x, y in sorted({(dot["x"], dot["y"]) for dot in dots}, key=lambda it: (-it[0], it[1])):
        if not line or y < line[-1][1]:
            line += [(x, line[-1][1])] if line else []
            line.append((x, y))
    return line[::-1]


# --- cut-off curves ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Curves:
    """D(b) of each mechanism.

    Parameters
    ----------
    frame : Frame
        Of each panel.
    cut : float
        Height from which a miner counts as cut off.
    panels : list of dict
        `label`, `colour` and `lines`: `side`, `identities`, `number`, `path` and `marks`, each
        (x, y, b, D).
    """

    frame: Frame
    cut: float
    panels: list[dict[str, Any]]


def curves(document: Mapping[str, Any]) -> Curves:
    """Return the places of the cut-off curves."""
    frame = Frame(30, 10, 164, 96, 1, 10)
    panels = []
    for place, row in enumerate(document["mechanisms"]):
        lines = [
            _line(frame, side, count, row[side])
            for side, count in (("verified", 1), ("free", document["budget"]["identities"]))
        ]
        panels.append({"label": row["label"], "colour": _colour(place), "lines": lines})
    return Curves(frame, frame.y(CUT), panels)


def _line(frame: Frame, side: str, identities: int, scores: Mapping[str, Any]) -> dict[str, Any]:
    marks = [(frame.x(b), frame.y(cut), b, cut) for b, cut in scores["cutoff"]]
    return {
        "side": side,
        "identities": identities,
        "number": scores["cutoff_number"],
        "path": _path([(x, y) for x, y, *_ in marks]),
        "marks": marks,
    }


# --- mechanisms by attacks -----------------------------------------------------------------------


@dataclass(frozen=True)
class Matrix:
    """What each attack alone does to each mechanism.

    Parameters
    ----------
    side : str
    identities : int
    width, height : float
        Of the drawing.
    cell : tuple of float
        Width and height of one.
    heads : list of dict
        Of the columns: `attack`, `aim`, `x`, `y`.
    rows : list of dict
        `label`, `y` and `cells`: `x`, `harm`, `attack`, `aim`, `play`, `worst` and `witness`, the
        name of what shows it, or an empty one.
    """

    side: str
    identities: int
    width: float
    height: float
    cell: tuple[float, float]
    heads: list[dict[str, Any]]
    rows: list[dict[str, Any]]


def matrix(document: Mapping[str, Any], side: str) -> Matrix:
    """Return the places of the attack matrix of one side, `free` or `verified`."""
    rows = document["mechanisms"]
    identities = 1 if side == "verified" else document["budget"]["identities"]
    columns = columns_of(rows[0][side]["by_attack"]) if rows else []
    left = _room(row["label"] for row in rows)
    top = 18 + _room(attack for attack, _ in columns)
    width, height = CELL
    gap = {"pay": 0.0, "twin": width / 2}
    places = {at: left + n * width + gap[at[1]] for n, at in enumerate(columns)}
    witnesses = {
        (it["mechanism"], it["score"]): it
        for it in document["witnesses"]
        if it["identities"] == identities
    }
    return Matrix(
        side,
        identities,
        left + (len(columns) + 0.5) * width + 60,  # heads lean to the right
        top + len(rows) * height + 4,
        CELL,
        [{"attack": at[0], "aim": at[1], "x": x, "y": top} for at, x in places.items()],
        [
            {
                "label": row["label"],
                "y": top + n * height,
                "cells": _cells(row["label"], row[side]["by_attack"], places, witnesses),
            }
            for n, row in enumerate(rows)
        ],
    )


def columns_of(found: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the columns: what is after pay, then what is after a twin."""
    return [(it["attack"], it["aim"]) for aim in SCORES for it in found if it["aim"] == aim]


def _cells(
    label: str,
    found: Sequence[Mapping[str, Any]],
    places: Mapping[tuple[str, str], float],
    witnesses: Mapping[tuple[str, str], Mapping[str, Any]],
) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = []
    for aim, score in SCORES.items():
        own = [it for it in found if it["aim"] == aim]
        witness = witnesses.get((label, score))
        worst = _worst(own, witness["play"] if witness else "")
        for it in own:
            marked = it is worst
            name = witness["name"] if witness and marked else ""
            cells.append({**it, "x": places[it["attack"], aim], "worst": marked, "witness": name})
    return cells


def _worst(cells: Sequence[Mapping[str, Any]], play: str) -> Mapping[str, Any] | None:
    """Return the cell with the most harm; of equals the one that the witness's play belongs to."""
    most = max((it["harm"] for it in cells), default=0)
    worst = [it for it in cells if it["harm"] == most > 0]
    return max(worst, key=lambda it: play.startswith(it["attack"]), default=None)


# --- concentration -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bars:
    """In how few hands pay is, by the effective number of principals, 1 / HHI.

    Parameters
    ----------
    frame : Frame
    height : float
        Of the drawing.
    rows : list of dict
        `label`, `colour` (None: the stake itself), `y`, `width`, `effective` and the measures.
    """

    frame: Frame
    height: float
    rows: list[dict[str, Any]]


def bars(document: Mapping[str, Any]) -> Bars:
    """Return the places of the bars of concentration."""
    named: list[tuple[str, int | None, Mapping[str, float]]] = [
        ("stake", None, document["stake_concentration"]),
        *(
            (row["label"], _colour(place), row["concentration"])
            for place, row in enumerate(document["mechanisms"])
        ),
    ]
    counts = [1 / it["hhi"] if it["hhi"] > 0 else 0.0 for *_, it in named]
    left = _room(label for label, *_ in named)
    frame = Frame(left, 6, 430 - left, 24.0 * len(named), 0, max(*counts, 1.0))
    rows = [
        {
            "label": label,
            "colour": colour,
            "y": frame.top + 24 * place,
            "width": round(frame.x(count) - left, 2),
            "effective": count,
            **measures,
        }
        for place, ((label, colour, measures), count) in enumerate(zip(named, counts, strict=True))
    ]
    return Bars(frame, frame.height + 14, rows)
