"""`trilemma export`: a run's numbers as a file for other tools."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trilemma.cli.shell import app, complain, complaints, target
from trilemma.errors import UsageError
from trilemma.printing import aside

if TYPE_CHECKING:
    from trilemma.export import Cells, Scores

TABLES = ("scores", "cells")


@app.command()
def export(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of a compare.", show_default=False)
    ],
    table: Annotated[
        str,
        typer.Argument(
            metavar="scores|cells", help="Scores, or what every play came to in every world."
        ),
    ] = "scores",
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE|-", help="Where to write it.")
    ] = "-",
    format: Annotated[
        str | None,
        typer.Option(
            metavar="csv|json|md|parquet",
            help="How to write it.",
            show_default="as FILE ends, or CSV",
        ),
    ] = None,
    mechanism: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Cells of this mechanism only.")
    ] = None,
    world: Annotated[
        int | None, typer.Option(metavar="N", help="Cells of this world only, the first is 0.")
    ] = None,
    attack: Annotated[
        str | None, typer.Option(metavar="NAME", help="Plays of this attack only.")
    ] = None,
) -> None:
    """Write the scores of a run, or its cells, as CSV, JSON, Markdown or Parquet."""
    with complaints("no file was written"):
        place = target(output, "table")
        chosen = _format(output, format)
        with aside():  # attacks of one's own may print
            found = _table(run, table, mechanism, world, attack)
        _write(found, place, chosen)
        if missing := getattr(found, "missing", 0):
            complain(
                f"{run}: {missing} cells are not there, as the run is not finished or a mechanism "
                f"failed; trilemma resume {run} computes them"
            )


def _format(output: str, format: str | None) -> str:
    from trilemma.export import format_of

    chosen = format_of(output, "csv" if output == "-" and format is None else format)
    if chosen == "parquet" and output == "-" and sys.stdout.isatty():
        raise UsageError("Parquet is no text; name a file with --output")
    return chosen


def _table(
    run: Path, table: str, mechanism: str | None, world: int | None, attack: str | None
) -> Cells | Scores:
    from trilemma.export import cells, scores
    from trilemma.specs import meant

    if table not in TABLES:
        raise UsageError(f"no table is called {table!r}{meant(table, TABLES)}; say scores or cells")
    if table == "cells":
        return cells(run, mechanism=mechanism, world=world, attack=attack)
    if (mechanism, world, attack) != (None, None, None):
        raise UsageError(
            "--mechanism, --world and --attack choose cells; write trilemma export RUN cells"
        )
    return scores(run)


def _write(table: Cells | Scores, place: Path | None, format: str) -> None:
    from trilemma.export import send, write

    if place is None or place == Path("-"):
        send(table, sys.stdout.buffer, format)
    else:
        write(table, place, format)
