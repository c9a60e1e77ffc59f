"""The README says what is true of this tree: its commands, its code, and other pages' tables.

Its own table is held against the default comparison in `test_controls.py`, which makes one.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from docs import regenerate
from trilemma import Preset, compare, load, retention_map
from trilemma.dynamics import dynamics
from trilemma.retention import STAKES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SMALL = Preset(validators=14, miners=20)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def cells(table: str) -> list[list[str]]:
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def part(page: str, name: str) -> str:
    return page.split(regenerate.begin(name))[1].split(regenerate.end(name))[0]


@pytest.mark.parametrize("name", regenerate.PARTS)
def test_every_generated_part_stands_in_its_page(name: str) -> None:
    page, _ = regenerate.PARTS[name]
    assert len(part((ROOT / page).read_text(), name).splitlines()) > 5


def assert_same_but_for_rounding(shown: str, fresh: str) -> None:
    """Compare word by word; other processors may round the last digit shown differently."""
    number = re.compile(r"\d+\.\d+")
    assert number.sub("", shown).split() == number.sub("", fresh).split()
    old, new = (list(map(float, number.findall(text))) for text in (shown, fresh))
    assert old == pytest.approx(new, abs=0.0011)


def test_the_page_on_yuma_shows_what_dynamics_prints() -> None:
    shown = part((ROOT / "docs/yuma.md").read_text(), "time")
    assert_same_but_for_rounding(
        shown.strip("`\n").removeprefix("text\n"), f"$ trilemma dynamics\n{dynamics()}"
    )


@pytest.mark.slow
def test_the_page_on_yuma_shows_what_the_map_prints() -> None:
    shown = cells(part((ROOT / "docs/yuma.md").read_text(), "rivals"))
    some = regenerate.RIVALS[:2]  # a line each, and none sees another
    fresh = retention_map(some, stakes=[0.6], seeds=regenerate.SEEDS)
    sixty = STAKES.index(0.6) + 1
    for old, new in zip(shown, cells(fresh.to_markdown()), strict=False):
        assert_same_but_for_rounding(f"{old[0]} {old[sixty]}", " ".join(new))


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


def test_the_python_example_runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trilemma.compare", partial(compare, world=SMALL, worlds=2))
    names: dict[str, object] = {}
    exec(blocks("python")[1], names)
    assert "quadratic" in capsys.readouterr().out


def test_the_example_of_a_simulation_runs() -> None:
    names: dict[str, Any] = {}
    exec(blocks("python")[2], names)
    assert names["history"].dividends.shape == (10, 2)
