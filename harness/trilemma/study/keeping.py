"""A study in the folder of its run: what was asked, where, and what came out."""

from __future__ import annotations

import json
import os
from contextlib import chdir, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trilemma.errors import DataError
from trilemma.report.files import keep
from trilemma.resume import OUTCOME, STUDY

if TYPE_CHECKING:
    from trilemma.executor import Progress, Workers
    from trilemma.study.study import Outcome, Study

__all__ = ["is_study", "keep_outcome", "keep_question", "resume_study"]

PLACE = "study.json"


def is_study(run: str | os.PathLike[str]) -> bool:
    """Tell whether a run is that of a study, and not of a comparison alone."""
    return (Path(run) / STUDY).is_file()


def keep_question(study: Study, out: Path) -> None:
    """Copy the file of a study into its run, with where its relative paths start from."""
    place = {"asked_in": str(Path.cwd()), "folder": str(study.folder)}
    keep(out / PLACE, json.dumps(place, indent=2).encode())
    keep(out / STUDY, study.source)


def keep_outcome(outcome: Outcome, out: Path) -> None:
    """Write what came out of a study."""
    keep(out / OUTCOME, outcome.to_json().encode())


def resume_study(
    run: str | os.PathLike[str],
    *,
    workers: int | Workers | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Compute what is missing of a study, sweeps and all: the question is in the folder of its run.

    Parameters
    ----------
    run : path
        The `out` of the study.
    workers, progress
        As for `Study.run`.

    Returns
    -------
    Outcome

    Raises
    ------
    UsageError, DataError
        As `read_study`; also if the folder holds no study.
    """
    from dataclasses import replace

    from trilemma.study.reading import study_of

    folder = Path(run).absolute()
    place = _place(folder)
    there = Path(place["asked_in"])
    with chdir(there) if there.is_dir() else nullcontext():  # where ./file.py:Name was meant
        study = study_of(folder / STUDY, Path(place["folder"]))
        return replace(study, out=folder).run(workers=workers, progress=progress)


def _place(folder: Path) -> dict[str, Any]:
    path = folder / PLACE
    try:
        found = json.loads(path.read_text())
        return {name: str(found[name]) for name in ("asked_in", "folder")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path}: does not say where the study was asked; run its study file again with "
            f"--out {folder}"
        ) from error
