"""A validator does no work and copies the consensus that everybody can see.

Sources: docs.learnbittensor.org, the weight copying problem and commit reveal [P];
opentensor/subtensor, runtime defaults (delegate take, reveal period) [P].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trilemma.dynamics import simulate
from trilemma.dynamics.scenarios import copying, drifting
from trilemma.dynamics.simulation import Act
from trilemma.incidents.asking import each
from trilemma.incidents.incident import Fact, Incident, Table
from trilemma.model import Mechanism, World
from trilemma.worlds import Preset

__all__ = ["FACTS", "LAGS", "Copying", "ask"]

DOCS = "docs.learnbittensor.org/concepts"
CODE = "opentensor/subtensor, runtime"
FACTS = (
    Fact(
        "weights are public, so that a validator may report the others' consensus, skip the work "
        "and still be paid as a validator",
        "P",
        f"{DOCS}/weight-copying-in-bittensor",
    ),
    Fact(
        "the answer was to hide weights for some epochs (commit-reveal, 1 epoch by default and "
        "100 at most), and to let bonds grow faster where a validator leaves the consensus "
        "(liquid alpha)",
        "P",
        f"{DOCS}/commit-reveal and {CODE}",
    ),
    Fact("a validator keeps at most 18 % of what its delegators earn", "P", CODE),
)

WITHOUT_MEMORY = "yuma(bonds_moving_average=0)"
USUAL = (
    "yuma(version=2)",
    "yuma",
    "yuma(liquid_alpha=True)",
    WITHOUT_MEMORY,
    "stake_weighted",
)
LAGS = (0, 1, 2, 5, 10, 21)
MIDDLE = LAGS.index(5)
COPIER = 0.05  # of the stake
TAKE = 0.18  # of the delegators' pay: a copier who asks for none of it pays them G, others 1 - TAKE
DRIFTS = (0.1, 0.3)  # by which a miner's log quality changes in an epoch
EPOCHS, WARM_UP = 50, 21  # before epoch 21 no copy is 21 epochs old
NETWORK = Preset(validators=32, miners=64)


@dataclass(frozen=True)
class Copying:
    """What one validator is paid per stake, in units of the median validator's: G.

    Parameters
    ----------
    working : float or None
        Where it reports its own work; None where the median validator earns nothing.
    copying : tuple of (float or None)
        Where it copies, one per lag.
    """

    working: float | None
    copying: tuple[float | None, ...]

    @property
    def lost_at(self) -> int | None:
        """The least lag at which delegators are better off with anybody else; None: at none."""
        rates = zip(LAGS, self.copying, strict=True)
        return next((lag for lag, rate in rates if rate is not None and rate <= 1 - TAKE), None)


Answers = Mapping[str, tuple[Copying, ...]]
"""By label, one per drift."""


def ask(mechanisms: Iterable[str | Mechanism] | None, seed: int) -> Incident:
    """Return what copying pays; parameters and errors are those of `trilemma.incidents.ask`."""
    networks = [drifting(NETWORK, EPOCHS, drift, COPIER, seed) for drift in DRIFTS]
    answers, failures = each(
        mechanisms,
        USUAL,
        lambda _, mechanism: tuple(_copied(mechanism, worlds) for worlds in networks),
    )
    return Incident(
        "weight-copy-2024",
        "free-riding on a visible consensus",
        f"What does a validator with {COPIER:.0%} of the stake earn by copying the consensus of so "
        "many epochs ago, and how long must weights be hidden until its delegators leave it? Here "
        f"in a network of {NETWORK.validators} validators and {NETWORK.miners} miners.",
        FACTS,
        tuple(_table(place, answers) for place in range(len(DRIFTS))),
        tuple(_findings(answers)),
        tuple(_entry(label, found) for label, found in answers.items()),
        failures,
    )


def _copied(mechanism: Mechanism, worlds: Sequence[World]) -> Copying:
    copier = int(worlds[0].own_validators[0])

    def rate(act: Act | None) -> float | None:
        history = simulate(mechanism, worlds, act)
        found = float(history.relative_yields(WARM_UP)[copier])
        return found if np.isfinite(found) else None

    return Copying(rate(None), tuple(rate(copying(lag)) for lag in LAGS))


def _table(place: int, answers: Answers) -> Table:
    rows = [
        (label, (found[place].working, *found[place].copying)) for label, found in answers.items()
    ]
    return Table(
        f"G where a miner's quality changes by about {DRIFTS[place]:.0%} in an epoch: dividends "
        "per stake over the median validator's, for work, and for copies so many epochs old. "
        "Weights that are hidden for h epochs make every copy h epochs older:",
        ("working", *(f"lag {lag}" for lag in LAGS)),
        tuple(rows),
    )


def _findings(answers: Answers) -> Iterator[str]:
    for label, (slow, fast) in answers.items():
        if slow.working is None or slow.copying[0] is None:
            yield f"{label}: the median validator earns nothing, so that there is no rate."
            continue
        yield (
            f"{label}: a copy of the same epoch earns {slow.copying[0] - 1:+.1%} against the "
            f"median validator and {slow.copying[0] / slow.working - 1:+.1%} against own work. "
            f"Delegators leave it, at G of {1 - TAKE:.2f} or less, {_when(slow)} where quality "
            f"changes by {DRIFTS[0]:.0%} in an epoch, and {_when(fast)} where by {DRIFTS[1]:.0%}."
        )
    rates = {label: fast.copying[MIDDLE] for label, (_, fast) in answers.items()}
    told = sorted((rate, label) for label, rate in rates.items() if rate is not None)
    if told:
        yield (
            f"Where quality changes by {DRIFTS[1]:.0%}, a copy {LAGS[MIDDLE]} epochs old earns "
            f"{'; '.join(f'{rate:.3f} under {label}' for rate, label in told)}."
        )
    if WITHOUT_MEMORY in answers:
        yield (
            f"{WITHOUT_MEMORY} keeps no old bonds, as if all were reset in every epoch: the most "
            "that resetting can do."
        )


def _when(found: Copying) -> str:
    lag = found.lost_at
    return f"at no lag up to {LAGS[-1]}" if lag is None else f"by lag {lag}"


def _entry(label: str, found: Sequence[Copying]) -> dict[str, object]:
    drifts = [
        {
            "drift": drift,
            "working": it.working,
            "lags": list(LAGS),
            "relative_dividend_rate": list(it.copying),
            "premium": [None if rate is None else rate - 1 for rate in it.copying],
            "lag_that_loses_delegators": it.lost_at,
        }
        for drift, it in zip(DRIFTS, found, strict=True)
    ]
    return {"label": label, "copier": COPIER, "drifts": drifts}
