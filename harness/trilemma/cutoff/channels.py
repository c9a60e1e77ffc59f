"""Channels through which a coalition can act against a miner, alone and together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from trilemma.attacks.moves import order, sell, sequence, shun, vote
from trilemma.model import World, unchanged

__all__ = ["CHANNELS", "MIX", "OUTSIDERS", "Channel", "mixed", "mixes", "opposed"]

MIX = "mix"
"""The best that all channels do together."""

Act = Callable[[World], World]


@dataclass(frozen=True)
class Channel:
    """Something that a coalition does, epoch after epoch.

    Parameters
    ----------
    name : str
    first, later : callable
        From a world to what the coalition makes of it: in the first epoch of the play, and in
        all others. What can be sold is sold once.
    """

    name: str
    first: Act
    later: Act


def _standing(name: str, act: Act) -> Channel:
    return Channel(name, act, act)


def withdraw(world: World) -> World:
    """Take all own stake out of the network."""
    stake = world.stake.astype(np.float64)
    stake[world.own_validators] = 0
    return replace(world, stake=stake)


CHANNELS: Mapping[str, Channel] = {
    it.name: it
    for it in (
        _standing("weights", shun),
        _standing("votes", vote),
        _standing("orders", order),
        Channel("price", sell, unchanged),
        _standing("delegation", withdraw),
    )
}
"""Reports on the target; ballots; orders from privileged seats; sales of its tokens; stake that is
withdrawn."""


def mixes(names: tuple[str, ...]) -> list[Channel]:
    """Return two or more channels at once, in all ways; stake that was withdrawn does not act."""
    acting = [name for name in names if name != "delegation"]
    sizes = range(2, len(acting) + 1)
    return [mixed(some) for size in sizes for some in combinations(acting, size)]


def mixed(names: tuple[str, ...]) -> Channel:
    """Return some channels at once; none: nothing is done."""
    channels = [CHANNELS[name] for name in names]
    return Channel(
        " and ".join(names),
        sequence(*(it.first for it in channels)),
        sequence(*(it.later for it in channels)),
    )


def opposed(world: World) -> World:
    """Return the world in which whoever is no member objects to every suspension.

    Every other validator votes against it, and from every seat it orders reinstatement.
    """
    votes = np.full(world.weights.shape, -1, np.int8)
    votes[world.own_validators] = 0
    return replace(world, votes=votes, orders=votes[world.seats])


OUTSIDERS: Mapping[str, Act] = {"opposed": opposed, "absent": unchanged}
