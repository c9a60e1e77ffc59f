"""Each law finds the rule that breaks it, and is silent about the others."""

from __future__ import annotations

from functools import cache

import pytest

from tests.testing.broken import BROKEN
from tests.testing.hidden import HIDDEN
from tests.testing.looking import breaks, sent, smaller_ones_that_break
from trilemma.model import Mechanism
from trilemma.profiles import PROFILES, Profile
from trilemma.testing.case import Case
from trilemma.testing.finding import tried
from trilemma.testing.laws import LAWS

LAW = {law.name: law for law in LAWS}
FEW = Profile(20, same=True)  # of each other law, for each rule
SOME = Profile(100, same=True)

EVERY = pytest.mark.parametrize("name", BROKEN)


@cache
def found(name: str) -> Case:
    case = tried(LAW[name], BROKEN[name].broken, PROFILES["ci"]).case
    assert case is not None, f"{name}: its broken rule is not found"
    return case


def finds(name: str, mechanism: Mechanism) -> bool:
    return tried(LAW[name], mechanism, PROFILES["ci"]).case is not None


def test_every_law_has_a_rule_that_breaks_it() -> None:
    assert list(BROKEN) == list(LAW)


@EVERY
def test_a_law_finds_its_broken_rule(name: str) -> None:
    fault = LAW[name].fault(BROKEN[name].broken, found(name))
    assert fault is not None
    assert fault.paid
    assert fault.expected


@EVERY
def test_what_breaks_a_law_breaks_it_again_when_it_is_read_from_a_file(name: str) -> None:
    again = sent(found(name))
    assert again == found(name)
    assert breaks(LAW[name], BROKEN[name].broken, again)


@EVERY
def test_nothing_can_be_left_out_of_what_breaks_a_law(name: str) -> None:
    assert smaller_ones_that_break(LAW[name], BROKEN[name].broken, found(name)) == []


@EVERY
def test_a_law_is_silent_about_the_mended_rule(name: str) -> None:
    result = tried(LAW[name], BROKEN[name].right, SOME)
    assert result.case is None
    assert result.judged >= SOME.examples


@EVERY
def test_a_broken_rule_breaks_the_laws_it_is_said_to_break_and_no_other(name: str) -> None:
    pair = BROKEN[name]
    assert all(finds(it, pair.broken) for it in pair.fires)
    others = [it for it in LAWS if it.name not in pair.fires]
    assert [it.name for it in others if tried(it, pair.broken, FEW).case is not None] == []


@pytest.mark.parametrize("name", HIDDEN)
def test_a_fault_that_a_single_answer_does_not_show_is_found(name: str) -> None:
    mechanism, names = HIDDEN[name]
    assert any(finds(it, mechanism) for it in names)
