"""`trilemma resume` and `trilemma status`: runs in their folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trilemma.cli.shell import (
    Executor,
    Json,
    MemoryLimit,
    Quiet,
    TimeLimit,
    Workers,
    app,
    bar,
    complaints,
    crew,
    fail_if,
    say,
    target,
)
from trilemma.printing import aside

Run = Annotated[
    Path, typer.Argument(metavar="RUN", help="Folder of a compare.", show_default=False)
]


@app.command()
def resume(
    run: Run,
    workers: Workers = None,
    executor: Executor = "processes",
    time_limit: TimeLimit = None,
    memory_limit: MemoryLimit = None,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Compute what is missing of a run; its folder says what was asked."""
    with complaints(f"trilemma resume {run} goes on"):
        from trilemma.resume import resume
        from trilemma.study import is_study, resume_study

        place, who = target(json), crew(workers, executor, time_limit, memory_limit)
        with bar(quiet) as progress, aside():
            go_on = resume_study if is_study(run) else resume
            found = go_on(run, workers=who, progress=progress)
        say(str(found), found.to_json(), place)
        fail_if([failure.reason for failure in found.failures])


@app.command()
def status(run: Run, json: Json = None) -> None:
    """Say how far a run is, also while it runs."""
    with complaints():
        from trilemma.resume import status

        place, found = target(json), status(run)
        say(str(found), found.to_json(), place)
