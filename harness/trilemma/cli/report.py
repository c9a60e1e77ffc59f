"""`trilemma report`: the page of a run, and its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trilemma.cli.shell import app, complaints, drawing


@app.command()
def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of compare --out RUN.", show_default=False)
    ],
    figures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Draw the page's figures into it, as SVG."),
    ] = None,
) -> None:
    """Write RUN/report.html again, with RUN/properties.json of check --json if it is there."""
    with complaints():
        from trilemma.report.files import load, rebuild

        draw = None if figures is None else drawing()
        typer.echo(rebuild(run))
        if draw is not None and figures is not None:
            for path in draw.draw_comparison(load(run), figures):
                typer.echo(path)
