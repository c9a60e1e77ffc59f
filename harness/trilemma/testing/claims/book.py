"""All claims by name, and how an author writes them: `{"split_proof", "continuous(2)"}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from trilemma.errors import PluginError, UsageError
from trilemma.model import Mechanism
from trilemma.specs import meant
from trilemma.testing.check import Check
from trilemma.testing.claims import identities, influence, reports
from trilemma.testing.claims.claim import Claim

__all__ = ["CLAIMS", "claim", "claimed"]

_WRITTEN = re.compile(r"\s*(?P<name>\w+)\s*(?:\(\s*(?:\w+\s*=\s*)?(?P<bound>[^()\s]+)\s*\))?\s*")

CLAIMS: Mapping[str, Claim] = MappingProxyType(
    {
        found.name: found
        for room in (identities, influence, reports)
        for found in (getattr(room, it) for it in room.__all__)
        if isinstance(found, Claim)
    }
)


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
    try:
        checks = [claim(text) for text in getattr(mechanism, "claims", ())]
    except (TypeError, UsageError) as error:
        raise PluginError(f"{type(mechanism).__name__}.claims: {error}") from error
    order = list(CLAIMS)
    return tuple(sorted(checks, key=lambda it: (order.index(it.head), it.name)))
