"""The tables of docs/capacity.md, worked out from what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from benchmarks.measuring.limits import PARTS, SHAPES, Shape, given_way
from benchmarks.measuring.needs import Costs, Measured, needs
from benchmarks.measuring.shown import cells, digits, mib, seconds, size, table
from benchmarks.measuring.stopwatch import Taken
from benchmarks.measuring.took import (
    Size,
    computed,
    files,
    kept,
    parent_peak,
    scored,
    size_of,
    worker_peak,
)

__all__ = ["checked", "count", "flat", "given", "gives_way", "one_more", "overhead"]

CELLS = (1e6, 1e8, 1e10)


# --- what was measured ---------------------------------------------------------------------------


def overhead(taken: Taken) -> dict[str, float]:
    """Return what a run took beside the calls of its mechanism, in parts of what these took.

    `scheduling`: workers that wait, from the first job to the last cell; `taken from`: workers that
    could work and did not get a core; `harness`: jobs beside their calls; `parent`: its core.
    """
    workers, finish = taken["asked"]["workers"], taken["phases"]["finish"]
    jobs = [taken["jobs"][it] for it in ("coalitions", "world", "replays")]
    wall, cpu, bare = (sum(float(job[it]) for job in jobs) for it in ("wall", "cpu", "bare"))
    return {
        "scheduling": (workers * finish["wall"] - wall) / bare,
        "taken from": (wall - cpu) / bare,
        "harness": (cpu - bare) / bare,
        "parent": finish["cpu"] / bare,
    }


def flat(measured: Measured) -> str:
    """Return the table of a rule of 1 ms a cell in two sizes."""
    busy = measured["series"]["busy"]
    head = ["", *(f"{count(it):,} cells" for it in busy)]
    facts: dict[str, Callable[[Taken], str]] = {
        "workers": lambda it: str(it["asked"]["workers"]),
        "bare calls": lambda it: seconds(it["jobs"]["world"]["bare"]),
        "bare calls, a cell": lambda it: f"{it['jobs']['world']['bare'] / count(it) * 1e3:.2f} ms",
        **{_TOLD[name]: _part(name) for name in _TOLD},
        "parent, while it computes": lambda it: mib(it["phases"]["finish"]["peak"]),
        "a worker, while it computes": lambda it: mib(it["jobs"]["world"]["peak"]),
        "parent, while it scores": lambda it: mib(parent_peak(it)),
        "a worker, while it seeks witnesses": lambda it: mib(it["jobs"]["testify"]["peak"]),
        "`cells.sqlite`": lambda it: size(it["bytes"]["cells.sqlite"]),
    }
    return table(head, ([name, *map(fact, busy)] for name, fact in facts.items()))


_TOLD = {
    "scheduling": "scheduling: workers that wait / bare calls",
    "taken from": "cores that workers did not get / bare calls",
    "parent": "the parent's core meanwhile / bare calls",
    "harness": "harness: jobs beside their calls / bare calls",
}


def _part(name: str) -> Callable[[Taken], str]:
    return lambda taken: f"{overhead(taken)[name]:.2%}"


def count(taken: Taken) -> int:
    """Return the cells of a comparison."""
    return int(taken["rows"] * taken["plays"])


def one_more(plain: Costs, searched: Costs) -> str:
    """Return the table of what one more of everything takes."""
    facts: dict[str, Callable[[Costs], str]] = {
        "`p`: a world, its plays made": lambda it: seconds(it.world),
        "`r`: a row, its plays tried and searched for": lambda it: seconds(it.row),
        "`q`: a pair of mechanisms in a world, replayed": lambda it: seconds(it.pair),
        "`g`: a mechanism, its coalitions grown": lambda it: seconds(it.grown),
        "`k`: a row, in the parent meanwhile": lambda it: seconds(it.kept.slope),
        "`s`: a mechanism, scored": lambda it: seconds(it.scored.slope),
        "`t`: a row, scored": lambda it: seconds(it.scored_row),
        "`u`: a pair of mechanisms, ranked": lambda it: seconds(it.scored_pair),
        "`d`: a row, on disk": lambda it: size(it.stored_row),
        "`e`: a pair of mechanisms in a world, on disk": lambda it: size(it.stored_pair),
        "`f`: a mechanism, in all other files": lambda it: size(it.filed),
        "of these in the page": lambda it: size(it.page),
        "`m`: a mechanism, in the parent": lambda it: mib(it.reporting.slope),
        "`c`: a world of one mechanism, in the parent": lambda it: mib(it.stack),
        "`b`: a world, in the parent while it scores": lambda it: mib(it.reported),
        "`w`: a mechanism, in a worker": lambda it: mib(it.worker.slope),
        "`v`: a world, in a worker that seeks witnesses": lambda it: mib(it.witness.slope),
    }
    rows = ([name, fact(plain), fact(searched)] for name, fact in facts.items())
    return table(["one more", "scripted plays", "with the search"], rows)


# --- what follows --------------------------------------------------------------------------------


def given(plain: Costs, searched: Costs, plays: int) -> str:
    """Return the table of what large comparisons need."""
    head = ["cells", "worlds x mechanisms", "core time", "on 16 cores", "parent", "a worker"]
    head += ["all memory", "store", "other files", "resume"]
    rows = [
        _needed(wanted, shape, cost, plays, said)
        for cost, said in ((plain, ""), (searched, ", searched"))
        for shape in SHAPES
        for wanted in CELLS
    ]
    return table(head, rows)


def _needed(wanted: float, shape: Shape, cost: Costs, plays: int, said: str) -> list[str]:
    at = shape.size(wanted, plays)
    it = needs(cost, at)
    return [
        f"10^{len(str(int(wanted))) - 1}{said}",
        f"{at.worlds:,} x {at.mechanisms:,}",
        seconds(it.computed + it.scored),
        seconds(it.elapsed),
        *(mib(memory) for memory in (it.parent, it.worker, it.memory)),
        size(it.stored),
        size(it.filed),
        seconds(it.entered + it.scored),
    ]


def gives_way(plain: Costs, searched: Costs, plays: int) -> str:
    """Return the table of how many cells it takes for each part to give way, the first in bold."""
    columns = [(cost, shape) for cost in (plain, searched) for shape in SHAPES]
    found = [[given_way(part, *at, plays) for at in columns] for part in PARTS]
    first = [min(it for it in column if it) for column in zip(*found, strict=True)]
    rows = [
        [part.about, *(_bold(it, least) for it, least in zip(row, first, strict=True))]
        for part, row in zip(PARTS, found, strict=True)
    ]
    head = [f"more {shape.about}" for shape in SHAPES]
    return table(["", *head, *(f"{it}, searched" for it in head)], rows)


def _bold(value: float | None, least: float) -> str:
    return f"**{cells(value)}**" if value == least else cells(value)


# --- and whether it is right ---------------------------------------------------------------------

Check = tuple[str, str, Callable[[Taken], float], Callable[[Costs, Size], float]]
"""A series, what is checked, what was measured, and what the model says."""


def _checks(end: str) -> Iterable[Check]:
    yield f"eight{end}", "core-seconds of workers", computed, lambda c, s: needs(c, s).computed
    yield f"eight{end}", "seconds of the parent meanwhile", kept, lambda c, s: needs(c, s).kept
    yield f"eight{end}", "bytes of the store", _stored, lambda c, s: needs(c, s).stored
    for series in (f"eight{end}", f"many{end}", f"kept{end}"):
        yield series, "seconds of scoring", scored, lambda c, s: needs(c, s).scored
        yield series, "MiB of the parent", parent_peak, lambda c, s: needs(c, s).parent
        yield series, "MiB of a worker", worker_peak, lambda c, s: needs(c, s).worker
    yield f"many{end}", "bytes of other files", files, lambda c, s: needs(c, s).filed


def _stored(taken: Taken) -> float:
    return float(taken["bytes"]["cells.sqlite"])


def checked(measured: Measured, cost: Costs, end: str) -> list[list[str]]:
    """Return what the model says of the largest sizes, and what was measured of them."""
    rows = []
    for name, about, get, told in _checks(end):
        taken = measured["series"][name][-1]
        at, found = size_of(taken), get(taken)
        said = told(cost, at)
        rows.append(
            [
                f"{about}, {at.worlds:,} x {at.mechanisms:,}{end and ', searched'}",
                digits(said),
                digits(found),
                f"{said / found - 1:+.0%}",
            ]
        )
    return rows
