"""Runs to export."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.export.reading import ATTACK, LABELS, QUESTION
from tests.few_attacks import few_attacks
from trilemma import registry
from trilemma.compare import compare
from trilemma.report import Report

__all__ = ["few_attacks"]  # a fixture that every test here takes


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    run = tmp_path_factory.mktemp("asked") / "run"
    return run, compare(LABELS, out=run, **QUESTION)


@pytest.fixture(scope="module")
def finished(asked: tuple[Path, Report]) -> Path:
    """A finished run, not to be changed."""
    return asked[0]


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run with an attack of one's own, asked for where it lies; and we are elsewhere."""
    monkeypatch.setattr(registry, "_found", {})  # another test's ./mine.py is another file
    there, elsewhere = tmp_path / "there", tmp_path / "elsewhere"
    there.mkdir()
    elsewhere.mkdir()
    (there / "mine.py").write_text(ATTACK.format("at all"))
    monkeypatch.chdir(there)
    question = {**QUESTION, "worlds": 1}
    compare(["uniform"], attacks=["./mine.py:quiet"], out=there / "run", **question)
    monkeypatch.chdir(elsewhere)
    return there / "run"
