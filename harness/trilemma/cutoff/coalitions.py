"""Which coalitions are tried: the largest holders, and holders of seats, in every proportion."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from trilemma.model import FloatArray, World

__all__ = ["coalitions", "described", "everybody"]


def everybody(world: World, most: int) -> tuple[int, ...]:
    """Return all whom coalitions of at most so many are made of: the largest, and seat holders."""
    largest, seated = _ranked(world)
    return tuple({*largest[:most], *seated})


def coalitions(world: World, size: int, *, seats: bool = True) -> Iterator[tuple[int, ...]]:
    """Yield the coalitions of so many principals: some of the largest, some who hold seats.

    Seats are taken in their order from either end, as many keys as members of a panel that sits
    behind them are tried. Without `seats` only the largest are.
    """
    largest, seated = _ranked(world)
    seated = seated if seats else []
    seen = set()
    for first, last in _numbers(size, len(seated)):
        chosen = dict.fromkeys([*seated[:first], *seated[len(seated) - last :]])
        rest = (it for it in largest if it not in chosen)
        members = tuple(sorted([*chosen, *(next(rest) for _ in range(size - len(chosen)))]))
        if members not in seen:
            seen.add(members)
            yield members


def _ranked(world: World) -> tuple[list[int], list[int]]:
    """Return the principals by stake, and those who hold seats by seat."""
    by_stake = world.validator_owner[np.argsort(-world.stake, kind="stable")]
    seated = world.validator_owner[world.seats]
    return [*dict.fromkeys(by_stake.tolist())], [*dict.fromkeys(seated.tolist())]


@lru_cache
def _numbers(size: int, seats: int) -> list[tuple[int, int]]:
    """Return how many seats are taken from either end, at most `size` in all."""
    return [
        (first, last)
        for first in range(min(size, seats) + 1)
        for last in range(min(size, seats) - first + 1)
    ]


def described(world: World, members: tuple[int, ...]) -> tuple[str, ...]:
    """Return who the members are, by role: their stake in ranks and shares, and their seats."""
    largest, _ = _ranked(world)
    share = world.stake / world.stake.sum()
    return tuple(sorted(_role(world, it, largest.index(it) + 1, share) for it in members))


def _role(world: World, principal: int, rank: int, share: FloatArray) -> str:
    own = world.validator_owner == principal
    seats = np.flatnonzero(own[world.seats])
    held = f"holder {rank} ({share[own].sum():.1%} of the stake)"
    return held + (f" in seat {', '.join(map(str, seats))}" if seats.size else "")
