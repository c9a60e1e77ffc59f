"""`trilemma import`: see what a real network's files hold, and keep it as one `.npz`."""

from __future__ import annotations

import json as js
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trilemma.cli.shell import Json, app, complaints, say, target
from trilemma.errors import DataError, UsageError

if TYPE_CHECKING:
    from trilemma.importers import Network


@app.command("import")
def import_(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE",
            help="As for --network of compare, whatever their names.",
            show_default=False,
        ),
    ] = None,
    netuid: Annotated[
        int | None,
        typer.Option(metavar="N", help="No files: fetch this subnet; needs the extra bittensor."),
    ] = None,
    block: Annotated[
        int | None,
        typer.Option(metavar="B", help="Of --netuid.", show_default="the last that is final"),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|URL",
            help="Of --netuid: a network that the SDK knows, or ws://HOST:PORT.",
            show_default="finney",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="FILE", help="Keep the network there, as an .npz."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    json: Json = None,
) -> None:
    """Read a real network's files, say what they hold, and keep it as one .npz."""
    with complaints():
        from trilemma.importers import facts, summary

        place, kept = target(json), _kept(out, force)
        network = _network(files, netuid, block, endpoint)
        lines = summary(network)
        if kept is not None:
            from trilemma.importers import npz

            try:
                npz.write(network, kept)
            except OSError as error:
                raise DataError(f"{kept}: cannot write the network ({error.strerror})") from error
            lines.append(f"{kept}: written")
        say("\n".join(lines), js.dumps(facts(network), indent=2) + "\n", place)


def _network(
    files: list[Path] | None, netuid: int | None, block: int | None, endpoint: str | None
) -> Network:
    """Return the network of the files, or of the chain."""
    if netuid is None:
        for option, value in (("--block", block), ("--endpoint", endpoint)):
            if value is not None:
                raise UsageError(f"{option} needs --netuid: a file says itself what it is of")
        from trilemma.importers import read

        return read(files or [])
    if files:
        raise UsageError(f"{files[0]} and --netuid exclude each other; give files, or a netuid")
    from trilemma.importers import live

    return live.fetch(netuid, block, endpoint)


def _kept(out: str | None, force: bool) -> Path | None:
    if out == "-":
        raise UsageError("--out: a network is a file; name one instead of -")
    path = target(out, "network")
    if path is not None and path.exists() and not force:
        raise DataError(f"{out}: exists already; give --force to replace it, or another name")
    return path
