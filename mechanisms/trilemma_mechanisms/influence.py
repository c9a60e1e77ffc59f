"""What the rules that transform stake have in common."""

from __future__ import annotations

import numpy as np

from trilemma.model import AnyArray, Epoch, FloatArray, Mechanism, Rewards

__all__ = ["pay_by_influence", "share"]


def pay_by_influence(inner: Mechanism, epoch: Epoch, influence: AnyArray) -> Rewards:
    """Return what a mechanism pays when influence (n,) stands in for stake.

    Where it pays miners only, validators are paid in proportion to influence.
    """
    answer = inner(epoch.replace(stake=influence))
    return answer if isinstance(answer, Rewards) else Rewards(answer, share(influence))


def share(amounts: AnyArray) -> FloatArray:
    """Scale amounts to sum 1; nothing stays nothing."""
    total = amounts.sum(dtype=np.float64)
    return np.asarray(amounts / total) if total > 0 else np.zeros(amounts.shape)
