"""Borrowed stake holds two thirds of all votes for a single step.

Source: press reports of 17 April 2022 [2]. Here a vote switches off a miner's pay instead of
emptying a treasury; what was paid out before is not brought back either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from trilemma.attacks.moves import arrive, shun, vote
from trilemma.checks import NOTHING
from trilemma.dynamics import simulate
from trilemma.incidents.incident import Fact, Incident, Table
from trilemma.incidents.naming import answers, listed, quoted
from trilemma.model import Mechanism, World, unchanged
from trilemma.scene import Scene
from trilemma.worlds import Preset

__all__ = ["ANSWERS", "BORROWED", "EPOCHS", "FACTS", "USUAL", "ask"]

SOURCE = "Cointelegraph on Beanstalk, April 2022, and later accounts"
FACTS = (
    Fact(
        "on 17 April 2022 somebody borrowed about 1 billion USD, held more than two thirds of all "
        "votes for one step, and passed a proposal that took effect at once",
        "2",
        SOURCE,
    ),
    Fact("182 million USD were lost; the step took 13 seconds", "2", SOURCE),
    Fact("the proposal had been on record for a day before", "2", SOURCE),
)

TWO_THIRDS = "of='all', threshold=0.667"


def _governed(suspension: str) -> str:
    return f"governed(suspension={suspension})"


USUAL: Mapping[str, str] = {
    "no delay": _governed(f"lasting(of=vote({TWO_THIRDS}))"),
    "delay of 7": _governed(f"lasting(of=delayed(of=vote({TWO_THIRDS}), epochs=7))"),
    "by tenure, full after 30": _governed(
        f"lasting(of=vote(electorate=by_tenure(full=30), {TWO_THIRDS}))"
    ),
    "by conviction": _governed(f"lasting(of=vote(electorate=by_conviction, {TWO_THIRDS}))"),
    "expires after 7": _governed(f"lasting(of=vote({TWO_THIRDS}), epochs=7)"),
    "while the votes stand": _governed(f"vote({TWO_THIRDS})"),
    "no votes": "yuma",
}
BORROWED = 0.7  # of all stake, in the first epoch
EPOCHS = 30
ONCE = 1 / EPOCHS
ANSWERS = (1, 7, 14, EPOCHS)  # the epoch in which the others first vote against; the last: never
LONGEST = 1024  # epochs for which stake may be held before the vote
NETWORK = Preset(stake="equal", validators=17, miners=8, noise=0)  # so that epochs pay alike

Move = Callable[[World], World]


@dataclass(frozen=True)
class Flash:
    """What one epoch of borrowed stake takes from a miner, as shares of its pay in the play.

    Parameters
    ----------
    label : str
    by_votes : tuple of float
        One for each of `ANSWERS`.
    by_weights : float
    held : int or None
        Epochs for which the stake must have been in place to pass the vote.
    """

    label: str
    by_votes: tuple[float, ...]
    by_weights: float
    held: int | None


def ask(mechanisms: Iterable[str | Mechanism] | None, seed: int) -> Incident:
    """Return what a loan of 70 % of all stake, for one epoch, takes from a miner.

    Parameters
    ----------
    mechanisms : iterable of str or Mechanism, optional
        Default: votes of two thirds of all stake with and without defences.
    seed : int

    Returns
    -------
    Incident
    """
    world = NETWORK.twin(seed)
    world = replace(world, adversary=(int(world.validator_owner[-1]),))
    found, failures = answers(mechanisms, USUAL, lambda label, it: _flash(label, it, world))
    return Incident(
        "flash-stake",
        "two thirds of all votes for one step",
        f"What does somebody take from a miner who holds {BORROWED:.0%} of all stake in the first "
        f"of {EPOCHS} epochs, and nothing afterwards? The others report honestly; they do not vote "
        "in the first epoch, and later against the suspension.",
        FACTS,
        (_table(found),),
        tuple(_findings(found)),
        tuple(map(_entry, found.values())),
        failures,
    )


def _flash(label: str, mechanism: Mechanism, world: World) -> Flash:
    target = Scene.of(world).twins[0]  # at the same place in every epoch
    quiet = _holding(world, 0.0)
    silent, opposed = quiet.epoch(), _against(quiet).epoch()

    def paid(move: Move, tenure: float, answer: int) -> float:
        first = move(arrive(_holding(world, BORROWED), tenure)).epoch()
        later = [silent] * (answer - 1) + [opposed] * (EPOCHS - answer)
        history = simulate(mechanism, [first, *later])
        return float(history.incentive[:, target].sum())

    due = cache(lambda tenure: paid(unchanged, tenure, EPOCHS))

    def lost(move: Move, answer: int = EPOCHS, tenure: float = 1.0) -> float:
        part = 1 - paid(move, tenure, answer) / due(tenure) if due(tenure) > 0 else 0.0
        return part if part > NOTHING else 0.0

    by_votes = tuple(lost(vote, answer) for answer in ANSWERS)
    held = 1 if by_votes[-1] else _least(lambda it: lost(vote, tenure=it) > 0)
    return Flash(label, by_votes, lost(shun), held)


def _least(passes: Callable[[int], bool]) -> int | None:
    """Return the least tenure above 1 with which a vote passes; more never counts less."""
    short, enough = 1, LONGEST
    if not passes(enough):
        return None
    while enough - short > 1:
        middle = (enough + short) // 2
        short, enough = (short, middle) if passes(middle) else (middle, enough)
    return enough


def _holding(world: World, share: float) -> World:
    """Give the adversary this share of all stake, and the rest to the others equally."""
    stake = np.full(world.stake.size, (1 - share) / (world.stake.size - 1))
    stake[world.own_validators] = share
    return replace(world, stake=stake)


def _against(world: World) -> World:
    """Let all others vote against suspending the target."""
    votes = np.zeros(world.weights.shape, np.int8)
    votes[:, world.twins[0]] = -1
    votes[world.own_validators] = 0
    return replace(world, votes=votes)


def _table(found: Mapping[str, Flash]) -> Table:
    return Table(
        f"The share of its pay in {EPOCHS} epochs that the miner loses: by a vote, if the others "
        "vote against it so many epochs later; by weights; and for how many epochs the stake must "
        "have been in place to pass the vote (-: it never does):",
        (*(f"after {it}" for it in ANSWERS[:-1]), "never", "by weights", "held"),
        tuple((name, (*it.by_votes, it.by_weights, it.held)) for name, it in found.items()),
    )


def _findings(found: Mapping[str, Flash]) -> list[str]:
    never = {name: it.by_votes[-1] for name, it in found.items()}
    safe = [name for name, lost in never.items() if not lost]
    in_time = [name for name, it in found.items() if not it.by_votes[1] and name not in safe]
    held = {name: it.held for name, it in found.items()}
    return [
        f"If nobody ever votes against it, a loan for one epoch takes up to "
        f"{max(never.values()):.1%} of {EPOCHS} epochs of pay; nothing under: "
        f"{quoted(safe) or 'none'}.",
        f"Only if somebody votes against it within {ANSWERS[1]} epochs, nothing is lost under: "
        f"{quoted(in_time) or 'none'}. A delay is worth as much as those who look while it runs.",
        "To pass the vote, the stake must have been in place for so many epochs: "
        f"{listed(held, 'no number')}. What is lent costs its fee for each of them.",
        _about_weights(found),
    ]


def _about_weights(found: Mapping[str, Flash]) -> str:
    """Say whether weights that were set once still count when the loan is over."""
    longer = {name: it.by_weights for name, it in found.items() if it.by_weights > ONCE + NOTHING}
    if longer:
        return (
            f"What borrowed stake says in one epoch outlasts the loan under {quoted(longer)}: it "
            f"takes up to {max(longer.values()):.1%}, and one epoch in {EPOCHS} is {ONCE:.1%}."
        )
    most = max(it.by_weights for it in found.values())
    return (
        f"What borrowed stake does through weights ends with the loan: it takes {most:.1%} at "
        f"most, and one epoch in {EPOCHS} is {ONCE:.1%}."
    )


def _entry(it: Flash) -> dict[str, object]:
    lost = {str(answer): lost for answer, lost in zip(ANSWERS, it.by_votes, strict=True)}
    return {
        "label": it.label,
        "lost_by_votes": lost,
        "lost_by_weights": it.by_weights,
        "held": it.held,
    }
