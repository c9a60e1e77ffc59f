"""A vote that almost nobody takes part in hands a treasury over.

Sources: press reports of February 2022 [2]; whether that was a hostile takeover or the rules at
work is contested [allegation]. The question is what it takes when nobody else votes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trilemma.dynamics import simulate
from trilemma.incidents.incident import Fact, Incident, Table
from trilemma.incidents.naming import answers, listed, quoted
from trilemma.model import AnyArray, Epoch, FloatArray, IntArray, Mechanism, World
from trilemma.worlds import Preset, largest

__all__ = ["EPOCHS", "FACTS", "HOLDERS", "USUAL", "ask"]

PRESS = "Decrypt and Web3 is Going Just Great, February 2022"
FACTS = (
    Fact(
        "a proposal gave one holder control of a token's contract, minting keys and treasury; few "
        "others noticed the vote, and about 470,000 USD were taken out",
        "2",
        PRESS,
    ),
    Fact(
        "the holder had gathered tokens before; a first attempt failed and the second succeeded",
        "2",
        "Wikipedia, Build Finance DAO",
    ),
    Fact(
        "the project called it a hostile takeover; others say that the rules did what they say",
        "allegation",
        PRESS,
    ),
)


def _voted(rule: str) -> str:
    return f"governed(suspension=vote{rule})"


USUAL: Mapping[str, str] = {
    "no quorum": _voted(""),
    "no quorum, delay of 7": "governed(suspension=delayed(of=vote, epochs=7))",
    "quorum of a fifth": _voted("(quorum=0.2)"),
    "quorum of half": _voted("(quorum=0.5)"),
    "half of all stake": _voted("(of='all')"),
    "two thirds of all stake": _voted("(of='all', threshold=0.667)"),
    "quorum of half the identities": _voted("(electorate=by_identity, quorum=0.5)"),
}
HOLDERS = 64
EPOCHS = 9  # for which the votes stand, so that a delay of 7 is over
CUT = 0.5  # of the target's pay
NETWORK = Preset(validators=HOLDERS, miners=HOLDERS + 1)


class Few(NamedTuple):
    """How many holders it takes, and what share of stake they have; None: not even all."""

    number: int | None
    stake: float | None


@dataclass(frozen=True)
class Room:
    """Who suspends a miner while all others stay away, from the largest and the smallest on."""

    label: str
    largest: Few
    smallest: Few


def ask(mechanisms: Iterable[str | Mechanism] | None, seed: int) -> Incident:
    """Return how few holders win a vote that nobody else takes part in.

    Parameters
    ----------
    mechanisms : iterable of str or Mechanism, optional
        Default: votes with and without a quorum.
    seed : int

    Returns
    -------
    Incident
    """
    world = NETWORK.twin(seed)
    found, failures = answers(mechanisms, USUAL, lambda label, it: _room(label, it, world))
    return Incident(
        "empty-room",
        "a vote that nobody noticed",
        f"How few of {HOLDERS} holders, with the stake of the root network, take half of its pay "
        f"from a miner by votes that stand for {EPOCHS} epochs, if all others stay away? And how "
        "few of the smallest?",
        FACTS,
        (_table(found),),
        tuple(_findings(found)),
        tuple(map(_entry, found.values())),
        failures,
    )


def _room(label: str, mechanism: Mechanism, world: World) -> Room:
    ranked = largest(world.stake, HOLDERS)
    return Room(label, *(_few(mechanism, world, it) for it in (ranked, ranked[::-1])))


def _few(mechanism: Mechanism, world: World, order: IntArray) -> Few:
    """Return how many holders it takes in this order: those first in it vote on miner 1, ..., n."""
    places, miners = np.argsort(order), np.arange(HOLDERS + 1)
    votes = (places[:, None] < miners).astype(np.int8)
    due = _paid(mechanism, world, np.zeros_like(votes))
    paid = _paid(mechanism, world, votes)
    cut = np.flatnonzero((due > 0) & (paid <= (1 - CUT) * due) & (miners > 0))
    if not cut.size:
        return Few(None, None)
    return Few(int(cut[0]), float(world.stake[order[: cut[0]]].sum()))


def _paid(mechanism: Mechanism, world: World, votes: AnyArray) -> FloatArray:
    """Return what miners are paid in the last epoch in which these votes stand."""
    epoch = Epoch(world.stake, world.weights, votes=votes)
    return np.asarray(simulate(mechanism, epoch, epochs=EPOCHS).incentive[-1])


def _table(found: Mapping[str, Room]) -> Table:
    return Table(
        "How many holders suspend a miner while nobody else votes, counted from the largest and "
        "from the smallest, and what share of stake they have (-: not even all of them):",
        ("largest", "their stake", "smallest", "their stake"),
        tuple((name, (*it.largest, *it.smallest)) for name, it in found.items()),
        head="vote",
    )


def _findings(found: Mapping[str, Room]) -> Iterator[str]:
    numbers = {name: it.largest.number for name, it in found.items()}
    yield f"Of the largest it takes {listed(numbers, 'no number')}."
    alone = [name for name, it in found.items() if it.smallest.number == 1]
    if alone:
        stake = found[alone[0]].smallest.stake
        yield (
            f"N = 1, and any holder will do: the smallest, with {stake:.2%} of the stake, is "
            f"enough under {quoted(alone)}. Nobody undoes what nobody sees: a delay is no help."
        )
    others = {name: it for name, it in found.items() if numbers[name] and name not in alone}
    if others:
        asked = {name: min(_stakes(it)) for name, it in others.items()}
        cheapest = min(asked, key=lambda it: asked[it])
        yield (
            f"Of the others, `{cheapest}` asks for the least stake, {asked[cheapest]:.1%}. A "
            "quorum asks as much of those who come alone as a threshold of all power does; but "
            "whoever comes to vote against them helps them to reach a quorum."
        )


def _stakes(it: Room) -> list[float]:
    return [few.stake for few in (it.largest, it.smallest) if few.stake is not None]


def _entry(it: Room) -> dict[str, object]:
    return {
        "label": it.label,
        "by_largest": it.largest.number,
        "stake_of_largest": it.largest.stake,
        "by_smallest": it.smallest.number,
        "stake_of_smallest": it.smallest.stake,
    }
