"""Somebody buys other people's weight, and with it the emission that it directs.

Sources: vote of a stablecoin protocol on its budget for buying votes, Votium, November 2021 [P];
reports on the price of a vote there [2].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from trilemma.contract import Pay, call
from trilemma.fields import normalised
from trilemma.incidents.asking import each
from trilemma.incidents.incident import Fact, Incident, Table
from trilemma.model import Epoch, FloatArray, IntArray, Mechanism

__all__ = ["FACTS", "SHARES", "Market", "Offer", "ask", "market"]

VOTE = "vote of 11 to 14 November 2021 among holders of FXS, on its budget for Votium"
FACTS = (
    Fact(
        "a protocol raised what it may pay for votes on Curve's emission from 1 M to 2.5 M USD for "
        "every two weeks, since its part of those votes had gone down from 19.5 to 15.1 %; 99.6 % "
        "of the votes cast agreed",
        "P",
        VOTE,
    ),
    Fact(
        "a vote was paid 9 cents where 2 to 4 cents had been usual",
        "2",
        "reports on the markets for votes of Curve and Convex; no primary source was found",
    ),
)

USUAL = ("stake_weighted", "yuma", "yuma(bonds_penalty=0)", "stake_capped", "quadratic", "dao_vote")
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.55, 0.6)
LARGE, SMALL = 10, 100  # accounts; each group holds half of the stake
MINERS, NOISE, SPREAD = 32, 0.1, 1.0
XI = 0.5  # the validators' part of all pay
SELLERS = ("small accounts first", "large accounts first")


@dataclass(frozen=True, eq=False)
class Market:
    """Honest accounts whose weight is for sale, and the miner who buys it.

    Parameters
    ----------
    stake : ndarray of int, shape (n,)
        Ten accounts of 10 units, then a hundred of 1.
    weights : ndarray, shape (n, m)
        Honest reports.
    buyer : int
        The miner of median quality.
    """

    stake: IntArray
    weights: FloatArray
    buyer: int

    def sold(self, share: float, sellers: str) -> IntArray:
        """Return the accounts that sell, in their order, until this share of stake is sold."""
        order = np.arange(self.stake.size)
        if sellers == SELLERS[0]:
            order = order[::-1]
        held = np.cumsum(self.stake[order])
        return np.asarray(order[held <= share * held[-1] + 1e-9])

    def epoch(self, sellers: IntArray) -> Epoch:
        """Return the epoch in which the sellers report the buyer alone."""
        weights = self.weights.copy()
        weights[sellers] = np.arange(weights.shape[1]) == self.buyer
        return Epoch(self.stake, weights)


@dataclass(frozen=True)
class Offer:
    """What a share of weight is worth; all in units of what an epoch pays.

    Parameters
    ----------
    share : float
        Of the stake, that is sold.
    gain : float
        How much more the buyer's miner earns.
    loss : float
        How much less the sellers earn as validators.
    """

    share: float
    gain: float
    loss: float

    @property
    def most(self) -> float:
        """The price of all stake's weight at which the buyer gains nothing."""
        return self.gain / self.share

    @property
    def least(self) -> float:
        """The price of all stake's weight below which sellers lose."""
        return max(self.loss, 0.0) / self.share


Offers = Mapping[str, Mapping[str, tuple[Offer, ...]]]
"""By label and sellers, one per share."""


def ask(mechanisms: Iterable[str | Mechanism] | None, seed: int) -> Incident:
    """Return what bought weight is worth; parameters and errors as `trilemma.incidents.ask`."""
    place = market(seed)
    answers, failures = each(mechanisms, USUAL, lambda label, it: _offers(label, it, place))
    return Incident(
        "bribe",
        "weight for sale",
        "A miner of median quality pays accounts to report it alone. What is a share of all weight "
        "worth to it, and what do those who sell it lose? Half of the stake is held by "
        f"{LARGE} large accounts, half by {SMALL} small ones.",
        FACTS,
        tuple(_table(sellers, answers) for sellers in SELLERS),
        tuple(_findings(answers)),
        tuple(_entry(label, found) for label, found in answers.items()),
        failures,
    )


