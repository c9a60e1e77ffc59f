"""Run the cases of another Yuma simulator: `python docs/peer_cases.py FOLDER -o OUT_FOLDER`.

FOLDER holds `cases.json` and `inputs.npz`: weights and stakes, epoch by epoch, of hand-written
cases from bactensor/yuma-simulation (MIT). OUT_FOLDER gets a figure per case, which shows the
dividends in every version of Yuma, and `peer_cases.json` with all dividends and incentives.

What a case overrides in that simulator is kept with it and not applied here. There is one such
setting, `winner_takes_all`, by which the miner of the largest rank is paid the whole miners' pool:
a proposal that was shelved and that no chain knows. Who would take all is the miner whose
incentive is the largest, wherever there is one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any
from zipfile import BadZipFile

import numpy as np
import typer

from trilemma import Chain, DataError, Epoch, TrilemmaError, simulate
from trilemma.dynamics import History
from trilemma.report.figures import draw_dividends
from trilemma_mechanisms.yuma import Yuma

VERSIONS = {
    "Yuma 2": Yuma(version=2),
    "Yuma 3": Yuma(),
    "Yuma 3, liquid alpha": Yuma(liquid_alpha=True),
    "Yuma 3, liquid alpha, bonds reset": Yuma(liquid_alpha=True, bonds_reset=True),
}
"""The rules by label; one that resets bonds runs only where a case says which and when."""


@dataclass(frozen=True, eq=False)
class Case:
    """A story of validators who move from one miner to another.

    Parameters
    ----------
    name : str
        As in `case_01`.
    title : str
    validators, miners : tuple of str
        Their names, n and m of them.
    epochs : tuple of Epoch
    reset : tuple of int, optional
        A miner, and the epoch before which all bonds in it are deleted.
    overrides : mapping
        Settings of the other simulator; not applied.
    """

    name: str
    title: str
    validators: tuple[str, ...]
    miners: tuple[str, ...]
    epochs: tuple[Epoch, ...]
    reset: tuple[int, int] | None
    overrides: Mapping[str, Any]


def cases(folder: Path) -> Iterator[Case]:
    """Read the cases of a folder, in their order.

    Raises
    ------
    DataError
        If a file is missing or does not hold what it should.
    """
    try:
        texts = json.loads((folder / "cases.json").read_text())
        with np.load(folder / "inputs.npz", allow_pickle=False) as inputs:
            arrays = [inputs[key] for key in ("case", "W", "S")]
        found = [_case(str(name), texts[name], w, s) for name, w, s in zip(*arrays, strict=True)]
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(f"{folder}: cases.json and inputs.npz hold no cases ({reason})") from error
    return iter(found)


def _case(name: str, told: Mapping[str, Any], weights: Any, stake: Any) -> Case:
    miners = tuple(told["servers"])
    said = weights[..., : len(miners)]  # what lies behind is padding
    reset = (told["reset_bonds_column"], told["reset_bonds_epoch"])
    return Case(
        name=name,
        title=told["name"],
        validators=tuple(told["validators"]),
        miners=miners,
        epochs=tuple(Epoch(held, shown) for held, shown in zip(stake, said, strict=True)),
        reset=reset if told["reset_bonds"] else None,
        overrides=told["config_overrides"],
    )


def histories(case: Case, **parameters: Any) -> dict[str, History]:
    """Run a case under every version of Yuma.

    Parameters
    ----------
    case : Case
    **parameters
        Of `Yuma`, the same for all versions, as in `bonds_penalty=0`.

    Returns
    -------
    dict
        By the label of the version.
    """
    rules = {label: replace(rule, **parameters) for label, rule in VERSIONS.items()}
    return {
        label: simulate(rule, _with_reset(case) if rule.bonds_reset else case.epochs)
        for label, rule in rules.items()
        if case.reset or not rule.bonds_reset
    }


def _with_reset(case: Case) -> list[Epoch]:
    """Return the epochs, in one of which a miner is reset."""
    assert case.reset is not None
    miner, when = case.reset
    epochs = list(case.epochs)
    resets = np.arange(len(case.miners)) == miner
    then = epochs[when]
    record = replace(then.chain or Chain(), resets=resets)
    epochs[when] = Epoch(then.stake, then.weights, chain=record)
    return epochs


def draw(case: Case, runs: Mapping[str, History], path: Path) -> None:
    """Draw the dividends of a case, a panel per version; the suffix of the path is the format."""
    dividends = {label: history.dividends for label, history in runs.items()}
    draw_dividends(dividends, case.validators, str(path), case.title)


def told(case: Case, runs: Mapping[str, History]) -> dict[str, Any]:
    """Return what the JSON file says of a case."""
    return {
        "title": case.title,
        "validators": case.validators,
        "miners": case.miners,
        "reset": case.reset and dict(zip(("miner", "epoch"), case.reset, strict=True)),
        "not_applied": case.overrides,
        "versions": {
            label: {
                "dividends": history.dividends.tolist(),
                "incentive": history.incentive.tolist(),
            }
            for label, history in runs.items()
        },
    }


def write(folder: Path, out: Path) -> None:
    """Run the cases of a folder and write figures and numbers into another one."""
    answers = {}
    for case in cases(folder):
        runs = histories(case)
        draw(case, runs, out / f"{case.name}.svg")
        answers[case.name] = told(case, runs)
    (out / "peer_cases.json").write_text(json.dumps(answers) + "\n")


def main(
    folder: Annotated[Path, typer.Argument(help="Where cases.json and inputs.npz are.")],
    out: Annotated[Path, typer.Option("-o", help="Folder of what is written; made if need be.")],
) -> None:
    """Run the cases of another Yuma simulator; write a figure each, and one JSON file."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        write(folder, out)
    except (TrilemmaError, OSError) as error:
        typer.echo(f"peer_cases: {error}", err=True)
        raise typer.Exit(getattr(error, "exit_code", 1)) from error


if __name__ == "__main__":
    typer.run(main)
