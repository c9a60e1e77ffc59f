"""Tokens are given per address, and one person has many addresses.

Sources: analysis of the Arbitrum airdrop of March 2023 by X-explore, mirror.xyz [P]; the
foundation's own rules, github.com/ArbitrumFoundation/sybil-detection [P].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from trilemma.attacks.moves import fake, split
from trilemma.dynamics import simulate
from trilemma.incidents.asking import each
from trilemma.incidents.incident import Fact, Incident, Table
from trilemma.model import Mechanism, World
from trilemma.worlds import Preset

__all__ = ["FACTS", "MEAN", "ask", "hidden", "joined", "paid_once"]

ANALYSIS = "X-explore, Advanced analysis for Arbitrum airdrop, mirror.xyz, March 2023"
RULES = "github.com/ArbitrumFoundation/sybil-detection"
FACTS = (
    Fact(
        "279,328 of 624,136 addresses that were given tokens formed more than 60,000 clusters of "
        "one person each, and received 47.96 % of the tokens",
        "P",
        ANALYSIS,
    ),
    Fact(
        "among the patterns that were left out are addresses that pass funds in a cluster of more "
        "than 20",
        "P",
        RULES,
    ),
)

USUAL = ("uniform", "stake_proportional", "yuma", "quadratic", "dao_vote")
GIVEN, SAME, CLUSTERS = 624_136, 279_328, 60_000
MEAN = SAME / CLUSTERS  # addresses in a cluster; at most, since there were more clusters
DETECTED = 20  # larger clusters are found
LARGEST = (2, 5, 10, 20, 50)
IDENTITIES = (1, 2, 5, 20, 64)
STAKE, XI = 0.05, 0.5  # of the one person; and the validators' part of all pay
NETWORK = Preset(miners=64)


def ask(mechanisms: Iterable[str | Mechanism] | None, seed: int) -> Incident:
    """Return what identities earn; parameters and errors as `trilemma.incidents.ask`."""
    worlds = [joined(seed, count) for count in IDENTITIES]
    answers, failures = each(
        mechanisms, USUAL, lambda _, it: [_paid(it, world) for world in worlds]
    )
    return Incident(
        "airdrop",
        "paid per identity",
        f"What does one person earn with k identities per role, {STAKE:.0%} of the stake split "
        "over its validators and one miner that works, and what does a detector of large clusters "
        "leave?",
        FACTS,
        (_pay_table(answers), _cluster_table()),
        tuple(_findings(answers)),
        tuple(_entry(label, pays) for label, pays in answers.items()),
        failures,
    )


def joined(seed: int, identities: int) -> World:
    """Return a network that one person joins with so many validators and miners.

    It splits its stake; one of its miners does work of median quality, the others none.
    """
    world = NETWORK.sybil(seed)
    others = (1 - STAKE) * world.stake[:-1] / world.stake[:-1].sum()
    alone = replace(world, stake=np.append(others, STAKE))
    return fake(split(alone, identities), identities - 1)


def _paid(mechanism: Mechanism, world: World) -> float:
    [step] = simulate(mechanism, world, epochs=1).steps
    validators = step.pay.validators[world.own_validators].sum()
    return float(XI * validators + (1 - XI) * step.pay.miners[world.own_miners].sum())


# --- clusters, exactly ---------------------------------------------------------------------------


def hidden(largest: int, mean: float = MEAN) -> float:
    """Return the share of addresses in clusters of at most so many.

    Sizes are geometric from 2 on: a cluster of one address links nothing.

    Parameters
    ----------
    largest : int
    mean : float
        Addresses in a cluster on average, above 2.
    """
    stop = 1 / (mean - 1)
    sizes = range(2, largest + 1)
    return sum(size * stop * (1 - stop) ** (size - 2) for size in sizes) / mean


def paid_once() -> float:
    """Return the clusters' share of all payments if each of them had been paid once."""
    return CLUSTERS / (GIVEN - SAME + CLUSTERS)


# --- tables and findings -------------------------------------------------------------------------


def _pay_table(answers: Mapping[str, Sequence[float]]) -> Table:
    return Table(
        "What k identities per role earn together, over what one earns:",
        tuple(f"k = {count}" for count in IDENTITIES),
        tuple((label, tuple(_factors(pays))) for label, pays in answers.items()),
    )


def _factors(pays: Sequence[float]) -> list[float | None]:
    return [pay / pays[0] if pays[0] > 0 else None for pay in pays]


def _cluster_table() -> Table:
    return Table(
        f"Share of one person's addresses in clusters of at most so many, if sizes are geometric "
        f"with a mean of {MEAN:.2f}: what a detector of larger ones leaves (exact):",
        tuple(f"at most {size}" for size in LARGEST),
        (("left", tuple(hidden(size) for size in LARGEST)),),
        head="addresses",
    )


def _findings(answers: Mapping[str, Sequence[float]]) -> Iterator[str]:
    yield (
        f"{SAME / GIVEN:.1%} of the addresses belonged to clusters, {MEAN:.2f} to each at most. "
        f"Paid once each, they would have had {paid_once():.1%} of all payments."
    )
    yield (
        f"A detector of clusters above {DETECTED} leaves {hidden(DETECTED):.1%} of their addresses "
        "if sizes are geometric. Real sizes are not known here; a heavier tail leaves fewer."
    )
    most = IDENTITIES[-1]
    for label, pays in answers.items():
        gain = _factors(pays)[-1]
        if gain is None:
            yield f"{label}: one identity earns nothing."
        else:
            yield (
                f"{label}: {most} identities per role earn {gain:.3g} times what one earns, "
                f"{gain / most:.3g} times each."
            )


def _entry(label: str, pays: Sequence[float]) -> dict[str, object]:
    return {
        "label": label,
        "identities": list(IDENTITIES),
        "paid": list(pays),
        "per_identity": [pay / count for pay, count in zip(pays, IDENTITIES, strict=True)],
    }
