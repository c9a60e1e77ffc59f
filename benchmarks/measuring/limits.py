"""Which part of a comparison gives way first, as it gets more worlds or more mechanisms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.measuring.needs import Costs, Needs, needs
from benchmarks.measuring.took import Size

__all__ = ["CORES", "DISK", "MEMORY", "PARTS", "SHAPES", "Part", "Shape", "given_way"]

CORES, MEMORY, DISK = 16, 64, 1  # of the machine that the page reckons with; GiB, TB
DAY = 86400.0
FEWEST, MOST = 1e5, 1e13  # cells that anybody would ask for


@dataclass(frozen=True)
class Shape:
    """How a comparison grows: one of both numbers is given.

    Parameters
    ----------
    about : str
    worlds, mechanisms : int
        0: it is the one that grows.
    """

    about: str
    worlds: int = 0
    mechanisms: int = 0

    def size(self, cells: float, plays: int, workers: int = CORES) -> Size:
        """Return the size that has so many cells."""
        grown = max(1, round(cells / plays / (self.worlds or self.mechanisms)))
        return Size(self.worlds or grown, self.mechanisms or grown, workers)


SHAPES = (Shape("worlds", mechanisms=8), Shape("mechanisms", worlds=16))


@dataclass(frozen=True)
class Part:
    """What may give way, and when it does: once `load` exceeds 1."""

    about: str
    load: Callable[[Needs], float]


PARTS = (
    Part(f"memory of all processes: {MEMORY} GiB", lambda it: it.memory / 1024 / MEMORY),
    Part(f"disk: {DISK} TB", lambda it: (it.stored + it.filed) / DISK / 1e12),
    Part("the page in a browser: 100 MB", lambda it: it.page / 1e8),
    Part("one job, lost if it is killed: an hour", lambda it: it.job / 3600),
    Part("replays take longer than the search", lambda it: 2 * it.replayed / it.computed),
    Part("time: 30 days", lambda it: it.elapsed / DAY / 30),
)


def given_way(part: Part, cost: Costs, shape: Shape, plays: int) -> float | None:
    """Return with how many cells a part gives way; None if it never does."""

    def load(cells: float) -> float:
        return part.load(needs(cost, shape.size(cells, plays)))

    low, high = FEWEST, MOST
    if load(high) <= 1:
        return None
    while high / low > 1.001:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if load(middle) > 1 else (middle, high)
    return high
