"""The epochs of an imported network, as rules are shown them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trilemma.errors import DataError
from trilemma.importers import Network
from trilemma.model import AnyArray, BoolArray, Chain, Csr, Epoch, FloatArray, IntArray

__all__ = ["Record"]

U16 = 65535
TOLD = ("blocks", "permits", "last_update", "registered", "bonds")  # what a file may know besides


@dataclass(frozen=True, eq=False)
class Record:
    """The epochs of a network as rules are shown them, made anew each time they are gone through.

    Parameters
    ----------
    network : Network
    plain : bool
        As in `whatif`.

    Raises
    ------
    DataError
        If no validator counts in any epoch.
    """

    network: Network
    plain: bool = False

    def __post_init__(self) -> None:
        if not self.members.size:
            raise DataError(
                f"{self.network.name}: in no epoch does a validator {self._condition()}, so that "
                "no rule has anything to go by"
            )

    def __iter__(self) -> Iterator[Epoch]:
        rows = self.members
        for number, counts in enumerate(self.counting[:, rows]):
            stake, weights = self.network.stake[number][rows], self._said(number, rows)
            if not self.plain:
                stake, weights = np.where(counts, stake, 0), np.where(counts[:, None], weights, 0)
            yield Epoch(stake, weights, chain=self._chain(number))

    @cached_property
    def members(self) -> IntArray:
        """Places of the validators that rules are shown, in every epoch the same: (k,)."""
        shown = np.ones(self.network.validators) if self.plain else self.counting.any(axis=0)
        return np.flatnonzero(shown)

    @cached_property
    def counting(self) -> BoolArray:
        """Who counts as a validator, shape (T, n)."""
        everybody = np.arange(self.network.validators)
        epochs = range(self.network.epochs)
        reporting = np.array([self._said(number, everybody).any(axis=1) for number in epochs])
        return np.asarray((self.network.stake > 0) & reporting)

    @property
    def counted(self) -> tuple[int, int]:
        """How many validators count in an epoch, at least and at most."""
        numbers = self.counting.sum(axis=1)
        return int(numbers.min()), int(numbers.max())

    @cached_property
    def stake(self) -> FloatArray:
        """Share of the stake that counts, mean over epochs, shape (n,)."""
        held = np.where(self.counting, self.network.stake, 0).astype(np.float64)
        largest = held.max(axis=1, keepdims=True)
        held /= np.where(largest > 0, largest, 1)  # so that no sum is infinite
        sums = held.sum(axis=1, keepdims=True)
        return np.asarray((held / np.where(sums > 0, sums, 1)).mean(axis=0))

    @property
    def facts(self) -> tuple[str, ...]:
        """What rules are shown and what they are not, in words."""
        if self.plain:
            return ("stake and weights as they are, whoever has them; bonds start from nothing",)
        network, told = self.network, self._told()
        lines = [f"validators count in an epoch where they {self._condition()}"]
        if network.one_account:
            lines.append("an account's report on itself is not heard")
        if {"last_update", "registered"} <= told:
            lines.append("a report older than its miner's registration is not heard")
        if self._chain(0) is not None:
            lines.append("rules that ask see the blocks of updates and registrations that are told")
        lines.append(f"bonds start from {self._start()}")
        if missing := [name for name in TOLD if name not in told]:
            lines.append(f"not told by the file: {', '.join(missing)}")
        return tuple(lines)

    def _condition(self) -> str:
        permitted = self.network.permits is not None
        return "have stake, hold a permit and report" if permitted else "have stake and report"

    def _told(self) -> set[str]:
        return {name for name in TOLD if getattr(self.network, name) is not None}

    def _start(self) -> str:
        if self.network.bonds is None:
            return "nothing"
        chain = self._chain(0)
        if chain is None or chain.bonds is None:
            return "nothing: the file's are not u16, or not of a chain's accounts"
        return "those that the file tells of its first epoch"

    def _said(self, number: int, rows: IntArray) -> AnyArray:
        """Return the reports of some validators that are heard, shape (rows, m)."""
        network = self.network
        said: AnyArray = network.weights[number][rows].astype(np.float64)
        if self.plain:
            return said
        if network.permits is not None:
            said[~network.permits[number][rows]] = 0
        if network.one_account:
            said[np.arange(rows.size), rows] = 0
        if network.last_update is not None and network.registered is not None:
            said[network.last_update[number][rows, None] <= network.registered[number]] = 0
        return said

    def _chain(self, number: int) -> Chain | None:
        """Return the chain's record, if it holds anything that a rule could use.

        Permits are not in it: Yuma takes the first epoch's, and then what it grants itself.
        """
        network, rows = self.network, self.members
        bonds = self._first_bonds() if number == 0 else None
        # a record of as many validators as miners says that they are the same accounts
        apart = rows.size == network.miners and not network.one_account
        dated = network.last_update is not None or network.registered is not None
        if self.plain or apart or not (dated or bonds is not None):
            return None
        blocks, updates, births = network.blocks, network.last_update, network.registered
        return Chain(
            block=None if blocks is None else int(blocks[number]),
            last_step=0 if blocks is None or number == 0 else int(blocks[number - 1]),
            last_update=None if updates is None else updates[number][rows],
            registered=None if births is None else births[number],
            bonds=bonds,
        )

    def _first_bonds(self) -> Csr | None:
        """Return the first epoch's bonds, where they are numbers that a chain stores."""
        bonds = self.network.bonds
        if bonds is None or bonds.dtype.kind not in "iu" or bonds[0].max() > U16:
            return None
        return Csr.of(bonds[0][self.members])
