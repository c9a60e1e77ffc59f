"""What is known about rules, found by the kit on its own, or worked out beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from trilemma.model import AnyArray, Epoch, Mechanism, Rewards
from trilemma.profiles import PROFILES, Profile
from trilemma.registry import load
from trilemma.testing.case import Case
from trilemma.testing.check import Subject
from trilemma.testing.claims import CLAIMS, claim, claimed
from trilemma.testing.finding import tried
from trilemma_mechanisms.influence import share

FEW, SOME = Profile(50, same=True), Profile(100, same=True)
SOME = Profile(120, same=True)
MANY = Profile(300, same=True)
ROUNDING = 1e-6


def keeps(mechanism: Mechanism, text: str, profile: Profile = SOME) -> bool:
    return tried(claim(text), mechanism, profile).case is None


# --- weight-blind rules --------------------------------------------------------------------------


@dataclass(frozen=True)
class Blind:
    """Pay miners equally, and validators by something that is made of their shares of stake."""

    merit: Callable[[AnyArray], AnyArray]

    def __call__(self, epoch: Epoch) -> Rewards:
        miners = epoch.weights.shape[1]
        held = share(epoch.stake)
        paid = share(np.where(held > 0, self.merit(held), 0))
        return Rewards(np.full(miners, 1 / miners), paid)


def power(exponent: float) -> Blind:
    return Blind(lambda held: held**exponent)


def one_of_the_largest(held: AnyArray, count: int = 2) -> AnyArray:
    return np.asarray(held >= np.sort(held)[-count:][0])


def by_rank(held: AnyArray) -> AnyArray:
    larger = (held[None, :] > held[:, None]).sum(axis=1)
    return np.asarray(np.exp(-larger))


BLIND = {
    "stake to the power 0": power(0),
    "stake to the power .5": power(0.5),
    "stake": power(1),
    "stake to the power 2": power(2),
    "stake up to half of all": Blind(lambda held: np.minimum(held, 0.5)),
    "equally among the two largest": Blind(one_of_the_largest),
    "exponential in rank": Blind(by_rank),
}


@pytest.mark.parametrize("name", BLIND)
def test_weight_blind_rules_pay_out_everything(name: str) -> None:
    assert keeps(BLIND[name], "weight_blind", FEW)
    assert keeps(BLIND[name], "budget_balanced", FEW)


@pytest.mark.parametrize("name", BLIND)
def test_of_weight_blind_rules_the_proportional_one_alone_is_split_and_merge_proof(
    name: str,
) -> None:
    kept = keeps(BLIND[name], "split_proof") and keeps(BLIND[name], "merge_proof")
    assert kept == (name == "stake")


# --- influence in parts --------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["quadratic", "quadratic(inner=stake_weighted)"])
def test_a_square_root_is_gamed_by_two_accounts(spec: str) -> None:
    case = tried(claim("split_proof"), load(spec), PROFILES["ci"]).case
    assert case is not None
    assert len(case.numbers) == 2


def influence(spec: str, *stake: int) -> AnyArray:
    """Return what stands in for these stakes, (n,)."""
    mechanism: Any = load(spec)
    return np.asarray(mechanism.influence(Epoch(stake, [[1]] * len(stake))))


@settings(deadline=None, max_examples=40)
@given(st.integers(6, 64), st.integers(1, 63))
def test_a_cap_is_restored_by_share_over_cap_identities_and_by_no_fewer(
    cap: int, held: int
) -> None:
    """In 64ths, which floats hold exactly; the others' stake lies on one account."""
    spec, fewest = f"stake_capped(cap={cap / 64!r})", -(-held // cap)
    for identities in range(1, fewest + 1):
        parts = [held] * identities  # in units of 1 / identities of a 64th
        found = influence(spec, *parts, (64 - held) * identities)[:identities]
        counted = sum(map(Fraction, found.tolist())) / (64 * identities)
        assert counted == min(Fraction(held, 64), identities * Fraction(cap, 64))
        assert (counted == Fraction(held, 64)) == (identities == fewest)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from((0, 0.25, 0.5, 0.6, 0.75, 0.9, 1)),
    st.integers(2, 64),
    st.integers(1, 10**6),
    st.integers(1, 10**6),
)
def test_a_power_of_stake_in_equal_parts_gains_its_number_to_what_the_power_lacks(
    exponent: float, parts: int, held: int, other: int
) -> None:
    spec = f"quadratic(power={exponent})"
    whole = influence(spec, held * parts, other)
    split = influence(spec, *[held] * parts, other)
    gain = (split[:parts].sum() / split[-1]) / (whole[0] / whole[-1])
    assert gain == pytest.approx(parts ** (1 - exponent), rel=1e-12)


