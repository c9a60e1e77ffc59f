"""`trilemma replay`, `explain` and `minimise`: what a witness shows."""

from __future__ import annotations

import json as js
from dataclasses import replace as changed
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trilemma.cli.shell import Json, app, complaints, say, target
from trilemma.errors import DataError, UsageError
from trilemma.printing import aside

if TYPE_CHECKING:
    from trilemma.witness import Witness

File = Annotated[
    Path,
    typer.Argument(metavar="WITNESS", help="As RUN/witnesses/*.json of compare --out RUN."),
]
Other = Annotated[
    str | None,
    typer.Option(
        metavar="MECHANISM", help="Another than it accuses.", show_default="the one it accuses"
    ),
]


@app.command()
def replay(
    witness: File,
    mechanism: Other = None,
    as_test: Annotated[
        str | None,
        typer.Option("--as-test", metavar="FILE", help="Write it as a pytest of its own, too."),
    ] = None,
    json: Json = None,
) -> None:
    """Make the play of a witness again: the same number, to the last bit."""
    with complaints():
        place, test = target(json), _file(as_test)
        if _tells_a_case(witness):
            if test is not None:
                raise UsageError(
                    f"{witness}: a counterexample stays in the corpus, which tests try"
                )
            _retell(witness, mechanism, place)
            return
        kept, label, harm = _replayed(witness, mechanism)
        lines = [kept.play, f"{label}: harm {harm!r}{_compared(kept, label, harm)}"]
        if test is not None:
            _write_test(changed(kept, mechanism=label, harm=harm), test)
            lines.append(f"{test}: run it with pytest; it fails until {label} is mended")
        answer = {"mechanism": label, "score": kept.score, "harm": harm, "witness": kept.harm}
        say("\n".join(lines), js.dumps(answer, indent=2) + "\n", place)


@app.command()
def explain(witness: File, mechanism: Other = None) -> None:
    """Say who gains where in a witness, stage by stage."""
    with complaints():
        from trilemma import registry
        from trilemma.witness import Witness, explain, text

        kept = Witness.load(witness)
        with aside():
            answer = explain(kept, registry.load(mechanism or kept.mechanism))
        typer.echo(text(kept, *answer))


@app.command()
def minimise(
    witness: File,
    mechanism: Other = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Witness to write.", show_default="WITNESS-minimal"),
    ] = None,
) -> None:
    """Find the smallest play that still does 95 % of the harm: few identities, few weights."""
    with complaints():
        from trilemma import registry
        from trilemma.witness import Witness, minimised

        path = _file(out) or witness.with_name(f"{witness.stem}-minimal.json")
        kept = Witness.load(witness)
        with aside():
            smaller = minimised(kept, registry.load(mechanism or kept.mechanism))
        written = smaller.save(path.parent, path.stem)
        typer.echo(f"{smaller.play}\nharm {smaller.harm!r}, of {kept.harm!r}\n{written}")


def _tells_a_case(path: Path) -> bool:
    """Tell whether a file is a counterexample of the kit: a case, without arrays beside it."""
    try:
        told = js.loads(path.read_text()) if path.suffix == ".json" else None
    except (OSError, ValueError):
        return False  # the reader of witnesses says what is wrong
    return isinstance(told, dict) and "case" in told


def _retell(path: Path, mechanism: str | None, place: Path | None) -> None:
    from trilemma import registry
    from trilemma.testing import Counterexample

    kept = Counterexample.load(path)
    with aside():
        rule = registry.load(mechanism or kept.mechanism)
        label, lines = registry.label(rule), kept.told(rule)
        broken = kept.replay(rule) is not None
    answer = {"mechanism": label, "check": kept.check, "broken": broken, "told": lines.split("\n")}
    verb = "breaks" if broken else "keeps"
    say(f"{label} {verb} {kept.check}\n{lines}", js.dumps(answer, indent=2) + "\n", place)


def _file(option: str | None) -> Path | None:
    if option == "-":
        raise UsageError("a witness and a test are files; name one instead of -")
    return target(option, "file")


def _replayed(path: Path, mechanism: str | None) -> tuple[Witness, str, float]:
    from trilemma import registry
    from trilemma.witness import Witness

    kept = Witness.load(path)
    with aside():
        rule = registry.load(mechanism or kept.mechanism)
        return kept, registry.label(rule), kept.replay(rule).harm


def _compared(kept: Witness, label: str, harm: float) -> str:
    if label != kept.mechanism:
        return f"; {kept.mechanism}, which the witness accuses: {kept.harm!r}"
    same = harm == kept.harm
    return ", as the witness says" if same else f"; the witness says {kept.harm!r}"


def _write_test(kept: Witness, path: Path) -> None:
    from trilemma.witness import as_test

    if not kept.harm > 0:
        raise UsageError(f"the play does no harm to {kept.mechanism}: no test of it could fail")
    try:
        path.write_text(as_test(kept))
    except OSError as error:
        raise DataError(f"{path}: cannot write the test ({error.strerror})") from error
