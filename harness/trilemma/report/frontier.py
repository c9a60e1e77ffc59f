"""Settings of mechanisms and their scores: which are on the frontier, and what beats the others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from trilemma.model import Budget
from trilemma.statistics import Interval

if TYPE_CHECKING:
    from trilemma.report import Failure

__all__ = ["SCORES", "Candidate", "Dominance", "Frontier"]

SCHEMA = 1
SCORES = {"sybil_resistance": "SR", "neutrality": "CN", "quality_attacked": "Q"}


@dataclass(frozen=True)
class Dominance:
    """Who beats a candidate, by how much.

    Parameters
    ----------
    by : str
        The label of the one that is as good in all three scores and better in one; of several,
        the one that gains most in all.
    sybil_resistance, neutrality, quality_attacked : Interval
        What it gains, world by world.
    share : float
        In which share of the resamples it beats the candidate.
    """

    by: str
    sybil_resistance: Interval
    neutrality: Interval
    quality_attacked: Interval
    share: float

    def __str__(self) -> str:
        gains = ((name, getattr(self, score)) for score, name in SCORES.items())
        said = ", ".join(
            f"{name} +{it.value:.3f} ({it.low:.3f} to {it.high:.3f})" for name, it in gains
        )
        return f"{self.by} in {self.share:.0%} of resamples: {said}"


@dataclass(frozen=True)
class Candidate:
    """One setting of one mechanism.

    Parameters
    ----------
    label : str
    mechanism : str
        Its name without parameters.
    setting : str or None
        What this setting is known as; None if it has no name.
    sybil_resistance, neutrality, quality_attacked, minimum : Interval
    pareto_share : float
        In which share of the resamples no candidate is as good in all three and better in one.
    beaten, beaten_by_own : Dominance or None
        By which candidate it is with all worlds, of any mechanism and of its own; None: by none.
    """

    label: str
    mechanism: str
    setting: str | None
    sybil_resistance: Interval
    neutrality: Interval
    quality_attacked: Interval
    minimum: Interval
    pareto_share: float
    beaten: Dominance | None
    beaten_by_own: Dominance | None

    @property
    def mark(self) -> str:
        """`*` on the frontier of all candidates, `+` on that of its own mechanism only."""
        if self.beaten is None:
            return "*"
        return "+" if self.beaten_by_own is None else " "


@dataclass(frozen=True)
class Frontier:
    """The answer of `frontier`. Prints as a table.

    Parameters
    ----------
    seed, budget, world
        What was asked; `world` as plain JSON values.
    worlds : int
    candidates : tuple of Candidate
    failures : tuple of Failure
    calls : int
        Mechanism calls made; what was kept cost none.
    """

    seed: int
    budget: Budget
    world: dict[str, Any]
    worlds: int
    candidates: tuple[Candidate, ...]
    failures: tuple[Failure, ...]
    calls: int

    def __str__(self) -> str:
        return "\n".join([*_table(self), "", *self.notes])

    @property
    def notes(self) -> Sequence[str]:
        """What becomes of the settings that have a name, what is missing, and the effort."""
        named = [it for it in self.candidates if it.setting is not None]
        missing = [f"{it.label} is missing: {it.reason}" for it in self.failures]
        effort = (
            f"{self.calls:,} mechanism calls; {len(self.candidates)} candidates, {self.worlds} "
            f"worlds, seed {self.seed}."
        )
        return [*(line for it in named for line in _verdict(it)), *missing, "", effort]

    def to_json(self) -> str:
        """Return the documented JSON (docs/sweeps.md), the same bytes for the same question."""
        whole = {
            "schema": SCHEMA,
            "seed": self.seed,
            "budget": asdict(self.budget),
            "world": self.world,
            "candidates": [asdict(candidate) for candidate in self.candidates],
        }
        return json.dumps(whole, indent=2, allow_nan=False) + "\n"


def _table(frontier: Frontier) -> Iterator[str]:
    width = max([len("setting"), *(len(it.label) for it in frontier.candidates)])
    budget = frontier.budget
    yield (
        f"Settings within stake {budget.stake:g}, {budget.identities} identities, each at "
        f"{budget.identity_cost:g}:"
    )
    yield ""
    yield f"  {'setting':{width}}{''.join(f'{it:>10}' for it in (*SCORES.values(), 'minimum'))}"
    for it in frontier.candidates:
        cells = "".join(f"{_cell(getattr(it, score)):>10}" for score in (*SCORES, "minimum"))
        yield f"{it.mark} {it.label:{width}}{cells}  {it.setting or ''}".rstrip()
    yield ""
    yield "*: no candidate is as good in SR, CN and Q under attack, and better in one; +: no other"
    yield "setting of its mechanism is. With half the width of 95 % intervals."


def _cell(score: Interval) -> str:
    half = max(score.high - score.value, score.value - score.low)
    return f"{score.value:.2f}±{half:.2f}".replace("±0", "±")


def _verdict(candidate: Candidate) -> Iterator[str]:
    name = f"{candidate.label} ({candidate.setting})"
    beaten, own = candidate.beaten, candidate.beaten_by_own
    if beaten is None:
        yield f"{name} is on the frontier, in {candidate.pareto_share:.0%} of resamples."
        return
    yield f"{name} is beaten by"
    yield f"  {beaten}"
    if own is None:
        yield f"  no other setting of {candidate.mechanism} beats it"
    elif own.by != beaten.by:
        yield f"  {own}"
