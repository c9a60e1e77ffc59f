"""What every command shares: the app, complaints and exit codes, the progress bar, JSON files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trilemma.errors import DataError, TrilemmaError, UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from types import ModuleType

    from trilemma.executor import Progress
    from trilemma.executor import Workers as Crew

__all__ = [
    "Executor",
    "Json",
    "Mechanisms",
    "MemoryLimit",
    "Out",
    "Quiet",
    "Seed",
    "TimeLimit",
    "Workers",
    "app",
    "bar",
    "complain",
    "complaints",
    "crew",
    "drawing",
    "fail_if",
    "figures",
    "numbers",
    "say",
    "target",
]

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

Workers = Annotated[
    int | None, typer.Option(help="Processes or threads.", show_default="one per core")
]
Executor = Annotated[
    str, typer.Option(help="Who computes: processes, threads, or dask://HOST:PORT.")
]
TimeLimit = Annotated[
    float | None, typer.Option(metavar="S", help="Seconds that a mechanism may take in a world.")
]
MemoryLimit = Annotated[
    float | None,
    typer.Option(metavar="MB", help="Megabytes that each process may take."),
]
Out = Annotated[Path | None, typer.Option(metavar="RUN", help="Folder that keeps finished cells.")]
Json = Annotated[str | None, typer.Option(metavar="FILE|-", help="Write the answer as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.")]
Seed = Annotated[int, typer.Option(help="Same seed, same numbers.")]


def crew(
    workers: int | None, executor: str, time_limit: float | None, memory_limit: float | None
) -> Crew:
    """Return who computes."""
    from trilemma.executor import Workers

    return Workers(workers, executor, time_limit, memory_limit)


def target(file: str | None, what: str = "JSON") -> Path | None:
    """Return the file to write, having seen that it can be written before the work starts."""
    if file is None or file == "-":
        return Path("-") if file else None
    path = Path(file)
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise DataError(
            f"{file}: cannot write the {what} there; name a file in a folder that exists"
        )
    return path


def figures(file: str | None) -> ModuleType | None:
    """Return what draws, having seen that it can draw into this file."""
    if file is None:
        return None
    target(file, "figure")
    draw = drawing()
    draw.check(file)
    return draw


def drawing() -> ModuleType:
    """Return what draws."""
    try:
        from trilemma.report import figures
    except ImportError as error:
        raise UsageError(
            "a figure needs Matplotlib: pip install 'trilemma[plot]', or ask for none"
        ) from error
    return figures


def numbers(option: str, text: str, *, whole: bool = False) -> tuple[float, ...]:
    """Return the numbers of a list with commas."""
    try:
        return tuple((int if whole else float)(part) for part in text.split(","))
    except ValueError as error:
        kind, example = ("whole numbers", "1,3,5") if whole else ("numbers", "0.55,0.6")
        raise UsageError(f"{option}: expected {kind} as in {example}, got {text!r}") from error


def say(text: str, as_json: str, place: Path | None) -> None:
    """Print the text, or the JSON instead; a file gets the JSON beside the text."""
    if place == Path("-"):
        typer.echo(as_json, nl=False)
        return
    if place is not None:
        try:
            place.write_text(as_json)
        except OSError as error:
            raise DataError(f"{place}: cannot write the JSON ({error.strerror})") from error
    typer.echo(text)


def fail_if(complaints: list[str]) -> None:
    """Leave with these complaints, if there are any."""
    for complaint in complaints:
        complain(complaint)
    if complaints:
        raise typer.Exit(PLUGIN_FAILED)


def complain(line: str) -> None:
    """Say what is wrong, in one line."""
    typer.echo(f"trilemma: {line}", err=True)


@contextmanager
def complaints(
    goes_on: str = "with --out, the same command goes on where this one stopped",
) -> Iterator[None]:
    """Turn what goes wrong into one line and an exit code.

    Parameters
    ----------
    goes_on : str
        What whoever interrupts may do next.
    """
    try:
        yield
    except typer.Exit:
        raise
    except TrilemmaError as error:
        complain(str(error))
        raise typer.Exit(error.exit_code) from error
    except (KeyboardInterrupt, Exception) as error:
        if not _interrupted(error):
            raise
        complain(f"interrupted; {goes_on}")
        raise typer.Exit(INTERRUPTED) from error


def _interrupted(error: BaseException | None) -> bool:
    """Tell whether somebody interrupted; numpy and zipfile make other errors of it on the way."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def bar(quiet: bool) -> AbstractContextManager[Progress | None]:
    """Show a progress bar where somebody watches."""
    return nullcontext() if quiet or not sys.stderr.isatty() else _rich_bar()


@contextmanager
def _rich_bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = ("cells", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("cells", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
