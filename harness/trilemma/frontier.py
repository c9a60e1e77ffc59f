"""Which settings of mechanisms no other setting beats in Sybil resistance, neutrality and quality.

Candidates come from what a mechanism says of itself, in two optional attributes of its class:
`ranges`, values worth trying by parameter, and `published`, settings by the name that they are
known by; or from the ranges that are asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import numpy as np

from trilemma import registry
from trilemma.axes import Setting, grid, varied
from trilemma.compare import measured
from trilemma.errors import PluginError, UsageError
from trilemma.executor import Progress, Workers
from trilemma.model import Attack, BoolArray, Budget, FloatArray, Mechanism
from trilemma.report.frontier import SCORES, Candidate, Dominance, Frontier
from trilemma.resampled import Resampled
from trilemma.run import Run
from trilemma.scores import Scores, score
from trilemma.statistics import interval, resamples
from trilemma.worlds import Preset, Source

__all__ = ["frontier"]

TIE = 1e-9
AS_ASKED = "as asked"
EXAMPLES = {"ranges": "{'power': (0.25, 0.5)}", "published": "{'square root': {'power': 0.5}}"}


def frontier(
    mechanisms: Iterable[str | Mechanism] | None = None,
    *,
    over: Mapping[str, str | Iterable[float]] | None = None,
    world: Source | None = None,
    worlds: int = 16,
    budget: Budget | None = None,
    xi: float = 0.5,
    seed: int = 0,
    workers: int | Workers | None = None,
    out: str | os.PathLike[str] | None = None,
    attacks: Iterable[str | Attack] | None = None,
    progress: Progress | None = None,
) -> Frontier:
    """Find the settings that no other one beats in all three scores, within a budget.

    Parameters
    ----------
    mechanisms : iterable of str or Mechanism, optional
        As for `compare`. Default: every registered one. Each is tried as it is, with every
        combination of its `ranges`, and with what was published of it.
    over : mapping of str to (str or iterable of float), optional
        Other ranges by parameter, `{"stake_capped.percentile": "80..99"}`; they stand in for
        all that its mechanism says itself.
    world, worlds, budget, xi, seed, workers, out, attacks, progress
        As for `compare`; but without a budget nothing is searched, only scripted plays are made.

    Returns
    -------
    Frontier
        A candidate that fails is listed in `failures`; the others are there.

    Raises
    ------
    UsageError
        For an unknown parameter or mechanism, an empty range, or a value out of range.
    PluginError
        If a mechanism declares ranges that cannot be read.
    DataError
        If `out` cannot be used.
    """
    if isinstance(mechanisms, str):
        raise UsageError(f"expected a list of mechanisms; write [{mechanisms!r}]")
    loaded, broken = registry.load_each(None if mechanisms is None else list(mechanisms))
    source, limits = world or Preset(), budget or Budget(evaluations=0)
    asked = Setting(loaded, source, limits)
    candidates, names = _candidates(asked, over or {})
    with measured(
        candidates,
        world=source,
        worlds=worlds,
        budget=limits,
        xi=xi,
        seed=seed,
        workers=workers,
        out=out,
        attacks=attacks,
        progress=progress,
    ) as run:
        return Frontier(
            seed=seed,
            budget=limits,
            world={**source.describe(), "worlds": worlds, "xi": xi},
            worlds=worlds,
            candidates=_judged(run, names),
            failures=tuple(run.failures(broken)),
            calls=sum(it.calls for it in run.contestants.values()),
        )


def _candidates(
    asked: Setting, over: Mapping[str, str | Iterable[float]]
) -> tuple[dict[str, Mechanism], dict[str, str]]:
    """Return what is tried, and how the settings that have a name are called, both by label."""
    given = {parameter: grid(asked, parameter, values) for parameter, values in over.items()}
    heads = tuple(f"{registry.name(it)}." for it in asked.mechanisms.values())
    for stray in (parameter for parameter in given if not parameter.startswith(heads)):
        raise UsageError(f"{stray} belongs to no mechanism; expected one as in yuma.kappa")
    candidates: dict[str, Mechanism] = {}
    names: dict[str, str] = {}
    for label, mechanism in asked.mechanisms.items():
        head = f"{registry.name(mechanism)}."
        own = {it.removeprefix(head): values for it, values in given.items() if it.startswith(head)}
        ranges = own or {it: tuple(values) for it, values in _declared(mechanism, "ranges").items()}
        known = {
            it: _changed(mechanism, of) for it, of in _declared(mechanism, "published").items()
        }
        tried = (dict(zip(ranges, values, strict=True)) for values in product(*ranges.values()))
        for it in (mechanism, *known.values(), *(_changed(mechanism, of) for of in tried)):
            candidates.setdefault(registry.label(it), it)
        names |= {label: AS_ASKED, **{registry.label(it): name for name, it in known.items()}}
    return candidates, names


def _declared(mechanism: Mechanism, attribute: str) -> Mapping[str, Any]:
    """Return an optional mapping that a mechanism's class declares."""
    declared = getattr(type(mechanism), attribute, {})
    if not isinstance(declared, Mapping):
        raise PluginError(
            f"{registry.label(mechanism)}: {attribute} must be a mapping, as in "
            f"{EXAMPLES[attribute]}, not {declared!r}"
        )
    return declared


