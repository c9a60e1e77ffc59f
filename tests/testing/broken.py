"""For each law a rule that breaks it and no other, as its author might well write it; and a mend.

`BROKEN` names them by law. `fires` says which laws do break: `degenerate` asks for pay as the
contract wants it, so that what breaks a law of single answers breaks `degenerate` as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from trilemma.model import AnyArray, Epoch, FloatArray, Mechanism, Rewards, Sparse
from trilemma_mechanisms.influence import share

__all__ = ["BROKEN", "Pair", "support"]

Rule: TypeAlias = Callable[[Epoch], Rewards | AnyArray]
U16 = 65535
DUST = 1e-12


@dataclass(frozen=True)
class Pair:
    """A rule that keeps a property, one much like it that breaks it, and the laws that break."""

    right: Mechanism
    broken: Mechanism
    fires: frozenset[str] = frozenset()


def support(epoch: Epoch) -> FloatArray:
    """Return the stake-weighted mean of all reports, (m,)."""
    return np.asarray((share(epoch.stake)[..., None, :] @ epoch.weights)[..., 0, :])


# --- single answers ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lead:
    """Pay for the lead over the runner-up, whom an epoch of one miner has not."""

    alone: bool

    def __call__(self, epoch: Epoch) -> FloatArray:
        earned = support(epoch)
        ranked = np.sort(earned)
        second = 0.0 if self.alone and ranked.size == 1 else ranked[-2]
        return share(np.maximum(earned - second, 0))


def pays_speakers(epoch: Epoch) -> Rewards:
    """Pay the validators who spoke."""
    spoke = epoch.weights.any(axis=1)
    return Rewards(support(epoch), share(np.where(spoke, epoch.stake, 0)))


def pays_speakers_only(epoch: Epoch) -> Rewards:
    """Forget that those who were silent have a place, too."""
    spoke = epoch.weights.any(axis=1)
    return Rewards(support(epoch), share(epoch.stake[spoke]))


def mean_of_raters(epoch: Epoch) -> FloatArray:
    """Pay by the mean of those who rate a miner; a miner without raters gets 0."""
    raters = share(epoch.stake) @ (epoch.weights > 0)
    return share(np.divide(support(epoch), raters, out=np.zeros(raters.size), where=raters > 0))


def mean_of_no_raters(epoch: Epoch) -> FloatArray:
    """Divide 0 by 0 for a miner without raters."""
    return share(support(epoch) / (share(epoch.stake) @ (epoch.weights > 0)))


def less_dust(epoch: Epoch) -> FloatArray:
    """Keep back a little of each pay, which leaves the unpaid -0.0: that is no debt."""
    return np.asarray(-np.minimum(DUST - support(epoch), 0))


def less_dust_than_nothing(epoch: Epoch) -> FloatArray:
    """Keep back a little of each pay, also of those who are paid nothing."""
    return np.asarray(support(epoch) - DUST)


@dataclass(frozen=True)
class Stored:
    """Pay in u16, as chains store it; rounded to the nearest, the steps may sum to more than 1."""

    rounding: Callable[[AnyArray], AnyArray]

    def __call__(self, epoch: Epoch) -> FloatArray:
        return np.asarray(self.rounding(support(epoch) * U16) / U16)


def squares(epoch: Epoch) -> FloatArray:
    """Count stake to the power of 2, in shares."""
    return np.asarray(share(share(epoch.stake) ** 2) @ epoch.weights)


def squares_of_units(epoch: Epoch) -> FloatArray:
    """Count stake to the power of 2, which overflows before it is made a share."""
    return np.asarray(share(epoch.stake.astype(np.float64) ** 2) @ epoch.weights)


# --- the same answer -----------------------------------------------------------------------------


def middle(epoch: Epoch) -> FloatArray:
    """Pay the middle report, whoever made it."""
    return share(np.sort(epoch.weights, axis=0)[(epoch.stake.size - 1) // 2])


def middle_sorted_in_place(epoch: Epoch) -> FloatArray:
    """Sort columns in place where the array lets it, through a view that saves a copy."""
    columns = np.require(epoch.weights, requirements="W").T
    columns.sort(axis=1)
    return share(columns[:, (epoch.stake.size - 1) // 2])


@dataclass
class Record:
    """Pay in proportion to the best support ever seen; it remembers, instead of carrying it."""

    best: float = 0.0

    def __call__(self, epoch: Epoch) -> FloatArray:
        earned = support(epoch)
        self.best = max(self.best, float(earned.max()))
        return np.asarray(share(earned) * earned.max() / (self.best or 1))


def record(epoch: Epoch) -> Rewards:
    """Carry the best support ever seen."""
    earned = support(epoch)
    best = max(epoch.carry or 0.0, float(earned.max()))
    return Rewards(share(earned) * earned.max() / (best or 1), carry=best)


@dataclass(frozen=True)
class Loyal:
    """Miners paid in earlier epochs count for more; how often is carried by place."""

    counter: Callable[[Iterable[Any]], dict[int, int]]

    def __call__(self, epoch: Epoch) -> Rewards:
        served = self.counter((epoch.carry or {}).items())
        earned = support(epoch)
        for miner in np.flatnonzero(earned).tolist():
            served[miner] = served.get(miner, 0) + 1
        factors = np.array([1 + served.get(it, 0) for it in range(earned.size)])
        return Rewards(share(earned * factors), carry=served)


def _counter(items: Iterable[Any]) -> dict[int, int]:
    return defaultdict(lambda: 0, items)


@dataclass(frozen=True)
class Quorum:
    """Pay miners that a share of all stake supports; takes several epochs at once."""

    axis: int | None
    batched: bool = field(default=True, init=False)

    def __call__(self, epoch: Epoch) -> FloatArray:
        total = epoch.stake.sum(axis=self.axis, keepdims=True, dtype=np.float64)
        behind = (epoch.stake[..., None, :] @ (epoch.weights > 0))[..., 0, :]
        return share(np.where(4 * behind >= total, support(epoch), 0))


@dataclass(frozen=True)
class Praised:
    """Pay by how often a miner is reported on; of a Sparse, count the entries of each miner."""

    axis: Literal["rows", "columns"]

    def __call__(self, epoch: Epoch) -> FloatArray:
        said: Any = epoch.weights
        if not isinstance(said, Sparse):
            return share((said > 0).sum(axis=0))
        columns = np.repeat(np.arange(said.shape[1]), np.diff(said.indptr))
        places = columns if self.axis == "columns" else said.rows % said.shape[1]
        return share(np.bincount(places, minlength=said.shape[1]))


@dataclass(frozen=True)
class Explained:
    """Pay by support and explain it: in shares of what was said, as is paid, or of all stake."""

    unit: Callable[[FloatArray], FloatArray]

    def __call__(self, epoch: Epoch) -> FloatArray:
        return share(support(epoch))

    def stages(self, epoch: Epoch) -> dict[str, AnyArray]:
        return {"incentive": self.unit(support(epoch))}


# --- labels and units ----------------------------------------------------------------------------


def largest(epoch: Epoch) -> FloatArray:
    """Pay what the largest stakes report, the mean of them where several are largest."""
    return np.asarray(epoch.weights[epoch.stake == epoch.stake.max()].mean(axis=0))


def first_largest(epoch: Epoch) -> FloatArray:
    """Pay what the largest stake reports, the first of them where several are largest."""
    return np.asarray(epoch.weights[epoch.stake.argmax()])


def best(epoch: Epoch) -> FloatArray:
    """Pay the best supported miners."""
    earned = support(epoch)
    return share((earned == earned.max()) & (earned > 0))


def first_best(epoch: Epoch) -> FloatArray:
    """Pay the best supported miner; which of equals, its place decides."""
    earned = support(epoch)
    return np.where(np.arange(earned.size) == earned.argmax(), float(earned.any()), 0.0)


def mean_report_but_no_division_by_zero(epoch: Epoch) -> FloatArray:
    """Keep from dividing by zero with a number that has the unit of stake."""
    return np.asarray(epoch.stake / (epoch.stake.sum(dtype=np.float64) + 1e-9) @ epoch.weights)


# -------------------------------------------------------------------------------------------------


def _pair(right: Rule, broken: Rule, *fires: str) -> Pair:
    return Pair(right, broken, frozenset(fires))


BROKEN = {
    "answers": _pair(Lead(alone=True), Lead(alone=False), "answers", "degenerate"),
    "shapes": _pair(pays_speakers, pays_speakers_only, "shapes", "degenerate"),
    "finite": _pair(mean_of_raters, mean_of_no_raters, "finite", "degenerate"),
    "non_negative": _pair(less_dust, less_dust_than_nothing, "non_negative", "degenerate"),
    "no_overpayment": _pair(Stored(np.floor), Stored(np.rint), "no_overpayment", "degenerate"),
    "degenerate": _pair(squares, squares_of_units, "degenerate", "scale_free"),
    "input_untouched": _pair(middle, middle_sorted_in_place, "input_untouched"),
    "one_answer": _pair(record, Record(), "one_answer"),
    "carry_pickles": _pair(Loyal(dict), Loyal(_counter), "carry_pickles"),
    "batches_agree": _pair(Quorum(axis=-1), Quorum(axis=None), "batches_agree"),
    "sparse_agrees": _pair(Praised("columns"), Praised("rows"), "sparse_agrees"),
    "stages_agree": _pair(Explained(share), Explained(np.asarray), "stages_agree"),
    "validators_equivariant": _pair(largest, first_largest, "validators_equivariant"),
    "miners_equivariant": _pair(best, first_best, "miners_equivariant"),
    "scale_free": _pair(support, mean_report_but_no_division_by_zero, "scale_free"),
}
