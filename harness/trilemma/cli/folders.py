"""Where a command keeps its run, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from trilemma.cli.shell import complain, complaints
from trilemma.errors import DataError

__all__ = ["folder", "kept", "resumable"]


@contextmanager
def folder(out: Path | None) -> Iterator[Path | None]:
    """Give the folder that keeps the run: the next of runs/, none where that cannot be written."""
    from trilemma.resume import new_run

    run = out
    if out is None:
        try:
            run = new_run()
        except DataError as error:
            complain(f"{error}, so this run is not kept; name a folder with --out")
    try:
        yield run
    finally:
        if out is None and run is not None and not any(run.iterdir()):
            run.rmdir()  # nothing came of it: a name was mistyped, for one


def resumable(run: Path | None) -> AbstractContextManager[None]:
    """Tell whoever interrupts how to go on."""
    return nullcontext() if run is None else complaints(f"trilemma resume {run} goes on")


def kept(run: Path | None) -> str:
    """Return where the run was kept, in a line."""
    if run is None:
        return ""
    return (
        f"\nKept in {run}: report.html is its page; witnesses/ holds the worst plays for trilemma "
        "replay, explain and minimise."
    )
