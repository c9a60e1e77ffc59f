"""The scores of a finished run as rows: one for each mechanism, number of identities and score."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from trilemma.errors import DataError
from trilemma.model import FloatArray
from trilemma.report.files import DOCUMENT, FAULTS, load, load_scores
from trilemma.report.model import KEPT_SCORES
from trilemma.statistics import interval
from trilemma.store import asked_in

__all__ = ["ScoreRow", "Scores", "scores"]

SIDES = ("verified", "free")
NAMES = ("sybil_resistance", "neutrality", "quality", "quality_attacked", "minimum")
WORST = {"sybil_resistance": "worst_sybil_play", "neutrality": "worst_neutrality_play"}


class ScoreRow(NamedTuple):
    """One score of one mechanism.

    Parameters
    ----------
    mechanism : str
        Its label.
    side : {"verified", "free"}
        Whether a principal has one identity per role, or as many as the budget says.
    identities : int
        How many that are.
    score : str
        `sybil_resistance`, `neutrality`, `quality`, `quality_attacked` or `minimum`.
    value, low, high : float
        Over all worlds, and its 95 % interval.
    worst_play : str, or None
        Of Sybil resistance and neutrality: the play that lowers it most; "search" where the
        search found a worse one, "none" where none does harm.
    """

    mechanism: str
    side: str
    identities: int
    score: str
    value: float
    low: float
    high: float
    worst_play: str | None


@dataclass(frozen=True)
class Scores:
    """The scores of a run.

    Parameters
    ----------
    rows : tuple of ScoreRow
    """

    row: ClassVar = ScoreRow
    rows: tuple[ScoreRow, ...]

    def __iter__(self) -> Iterator[ScoreRow]:
        return iter(self.rows)


def scores(run: str | os.PathLike[str]) -> Scores:
    """Return the scores of a finished run, as `report.json` in its folder has them.

    No mechanism is called, and no plug-in is needed. The interval of the minimum, which is not in
    `report.json`, is that of its resamples in `scores.npz`.

    Parameters
    ----------
    run : path
        Folder of a `compare(out=...)`.

    Raises
    ------
    DataError
        If the folder holds no finished run.
    """
    folder = Path(run)
    if not (folder / DOCUMENT).is_file():
        asked_in(folder, any_format=True)  # or this is no run at all
        raise DataError(
            f"{folder}: not finished, so there are no scores yet; trilemma resume {folder} goes "
            "on, and its cells can be exported as they are"
        )
    told = load(folder)
    try:
        labels = [str(it["label"]) for it in told["mechanisms"]]
        sampled = load_scores(folder, labels)
        identities = 1, int(told["budget"]["identities"])
        found = zip(told["mechanisms"], sampled, strict=True)
        "".join(labels).encode()  # a surrogate is no text
        return Scores(tuple(row for it in found for row in _rows(*it, identities)))
    except DataError:
        raise
    except FAULTS as error:
        raise DataError(
            f"{folder}: {DOCUMENT} is not of this program ({error}); run the comparison again"
        ) from error


def _rows(
    told: Mapping[str, Any], sampled: FloatArray, identities: tuple[int, int]
) -> Iterator[ScoreRow]:
    """Yield the rows of one mechanism; `sampled` is (sides, kept scores, 1 + resamples)."""
    for side, count, kept in zip(SIDES, identities, sampled, strict=True):
        minimum = interval(kept[KEPT_SCORES.index("minimum")])
        ranges = {**told[side], "minimum": {"low": minimum.low, "high": minimum.high}}
        ranges["minimum"]["value"] = told[side]["minimum"]
        for name in NAMES:
            value, low, high = (float(ranges[name][it]) for it in ("value", "low", "high"))
            if not all(map(math.isfinite, (value, low, high))):
                raise ValueError(f"{name} is no number")
            worst = str(told[side][WORST[name]]) if name in WORST else None
            yield ScoreRow(str(told["label"]), side, count, name, value, low, high, worst)
