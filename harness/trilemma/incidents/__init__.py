"""What happened elsewhere, as questions that any mechanism can be asked; one file each.

A file says who did what, by role, with its sources and how sure they are; a contested claim is
never taken for a fact: the question is what a mechanism would have allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, TypeAlias

from trilemma.checks import whole
from trilemma.errors import UsageError
from trilemma.incidents.incident import Fact, Incident, Table
from trilemma.model import Mechanism
from trilemma.specs import meant

__all__ = ["INCIDENTS", "Fact", "Incident", "Table", "ask", "summary"]

Question: TypeAlias = Callable[[Iterable[str | Mechanism] | None, int], Incident]

INCIDENTS: Mapping[str, str] = {  # name, module
    "airdrop": "airdrop",
    "bribe": "bribe",
    "cabal": "cabal",
    "council": "council",
    "covenant-2026": "covenant_2026",
    "custodial-stake": "custodial_stake",
    "empty-room": "empty_room",
    "flash-stake": "flash_stake",
    "meme-subnet-2025": "meme_subnet_2025",
    "quadratic-sybil": "quadratic_sybil",
    "root-2024": "root_2024",
    "weekend-vote": "weekend_vote",
    "weight-copy-2024": "weight_copy_2024",
}


def ask(
    name: str, mechanisms: Iterable[str | Mechanism] | None = None, *, seed: int = 0
) -> Incident:
    """Ask mechanisms what an incident would have come to under them.

    Parameters
    ----------
    name : str
        One of `INCIDENTS`.
    mechanisms : iterable of str or Mechanism, optional
        Default: those that the incident is about.
    seed : int
        Of the worlds it is played in.

    Returns
    -------
    Incident

    Raises
    ------
    UsageError
        For an unknown incident or mechanism, or where the incident has no use for mechanisms.
    """
    return _question(name)(mechanisms, whole("seed", seed, 0))


def summary(name: str) -> str:
    """Return in a sentence what an incident is about."""
    return (_module(name).__doc__ or "").strip().split("\n")[0]


def _question(name: str) -> Question:
    question: Question = _module(name).ask
    return question


def _module(name: str) -> Any:
    if name not in INCIDENTS:
        raise UsageError(
            f"no incident is called {name!r}{meant(name, INCIDENTS)}; see: trilemma incident"
        )
    return import_module(f"trilemma.incidents.{INCIDENTS[name]}")
