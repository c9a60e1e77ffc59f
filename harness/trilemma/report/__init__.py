"""What a comparison says: rows of scores, as a table, as Markdown, as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from trilemma.model import Budget
from trilemma.report.model import MeanConcentration, Row, Side
from trilemma.report.tables import markdown, text
from trilemma.report.verdict import verdict
from trilemma.witness import Explanation, Witness

__all__ = ["Failure", "MeanConcentration", "Report", "Row", "Side"]

SCHEMA = 1


@dataclass(frozen=True)
class Failure:
    """A mechanism that is missing from the table, or an attack that was left out, and why."""

    label: str
    reason: str


@dataclass(frozen=True)
class Report:
    """The answer of `compare`. Prints as a table.

    Parameters
    ----------
    seed, budget, world
        What was asked; `world` as plain JSON values.
    rows : tuple of Row
        In the order asked.
    failures : tuple of Failure
    attacks : tuple of str
        Those whose plays were tried.
    worlds, plays, calls : int
        Worlds drawn, plays tried in each, mechanism calls made in this run (cells that were
        already there cost none).
    equal_stake, knows_quality : bool
        Whether everybody holds the same; whether quality is the truth or a reference.
    stake_concentration : MeanConcentration
        How concentrated stake is over principals.
    witnesses : tuple of Witness
        The worst play of every score that some play lowers; `replay` makes it again.
    explanations : tuple of Explanation
        What each witness shows, stage by stage.
    """

    seed: int
    budget: Budget
    world: dict[str, object]
    rows: tuple[Row, ...]
    failures: tuple[Failure, ...]
    attacks: tuple[str, ...]
    worlds: int
    plays: int
    calls: int
    equal_stake: bool
    knows_quality: bool
    stake_concentration: MeanConcentration
    witnesses: tuple[Witness, ...] = field(default=(), repr=False)
    explanations: tuple[Explanation, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return text(self)

    @property
    def notes(self) -> Sequence[str]:
        """What a reader should know beside the numbers: ties, flags, what is not decisive."""
        return verdict(self)

    def to_markdown(self) -> str:
        """Return the table as Markdown."""
        return markdown(self)

    def to_json(self) -> str:
        """Return the documented JSON (docs/json.md), the same bytes for the same question."""
        return json.dumps(self.answer(), indent=2, allow_nan=False) + "\n"

    def to_html(self) -> str:
        """Return the page: one file that needs no network."""
        from trilemma.report.document import document
        from trilemma.report.page import render

        return render(document(self))

    def _repr_html_(self) -> str:
        from trilemma.report.document import document
        from trilemma.report.page import fragment

        return fragment(document(self))

    def answer(self) -> dict[str, Any]:
        """Return what `to_json` writes."""
        return {
            "schema": SCHEMA,
            "seed": self.seed,
            "budget": asdict(self.budget),
            "world": self.world,
            "attacks": list(self.attacks),
            "mechanisms": [row.to_json() for row in self.rows],
        }
