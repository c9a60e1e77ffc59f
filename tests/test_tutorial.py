"""The tutorial shows what its commands print, and its rule is the one that a new package holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.tutorial import BLOCK, PAGE, Walk
from tests.test_packaging import ran
from trilemma.scaffold import write_mechanism

pytestmark = pytest.mark.slow

NUMBER = re.compile(r"\d*\.?\d+")


def fractions(page: str) -> list[float]:
    return [float(number) for number in NUMBER.findall(page) if "." in number]


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the folder in which a reader ends, and the page as it would be written now."""
    folder = tmp_path_factory.mktemp("tutorial")
    return folder, Walk(folder).page(PAGE.read_text())


def test_every_command_prints_what_the_tutorial_shows(walk: tuple[Path, str]) -> None:
    shown, fresh = PAGE.read_text(), walk[1]
    assert NUMBER.sub("#", shown).split() == NUMBER.sub("#", fresh).split()
    # Other processors may round the last digit shown differently, and another Hypothesis may find
    # the same counterexample with other labels.
    assert fractions(shown) == pytest.approx(fractions(fresh), abs=0.011)


def test_the_first_code_is_what_a_new_package_holds(tmp_path: Path) -> None:
    project, _ = write_mechanism("merit", tmp_path)
    kind, code = BLOCK.findall(PAGE.read_text())[0]
    assert kind == "python"
    assert code == (project / "src/merit/__init__.py").read_text()


def test_the_mended_rule_passes_the_tests_and_the_lint_of_its_package(
    walk: tuple[Path, str],
) -> None:
    project = walk[0] / "merit"
    assert "agreed" in (project / "src/merit/__init__.py").read_text()
    ran("-m", "ruff", "check", ".", cwd=project)
    ran("-m", "ruff", "format", "--check", ".", cwd=project)
    # What it keeps and promises is checked on the page.
    ran("-m", "pytest", "-k", "not it_keeps_what_it_promises", cwd=project)


def test_a_page_that_shows_something_else_is_noticed(tmp_path: Path) -> None:
    page = "```bash\ntrilemma show uniform\n```\n\n```text\nuniform\nparameters: many\n```\n"
    fresh = Walk(tmp_path).page(page)
    assert fresh.startswith("```bash\ntrilemma show uniform\n```\n\n```text\nuniform\norigin: ")
    assert "parameters: none\n" in fresh
