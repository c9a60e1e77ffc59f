"""What every play came to in every world: the rows, and the same as columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

from trilemma.model import AnyArray

__all__ = ["Block", "CellRow"]


class CellRow(NamedTuple):
    """What one play came to in one world against one mechanism.

    Parameters
    ----------
    mechanism : str
        Its label.
    world : int
        Its number.
    aim : {"pay", "twin"}
        What the play is after: the attacker's own pay, or to cut off one of two equal miners.
    attack, play : str
    identities : int
        That the play needs per role, at most.
    extra : int
        Identities used beyond the first ones.
    stake : float, or None
        The attacker's share; of a play for pay.
    coalition : str, or None
        Ranks of its members by stake, 1 the largest, as in "1, 2, 5"; of a play against a twin.
    insiders : int, or None
        How many they are.
    pay, rest : float, or None
        The attacker's pay; everybody else's when all are honest.
    fair : float
        What the attacker, or the coalition's validators, get when all are honest.
    distance, uniform : float, or None
        Total variation between the miners' pay and quality; between equal pay and quality.
    target, other, twin : float, or None
        Pay of the target and of the other twin, over the exchanged pair; of either when all are
        honest.
    paid, paid_honest : float, or None
        Share of the pay that is paid out; when all are honest.
    """

    mechanism: str
    world: int
    aim: str
    attack: str
    play: str
    identities: int
    extra: int
    stake: float | None
    coalition: str | None
    insiders: int | None
    pay: float | None
    rest: float | None
    fair: float
    distance: float | None
    uniform: float | None
    target: float | None
    other: float | None
    twin: float | None
    paid: float | None
    paid_honest: float | None


@dataclass(frozen=True, eq=False)
class Block:
    """The rows of one mechanism, world and aim, as columns.

    Parameters
    ----------
    mechanism : str
    world : int
    aim : {"pay", "twin"}
    columns : dict of str to ndarray, shape (rows,)
        The other fields of `CellRow`, without those that are None. Two blocks of one mechanism and
        aim differ in numbers only: row i is the same play in both.
    """

    mechanism: str
    world: int
    aim: str
    columns: dict[str, AnyArray]

    def rows(self) -> Iterator[CellRow]:
        """Return the rows."""
        same = (self.mechanism, self.world, self.aim)
        known = {name: column.tolist() for name, column in self.columns.items()}
        rest = (known.get(name, repeat(None)) for name in CellRow._fields[len(same) :])
        return map(CellRow._make, zip(*map(repeat, same), *rest, strict=False))
