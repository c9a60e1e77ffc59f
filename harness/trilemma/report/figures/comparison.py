"""The figures of a comparison's page, as files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from trilemma.errors import DataError
from trilemma.report.figures.drawing import colours_of, panels_of, save
from trilemma.report.figures.shares import draw_shares
from trilemma.report.page.drawings import columns_of

__all__ = ["draw_comparison"]

Document = Mapping[str, Any]
LARGEST = 240.0  # area of a dot of quality 1, in square points


def draw_comparison(document: Document, folder: Path) -> list[Path]:
    """Draw the figures of a page into a folder, as SVG; return their paths.

    Parameters
    ----------
    document : mapping
        As `RUN/report.json` holds it.
    folder : Path
        Made if it does not exist.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot draw there ({error.strerror})") from error
    figures: dict[str, Callable[[Document, str], None]] = {
        "trade-off": _trade_off,
        "cut-off": _cut_off,
        "attacks": _attacks,
        "concentration": _concentration,
    }
    paths = [folder / f"{name}.svg" for name in figures]
    for draw, path in zip(figures.values(), paths, strict=True):
        draw(document, str(path))
    return paths


def _coloured(document: Document) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    rows = document["mechanisms"]
    yield from zip(colours_of(len(rows)), rows, strict=True)


def _trade_off(document: Document, path: str) -> None:
    """Draw Sybil resistance against neutrality, with identities verified and with them free."""
    figure, panels = panels_of(2, (4.8, 4.2))
    for panel, side in zip(panels, ("verified", "free"), strict=True):
        count = 1 if side == "verified" else document["budget"]["identities"]
        panel.set_title(f"identities {side} (K = {count})", fontsize="medium")
        for colour, row in _coloured(document):
            _dot(panel, row, row[side], colour)
        panel.set_xlim(-0.06, 1.06)
        panel.set_ylim(-0.06, 1.06)
        panel.set_xlabel("neutrality (CN)")
        panel.set_ylabel("Sybil resistance (SR)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False)
    save(figure, path)


def _dot(panel: Any, row: Mapping[str, Any], side: Mapping[str, Any], colour: Any) -> None:
    sr, cn, q = (side[it] for it in ("sybil_resistance", "neutrality", "quality_attacked"))
    widths = [[[it["value"] - it["low"]], [it["high"] - it["value"]]] for it in (cn, sr)]
    panel.errorbar(
        cn["value"], sr["value"], xerr=widths[0], yerr=widths[1], color=colour, elinewidth=1
    )
    panel.scatter(
        [cn["value"]],
        [sr["value"]],
        s=20 + LARGEST * q["value"],
        color=["none" if row["control"] else colour],
        edgecolors=[colour],
        linewidths=1.4,
        label=row["label"],
    )


def _cut_off(document: Document, path: str) -> None:
    """Draw D(b) of each mechanism: full with identities verified, dashed with identities free."""
    rows = document["mechanisms"]
    figure, panels = panels_of(len(rows), (3.4, 2.0))
    for panel, (colour, row) in zip(panels, _coloured(document), strict=False):
        panel.set_title(row["label"], fontsize="medium")
        panel.axhline(0.5, color="0.7", linewidth=0.8, linestyle=":")
        for side, stroke in (("verified", "-"), ("free", "--")):
            sizes, cut = zip(*row[side]["cutoff"], strict=True)
            panel.plot(sizes, cut, stroke, color=colour, label=side)
        panel.set_ylim(-0.03, 1.03)
        panel.set_xlabel("insiders")
        panel.set_ylabel("cut off, D(b)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False)
    save(figure, path)


def _attacks(document: Document, path: str) -> None:
    """Draw what each attack does to each mechanism with identities free."""
    rows = document["mechanisms"]
    columns = columns_of(rows[0]["free"]["by_attack"])
    shares = {}
    for row in rows:
        harm = {(it["attack"], it["aim"]): it["harm"] for it in row["free"]["by_attack"]}
        shares[row["label"]] = [harm[it] for it in columns]
    names = [attack if aim == "pay" else f"{attack} (cut)" for attack, aim in columns]
    title = f"What each attack does alone, K = {document['budget']['identities']}"
    draw_shares(shares, names, path, title, "taken of what others earn; or cut off", slanted=True)


def _concentration(document: Document, path: str) -> None:
    """Draw the effective number of principals who earn, beside that of those who hold stake."""
    rows = document["mechanisms"]
    labels = ["stake", *(row["label"] for row in rows)]
    held = [document["stake_concentration"], *(row["concentration"] for row in rows)]
    counts = [1 / it["hhi"] if it["hhi"] > 0 else 0.0 for it in held]
    figure = Figure(figsize=(6.4, 0.8 + 0.3 * len(labels)), layout="constrained")
    panel = figure.subplots()
    places = np.arange(len(labels))[::-1]
    panel.barh(places, counts, color=["0.5", *colours_of(len(rows))])
    panel.set_yticks(places, labels)
    panel.set_xlabel("effective number of principals, 1 / HHI")
    save(figure, path)
