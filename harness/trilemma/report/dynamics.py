"""What acting in time pays, as tables and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

__all__ = ["Dynamics", "Movers"]

SCHEMA = 1


@dataclass(frozen=True)
class Movers:
    """Dividends per stake, in units of a fair part, when one miner takes another's place.

    Parameters
    ----------
    early, majority, late : float
        Of who reports the new miner before the majority, of the majority, of who comes after it.
    silent : float
        Of who says nothing any more, for the bonds it has.
    """

    early: float
    majority: float
    late: float
    silent: float


@dataclass(frozen=True)
class Dynamics:
    """The answer of `dynamics`. Prints as two tables.

    Parameters
    ----------
    lags : tuple of int
    hidden : int
        Epochs for which commit-reveal hides weights.
    copier : float
        The copier's share of stake.
    network : str or None
        The real network, if one was asked about.
    movers : dict
        By label.
    copying : dict
        By label and hidden epochs (0: none): the copier's dividends per stake in units of the
        median validator's, G, one per lag.
    failures : dict
        Mechanisms that are missing, and why.
    """

    lags: tuple[int, ...]
    hidden: int
    copier: float
    network: str | None
    movers: Mapping[str, Movers]
    copying: Mapping[str, Mapping[int, tuple[float, ...]]]
    failures: Mapping[str, str]

    def __str__(self) -> str:
        width = max([len("mechanism"), *map(len, self.movers)])
        return "\n".join([*self._moving(width), "", *self._copying(width)])

    def _moving(self, width: int) -> list[str]:
        head = f"{'mechanism':{width}}{'early':>10}{'majority':>10}{'late':>10}{'silent':>10}"
        rows = [
            f"{label:{width}}" + "".join(f"{value:10.3f}" for value in asdict(it).values())
            for label, it in self.movers.items()
        ]
        return [
            "Dividends per stake (1: a fair part) when a new miner replaces another: of a",
            "validator that moves to it 5 epochs early, of the majority, of one that is 5 epochs",
            "late; and of one that says nothing any more, for the bonds it has:",
            "",
            head,
            "-" * len(head),
            *rows,
        ]

    def _copying(self, width: int) -> list[str]:
        head = f"{'mechanism':{width}}  {'weights are':16}" + "".join(
            f"{f'lag {lag}':>8}" for lag in self.lags
        )
        rows = [
            f"{label if hidden == 0 else '':{width}}  {self._shown(hidden):16}"
            + "".join(f"{rate:8.3f}" for rate in rates)
            for label, by_hidden in self.copying.items()
            for hidden, rates in by_hidden.items()
        ]
        where = self.network or "a synthetic network whose miners change"
        return [
            f"A validator with {self.copier:.0%} of the stake copies the consensus of so many",
            "epochs ago. Its dividends per stake over the median validator's, G; in",
            f"{where}:",
            "",
            head,
            "-" * len(head),
            *rows,
            "",
            "G of 1 or more: copying pays as well as working. Where validators take 18 % of what",
            "their delegators earn, a copier with G below 0.82 loses them even if it takes none.",
        ]

    def _shown(self, hidden: int) -> str:
        if hidden == 0:
            return "open"
        return f"hidden {hidden} epoch{'s' * (hidden > 1)}"

    def to_json(self) -> str:
        """Return the documented JSON (docs/json.md), the same bytes for the same question."""
        whole = {
            "schema": SCHEMA,
            "network": self.network,
            "copier": self.copier,
            "lags": list(self.lags),
            "mechanisms": [
                {
                    "label": label,
                    "movers": asdict(self.movers[label]),
                    "copying": [
                        {"hidden": hidden, "relative_dividend_rate": list(rates)}
                        for hidden, rates in by_hidden.items()
                    ],
                }
                for label, by_hidden in self.copying.items()
            ],
        }
        return json.dumps(whole, indent=2, allow_nan=False) + "\n"
