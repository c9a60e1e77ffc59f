"""`trilemma list` and `trilemma show`: which plug-ins there are."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import cleandoc
from typing import Annotated

import typer

from trilemma.cli.shell import app, complaints, fail_if
from trilemma.errors import UsageError


@app.command("list")
def list_(
    attacks: Annotated[bool, typer.Option("--attacks", help="The attacks instead.")] = False,
    parts: Annotated[
        bool,
        typer.Option("--parts", help="What mechanisms are made of, and others to name."),
    ] = False,
) -> None:
    """List the registered mechanisms, attacks or parts, and where each comes from."""
    with complaints():
        from trilemma import registry

        if attacks and parts:
            raise UsageError("--attacks and --parts are two lists; ask for one")
        loaded: Mapping[str, object]
        if parts:
            loaded, broken = registry.load_parts()
        else:
            loaded, broken = registry.load_attacks() if attacks else registry.load_each()
        width = max((len(label) for label in loaded), default=0)
        for label, plugin in loaded.items():
            summary = (plugin.__doc__ or "").strip().split("\n")[0]
            typer.echo(f"{label:{width}}  {registry.origin(plugin)}  {summary}")
        fail_if([f"{spec}: {error}" for spec, error in broken.items()])


@app.command()
def show(mechanism: Annotated[str, typer.Argument(help="As for compare.")]) -> None:
    """Show a mechanism's parameters, claims and origin."""
    with complaints():
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
        typer.echo("\n" + cleandoc(loaded.__doc__ or "No description."))
