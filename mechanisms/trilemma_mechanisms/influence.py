"""What the rules that transform stake have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from trilemma.model import AnyArray, Epoch, FloatArray, Mechanism, Rewards

__all__ = [
    "claims_by_influence",
    "claims_of",
    "pay_by_influence",
    "share",
    "spoken",
    "stages_by_influence",
    "takes_batches",
]


def pay_by_influence(inner: Mechanism, epoch: Epoch, influence: AnyArray) -> Rewards:
    """Return what a mechanism pays when influence (n,) stands in for stake.

    Where it pays miners only, validators are paid in proportion to influence.
    """
    answer = inner(epoch.replace(stake=influence))
    return answer if isinstance(answer, Rewards) else Rewards(answer, share(influence))


def stages_by_influence(inner: Mechanism, epoch: Epoch, influence: AnyArray) -> dict[str, AnyArray]:
    """Return `influence` (n,), in shares, and the stages of the mechanism that sees it."""
    offered: Any = getattr(inner, "stages", None)
    stages = {} if offered is None else offered(epoch.replace(stake=influence))
    return {"influence": share(influence), **stages}


KEPT = frozenset({"anonymous", "clone_proof", "support_monotone", "unanimity", "unreported_unpaid"})
BY_ANY_STAKE = frozenset(
    {"budget_balanced", "carried_by(0)", "no_veto_below(1)", "zero_stake_ignored"}
)


def claims_of(inner: Mechanism) -> frozenset[str]:
    """Return what a mechanism claims."""
    return frozenset(getattr(inner, "claims", ()))


def claims_by_influence(inner: Mechanism, *, whoever_has_stake: bool) -> frozenset[str]:
    """Return what a rule goes on claiming when influence, 0 where stake is 0, stands in for stake.

    Not what speaks of other shares of stake than nothing and all, nor of anybody's pay as
    validator.

    Parameters
    ----------
    inner : Mechanism
    whoever_has_stake : bool
        Whether influence is never 0 where stake is not.
    """
    return (KEPT | BY_ANY_STAKE if whoever_has_stake else KEPT) & claims_of(inner)


def share(amounts: AnyArray) -> FloatArray:
    """Scale amounts along the last axis to sum 1; nothing stays nothing."""
    total = amounts.sum(axis=-1, dtype=np.float64, keepdims=True)
    return np.asarray(amounts / np.where(total > 0, total, 1))


def takes_batches(inner: object) -> bool:
    """Tell whether what stands inside takes several epochs at once."""
    return getattr(inner, "batched", False) is True


def spoken(ballots: AnyArray) -> bool:
    """Tell whether anybody cast a ballot.

    The default is one number seen everywhere: one look is enough, where the matrix would take
    seconds at 10,000 x 1,000,000.
    """
    return bool(ballots.any() if any(ballots.strides) else ballots.flat[0])
