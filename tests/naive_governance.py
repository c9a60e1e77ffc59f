"""Slow twins of the parts of governance: one miner, one epoch at a time, in fractions."""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from trilemma.model import AnyArray, Epoch
from trilemma_mechanisms.governance import (
    Appeal,
    Both,
    Delayed,
    Keys,
    Lasting,
    Override,
    Review,
    Suspension,
    Vote,
)

__all__ = [
    "FIRST",
    "SECOND",
    "SIGNS",
    "decided",
    "on_one",
    "shown",
    "sided",
    "slow",
    "slow_appeal",
    "slow_delayed",
    "slow_lasting",
    "slow_review",
    "slow_vote",
]

SIGNS = (0, 1, -1)
FIRST, SECOND = Keys(needed=1, seats=(0,)), Keys(needed=1, seats=(1,))  # do what a seat says


def shown(orders: Any = (), votes: Any = None, stake: Any = (1, 1, 1), **facts: Any) -> Epoch:
    """Return an epoch in which every seat (k,) orders this, or every validator votes so."""
    said = np.asarray(orders if len(orders) else votes)
    weights = np.ones((len(stake), said.shape[-1]))
    seats = facts.pop("seats", [0] * len(orders))
    return Epoch(stake, weights, votes=votes, seats=seats, orders=orders or None, **facts)


def ordered(*scripts: Sequence[int]) -> list[Epoch]:
    """Return the epochs in which each seat orders of the only miner what its script says."""
    return [shown([[it] for it in now]) for now in zip(*scripts, strict=True)]


def decided(part: Suspension, epochs: Sequence[Epoch]) -> AnyArray:
    """Return what is decided on every miner in every epoch, (T, m); what is carried travels."""
    carry, found = None, []
    for epoch in epochs:
        ruling = part(epoch.replace(carry=carry))
        carry = pickle.loads(pickle.dumps(ruling.carry))
        found.append(ruling.decision.tolist())
    return np.array(found)


def on_one(part: Suspension, *scripts: Sequence[int]) -> list[int]:
    """Return what is decided on the only miner, epoch by epoch."""
    return [int(it) for it in decided(part, ordered(*scripts))[:, 0]]


# --- slow twins -----------------------------------------------------------------------------------


def sided(order: bool, opposite: bool) -> int:
    return 1 if order else -1 if opposite else 0


def slow_keys(part: Keys, said: Sequence[int]) -> int:
    return sided(said.count(1) >= part.needed, said.count(-1) >= part.needed)


def slow_vote(part: Vote, power: Sequence[float], said: Sequence[int]) -> int:
    held = [Fraction(it) for it in power]
    quorum, most = (Fraction(it).limit_denominator(1000) for it in (part.quorum, part.threshold))
    for_it, against = (
        sum((it for it, what in zip(held, said, strict=True) if what == side), Fraction(0))
        for side in (1, -1)
    )
    cast = for_it + against
    base = cast if part.of == "cast" else sum(held)
    heard = cast > 0 and cast >= quorum * sum(held)
    return sided(heard and for_it > most * base, heard and against > most * base)


def slow_delayed(part: Delayed, said: Sequence[int]) -> Iterator[int]:
    for now, what in enumerate(said):
        then = now - part.epochs
        bites = then >= 0 and said[then] == 1 and -1 not in said[then : now + 1]
        yield sided(bites, what == -1)


def slow_lasting(part: Lasting, said: Sequence[int]) -> Iterator[int]:
    began: int | None = None
    free = 0  # the epoch from which another one may begin
    for now, what in enumerate(said):
        if began is None and what == 1 and now >= free:
            began = now
        suspended = began is not None and what != -1
        if began is not None and (what == -1 or now == began + part.epochs - 1):
            began, free = None, now + 1 + part.cooldown
        yield sided(suspended, what == -1)


def slow_appeal(part: Appeal, said: Sequence[int], heard: Sequence[int]) -> Iterator[int]:
    lasted, safe_until = 0, 0.0
    for now, (what, verdict) in enumerate(zip(said, heard, strict=True)):
        if what != 1 or now < safe_until:
            lasted = 0
            yield sided(False, what == -1)
        elif verdict == -1 and part.hearing <= lasted < part.window:
            lasted, safe_until = 0, now + part.final
            yield -1
        else:
            lasted += 1
            yield 1


def slow_review(part: Review, said: Sequence[int], panel: Sequence[Sequence[int]]) -> Iterator[int]:
    enacts, cancels = (
        math.ceil(Fraction(it).limit_denominator(100) * len(part.panel))
        for it in (part.enacts, part.cancels)
    )
    began: int | None = None
    for now, (what, heard) in enumerate(zip(said, panel, strict=True)):
        if began is None and what == 1:
            began = now
        ayes, nays = heard.count(1), heard.count(-1)
        net = Fraction(ayes - nays, enacts if ayes >= nays else cancels)
        stays = (1 - min(abs(net), Fraction(1))) ** 3
        end = 0 if net >= 0 else part.longest
        due = end + (part.delay - end) * stays
        if nays >= cancels or what == -1:
            began = None
        if began is not None and (ayes >= enacts or now - began >= due):
            began = None
            yield 1
        else:
            yield sided(False, what == -1)


def slow(part: Any, epochs: Sequence[Epoch], miner: int) -> list[int]:
    """Return what any composed part decides on one miner, epoch by epoch."""

    def asked(name: str) -> list[int]:
        return slow(getattr(part, name), epochs, miner)

    def against(name: str) -> list[int]:
        """Return -1 where a body reverses: the same question with both sides exchanged."""
        body = getattr(part, name)
        if not isinstance(body, Keys | Vote):
            return asked(name)
        exchanged = [it.trusting(votes=-it.votes, orders=-it.orders) for it in epochs]
        return [-(it == 1) for it in slow(body, exchanged, miner)]

    def orders(places: Sequence[int]) -> list[list[int]]:
        held = [it for it in places if it < epochs[0].seats.size]
        return [[int(epoch.orders[it, miner]) for it in held] for epoch in epochs]

    match part:
        case Keys():
            return [slow_keys(part, said) for said in orders(part.seats)]
        case Vote():
            power = [np.asarray(part.electorate(epoch)).tolist() for epoch in epochs]
            votes = [epoch.votes[:, miner].tolist() for epoch in epochs]
            return [slow_vote(part, *it) for it in zip(power, votes, strict=True)]
        case Both():
            pairs = zip(asked("first"), asked("second"), strict=True)
            return [sided(pair == (1, 1), -1 in pair) for pair in pairs]
        case Override():
            pairs = zip(asked("of"), asked("by"), strict=True)
            return [above or under for under, above in pairs]
        case Delayed():
            return [*slow_delayed(part, asked("of"))]
        case Lasting():
            return [*slow_lasting(part, asked("of"))]
        case Appeal():
            return [*slow_appeal(part, asked("of"), against("to"))]
        case Review():
            return [*slow_review(part, asked("of"), orders(part.panel))]
    raise AssertionError(part)
