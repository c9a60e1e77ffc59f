"""Any mechanism, and rules about who may suspend a miner or a subnet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trilemma.model import AnyArray, BoolArray, Epoch, Mechanism, Rewards
from trilemma_mechanisms.governance import Keys, Suspension
from trilemma_mechanisms.governance.ruling import Ruling, asked, kept
from trilemma_mechanisms.influence import claims_of, share, takes_batches
from trilemma_mechanisms.yuma import Yuma

__all__ = ["Governed", "withheld"]

UNDER_ANY_RULE = frozenset({"support_monotone", "unreported_unpaid"})


@dataclass(frozen=True)
class Governed:
    """A mechanism whose miners may be suspended; a suspended one is paid nothing.

    What it would have been paid goes to the others in proportion; where all are suspended it is
    burnt.

    Parameters
    ----------
    inner : Mechanism
        The rule that pays.
    suspension : Suspension
        Who may suspend: such as `keys`, `vote`, or parts composed of them, `appeal(of=vote)`.
    """

    inner: Mechanism = field(default_factory=Yuma)
    suspension: Suspension = field(default_factory=Keys)

    @property
    def batched(self) -> bool:
        """Whether it takes several epochs at once: where the rules inside do."""
        return takes_batches(self.inner) and takes_batches(self.suspension)

    @property
    def claims(self) -> frozenset[str]:
        """What the inner rule claims that no suspension can break."""
        return claims_of(self.inner) & UNDER_ANY_RULE

    def __call__(self, epoch: Epoch) -> Rewards:
        before = epoch.carry or (None, None)
        answer: Any = self.inner(_within(epoch, before[0]))
        rewards = answer if isinstance(answer, Rewards) else Rewards(answer)
        ruling = self._ruling(epoch)
        carry = kept(rewards.carry, ruling.carry)
        miners = withheld(rewards.miners, ruling.decision == 1)
        return Rewards(miners, rewards.validators, carry)

    def _ruling(self, epoch: Epoch) -> Ruling:
        return asked(self.suspension, epoch, (epoch.carry or (None, None))[1])

    def stages(self, epoch: Epoch) -> dict[str, AnyArray]:
        """Return the stages of the rule inside, and `suspended` (m,).

        Where that rule tells `incentive`, it is what is left once suspended miners lost theirs.
        """
        offered: Any = getattr(self.inner, "stages", None)
        stages = {} if offered is None else offered(_within(epoch, (epoch.carry or (None,))[0]))
        suspended = self._ruling(epoch).decision == 1
        if "incentive" in stages:
            stages["incentive"] = withheld(stages["incentive"], suspended)
        return {**stages, "suspended": suspended}


def _within(epoch: Epoch, carry: Any) -> Epoch:
    return epoch if carry is epoch.carry else epoch.replace(carry=carry)


def withheld(miners: AnyArray, suspended: BoolArray) -> AnyArray:
    """Give the pay of suspended miners to the others in proportion; burn it if there are none.

    Where nobody is suspended, pay stays what it is, to the last bit.
    """
    miners = np.asarray(miners)
    if not suspended.any():
        return miners
    left = miners.sum(axis=-1, keepdims=True) * share(np.where(suspended, 0.0, miners))
    return np.where(suspended.any(axis=-1, keepdims=True), left, miners)
