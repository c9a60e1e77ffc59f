"""`trilemma dynamics`: what acting in time pays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trilemma.cli.shell import Json, Seed, app, complaints, fail_if, numbers, say, target
from trilemma.printing import aside


@app.command()
def dynamics(
    mechanisms: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MECHANISM",
            help="As for compare. Default: yuma in four forms.",
            show_default=False,
        ),
    ] = None,
    network: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A real network of many epochs to copy in."),
    ] = None,
    lags: Annotated[
        str, typer.Option(help="How many epochs old a copied consensus is.")
    ] = "0,1,2,5,10,21",
    hidden: Annotated[int, typer.Option(help="Epochs that commit-reveal hides weights for.")] = 1,
    copier: Annotated[float, typer.Option(help="The copier's share of stake.")] = 0.05,
    drift: Annotated[
        float, typer.Option(help="How fast synthetic miners change: log quality per epoch.")
    ] = 0.1,
    epochs: Annotated[int, typer.Option(help="Of the synthetic network.")] = 60,
    warm_up: Annotated[int, typer.Option(help="Epochs at the start that do not count.")] = 20,
    seed: Seed = 0,
    json: Json = None,
) -> None:
    """Tell what it pays to move early, to copy others, to fall silent."""
    with complaints():
        from trilemma.dynamics import dynamics
        from trilemma.importers import read

        place = target(json)
        with aside():
            answer = dynamics(
                mechanisms or None,
                network=read(network) if network else None,
                lags=[int(lag) for lag in numbers("--lags", lags, whole=True)],
                hidden=hidden,
                copier=copier,
                drift=drift,
                epochs=epochs,
                warm_up=warm_up,
                seed=seed,
            )
        say(str(answer), answer.to_json(), place)
        fail_if(list(answer.failures.values()))
