"""What changed between two finished runs; no mechanism is called, no plug-in is needed."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trilemma.checks import NOTHING, real
from trilemma.errors import DataError, one_line
from trilemma.model import FloatArray
from trilemma.report.diff import SIGNIFICANT, Changed, Diff, Difference, plain
from trilemma.report.files import load, load_scores
from trilemma.report.model import KEPT_SCORES
from trilemma.statistics import Interval, interval
from trilemma.store import asked_in

__all__ = ["diff", "holm", "p_value"]

SIDES = ("verified", "free")
NODES = 100  # of the quadrature of Student's law: five digits at the least, from 1 degree on
# what a file that is JSON, but of no comparison, makes of the reading
FAULTS = (AttributeError, KeyError, TypeError, ValueError, OverflowError)


def diff(a: str | os.PathLike[str], b: str | os.PathLike[str], tolerance: float = 0.01) -> Diff:
    """Compare the scores of two finished runs, mechanism by mechanism.

    Parameters
    ----------
    a, b : path
        Folders of `compare(..., out=RUN)`.
    tolerance : float
        In [0, 1]: the largest drop of a score that is no regression.

    Returns
    -------
    Diff
        Paired where both runs drew the same worlds. p-values are Student's, of a difference
        over its bootstrap standard error, with one degree of freedom less than there are
        worlds, corrected by Holm over all comparisons that are not the same throughout.

    Raises
    ------
    DataError
        If a folder holds no finished run or none with `scores.npz`, or no mechanism is in both.
    UsageError
        If the tolerance is out of range.
    """
    tolerance = real("tolerance", tolerance, 0, 1)
    one, other = _Finished.of(Path(a)), _Finished.of(Path(b))
    labels = [label for label in one.scores if label in other.scores]
    if not labels:
        raise DataError(
            f"{a} and {b} have no mechanism in common; compare the same labels in both, of those "
            f"in A: {plain(', '.join(one.scores)) or 'none'}"
        )
    paired = one.drawn == other.drawn
    tests = list(_tests(one, other, labels, paired))
    ours = (set(one.scores), set(other.scores))
    return Diff(
        a=str(a),
        b=str(b),
        worlds=(one.worlds, other.worlds),
        paired=paired,
        tolerance=tolerance,
        changed=tuple(_changed(one.question, other.question)),
        recoded=_recoded(one, other, labels),
        only_a=tuple(it for it in one.scores if it not in ours[1]),
        only_b=tuple(it for it in other.scores if it not in ours[0]),
        differences=tuple(_judged(tests, tolerance)),
        notes=tuple(_notes(min(one.worlds, other.worlds), tests)),
    )


@dataclass(frozen=True, eq=False)
class _Finished:
    """What a finished run's folder says; `scores` by label, (2, 4, 1 + resamples)."""

    worlds: int
    identities: tuple[int, int]
    drawn: dict[str, Any]
    question: dict[str, Any]
    codes: dict[str, str] | None
    scores: dict[str, FloatArray]

    @classmethod
    def of(cls, folder: Path) -> _Finished:
        told, asked = load(folder), asked_in(folder, any_format=True)
        try:
            found = cls._read(told, asked)
            labels = [str(it["label"]) for it in told["mechanisms"]]
            values = [_values(it) for it in told["mechanisms"]]
        except FAULTS as error:
            raise DataError(
                f"{folder}: report.json or run.json is not of this program "
                f"({one_line(error)[:200]}); run the comparison again"
            ) from error
        scores = load_scores(folder, labels)
        if not np.array_equal(scores[..., 0].ravel(), np.ravel(values)):
            raise DataError(
                f"{folder}: scores.npz and report.json are of two runs; repeat the same compare "
                f"command with --out {folder} (nothing is computed again)"
            )
        return replace(found, scores=dict(zip(labels, scores, strict=True)))

    @classmethod
    def _read(cls, told: dict[str, Any], asked: dict[str, Any]) -> _Finished:
        world = dict(told["world"])
        # The file's name is not what is in it, and xi joins pay that the worlds do not know.
        drawn = {name: it for name, it in world.items() if name not in ("network", "xi")}
        question = {
            "seed": told["seed"],
            **{f"budget: {name}": it for name, it in dict(told["budget"]).items()},
            **{f"world: {name}": it for name, it in world.items()},
            **{f"attack {name}": it for name, it in dict(asked["attacks"]).items()},
            **{f"version of {name}": it for name, it in dict(told["versions"]).items()},
        }
        json.dumps(question, allow_nan=False)  # refuses what is no number
        codes = asked.get("codes")
        return cls(
            worlds=_count(world["worlds"]),
            identities=(1, _count(told["budget"]["identities"])),
            drawn={"seed": told["seed"], **drawn},
            question=question,
            codes=None if codes is None else dict(codes),
            scores={},
        )


def _count(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"expected a whole number, 1 or more, got {value!r}")
    return value


def _values(mechanism: Mapping[str, Any]) -> list[list[float]]:
    sides = [mechanism[side] for side in SIDES]
    *intervals, last = KEPT_SCORES
    return [[*(float(it[name]["value"]) for name in intervals), float(it[last])] for it in sides]


