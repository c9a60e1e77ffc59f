"""The command line: parse, call, print. Data on stdout; progress and complaints on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trilemma.errors import DataError, TrilemmaError, UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from trilemma.compare import Progress
    from trilemma.report import Report
    from trilemma.worlds import Source

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Compare reward mechanisms of decentralised networks.",
)

PLUGIN_FAILED = 3
INTERRUPTED = 130

Mechanisms = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MECHANISM",
        help="Names, module:Name or ./file.py:Name, with parameters as in 'yuma(kappa=0.6)'. "
        "Default: every registered mechanism.",
        show_default=False,
    ),
]


@app.command("list")
def list_() -> None:
    """List the registered mechanisms and where each comes from."""
    with _complaints():
        from trilemma import registry

        loaded, broken = registry.load_each(None)
        width = max((len(label) for label in loaded), default=0)
        for label, mechanism in loaded.items():
            summary = (mechanism.__doc__ or "").strip().split("\n")[0]
            typer.echo(f"{label:{width}}  {registry.origin(mechanism)}  {summary}")
        _fail_if([f"{spec}: {error}" for spec, error in broken.items()])


@app.command()
def show(mechanism: Annotated[str, typer.Argument(help="As for compare.")]) -> None:
    """Show a mechanism's parameters, claims and origin."""
    with _complaints():
        from trilemma import registry

        loaded = registry.load(mechanism)
        typer.echo(registry.label(loaded))
        typer.echo(f"origin: {registry.origin(loaded)}")
        typer.echo("parameters:" if registry.parameters(loaded) else "parameters: none")
        for name, value in registry.parameters(loaded).items():
            shown = registry.label(value) if callable(value) else repr(value)
            typer.echo(f"  {name} = {shown}")
        claims = sorted(getattr(loaded, "claims", ()))
        typer.echo(f"claims: {', '.join(claims) or 'none'}")
        typer.echo("\n" + _dedented(loaded.__doc__))


@app.command()
def compare(
    mechanisms: Mechanisms = None,
    network: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A real network: .npz (stake, weights), or twice: CSV from,to,value and id,stake.",
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
    worlds: Annotated[int, typer.Option(help="Worlds drawn.")] = 16,
    noise: Annotated[float, typer.Option(help="Log-normal noise of honest reports.")] = 0.1,
    clone_detection: Annotated[
        float, typer.Option(help="Chance that an honest validator sees through clones.")
    ] = 1.0,
    attacker_stake: Annotated[float, typer.Option(help="Largest share it may hold.")] = 0.45,
    identities: Annotated[
        int, typer.Option(help="K: identities a principal may use; plays try powers of 2.")
    ] = 64,
    identity_cost: Annotated[float, typer.Option(help="Price of each beyond the first.")] = 0.0,
    insiders: Annotated[str, typer.Option(help="Coalition sizes judged.")] = "1,3,5",
    xi: Annotated[float, typer.Option(help="The validators' part of all pay.")] = 0.5,
    seed: Annotated[int, typer.Option(help="Same seed, same numbers.")] = 0,
    workers: Annotated[
        int | None, typer.Option(help="Processes.", show_default="one per core")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Folder that keeps finished cells.")
    ] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the report as JSON.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Score mechanisms against the same adversarial weight matrices: the main job."""
    with _complaints():
        from trilemma.compare import compare
        from trilemma.model import Budget

        budget = Budget(attacker_stake, identities, identity_cost, _sizes(insiders))
        preset = {
            "stake": stake,
            "validators": validators,
            "miners": miners,
            "attacker_work": attacker_work,
        }
        given = {name: value for name, value in preset.items() if value is not None}
        source = _source(network, given, noise=noise, clone_detection=clone_detection)
        target = _target(json)
        # What a plug-in prints must not end up between the data.
        with _bar(quiet) as progress, redirect_stdout(sys.stderr):
            report = compare(
                mechanisms or None,
                world=source,
                worlds=worlds,
                budget=budget,
                xi=xi,
                seed=seed,
                workers=workers,
                out=out,
                progress=progress,
            )
        _print(report, target)
        _fail_if([failure.reason for failure in report.failures])


def main() -> None:
    """Run the command line."""
    app(prog_name="trilemma")


def _source(network: list[Path] | None, preset: dict[str, Any], **reports: Any) -> Source:
    from trilemma.importers import read
    from trilemma.worlds import Imported, Preset

    if not network:
        return Preset(**preset, **reports)
    if preset:
        option = "--" + next(iter(preset)).replace("_", "-")
        raise UsageError(f"{option} and --network exclude each other: a network has its own")
    return Imported(read(network), **reports)


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"--insiders: expected whole numbers as in 1,3,5, got {text!r}") from error


def _target(json: str | None) -> Path | None:
    """Return the file to write, having seen that it can be written before the work starts."""
    if json is None or json == "-":
        return Path("-") if json else None
    path = Path(json)
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise DataError(f"{json}: cannot write the JSON there; name a file in a folder that exists")
    return path


def _print(report: Report, target: Path | None) -> None:
    if target == Path("-"):
        typer.echo(report.to_json(), nl=False)
        return
    if target is not None:
        try:
            target.write_text(report.to_json())
        except OSError as error:
            raise DataError(f"{target}: cannot write the JSON ({error.strerror})") from error
    typer.echo(str(report))


def _fail_if(complaints: list[str]) -> None:
    for complaint in complaints:
        _complain(complaint)
    if complaints:
        raise typer.Exit(PLUGIN_FAILED)


def _complain(line: str) -> None:
    typer.echo(f"trilemma: {line}", err=True)


def _dedented(doc: str | None) -> str:
    from inspect import cleandoc

    return cleandoc(doc or "No description.")


@contextmanager
def _complaints() -> Iterator[None]:
    try:
        yield
    except TrilemmaError as error:
        _complain(str(error))
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        _complain("interrupted; with --out, the same command goes on where this one stopped")
        raise typer.Exit(INTERRUPTED) from error


def _bar(quiet: bool) -> AbstractContextManager[Progress | None]:
    return nullcontext() if quiet or not sys.stderr.isatty() else _rich_bar()


@contextmanager
def _rich_bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("cells", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("cells", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
