"""How time grows: `python benchmarks/complexity.py [--figure FILE]` prints fitted slopes.

A slope of 1 says that twice as much takes twice as long; small cases are left out, in which what a
call costs anyway counts more than what is asked.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
if __package__ in (None, ""):  # run as a script, Python looks for modules in this folder only
    sys.path[0] = str(ROOT)

from benchmarks.measuring.clock import Times, Work, interleaved  # noqa: E402
from benchmarks.measuring.data import plays_of, weights  # noqa: E402
from benchmarks.measuring.sparse import network  # noqa: E402
from trilemma import Epoch, load, retention_map  # noqa: E402
from trilemma.sides import Experiment  # noqa: E402

COLUMNS = 3


@dataclass(frozen=True)
class Axis:
    """What grows, the work for each size, and by which clock it is measured."""

    name: str
    about: str
    expected: float
    sizes: tuple[int, ...]
    prepare: Callable[[int], Work]
    clock: str = "cpu"


@dataclass(frozen=True)
class Curve:
    """Median seconds by size."""

    axis: Axis
    seconds: tuple[float, ...]

    @property
    def slope(self) -> float:
        """Return the exponent of the power of the size that fits best."""
        return float(np.polyfit(np.log(self.axis.sizes), np.log(self.seconds), 1)[0])


def _epochs(count: int, epochs: int, n: int, m: int) -> Work:
    said = weights("honest", (count * epochs, n, m), np.float32)
    return plays_of(said.reshape(count, epochs, n, m)).run


def _sparse(per_column: int) -> Work:
    stake, said = network("agreed", SPARSE_MINERS, per_column, 2000)
    return partial(load("yuma(arithmetic='float32')"), Epoch(stake, said))


def _map(workers: int) -> Work:
    return partial(retention_map, ["yuma"], experiment=Experiment(grid=21), workers=workers)


SPARSE_MINERS = 20_000
WORKERS = tuple(1 << power for power in range(max(2, (os.cpu_count() or 1).bit_length())))
AXES = (
    Axis("n", "validators; 256 miners, 4 epochs", 1, (64, 128, 256, 512, 1024, 2048),
         lambda n: _epochs(1, 4, n, 256)),
    Axis("m", "miners; 64 validators, 4 epochs", 1, (256, 512, 1024, 2048, 4096, 8192),
         lambda m: _epochs(1, 4, 64, m)),
    Axis("plays", "plays of one epoch, 64 x 256", 1, (4, 8, 16, 32, 64, 128),
         lambda count: _epochs(count, 1, 64, 256)),
    Axis("nnz", f"non-zeros a column; 2,000 x {SPARSE_MINERS:,}, all threads", 1,
         (100, 200, 400, 800), _sparse, "wall"),
    Axis("workers", "processes; the retention map, grid 21", -1, WORKERS, _map, "wall"),
)  # fmt: skip


def measured(axes: Sequence[Axis] = AXES, rounds: int = 9) -> list[Curve]:
    """Measure every axis, its sizes in turn."""
    curves = []
    for axis in axes:
        print(f"measuring {axis.name}", file=sys.stderr)
        taken = interleaved({str(size): axis.prepare(size) for size in axis.sizes}, rounds)
        curves.append(Curve(axis, tuple(_median(times, axis) for times in taken.values())))
    return curves


def _median(times: Times, axis: Axis) -> float:
    return times.median(axis.clock)


def table(curves: Sequence[Curve]) -> str:
    """Return the slopes as Markdown."""
    lines = [
        "| | grows | from | to | ms | slope | in theory |",
        "| --- | --- " + "| ---: " * 5 + "|",
    ]
    for curve in curves:
        axis, ms = curve.axis, [seconds * 1e3 for seconds in curve.seconds]
        lines.append(
            f"| {axis.name} | {axis.about} | {axis.sizes[0]:,} | {axis.sizes[-1]:,} | "
            f"{ms[0]:.3g} to {ms[-1]:.3g} | {curve.slope:.2f} | {axis.expected:g} |"
        )
    return "\n".join(lines)


def draw(curves: Sequence[Curve], path: str) -> None:
    """Draw time against each axis, with the fitted line; the suffix of the path is the format."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rows = -(-len(curves) // COLUMNS)
    figure = Figure((4.0 * COLUMNS, 3.1 * rows), layout="constrained")
    panels = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for panel, curve in zip(panels, curves, strict=False):
        sizes, ms = np.array(curve.axis.sizes), np.array(curve.seconds) * 1e3
        level = np.exp(np.mean(np.log(ms) - curve.slope * np.log(sizes)))
        panel.loglog(sizes, level * sizes**curve.slope, color="0.6", linewidth=1.2)
        panel.loglog(sizes, ms, "o", color=mpl.colormaps["viridis"](0.3))
        panel.set_title(f"{curve.axis.name}: slope {curve.slope:.2f}", fontsize="medium")
        panel.set_xlabel(curve.axis.about, fontsize="small")
        panel.set_ylabel("ms")
        panel.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize="x-small")
        panel.set_yticks(
            ms, [f"{it:.2g}" if it < 100 else f"{it:,.0f}" for it in ms], fontsize="x-small"
        )
        panel.minorticks_off()
    for spare in panels[len(curves) :]:
        spare.set_axis_off()
    with mpl.rc_context({"svg.hashsalt": "trilemma"}):
        figure.savefig(path, dpi=150, metadata={"Date": None} if path.endswith(".svg") else None)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--figure", metavar="FILE", help="draw the curves; needs trilemma[plot]")
    given = parser.parse_args(arguments)
    curves = measured()
    if given.figure:
        draw(curves, given.figure)
    print(table(curves))


if __name__ == "__main__":
    main()
