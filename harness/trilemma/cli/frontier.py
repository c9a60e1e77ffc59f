"""`trilemma frontier`: which settings of mechanisms no other setting beats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trilemma.cli.comparison import source_of
from trilemma.cli.shell import (
    Executor,
    Json,
    Mechanisms,
    MemoryLimit,
    Out,
    Quiet,
    Seed,
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
from trilemma.errors import UsageError
from trilemma.printing import aside


@app.command()
def frontier(
    mechanisms: Mechanisms = None,
    over: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=RANGE",
            help="Try these values of a parameter, as in stake_capped.cap=0.02..0.2:10, instead of "
            "what the mechanism itself declares; repeatable.",
        ),
    ] = None,
    attacker_stake: Annotated[float, typer.Option(help="Largest share it may hold.")] = 0.45,
    identities: Annotated[int, typer.Option(help="K: identities a principal may use.")] = 64,
    identity_cost: Annotated[float, typer.Option(help="Price of each beyond the first.")] = 0.0,
    insiders: Annotated[str, typer.Option(help="Coalition sizes judged.")] = "1,3,5",
    attack: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC", help="An attack beside every registered one; repeatable."),
    ] = None,
    evaluations: Annotated[int, typer.Option(help="Mechanism calls of the search.")] = 0,
    network: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A real network, as for compare.")
    ] = None,
    stake: Annotated[
        str | None,
        typer.Option(help="root-2024, equal or pareto(ALPHA).", show_default="root-2024"),
    ] = None,
    validators: Annotated[
        int | None, typer.Option(help="The attacker's included.", show_default="64")
    ] = None,
    miners: Annotated[
        int | None, typer.Option(help="The attacker's included.", show_default="128")
    ] = None,
    noise: Annotated[float, typer.Option(help="Log-normal noise of honest reports.")] = 0.1,
    clone_detection: Annotated[
        float, typer.Option(help="Chance that an honest validator sees through clones.")
    ] = 1.0,
    worlds: Annotated[int, typer.Option(help="Worlds drawn.")] = 16,
    xi: Annotated[float, typer.Option(help="The validators' part of all pay.")] = 0.5,
    seed: Seed = 0,
    workers: Workers = None,
    executor: Executor = "processes",
    time_limit: TimeLimit = None,
    memory_limit: MemoryLimit = None,
    out: Out = None,
    figure: Annotated[
        str | None, typer.Option(metavar="FILE", help="Draw the settings: .svg, .png, .pdf.")
    ] = None,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Find the settings of mechanisms that no other setting beats in all three scores."""
    with complaints():
        from trilemma.frontier import frontier
        from trilemma.model import Budget

        sizes = tuple(int(size) for size in numbers("--insiders", insiders, whole=True))
        budget = Budget(attacker_stake, identities, identity_cost, sizes, evaluations=evaluations)
        given = {"stake": stake, "validators": validators, "miners": miners}
        preset = {name: value for name, value in given.items() if value is not None}
        place, drawing = target(json), figures(figure)
        with bar(quiet) as progress, aside():
            answer = frontier(
                mechanisms or None,
                over=dict(_range(text) for text in over or ()),
                world=source_of(network, preset, noise=noise, clone_detection=clone_detection),
                worlds=worlds,
                budget=budget,
                xi=xi,
                seed=seed,
                workers=crew(workers, executor, time_limit, memory_limit),
                out=out,
                attacks=attack,
                progress=progress,
            )
        say(str(answer), answer.to_json(), place)
        if drawing is not None and answer.candidates:
            drawing.draw_frontier(answer, figure)
        fail_if([failure.reason for failure in answer.failures])


def _range(text: str) -> tuple[str, str]:
    name, sign, values = text.partition("=")
    if not sign:
        raise UsageError(f"--over: expected NAME=RANGE as in yuma.kappa=0.5..0.9, got {text!r}")
    return name.strip(), values
