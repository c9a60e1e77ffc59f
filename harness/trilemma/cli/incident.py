"""`trilemma incident`: what happened elsewhere, asked of any mechanism."""

from __future__ import annotations

from typing import Annotated

import typer

from trilemma.cli.shell import Json, Seed, app, complaints, fail_if, figures, say, target
from trilemma.errors import UsageError
from trilemma.printing import aside


@app.command()
def incident(
    name: Annotated[
        str | None, typer.Argument(help="Which one; without it, the list.", show_default=False)
    ] = None,
    mechanisms: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MECHANISM",
            help="As for compare. Default: those that the incident is about.",
            show_default=False,
        ),
    ] = None,
    seed: Seed = 0,
    figure: Annotated[
        str | None, typer.Option(metavar="FILE", help="Draw it: .svg, .png or .pdf.")
    ] = None,
    json: Json = None,
) -> None:
    """Ask of mechanisms what an incident would have come to under them."""
    with complaints():
        from trilemma.incidents import INCIDENTS, ask, summary

        if name is None:
            width = max(map(len, INCIDENTS))
            for each in INCIDENTS:
                typer.echo(f"{each:{width}}  {summary(each)}")
            return
        place, drawing = target(json), figures(figure)
        with aside():
            answer = ask(name, mechanisms or None, seed=seed)
        if drawing is not None and figure is not None:
            if answer.drawn is None:
                raise UsageError(f"{name} has no figure; leave --figure out")
            table = answer.drawn
            drawing.draw_shares(*table.shares(), figure, table.caption, table.across)
        say(str(answer), answer.to_json(), place)
        fail_if(list(answer.failures.values()))
