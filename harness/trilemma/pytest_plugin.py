"""The pytest plug-in: `pytest --mechanism my_module:Mine` checks a mechanism.

Every pytest in the environment loads this, so the kit is not imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from trilemma.profiles import PROFILES, load_profile

if TYPE_CHECKING:
    from trilemma.model import Mechanism
    from trilemma.testing.check import Check

CORPUS = ".trilemma"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("trilemma", "reward mechanisms")
    group.addoption(
        "--mechanism",
        action="append",
        default=[],
        metavar="SPEC",
        help="Check a mechanism's laws and claims: a name, module:Name or ./file.py:Name. "
        "Without other arguments nothing else is tested. Repeatable.",
    )
    group.addoption(
        "--trilemma-profile",
        choices=tuple(PROFILES),
        help="How hard to look for counterexamples of laws and claims; ci: the same cases always. "
        "Default: ci where CI is set, else dev.",
    )
    parser.addini(
        "trilemma_corpus",
        f"Folder of past counterexamples, from the root of the project. Default: {CORPUS}",
        default=CORPUS,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose the profile; leave everything else out where mechanisms alone are asked for."""
    load_profile(
        config.getoption("trilemma_profile"), config.rootpath / config.getini("trilemma_corpus")
    )
    if config.getoption("mechanism") and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add a test for each mechanism and property."""
    items += [item for spec in config.getoption("mechanism") for item in _items(session, spec)]


def _items(session: pytest.Session, spec: str) -> Iterator[pytest.Item]:
    from trilemma import registry
    from trilemma.errors import TrilemmaError
    from trilemma.testing.verdict import checks_of, expectations

    try:
        rule = registry.load(spec)
        checks = checks_of(rule)
        expected = expectations(rule, checks, None)
    except TrilemmaError as error:
        raise pytest.UsageError(f"--mechanism {spec}: {error}") from error
    for check in checks:
        yield CheckItem.from_parent(
            session,
            name=f"{registry.label(rule)}::{check.name}",
            nodeid=f"{registry.label(rule)}::{check.name}",
            rule=rule,
            check=check,
            expected=expected.get(check.name, ""),
        )


class CheckItem(pytest.Item):
    """One property of one mechanism."""

    def __init__(self, *, rule: Mechanism, check: Check, expected: str, **given: Any) -> None:
        super().__init__(**given)
        self.rule, self.check, self.expected = rule, check, expected

    def runtest(self) -> None:
        """Look for a counterexample."""
        from trilemma.testing.verdict import Violated, judge

        verdict = judge(self.check, self.rule, expected=self.expected)
        if verdict.word == "fails as expected":
            pytest.xfail(self.expected)
        if not verdict.passes:
            raise Violated(verdict.told())

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what was found, without where in the kit."""
        from trilemma.testing.verdict import Violated

        if isinstance(excinfo.value, Violated):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Say where the mechanism comes from."""
        return self.path, None, self.name
