"""`pytest benchmarks --mechanism SPEC` puts somebody's own plug-in beside the registered ones."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

if "CI" not in os.environ:  # there Hypothesis takes its own profile: no deadline, no chance
    settings.register_profile("dev", deadline=None)  # a first call compiles
    settings.load_profile("dev")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option; only the conftest of the root is read before the options are."""
    parser.addoption(
        "--mechanism",
        action="append",
        default=[],
        metavar="SPEC",
        help="A mechanism to time beside the registered ones, as for trilemma compare; repeatable.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a mechanism that cannot be loaded before anything is timed."""
    if specs := config.getoption("mechanism"):
        from trilemma.errors import TrilemmaError
        from trilemma.registry import load

        try:
            for spec in specs:
                load(spec)
        except TrilemmaError as error:
            raise pytest.UsageError(f"--mechanism: {error}") from error
