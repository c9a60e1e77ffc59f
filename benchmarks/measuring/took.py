"""How large a comparison was, and what it took."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.measuring.stopwatch import Taken

__all__ = [
    "Size",
    "computed",
    "files",
    "kept",
    "parent_peak",
    "scored",
    "size_of",
    "worker_peak",
]

STACKS = 2  # of a mechanism's cells in the parent while it seeks witnesses, beside one for each job
SCORING = ("witnesses", "report", "save")


@dataclass(frozen=True)
class Size:
    """How large a comparison is, and who computes it."""

    worlds: int
    mechanisms: int
    workers: int

    @property
    def rows(self) -> int:
        """Mechanisms x worlds: what the store has a row for."""
        return self.worlds * self.mechanisms

    @property
    def pairs(self) -> int:
        """Of mechanisms that what was found against one is replayed on the other, by world."""
        return self.rows * (self.mechanisms - 1)

    @property
    def stacks(self) -> int:
        """How many mechanisms' cells the parent holds at most while it seeks witnesses."""
        return min(self.workers + 1, self.mechanisms) + STACKS


def size_of(taken: Taken) -> Size:
    """Return the size of what was measured."""
    asked = taken["asked"]
    return Size(asked["worlds"], asked["rules"], asked["workers"])


def computed(taken: Taken) -> float:
    """Return the core-seconds of its workers until every cell was there."""
    return sum(float(taken["jobs"][job]["cpu"]) for job in ("coalitions", "world", "replays"))


def kept(taken: Taken) -> float:
    """Return the seconds of its parent meanwhile: of its core, and waiting for the disk."""
    keep = taken["phases"].get("keep", {"wall": 0.0, "cpu": 0.0})
    return float(taken["phases"]["finish"]["cpu"] + max(0.0, keep["wall"] - keep["cpu"]))


def scored(taken: Taken) -> float:
    """Return the seconds of its parent's core from the cells to the page."""
    return sum(float(taken["phases"][phase]["cpu"]) for phase in SCORING)


def files(taken: Taken) -> float:
    """Return the bytes of everything beside the cells."""
    return float(
        sum(taken["bytes"][it] for it in ("report.html", "report.json", "scores.npz", "witnesses"))
    )


def parent_peak(taken: Taken) -> float:
    """Return the MiB of its parent at most."""
    return max(float(phase["peak"]) for phase in taken["phases"].values())


def worker_peak(taken: Taken) -> float:
    """Return the MiB of its largest worker."""
    return max(float(job["peak"]) for job in taken["jobs"].values())
