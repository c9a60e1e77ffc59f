"""A foundation sells a subnet's token until its price is down by 98 %.

Sources: articles on the first month of subnet tokens, March 2025 [2]; the rules by which prices
and flows shared out rewards, opentensor/subtensor [P]. Whether the sale was right is not asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from trilemma.checks import NOTHING
from trilemma.dynamics import simulate
from trilemma.incidents.incident import Fact, Incident, Table
from trilemma.incidents.naming import answers
from trilemma.model import Epoch, FloatArray, Mechanism

__all__ = ["FACTS", "SOLD", "USUAL", "ask", "worths"]

SOURCE = "Why dTAO is broken, in BlockBeats, March 2025"
CODE = "opentensor/subtensor, pallets/subtensor/src/coinbase"
FACTS = (
    Fact(
        "a foundation sold the token of a subnet that served speculation, about a month old, "
        "until its price was down by about 98 %",
        "2",
        SOURCE,
    ),
    Fact(
        "the article says that the subnet had exploited the rule that shares rewards out, and "
        "that the sale was centralised intervention",
        "allegation",
        SOURCE,
    ),
    Fact(
        "from February to November 2025 subnets were paid by a moving average of prices that moves "
        "by 3e-6 b / (b + 201,600) of the way in the block b after the start",
        "P",
        f"{CODE}, get_shares_price_ema",
    ),
    Fact(
        "from November 2025 to June 2026 they were paid by a moving average of net flows, and "
        "nothing where it was below 0",
        "P",
        f"{CODE}, get_shares_flow",
    ),
)

USUAL: Mapping[str, str] = {  # an epoch is a day: 7200 blocks of 12 s
    "by price": "price_share(tempo=7200)",
    "by flow": "flow_share(tempo=7200)",
    "root vote of 2023": "root_vote",
}
SOLD = 6.07  # times the tokens that the pool holds
SUBNETS, TARGET = 64, 0
AGE, EPOCHS = 30, 30  # epochs before the sale, and from it on
BOUGHT = 0.001  # of the tokens each pool opened with: what all others buy of it in an epoch
AFTER = (1, 7, 30)  # epochs, the one of the sale among them


@dataclass(frozen=True)
class Dumped:
    """A subnet's pay in units of what it would have been, shape (EPOCHS,); None: it had none."""

    label: str
    kept: FloatArray | None


def ask(mechanisms: Iterable[str | Mechanism] | None, seed: int) -> Incident:
    """Return what a subnet is still paid after a sale of so many tokens.

    Parameters
    ----------
    mechanisms : iterable of str or Mechanism, optional
        At the level above the subnets; pools open with one token (`reserve=1`). Default: by
        price, by flow, and the root vote.
    seed : int
        Of what the subnets are worth.

    Returns
    -------
    Incident
    """
    worth = worths(seed)
    found, failures = answers(mechanisms, USUAL, lambda label, it: _dumped(label, it, worth))
    return Incident(
        "meme-subnet-2025",
        "a sale that takes 98 % off a price",
        f"What is left of a subnet's pay when one holder sells {SOLD} times the tokens in its "
        f"pool, {AGE} epochs after the start? An epoch is a day. All others go on buying "
        f"{BOUGHT:.1%} of every pool in each epoch, and nobody reports anything else.",
        FACTS,
        (_table(found),),
        (_about_price(), *_about_pay(found), _about_intent()),
        tuple(map(_entry, found.values())),
        failures,
    )


def worths(seed: int) -> FloatArray:
    """Return what holders say that each subnet is worth, shape (SUBNETS,); sums to 1."""
    worth = np.exp(np.random.default_rng(seed).standard_normal(SUBNETS))
    return np.asarray(worth / worth.sum())


def _dumped(label: str, mechanism: Mechanism, worth: FloatArray) -> Dumped:
    sold, kept = (
        simulate(mechanism, _epochs(worth, tokens)).incentive[AGE:, TARGET]
        for tokens in (SOLD, 0.0)
    )
    return Dumped(label, sold / kept if kept.min() > NOTHING else None)


def _epochs(worth: FloatArray, sold: float) -> list[Epoch]:
    """Return all epochs; in one of them the first holder sells, by what the pool then holds."""
    flows = np.zeros((AGE + EPOCHS, 2, SUBNETS))
    flows[:, 1] = BOUGHT
    if sold:
        flows[AGE, :, TARGET] = -sold * (1 - BOUGHT * AGE), 0
    return [Epoch([1, 1], [worth, worth], flows=it) for it in flows]


def _table(found: Mapping[str, Dumped]) -> Table:
    def row(it: Dumped) -> tuple[float | None, ...]:
        if it.kept is None:
            return (None,) * (len(AFTER) + 1)
        return *(float(it.kept[day - 1]) for day in AFTER), float(it.kept.mean())

    return Table(
        "The subnet's pay after the sale, in units of what it would have been without (-: it is "
        "not paid without either):",
        (*(f"epoch {day}" for day in AFTER), f"mean of {EPOCHS}"),
        tuple((name, row(it)) for name, it in found.items()),
    )


def _about_price() -> str:
    left = 1 / (1 + SOLD) ** 2
    return (
        f"On a constant product, {SOLD} times the tokens in the pool divide the price by "
        f"(1 + {SOLD})^2: {left:.3f} of it is left, {1 - left:.1%} is gone at once, whatever the "
        "rule. Whoever is paid in the token loses as much on top of what the table shows."
    )


def _about_pay(found: Mapping[str, Dumped]) -> list[str]:
    told = []
    for name, it in found.items():
        if it.kept is None:
            told.append(f"Under `{name}` the subnet would not have been paid without the sale.")
            continue
        below = np.flatnonzero(it.kept < 0.5)
        half = f"half is lost in epoch {below[0] + 1}" if below.size else "never as little as half"
        told.append(
            f"Under `{name}` it keeps {it.kept[0]:.1%} of its pay in the epoch of the sale and "
            f"{it.kept[-1]:.1%} after {EPOCHS}: {half}."
        )
    return told


def _about_intent() -> str:
    return (
        "The test does not know whether the intent was good: the same sale silences a subnet that "
        "only speculates and one that does the best work."
    )


def _entry(it: Dumped) -> dict[str, object]:
    if it.kept is None:
        return {"label": it.label, "kept": None, "mean_kept": None}
    return {"label": it.label, "kept": it.kept.tolist(), "mean_kept": float(it.kept.mean())}
