"""Members weigh the miners and may suspend them by ballot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from trilemma.model import AnyArray, Epoch, Mechanism, Rewards
from trilemma_mechanisms.governance import ByIdentity, ByStake, Vote
from trilemma_mechanisms.governed import withheld
from trilemma_mechanisms.influence import (
    claims_of,
    pay_by_influence,
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
        rewards = pay_by_influence(self.inner, epoch, self.influence(epoch))
        suspended = self.ballot(epoch).decision == 1
        return Rewards(withheld(rewards.miners, suspended), rewards.validators, rewards.carry)

    @property
    def influence(self) -> Callable[[Epoch], AnyArray]:
        """What stands in for stake: from an epoch to power (n,)."""
        return ByStake() if self.electorate == "stake" else ByIdentity()

    @property
    def ballot(self) -> Vote:
        """The part of governance that suspends."""
        return Vote(self.influence, self.quorum, self.threshold)

    def stages(self, epoch: Epoch) -> dict[str, AnyArray]:
        """Return `influence` (n,), the stages of the rule that sees it, and `suspended` (m,).

        Where that rule tells `incentive`, it is what is left once suspended miners lost theirs.
        """
        stages = stages_by_influence(self.inner, epoch, self.influence(epoch))
        suspended = self.ballot(epoch).decision == 1
        if "incentive" in stages:
            stages["incentive"] = withheld(stages["incentive"], suspended)
        return {**stages, "suspended": suspended}
