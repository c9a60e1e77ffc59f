"""The README says what is true of this tree: its table, its commands, its code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import regenerate
from trilemma import Preset, compare, load

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SMALL = Preset(validators=14, miners=20)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def cells(table: str) -> list[list[str]]:
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def numbers(row: list[str]) -> list[float]:
    return [float(cell.split("±")[0]) for cell in row[1:] if cell != "-"]


def test_the_table_is_what_the_default_comparison_prints() -> None:
    shown = README.split(regenerate.BEGIN)[1].split(regenerate.END)[0]
    fresh = regenerate.generated(compare())
    for old, new in zip(cells(shown), cells(fresh), strict=True):
        assert old[0] == new[0]
        # Other processors may round the last digit shown differently.
        assert numbers(old) == pytest.approx(numbers(new), abs=0.011)
    sentences = [line for line in shown.splitlines() if line.startswith("*")]
    assert sentences == [line for line in fresh.splitlines() if line.startswith("*")]


def test_continuous_integration_runs_the_test_command_of_the_readme() -> None:
    run, test = (command.strip() for command in blocks("bash")[:2])
    assert test in (ROOT / ".ci/run").read_text()
    assert run.startswith("python3 -m venv .venv && ")
    assert "bash .ci/run" in (ROOT / ".github/workflows/ci.yml").read_text()


def test_the_ten_line_mechanism_takes_part(tmp_path: Path) -> None:
    code = blocks("python")[0]
    assert len(code.strip().splitlines()) <= 11
    (tmp_path / "plurality.py").write_text(code)
    mechanism = load(f"{tmp_path}/plurality.py:Plurality")
    report = compare([mechanism, "yuma"], world=SMALL, worlds=2)
    assert not report.failures
    assert report.rows[0].name.endswith("plurality.py:Plurality")


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    exec(blocks("python")[1], names)
    assert "quadratic" in capsys.readouterr().out
