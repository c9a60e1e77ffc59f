"""What a comparison of any size needs, from what comparisons of several sizes took."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from benchmarks.measuring.stopwatch import Taken
from benchmarks.measuring.took import Size, files, kept, scored, size_of

__all__ = ["Costs", "Line", "Measured", "Needs", "costs", "line", "needs"]

Measured: TypeAlias = Mapping[str, Any]
"""What `benchmarks/capacity.py` measures: `machine`, `series`, `bookkeeping`, `pair`."""

MIB = 2**20


@dataclass(frozen=True)
class Line:
    """What nothing takes, and what one more takes."""

    start: float
    slope: float

    def at(self, count: float) -> float:
        """Return what so many take."""
        return self.start + self.slope * count


@dataclass(frozen=True)
class Costs:
    """What one more of something takes.

    Parameters
    ----------
    world, row, pair, grown : float
        Core-seconds of the workers: to make a world's plays; to try them on a mechanism; to replay
        on it what was found against another; to grow coalitions against it.
    kept : Line
        Seconds of the parent while workers compute, by rows.
    entered : float
        Seconds of the parent to see that a kept row is whole.
    scored : Line
        Seconds of the parent to score, by mechanisms.
    scored_row, scored_pair : float
        What a row adds to that; what a pair of mechanisms does.
    stored_row, stored_pair, filed, page : float
        Bytes: of a row in the store; of a pair; of a mechanism in all other files; in the page.
    computing, witnessing, reporting : Line
        MiB of the parent in each phase, by mechanisms.
    job, done : float
        MiB of a world that waits, by mechanism; of a row that is finished.
    stack, reported : float
        MiB of a world in the cells of one mechanism; while the scores are made.
    worker, witness : Line
        MiB of a worker: that computes, by mechanisms; that seeks a witness, by worlds.
    """

    world: float
    row: float
    pair: float
    grown: float
    kept: Line
    entered: float
    scored: Line
    scored_row: float
    scored_pair: float
    stored_row: float
    stored_pair: float
    filed: float
    page: float
    computing: Line
    witnessing: Line
    reporting: Line
    job: float
    done: float
    stack: float
    reported: float
    worker: Line
    witness: Line


# --- what the next one would take ----------------------------------------------------------------


def line(series: Sequence[Taken], get: Callable[[Taken], float]) -> Line:
    """Return the line through the first two sizes of a series, along what grows in it."""
    sizes = [size_of(taken) for taken in series[:2]]
    along = [size.mechanisms for size in sizes]
    if along[0] == along[1]:
        along = [size.worlds for size in sizes]
    one, other = (get(taken) for taken in series[:2])
    slope = (other - one) / (along[1] - along[0])
    return Line(one - slope * along[0], slope)


def costs(measured: Measured, *, searched: bool) -> Costs:
    """Return what one more of everything takes, without the search or with it."""
    end = " searched" if searched else ""
    eight, many, copied = (measured["series"][name + end] for name in ("eight", "many", "kept"))
    size, worlds = size_of(eight[0]), size_of(many[0]).worlds
    others = size.mechanisms - 1
    making, keeping = line(measured["series"]["busy"], _made).slope, line(eight, kept)
    scoring, page = line(many, scored), line(many, _bytes("report.html"))
    stored_pair = line(eight, _bytes("replayed")).slope / (size.mechanisms * others)
    three = size_of(copied[0])
    scored_row = line(copied, scored).slope / three.mechanisms
    return Costs(
        world=making,
        row=(line(eight, _job("world", "cpu")).slope - making) / size.mechanisms,
        pair=line(eight, _job("replays", "cpu")).slope / (size.mechanisms * others),
        grown=eight[0]["jobs"]["coalitions"]["cpu"] / size.mechanisms,
        kept=Line(keeping.start, keeping.slope / size.mechanisms),
        entered=line(copied, _phase("enter", "cpu")).slope / three.mechanisms,
        scored=Line(scoring.start, scoring.slope - scored_row * worlds),
        scored_row=scored_row,
        scored_pair=measured["pair"],
        stored_row=line(eight, _bytes("cells.sqlite")).slope / size.mechanisms
        - stored_pair * others,
        stored_pair=stored_pair,
        filed=line(many, files).slope,
        page=page.slope,
        computing=line(many, _phase("finish", "peak")),
        witnessing=line(many, _phase("witnesses", "peak")),
        reporting=line(many, _phase("report", "peak")),
        job=measured["bookkeeping"]["job"] / MIB / size.mechanisms,
        done=measured["bookkeeping"]["row"] / MIB,
        stack=line(copied, _phase("witnesses", "peak")).slope / three.stacks,
        reported=line(copied, _phase("report", "peak")).slope,
        worker=line(many, _computing_peak),
        witness=line(copied, _job("testify", "peak")),
    )


def _computing_peak(taken: Taken) -> float:
    return max(float(taken["jobs"][job]["peak"]) for job in ("world", "replays"))


def _made(taken: Taken) -> float:
    """Return what jobs take beside the calls: for one mechanism, nearly all is making plays."""
    return float(taken["jobs"]["world"]["cpu"] - taken["jobs"]["world"]["bare"])


def _job(name: str, fact: str) -> Callable[[Taken], float]:
    return lambda taken: float(taken["jobs"][name][fact])


def _phase(name: str, fact: str) -> Callable[[Taken], float]:
    return lambda taken: float(taken["phases"][name][fact])


def _bytes(name: str) -> Callable[[Taken], float]:
    return lambda taken: float(taken["bytes"][name])


@dataclass(frozen=True)
class Needs:
    """What a comparison needs.

    Parameters
    ----------
    computed, replayed, kept, scored, entered : float
        Seconds: of the workers' cores; of these for replays; of the parent meanwhile; of the parent
        afterwards; to see what is there when it is resumed.
    job : float
        Seconds of one job, which is a world with all mechanisms.
    elapsed : float
        Seconds from the beginning to the page.
    stored, filed, page : float
        Bytes.
    parent, worker, memory : float
        MiB: of the parent; of the largest worker; of all, as if workers shared nothing with it.
    """

    computed: float
    replayed: float
    kept: float
    scored: float
    entered: float
    job: float
    elapsed: float
    stored: float
    filed: float
    page: float
    parent: float
    worker: float
    memory: float


def needs(cost: Costs, size: Size) -> Needs:
    """Return what a comparison of a size needs."""
    worlds, mechanisms, rows = size.worlds, size.mechanisms, size.rows
    job = cost.world + mechanisms * (cost.row + (mechanisms - 1) * cost.pair)
    work = worlds * job + mechanisms * cost.grown
    parent = max(
        cost.computing.at(mechanisms) + rows * (cost.job + cost.done),
        cost.witnessing.at(mechanisms) + worlds * cost.stack * size.stacks,
        cost.reporting.at(mechanisms) + worlds * cost.reported,
    )
    computing, witness = cost.worker.at(mechanisms), cost.witness.at(worlds)
    busy = min(size.workers, worlds) * computing, min(size.workers, mechanisms) * witness
    scoring = cost.scored.at(mechanisms) + rows * cost.scored_row + mechanisms**2 * cost.scored_pair
    return Needs(
        computed=work,
        replayed=size.pairs * cost.pair,
        kept=cost.kept.at(rows),
        scored=scoring,
        entered=rows * cost.entered,
        job=job,
        elapsed=max(work / min(size.workers, worlds), cost.kept.at(rows)) + scoring,
        stored=rows * cost.stored_row + size.pairs * cost.stored_pair,
        filed=mechanisms * cost.filed,
        page=mechanisms * cost.page,
        parent=parent,
        worker=max(computing, witness),
        memory=parent + max(busy),
    )