def _changed(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Changed]:
    for what in dict.fromkeys([*a, *b]):
        if a.get(what) != b.get(what):
            yield Changed(what, a.get(what), b.get(what))


def _recoded(one: _Finished, other: _Finished, labels: Sequence[str]) -> tuple[str, ...] | None:
    if one.codes is None or other.codes is None:
        return None
    before, after = one.codes, other.codes
    return tuple(label for label in labels if before.get(label) != after.get(label))


class _Test(NamedTuple):
    label: str
    side: str
    identities: tuple[int, int]
    score: str
    values: tuple[float, float]
    change: Interval
    same: bool
    p: float


def _tests(
    one: _Finished, other: _Finished, labels: Sequence[str], paired: bool
) -> Iterator[_Test]:
    both = list(zip(one.identities, other.identities, strict=True))
    sides = 1 if both[0] == both[1] else 2  # without Sybils both sides are one
    for label in labels:
        for place, side in enumerate(SIDES[:sides]):
            pairs = zip(one.scores[label][place], other.scores[label][place], strict=True)
            for score, (a, b) in zip(KEPT_SCORES, pairs, strict=True):
                change = differences(a, b, paired)
                same = bool(np.abs(change).max() <= NOTHING)
                p = 1.0 if same else p_value(a, b, (one.worlds, other.worlds), paired)
                values = (float(a[0]), float(b[0]))
                yield _Test(label, side, both[place], score, values, interval(change), same, p)


def differences(a: FloatArray, b: FloatArray, paired: bool) -> FloatArray:
    """Return B - A, shape (1 + resamples,): row r of both resamples the same worlds."""
    # Rows are drawn alike and one by one: backwards, they have nothing to do with those of A.
    return b - a if paired else np.append(b[0], b[:0:-1]) - a


def p_value(a: FloatArray, b: FloatArray, worlds: tuple[int, int], paired: bool) -> float:
    """Return the two-sided p-value of a difference of two scores.

    Counting the resamples beyond zero, of 1,000, cannot go below 2 / 1001, which is never
    significant after Holm over 64 comparisons; and with 2 worlds half of all true zeros look
    that significant, with 8 a tenth. Student's law with the bootstrap's standard error
    keeps its word with few worlds, and goes on where counting ends.

    Parameters
    ----------
    a, b : ndarray, shape (1 + resamples,)
    worlds : tuple of int
        Of A and of B.
    paired : bool

    References
    ----------
    Efron and Tibshirani 1993, chapters 12 and 13; Welch 1947.
    """
    fewest = min(worlds)
    if fewest == 1:
        return 1.0
    parts = [b - a] if paired else [a, b]
    free = [count - 1 for count in worlds]
    # A resample of n worlds spreads by (n - 1) / n too little.
    errors = [
        float(part[1:].var()) * count / (count - 1)
        for part, count in zip(parts, worlds, strict=False)
    ]
    squares = sum(error**2 / count for error, count in zip(errors, free, strict=False))
    degrees = sum(errors) ** 2 / squares if squares > 0 else fewest - 1
    tail = student(abs(float(b[0] - a[0])), math.sqrt(sum(errors)), degrees)
    return max(tail, _least(fewest))


def _least(worlds: int) -> float:
    """Return what even the clearest difference has: all n**n resamples counted, and one more."""
    few = min(worlds, 100)  # float64 ends at 1e-308
    return float(min(1.0, 2 / (1 + few**few)))


def student(distance: float, error: float, degrees: float) -> float:
    """Return the probability that Student's t is farther from 0 than `distance / error`."""
    # With t = sqrt(degrees) / tan(u) the density is a power of sin(u).
    end = math.atan2(math.sqrt(degrees) * error, distance)
    nodes, weights = _quadrature()
    part = end / 2 * float(weights @ np.sin(end / 2 * (1 + nodes)) ** (degrees - 1))
    log_whole = math.lgamma(degrees / 2) - math.lgamma((degrees + 1) / 2)
    return min(1.0, part / (math.sqrt(math.pi) / 2 * math.exp(log_whole)))


@cache
def _quadrature() -> tuple[FloatArray, FloatArray]:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return nodes, weights


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values after Holm's step-down correction (1979), in the same order."""
    order = np.argsort(values, kind="stable")
    steps = np.arange(len(values), 0, -1) * np.asarray(values, np.float64)[order]
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return [float(it) for it in adjusted]


def _judged(tests: Sequence[_Test], tolerance: float) -> Iterator[Difference]:
    # What cannot differ asks nothing of chance: unchanged mechanisms cost the others no power.
    corrected = iter(holm([it.p for it in tests if not it.same]))
    for label, side, identities, score, (a, b), change, same, p in tests:
        adjusted = 1.0 if same else next(corrected)
        dropped = adjusted < SIGNIFICANT and change.value < -tolerance - NOTHING
        yield Difference(label, side, identities, score, a, b, change, same, p, adjusted, dropped)


def _notes(worlds: int, tests: Sequence[_Test]) -> Iterator[str]:
    count = sum(not it.same for it in tests)
    least = 1.0 if worlds == 1 else _least(worlds)
    if count and least * count >= SIGNIFICANT:
        yield (
            f"{worlds} worlds are too few to call any of {count} differences significant; "
            "compare with more --worlds."
        )
