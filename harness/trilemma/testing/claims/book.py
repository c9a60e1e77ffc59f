"""All claims by name, and how an author writes them: `{"split_proof", "continuous(2)"}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from trilemma.errors import PluginError, UsageError, blaming
from trilemma.model import Mechanism
from trilemma.specs import meant
from trilemma.testing.check import Check
from trilemma.testing.claims import identities, influence, reports
from trilemma.testing.claims.claim import Claim

__all__ = ["CLAIMS", "claim", "claimed"]

_BOUND = r"\(\s*(?:(?P<symbol>\w+)\s*=\s*)?(?P<bound>[^()_\s]+)\s*\)"
_WRITTEN = re.compile(rf"\s*(?P<name>\w+)\s*(?:{_BOUND})?\s*")

CLAIMS: Mapping[str, Claim] = MappingProxyType(
    {
        found.name: found
        for room in (identities, influence, reports)
        for found in (getattr(room, it) for it in room.__all__)
        if isinstance(found, Claim)
    }
)
"""All claims by name; docs/properties.md lists them."""


def claim(text: str) -> Check:
    """Return the check that a claim stands for.

    Parameters
    ----------
    text : str
        A name, and the bound where it takes one: `split_proof`, `continuous(2)`,
        `no_veto_below(b=0.5)`. Without it the usual bound is taken.

    Raises
    ------
    UsageError
        If there is no such claim, or the bound is none.
    """
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise UsageError(f"claim {text!r}: expected a name, perhaps with a bound: continuous(2)")
    name = written["name"]
    if name not in CLAIMS:
        raise UsageError(f"no claim is called {name!r}{meant(name, CLAIMS)}")
    if written["symbol"] not in (None, CLAIMS[name].symbol):
        raise UsageError(f"claim {text!r}: its bound is called {CLAIMS[name].symbol or 'nothing'}")
    try:
        bound = None if written["bound"] is None else float(written["bound"])
    except ValueError:
        raise UsageError(f"claim {text!r}: {written['bound']!r} is no number") from None
    return CLAIMS[name].check(bound)


def claimed(mechanism: Mechanism) -> tuple[Check, ...]:
    """Return the checks of what a mechanism claims, in the order of the book.

    Raises
    ------
    PluginError
        If it claims what is no claim.
    """
    owner = type(mechanism).__name__
    with blaming(f"{owner}.claims fails"):
        texts = getattr(mechanism, "claims", ())
    try:
        if isinstance(texts, str):
            raise UsageError(f"expected a set of claims; write {{{texts!r}}}")
        checks = {check.name: check for check in map(claim, texts)}
    except (TypeError, UsageError) as error:
        raise PluginError(f"{owner}.claims: {error}") from error
    order = list(CLAIMS)
    return tuple(sorted(checks.values(), key=lambda it: (order.index(it.head), it.name)))
