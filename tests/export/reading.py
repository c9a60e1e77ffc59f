"""What tests of exports share: a question, what spoils a run, readers of what was written."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from markdown_it import MarkdownIt

from tests.kept_cells import changed
from trilemma.export import Table, send
from trilemma.model import Budget
from trilemma.worlds import Preset

__all__ = [
    "ATTACK",
    "BUDGET",
    "LABELS",
    "QUESTION",
    "READ",
    "WORLD",
    "WORLDS",
    "Some",
    "damage",
    "edited",
    "from_csv",
    "sent",
    "table_of",
]

WORLD = Preset("pareto(1.2)", validators=5, miners=6)
BUDGET = Budget(stake=0.1, identities=4, evaluations=0)
LABELS = ("stake_weighted", "quadratic(power=0.25)", "dictator")
WORLDS = 3
QUESTION: dict[str, Any] = {"world": WORLD, "worlds": WORLDS, "budget": BUDGET, "workers": 1}


def edited(run: Path, **changes: Any) -> None:
    """Change what its run.json says."""
    told = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**told, **changes}))


@dataclass
class Some:
    """A few rows of one kind."""

    row: Any
    rows: Sequence[Any]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)


def damage(run: Path, label: str, world: int) -> None:
    with changed(run) as database:
        spoil = "UPDATE kept SET arrays = substr(arrays, 1, 99) WHERE mechanism LIKE ? AND name = ?"
        assert database.execute(spoil, (f"{label} %", str(world))).rowcount == 1


ATTACK = '''
from trilemma import Play
from trilemma.attacks.moves import abstain

print("hello")


def quiet(budget):
    """Say nothing."""
    yield Play("quiet", "{}", abstain)
'''


def typed(kind: Any, texts: dict[str, str], before: str = "") -> Any:
    """Return a row from what a file of texts says, and what may stand before them taken away."""

    def value(hint: Any, text: str) -> Any:
        if not text and hint in (str | None, int | None, float | None):
            return None
        plain = next(it for it in (str, int, float) if hint in (it, it | None))
        return plain(text.removeprefix(before) if plain is str else text)

    return kind(**{name: value(it, texts[name]) for name, it in get_type_hints(kind).items()})


def from_csv(data: bytes, kind: Any) -> list[Any]:
    lines = csv.DictReader(StringIO(data.decode(), newline=""))
    return [typed(kind, line, "'") for line in lines]


def from_json(data: bytes, kind: Any) -> list[Any]:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return [kind(**it) for it in json.loads(data, parse_constant=refuse)]


def from_md(data: bytes, kind: Any) -> list[Any]:
    lines = table_of(data)
    return [typed(kind, dict(zip(lines[0], line, strict=True))) for line in lines[1:]]


def table_of(data: bytes) -> list[list[str]]:
    """Return what a reader sees in each cell of a Markdown table."""
    lines: list[list[str]] = []
    for token in MarkdownIt().enable("table").parse(data.decode()):
        if token.type == "tr_open":
            lines.append([])
        elif token.type == "inline":
            seen = [it for it in token.children or () if it.type != "html_inline"]
            assert {it.type for it in seen} <= {"text", "text_special", "code_inline"}
            lines[-1].append("".join(it.content for it in seen))
    return lines


def from_parquet(data: bytes, kind: Any) -> list[Any]:
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs the extra `data`")
    return [kind(**it) for it in parquet.read_table(BytesIO(data)).to_pylist()]


READ: dict[str, Callable[[bytes, Any], list[Any]]] = {
    "csv": from_csv,
    "json": from_json,
    "md": from_md,
    "parquet": from_parquet,
}


def sent(table: Table, format: str) -> bytes:
    if format == "parquet":
        pytest.importorskip("pyarrow", reason="Parquet needs the extra `data`")
    file = BytesIO()
    send(table, file, format)
    return file.getvalue()
