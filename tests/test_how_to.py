"""The how-tos for authors: their code runs, and their rules keep the laws and what they claim."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache
from typing import Any

import pytest

from tests.data import ROOT
from trilemma.model import Epoch
from trilemma.profiles import Profile
from trilemma.testing import check_mechanism
from trilemma_mechanisms.controls import Uniform
from trilemma_mechanisms.governed import Governed

CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
RULES = {"claims": "Median", "parameters": "Tempered", "state": "Slow"}


@cache
def ran(page: str) -> dict[str, Any]:
    """Return what the code of a page defines, block after block."""
    text = (ROOT / "docs/how-to" / f"{page}.md").read_text()
    names: dict[str, Any] = {"__name__": f"how_to_{page}"}
    for block in CODE.findall(text):
        exec(compile(block, f"{page}.md", "exec", dont_inherit=True), names)
    return names


@pytest.mark.parametrize("page", RULES)
def test_the_rule_of_a_how_to_keeps_the_laws_and_what_it_claims(page: str) -> None:
    check_mechanism(ran(page)[RULES[page]](), profile=Profile(40, same=True))


def test_the_parameter_of_the_how_to_is_checked_where_it_is_made() -> None:
    with pytest.raises(ValueError, match=r"power must be in \[0, 1\], not 2"):
        ran("parameters")["Tempered"](power=2)


def test_the_median_of_the_how_to_claims_something_at_every_kappa() -> None:
    rule = ran("claims")["Median"]
    assert len(rule().claims) == 7
    check_mechanism(rule(kappa=0.3), profile=Profile(40, same=True))


def test_the_part_of_the_how_to_suspends_where_every_validator_votes_for_it() -> None:
    names = ran("governance")
    governed = Governed(Uniform(), names["Unanimous"]())
    for votes, paid in (([[1, 0], [1, -1]], [0, 1]), ([[1, 0], [0, -1]], [0.5, 0.5])):
        epoch = Epoch([1, 1], [[1, 1], [1, 1]], votes=votes)
        assert governed(epoch).miners.tolist() == paid
    check_mechanism(governed, profile=Profile(40, same=True))


def test_the_numbers_of_the_how_to_on_governance_are_those_it_prints() -> None:
    names = ran("governance")
    assert names["answer"].numbers == {
        "weights": 3, "votes": None, "orders": 2, "price": None, "delegation": None, "mix": 2,
    }  # fmt: skip
    assert names["answer"].cuts["orders"].to_bite == 0
    assert names["answer"].cuts["orders"].until_undone is None
    assert names["shapley_shubik"](names["council"])[0] == Fraction(421, 2145)
