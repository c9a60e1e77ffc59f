"""The how-tos for authors: their code runs, and their rules keep the laws and what they claim."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.data import ROOT
from trilemma.profiles import Profile
from trilemma.testing import check_mechanism

CODE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
RULES = {"claims": "Median", "parameters": "Tempered", "state": "Slow"}


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
