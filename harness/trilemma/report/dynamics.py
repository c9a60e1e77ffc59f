"""What acting in time pays, as tables and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

__all__ = ["Dynamics", "Movers", "Row"]

SCHEMA = 1


@dataclass(frozen=True)
class Movers:
    """Dividends per stake, in units of a fair part, when one miner takes another's place.

    Parameters
    ----------
    early, majority, late : float
        Of who reports the new miner before the majority, of the majority, of who comes after it.
    captured : float
        Of the early one in the epoch in which the majority moves: its bonds in the new miner.
    silent : float
        Of who says nothing any more, for the bonds it has.
    """

    early: float
    captured: float
    majority: float
    late: float
    silent: float


@dataclass(frozen=True)
class Row:
    """What one mechanism answers.

    Parameters
    ----------
    label : str
    movers : Movers
    copying : dict
        By epochs for which weights are hidden (0: none): the copier's dividends per stake in
        units of the median validator's, G, one per lag; None where the median earns nothing.
    growth : tuple of float
        The stake share that a 60 % majority comes to, one per worth of its honest work.
    """

    label: str
    movers: Movers
    copying: Mapping[int, tuple[float | None, ...]]
    growth: tuple[float, ...]


@dataclass(frozen=True)
class Dynamics:
    """The answer of `dynamics`. Prints as three tables.

    Parameters
    ----------
    lags : tuple of int
    hidden : int
        Epochs for which commit-reveal hides weights.
    copier : float
        The copier's share of stake.
    network : str or None
        The real network, if one was asked about.
    worth : tuple of float
        Of the majority's honest work.
    rows : tuple of Row
    failures : dict
        Mechanisms that are missing, and why.
    """

    lags: tuple[int, ...]
    hidden: int
    copier: float
    network: str | None
    worth: tuple[float, ...]
    rows: tuple[Row, ...]
    failures: Mapping[str, str]

    def __str__(self) -> str:
        tables = (self._moving(), self._copying(), self._growing())
        return "\n\n".join("\n".join(table) for table in tables)

    def _moving(self) -> list[str]:
        names = [field.name for field in fields(Movers)]
        return [
            "Dividends per stake (1: a fair part) when a new miner replaces another: of a",
            "validator that moves to it 5 epochs early, and of the same in the epoch in which",
            "the others follow (the bonds it captured); of the majority; of one that is 5 epochs",
            "late; and of one that says nothing any more, for the bonds it has:",
            *_table(names, [(it.label, list(asdict(it.movers).values())) for it in self.rows]),
        ]

    def _copying(self) -> list[str]:
        where = self.network or "a synthetic network whose miners change"
        rows = [
            (it.label if hidden == 0 else f"  weights hidden for {hidden}", rates)
            for it in self.rows
            for hidden, rates in it.copying.items()
        ]
        return [
            f"A validator with {self.copier:.0%} of the stake copies the consensus of so many",
            "epochs ago. Its dividends per stake over the median validator's, G; in",
            f"{where}:",
            *_table([f"lag {lag}" for lag in self.lags], rows),
            "",
            "G of 1 or more: copying pays as well as working. Where validators take 18 % of what",
            "their delegators earn, a copier with G below 0.82 loses them even if it takes none.",
        ]

    def _growing(self) -> list[str]:
        return [
            "What becomes of 60 % honest stake in 50 epochs that pay 1 % of all stake each, if it",
            "is worth so much in honest work, and the cabal gives 80 % of its weights to its own:",
            *_table(
                [f"{worth:.0%}" for worth in self.worth],
                [(it.label, it.growth) for it in self.rows],
            ),
        ]

    def to_json(self) -> str:
        """Return the documented JSON (docs/json.md), the same bytes for the same question."""
        whole = {
            "schema": SCHEMA,
            "network": self.network,
            "copier": self.copier,
            "lags": list(self.lags),
            "worth": list(self.worth),
            "mechanisms": [_row(row) for row in self.rows],
        }
        return json.dumps(whole, indent=2, allow_nan=False) + "\n"


def _table(heads: Sequence[str], rows: Sequence[tuple[str, Sequence[float | None]]]) -> list[str]:
    width = max([len("mechanism"), *(len(label) for label, _ in rows)])
    head = f"{'mechanism':{width}}" + "".join(f"{name:>10}" for name in heads)
    lines = [f"{label:{width}}" + "".join(map(_cell, values)) for label, values in rows]
    return ["", head, "-" * len(head), *lines]


def _cell(value: float | None) -> str:
    return f"{'-':>10}" if value is None else f"{value:10.3f}"


def _row(row: Row) -> dict[str, Any]:
    return {
        "label": row.label,
        "movers": asdict(row.movers),
        "copying": [
            {"hidden": hidden, "relative_dividend_rate": list(rates)}
            for hidden, rates in row.copying.items()
        ],
        "growth": list(row.growth),
    }
