"""What an incident's question comes to: facts with their sources, tables, and sentences."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import fill
from typing import Any, Literal, TypeAlias

__all__ = ["Fact", "Incident", "Table", "Value"]

SCHEMA = 1
WIDTH = 100  # characters

Value: TypeAlias = float | int | str | None
"""A cell of a table; None where there is no such number."""


@dataclass(frozen=True)
class Fact:
    """Something that is said to have happened.

    Parameters
    ----------
    text : str
        Who did it, by role.
    certainty : {"P", "2", "allegation"}
        A primary source was read; a secondary one; or it is contested.
    source : str
    """

    text: str
    certainty: Literal["P", "2", "allegation"]
    source: str

    def __str__(self) -> str:
        return f"[{self.certainty}] {self.text} ({self.source})"


@dataclass(frozen=True)
class Table:
    """Numbers by row; the first column is called `head`.

    Parameters
    ----------
    title : str
        What the numbers are, in a sentence.
    columns : tuple of str
    rows : tuple of (str, tuple)
        A label, and one value for each column.
    head, across, caption : str
        What labels and columns are, and what a figure of it is called.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Value, ...]], ...]
    head: str = "mechanism"
    across: str = ""
    caption: str = ""

    def __str__(self) -> str:
        cells = [(label, [*map(_shown, values)]) for label, values in self.rows]
        first = max([len(self.head), *(len(label) for label, _ in cells)])
        widths = [
            max([len(name), *(len(values[at]) for _, values in cells)])
            for at, name in enumerate(self.columns)
        ]
        lines = [(self.head, list(self.columns)), *cells]
        told = [
            f"{label:{first}}" + "".join(f"  {it:>{w}}" for it, w in zip(row, widths, strict=True))
            for label, row in lines
        ]
        return "\n".join([_wrapped(self.title), "", told[0], "-" * len(told[0]), *told[1:]])

    def shares(self) -> tuple[dict[str, tuple[float, ...]], tuple[str, ...]]:
        """Return numbers by row, and the columns, for a figure."""
        return {
            label: tuple(float(it or 0) for it in row) for label, row in self.rows
        }, self.columns

    def markdown(self) -> str:
        """Return the table in Markdown, its title above."""
        head = f"| {' | '.join([self.head, *self.columns])} |"
        rule = f"| --- |{' ---: |' * len(self.columns)}"
        rows = (f"| {' | '.join([label, *map(_shown, values)])} |" for label, values in self.rows)
        return "\n".join([self.title, "", head, rule, *rows])


def _wrapped(text: str, indent: str = "") -> str:
    return fill(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _shown(value: Value) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Incident:
    """The answer to `trilemma incident NAME`. Prints as text.

    Parameters
    ----------
    name, title : str
    question : str
        What is asked of the mechanisms: never whether a contested claim is true.
    facts : tuple of Fact
    tables : tuple of Table
    findings : tuple of str
        What the tables show, in sentences whose numbers come from the run.
    mechanisms : tuple of dict
        What the JSON holds of every mechanism; the first key is `label`.
    failures : dict
        Mechanisms that are missing, and why.
    drawn : Table, optional
        The table that a figure shows: shares, by row and column.
    """

    name: str
    title: str
    question: str
    facts: tuple[Fact, ...]
    tables: tuple[Table, ...]
    findings: tuple[str, ...]
    mechanisms: tuple[Mapping[str, Any], ...]
    failures: Mapping[str, str] = field(default_factory=dict)
    drawn: Table | None = None

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield from (f"{self.name}: {self.title}", "", _wrapped(self.question), "")
        yield from (_wrapped(str(fact), "  ") for fact in self.facts)
        for table in self.tables:
            yield from ("", str(table))
        yield from ("", *(_wrapped(f"* {it}", "  ") for it in self.findings))

    def markdown(self) -> str:
        """Return what is found as Markdown, without heading."""
        facts = [f"* {fact}" for fact in self.facts]
        parts: Sequence[str] = [
            self.question,
            "\n".join(facts),
            *(table.markdown() for table in self.tables),
            "\n".join(f"* {it}" for it in self.findings),
        ]
        return "\n\n".join(parts)

    def to_json(self) -> str:
        """Return the documented JSON (docs/json.md), the same bytes for the same question."""
        whole = {
            "schema": SCHEMA,
            "incident": self.name,
            "mechanisms": [dict(it) for it in self.mechanisms],
        }
        return json.dumps(whole, indent=2, allow_nan=False) + "\n"
