"""A small council votes on more projects than it can read, and a quorum pays the rest nothing.

Sources: voters' manual of Optimism's RetroPGF 3 [P]; thread of feedback on it,
gov.optimism.io [2].
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import TypeAlias

import numpy as np

from trilemma.incidents.asking import refuse_any
from trilemma.incidents.incident import Fact, Incident, Table
from trilemma.model import FloatArray, Mechanism

__all__ = ["FACTS", "RULES", "Rule", "ask", "ballots_of", "chance", "kills", "lifts", "paid"]

MANUAL = "voters' manual of RetroPGF 3"
THREAD = "gov.optimism.io, feedback on RetroPGF 3"
FACTS = (
    Fact("132 of 145 badge-holders voted on 643 projects", "2", THREAD),
    Fact(
        "a project was paid by the median of the ballots that named it, and nothing if fewer than "
        "17 did; a ballot may give one project 5 M of the 30 M that were shared out",
        "P",
        MANUAL,
    ),
    Fact(
        "projects with 10 to 12 ballots were paid nothing; voters could see how many ballots "
        "each had, and one project says it came from 4 to 12 in a day by advertising",
        "2",
        THREAD,
    ),
)

PROJECTS, VOTERS, QUORUM = 643, 132, 17
ATTENTION = (40, 60, 83, 120, 200)  # projects that a voter rates; 83 make 17 ballots on average
USUAL_ATTENTION = 83
COALITIONS = (1, 3, 5, 9, 17, 33)
SPREAD = 0.5  # standard deviation of the log of a ballot, around equal merit
MOST = 5 / (30 / PROJECTS)  # what a ballot may give a project, in equal parts of the round


@dataclass(frozen=True)
class Rule:
    """How ballots become pay.

    Parameters
    ----------
    name : {"median", "mean"}
    quorum : int
        Fewer ballots pay nothing.
    """

    name: str
    quorum: int

    def __str__(self) -> str:
        return f"{self.name}, quorum {self.quorum}"

    @property
    def of(self) -> Callable[[FloatArray], float]:
        """From the ballots on a project to what it is paid, before all is scaled to the round."""
        return {"median": _median, "mean": _mean}[self.name]


RULES = tuple(Rule(name, quorum) for name in ("median", "mean") for quorum in (0, 5, QUORUM))


def _median(ballots: FloatArray) -> float:
    return float(np.median(ballots))


def _mean(ballots: FloatArray) -> float:
    return float(np.mean(ballots))


def ask(mechanisms: Iterable[str | Mechanism] | None, seed: int) -> Incident:
    """Return what a quorum pays for equal merit.

    Parameters
    ----------
    mechanisms : None
        The incident has no use for mechanisms.
    seed : int
        Of who rates what.

    Returns
    -------
    Incident

    Raises
    ------
    UsageError
        If mechanisms are named.
    """
    refuse_any("council", mechanisms)
    drawn = [ballots_of(attention, seed) for attention in ATTENTION]
    answers = {str(rule): _answer(rule, drawn) for rule in RULES}
    return Incident(
        "council",
        "a small council, little attention, a quorum",
        f"{VOTERS} voters rate some of {PROJECTS} projects of equal merit, each by chance. How "
        "many are paid nothing, how far from equal is the pay, and over how many projects does a "
        "coalition of voters decide?",
        FACTS,
        (_unpaid_table(), _distance_table(answers), _decides_table(), _factor_table(answers)),
        tuple(_findings(answers)),
        tuple({"label": label, **answer} for label, answer in answers.items()),
    )


# --- exact ---------------------------------------------------------------------------------------


def chance(low: int, high: int, voters: int, attention: int) -> float:
    """Return the chance of `low` to `high` ballots, where each voter rates so many projects."""
    part = attention / PROJECTS
    counts = range(max(low, 0), min(high, voters) + 1)
    return sum(comb(voters, k) * part**k * (1 - part) ** (voters - k) for k in counts)


def kills(ballots: int, quorum: int, withheld: int) -> bool:
    """Tell whether a project falls below the quorum when so many of its ballots are withheld."""
    return ballots - withheld < quorum <= ballots


def lifts(ballots: int, quorum: int, added: int) -> bool:
    """Tell whether so many ballots more lift a project over the quorum."""
    return ballots < quorum <= ballots + added


def _decides(coalition: int, quorum: int, attention: int) -> float:
    """Return the share of projects that pass with the coalition's ballots and not without."""
    return chance(quorum - coalition, quorum - 1, VOTERS - coalition, attention)


def _factor(rule: Rule, coalition: int) -> float:
    """Return by what a coalition multiplies the pay of a project with a quorum of others."""
    ballots = np.append(np.ones(QUORUM), np.full(coalition, MOST))
    return rule.of(ballots)


# --- drawn ---------------------------------------------------------------------------------------