def _changed(mechanism: Mechanism, values: Mapping[str, float]) -> Mechanism:
    """Return a mechanism with several parameters changed."""
    setting = Setting({"": mechanism}, Preset(), Budget())
    for name, value in values.items():
        setting = varied(setting, f"{registry.name(mechanism)}.{name}", value)
    return setting.mechanisms[""]


def _judged(run: Run, names: Mapping[str, str]) -> tuple[Candidate, ...]:
    """Score every candidate that came through, and tell who beats whom."""
    sample = resamples(run.worlds)
    known: list[tuple[str, str, Scores]] = []
    for it in run.through():
        means = Resampled.within(it.cells, run.suite, run.budget.identities, sample)
        found = score(means, it.coalitions, run.budget, knows_quality=run.source.knows_quality)
        known.append((it.label, registry.name(it.mechanism), found))
    if not known:
        return ()
    scores = np.array([[getattr(found, name) for name in SCORES] for _, _, found in known])
    beats = _beats(scores)
    best = np.asarray(~beats.any(axis=0))
    labels, heads = [label for label, _, _ in known], np.array([head for _, head, _ in known])
    return tuple(
        Candidate(
            label=label,
            mechanism=head,
            setting=names.get(label),
            **{it: interval(getattr(found, it)) for it in (*SCORES, "minimum")},
            pareto_share=float(best[at, 1:].mean()),
            beaten=_dominance(labels, scores, beats[:, at], at),
            beaten_by_own=_dominance(labels, scores, beats[:, at] & (heads == head)[:, None], at),
        )
        for at, (label, head, found) in enumerate(known)
    )


def _beats(scores: FloatArray) -> BoolArray:
    """Tell which candidate (first axis) beats which (second) in which resample.

    That is: it is as good in all scores, and better in one.

    Parameters
    ----------
    scores : ndarray, shape (candidates, 3, b)
    """
    return np.array(
        [(one >= scores - TIE).all(axis=1) & (one > scores + TIE).any(axis=1) for one in scores]
    )


def _dominance(
    labels: list[str], scores: FloatArray, beats: BoolArray, at: int
) -> Dominance | None:
    """Return which of those that beat a candidate gains most in all, and how much in each.

    Parameters
    ----------
    labels : list of str
    scores : ndarray, shape (candidates, 3, b)
    beats : ndarray of bool, shape (candidates, b)
        Which ones may count as beating it, by resample.
    at : int
        The candidate.
    """
    if not beats[:, 0].any():
        return None
    gains = scores - scores[at]
    by = int(np.where(beats[:, 0], gains[:, :, 0].sum(axis=1), -np.inf).argmax())
    paired = {name: interval(gain) for name, gain in zip(SCORES, gains[by], strict=True)}
    return Dominance(labels[by], **paired, share=float(beats[by, 1:].mean()))
