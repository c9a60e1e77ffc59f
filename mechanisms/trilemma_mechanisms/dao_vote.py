"""Members weigh the miners and may suspend them by ballot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from trilemma import kernels
from trilemma.model import AnyArray, Epoch, Mechanism, Rewards
from trilemma_mechanisms.influence import (
    claims_of,
    pay_by_influence,
    share,
    spoken,
    stages_by_influence,
    takes_batches,
)
from trilemma_mechanisms.yuma import Yuma

__all__ = ["DaoVote"]


MEMBERS = {"anonymous", "clone_proof", "support_monotone"}  # whether with stake or without
VETO = "no_veto_below"
BALLOTS = ("budget_balanced", "continuous", VETO)  # end where miners are suspended


@dataclass(frozen=True)
class DaoVote:
    """Everybody's say counts by membership; a miner that loses a ballot is paid nothing.

    A suspended miner's pay goes to the others in proportion. It is suspended when the votes
    cast on it reach the quorum and those in favour are more than the threshold of those cast.

    Parameters
    ----------
    electorate : {"identity", "stake"}
        One identity one vote, or one unit of stake one vote; for weights and for ballots.
    quorum : float
        Share of the electorate that must vote on a miner, in [0, 1].
    threshold : float
        Share of the votes cast that suspension must exceed, in [0, 1).
    inner : Mechanism
        The rule that turns the electorate's weights into pay.
    """

    ranges: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "quorum": (0.25, 0.5, 0.75),
        "threshold": (0.5, 0.67),
    }
    published: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "simple majority": {"quorum": 0.5, "threshold": 0.5}
    }

    electorate: Literal["identity", "stake"] = "identity"
    quorum: float = 0.5
    threshold: float = 0.5
    inner: Mechanism = field(default_factory=Yuma)

    def __post_init__(self) -> None:
        if self.electorate not in ("identity", "stake"):
            raise ValueError(f"electorate must be 'identity' or 'stake', not {self.electorate!r}")
        if not 0 <= self.quorum <= 1:
            raise ValueError(f"quorum must be in [0, 1], not {self.quorum}")
        if not 0 <= self.threshold < 1:
            raise ValueError(f"threshold must be in [0, 1), not {self.threshold}")

    @property
    def batched(self) -> bool:
        """Whether it takes several epochs at once: where the inner rule does."""
        return takes_batches(self.inner)

    @property
    def claims(self) -> frozenset[str]:
        """What it claims, by what the inner rule does."""
        inner = claims_of(self.inner)
        if self.electorate == "identity":
            return inner & MEMBERS
        kept = {it for it in inner if it.partition("(")[0] not in BALLOTS}
        most = self.quorum * self.threshold  # less cannot win a ballot, whoever else takes part
        stopped = (float(it[len(VETO) + 1 : -1]) for it in inner if it.startswith(f"{VETO}("))
        lost = f"suspended_by({max(self.quorum, self.threshold)})"
        return frozenset(kept | {lost} | {f"{VETO}({min(share, most)})" for share in stopped})

    def __call__(self, epoch: Epoch) -> Rewards:
        power = self.influence(epoch)
        rewards = pay_by_influence(self.inner, epoch, power)
        if not spoken(epoch.votes):
            return rewards
        if power.ndim == 1:
            suspended = self.suspended(power, epoch.votes)
        else:
            suspended = np.stack([*map(self.suspended, power, epoch.votes)])
        return Rewards(_withheld(rewards.miners, suspended), rewards.validators, rewards.carry)

    def influence(self, epoch: Epoch) -> AnyArray:
        """Return what stands in for stake, (n,)."""
        return epoch.stake if self.electorate == "stake" else np.ones_like(epoch.stake, np.int64)

    def stages(self, epoch: Epoch) -> dict[str, AnyArray]:
        """Return `influence` (n,), the stages of the rule that sees it, and `suspended` (m,).

        Where that rule tells `incentive`, it is what is left once suspended miners lost theirs.
        """
        power = self.influence(epoch)
        stages = stages_by_influence(self.inner, epoch, power)
        suspended = self.suspended(power, epoch.votes)
        if "incentive" in stages:
            stages["incentive"] = _withheld(stages["incentive"], suspended)
        return {**stages, "suspended": suspended}

    def suspended(self, power: AnyArray, votes: AnyArray) -> AnyArray:
        """Return which miners (m,) the ballots (n, m) suspend, voters counting `power` (n,)."""
        units = kernels.stake_units(power)
        cast = units @ (votes != 0)
        in_favour = units @ (votes == 1)
        heard = cast >= kernels.needed_support(self.quorum, int(units.sum()))
        ballots = zip(in_favour.tolist(), cast.tolist(), strict=True)
        carried = [kernels.exceeds(yes, self.threshold, all_) for yes, all_ in ballots]
        return np.asarray(heard & carried)


def _withheld(miners: AnyArray, suspended: AnyArray) -> AnyArray:
    """Give the pay of suspended miners to the others in proportion; burn it if there are none."""
    paid = miners.sum(axis=-1, keepdims=True)
    return np.asarray(paid * share(np.where(suspended, 0.0, miners)))
