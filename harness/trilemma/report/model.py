"""One line of the answer: a mechanism's scores with identities verified and with them free."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from trilemma.model import FloatArray
from trilemma.scores import SEARCH
from trilemma.statistics import Interval

__all__ = ["KEPT_SCORES", "AtPrice", "ByAttack", "MeanConcentration", "Row", "Side"]

SEARCHED_SCORES = ("sybil_resistance", "neutrality")
KEPT_SCORES = (*SEARCHED_SCORES, "quality_attacked", "minimum")  # of every resample


@dataclass(frozen=True)
class AtPrice:
    """Scores with identities free where each has a price, in units of one epoch's reward."""

    price: float
    sybil_resistance: Interval
    neutrality: Interval
    quality_attacked: Interval
    minimum: Interval


@dataclass(frozen=True)
class ByAttack:
    """What one attack does where there is no other.

    Parameters
    ----------
    attack : str
        A family of plays, or "search".
    aim : {"pay", "twin"}
        What its plays are after.
    harm : float
        What 1 is short of Sybil resistance, or of neutrality.
    play : str
        Its worst play; "none" where none does harm.
    """

    attack: str
    aim: str
    harm: float
    play: str


@dataclass(frozen=True)
class MeanConcentration:
    """How concentrated pay is over principals when all are honest: means over the worlds.

    Parameters
    ----------
    hhi, nakamoto, entropy, gini : float
        As in `trilemma.concentration.Concentration`.
    """

    hhi: float
    nakamoto: float
    entropy: float
    gini: float


@dataclass(frozen=True)
class Side:
    """Scores of one mechanism for one number of identities.

    Parameters
    ----------
    identities : int
        K: identities that a principal may use per role.
    sybil_resistance, neutrality, quality, quality_attacked, minimum : Interval
    neutrality_equal : Interval
        Neutrality if stake were equal and identities verified.
    worst_sybil_play, worst_neutrality_play : str
        "search" where the adaptive search set the score.
    replayed : tuple of float, or None
        Sybil resistance and neutrality if what was found against the other mechanisms counted.
    cutoff : tuple of (int, float)
        The curve (b, D(b)).
    cutoff_number : int or None
        The fewest principals who can cut a miner off.
    by_attack : tuple of ByAttack
    best : float
        Share of resamples in which this mechanism has the highest minimum of those whose honest
        quality is above 0.
    ranks : tuple of int
        Interval of its rank among them, 1 the best.
    """

    identities: int
    sybil_resistance: Interval
    neutrality: Interval
    quality: Interval
    quality_attacked: Interval
    minimum: Interval
    neutrality_equal: Interval
    worst_sybil_play: str
    worst_neutrality_play: str
    replayed: tuple[float, float] | None
    cutoff: tuple[tuple[int, float], ...]
    cutoff_number: int | None
    by_attack: tuple[ByAttack, ...]
    best: float
    ranks: tuple[int, int]

    @property
    def set_by(self) -> tuple[str, str]:
        """What set Sybil resistance and neutrality: a scripted `play`, or the `search`."""
        first, second = (SEARCH if it == SEARCH else "play" for it in self.worst_plays)
        return first, second

    @property
    def worst_plays(self) -> tuple[str, str]:
        """The plays that lower Sybil resistance and neutrality most."""
        return self.worst_sybil_play, self.worst_neutrality_play

    def to_json(self) -> dict[str, Any]:
        """Return the part of the schema that is the same for both sides."""
        scores = ("sybil_resistance", "neutrality", "quality", "quality_attacked")
        return {
            **{name: asdict(getattr(self, name)) for name in scores},
            "worst_sybil_play": self.worst_sybil_play,
            "worst_neutrality_play": self.worst_neutrality_play,
            "cutoff": [list(point) for point in self.cutoff],
            "cutoff_number": self.cutoff_number,
            "by_attack": [asdict(it) for it in self.by_attack],
            "minimum": self.minimum.value,
            "set_by": dict(zip(SEARCHED_SCORES, self.set_by, strict=True)),
            "replayed": self.replayed and dict(zip(SEARCHED_SCORES, self.replayed, strict=True)),
        }


@dataclass(frozen=True)
class Row:
    """One mechanism: identities verified (K = 1) and free (K = the budget's).

    Parameters
    ----------
    name, label, distribution : str
        Plug-in, canonical form with parameters, and where it comes from.
    verified, free : Side
    tau : float
        Mean Kendall tau-b between honest pay and quality.
    flags : tuple of str
        What makes a number suspect or a rule unusual.
    pareto : bool
        Whether no other mechanism is as good in all three scores on the free side.
    overtaken_by : tuple of str
        Labels of those whose minimum it decisively beats with identities verified, and falls
        decisively below with identities free.
    clone_sweep : tuple of (float, float)
        With identities free: Sybil resistance if honest validators saw through clones with
        this lower chance only.
    by_price : tuple of AtPrice
    concentration : MeanConcentration
    control : bool
        Whether it is a rule with known scores, there to show that the evaluation is sound.
    sampled : ndarray, shape (2, 4, 1 + resamples)
        Verified, then free: the scores of `KEPT_SCORES`, of all worlds and of each resample.
    """

    name: str
    label: str
    distribution: str
    verified: Side
    free: Side
    tau: float
    flags: tuple[str, ...]
    pareto: bool
    overtaken_by: tuple[str, ...]
    clone_sweep: tuple[tuple[float, float], ...]
    by_price: tuple[AtPrice, ...]
    concentration: MeanConcentration
    control: bool
    sampled: FloatArray = field(repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return one entry of `mechanisms` in the schema."""
        return {
            "name": self.name,
            "label": self.label,
            "distribution": self.distribution,
            "free": self.free.to_json(),
            "verified": self.verified.to_json(),
            "flags": list(self.flags),
            "pareto": self.pareto,
            "control": self.control,
            "concentration": asdict(self.concentration),
            "by_price": [asdict(it) for it in self.by_price],
        }
