"""One question to many mechanisms, where a plug-in that fails takes no other down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from trilemma import registry
from trilemma.errors import PluginError, UsageError
from trilemma.model import Mechanism

__all__ = ["each", "refuse_any"]

Answer = TypeVar("Answer")


def each(
    mechanisms: Iterable[str | Mechanism] | None,
    usual: Sequence[str],
    question: Callable[[str, Mechanism], Answer],
) -> tuple[Mapping[str, Answer], Mapping[str, str]]:
    """Ask every mechanism the same.

    Parameters
    ----------
    mechanisms : iterable of str or Mechanism, optional
    usual : sequence of str
        Who is asked where nobody is named.
    question : callable
        From a label and its mechanism to the answer.

    Returns
    -------
    answers : dict
        By label.
    failures : dict
        By spec or label, what is wrong with a plug-in.

    Raises
    ------
    UsageError
        As `registry.load_each`; also where there are no mechanisms.
    PluginError
        If all of them fail: what is wrong with the first.
    """
    if isinstance(mechanisms, str):
        raise UsageError(f"expected a list of mechanisms; write [{mechanisms!r}]")
    loaded, broken = registry.load_each(list(usual if mechanisms is None else mechanisms))
    answers: dict[str, Answer] = {}
    failures = {spec: str(error) for spec, error in broken.items()}
    for label, mechanism in loaded.items():
        try:
            answers[label] = question(label, mechanism)
        except PluginError as error:
            failures[label] = str(error)
    if not answers:
        if failures:
            raise PluginError(next(iter(failures.values())))
        raise UsageError("expected one mechanism or more, got none")
    return answers, failures


def refuse_any(incident: str, mechanisms: Iterable[str | Mechanism] | None) -> None:
    """Refuse mechanisms where an incident is about no reward mechanism."""
    if mechanisms is not None:
        raise UsageError(
            f"incident {incident} is about a rule of voting and asks no mechanism; name none"
        )
