"""`trilemma compare`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trilemma.cli.folders import folder, kept, resumable
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
    numbers,
    say,
    target,
)
from trilemma.errors import UsageError
from trilemma.printing import aside

if TYPE_CHECKING:
    from trilemma.worlds import Source


@app.command()
def compare(
    mechanisms: Mechanisms = None,
    network: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A real network: .npz, .pt, JSON, MessagePack or CSV, as for import; repeatable.",
        ),
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
    attacker_work: Annotated[
        float | None,
        typer.Option(help="Quality of the attacker's miner, in medians.", show_default="1"),
    ] = None,
    subnets: Annotated[
        int | None,
        typer.Option(help="Subnets that miners work in, for layered rules.", show_default="1"),
    ] = None,
    worlds: Annotated[int, typer.Option(help="Worlds drawn.")] = 16,
    noise: Annotated[float, typer.Option(help="Log-normal noise of honest reports.")] = 0.1,
    clone_detection: Annotated[
        float, typer.Option(help="Chance that an honest validator sees through clones.")
    ] = 1.0,
    distrusted: Annotated[
        int | None,
        typer.Option(
            help="Of a real network: how many of the largest validators are not believed.",
            show_default="0",
        ),
    ] = None,
    attacker_stake: Annotated[float, typer.Option(help="Largest share it may hold.")] = 0.45,
    identities: Annotated[
        int, typer.Option(help="K: identities a principal may use; plays try powers of 2.")
    ] = 64,
    identity_cost: Annotated[float, typer.Option(help="Price of each beyond the first.")] = 0.0,
    insiders: Annotated[str, typer.Option(help="Coalition sizes judged.")] = "1,3,5",
    attack: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC",
            help="An attack beside every registered one: name, module:family or ./file.py:family; "
            "repeatable.",
        ),
    ] = None,
    evaluations: Annotated[
        int, typer.Option(help="Of the adaptive search, by world and score; 0: scripted plays.")
    ] = 500,
    xi: Annotated[float, typer.Option(help="The validators' part of all pay.")] = 0.5,
    seed: Seed = 0,
    workers: Workers = None,
    executor: Executor = "processes",
    time_limit: TimeLimit = None,
    memory_limit: MemoryLimit = None,
    out: Out = None,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Score mechanisms against the same adversarial weight matrices: the main job."""
    with complaints():
        from trilemma.compare import compare
        from trilemma.model import Budget

        sizes = tuple(int(size) for size in numbers("--insiders", insiders, whole=True))
        budget = Budget(attacker_stake, identities, identity_cost, sizes, evaluations=evaluations)
        preset = {
            "stake": stake,
            "validators": validators,
            "miners": miners,
            "attacker_work": attacker_work,
            "subnets": subnets,
        }
        given = {name: value for name, value in preset.items() if value is not None}
        reports: dict[str, float] = {"noise": noise, "clone_detection": clone_detection}
        source = source_of(network, given, **reports, **_doubts(network, distrusted))
        place = target(json)
        # What a plug-in prints must not end up between the data.
        with (
            folder(out) as run,
            resumable(run),
            bar(quiet) as progress,
            aside(),
        ):
            report = compare(
                mechanisms or None,
                world=source,
                worlds=worlds,
                budget=budget,
                xi=xi,
                seed=seed,
                workers=crew(workers, executor, time_limit, memory_limit),
                out=run,
                attacks=attack,
                progress=progress,
            )
        say(f"{report}{kept(run)}", report.to_json(), place)
        fail_if([failure.reason for failure in report.failures])


def _doubts(network: list[Path] | None, distrusted: int | None) -> dict[str, int]:
    """Return how many validators are not believed, where there is a network to doubt."""
    if distrusted is None:
        return {}
    if not network:
        raise UsageError(
            "--distrusted needs --network: a preset's validators are honest by construction"
        )
    return {"distrusted": distrusted}


def source_of(network: list[Path] | None, preset: dict[str, Any], **reports: Any) -> Source:
    """Return where worlds come from: a real network if there is one, else a preset."""
    from trilemma.importers import read
    from trilemma.worlds import Imported, Preset

    if not network:
        return Preset(**preset, **reports)
    if preset:
        option = "--" + next(iter(preset)).replace("_", "-")
        raise UsageError(f"{option} and --network exclude each other: a network has its own")
    return Imported(read(network), **reports)
