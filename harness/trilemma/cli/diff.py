"""`trilemma diff`: what changed between two finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trilemma.cli.shell import Json, app, complaints, say, target

REGRESSION = 1


@app.command()
def diff(
    run_a: Annotated[
        Path, typer.Argument(help="Folder of compare --out RUN: before.", show_default=False)
    ],
    run_b: Annotated[Path, typer.Argument(help="Another: after.", show_default=False)],
    tolerance: Annotated[
        float, typer.Option(help="The largest drop of a score that is no regression.")
    ] = 0.01,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print a table for a pull request.")
    ] = False,
    json: Json = None,
) -> None:
    """Compare two runs, score by score; exit 1 if one dropped significantly."""
    with complaints():
        from trilemma.diff import diff

        place = target(json)
        answer = diff(run_a, run_b, tolerance)
        say(answer.to_markdown().rstrip("\n") if markdown else str(answer), answer.to_json(), place)
    if answer.regressions:
        raise typer.Exit(REGRESSION)
