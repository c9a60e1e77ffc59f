"""Each claim finds the rule that breaks it, and is silent about rules that keep it."""

from __future__ import annotations

from functools import cache

import pytest

from tests.testing.broken_claims import OVERCLAIMED
from tests.testing.looking import breaks, sent, smaller_ones_that_break
from trilemma.profiles import PROFILES, Profile
from trilemma.registry import load
from trilemma.testing.case import Case
from trilemma.testing.claims import CLAIMS
from trilemma.testing.finding import tried
from trilemma.testing.laws import LAWS

CONTROLS = ("uniform", "stake_proportional", "stake_weighted", "dictator")
FEW = Profile(8, same=True)  # of every law, for every one of these rules
SOME = Profile(50, same=True)

EVERY = pytest.mark.parametrize("name", OVERCLAIMED)


@cache
def found(name: str) -> Case:
    case = tried(CLAIMS[name].check(), OVERCLAIMED[name].broken, PROFILES["ci"]).case
    assert case is not None, f"{name}: its broken rule is not found"
    return case


def test_every_claim_has_a_rule_that_breaks_it() -> None:
    assert set(OVERCLAIMED) == set(CLAIMS)


@EVERY
def test_a_claim_finds_the_rule_that_breaks_it(name: str) -> None:
    fault = CLAIMS[name].check().fault(OVERCLAIMED[name].broken, found(name))
    assert fault is not None
    assert fault.done
    assert fault.paid
    assert fault.expected


@EVERY
def test_what_breaks_a_claim_breaks_it_again_when_it_is_read_from_a_file(name: str) -> None:
    again = sent(found(name))
    assert again == found(name)
    assert breaks(CLAIMS[name].check(), OVERCLAIMED[name].broken, again)


@EVERY
def test_nothing_can_be_left_out_of_what_breaks_a_claim(name: str) -> None:
    check = CLAIMS[name].check()
    assert smaller_ones_that_break(check, OVERCLAIMED[name].broken, found(name)) == []


@EVERY
def test_a_claim_is_silent_about_a_rule_that_keeps_it(name: str) -> None:
    result = tried(CLAIMS[name].check(), OVERCLAIMED[name].right, SOME)
    assert result.case is None
    assert result.judged >= SOME.examples / 2


@EVERY
def test_a_rule_that_breaks_a_claim_keeps_the_laws(name: str) -> None:
    broken = OVERCLAIMED[name].broken
    assert [law.name for law in LAWS if tried(law, broken, FEW).case is not None] == []


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("name", CLAIMS)
def test_controls_keep_what_they_are_known_to_keep_and_nothing_else(
    name: str, control: str
) -> None:
    claim = CLAIMS[name]
    kept = tried(claim.check(), load(control), SOME).case is None
    assert kept == claim.controls[control]


def test_controls_are_known_for_every_claim() -> None:
    assert all(set(claim.controls) == set(CONTROLS) for claim in CLAIMS.values())


def test_what_a_control_keeps_is_known_at_the_usual_bound_only() -> None:
    assert CLAIMS["continuous"].check(2.0).controls == {}
    assert CLAIMS["continuous"].check(1.0).controls == CLAIMS["continuous"].controls
