"""`trilemma sweep`: the scores along a range of any parameter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from trilemma.report.sweep import Sweep

REPORTS = ("clone_detection", "noise")  # parameters of the world that are options
COUNTED = ("identities", "insiders")
RANGE = "A value, or the range to sweep: LOW..HIGH, LOW..HIGH:POINTS"


@app.command()
def sweep(
    mechanisms: Mechanisms = None,
    over: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=RANGE",
            help="Sweep any parameter: yuma.kappa=0.5..0.9, noise=0..0.5, stake=0..0.45.",
        ),
    ] = None,
    identity_cost: Annotated[
        str | None, typer.Option(help=f"{RANGE} or A,B,C.", show_default="0")
    ] = None,
    attacker_stake: Annotated[
        str | None, typer.Option(help="Likewise.", show_default="0.45")
    ] = None,
    identities: Annotated[str | None, typer.Option(help="Likewise.", show_default="64")] = None,
    insiders: Annotated[
        str | None,
        typer.Option(help=f"{RANGE}. A,B,C: judge these sizes.", show_default="1,3,5"),
    ] = None,
    clone_detection: Annotated[
        str | None, typer.Option(help=f"{RANGE} or A,B,C.", show_default="1")
    ] = None,
    noise: Annotated[str | None, typer.Option(help="Likewise.", show_default="0.1")] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help="Find the smallest value that meets it: 'sybil_resistance >= 0.9' (or neutrality, "
            "quality, minimum). Exit code 2 if no mechanism does.",
        ),
    ] = None,
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
    attack: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC", help="An attack beside every registered one; repeatable."),
    ] = None,
    worlds: Annotated[int, typer.Option(help="Worlds drawn.")] = 16,
    evaluations: Annotated[int, typer.Option(help="Mechanism calls of the search.")] = 0,
    xi: Annotated[float, typer.Option(help="The validators' part of all pay.")] = 0.5,
    seed: Seed = 0,
    workers: Workers = None,
    executor: Executor = "processes",
    time_limit: TimeLimit = None,
    memory_limit: MemoryLimit = None,
    out: Out = None,
    figure: Annotated[
        str | None, typer.Option(metavar="FILE", help="Draw the curves: .svg, .png, .pdf.")
    ] = None,
    json: Json = None,
    quiet: Quiet = False,
) -> None:
    """Score mechanisms along a range of one parameter, and find where their order turns over."""
    with complaints():
        from trilemma.model import Budget
        from trilemma.sweep import sweep

        given = {
            "stake": attacker_stake,
            "identities": identities,
            "identity_cost": identity_cost,
            "insiders": insiders,
            "clone_detection": clone_detection,
            "noise": noise,
        }
        asked = {name: text for name, text in given.items() if text is not None}
        parameter, values = _ranged(asked, over)
        fixed = {name: _value(name, text) for name, text in asked.items() if name != parameter}
        reports = {name: fixed.pop(name) for name in REPORTS if name in fixed}
        sizes = {"stake": stake, "validators": validators, "miners": miners}
        preset = {name: value for name, value in sizes.items() if value is not None}
        place, drawing = target(json), figures(figure)
        with bar(quiet) as progress, aside():
            answer = sweep(
                mechanisms or None,
                over=parameter,
                values=values,
                until=until,
                world=source_of(network, preset, **reports),
                worlds=worlds,
                budget=Budget(**fixed, evaluations=evaluations),
                xi=xi,
                seed=seed,
                workers=crew(workers, executor, time_limit, memory_limit),
                out=out,
                attacks=attack,
                progress=progress,
            )
        say(str(answer), answer.to_json(), place)
        if drawing is not None and answer.curves:
            drawing.draw_sweep(answer, figure)
        fail_if([failure.reason for failure in answer.failures])
        _require_met(answer)


def _ranged(asked: dict[str, str], over: str | None) -> tuple[str, str]:
    """Return the one parameter that has a range, and the range."""
    found = {_option(it): (it, text) for it, text in asked.items() if _is_range(it, text)}
    if over is not None:
        name, sign, text = over.partition("=")
        if not sign:
            raise UsageError(f"--over: expected NAME=RANGE as in yuma.kappa=0.5..0.9, got {over!r}")
        found["--over"] = (name.strip(), text)
    if len(found) > 1:
        raise UsageError(f"{' and '.join(found)} have ranges; a sweep has one")
    if not found:
        raise UsageError("nothing to sweep; give a range, as in --identity-cost 0..0.1")
    return next(iter(found.values()))


def _is_range(name: str, text: str) -> bool:
    return ".." in text or ("," in text and name != "insiders")


def _value(name: str, text: str) -> Any:
    found = numbers(_option(name), text, whole=name in COUNTED)
    return found if name == "insiders" else found[0]


def _option(name: str) -> str:
    return "--attacker-stake" if name == "stake" else f"--{name.replace('_', '-')}"


def _require_met(answer: Sweep) -> None:
    """Leave with a complaint if no mechanism meets the target."""
    if answer.target is None or answer.met or not answer.curves:
        return
    nearest = max(answer.curves, key=answer.reached)
    raise UsageError(
        f"no mechanism reaches {answer.target} along this range of {answer.parameter}; the "
        f"nearest, {nearest.label}, reaches {answer.reached(nearest):.3g}"
    )
