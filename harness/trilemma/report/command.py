"""The command line that asks the same question again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from trilemma.model import Budget
from trilemma.worlds import Preset

__all__ = ["command"]

RUN = {"network": None, "worlds": 16, "xi": 0.5, "distrusted": 0}
ONLY_PYTHON = ("spread",)  # what no option says
OF_FILE = ("sha256", "epochs", "validators", "miners")  # what a network is known by
RENAMED = {"stake": "attacker_stake"}  # of the budget: the world has a stake as well


def command(
    mechanisms: Sequence[str],
    world: dict[str, Any],
    budget: Budget,
    seed: int,
    extra: Sequence[str],
) -> str:
    """Return the `trilemma compare` that a report answers; empty if there is none.

    Parameters
    ----------
    mechanisms : sequence of str
        Labels.
    world : dict
        As `Report.world`. One that a program of its own made has no command.
    budget : Budget
    seed : int
    extra : sequence of str
        Labels of attacks beside the registered ones.
    """
    asked = {name: value for name, value in world.items() if not _is_of_file(name, world)}
    usual = {**Preset().describe(), **RUN}
    unsaid = {name for name in ONLY_PYTHON if asked.get(name) != usual[name]}
    if not set(asked) <= set(usual) or unsaid.intersection(asked):
        return ""
    options = [it for name, value in asked.items() for it in _option(name, value, usual[name])]
    options += [it for name, value, free in _budget(budget) for it in _option(name, value, free)]
    options += [it for attack in extra for it in ("--attack", attack)]
    options += _option("seed", seed, 0)
    return shlex.join(["trilemma", "compare", *mechanisms, *options])


def _is_of_file(name: str, world: dict[str, Any]) -> bool:
    return "network" in world and name in OF_FILE


def _budget(budget: Budget) -> Iterator[tuple[str, object, object]]:
    for field in fields(Budget):
        name = RENAMED.get(field.name, field.name)
        yield name, getattr(budget, field.name), field.default


def _option(name: str, value: Any, usual: object) -> list[str]:
    if value == usual:
        return []
    text = ",".join(map(str, value)) if isinstance(value, tuple) else f"{value}"
    return [f"--{name.replace('_', '-')}", text]
