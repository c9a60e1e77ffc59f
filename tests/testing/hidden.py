"""Rules whose answers look right one by one: what is wrong shows later, or in company."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tests.testing.broken import support
from trilemma.model import Epoch, FloatArray, Mechanism, Rewards
from trilemma_mechanisms.influence import share

__all__ = ["HIDDEN"]


@dataclass
class Memo:
    """Answer as before where stake and size are as before, whatever is reported by then."""

    kept: dict[object, FloatArray] = field(default_factory=dict)

    def __call__(self, epoch: Epoch) -> FloatArray:
        return self.kept.setdefault((*epoch.stake.tolist(), *epoch.weights.shape), support(epoch))


@dataclass
class Calibrated:
    """Pay in units of the best support in the first epoch that it is asked about."""

    unit: float = 0.0

    def __call__(self, epoch: Epoch) -> FloatArray:
        earned = support(epoch)
        self.unit = self.unit or float(earned.max())
        return np.minimum(earned / (self.unit or 1), 1) / earned.size


@dataclass(frozen=True)
class NearBest:
    """Pay miners with half the best support; the best of all epochs of a batch."""

    batched: bool = field(default=True, init=False)

    def __call__(self, epoch: Epoch) -> FloatArray:
        earned = support(epoch)
        return share(np.where(2 * earned >= earned.max(), earned, 0))


@dataclass(frozen=True)
class FirstTotal:
    """Count stake in shares; of the first epoch's total, in a batch. Burn what is too little."""

    batched: bool = field(default=True, init=False)

    def __call__(self, epoch: Epoch) -> FloatArray:
        total = np.atleast_2d(epoch.stake)[0].sum(dtype=np.float64)
        held = np.minimum(epoch.stake / (total or 1), share(epoch.stake))
        return np.asarray((held[..., None, :] @ epoch.weights)[..., 0, :])


@dataclass(frozen=True)
class OneNetwork:
    """Weigh reports that all epochs of a batch share once, with the first epoch's stake."""

    batched: bool = field(default=True, init=False)

    def __call__(self, epoch: Epoch) -> FloatArray:
        earned = support(epoch)
        if earned.ndim == 2 and epoch.weights.strides[0] == 0:
            return np.broadcast_to(earned[0], earned.shape)
        return earned


@dataclass(frozen=True)
class Forgetful:
    """Pay by this epoch's support and the last one's; explain it as if there was none."""

    def __call__(self, epoch: Epoch) -> Rewards:
        earned = support(epoch)
        return Rewards(earned if epoch.carry is None else (earned + epoch.carry) / 2, carry=earned)

    def stages(self, epoch: Epoch) -> dict[str, FloatArray]:
        return {"incentive": support(epoch)}


def fails_later(epoch: Epoch) -> Rewards:
    """Look for what was carried under another name than it was left under."""
    factor = 1.0 if epoch.carry is None else epoch.carry["bonds"]
    return Rewards(support(epoch) * factor, carry={"bond": 1.0})


def overpays_later(epoch: Epoch) -> Rewards:
    """Add a bonus to the pay of whoever is supported in a second epoch as well."""
    bonus = 0.0 if epoch.carry is None else 0.1
    return Rewards(support(epoch) * (1 + bonus), carry=True)


def favours_a_place_later(epoch: Epoch) -> Rewards:
    """Count the best supported miner twice in the next epoch; which of equals, its place says."""
    earned = support(epoch)
    best = np.arange(earned.size) == earned.argmax()
    last = np.zeros(earned.size) if epoch.carry is None else epoch.carry
    return Rewards(share(earned * (1 + last)), carry=best)


LATER = ("one_answer", "carry_pickles", "answers", "no_overpayment", "degenerate")

# The rule, and laws of which one is to find it.
HIDDEN: dict[str, tuple[Mechanism, tuple[str, ...]]] = {
    "a memo that forgets the reports": (Memo(), ("one_answer",)),
    "a unit taken from the first epoch": (Calibrated(), ("one_answer",)),
    "the best of a whole batch": (NearBest(), ("batches_agree",)),
    "the total of a batch's first epoch": (FirstTotal(), ("batches_agree",)),
    "reports that a batch shares": (OneNetwork(), ("batches_agree",)),
    "stages that forget what is carried": (Forgetful(), ("stages_agree",)),
    "a failure in the second epoch": (fails_later, LATER),
    "too much pay in the second epoch": (overpays_later, LATER),
    "a place favoured in the second epoch": (favours_a_place_later, ("miners_equivariant",)),
}
