"""Every ratio that is measured, with what it has to reach and what we aim at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

__all__ = ["DTYPES", "GOALS", "SIZES", "Answers", "Found", "Goal"]

SIZES = ((256, 64, 256), (256, 256, 256), (16, 1024, 1024))  # epochs, validators, miners
DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Goal:
    """One line of the page.

    Parameters
    ----------
    group : str
        The measurement that finds it.
    about : str
        What is measured, in words.
    unit : str
    at_least, aim : float, optional
        What has to be reached, and what we would like; neither: a number for information.
    better : {"lower", "higher"}
        Which values reach a threshold: those at or below it, or those at or above it.
    """

    group: str
    about: str
    unit: str = "x"
    at_least: float | None = None
    aim: float | None = None
    better: str = "lower"

    def reached(self, value: float, threshold: float | None) -> bool | None:
        """Tell whether a value reaches a threshold, if there is one."""
        if threshold is None:
            return None
        return value <= threshold if self.better == "lower" else value >= threshold


@dataclass(frozen=True)
class Found:
    """A measured value, how many samples it is the median of, and what else is worth knowing."""

    value: float
    samples: int
    detail: Mapping[str, Any] = field(default_factory=dict)


Answers: TypeAlias = dict[str, Found | str]
"""By the name of a goal; a text says why it was not measured."""


def _epochs() -> dict[str, Goal]:
    """Return the goals of whole epochs, by size and kind of numbers."""
    goals: dict[str, Goal] = {}
    for dtype in DTYPES:
        narrow = dtype == "float32"
        for count, n, m in SIZES:
            size, here = f"{n} x {m} {dtype}", f"{n}x{m}_{dtype}"
            goals |= {
                f"cold_{here}": _over_memcpy(
                    f"cold, {count} epochs of {size}", 6 if narrow else 5.5, 3.5
                ),
                f"warm_{here}": _over_memcpy(
                    f"warm, unchanged weights, {size}", 4 if narrow else 3.5, 2
                ),
                f"liquid_{here}": Goal(
                    "epochs", f"liquid alpha / without, {size}", at_least=4, aim=2
                ),
                f"changed_{here}": Goal(
                    "epochs", f"1 % of weights changed: warm / cold, {size}", at_least=0.8, aim=0.5
                ),
            }
        size, here = f"64 x 256 {dtype}", f"64x256_{dtype}"
        least, aim = ((12, 20), (18, 35)) if narrow else ((7.5, 12), (11, 35))
        for peer, it, (need, wish) in (("numpy", "plain numpy", least), ("torch", "torch", aim)):
            about = f"our best {it} / a cold epoch, {size}"
            goals[f"{peer}_{here}"] = Goal(
                "epochs", about, at_least=need, aim=wish, better="higher"
            )
    return goals


def _over_memcpy(about: str, at_least: float, aim: float) -> Goal:
    return Goal("epochs", f"{about} / copying the weights", "copies", at_least, aim)


GOALS: dict[str, Goal] = {
    "differences_random": Goal(
        "agreement", "differences from an exact argsort, 1e5 columns with ties", "columns", 0, 0
    ),
    "differences_sn31": Goal(
        "agreement", "the same in 100 epochs of Bittensor's subnet 31", "columns", 0, 0
    ),
    **_epochs(),
    **{
        f"two_threads_{dtype}": Goal(
            "threads", f"one thread / two, {dtype}", "x", 1.8, 1.95, "higher"
        )
        for dtype in DTYPES
    },
    **{
        f"hashes_{dtype}": Goal(
            "hashes",
            f"different answers: serial, reversed, 1, 2 and 3 threads, warm; {dtype}",
            "answers",
            1,
            1,
        )
        for dtype in DTYPES
    },
    "hashes_x86": Goal("levels", "different answers on x86-64, v2, v3 and v4", "answers", aim=1),
    "sparse_growth": Goal("sparse", "an epoch of 1e8 non-zeros / of 1e7", "x", 6),
    "sparse_bytes": Goal("sparse", "memory of a sparse epoch, bonds included", "B a non-zero", 12),
    "sparse_seconds": Goal(
        "sparse", "10,000 x 1,000,000, 1e8 non-zeros, 2 threads", "s", None, 0.3
    ),
    "search_1024x1024": Goal(
        "search", "an epoch / a candidate on a shared base, 1024 x 1024", "x", 8, 16, "higher"
    ),
    "adversary": Goal(
        "adversary", "2,000 evaluations of the search / as many calls of yuma, 64 x 128", "x", 1.5
    ),
    "harness": Goal("harness", "CPU time of compare / of its calls of yuma", "x", 1.5, 1.1),
    "peak_memory": Goal("memory", "peak memory with 10 times the worlds / default", "x", 1.2),
    "help": Goal("start", "trilemma --help", "s", 0.4),
    "first_answer": Goal("start", "a fresh process to its first answer of yuma", "s", 0.8),
    "cold_compile": Goal("compile", "the same with nothing compiled", "CPU s", 4.5),
    "map": Goal("map", "the retention map of yuma, 28,611 epochs of 64 x 448", "s"),
}