# --- Yuma: what carries, and what stops ----------------------------------------------------------


@pytest.mark.parametrize("kappa", [0.3, 0.5, 0.6, 0.75])
@pytest.mark.parametrize(
    ("name", "from_above", "too_far"),
    [("no_veto_below", True, 0.1), ("carried_by", False, -0.1), ("no_boost_below", False, 0.1)],
)
def test_kappa_is_what_carries_a_miner_and_what_stops_one(
    name: str, from_above: bool, too_far: float, kappa: float
) -> None:
    mechanism, kept = load(f"yuma(kappa={kappa})"), 1 - kappa if from_above else kappa
    assert keeps(mechanism, f"{name}({kept:.12g})", FEW)
    assert not keeps(mechanism, f"{name}({kept + too_far:.12g})", MANY)


@pytest.mark.parametrize("kappa", [0, 1])
def test_at_the_ends_of_kappa_every_claim_still_speaks_of_somebody(kappa: float) -> None:
    mechanism = load(f"yuma(kappa={kappa})")
    assert all(tried(check, mechanism, FEW).judged for check in claimed(mechanism))


# --- Yuma: splitting and merging -----------------------------------------------------------------


def excess(mechanism: Mechanism, case: Case) -> float:
    """Return by how much more two who say the same earn as one, or a miner whom they praise."""
    one, other = case.validators
    stay = [it for it in range(case.shape[0]) if it != other]
    merged = case.holding({one: case.stake[one] + case.stake[other]}).taking(rows=stay)
    was, now = (Subject(mechanism).pay(it) for it in (case, merged))
    earned = now.validators[stay.index(one)] - was.validators[[one, other]].sum()
    praised = np.flatnonzero(case.weights[one])
    paid = now.miners[praised] - was.miners[praised] if praised.size == 1 else np.zeros(1)
    return float(max(earned, paid[0]))


def merging(spec: str, profile: Profile) -> Case:
    case = tried(claim("merge_proof"), load(spec), profile).case
    assert case is not None
    return case


CHAIN = "yuma(version=2, arithmetic='chain')"


@pytest.mark.parametrize("name", ["split_proof", "merge_proof"])
def test_yuma_2_keeps_its_pay_however_stake_is_divided(name: str) -> None:
    assert keeps(load("yuma(version=2)"), name, SOME)


def test_yuma_2_on_the_chain_gains_by_rounding() -> None:
    assert excess(load(CHAIN), merging(CHAIN, MANY)) > 1e-9


@settings(
    deadline=None,
    max_examples=40,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(CLAIMS["merge_proof"].check().cases)
def test_yuma_2_on_the_chain_gains_no_more_than_rounding_where_shares_are_exact(case: Case) -> None:
    assert excess(load(CHAIN), case) < ROUNDING


def test_yuma_2_on_the_chain_gains_much_at_a_tie_that_its_shares_miss() -> None:
    """A sixth and a third of the stake, each rounded down to 2^-32, fall short of half."""
    case = Case((3, 1, 2), ((1, 0), (0, 1), (0, 1)), validators=(1, 2))
    assert excess(load("yuma(version=2)"), case) <= 1e-9
    assert excess(load(CHAIN), case) == pytest.approx(0.5, abs=ROUNDING)


def test_yuma_3_gains_by_merging_and_not_by_rounding() -> None:
    assert excess(load("yuma"), merging("yuma", PROFILES["ci"])) > 1e-3
