"""`trilemma check`: laws and claims, and the counterexample where one breaks."""

from __future__ import annotations

import json as js
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trilemma.cli.shell import Json, Mechanisms, app, complaints, fail_if, say, target
from trilemma.printing import aside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trilemma.testing.verdict import Verdict

BROKEN = 1

Effort = Annotated[
    str, typer.Option(metavar="dev|ci|fuzz", help="How hard to look; ci: the same cases always.")
]


@app.command()
def check(
    mechanisms: Mechanisms = None,
    profile: Effort = "ci",
    corpus: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Past counterexamples: tried first; new ones added."),
    ] = Path(".trilemma"),
    unclaimed: Annotated[
        bool, typer.Option("--unclaimed", help="Look at what is not claimed, too.")
    ] = False,
    json: Json = None,
) -> None:
    """Try to break the laws and the claims of mechanisms; exit 1 if one breaks."""
    with complaints():
        from trilemma import profiles, registry
        from trilemma.testing import Matrix
        from trilemma.testing.verdict import verdicts

        place, how = target(json), profiles.profile(profile, corpus)
        with aside():
            loaded, broken = registry.load_each(mechanisms)
            found = {
                label: tuple(verdicts(rule, how, unclaimed=unclaimed))
                for label, rule in loaded.items()
            }
        matrix = Matrix(found)
        text = "\n\n".join(_told(label, column) for label, column in found.items())
        say(text, js.dumps(matrix.to_json(), indent=2) + "\n", place)
        fail_if([f"{spec}: {error}" for spec, error in broken.items()])
    if not matrix.passes:
        raise typer.Exit(BROKEN)


def _told(label: str, column: Sequence[Verdict]) -> str:
    """Say of a mechanism what holds, in a line for each kind, and what does not, in full."""
    lines = [label]
    for kind in ("law", "claim"):
        found = [it for it in column if it.bound and it.check.kind == kind]
        held = [it for it in found if it.word == "holds"]
        if held:
            cases = sum(it.judged for it in held)
            lines.append(f"  {len(held)} of {len(found)} {kind}s hold ({cases} cases tried)")
        if kind == "claim":
            lines += [f"    {it.check.name}" for it in held]
        lines += [f"  {it.told()}" for it in found if it not in held]
    lines += [f"  {it.told()}" for it in column if not it.bound]
    return "\n".join(lines)
