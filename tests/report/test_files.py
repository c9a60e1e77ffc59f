"""A report in its folder: written, rebuilt, refused."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.report.made import report, told
from trilemma.cli import app
from trilemma.compare import compare
from trilemma.errors import DataError
from trilemma.model import Budget, Epoch, FloatArray
from trilemma.report.command import command
from trilemma.report.files import rebuild, save
from trilemma.report.page import render
from trilemma.worlds import Preset

SMALL = Preset("equal", validators=4, miners=5)


def asked(*arguments: str) -> tuple[int, str, str]:
    found = CliRunner().invoke(app, arguments)
    return found.exit_code, found.stdout, found.stderr


def test_a_run_keeps_its_page_and_builds_the_same_again(tmp_path: Path) -> None:
    page = save(report(), tmp_path)
    assert page == tmp_path / "report.html"
    first = page.read_text(encoding="utf-8")
    assert first == report().to_html() == render(told())
    page.unlink()
    code, out, err = asked("report", str(tmp_path))
    assert (code, out, err) == (0, f"{page}\n", "")
    assert page.read_text(encoding="utf-8") == first
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(json.dumps(told()))


def test_a_page_is_small(tmp_path: Path) -> None:
    page = render(told())
    data = len(json.dumps(told()))
    assert len(page.encode()) - data < 500_000
    assert save(report(), tmp_path).stat().st_size < 500_000


def test_a_resumed_run_has_the_same_page(tmp_path: Path) -> None:
    question: dict[str, Any] = {
        "world": SMALL,
        "worlds": 2,
        "budget": Budget(0.1, 2, evaluations=20),
        "workers": 1,
    }
    compare(["yuma"], out=tmp_path / "resumed", **question)
    compare(["yuma", "quadratic"], out=tmp_path / "resumed", **question)
    compare(["yuma", "quadratic"], out=tmp_path / "whole", **question)
    pages = [(tmp_path / name / "report.html").read_bytes() for name in ("resumed", "whole")]
    assert pages[0] == pages[1]


def test_every_failure_still_leaves_a_page(tmp_path: Path) -> None:
    def raises(_: Epoch) -> FloatArray:
        raise RuntimeError("<b>no</b>")

    compare([raises], world=SMALL, worlds=1, budget=Budget(0, 1), workers=1, out=tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert "<b>no</b>" not in page.partition('<script type="application/json"')[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("[1]", "expected an object, got list"),
        ("[" * 100_000, "not JSON"),
        ('{"schema": 1}', "is not of this program"),
    ],
)
def test_what_is_no_report_is_refused_in_one_line(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "report.json").write_text(text)
    code, out, err = asked("report", str(tmp_path))
    assert (code, out) == (DataError.exit_code, "")
    assert err.count("\n") == 1
    assert reason in err


def test_a_folder_without_a_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no report\.json in it"):
        rebuild(tmp_path)


def test_properties_beside_a_report_come_onto_its_page(tmp_path: Path) -> None:
    save(report(), tmp_path)
    found = tmp_path / "properties.json"
    found.write_text(
        json.dumps(
            {
                "mechanisms": [
                    {
                        "label": "yuma",
                        "properties": [
                            {
                                "check": "shapes",
                                "kind": "law",
                                "verdict": "holds",
                                "judged": 7,
                                "told": None,
                            },
                            {
                                "check": "no_veto_below(0.5)",
                                "kind": "claim",
                                "verdict": "broken",
                                "judged": 3,
                                "told": ["<i>n = 2"],
                            },
                        ],
                    }
                ]
            }
        )
    )
    page = rebuild(tmp_path).read_text(encoding="utf-8")
    assert "broken at 0.5 (3)" in page
    assert "&lt;i&gt;n = 2" in page
    found.write_text('{"mechanisms": 3}')
    with pytest.raises(DataError, match=r"properties\.json is not of this program"):
        rebuild(tmp_path)


def test_figures_are_drawn_as_files(tmp_path: Path) -> None:
    save(report(), tmp_path)
    code, out, err = asked("report", str(tmp_path), "--figures", str(tmp_path / "figures"))
    assert (code, err) == (0, "")
    drawn = [Path(line) for line in out.splitlines()[1:]]
    assert [it.name for it in drawn] == [
        "trade-off.svg",
        "cut-off.svg",
        "attacks.svg",
        "concentration.svg",
    ]
    for path in drawn:
        text = path.read_text()
        assert "<svg" in text
        assert text.count("<path") > 10


def test_a_notebook_shows_the_table_escaped() -> None:
    shown = report()._repr_html_()
    assert shown.count("<tr>") == 2 + len(report().rows)
    assert "yuma" in shown
    assert "dictator (control)" in shown


# --- the command line on the page ----------------------------------------------------------------


def test_the_command_on_the_page_asks_the_same_question() -> None:
    line = shlex.split(told()["command"])
    assert line[:2] == ["trilemma", "compare"]
    code, out, err = asked(*line[1:], "--quiet", "--workers=1", "--json=-")
    assert code == 0, err
    assert json.loads(out) == json.loads(report().to_json())


def test_questions_that_no_command_asks_have_none() -> None:
    world = {**Preset(spread=2.0).describe(), "worlds": 16, "xi": 0.5}
    assert command(["yuma"], world, Budget(), 0, []) == ""
    assert command(["yuma"], {"made": "elsewhere"}, Budget(), 0, []) == ""
    usual = {**Preset().describe(), "worlds": 16, "xi": 0.5}
    assert command(["yuma"], usual, Budget(), 0, []) == "trilemma compare yuma"


def test_a_network_is_named_by_its_file() -> None:
    world = {
        "network": "a b.npz",
        "sha256": "0",
        "epochs": 3,
        "validators": 4,
        "miners": 5,
        "noise": 0.1,
        "clone_detection": 0.5,
        "worlds": 8,
        "xi": 0.5,
    }
    line = command(["yuma(kappa=0.6)"], world, Budget(insiders=(1, 2)), 7, ["./a.py:b"])
    assert shlex.split(line) == [
        "trilemma",
        "compare",
        "yuma(kappa=0.6)",
        "--network",
        "a b.npz",
        "--clone-detection",
        "0.5",
        "--worlds",
        "8",
        "--insiders",
        "1,2",
        "--attack",
        "./a.py:b",
        "--seed",
        "7",
    ]
