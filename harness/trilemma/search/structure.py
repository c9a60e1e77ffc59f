"""How many identities an adversary shows, and what its plan becomes when it shows others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trilemma.attacks.moves import clone, fake, split
from trilemma.model import IntArray, World

__all__ = ["Structure", "held_seats", "other", "staged"]


class Structure(NamedTuple):
    """How many identities the adversary shows.

    Parameters
    ----------
    parts : int
        Accounts of each of its validators.
    clones : int
        More names for its miner's work.
    fakes : int
        Miners without work.
    """

    parts: int = 1
    clones: int = 0
    fakes: int = 0

    def words(self) -> list[str]:
        """Say what is shown beyond the honest identities."""
        return [
            *([f"{self.parts} accounts each"] if self.parts > 1 else []),
            *([_counted(self.clones, "clone")] if self.clones else []),
            *([_counted(self.fakes, "idle miner")] if self.fakes else []),
        ]


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def staged(world: World, structure: Structure) -> World:
    """Return a world in which the adversary shows so many identities."""
    if structure.parts > 1:
        world = split(world, structure.parts)
    if structure.clones:
        world = clone(world, structure.clones)
    return fake(world, structure.fakes) if structure.fakes else world


def held_seats(world: World) -> IntArray:
    """Return which seats the adversary holds."""
    return np.flatnonzero((world.seats[:, None] == world.own_validators).any(axis=1))


def other(
    structure: Structure, identities: int, miners: int, draw: np.random.Generator
) -> Structure:
    """Draw another number of identities.

    Parameters
    ----------
    structure : Structure
    identities : int
        That a principal may use per role.
    miners : int
        That the adversary has when honest; without one it can show none.
    draw : Generator
    """
    kinds = ("parts", "clones", "fakes") if miners else ("parts",)
    kind = kinds[int(draw.integers(len(kinds)))]
    now = getattr(structure, kind)
    least, room = (1, identities) if kind == "parts" else (0, identities - miners)
    room = room if kind == "parts" else room - structure.clones - structure.fakes + now
    anything = int(np.exp(draw.uniform(0, np.log(room + 1)))) if room > 0 else 0
    steps = (now - 1, now + 1, now // 2, 2 * now + (kind != "parts"), least, room, *[anything] * 3)
    chosen = int(np.clip(steps[int(draw.integers(len(steps)))], least, room))
    return structure._replace(**{kind: chosen})