def market(seed: int) -> Market:
    """Draw the reports of 110 validators on 32 miners."""
    draw = np.random.default_rng([seed, 0])
    quality = np.exp(SPREAD * draw.standard_normal(MINERS))
    noise = np.exp(NOISE * draw.standard_normal((LARGE + SMALL, MINERS)))
    stake = np.repeat(np.array([SMALL // LARGE, 1]), [LARGE, SMALL])
    middle = int(np.argsort(quality, kind="stable")[MINERS // 2])
    return Market(stake, normalised(quality * noise), middle)


def _offers(label: str, mechanism: Mechanism, place: Market) -> dict[str, tuple[Offer, ...]]:
    honest = call(label, mechanism, place.epoch(np.zeros(0, np.int64)))

    def offer(share: float, order: str) -> Offer:
        sellers = place.sold(share, order)
        return _offer(
            share, place.buyer, sellers, honest, call(label, mechanism, place.epoch(sellers))
        )

    return {order: tuple(offer(share, order) for share in SHARES) for order in SELLERS}


def _offer(share: float, buyer: int, sellers: IntArray, honest: Pay, bought: Pay) -> Offer:
    gain = (1 - XI) * (bought.miners[buyer] - honest.miners[buyer])
    loss = XI * (honest.validators[sellers].sum() - bought.validators[sellers].sum())
    return Offer(share, float(gain), float(loss))


def _table(sellers: str, answers: Offers) -> Table:
    rows = [
        (name, tuple(cells))
        for label, found in answers.items()
        for name, cells in (
            (label, [it.most for it in found[sellers]]),
            ("  sellers ask", [it.least for it in found[sellers]]),
        )
    ]
    return Table(
        f"Price of weight by the share bought, {sellers}: what the buyer gains, and what sellers "
        "lose as validators, each by share of stake, in units of what an epoch pays:",
        tuple(f"b = {share:g}" for share in SHARES),
        tuple(rows),
    )


def _findings(answers: Offers) -> Iterator[str]:
    for label, found in answers.items():
        small = found[SELLERS[0]]
        best = max(small, key=lambda it: it.most)
        low, high = max(pairwise(small), key=_slope)
        yield (
            f"{label}: weight of small accounts is worth {best.most:.3g} epochs' pay for the whole "
            f"stake at most, at b = {best.share:g}; the buyer's gain rises fastest from "
            f"b = {low.share:g} to {high.share:g}, from {low.gain:.3g} to {high.gain:.3g} of an "
            f"epoch's pay; {_deals(small)}. {_orders(found)}"
        )


def _slope(step: tuple[Offer, Offer]) -> float:
    low, high = step
    return (high.gain - low.gain) / (high.share - low.share)


def _deals(offers: tuple[Offer, ...]) -> str:
    shares = [f"{it.share:g}" for it in offers if it.gain > max(it.loss, 0.0)]
    return f"both sides gain at b = {', '.join(shares)}" if shares else "no price suits both sides"


def _orders(found: Mapping[str, tuple[Offer, ...]]) -> str:
    half = [_half(found[sellers]) for sellers in SELLERS]
    told = [f"more than {SHARES[-1]:g}" if it is None else f"{it:g}" for it in half]
    return (
        f"Half of what miners are paid costs {told[0]} of the stake bought from small accounts, "
        f"{told[1]} from large ones."
    )


def _half(offers: tuple[Offer, ...]) -> float | None:
    """Return the least share that gains the buyer half of the miners' pool."""
    return next((it.share for it in offers if it.gain >= (1 - XI) / 2), None)


def _entry(label: str, found: Mapping[str, tuple[Offer, ...]]) -> dict[str, object]:
    return {
        "label": label,
        "offers": [
            {
                "sellers": sellers,
                "share": it.share,
                "gain": it.gain,
                "loss": it.loss,
                "most": it.most,
                "least": it.least,
            }
            for sellers, offers in found.items()
            for it in offers
        ],
    }
