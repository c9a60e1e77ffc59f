"""Checks as pytest's tests: one for each mechanism and property."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from trilemma import registry
from trilemma.model import Mechanism
from trilemma.testing.check import Check
from trilemma.testing.verdict import Violated, checks_of, expectations, judge

__all__ = ["parametrize_with_checks"]


@dataclass(frozen=True)
class _Holds:
    """Fails unless a mechanism has a property."""

    check: Check

    def __call__(self, mechanism: Mechanism) -> None:
        verdict = judge(self.check, mechanism)
        if not verdict.passes:
            raise Violated(f"{registry.label(mechanism)}, {verdict.told()}")


def parametrize_with_checks(
    mechanisms: Sequence[Mechanism | str],
    *,
    expected_failures: Mapping[str, str] | None = None,
) -> Callable[[Any], Any]:
    """Parametrise a test over mechanisms, and the laws and claims that bind each.

    The test takes `mechanism` and `check`, and calls `check(mechanism)`.

    Parameters
    ----------
    mechanisms : sequence of (Mechanism or str)
        Themselves, or specs as for `trilemma.load`.
    expected_failures : mapping, optional
        Name of a law or claim to why it is broken. Its tests are xfail, and strictly so.

    Returns
    -------
    callable
        The decorator.

    Raises
    ------
    UsageError, DataError, PluginError
        As `trilemma.load`, and if there are no such properties.
    """
    loaded, failed = registry.load_each(mechanisms)
    for error in failed.values():
        raise error
    return pytest.mark.parametrize(
        ("mechanism", "check"),
        [
            pytest.param(rule, _Holds(check), id=f"{label}-{check.name}", marks=marks)
            for label, rule in loaded.items()
            for check, marks in _marked(rule, expected_failures)
        ],
    )


def _marked(rule: Mechanism, given: Mapping[str, str] | None) -> list[tuple[Check, Any]]:
    checks = checks_of(rule)
    expected = expectations(rule, checks, given)
    return [
        (
            check,
            [pytest.mark.xfail(reason=expected[check.name], raises=Violated, strict=True)]
            if check.name in expected
            else [],
        )
        for check in checks
    ]
