"""The retention map: what honest stake must be worth in honest work, as table, JSON and figure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from trilemma.model import FloatArray

__all__ = ["Line", "RetentionMap", "crossings", "line_of"]

SCHEMA = 1
ROUNDING = 1e-9  # of an honest share of pay that equals the share of stake
NEVER = "never"


@dataclass(frozen=True)
class Line:
    """One retention line, by its worst point.

    Parameters
    ----------
    honest_stake : float
    required_honest_utility : float or None
        The least W_H that keeps the honest share whatever the cabal reports; mean over seeds.
        None: for one seed at least not even 1 does.
    at_cabal_weight : float
        The W_C that asks the most.
    low, high : float or None
        The least and the most over seeds; None as above.
    """

    honest_stake: float
    required_honest_utility: float | None
    at_cabal_weight: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        required = self.required_honest_utility
        return NEVER if required is None else f"{required:.3f}"


@dataclass(frozen=True, eq=False)
class RetentionMap:
    """The answer of `retention_map`. Prints as a table.

    Parameters
    ----------
    experiment : dict
        What was asked, as plain JSON values.
    stakes : tuple of float
        Honest shares of stake.
    seeds : int
    lines : dict
        By label: one `Line` per stake.
    surfaces : dict
        By label and stake: the honest share of pay, ndarray (grid, grid) by W_C and W_H.
    failures : dict
        Mechanisms that are missing, and why.
    """

    experiment: dict[str, Any]
    stakes: tuple[float, ...]
    seeds: int
    lines: dict[str, tuple[Line, ...]]
    surfaces: dict[str, dict[float, FloatArray]]
    failures: dict[str, str]

    def __str__(self) -> str:
        width = max([len("honest stake"), *map(len, self.lines)])
        head = "".join(f"{stake:>8.2f}" for stake in self.stakes)
        rows = [
            f"{label:{width}}" + "".join(f"{line!s:>8}" for line in lines)
            for label, lines in self.lines.items()
        ]
        return "\n".join(
            [
                "What honest stake must be worth in honest work to keep its share, whatever the",
                "cabal reports:",
                "",
                f"{'honest stake':{width}}{head}",
                "-" * (width + len(head)),
                *rows,
                "",
                *self.notes,
            ]
        )

    @property
    def notes(self) -> Sequence[str]:
        """One sentence per mechanism, about the honest stake nearest to 60 %."""
        at = min(range(len(self.stakes)), key=lambda i: abs(self.stakes[i] - 0.6))
        return [_sentence(label, lines[at]) for label, lines in self.lines.items()]

    def to_markdown(self) -> str:
        """Return the table as Markdown."""
        head = ["mechanism", *(f"{stake:.2f}" for stake in self.stakes)]
        rows = [[f"`{label}`", *map(str, lines)] for label, lines in self.lines.items()]
        rule = ["---", *["---:"] * len(self.stakes)]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)) + "\n"

    def to_json(self) -> str:
        """Return the documented JSON (docs/json.md), the same bytes for the same question."""
        whole = {
            "schema": SCHEMA,
            "experiment": self.experiment,
            "seeds": self.seeds,
            "mechanisms": [
                {"label": label, "lines": [asdict(line) for line in lines]}
                for label, lines in self.lines.items()
            ],
        }
        return json.dumps(whole, indent=2, allow_nan=False) + "\n"


def line_of(honest_stake: float, surfaces: Sequence[FloatArray]) -> Line:
    """Return the retention line of an honest stake.

    Parameters
    ----------
    honest_stake : float
    surfaces : sequence of ndarray, shape (grid, grid)
        The honest share of pay by W_C and W_H, one per seed.
    """
    needed = np.array([crossings(surface, honest_stake) for surface in surfaces])
    worst = needed.max(axis=1)
    at = int(needed.mean(axis=0).argmax())
    return Line(
        honest_stake,
        _finite(worst.mean()),
        at / (needed.shape[1] - 1),
        _finite(worst.min()),
        _finite(worst.max()),
    )


def crossings(surface: FloatArray, level: float) -> FloatArray:
    """Return for each W_C the W_H above which the honest share of pay stays at the level.

    Parameters
    ----------
    surface : ndarray, shape (grid, grid)
        By W_C and W_H; between points it is taken to be straight.
    level : float

    Returns
    -------
    ndarray, shape (grid,)
        Infinite where W_H = 1 is not enough.
    """
    steps = surface.shape[1] - 1
    needed = np.zeros(surface.shape[0])
    for row, shares in enumerate(surface):
        below = np.flatnonzero(shares < level - ROUNDING)
        if below.size == 0:
            continue
        last = int(below[-1])
        if last == steps:
            needed[row] = np.inf
        else:
            rise = shares[last + 1] - shares[last]
            needed[row] = (last + min((level - shares[last]) / rise, 1.0)) / steps
    return needed


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _sentence(label: str, line: Line) -> str:
    held = f"{label}: {line.honest_stake:.0%} honest stake"
    if line.required_honest_utility is None:
        return f"{held} cannot keep its share (at W_C = {line.at_cabal_weight:.2f})."
    return (
        f"{held} must be worth {line.required_honest_utility:.1%} in honest work to keep its share "
        f"(at W_C = {line.at_cabal_weight:.2f})."
    )
