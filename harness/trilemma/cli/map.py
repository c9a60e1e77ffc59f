"""`trilemma map`: what honest stake must be worth in honest work to keep its share."""

from __future__ import annotations

from typing import Annotated

import typer

from trilemma.cli.shell import (
    Executor,
    Json,
    Mechanisms,
    MemoryLimit,
    Out,
    Quiet,
    TimeLimit,
    Workers,
    app,
    bar,
    complaints,
    crew,
    fail_if,
    figures,
    numbers,
    say,
    target,
)
from trilemma.printing import aside


@app.command("map")
def map_(
    mechanisms: Mechanisms = None,
    sigma: Annotated[float, typer.Option(help="Standard deviation of weights.")] = 0.4,
    kappa: Annotated[
        float | None,
        typer.Option(help="Of every mechanism that has it, or has one inside that has it."),
    ] = None,
    bonds_penalty: Annotated[float | None, typer.Option(help="Likewise.")] = None,
    validator_share: Annotated[float, typer.Option(help="xi: the validators' part of pay.")] = 0.5,
    stakes: Annotated[
        str | None,
        typer.Option(help="Honest shares of stake, as in 0.55,0.6.", show_default="eleven"),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Draws that lines are averaged over.")] = 1,
    grid: Annotated[int, typer.Option(help="Points along W_H and W_C.")] = 51,
    validators: Annotated[int, typer.Option(help="Of both sides.")] = 64,
    miners: Annotated[int, typer.Option(help="Of both sides.")] = 448,
    stake_sigma: Annotated[float, typer.Option(help="Standard deviation of stakes.")] = 0.3,
    workers: Workers = None,
    executor: Executor = "processes",
    time_limit: TimeLimit = None,
    memory_limit: MemoryLimit = None,
    out: Out = None,
    figure: Annotated[
        str | None, typer.Option(metavar="FILE", help="Draw the lines: .svg, .png, .pdf.")
    ] = None,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Map what honest stake must be worth in honest work to keep its share."""
    with complaints():
        from trilemma.retention import STAKES, retention_map
        from trilemma.sides import Experiment

        asked = {"kappa": kappa, "bonds_penalty": bonds_penalty}
        experiment = Experiment(validators, miners, sigma, stake_sigma, validator_share, grid)
        place = target(json)
        drawing = figures(figure)
        with bar(quiet) as progress, aside():
            answer = retention_map(
                mechanisms or None,
                experiment=experiment,
                stakes=STAKES if stakes is None else numbers("--stakes", stakes),
                parameters={name: value for name, value in asked.items() if value is not None},
                seeds=seeds,
                workers=crew(workers, executor, time_limit, memory_limit),
                out=out,
                progress=progress,
            )
        say(str(answer), answer.to_json(), place)
        if drawing is not None and answer.lines:
            drawing.draw_map(answer, figure)
        fail_if(list(answer.failures.values()))
