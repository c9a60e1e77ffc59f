"""Which weights and bonds count in an epoch.

On chain a row holds entries, and an entry of zero is not the same as none: where liquid alpha is
on, a bond without an entry among the weights is deleted, one with an entry of zero decays. Only
stored rows tell; where the epoch has none, every bond decays, as in the chain's dense epoch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trilemma.model import AnyArray, BoolArray, Csr, Epoch

if TYPE_CHECKING:
    from trilemma_mechanisms.yuma.accounts import Accounts
    from trilemma_mechanisms.yuma.numbers import Numbers
    from trilemma_mechanisms.yuma.rule import Yuma

__all__ = ["Entries", "bonds_of", "weights_of"]


class Entries(NamedTuple):
    """Numbers by validator and miner, and which of them are there.

    Parameters
    ----------
    numbers : ndarray, shape (n, m)
        Zero where no entry is.
    held : ndarray of bool, shape (n, m), optional
        Where an entry is. None: everywhere.
    stored : Csr, optional
        The rows that tell in which order entries stand. None: in the order of miners.
    """

    numbers: AnyArray
    held: BoolArray | None = None
    stored: Csr | None = None

    def within(self, held: AnyArray) -> Entries:
        """Return the entries in a part of the matrix, in their order."""
        held = held if self.held is None else held & self.held
        return Entries(np.where(held, self.numbers, 0), held, self.stored)

    def in_walk(self) -> AnyArray:
        """Return the numbers that a walk in the order of miners meets.

        It passes over an entry that stands behind one of a later miner.
        """
        if self.stored is None or self.held is None:
            return self.numbers
        met = np.zeros(self.numbers.shape, np.bool_)
        rows, columns = self.stored.rows, self.stored.indices
        there = self.held[rows, columns]
        for row in np.unique(rows):
            places = columns[there & (rows == row)]
            met[row, places[places >= np.maximum.accumulate(places)]] = True
        return np.where(met, self.numbers, 0)


def weights_of(epoch: Epoch, rule: Yuma, accounts: Accounts, numbers: Numbers) -> Entries:
    """Return the weights that count, with rows that sum to 1 or to 0."""
    heard = _heard(epoch, rule, accounts)
    stored = None if epoch.chain is None else epoch.chain.weights
    if stored is not None:
        miners = epoch.weights.shape[1]
        held = stored.entries(miners) if heard is None else stored.entries(miners) & heard
        return Entries(numbers.rows(np.where(held, stored.dense(miners), 0)), held, stored)
    said = numbers.set_weights(epoch.weights)
    if heard is not None:
        return Entries(numbers.rows(np.where(heard, said, 0)))
    return Entries(said if said is epoch.weights else numbers.rows(said))  # sum to 1 already


def bonds_of(epoch: Epoch, rule: Yuma, numbers: Numbers) -> Entries:
    """Return the bonds that the last epoch left, without those in miners that are new since."""
    shape, chain = epoch.weights.shape, epoch.chain
    if epoch.carry is not None:
        bonds = Entries(numbers.read(epoch.carry.bonds, rule.version))
    elif chain is not None and chain.bonds is not None:
        read = numbers.read(chain.bonds.dense(shape[1]), rule.version)
        bonds = Entries(read, chain.bonds.entries(shape[1]), chain.bonds)
    else:
        return Entries(numbers.none(shape))
    kept = _kept(epoch, rule)
    return bonds if kept is None else bonds.within(np.broadcast_to(kept, shape))


def _heard(epoch: Epoch, rule: Yuma, accounts: Accounts) -> BoolArray | None:
    """Return which weights are heard; None: all."""
    shape, chain = epoch.weights.shape, epoch.chain
    if chain is None and accounts.permits is None:
        return None
    heard = np.ones(shape, np.bool_)
    if accounts.permits is not None:
        heard &= accounts.permits[:, None]
    if chain is None:
        return heard
    if shape[0] == shape[1]:
        own = np.arange(shape[0])
        heard[own, own] &= own == chain.owner
    if chain.registered is not None:
        if chain.last_update is not None:
            heard &= chain.last_update[:, None] > chain.registered
        if chain.commits is not None and rule.commit_reveal:
            heard &= chain.commits[:, None] >= chain.registered
    return heard


def _kept(epoch: Epoch, rule: Yuma) -> BoolArray | None:
    """Return in which miners old bonds are kept; None: in all."""
    chain = epoch.chain
    if chain is None:
        return None
    kept = np.ones(epoch.weights.shape[1], np.bool_)
    since = None if chain.block is None else max(0, chain.block - chain.tempo)
    if chain.last_step:
        since = chain.last_step + 1
    if chain.registered is not None and since is not None:
        kept &= chain.registered < since
    if chain.resets is not None and rule.bonds_reset:
        kept &= ~chain.resets
    return kept
