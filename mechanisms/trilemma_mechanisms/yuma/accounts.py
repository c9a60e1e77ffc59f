"""Who counts in an epoch, and for how much: threshold, activity, permits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trilemma import kernels
from trilemma.model import AnyArray, BoolArray, Epoch

if TYPE_CHECKING:
    from trilemma_mechanisms.yuma.numbers import Numbers
    from trilemma_mechanisms.yuma.rule import Yuma

__all__ = ["Accounts"]

CUTOFF = 13_889  # thousandths of a tempo after which a validator counts as inactive


class Accounts(NamedTuple):
    """The validators of an epoch; every array is (n,).

    Parameters
    ----------
    share : ndarray
        Of the stake that reaches the threshold.
    active : ndarray of bool, optional
        Who set weights lately. None: everybody.
    permits, next_permits : ndarray of bool, optional
        Who may validate in this epoch and in the next. None: everybody.
    stake, counted : ndarray
        Stakes of those who are active and have a permit, and their shares.
    """

    share: AnyArray
    active: BoolArray | None
    permits: BoolArray | None
    next_permits: BoolArray | None
    stake: AnyArray
    counted: AnyArray

    @classmethod
    def of(cls, epoch: Epoch, rule: Yuma, numbers: Numbers) -> Accounts:
        """Return who counts by the facts that an epoch carries."""
        stake = _enough(epoch, rule.stake_threshold)
        share = numbers.share(stake)
        granted = _permits(share, rule.max_validators)
        permits = _owned(epoch, _in_force(epoch, rule, granted))
        active = _active(epoch, rule.activity_cutoff)
        counted = share
        if not (active is None and permits is None):
            counts = _or_all(active, share.size) & _or_all(permits, share.size)
            stake, counted = np.where(counts, stake, 0), np.where(counts, share, 0)
        counted = kernels.normalised(counted)
        return cls(share, active, permits, _owned(epoch, granted), stake, counted)

    def by_stake(self) -> AnyArray:
        """Return what validators are paid where nobody earns anything."""
        return self.counted if self.counted.any() else self.share

    def flags(self) -> dict[str, BoolArray]:
        """Return who is active and who has a permit, now and next, by name."""
        names = ("active", "permits", "next_permits")
        return {name: _or_all(getattr(self, name), self.share.size) for name in names}


def _or_all(flags: BoolArray | None, size: int) -> BoolArray:
    return np.ones(size, np.bool_) if flags is None else flags


def _enough(epoch: Epoch, threshold: float) -> AnyArray:
    """Return stakes, with 0 for those below the threshold."""
    if threshold == 0:
        return epoch.stake
    enough = epoch.stake >= threshold
    if epoch.chain is not None and epoch.chain.owner is not None:
        enough[epoch.chain.owner] = True
    return np.where(enough, epoch.stake, 0)


def _permits(share: AnyArray, most: int | None) -> BoolArray | None:
    """Grant permits to the largest stakes; among equal ones to those that come later."""
    spare = 0 if most is None else max(0, share.size - most)
    if spare == 0 and np.count_nonzero(share) == share.size:  # 0.3 us; (share > 0).all() takes 2
        return None
    permits = share > 0
    permits[np.argsort(share, kind="stable")[:spare]] = False
    return permits


def _in_force(epoch: Epoch, rule: Yuma, granted: BoolArray | None) -> BoolArray | None:
    """Return the permits that the last epoch granted; without one, those of this epoch."""
    stored = None if epoch.chain is None else epoch.chain.permits
    if epoch.carry is not None and (stored is not None or rule.max_validators is not None):
        carried: BoolArray | None = epoch.carry.permits
        return carried
    return granted if stored is None else stored


def _owned(epoch: Epoch, permits: BoolArray | None) -> BoolArray | None:
    """Give the subnet's owner a permit."""
    if permits is None or epoch.chain is None or epoch.chain.owner is None:
        return permits
    permits = permits.copy()
    permits[epoch.chain.owner] = True
    return permits


def _active(epoch: Epoch, cutoff: int | None) -> BoolArray | None:
    chain = epoch.chain
    if chain is None or chain.block is None or chain.last_update is None:
        return None
    if cutoff is None:
        cutoff = max(1, CUTOFF * chain.tempo // 1000)
    return np.asarray(chain.last_update >= chain.block - cutoff)
