"""Which weights and bonds count in an epoch.

On chain a row holds entries, and an entry of zero is not the same as none: where liquid alpha is
on, a bond without an entry among the weights is deleted, one with an entry of zero decays. Only
stored rows tell; where the epoch has none, every bond decays, as in the chain's dense epoch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trilemma.model import NEVER, AnyArray, BoolArray, Epoch, IntArray

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
    places : ndarray of int, shape (n, m), optional
        Where an entry stands in its row as stored; `NEVER` where none is. None: rows are in the
        order of miners.
    """

    numbers: AnyArray
    held: BoolArray | None = None
    places: IntArray | None = None

    def within(self, part: AnyArray) -> Entries:
        """Return the entries in a part of the matrix, in their order."""
        held = part if self.held is None else part & self.held
        places = None if self.places is None else np.where(held, self.places, NEVER)
        return Entries(np.where(held, self.numbers, 0), held, places)

    def in_walk(self) -> AnyArray:
        """Return the numbers that a walk in the order of miners meets.

        It passes over an entry that stands behind one of a later miner.
        """
        if self.places is None:
            return self.numbers
        first = np.minimum.accumulate(self.places[:, ::-1], axis=1)[:, ::-1]
        return np.where(self.places <= first, self.numbers, 0)


def weights_of(epoch: Epoch, rule: Yuma, accounts: Accounts, numbers: Numbers) -> Entries:
    """Return the weights that count, with rows that sum to 1 or to 0."""
    heard = _heard(epoch, rule, accounts)
    stored = None if epoch.chain is None else epoch.chain.weights
    if stored is not None:
        miners = epoch.weights.shape[1]
        whole = Entries(stored.dense(miners), stored.entries(miners), stored.places(miners))
        kept = whole if heard is None else whole.within(heard)
        return kept._replace(numbers=numbers.rows(kept.numbers))
    said = numbers.set_weights(epoch.weights)
    if heard is not None:
        return Entries(numbers.rows(np.where(heard, said, 0)))
    return Entries(said if said is epoch.weights else numbers.rows(said))  # sum to 1 already


def bonds_of(epoch: Epoch, rule: Yuma, numbers: Numbers) -> Entries:
    """Return the bonds that the last epoch left, without those in miners that are new since."""
    shape, chain = epoch.weights.shape, epoch.chain
    if epoch.carry is not None:
        carried = numbers.read(epoch.carry.bonds, rule.version)
        bonds = Entries(carried, places=epoch.carry.places)
    elif chain is not None and chain.bonds is not None:
        read = numbers.read(chain.bonds.dense(shape[1]), rule.version)
        bonds = Entries(read, places=chain.bonds.places(shape[1]))
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
