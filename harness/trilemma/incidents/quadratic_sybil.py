"""Many small accounts of one donor draw the match of quadratic funding.

Sources: Sybil report on Gitcoin Grants round 10, hackmd.io/@bsci-gitcoin/r10-report [P]; vote to
ratify the results of GG18, gov.gitcoin.co [P]. Rules: Buterin, Hitzig and Weyl 2018 (quadratic);
Buterin 2019, ethresear.ch 5553 (pairwise); the thread on GG18 (clusters).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from trilemma.contract import call
from trilemma.incidents.asking import each
from trilemma.incidents.incident import Fact, Incident, Table
from trilemma.model import Epoch, FloatArray, Mechanism

__all__ = ["FACTS", "FLAGGED", "RULES", "ask", "by_clusters", "by_pairs", "quadratic", "round_of"]

REPORT = "hackmd.io/@bsci-gitcoin/r10-report"
GG18 = "gov.gitcoin.co, ratification of GG18"
FACTS = (
    Fact(
        "of 94 contributors to Gitcoin's round 10 that people looked at, 34 were Sybil: 36.2 %, "
        "between 26.1 and 45.4 % (95 % interval)",
        "P",
        REPORT,
    ),
    Fact("8.9 % of the 14,203 contributors were flagged and not matched", "P", REPORT),
    Fact(
        "round GG18 matched clusters of like donors; its organisers put what their analysis moved "
        "at 300,000 USD, taken and given, where donors had given 680,000",
        "P",
        GG18,
    ),
)

USUAL = ("quadratic", "dao_vote", "stake_capped", "yuma")
USERS, SYBILS = 500, 181  # 36.2 %
PROJECTS, GIVEN = 50, 5  # honest projects, and how many a donor gives to on average
FLAGGED = 0.089 / 0.362  # at most this share of the Sybil users was found: if no other was flagged
RECALLS = (0.0, FLAGGED, 0.5, 0.75, 0.9, 1.0)
ACCOUNTS = (1, 2, 4, 16, 64)
MOST = 10.0  # what the pairwise rule lets two donors direct, in donations
GIFT = 100.0  # of a donor who splits it, with nobody else giving
OTHERS = 9  # accounts with as much stake as the one that splits

Match: TypeAlias = Callable[[FloatArray], FloatArray]
"""From what each user gives to each project, (users, projects), to the match, (projects,)."""


def quadratic(gifts: FloatArray) -> FloatArray:
    """Return the squared sum of square roots, less what was given."""
    roots = np.sqrt(gifts)
    return np.asarray(roots.sum(axis=0) ** 2 - (roots**2).sum(axis=0))  # of one donor exactly 0


def by_pairs(gifts: FloatArray, most: float = MOST) -> FloatArray:
    """Return the match of a rule in which no two donors direct more than a bound together.

    The quadratic match is a sum over pairs of donors; where a pair's part x, over all projects,
    counts `most * x / (most + x)`, k donors direct less than `most * k * (k - 1) / 2`.
    """
    roots = np.sqrt(gifts)
    together = 2 * roots @ roots.T
    kept = most / (most + together)
    np.fill_diagonal(kept, 0)  # nobody is a pair with itself
    return np.asarray((roots * (kept @ roots)).sum(axis=0))


def by_clusters(gifts: FloatArray) -> FloatArray:
    """Return the quadratic match where donors to the same set of projects count as one."""
    _, cluster = np.unique(gifts > 0, axis=0, return_inverse=True)
    merged = np.zeros((int(cluster.max(initial=0)) + 1, gifts.shape[1]))
    np.add.at(merged, cluster.reshape(-1), gifts)
    return quadratic(merged)


RULES: Mapping[str, Match] = {
    "quadratic funding": quadratic,
    "pairwise bounded": by_pairs,
    "clusters of like donors": by_clusters,
}
WAYS = ("alike", "disguised")


def ask(mechanisms: Iterable[str | Mechanism] | None, seed: int) -> Incident:
    """Return what accounts multiply; parameters and errors as `trilemma.incidents.ask`."""
    answers, failures = each(mechanisms, USUAL, _splitting)
    taken = {label: {way: _taken(rule, way, seed) for way in WAYS} for label, rule in RULES.items()}
    alone = {label: _alone(rule) for label, rule in RULES.items()}
    moved = {label: _moved(rule, seed) for label, rule in RULES.items()}
    return Incident(
        "quadratic-sybil",
        "one donor, many accounts",
        f"In a round of {USERS} users of whom {SYBILS} are one donor's, all for a project of its "
        f"own, what part of the match does it take when a detector finds so many of them? Honest "
        f"users give 1 to each of {GIVEN} of {PROJECTS} projects on average. Sybil users give 1 "
        "to the project alone, or in disguise to others too, as honest users do. And what do "
        "accounts multiply where rewards follow stake?",
        FACTS,
        (_alone_table(alone), _taken_table(taken), _splitting_table(answers)),
        tuple(_findings(alone, taken, moved, answers)),
        (
            *(_entry(label, alone[label], taken[label], moved[label]) for label in RULES),
            *(
                {"label": label, "accounts": list(ACCOUNTS), "splitting": list(found)}
                for label, found in answers.items()
            ),
        ),
        failures,
    )


def round_of(way: str, recall: float, seed: int) -> FloatArray:
    """Return what users give in a round: honest users first, and the Sybils' project last.

    Parameters
    ----------
    way : {"alike", "disguised"}
    recall : float
        Share of the Sybil users that a detector finds and leaves out; it is never wrong.
    seed : int
    """
    draw = np.random.default_rng([seed, 0])
    liked = np.exp(draw.standard_normal(PROJECTS))
    chosen = draw.random((USERS, PROJECTS)) < np.minimum(GIVEN * liked / liked.sum(), 1)
    gifts = np.hstack([chosen, np.zeros((USERS, 1))]).astype(np.float64)
    if way == "alike":
        gifts[-SYBILS:] = 0
    gifts[-SYBILS:, -1] = 1
    return np.asarray(gifts[: USERS - round(recall * SYBILS)])


def _taken(rule: Match, way: str, seed: int) -> list[float]:
    def share(recall: float) -> float:
        match = rule(round_of(way, recall, seed))
        return float(match[-1] / match.sum())

    return [share(recall) for recall in RECALLS]


def _alone(rule: Match) -> list[float]:
    """Return by what its match multiplies a gift over so many accounts, nobody else giving."""
    return [1 + float(rule(np.full((k, 1), GIFT / k))[0]) / GIFT for k in ACCOUNTS]


def _moved(rule: Match, seed: int) -> float:
    """Return how much of the match a rule moves from plain quadratic funding, without Sybils."""
    gifts = round_of(WAYS[0], 1.0, seed)
    shares = [match / match.sum() for match in (rule(gifts), quadratic(gifts))]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def _splitting(label: str, mechanism: Mechanism) -> tuple[float | None, ...]:
    """Return by what a tenth of the stake multiplies its pay over so many accounts."""
    paid = [_paid(label, mechanism, k) for k in ACCOUNTS]
    return tuple(it / paid[0] if paid[0] > 0 else None for it in paid)


def _paid(label: str, mechanism: Mechanism, accounts: int) -> float:
    stake = np.append(np.ones(OTHERS), np.full(accounts, 1 / accounts))
    agreed = np.tile([0.5, 0.5], (stake.size, 1))
    return float(call(label, mechanism, Epoch(stake, agreed)).validators[OTHERS:].sum())


# --- tables and findings -------------------------------------------------------------------------

Taken: TypeAlias = Mapping[str, Mapping[str, Sequence[float]]]


def _alone_table(alone: Mapping[str, Sequence[float]]) -> Table:
    return Table(
        f"What its match multiplies a gift of {GIFT:g} by when it is split over so many accounts "
        "and nobody else gives:",
        tuple(f"k = {k}" for k in ACCOUNTS),
        tuple((label, tuple(found)) for label, found in alone.items()),
        head="rule",
    )


def _taken_table(taken: Taken) -> Table:
    rows = [
        (f"{label}, {way}", tuple(found))
        for label, ways in taken.items()
        for way, found in ways.items()
    ]
    return Table(
        "Share of the match that the Sybil users' project takes, by the share of them that a "
        "detector finds:",
        tuple(f"recall {recall:.3g}" for recall in RECALLS),
        tuple(rows),
        head="rule, Sybil users",
    )


def _splitting_table(answers: Mapping[str, Sequence[float | None]]) -> Table:
    return Table(
        "What a validator with a tenth of the stake multiplies its pay by when it splits over so "
        f"many accounts, where {OTHERS} others have a tenth each and all reports agree:",
        tuple(f"k = {k}" for k in ACCOUNTS),
        tuple((label, tuple(found)) for label, found in answers.items()),
    )


def _findings(
    alone: Mapping[str, Sequence[float]],
    taken: Taken,
    moved: Mapping[str, float],
    answers: Mapping[str, Sequence[float | None]],
) -> Iterator[str]:
    k = ACCOUNTS[-1]
    for label, found in alone.items():
        yield (
            f"{label}: alone in a round, a gift of {GIFT:g} over {k} accounts is multiplied by "
            f"{found[-1]:.3g}."
        )
    yield (
        f"The detector of round 10 found {FLAGGED:.1%} of the Sybil users at most. Where each "
        f"gives the same, it leaves {(1 - FLAGGED) ** 2:.0%} of their quadratic match; to halve "
        f"it, a detector has to find {1 - 0.5**0.5:.1%}."
    )
    for label, ways in taken.items():
        told = (f"{found[0]:.1%} and {found[1]:.1%} {way}" for way, found in ways.items())
        yield (
            f"{label}: Sybil users take, undetected and with the detector of round 10, "
            f"{'; '.join(told)}; without any Sybil user the rule moves {moved[label]:.1%} of the "
            "match from where plain quadratic funding puts it."
        )
    for label, gains in answers.items():
        if gains[-1] is not None:
            yield f"{label}: {k} accounts multiply a validator's pay by {gains[-1]:.3g}."


def _entry(
    label: str, alone: Sequence[float], taken: Mapping[str, Sequence[float]], moved: float
) -> dict[str, object]:
    return {
        "label": label,
        "accounts": list(ACCOUNTS),
        "alone": list(alone),
        "recall": list(RECALLS),
        "taken": {way: list(found) for way, found in taken.items()},
        "moved_without_sybils": moved,
    }
