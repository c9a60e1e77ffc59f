"""Custodians vote with their customers' stake and take every seat of a network.

Sources: press reports of March 2020 [2]; whether it was a takeover or a defence of frozen property
is contested [allegation]. The question is about the rule by which seats are filled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from trilemma.incidents.asking import refuse_any
from trilemma.incidents.incident import Fact, Incident, Table
from trilemma.model import Mechanism

__all__ = ["FACTS", "SEATS", "ask", "score", "seats_taken"]

PRESS = "Cointelegraph and CoinCodex, March 2020"
FACTS = (
    Fact(
        "a company had bought the founders' stake, and those who held the 20 seats had stopped it "
        "from voting",
        "2",
        PRESS,
    ),
    Fact(
        "on 2 March 2020 three custodians staked what customers had deposited; the bloc's votes, "
        "about 20 % of all stake and more than 40 % of the active votes, filled all 20 seats, "
        "since everybody could approve 30 candidates with all their stake",
        "2",
        PRESS,
    ),
    Fact(
        "holders of the network called it a hostile takeover; the company said that it took back "
        "frozen property and that it never meant to take over a network",
        "allegation",
        "the company's statement of 7 March 2020",
    ),
)
SEATS = 20
APPROVALS = (1, 5, 10, 20, 30)
SUPPLY, OF_ACTIVE = Fraction(1, 5), Fraction(2, 5)  # about, and more than: of all stake, of votes
ACTIVE = Fraction(41, 100)  # the share of the active votes that is played
LISTS = (1, 2, 5)  # that the others divide into
BLOC = f"a bloc with {float(ACTIVE):.0%} of the active votes"
FULL = 30  # epochs after which stake counts in full, in the rule with tenure
HELD = (1, 7, 14, 30)


def ask(mechanisms: Iterable[str | Mechanism] | None, seed: int) -> Incident:  # noqa: ARG001
    """Return how many seats a bloc takes, by how many candidates a voter may approve.

    Parameters
    ----------
    mechanisms : None
        There is no use for mechanisms.
    seed : int
        Nothing is drawn.

    Returns
    -------
    Incident

    Raises
    ------
    UsageError
        If mechanisms are given.
    """
    refuse_any("custodial-stake", mechanisms)
    return Incident(
        "custodial-stake",
        "all 20 seats by borrowed stake",
        f"How many of {SEATS} seats does {BLOC} take, whatever the others do, where everybody "
        "approves so many candidates with all their stake? The others divide into lists that "
        "approve no candidate of one another.",
        FACTS,
        (_by_rule(), _by_tenure()),
        tuple(_findings()),
        tuple(map(_entry, APPROVALS)),
    )


def score(stake: Fraction, approvals: int, candidates: int) -> Fraction:
    """Return the most that every one of some candidates gets from a bloc.

    Each unit of stake approves `approvals` of them at most, and each once: spread evenly, all get
    `stake * approvals / candidates`, but nobody more than `stake`.
    """
    return stake * min(Fraction(approvals, candidates), Fraction(1))


def seats_taken(stake: Fraction, approvals: int, lists: int = 1, seats: int = SEATS) -> int:
    """Return how many seats a bloc takes for certain; ties go to the others.

    It takes k where its k candidates have more each than the weakest of the `seats - k + 1` that
    the others would need, shared out among their lists as evenly as can be.

    Parameters
    ----------
    stake : Fraction
        The bloc's share of the votes cast, in [0, 1].
    approvals : int
        Candidates that everybody may approve, with all of their stake.
    lists : int
        That the others divide into, all with the same stake.
    seats : int
    """
    each = (1 - stake) / lists

    def takes(count: int) -> bool:
        longest = -(-(seats - count + 1) // lists)
        return score(stake, approvals, count) > score(each, approvals, longest)

    return max((count for count in range(1, seats + 1) if takes(count)), default=0)


def _by_rule() -> Table:
    def row(approvals: int) -> tuple[int, ...]:
        return tuple(
            seats_taken(share, approvals, lists) for share in (ACTIVE, SUPPLY) for lists in LISTS
        )

    return Table(
        f"Seats of {SEATS} that {BLOC} takes, by how many lists the others divide into; then the "
        f"same if all voted, so that it had {float(SUPPLY):.0%}:",
        tuple(f"{it}{then}" for then in ("", ", all vote") for it in map(_lists, LISTS)),
        tuple((_approvals(it), row(it)) for it in APPROVALS),
        head="rule",
    )


def _lists(count: int) -> str:
    return "1 list" if count == 1 else f"{count} lists"


def _approvals(count: int) -> str:
    return "1 approval" if count == 1 else f"{count} approvals"


def _matured(held: int) -> Fraction:
    """Return the bloc's share of power where its stake counts by tenure, and all other in full."""
    counted = ACTIVE * min(Fraction(held, FULL), Fraction(1))
    return counted / (counted + 1 - ACTIVE)


def _by_tenure() -> Table:
    def row(held: int) -> tuple[float | int, ...]:
        share = _matured(held)
        return (float(share), *(seats_taken(share, it, LISTS[-1]) for it in APPROVALS))

    return Table(
        f"The same against {LISTS[-1]} lists where stake counts in full only once it was in place "
        f"for {FULL} days, by how long the bloc had staked: its share, and seats by approvals:",
        ("share", *map(str, APPROVALS)),
        tuple((f"{held} day{'s' * (held > 1)}", row(held)) for held in HELD),
        head="staked for",
    )


def _findings() -> Iterator[str]:
    share, few, many = f"{float(ACTIVE):.0%}", LISTS[0], LISTS[-1]
    most = APPROVALS[-1]
    yield (
        f"With {most} approvals for {SEATS} seats the largest bloc takes every seat: {share} takes "
        f"{seats_taken(ACTIVE, most, many)} against {_lists(many)}, and "
        f"{seats_taken(ACTIVE, most, few)} against a single list, which then takes all of them."
    )
    yield (
        f"With one approval each, seats go by share: {seats_taken(ACTIVE, 1, few)} of {SEATS} for "
        f"{share} against a single list, {seats_taken(ACTIVE, 1, many)} against {_lists(many)}. "
        f"Whoever has more than 1 / {SEATS + 1} of the votes takes a seat."
    )
    turnout = SUPPLY * (1 - OF_ACTIVE) / (OF_ACTIVE * (1 - SUPPLY))
    yield (
        f"{float(SUPPLY):.0%} of all stake are more than {float(OF_ACTIVE):.0%} of the active "
        f"votes where less than {float(turnout):.1%} of the rest votes."
    )
    young, days = _matured(HELD[0]), next(it for it in range(1, FULL + 1) if _sweeps(it))
    yield (
        f"Where stake counts in full after {FULL} days, stake of one day is {float(young):.1%} of "
        f"the power instead of {share}, and takes {seats_taken(young, most, many)} seats; it has "
        f"to be staked for {days} days to take all {SEATS} against {_lists(many)}."
    )


def _sweeps(held: int) -> bool:
    return seats_taken(_matured(held), APPROVALS[-1], LISTS[-1]) == SEATS


def _entry(approvals: int) -> dict[str, object]:
    def seats(share: Fraction) -> Mapping[str, int]:
        return {str(lists): seats_taken(share, approvals, lists) for lists in LISTS}

    return {
        "label": _approvals(approvals),
        "seats_by_lists": seats(ACTIVE),
        "seats_by_lists_if_all_vote": seats(SUPPLY),
        "seats_by_days_staked": {
            str(held): seats_taken(_matured(held), approvals, LISTS[-1]) for held in HELD
        },
    }
