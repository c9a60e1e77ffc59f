"""A team leaves a network, alleging that one person switched its rewards off.

Sources: press reports of 10 April 2026 [allegation]; the share rules and levers of the time,
opentensor/subtensor v3.3.14 and branches emission_suppression and governance-wiring [P]. Neither
who holds the keys, nor how many have to sign, nor which lever was used, is in the repository.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from trilemma.cutoff import CHANNELS, MIX, Cutoff, Terms, cutoff
from trilemma.incidents.founder import SHARES, lost_by_share
from trilemma.incidents.incident import Fact, Incident, Table
from trilemma.incidents.naming import answers
from trilemma.incidents.prices import price_of_neutrality
from trilemma.model import FloatArray, Mechanism, World
from trilemma.power import banzhaf, majority, shapley_shubik
from trilemma.worlds import Preset, stake_vector

__all__ = ["ALTERNATIVES", "FACTS", "TERMS", "ask", "network"]

PRESS = "BlockBeats, Binance Square, HTX and AMBCrypto, 10 April 2026"
CODE = "opentensor/subtensor"
FACTS = (
    Fact(
        "a team that had trained a model of 72 billion parameters with more than 70 contributors "
        "left, alleging that a founder had suspended the emissions of its three subnets, removed "
        "its moderation rights, deprecated its infrastructure and sold tokens under pressure, and "
        "that a multisig of three was theatre",
        "allegation",
        PRESS,
    ),
    Fact("the founder denied having such power alone", "allegation", PRESS),
    Fact("the team's own founder was reported to have sold about 37,000 TAO", "allegation", PRESS),
    Fact("the price went from about 340 to 286 and 291 USD on the same day", "2", PRESS),
    Fact(
        "no vote, delay or appeal existed on chain; what could stop a subnet's emission were root "
        "calls and the market, through the flow rule",
        "P",
        f"{CODE} v3.3.14, pallets/admin-utils and pallets/subtensor/src/coinbase",
    ),
    Fact(
        "a vote of more than half of root stake was written two months before, and not merged",
        "P",
        f"{CODE}, branch emission_suppression, pull request 2420",
    ),
)

TERMS = Terms()  # 30 epochs; here an epoch is a day
FLOW, PRICE = "flow_share(tempo=7200)", "price_share(tempo=7200)"  # 7200 blocks of 12 s
KEYS = "keys(needed=2)"
BALLOT = "vote(of='all')"
PANEL = "keys(needed=3, seats=(3, 4, 5, 6, 7))"


def _governed(suspension: str, inner: str = PRICE) -> str:
    return f"governed(inner={inner}, suspension={suspension})"


STOOD = "as it stood: two of three keys, shares by flow"
ALTERNATIVES: Mapping[str, str] = {
    STOOD: _governed(f"lasting(of={KEYS})", FLOW),
    "vote of all root stake, shares by flow": _governed(BALLOT, FLOW),
    "no suspension, shares by flow": FLOW,
    "no suspension, root vote of 2023": "root_vote",
    "no suspension": PRICE,
    "keys": _governed(f"lasting(of={KEYS})"),
    "keys, delay of 7 days": _governed(f"lasting(of=delayed(of={KEYS}, epochs=7))"),
    "keys, expiry after 7 days, 23 of rest": _governed(
        f"lasting(of={KEYS}, epochs=7, cooldown=23)"
    ),
    "keys, reviewed by two panels": _governed(f"lasting(of=review(of={KEYS}))"),
    "keys, appeal heard after 3 days": _governed(
        f"appeal(of=lasting(of={KEYS}), to={PANEL}, hearing=3)"
    ),
    "keys, appeal heard after 20 days": _governed(
        f"appeal(of=lasting(of={KEYS}), to={PANEL}, hearing=20)"
    ),
    "vote of all root stake": _governed(BALLOT),
    "vote, keys override": _governed(f"override(of={BALLOT}, by={KEYS})"),
    "vote, appeal heard after 3 days": _governed(f"appeal(of={BALLOT}, to={PANEL}, hearing=3)"),
    "vote by conviction": _governed("vote(electorate=by_conviction, of='all')"),
    "one identity one vote": _governed("vote(electorate=by_identity, of='all')"),
}
"""What is compared; where nothing else is said, shares are by price, as since June 2026."""
BOUGHT = 0.001  # of every pool's tokens, by all holders together in a day
PANEL_SEATS = 32
WORLDS = 1  # and its exchanged copy; there is little in it that is left to chance
SUBNETS = 16
HOLDERS = {
    "one principal behind all three": (0, 0, 0),
    "one behind two of them": (0, 0, 1),
    "three separate ones": (0, 1, 2),
}
FOUNDER = 61  # the first of the three principals behind the keys, of 64
VOTERS = 20  # whose power is told; the smallest holders count as one


def ask(mechanisms: Iterable[str | Mechanism] | None, seed: int) -> Incident:
    """Return who could cut a subnet off under each rule, and what would have stopped them.

    Parameters
    ----------
    mechanisms : iterable of str or Mechanism, optional
        Compared with the rules as they stood. Default: the alternatives.
    seed : int

    Returns
    -------
    Incident
    """
    worlds = [network(seed + number) for number in range(WORLDS)]

    def asked(_: str, mechanism: Mechanism) -> tuple[Mechanism, Cutoff]:
        return mechanism, cutoff(mechanism, worlds, TERMS)

    named = None if mechanisms is None else [ALTERNATIVES[STOOD], *mechanisms]
    found, failures = answers(named, ALTERNATIVES, asked)
    rules = {name: mechanism for name, (mechanism, _) in found.items()}
    cuts = {name: cut for name, (_, cut) in found.items()}
    founder = lost_by_share(rules, _founders(seed), TERMS, FOUNDER)
    return Incident(
        "covenant-2026",
        "one key, no hearing, no appeal",
        "How many principals does it take to cut one of two equal subnets off, through which "
        "channel, and for how long, in a play of 30 days? Alleged is N = 1: here one principal "
        "without stake to speak of is behind all three keys.",
        FACTS,
        (
            _numbers(cuts),
            _times(cuts),
            _keys(seed),
            _power(),
            founder,
            price_of_neutrality(rules, seed),
        ),
        tuple(_findings(cuts)),
        tuple(map(_entry, cuts.values())),
        failures,
        founder,
    )


def network(
    seed: int, keys: tuple[int, int, int] = (0, 0, 0), founder: float | None = None
) -> World:
    """Return the level above the subnets: 64 holders of root stake, 16 subnets, 35 seats.

    Parameters
    ----------
    seed : int
    keys : tuple of int
        Which of three principals holds each key.
    founder : float, optional
        The stake share of the first of them. Default: as little as the smallest have; the three
        are apart from the ten largest and from the panel, seats 3 to 34.
    """
    world = Preset(miners=SUBNETS).twin(seed)
    stake, apart = world.stake, FOUNDER
    if founder is not None:
        rest = np.delete(stake, apart)
        stake = np.insert((1 - founder) * rest / rest.sum(), apart, founder)
    seats = np.array([*(apart + key for key in keys), *_panel(apart)])
    return replace(world, stake=stake, seats=seats, flows=_bought(world))


def _founders(seed: int) -> dict[float, World]:
    return {share: network(seed, founder=share) for share in SHARES}


def _panel(apart: int) -> range:
    return range(apart - PANEL_SEATS, apart)


def _bought(world: World) -> FloatArray:
    """Return what holders buy in a day: of each subnet in proportion to what they say of it."""
    wanted = world.stake[:, None] * world.weights
    return np.asarray(BOUGHT * wanted / wanted.sum(axis=0))


# --- tables --------------------------------------------------------------------------------------


def _numbers(cuts: Mapping[str, Cutoff]) -> Table:
    rows = [(name, tuple(answer.numbers.values())) for name, answer in cuts.items()]
    return Table(
        "N, the fewest principals who take half of a subnet's pay in 30 days, by channel and by "
        "the best mix of channels (-: more than ten). All others vote and order against it:",
        (*CHANNELS, MIX),
        tuple(rows),
        head="rule",
    )


def _times(cuts: Mapping[str, Cutoff]) -> Table:
    def row(answer: Cutoff) -> tuple[float | int | str | None, ...]:
        cut = answer.cuts[MIX]
        if cut.number is None:
            return None, None, None, cut.lost, None, cut.through
        return (
            cut.number,
            cut.to_bite,
            cut.until_undone,
            cut.lost,
            round(cut.cost, 4),
            f"{cut.through}: {_who(cut.members)}",
        )

    return Table(
        "By the best mix: N, days until it bites, days from then until it is undone (-: not in 30 "
        "days), the share of its pay that the subnet loses, the part of their own that those who "
        "act give up, and who they are; where nobody can, the most that is lost:",
        ("N", "bites", "undone", "lost", "cost", "through"),
        tuple((name, row(answer)) for name, answer in cuts.items()),
        head="rule",
    )


def _who(members: tuple[str, ...]) -> str:
    return members[0] if len(members) == 1 else f"{len(members)}, {members[0]} among them"


def _keys(seed: int) -> Table:
    def numbers(keys: tuple[int, int, int]) -> tuple[int | None, ...]:
        world = network(seed, keys)
        specs = [_governed(f"lasting(of=keys(needed={needed}))") for needed in (1, 2, 3)]
        return tuple(cutoff(it, [world], TERMS, ("orders",)).numbers["orders"] for it in specs)

    return Table(
        "N through the keys, by who holds them and by how many of the three have to sign:",
        ("1 of 3", "2 of 3", "3 of 3"),
        tuple((who, numbers(keys)) for who, keys in HOLDERS.items()),
        head="keys",
    )


def _power() -> Table:
    shares = stake_vector("root-2024", 64)
    voters = [*shares[: VOTERS - 1], shares[VOTERS - 1 :].sum()]
    game = majority(0.5, voters)
    indices = zip(voters, shapley_shubik(game), banzhaf(game), strict=True)
    rows = [(f"holder {rank + 1}", tuple(map(float, it))) for rank, it in enumerate(indices)]
    return Table(
        "Who decides in a vote of more than half of all root stake: share of stake and power of "
        f"the largest holders (the smallest {64 - VOTERS + 1} count as one):",
        ("stake", "Shapley-Shubik", "Banzhaf"),
        tuple(rows[:6]),
        head="holder",
    )


# --- findings ------------------------------------------------------------------------------------


def _findings(cuts: Mapping[str, Cutoff]) -> list[str]:
    def under(channel: str, number: int | None) -> str:
        names = [name for name, it in cuts.items() if it.numbers[channel] == number]
        return "; ".join(names) or "none of them"

    return [
        f"One principal behind the keys is enough under: {under('orders', 1)}.",
        *(
            f"Under {name} the order is undone after {cut.until_undone} days, but by then it has "
            f"cost {cut.lost:.0%} of the play: N stays {cut.number}."
            for name, cut in ((name, it.cuts["orders"]) for name, it in cuts.items())
            if cut.number is not None and cut.until_undone is not None
        ),
        f"One holder who sells is enough under: {under('price', 1)}. No rule about orders or votes "
        "closes that channel; how emission is shared does.",
        f"Ten principals cannot, by any mix of channels, under: {under(MIX, None)}.",
        "Assumed: holders own as many of a subnet's tokens as its pool does, in proportion to "
        f"their stake, and together buy {BOUGHT:.1%} of each pool a day.",
        "The public record shows neither who could sign, nor how many had to, nor which lever was "
        "used, if any: what is counted here is what each rule would have allowed.",
    ]


def _entry(answer: Cutoff) -> dict[str, object]:
    cut = answer.cuts[MIX]
    reached = cut.number is not None
    return {
        "label": answer.label,
        "cutoff_number": answer.numbers,
        "days_to_bite": cut.to_bite if reached else None,
        "days_until_undone": cut.until_undone if reached else None,
    }
