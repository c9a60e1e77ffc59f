"""Rows of a run as files: every format reads back, and the command writes it."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.data import ROOT
from tests.export.reading import READ, WORLDS, Some, damage, edited, from_csv, sent, table_of
from tests.kept_cells import changed
from trilemma.cli import app
from trilemma.errors import DataError, UsageError
from trilemma.export import (
    FORMATS,
    CellRow,
    ScoreRow,
    cells,
    format_of,
    scores,
    write,
)
from trilemma.report import Report


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("read", [scores, cells])
def test_every_format_reads_back_to_the_same_rows(
    finished: Path, tmp_path: Path, read: Callable[[Path], Any], format: str
) -> None:
    table, file = read(finished), tmp_path / f"it.{format}"
    assert sent(table, format)  # or Parquet is not there
    write(table, file)
    assert READ[format](file.read_bytes(), table.row) == list(table)
    assert [it.name for it in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("format", FORMATS)
def test_no_rows_are_a_table_too(format: str) -> None:
    assert READ[format](sent(Some(ScoreRow, ()), format), ScoreRow) == []


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def hostile(text: str) -> ScoreRow:
    return ScoreRow(text, "free", 1, "minimum", 0.1, -0.0, 5e-324, text)


@pytest.mark.parametrize("format", ["csv", "json", "parquet"])
@given(rows=st.lists(st.builds(ScoreRow, st.text(min_size=1), value=FLOATS, low=FLOATS)))
def test_any_text_and_any_number_read_back(format: str, rows: list[ScoreRow]) -> None:
    rows = [row._replace(side="free", score="s", high=1.0, identities=1) for row in rows]
    rows = [row._replace(worst_play=row.mechanism) for row in rows]
    found = READ[format](sent(Some(ScoreRow, rows), format), ScoreRow)
    assert found == rows
    assert [str(it) for it in found] == [str(it) for it in rows]  # minus zero, too


HOSTILE = [
    "=1+1",
    "@SUM(A1)",
    "-2",
    "+cmd|' /C calc'!A0",
    "'quoted",
    'a,b;c"d',
    "| a | b",
    "a\\|b",
    "`code` | x",
    "<script>alert(1)</script>",
    "[a](http://b.example)",
    "_a_ **b**",
    "&lt;",
    "http://a.example/",
    "名前 — ü",
]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_label_is_text(text: str, format: str) -> None:
    rows = [hostile(text)]
    assert READ[format](sent(Some(ScoreRow, rows), format), ScoreRow) == rows


@pytest.mark.parametrize("text", ["=1+1", "@a", "-1", "+1", "\t=1", "\r=1", "'a"])
def test_a_spreadsheet_takes_no_text_for_a_formula(text: str) -> None:
    data = sent(Some(ScoreRow, [hostile(text)]), "csv").decode()
    _, [first, *_, last] = csv.reader(StringIO(data, newline=""))
    assert first == last == f"'{text}"


@given(st.text())
def test_no_text_breaks_out_of_its_cell_of_markdown(text: str) -> None:
    lines = table_of(sent(Some(ScoreRow, [hostile(text)] * 2), "md"))
    assert [len(line) for line in lines] == [len(ScoreRow._fields)] * 3


def test_what_is_no_number_is_not_written_as_json() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        sent(Some(ScoreRow, [hostile("a")._replace(value=float("nan"))]), "json")


# --- formats and files ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "format", "expected"),
    [("a.csv", None, "csv"), ("a.b.MD", None, "md"), ("a.csv", "json", "json"), ("-", "md", "md")],
)
def test_the_format_is_what_is_asked_for_or_what_the_name_ends_with(
    file: str, format: str | None, expected: str
) -> None:
    assert format_of(file, format) == expected


@pytest.mark.parametrize(
    ("file", "format", "said"),
    [
        ("a.parqet", None, "a.parqet: its name ends with no format: .* did you mean 'parquet'?"),
        ("a", None, "a: its name ends with no format: expected csv, json, md, parquet, got ''"),
        ("a.csv", "jsn", "format: expected csv, json, md, parquet, got 'jsn'; did you mean 'json'"),
    ],
)
def test_another_format_is_refused(file: str, format: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        format_of(file, format)


def test_without_pyarrow_parquet_says_what_to_install(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "trilemma.export.parquet", raising=False)
    with pytest.raises(UsageError, match=r"pip install 'trilemma\[data\]', or choose csv"):
        write(scores(finished), tmp_path / "it.parquet")
    assert not list(tmp_path.iterdir())


def test_a_file_is_written_whole_or_stays_as_it_was(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "it.csv"
    write(cells(run), file)
    before = file.read_bytes()
    damage(run, "dictator", WORLDS - 1)
    with pytest.raises(DataError, match="the cell of dictator in world 2 is damaged"):
        write(cells(run), file)
    assert file.read_bytes() == before
    assert {it.name for it in tmp_path.iterdir()} == {"run", "it.csv"}


@pytest.mark.parametrize("place", ["nowhere/it.csv", "folder.csv"])
def test_where_nothing_can_be_written_is_said(finished: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=f"{place}: cannot write the table"):
        write(scores(finished), tmp_path / place)
    assert [it.name for it in tmp_path.iterdir()] == ["folder.csv"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_few_thousand_rows_are_in_memory_at_a_time(format: str) -> None:
    alive: list[int] = [0, 0]

    class Counted(ScoreRow):
        def __del__(self) -> None:
            alive[0] -= 1

    class Many:
        row = ScoreRow

        def __iter__(self) -> Iterator[ScoreRow]:
            for number in range(20_000):
                alive[0] += 1
                alive[1] = max(alive)
                yield Counted("a", "free", number, "minimum", 0.5, 0.25, 1.0, None)

    assert sent(Many(), format)
    assert alive[0] == 0
    assert alive[1] <= 2 * 4096


# --- the command ---------------------------------------------------------------------------------


def told(*arguments: str | Path) -> tuple[int, str, str]:
    found = CliRunner().invoke(app, ["export", *map(str, arguments)])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, found.stdout_bytes.decode(), found.stderr


def test_the_command_prints_the_scores_as_csv(finished: Path) -> None:
    expected = sent(scores(finished), "csv").decode()
    assert told(finished) == (0, expected, "")
    assert told(finished, "scores", "-o", "-") == (0, expected, "")


@pytest.mark.parametrize("format", FORMATS)
def test_the_command_writes_what_is_chosen(finished: Path, tmp_path: Path, format: str) -> None:
    table = cells(finished, mechanism="dictator", world=1, attack="censorship")
    wanted = ("--mechanism", "dictator", "--world", "1", "--attack", "censorship")
    assert sent(table, format)  # or Parquet is not there
    file = tmp_path / f"it.{format}"
    assert told(finished, "cells", *wanted, "-o", file) == (0, "", "")
    assert READ[format](file.read_bytes(), CellRow) == list(table)
    other = tmp_path / "it"
    assert told(finished, "cells", *wanted, "-o", other, "--format", format) == (0, "", "")
    assert other.read_bytes() == file.read_bytes()


def test_the_command_says_what_is_missing(run: Path) -> None:
    with changed(run) as database:
        database.execute("DELETE FROM kept WHERE mechanism LIKE 'dictator %' AND name = '1'")
    code, out, err = told(run, "cells")
    assert (code, out.count("\r\n")) == (0, 1 + len(list(cells(run))))
    assert err.startswith(f"trilemma: {run}: 1 cells are not there")
    assert told(run, "cells", "--world", "0")[2] == ""


def test_what_attacks_print_does_not_get_into_the_rows(own: Path) -> None:
    (own.parent / "other.py").write_text((own.parent / "mine.py").read_text())
    asked = json.loads((own / "run.json").read_text())
    edited(
        own, attacks={it.replace("mine.py", "other.py"): at for it, at in asked["attacks"].items()}
    )
    code, out, err = told(own, "cells")
    assert (code, err) == (0, "hello\n")
    assert from_csv(out.encode(), CellRow) == list(cells(own))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("cell",), 2, "no table is called 'cell'; did you mean 'cells'?"),
        (("cells", "--attack", "sensorship"), 2, "did you mean 'censorship'?"),
        (("scores", "--world", "1"), 2, "choose cells; write trilemma export RUN cells"),
        (("-o", "it.xls"), 2, "it.xls: its name ends with no format"),
        (("--format", "xml"), 2, "expected csv, json, md, parquet, got 'xml'"),
        (("-o", "nowhere/it.csv"), 3, "nowhere/it.csv: cannot write the table there"),
        (("-o", "/dev/null", "--format", "csv"), 3, "/dev/null: cannot write the table there"),
    ],
    ids=str,
)
def test_the_command_says_what_is_wrong_in_one_line(
    finished: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    found, out, err = told(finished, *arguments)
    assert (found, out) == (code, "")
    assert said in err
    assert err.count("\n") == 1


def test_the_command_says_where_there_is_no_run(tmp_path: Path) -> None:
    code, out, err = told(tmp_path, "cells")
    assert (code, out) == (3, "")
    assert "no run.json in it" in err


# --- the how-to ----------------------------------------------------------------------------------


WORDS = re.compile(r"`(\w+)`")
PAGE = (ROOT / "docs/how-to/export.md").read_text()


def test_the_how_to_names_every_column() -> None:
    _, of_scores, of_cells = PAGE.split("\n| column | |\n")
    for kind, part in ((ScoreRow, of_scores), (CellRow, of_cells)):
        table = part[: part.index("\n\n")]
        columns = [
            name for line in table.splitlines() for name in WORDS.findall(line.split("|")[1])
        ]
        assert columns == list(kind._fields)


def test_the_code_of_the_how_to_finds_what_the_report_says(
    asked: tuple[Path, Report],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, report = asked
    shutil.copytree(run, tmp_path / "runs/0001")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        exec(compile(block, "export.md", "exec", dont_inherit=True), names)
    assert from_csv(Path("scores.csv").read_bytes(), ScoreRow) == list(scores(run))
    printed = capsys.readouterr().out.splitlines()[1:]
    for line, row in zip(printed, report.rows, strict=True):
        told = re.fullmatch(r"(\w+): (.*), stake (.*)", row.free.worst_sybil_play)
        if told is not None:
            assert line == f"{row.label} {told[1]} {told[2]} {float(told[3])}"
    assert any(row.free.worst_sybil_play != "none" for row in report.rows)
