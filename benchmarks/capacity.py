"""How large a comparison may get: `python benchmarks/capacity.py` measures several sizes.

What is measured is kept (`--json FILE`), and `--page` prints what docs/capacity.md makes of it. It
needs Linux, because it reads /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
if __package__ in (None, ""):  # run as a script, Python looks for modules in this folder only
    sys.path[0] = str(ROOT)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy on one thread, as we are

from benchmarks.measuring import bookkeeping, machine, paper  # noqa: E402
from benchmarks.measuring.limits import CORES, DISK, MEMORY  # noqa: E402
from benchmarks.measuring.needs import Costs, Measured, costs  # noqa: E402
from benchmarks.measuring.shown import digits, mib, table  # noqa: E402
from benchmarks.measuring.sizes import SERIES, measured  # noqa: E402
from benchmarks.measuring.took import parent_peak, size_of  # noqa: E402

KEPT = ROOT / "docs" / "capacity.json"

FLAT = """\
{machine}.

## 200,000 cells

A rule that pays everybody alike, after {call:.1f} ms of its core's time, in worlds of 64 x 128. A
cell takes {calls:.2f} calls, because honest worlds are asked about twice and twins come in pairs.

{flat}

*Scheduling* is what has to stay under 2 %: the time for which workers have no job, from the start
to the last cell, over the time inside the mechanism. Beside it: the time for which a worker had a
job and another process had the core, be it the parent or a stranger; the parent's own time; and the
*harness*, what a job does beside its calls: it makes the plays, which several mechanisms share, and
checks what is paid for them.

Memory is `VmHWM`, from the beginning of each phase and each job; a worker's counts what it shares
with its parent. While cells are computed it does not grow. Scores are made of all worlds of one
mechanism at a time, {grown} for each of them here.
"""
COSTS = """\
## What one more takes

Differences between the first two sizes of each comparison, worlds x mechanisms:

{about}

{costs}
"""
MODEL = """\
## The model

`N` worlds and `M` mechanisms are `N M` rows of {plays:,} cells; there are `W` workers.

* Core time: `N p + N M r + N M (M - 1) q + M g`. A job is a world, so at most `N` workers are busy.
* The parent meanwhile: `N M k`. So it keeps {fed} workers busy with scripted plays, and
  {fed_searched} with the search. Afterwards, on one core: `M s + N M t + M^2 u`.
* Time to the page: the larger of core time / `min(W, N)` and `N M k`, and then the scoring.
* Memory of the parent beyond its first {base}: `M m`, {held} for each row, and `N` times the larger
  of `b` and `c (min(W + 1, M) + 2)`: a job that seeks witnesses carries all rows of a mechanism.
* Memory of a worker beyond its first {worker}: `M w`, of `min(W, N)` of them; later `N v`, of
  `min(W, M)`.
* Disk: `N M d + N M (M - 1) e + M f`.
"""
NEEDED = """\
## What it needs

With {cores} cores. To resume a finished run is to see that every row is whole, and to score all
again.

{needed}
"""
WAY = """\
## What gives way first

With how many cells, if there are {cores} cores, {memory} GiB and {disk} TB; in bold what is first.

{way}
"""
CHECK = """\
## Is that right?

The largest size of each comparison took no part in what one more takes. Of the eight built-in
rules it is {plain:,} cells with scripted plays, and {searched:,} with the search. Memory and bytes
are off by {held} % at most, times by {times} %.

{check}
"""


def page(found: Measured) -> str:
    """Return what docs/capacity.md says from what was measured."""
    plain, searched = (costs(found, searched=it) for it in (False, True))
    plays = int(found["series"]["busy"][0]["plays"])
    parts = (
        _flat(found),
        COSTS.format(about=_sizes(found), costs=paper.one_more(plain, searched)),
        _model(plain, searched, plays),
        NEEDED.format(cores=CORES, needed=paper.given(plain, searched, plays)),
        WAY.format(
            cores=CORES, memory=MEMORY, disk=DISK, way=paper.gives_way(plain, searched, plays)
        ),
        _check(found, plain, searched),
    )
    return "\n".join(parts)


def _flat(found: Measured) -> str:
    few, busy = found["series"]["busy"]
    worlds = size_of(busy).worlds - size_of(few).worlds
    return FLAT.format(
        machine=found["machine"],
        call=busy["asked"]["call"] * 1e3,
        calls=busy["jobs"]["world"]["calls"] / paper.count(busy),
        flat=paper.flat(found),
        grown=mib((parent_peak(busy) - parent_peak(few)) / worlds),
    )


def _sizes(found: Measured) -> str:
    told = []
    for name, series in found["series"].items():
        sizes = [size_of(taken) for taken in series]
        said = ", ".join(f"{it.worlds:,} x {it.mechanisms}" for it in sizes)
        told.append(f"* {SERIES[name].about}: {said}")
    return "\n".join(told)


def _model(plain: Costs, searched: Costs, plays: int) -> str:
    return MODEL.format(
        plays=plays,
        fed=digits(plain.row / plain.kept.slope),
        fed_searched=digits(searched.row / searched.kept.slope),
        base=mib(plain.reporting.start),
        held=mib(plain.job + plain.done),
        worker=mib(plain.worker.start),
    )


def _check(found: Measured, plain: Costs, searched: Costs) -> str:
    rows = [*paper.checked(found, plain, ""), *paper.checked(found, searched, " searched")]
    times = [row for row in rows if "seconds" in row[0]]
    return CHECK.format(
        held=_farthest([row for row in rows if row not in times]),
        times=_farthest(times),
        plain=paper.count(found["series"]["eight"][-1]),
        searched=paper.count(found["series"]["eight searched"][-1]),
        check=table(["", "predicted", "measured", "off by"], rows),
    )


def _farthest(rows: Sequence[Sequence[str]]) -> int:
    return max(abs(int(row[-1].rstrip("%"))) for row in rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and keep, or print the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", type=Path, default=KEPT, metavar="FILE", help="of measurements")
    parser.add_argument("--page", action="store_true", help="measure nothing, print the page of it")
    given = parser.parse_args(arguments)
    if given.page:
        print(page(json.loads(given.json.read_text())), end="")
        return
    found = {
        "machine": machine.told(),
        "series": {name: measured(series) for name, series in SERIES.items()},
        "bookkeeping": bookkeeping.bookkeeping(),
        "pair": bookkeeping.pair(),
    }
    given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
