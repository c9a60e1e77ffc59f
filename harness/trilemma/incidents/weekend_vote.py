"""A proposal that failed before passes on a weekend, by 51.8 % of the votes cast.

Sources: press reports of July 2024 [2]; that it was an attack on the network's votes is contested
[allegation]. The question is what becomes of a majority that has to turn up every time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from trilemma.dynamics import simulate
from trilemma.incidents.incident import Fact, Incident, Table
from trilemma.incidents.naming import answers, quoted
from trilemma.model import Epoch, FloatArray, IntArray, Mechanism

__all__ = ["AGAINST", "FACTS", "FOR", "USUAL", "ask", "chance_of_a_run", "turnouts"]

PRESS = "The Block and CoinDesk, 28 and 29 July 2024"
FOR, AGAINST = 682_191, 633_636
FACTS = (
    Fact(
        f"on 28 July 2024, a Sunday, a proposal passed by {FOR:,} to {AGAINST:,} votes of 57 "
        "addresses, reported as 51.84 %; it moved 499,000 tokens, about 24 million USD",
        "2",
        PRESS,
    ),
    Fact("two proposals to the same end had failed in the weeks before", "2", PRESS),
    Fact(
        "members of the network called it a governance attack; the proposer denied any intention "
        "to take the tokens",
        "allegation",
        PRESS,
    ),
)


def _governed(suspension: str) -> str:
    return f"governed(inner=stake_weighted, suspension={suspension})"


USUAL: Mapping[str, str] = {
    "majority of those who vote": _governed("vote"),
    "quorum of 0.65": _governed("vote(quorum=0.65)"),
    "majority of all stake": _governed("vote(of='all')"),
    "delay of 2": _governed("delayed(of=vote, epochs=2)"),
    "lasts 5 epochs, 10 of rest": _governed("lasting(of=vote, epochs=5, cooldown=10)"),
    "lasts until undone": _governed("lasting(of=vote)"),
}
SHARE = 0.35  # of all stake, that always votes for the proposal
OPPONENTS = 20  # with equal stake; 8 to 20 of them turn up, all equally likely
LEAST = 8
EPOCHS = 20  # one proposal in each
COUNTS = (1, 5, EPOCHS)
TRIALS = 1000  # miners, each with turnouts of its own
CUT = 0.5


@dataclass(frozen=True)
class Weekend:
    """What repeated proposals come to.

    Parameters
    ----------
    label : str
    passed : tuple of float
        The share of trials in which one proposal took effect at least, by `COUNTS`.
    suspended : float
        The share of all epochs in which the miner is not paid.
    """

    label: str
    passed: tuple[float, ...]
    suspended: float


def ask(mechanisms: Iterable[str | Mechanism] | None, seed: int) -> Incident:
    """Return how often a minority that always votes wins against a majority that does not.

    Parameters
    ----------
    mechanisms : iterable of str or Mechanism, optional
        Default: votes with a quorum, a delay, a cooldown and without.
    seed : int
        Of who turns up.

    Returns
    -------
    Incident
    """
    drawn = turnouts(seed)
    found, failures = answers(mechanisms, USUAL, lambda label, it: _weekend(label, it, drawn))
    return Incident(
        "weekend-vote",
        "a majority that has to turn up every time",
        f"Somebody with {SHARE:.0%} of all stake proposes in every epoch to suspend a miner, and "
        f"always votes. Of {OPPONENTS} equal opponents, {LEAST} to {OPPONENTS} turn up, all "
        f"equally likely, and vote against. How often does one of {EPOCHS} proposals take effect?",
        FACTS,
        (_table(found), _closed_forms()),
        tuple(_findings(found)),
        tuple(map(_entry, found.values())),
        failures,
    )


def turnouts(seed: int) -> IntArray:
    """Return how many opponents turn up, by epoch and trial, shape (EPOCHS, TRIALS)."""
    return np.random.default_rng(seed).integers(LEAST, OPPONENTS + 1, (EPOCHS, TRIALS))


def _weekend(label: str, mechanism: Mechanism, drawn: IntArray) -> Weekend:
    """Let every miner stand for a trial: the opponents turn up for each in other numbers."""
    stake = [SHARE, *[(1 - SHARE) / OPPONENTS] * OPPONENTS]
    reports = np.full((OPPONENTS + 1, TRIALS), 1 / TRIALS)

    def paid(votes: list[IntArray]) -> FloatArray:
        return simulate(mechanism, [Epoch(stake, reports, votes=it) for it in votes]).incentive

    attacked = paid([_ballots(numbers) for numbers in drawn])
    due = paid([np.zeros_like(reports, np.int8)] * EPOCHS)
    cut = (due > 0) & (attacked <= (1 - CUT) * due)
    passed = tuple(float(cut[:count].any(axis=0).mean()) for count in COUNTS)
    return Weekend(label, passed, float(cut.mean()))


def _ballots(numbers: IntArray) -> IntArray:
    """Return votes on all miners: the first for the suspension, so many of the others against."""
    against = np.arange(OPPONENTS)[:, None] < numbers
    return np.vstack([np.ones(numbers.size), -against.astype(np.int64)]).astype(np.int8)


# --- what can be said without a draw -------------------------------------------------------------


def _wins(quorum: Fraction = Fraction(0)) -> Fraction:
    """Return the chance that one proposal wins a majority of those who vote."""
    share = Fraction(str(SHARE))
    each = (1 - share) / OPPONENTS
    turned_up = range(LEAST, OPPONENTS + 1)
    won = [it for it in turned_up if it * each < share and share + it * each >= quorum]
    return Fraction(len(won), len(turned_up))


def chance_of_a_run(chance: Fraction, length: int, tries: int) -> Fraction:
    """Return the chance of so many successes in a row, once at least in independent tries."""
    # by the successes at the end; whoever reached the length stays there
    states = [Fraction(1), *[Fraction(0)] * length]
    for _ in range(tries):
        lost = (1 - chance) * sum(states[:length], Fraction(0))
        won = [chance * it for it in states[:length]]
        states = [lost, *won[:-1], won[-1] + states[length]]
    return states[length]


def _closed_forms() -> Table:
    def row(chance: Fraction, length: int = 1) -> tuple[float, ...]:
        return tuple(float(chance_of_a_run(chance, length, count)) for count in COUNTS)

    return Table(
        "The same without a draw: with chance p of one proposal, 1 - (1 - p)^r for r proposals; "
        "after a delay of 2 it takes three epochs of low turnout in a row:",
        tuple(f"r = {count}" for count in COUNTS),
        (
            ("majority of those who vote", row(_wins())),
            ("quorum of 0.65", row(_wins(Fraction(65, 100)))),
            ("delay of 2", row(_wins(), 3)),
        ),
        head="vote",
    )


def _table(found: Mapping[str, Weekend]) -> Table:
    return Table(
        f"How often one of r proposals at least takes effect, in {TRIALS} trials, and the share of "
        f"{EPOCHS} epochs in which the miner is not paid:",
        (*(f"r = {count}" for count in COUNTS), "not paid"),
        tuple((name, (*it.passed, it.suspended)) for name, it in found.items()),
        head="vote",
    )


def _findings(found: Mapping[str, Weekend]) -> list[str]:
    share, once = FOR / (FOR + AGAINST), _wins()
    often = float(chance_of_a_run(once, 1, EPOCHS))
    never = [name for name, it in found.items() if not it.passed[-1]]
    most = max(found, key=lambda it: found[it].passed[-1])
    return [
        f"{FOR:,} of {FOR + AGAINST:,} votes are {share:.3%}: the reported 51.84 % is cut off, not "
        f"rounded. A lead of {FOR - AGAINST:,}.",
        f"A proposal of {SHARE:.0%} wins against a turnout below {SHARE / (1 - SHARE):.1%} of the "
        f"others: with chance p = {once}, {float(once):.1%}. One of {EPOCHS} does so with chance "
        f"1 - (1 - p)^{EPOCHS} = {often:.1%}: whoever may ask again wins.",
        f"In the trials one of {EPOCHS} takes effect in up to {found[most].passed[-1]:.1%} (under "
        f"`{most}`); never under: {quoted(never) or 'none'}.",
        "A rest after a suspension caps what is lost, not the chance that it happens; a rest of c "
        f"epochs after every proposal would leave {EPOCHS} / (c + 1) of them.",
    ]


def _entry(it: Weekend) -> dict[str, object]:
    passed = {str(count): part for count, part in zip(COUNTS, it.passed, strict=True)}
    return {"label": it.label, "passed": passed, "not_paid": it.suspended}
