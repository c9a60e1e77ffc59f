"""Mechanisms that tables call by short names, and sentences about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from trilemma import registry
from trilemma.incidents.asking import each
from trilemma.model import Mechanism

__all__ = ["answers", "listed", "quoted"]

Answer = TypeVar("Answer")


def answers(
    mechanisms: Iterable[str | Mechanism] | None,
    usual: Mapping[str, str],
    measure: Callable[[str, Mechanism], Answer],
) -> tuple[dict[str, Answer], Mapping[str, str]]:
    """Ask every mechanism the same, as `each` does, and call the usual ones by their names.

    Parameters
    ----------
    mechanisms : iterable of str or Mechanism, optional
        Default: those of `usual`.
    usual : mapping of str to str
        Specs by name.
    measure : callable
        From a label and its mechanism to the answer.

    Returns
    -------
    found : dict
        By name; by label where somebody chose the mechanisms.
    failures : mapping
        What is wrong with those that failed; errors are those of `each`.
    """
    found, failures = each(mechanisms, [*usual.values()], measure)
    if mechanisms is not None:
        return dict(found), failures
    names = {registry.label(registry.load(spec)): name for name, spec in usual.items()}
    return {names[label]: it for label, it in found.items()}, failures


def listed(numbers: Mapping[str, int | None], none: str) -> str:
    """Return numbers by name as half a sentence, those that share one together.

    Parameters
    ----------
    numbers : mapping
    none : str
        What stands for None.
    """
    grouped: dict[int | None, list[str]] = {}
    for name, number in numbers.items():
        grouped.setdefault(number, []).append(name)
    ranked = sorted(grouped, key=lambda it: (it is None, it))
    return "; ".join(f"{none if it is None else it} under {quoted(grouped[it])}" for it in ranked)


def quoted(names: Iterable[str]) -> str:
    """Return names with commas between them; they may hold commas themselves."""
    return ", ".join(f"`{name}`" for name in names)
