"""How hard the kit looks for counterexamples, and where those of the past are kept."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from trilemma.errors import UsageError
from trilemma.specs import meant

__all__ = ["PROFILES", "Profile", "load_profile", "profile"]


@dataclass(frozen=True)
class Profile:
    """How hard to look.

    Parameters
    ----------
    examples : int
        Cases that each check is tried on.
    same : bool
        Whether they are the same ones every time.
    corpus : Path, optional
        Folder of past counterexamples: they are tried first, and new ones are added.
    """

    examples: int
    same: bool
    corpus: Path | None = None


PROFILES = {"dev": Profile(200, False), "ci": Profile(200, True), "fuzz": Profile(10_000, False)}
"""How hard to look, by name."""
_current = PROFILES["ci" if "CI" in os.environ else "dev"]


def profile(name: str | None = None, corpus: Path | None = None) -> Profile:
    """Return a profile by name, with a corpus; None: the one that was loaded last.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    if name is None:
        return _current if corpus is None else replace(_current, corpus=corpus)
    if name not in PROFILES:
        raise UsageError(f"no profile is called {name!r}{meant(name, PROFILES)}")
    return replace(PROFILES[name], corpus=corpus)


def load_profile(name: str | None = None, corpus: Path | None = None) -> None:
    """Have everything from now on use a profile, as Hypothesis' own do.

    Until then it is `ci` where the environment has CI, else `dev`; None leaves it.

    Parameters
    ----------
    name : str, optional
    corpus : Path, optional
        Folder of past counterexamples.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    global _current
    _current = profile(name, corpus)
