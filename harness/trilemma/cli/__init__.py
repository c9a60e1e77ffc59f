"""The command line: parse, call, print. Data on stdout; progress and complaints on stderr."""

from __future__ import annotations

from trilemma.cli import (
    catalogue,
    check,
    comparison,
    diff,
    dynamics,
    export,
    frontier,
    importing,
    incident,
    map,
    new,
    report,
    runs,
    study,
    sweep,
    whatif,
    witness,
)
from trilemma.cli.shell import app

__all__ = [
    "app",
    "catalogue",
    "check",
    "comparison",
    "diff",
    "dynamics",
    "export",
    "frontier",
    "importing",
    "incident",
    "main",
    "map",
    "new",
    "report",
    "runs",
    "study",
    "sweep",
    "whatif",
    "witness",
]


def main() -> None:
    """Run the command line."""
    app(prog_name="trilemma")
