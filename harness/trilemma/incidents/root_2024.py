"""Ten holders have 85 % of the stake that shares out a network's rewards.

Source: published shares of the root network, 19 June 2024 [2]. What single holders meant by their
weights is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from trilemma.attacks.moves import shun, vote
from trilemma.checks import NOTHING
from trilemma.contract import call_each
from trilemma.incidents.incident import Fact, Incident, Table
from trilemma.incidents.naming import answers, listed
from trilemma.model import FloatArray, Mechanism, Play, World
from trilemma.power import nakamoto_of
from trilemma.scene import Scene
from trilemma.scores import cutoff_number
from trilemma.twins import Coalition, Outcome, TwinTest, by_stake, loss, outcome_of
from trilemma.worlds import Preset, stake_vector

__all__ = ["FACTS", "USUAL", "Cut", "ask", "cut"]

SOURCE = "Mentat Minds, What Root Network weights reveal about Bittensor, 19 June 2024"
FACTS = (
    Fact(
        "the five largest of the 64 validators that weighed subnets had 25, 13.5, 11, 9 and 6.5 % "
        "of the stake",
        "2",
        SOURCE,
    ),
    Fact("the ten largest had about 85 %", "2", SOURCE),
)

USUAL: Mapping[str, str] = {
    "root vote of 2023": "root_vote",
    "Yuma": "yuma",
    "stake-weighted": "stake_weighted",
    "stake capped": "stake_capped",
    "square root of stake": "quadratic",
    "Yuma + majority of those who vote": "governed(suspension=vote)",
    "Yuma + majority of all stake": "governed(suspension=vote(of='all'))",
    "Yuma + two thirds of all stake": "governed(suspension=vote(of='all', threshold=0.667))",
}
HOLDERS = 64
SHARES = {"a third": Fraction(1, 3), "half": Fraction(1, 2), "two thirds": Fraction(2, 3)}
WORLDS, SUBNETS, XI = 4, 32, 0.5


@dataclass(frozen=True)
class Cut:
    """What the 1 to 10 largest holders do to one of two equals: D(1), ..., D(10), by channel.

    D(b) is the most that at most b of them do: the part of its due that the target loses, or the
    share of all pay that vanishes.
    """

    label: str
    by_weights: FloatArray
    by_votes: FloatArray


def ask(mechanisms: Iterable[str | Mechanism] | None, seed: int) -> Incident:
    """Return how many of the largest holders are enough to cut off one of two equals.

    Parameters
    ----------
    mechanisms : iterable of str or Mechanism, optional
        Default: the root vote of 2023, other rules about weights, and votes to suspend.
    seed : int

    Returns
    -------
    Incident
    """
    preset = Preset(validators=HOLDERS, miners=SUBNETS)
    tests = [TwinTest.of(preset.twin(seed + number)) for number in range(WORLDS)]
    found, failures = answers(mechanisms, USUAL, lambda label, it: cut(label, it, tests))
    return Incident(
        "root-2024",
        "ten holders with 85 % of the stake",
        "How many of the largest holders does it take to take half of its pay from one of two "
        "equal subnets or miners, in one epoch, by their weights alone and by their votes alone? "
        "Whoever is outside reports honestly and casts no vote.",
        FACTS,
        (_concentration(), _numbers(found)),
        (*_about_stake(), *_about_cuts(found)),
        tuple(map(_entry, found.values())),
        failures,
    )


def cut(label: str, mechanism: Mechanism, tests: Sequence[TwinTest]) -> Cut:
    """Return what the 1 to 10 largest holders do, mean over twin tests."""
    before = [_outcome(label, mechanism, test.honest()) for test in tests]

    def harm(move: Callable[[World], World], coalition: Coalition) -> float:
        play = Play("root-2024", "one channel", move, aim="twin")
        scenes = [test.by(coalition).attacked(play) for test in tests]
        return _harm(before, [_outcome(label, mechanism, it) for it in scenes])

    def curve(move: Callable[[World], World]) -> FloatArray:
        return np.maximum.accumulate([harm(move, coalition) for coalition in by_stake()])

    return Cut(label, curve(shun), curve(vote))


def _outcome(label: str, mechanism: Mechanism, scenes: Sequence[Scene]) -> Outcome:
    return outcome_of(call_each(label, mechanism, [it.epoch for it in scenes]), scenes, XI)


def _harm(before: Sequence[Outcome], after: Sequence[Outcome]) -> float:
    """Return the part of its due that the target loses, or the share of all pay that vanishes."""
    pairs = zip(before, after, strict=True)
    lost = float(np.mean([loss(now.twins, then.twins.mean()) for then, now in pairs]))
    fair, left = (sum(float(it.paid) for it in outcomes) for outcomes in (before, after))
    harm = max(lost, 1 - left / fair) if fair > 0 else lost
    return harm if harm > NOTHING else 0.0


def _concentration() -> Table:
    stake = stake_vector("root-2024", HOLDERS)
    sums = np.cumsum(stake)

    def row(share: Fraction) -> tuple[int, float]:
        fewest = nakamoto_of(stake, share)
        return fewest, float(sums[fewest - 1])

    return Table(
        "How few holders have more than so much of the stake, and what they have:",
        ("holders", "their stake"),
        tuple((name, row(share)) for name, share in SHARES.items()),
        head="more than",
    )


def _numbers(found: Mapping[str, Cut]) -> Table:
    def row(cut: Cut) -> tuple[int | float | None, ...]:
        curves = (cut.by_weights, cut.by_votes)
        return tuple(it for curve in curves for it in (cutoff_number(curve), float(curve[0])))

    return Table(
        "How few of the largest holders take half of its pay from one of two equals (-: more than "
        "ten), and what the largest alone takes:",
        ("N by weights", "the largest", "N by votes", "the largest"),
        tuple((name, row(cut)) for name, cut in found.items()),
    )


def _about_stake() -> tuple[str, str]:
    stake = stake_vector("root-2024", HOLDERS)
    few = {name: nakamoto_of(stake, share) for name, share in SHARES.items()}
    index = float(np.square(stake).sum())
    told = ", ".join(f"{number} have more than {name}" for name, number in few.items())
    return (
        f"Of {HOLDERS} holders, {told} of the stake.",
        f"The sum of squared shares (Herfindahl-Hirschman) is {index:.4f}: as much as that of "
        f"{1 / index:.1f} equal holders.",
    )


def _about_cuts(found: Mapping[str, Cut]) -> tuple[str, str]:
    weights = {name: cutoff_number(cut.by_weights) for name, cut in found.items()}
    votes = {name: cutoff_number(cut.by_votes) for name, cut in found.items()}
    return (
        f"By weights alone it takes {listed(weights, 'more than ten')}.",
        f"By votes alone it takes {listed(votes, 'more than ten')}.",
    )


def _entry(cut: Cut) -> dict[str, object]:
    return {
        "label": cut.label,
        "by_weights": cutoff_number(cut.by_weights),
        "by_votes": cutoff_number(cut.by_votes),
        "curve_by_weights": cut.by_weights.tolist(),
        "curve_by_votes": cut.by_votes.tolist(),
    }
