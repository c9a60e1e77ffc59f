"""Who gains and who loses by another rule, as tables and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from trilemma.checks import NOTHING
from trilemma.concentration import Concentration
from trilemma.model import IntArray
from trilemma.report.outcomes import Change, Group, Identity, Order, Outcome

__all__ = ["WhatIf"]

SCHEMA = 1
TOP = 10  # of those who gain or lose most
NAME = 16  # letters of a name in a table
SHOWN = 5e-6  # pay that is not 0.000 % in a table


@dataclass(frozen=True, eq=False)
class WhatIf:
    """The answer of `whatif`. Prints as tables.

    Parameters
    ----------
    network : str
        The file's name.
    epochs, validators, miners : int
        As in the file.
    counted : tuple of int
        How many validators count in an epoch, at least and at most.
    xi : float
        The validators' part of all pay.
    facts : tuple of str
        What of the file the rules were shown.
    identities : tuple of Identity
        k accounts; or validators and then miners, where these are not the same accounts.
    before : Outcome
    after : tuple of Change
        In the order asked.
    failures : dict
        Rules that are missing, and why.
    """

    network: str
    epochs: int
    validators: int
    miners: int
    counted: tuple[int, int]
    xi: float
    facts: tuple[str, ...]
    identities: tuple[Identity, ...]
    before: Outcome
    after: tuple[Change, ...]
    failures: Mapping[str, str]

    def __str__(self) -> str:
        return self.text()

    def text(self, top: int = TOP) -> str:
        """Return the tables, with so many of those who gain and lose most."""
        parts = [self._asked(), *(self._told(change, top) for change in self.after)]
        return "\n\n".join("\n".join(part) for part in (*parts, self._spread()))

    def to_json(self) -> str:
        """Return the documented JSON (docs/json.md), the same bytes for the same question."""
        outcomes = [self.before, *(it.outcome for it in self.after)]
        whole = {
            "schema": SCHEMA,
            "network": self.network,
            "epochs": self.epochs,
            "validators": self.validators,
            "miners": self.miners,
            "counted": self.counted,
            "xi": self.xi,
            "facts": self.facts,
            "before": _outcome(self.before),
            "after": [_change(it) for it in self.after],
            "identities": [
                {
                    **asdict(it),
                    "pay": [float(outcome.pay[place]) for outcome in outcomes],
                    "rank": [int(outcome.ranks[place]) for outcome in outcomes],
                }
                for place, it in enumerate(self.identities)
            ],
        }
        return json.dumps(whole, indent=2, allow_nan=False) + "\n"

    def _asked(self) -> Iterator[str]:
        fewest, most = self.counted
        count = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        epochs = "1 epoch" if self.epochs == 1 else f"{self.epochs} epochs"
        yield (
            f"{self.network}: {epochs}, {self.validators} validators of whom {count} count, "
            f"{self.miners} miners."
        )
        yield from (f"  * {fact}" for fact in self.facts)
        yield f"Pay is in % of an epoch's emission, of which validators get {self.xi:.0%};"
        yield "mean over epochs."

    def _told(self, change: Change, top: int) -> Iterator[str]:
        outcome = change.outcome
        yield f"{outcome.label} instead of {self.before.label}"
        yield (
            f"  gains {_percent(change.gained)}, losses {_percent(change.lost)}; "
            f"burnt {_percent(outcome.burnt)}, before {_percent(self.before.burnt)}"
        )
        order = np.argsort(-change.differences, kind="stable")
        yield from self._people("gain most", change, order[:top], 1)
        yield from self._people("lose most", change, order[::-1][:top], -1)
        yield from _grouped("validators, by stake", "validators", change.groups)
        yield from _grouped(f"miners, by pay under {self.before.label}", "miners", change.groups)
        yield ""
        yield from map(_ordered, change.orders)

    def _people(self, title: str, change: Change, places: IntArray, sign: int) -> Iterator[str]:
        yield ""
        shown = [it for it in places.tolist() if sign * change.differences[it] > NOTHING]
        if not shown:
            yield f"  nobody would {title.split()[0]}"
            return
        yield f"  {title:{NAME}}  {'role':9}  {'stake':>8}  {COLUMNS}  {'rank':>12}"
        for place in shown:
            it, before = self.identities[place], float(self.before.pay[place])
            name = it.name if len(it.name) <= NAME else f"{it.name[: NAME - 1]}…"
            stake = _percent(it.stake) if it.stake else "-"
            ranks = f"{self.before.ranks[place]} → {change.outcome.ranks[place]}"
            yield (
                f"  {name:{NAME}}  {it.role or '-':9}  {stake:>8}  "
                f"{_moved(before, float(change.outcome.pay[place]))}  {ranks:>12}"
            )

    def _spread(self) -> Iterator[str]:
        outcomes = [self.before, *(it.outcome for it in self.after)]
        known = self.before.principals is not None
        kinds = ["identities", "principals"] if known else ["identities"]
        width = max(len(it.label) for it in outcomes)
        for kind in kinds:
            yield f"How concentrated pay is, over {kind}:"
            yield f"  {'':{width}}  {'HHI':>7}  {'Nakamoto':>8}  {'entropy':>7}  {'Gini':>6}"
            for it in outcomes:
                yield f"  {it.label:{width}}  {_measures(getattr(it, kind))}"
        if not known:
            yield "The file does not tell who owns what: one principal may hold many identities."
        yield "HHI: sum of squared shares. Nakamoto: fewest with more than half. Entropy: 1 where"
        yield "all who are paid get the same. Gini counts the unpaid too: whoever adds accounts"
        yield "without pay drives it to 1, and changes none of the others."
        yield from (f"{label} is missing: {why}" for label, why in self.failures.items())


COLUMNS = f"{'before':>9}  {'after':>9}  {'change':>9}  {'by':>8}"


def _moved(before: float, after: float) -> str:
    by = f"{after / before - 1:+.0%}" if before >= SHOWN else "-"
    change = f"{100 * (after - before):+.3f}"
    return f"{100 * before:>9.3f}  {100 * after:>9.3f}  {change:>9}  {by:>8}"


def _grouped(title: str, role: str, groups: Sequence[Group]) -> Iterator[str]:
    yield ""
    yield f"  {title:{NAME + 11}}  {'stake' if role == 'validators' else '':>8}  {COLUMNS}"
    for it in groups:
        if it.role == role:
            stake = "" if it.stake is None else _percent(it.stake)
            name = f"{it.name} ({it.size})"
            yield f"    {name:{NAME + 9}}  {stake:>8}  {_moved(it.before, it.after)}"


def _ordered(order: Order) -> str:
    tau = "no order to compare" if order.tau is None else f"Kendall's tau {order.tau:.3f}"
    return (
        f"  ranks of {order.paid} {order.role}: {tau}; the median moves by "
        f"{order.median:g}, the farthest by {order.farthest}"
    )


def _measures(it: Concentration) -> str:
    return f"{it.hhi:7.4f}  {it.nakamoto:>8}  {it.entropy:7.3f}  {it.gini:6.3f}"


def _percent(share: float) -> str:
    return f"{share:.2%}".replace("-0.00%", "0.00%")


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "label": outcome.label,
        "burnt": outcome.burnt,
        "identities": asdict(outcome.identities),
        "principals": None if outcome.principals is None else asdict(outcome.principals),
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        **_outcome(change.outcome),
        "gained": change.gained,
        "lost": change.lost,
        "groups": [asdict(it) for it in change.groups],
        "orders": [asdict(it) for it in change.orders],
    }
