"""What a mechanism did, mean over the worlds of every resample: what its scores are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from trilemma.cells import Cell, Suite
from trilemma.checks import NOTHING
from trilemma.model import BoolArray, FloatArray
from trilemma.twins import loss

__all__ = ["Resampled"]

PER_SYBIL_PLAY = ("sybil_pay", "sybil_fair", "sybil_rest", "sybil_distance", "sybil_extra")
PER_TWIN_PLAY = ("twin_pay", "twin_paid", "twin_extra")
MEANS = (
    *("gain", "fair", "rest", "quality", "quality_after"),
    *("harm", "harm_at_equal_stake", "coalition_fair", "worst", "spent"),
)


@dataclass(frozen=True, eq=False)
class Resampled:
    """The cells of one mechanism in b resamples, without plays that need too many identities.

    No mean depends on what an identity costs, so that each is computed once for all prices.

    Parameters
    ----------
    cells : Cell
        Stacked over worlds.
    suite : Suite
        The plays they were measured with.
    identities : int
        That a principal may use per role.
    sample : ndarray, shape (b, worlds)
        Rows are weights of the worlds.
    """

    cells: Cell
    suite: Suite
    identities: int
    sample: FloatArray

    @classmethod
    def within(cls, cells: Cell, suite: Suite, identities: int, sample: FloatArray) -> Self:
        """Leave out the plays that need more identities."""
        sybil, neutrality = (
            [at for at, play in enumerate(plays) if play.identities <= identities]
            for plays in (suite.sybil, suite.neutrality)
        )
        kept = {name: getattr(cells, name)[:, sybil] for name in PER_SYBIL_PLAY}
        kept |= {name: getattr(cells, name)[:, :, neutrality] for name in PER_TWIN_PLAY}
        plays = Suite(
            tuple(suite.sybil[at] for at in sybil), tuple(suite.neutrality[at] for at in neutrality)
        )
        return cls(replace(cells, **kept), plays, identities, sample)

    def at(self, rows: Any) -> Self:
        """Return some of the resamples, whose means are known: a slice, a mask or places."""
        some = replace(self, sample=self.sample[rows])
        some.__dict__.update({name: getattr(self, name)[rows] for name in MEANS})
        return some

    def extraction(self, price: float) -> FloatArray:
        """Return what each play takes, in units of what the others earn; shape (b, p, s)."""
        gain = self.gain - price * self.cells.sybil_extra[0][:, None]
        return _ratio(gain, self.rest, np.zeros_like(gain))

    def damage(self, price: float) -> FloatArray:
        """Return how far each coalition's play cuts the target off; shape (b, c, q).

        It is the target's mean loss against its twin, or the share of all pay made to vanish if
        that is more. A coalition buys identities out of its honest pay; plays that it cannot
        afford do minus infinity.
        """
        bought = price * self.cells.twin_extra[0]
        affordable = bought <= self.coalition_fair[:, :, None] + NOTHING
        return np.asarray(np.where(affordable, self.harm, -np.inf))

    def attacked_quality(self, price: float) -> FloatArray:
        """Return the lowest quality under the attacker's plays; shape (b,).

        Identities are bought out of honest pay, as in the twin test: who ruins quality need not
        gain by it, but must be able to pay.
        """
        bought = price * self.cells.sybil_extra[0][:, None]
        affordable = bought <= self.fair + NOTHING
        lowest = np.where(affordable, self.quality_after, np.inf).min(axis=(1, 2))
        return np.asarray(np.minimum(self.quality, lowest))

    def found(self, price: float) -> tuple[FloatArray, FloatArray]:
        """Return what the searches reach: the gain (b,), and the harm (b, sizes).

        It is the mean over worlds of the worst found in each; minus infinity where nothing was
        searched, or where a coalition cannot pay for its identities.
        """
        harm, extra, means, _ = np.moveaxis(self.worst, -1, 0)
        gain = harm[:, :, 0] - price * self.spent
        affordable = price * extra <= means + NOTHING
        cut = np.where(affordable, harm, -np.inf)[:, :, 1:]
        return gain.max(axis=1, initial=-np.inf), cut.max(axis=1, initial=-np.inf)

    @property
    def searched(self) -> BoolArray:
        """Which searches stayed within the identities, (f,)."""
        return np.asarray(self.cells.found_identities[0] <= self.identities)

    # Means: of shape (b,), (b, p, s) by the attacker's play, (b, c, q) by a coalition's.

    @cached_property
    def gain(self) -> FloatArray:
        """What each play brings more than honesty, (b, p, s)."""
        return self._mean(self.cells.sybil_pay - self.cells.sybil_fair)

    @cached_property
    def fair(self) -> FloatArray:
        """The attacker's pay when it is honest, (b, p, s)."""
        return self._mean(self.cells.sybil_fair)

    @cached_property
    def rest(self) -> FloatArray:
        """Everybody else's pay then, (b, p, s)."""
        return self._mean(self.cells.sybil_rest)

    @cached_property
    def quality(self) -> FloatArray:
        """Quality when all are honest, (b,)."""
        return self._quality(self.cells.distance, self.cells.twin_uniform)

    @cached_property
    def quality_after(self) -> FloatArray:
        """Quality after each play, (b, p, s)."""
        return self._quality(self.cells.sybil_distance, self.cells.sybil_uniform)

    @cached_property
    def harm(self) -> FloatArray:
        """What each coalition's play does, whatever it costs, (b, c, q)."""
        it = self.cells
        return self._harm(it.twin_pay, it.twin_fair, it.twin_paid, it.paid)

    @cached_property
    def harm_at_equal_stake(self) -> FloatArray:
        """The same with stake equal, identities verified, by the largest principals."""
        it = self.cells
        return self._harm(it.equal_pay, it.equal_fair, it.equal_paid, it.equal_honest)

    @cached_property
    def coalition_fair(self) -> FloatArray:
        """Each coalition's pay when it is honest, (b, c)."""
        return self._mean(self.cells.coalition_fair)

    @cached_property
    def worst(self) -> FloatArray:
        """What the searches found, (b, searches, 4, 4): as `Cell.found`."""
        return self._mean(self.cells.found[:, self.searched])

    @cached_property
    def spent(self) -> FloatArray:
        """What identities that were found to pay cost at a price of 1, as `gain`, (b, searches)."""
        it = self.cells.found[:, self.searched, 0]
        return self._mean(it[..., 1] * it[..., 2])

    def _harm(
        self, twins: FloatArray, fair: FloatArray, paid: FloatArray, honest: FloatArray
    ) -> FloatArray:
        lost = self._mean(loss(twins, fair[:, None, None]))
        after = self._mean(paid)
        burnt = 1 - _ratio(after, self._mean(honest)[:, None, None], np.ones_like(after))
        return np.asarray(np.clip(np.maximum(lost, burnt), 0, 1))

    def _quality(self, distance: FloatArray, uniform: FloatArray) -> FloatArray:
        mean = self._mean(distance)
        most = self._mean(uniform).reshape(-1, *[1] * (mean.ndim - 1))
        ratio = np.divide(mean, most, out=np.ones_like(mean), where=most > 0)
        return np.asarray(np.clip(1 - ratio, 0, 1))

    def _mean(self, values: FloatArray) -> FloatArray:
        return np.asarray(np.tensordot(self.sample, values, 1))


def _ratio(part: FloatArray, whole: FloatArray, otherwise: FloatArray) -> FloatArray:
    """Return part / whole, or something else where the whole is nothing."""
    return np.asarray(np.divide(part, whole, out=otherwise, where=whole >= NOTHING))
