"""`trilemma run`: what a study file describes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from trilemma.cli.folders import folder, kept, resumable
from trilemma.cli.shell import (
    Executor,
    Json,
    MemoryLimit,
    Quiet,
    TimeLimit,
    Workers,
    app,
    bar,
    complain,
    complaints,
    crew,
    fail_if,
    say,
    target,
)
from trilemma.errors import TrilemmaError, UsageError
from trilemma.printing import aside


@app.command()
def run(
    study: Annotated[
        Path | None,
        typer.Argument(metavar="STUDY", help="A study file, TOML.", show_default=False),
    ] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of study files, and stop.")
    ] = False,
    workers: Workers = None,
    executor: Executor = "processes",
    time_limit: TimeLimit = None,
    memory_limit: MemoryLimit = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Folder that keeps finished cells.",
            show_default="out of the file, or the next of runs/",
        ),
    ] = None,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Run what a study file describes: a comparison, and sweeps beside it."""
    with complaints():
        if schema:
            typer.echo(_schema(), nl=False)
            return
        if study is None:
            raise UsageError("no study named; expected a file, as in trilemma run study.toml")
        from trilemma.study import read_study

        place = target(json)
        # What a plug-in prints must not end up between the data.
        with aside(), _line_by_line():
            asked = read_study(study)
        who = crew(workers, executor, time_limit, memory_limit)
        with (
            folder(out or asked.out) as kept_in,
            resumable(kept_in),
            bar(quiet) as progress,
            aside(),
        ):
            outcome = replace(asked, out=kept_in).run(progress=progress, workers=who)
        say(f"{outcome}{kept(kept_in)}", outcome.to_json(), place)
        fail_if([failure.reason for failure in outcome.failures])


def _schema() -> str:
    from json import dumps

    from trilemma.study import schema

    return dumps(schema(), indent=2) + "\n"


@contextmanager
def _line_by_line() -> Iterator[None]:
    """Complain about everything that is wrong with a file, each in a line of its own."""
    try:
        yield
    except TrilemmaError as error:
        for line in str(error).splitlines():
            complain(line)
        raise typer.Exit(error.exit_code) from error
