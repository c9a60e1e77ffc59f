"""The command line: parse, call, print. Data on stdout; progress and complaints on stderr."""

from __future__ import annotations

from trilemma.cli import (
    catalogue,
    check,
    comparison,
    dynamics,
    frontier,
    incident,
    map,
    new,
    sweep,
    witness,
)
from trilemma.cli.shell import app

__all__ = [
    "app",
    "catalogue",
    "check",
    "comparison",
    "dynamics",
    "frontier",
    "incident",
    "main",
    "map",
    "new",
    "sweep",
    "witness",
]


def main() -> None:
    """Run the command line."""
    app(prog_name="trilemma")
