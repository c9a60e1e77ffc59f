"""`trilemma new mechanism`: a plug-in to start from."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from trilemma.cli.shell import app, complaints

new = typer.Typer(no_args_is_help=True, help="Write a plug-in to start from.")
app.add_typer(new, name="new")


@new.command()
def mechanism(
    name: Annotated[str, typer.Argument(help="As in my_rule.")],
    into: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", help="Where its own folder, my-rule, is made.", show_default="here"
        ),
    ] = Path(),
) -> None:
    """Write an installable package with one mechanism, which passes its own tests."""
    with complaints():
        from trilemma.scaffold import write_mechanism

        project, files = write_mechanism(name, into)
        typer.echo("\n".join([f"{project}/", *(f"  {file}" for file in files), ""]))
        typer.echo("\n".join(_next(name, project)))


def _next(name: str, project: Path) -> tuple[str, ...]:
    """Return the commands that come next."""
    place = project if project.is_absolute() else f"./{project}"  # else pip asks an index for it
    return (
        f"pip install -e {shlex.quote(f'{place}[test]')}",
        f"pytest {shlex.quote(str(project))}",
        f"trilemma compare {name} stake_weighted",
    )