def ballots_of(attention: int, seed: int) -> FloatArray:
    """Draw what voters give projects of equal merit, (voters, projects); 0: not rated."""
    draw = np.random.default_rng([seed, attention])
    order = draw.permuted(np.tile(np.arange(PROJECTS), (VOTERS, 1)), axis=1)
    amounts = np.exp(SPREAD * draw.standard_normal(order.shape))
    return np.where(order < attention, amounts, 0.0)


def paid(rule: Rule, ballots: FloatArray) -> FloatArray:
    """Return the share of the round that each project is paid, by ballots as `ballots_of`."""
    least = max(rule.quorum, 1)
    given = [column[column > 0] for column in ballots.T]
    pay = np.array([rule.of(it) if it.size >= least else 0.0 for it in given])
    return np.asarray(pay / (pay.sum() or 1))


Answer: TypeAlias = Mapping[str, list[float]]


def _answer(rule: Rule, drawn: Sequence[FloatArray]) -> Answer:
    pays = [paid(rule, ballots) for ballots in drawn]
    least = max(rule.quorum, 1)
    return {
        "attention": [*map(float, ATTENTION)],
        "unpaid": [chance(0, least - 1, VOTERS, attention) for attention in ATTENTION],
        "distance_from_equal": [float(np.abs(pay - 1 / PROJECTS).sum() / 2) for pay in pays],
        "factor": [_factor(rule, coalition) for coalition in COALITIONS],
    }


# --- tables and findings -------------------------------------------------------------------------

PER_ATTENTION = tuple(f"{attention} rated" for attention in ATTENTION)
PER_COALITION = tuple(f"b = {coalition}" for coalition in COALITIONS)


def _unpaid_table() -> Table:
    def row(quorum: int) -> tuple[float, ...]:
        return tuple(chance(0, max(quorum, 1) - 1, VOTERS, it) for it in ATTENTION)

    return Table(
        "Share of projects of equal merit that are paid nothing, by how many a voter rates "
        "(exact):",
        PER_ATTENTION,
        tuple((f"quorum {quorum}", row(quorum)) for quorum in (0, 5, QUORUM)),
        head="rule",
    )


def _distance_table(answers: Mapping[str, Answer]) -> Table:
    return Table(
        "Share of the round that would have to move for equal merit to be paid equally (one draw):",
        PER_ATTENTION,
        tuple((label, tuple(it["distance_from_equal"])) for label, it in answers.items()),
        head="rule",
    )


def _decides_table() -> Table:
    rows = [
        (f"{attention} rated", tuple(_decides(b, QUORUM, attention) for b in COALITIONS))
        for attention in ATTENTION
    ]
    return Table(
        f"Share of projects over which a coalition of b voters decides at a quorum of {QUORUM}: "
        "with its ballots they pass, without they do not (exact):",
        PER_COALITION,
        tuple(rows),
        head="attention",
    )


def _factor_table(answers: Mapping[str, Answer]) -> Table:
    rows = [(str(rule), tuple(answers[str(rule)]["factor"])) for rule in RULES[2::3]]
    return Table(
        f"What b voters multiply a project's pay by when {QUORUM} others give it an equal part and "
        f"they give it the most, {MOST:.0f} parts; before all is scaled to the round (exact):",
        PER_COALITION,
        tuple(rows),
        head="rule",
    )


def _findings(answers: Mapping[str, Answer]) -> Iterator[str]:
    at = ATTENTION.index(USUAL_ATTENTION)
    median, mean, free = (answers[str(it)] for it in (RULES[2], RULES[5], RULES[0]))
    yield (
        f"Where a voter rates {USUAL_ATTENTION} projects, one has {QUORUM} ballots on average, and "
        f"{median['unpaid'][at]:.1%} of projects of equal merit are paid nothing; where it rates "
        f"{ATTENTION[0]}, {median['unpaid'][0]:.1%} are."
    )
    yield (
        f"A quorum of {QUORUM} moves {median['distance_from_equal'][at]:.1%} of the round away "
        f"from equal pay, no quorum {free['distance_from_equal'][at]:.1%}: at little attention "
        "the quorum decides, not merit."
    )
    for coalition in COALITIONS[1:3]:
        yield (
            f"{coalition} voters decide over {_decides(coalition, QUORUM, USUAL_ATTENTION):.1%} of "
            f"all projects: each has {QUORUM - coalition} to {QUORUM - 1} ballots of others. "
            f"Withholding {coalition} kills one with {QUORUM + coalition - 1}."
        )
    unmoved = max(b for b in range(VOTERS) if _factor(RULES[2], b) == 1)
    yield (
        f"Up to {unmoved} voters do not move a median of {QUORUM} others; under the mean one "
        f"voter multiplies the pay by {mean['factor'][0]:.3g}."
    )
