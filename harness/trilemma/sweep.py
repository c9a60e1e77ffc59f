"""Cost curves: the scores along a range of any parameter.

What differs only in the budget is measured once, with the largest one, and scored at every
point; a parameter of the world or of a mechanism is measured anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from trilemma import registry
from trilemma.axes import Setting, grid, varied
from trilemma.checks import real
from trilemma.compare import measured
from trilemma.curves import Curves
from trilemma.errors import UsageError
from trilemma.executor import Progress, Workers
from trilemma.model import Attack, Budget, Mechanism
from trilemma.report.sweep import SCORES, Sweep, Target
from trilemma.run import Run
from trilemma.specs import meant
from trilemma.worlds import Preset, Source

__all__ = ["chosen", "sweep", "target_of"]

TARGETS = {"quality" if name == "quality_attacked" else name: name for name in SCORES}


def sweep(
    mechanisms: Iterable[str | Mechanism] | None = None,
    *,
    over: str,
    values: str | Iterable[float],
    until: str | None = None,
    world: Source | None = None,
    worlds: int = 16,
    budget: Budget | None = None,
    xi: float = 0.5,
    seed: int = 0,
    workers: int | Workers | None = None,
    out: str | os.PathLike[str] | None = None,
    attacks: Iterable[str | Attack] | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Score mechanisms along a range of one parameter.

    Parameters
    ----------
    mechanisms : iterable of str or Mechanism, optional
        As for `compare`. Default: every registered one; if `over` is a mechanism's parameter,
        that mechanism.
    over : str
        A parameter of the budget (`stake`, `identities`, `identity_cost`, `insiders`), of the
        world (`noise`, `clone_detection`, ...) or of a mechanism (`yuma.kappa`).
    values : str or iterable of float
        `"0..0.1"`, `"0..0.1:21"` (21 points), `"0,0.01,0.05"`, or numbers.
    until : str, optional
        A target, `"sybil_resistance >= 0.9"`: the smallest value that meets it is looked for.
        Scores: sybil_resistance, neutrality, quality (under attack), minimum.
    world, worlds, budget, xi, seed, workers, out, attacks, progress
        As for `compare`; but without a budget nothing is searched, only scripted plays are made.

    Returns
    -------
    Sweep
        A mechanism that fails anywhere is listed in `failures`; the others' curves are there.

    Raises
    ------
    UsageError
        For an unknown parameter or mechanism, an empty range, a value out of range, or a target
        that cannot be read.
    DataError
        If `out` cannot be used.
    """
    target = None if until is None else target_of(until)
    loaded, broken = registry.load_each(chosen(mechanisms, over))
    base = Setting(loaded, world or Preset(), budget or Budget(evaluations=0))
    places = grid(base, over, values)
    settings = [varied(base, over, value) for value in places]
    attacks = None if attacks is None else list(attacks)  # every run reads them
    asked = {"worlds": worlds, "xi": xi, "seed": seed, "workers": workers, "attacks": attacks}
    with _measured(over, places, settings, out, progress, asked) as runs:
        curves = Curves(over, places, settings, runs)
        return Sweep(
            parameter=over,
            values=places,
            seed=seed,
            budget=base.budget,
            world={**base.world.describe(), "worlds": worlds, "xi": xi},
            worlds=worlds,
            target=target,
            curves=tuple(curves.of(label, target) for label in curves.through),
            crossings=tuple(curves.crossings()),
            exact=curves.exact,
            failures=tuple(curves.failures(broken)),
            calls=curves.calls,
        )


def chosen(mechanisms: Iterable[str | Mechanism] | None, over: str) -> list[str | Mechanism] | None:
    """Return the mechanisms asked for; by default that whose parameter it is, or all."""
    if isinstance(mechanisms, str):
        raise UsageError(f"expected a list of mechanisms; write [{mechanisms!r}]")
    if mechanisms is not None:
        return list(mechanisms)
    owners = [name for name in registry.names() if over.startswith(f"{name}.")]
    return [*owners] or None


def target_of(text: str) -> Target:
    """Return what `until` means; a UsageError if it means nothing."""
    name, _, level = (part.strip() for part in text.partition(">="))
    try:
        number = float(level)
    except ValueError:
        number = None
    if name not in TARGETS or number is None:
        raise UsageError(
            f"cannot read the target {text!r}{meant(name, TARGETS)}; expected one of "
            f"{', '.join(TARGETS)}, then >= and a number, as in 'minimum >= 0.5'"
        )
    return Target(TARGETS[name], real(f"target: {name}", number, 0, 1))


@contextmanager
def _measured(
    over: str,
    places: tuple[float, ...],
    settings: list[Setting],
    out: str | os.PathLike[str] | None,
    progress: Progress | None,
    asked: Mapping[str, Any],
) -> Iterator[list[Run]]:
    """Give for every setting the run that holds its cells: one for all if they can share it."""
    shared = _share_cells(settings)
    groups = [settings] if shared else [[setting] for setting in settings]
    with ExitStack() as opened:
        runs: list[Run] = []
        for at, (place, group) in enumerate(zip(places, groups, strict=False)):
            run = measured(
                _by_label(group),
                world=group[0].world,
                budget=_largest(group),
                out=out if shared or out is None else Path(out) / _folder(over, place),
                progress=progress and _part(progress, at, len(groups)),
                **asked,
            )
            runs += [opened.enter_context(run)] * len(group)
        yield runs


def _folder(over: str, place: float) -> str:
    # ../rules.py:Rule.power must not lead out of the run
    return f"{over.replace('/', '_').replace(os.sep, '_')}={place!r}"


def _share_cells(settings: list[Setting]) -> bool:
    """Tell whether cells measured with the largest budget hold those of all settings.

    A search is made at one stake only, so what it found tells nothing about a smaller one.
    """
    world, budget = settings[0].world, settings[0].budget
    alike = all(it.budget.stake == budget.stake for it in settings) or not budget.evaluations
    return alike and all(it.world is world for it in settings)


def _by_label(settings: Iterable[Setting]) -> dict[str, Mechanism]:
    every = [it for setting in settings for it in setting.mechanisms.values()]
    once = {id(mechanism): mechanism for mechanism in every}
    return {registry.label(mechanism): mechanism for mechanism in once.values()}


def _largest(settings: Iterable[Setting]) -> Budget:
    """Return the budget whose plays hold those of all others."""
    budgets = [setting.budget for setting in settings]
    return replace(
        budgets[0],
        stake=max(budget.stake for budget in budgets),
        identities=max(budget.identities for budget in budgets),
    )


def _part(progress: Progress, at: int, parts: int) -> Progress:
    """Return what tells of one of several equal parts as of the whole."""
    return lambda done, total: progress(at * total + done, parts * total)
