"""`trilemma whatif`: who gains and who loses if a network had paid by another rule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trilemma.checks import whole
from trilemma.cli.shell import Json, app, complaints, fail_if, say, target
from trilemma.errors import UsageError
from trilemma.printing import aside


@app.command()
def whatif(
    network: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A real network, as for compare.", show_default=False),
    ] = None,
    before: Annotated[
        str, typer.Option("--from", metavar="MECHANISM", help="The rule to start from.")
    ] = "yuma",
    after: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="MECHANISM",
            help="The rule to compare it with, as for compare; repeatable.",
            show_default=False,
        ),
    ] = None,
    xi: Annotated[float, typer.Option(help="The validators' part of all pay.")] = 0.5,
    plain: Annotated[
        bool,
        typer.Option(
            "--plain", help="Show rules stake and weights as they are, and no other fact of a file."
        ),
    ] = False,
    top: Annotated[int, typer.Option(help="How many of those who gain and lose most.")] = 10,
    json: Json = None,
) -> None:
    """Replay a network's epochs under another rule: who gains, who loses."""
    with complaints():
        from trilemma.importers import read
        from trilemma.whatif import whatif

        if not network:
            raise UsageError("--network is missing; give a network's file, as in --network net.npz")
        if not after:
            raise UsageError("--to is missing; name a rule to compare with, as in --to quadratic")
        shown, place = whole("--top", top, 1), target(json)
        with aside():
            answer = whatif(read(network), before, after, xi=xi, plain=plain)
        say(answer.text(shown), answer.to_json(), place)
        fail_if(list(answer.failures.values()))
