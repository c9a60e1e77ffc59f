"""The command line: parse, call, print. Data on stdout; progress and complaints on stderr."""

from __future__ import annotations

from trilemma.cli import catalogue, comparison, dynamics, map
from trilemma.cli.shell import app

__all__ = ["app", "catalogue", "comparison", "dynamics", "main", "map"]


def main() -> None:
    """Run the command line."""
    app(prog_name="trilemma")
