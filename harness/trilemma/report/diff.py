"""What changed between two finished runs, as a table, as Markdown, as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trilemma.statistics import Interval

__all__ = ["SIGNIFICANT", "Changed", "Diff", "Difference"]

SCHEMA = 1
SIGNIFICANT = 0.05
# of Markdown, HTML, and what GitHub makes links, people or pictures of
MEANING = re.compile(r"[^\w .,:;()=+%'\"-]|_|[.:](?=[^\W\d])")
HEADS = ("mechanism", "score", "A", "B", "B - A", "95 % interval", "p", "")
SHORT = {
    "sybil_resistance": "SR",
    "neutrality": "CN",
    "quality_attacked": "Q",
    "minimum": "minimum",
}


@dataclass(frozen=True)
class Changed:
    """Something asked that is not the same in both runs.

    Parameters
    ----------
    what : str
    a, b : object
        JSON values; None where a run has none.
    """

    what: str
    a: Any
    b: Any


@dataclass(frozen=True)
class Difference:
    """One score of one mechanism in both runs.

    Parameters
    ----------
    label : str
    side : {"verified", "free"}
    identities : tuple of int
        K of the side, in A and in B.
    score : str
    a, b : float
    change : Interval
        B - A.
    same : bool
        Whether it is the same in every resample: no test then, and p is 1.
    p, adjusted : float
        Two-sided p-value, and after Holm.
    regression : bool
        Whether it dropped significantly, and by more than the tolerance.
    """

    label: str
    side: str
    identities: tuple[int, int]
    score: str
    a: float
    b: float
    change: Interval
    same: bool
    p: float
    adjusted: float
    regression: bool

    @property
    def significant(self) -> bool:
        """Whether Holm's p-value is below 0.05."""
        return self.adjusted < SIGNIFICANT

    @property
    def name(self) -> str:
        """What the score is called in a table, with K."""
        return f"{SHORT[self.score]}, K={_both(*self.identities)}"

    def to_json(self) -> dict[str, Any]:
        """Return one entry of `differences` in the schema."""
        return {**asdict(self), "significant": self.significant}


@dataclass(frozen=True)
class Diff:
    """The answer of `diff`. Prints as a table.

    Parameters
    ----------
    a, b : str
        The runs' folders.
    worlds : tuple of int
        How many worlds each run drew.
    paired : bool
        Whether they are the same worlds.
    tolerance : float
        The largest drop that is no regression.
    changed : tuple of Changed
        What else differs: of the question, and of the versions that answered it.
    recoded : tuple of str, or None
        Labels of mechanisms whose code differs; None where a run does not tell.
    only_a, only_b : tuple of str
        Labels of mechanisms that are missing in the other run.
    differences : tuple of Difference
        Of the mechanisms in both.
    notes : tuple of str
        What a reader should know beside the numbers.
    """

    a: str
    b: str
    worlds: tuple[int, int]
    paired: bool
    tolerance: float
    changed: tuple[Changed, ...]
    recoded: tuple[str, ...] | None
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()

    @property
    def tests(self) -> tuple[Difference, ...]:
        """The comparisons that Holm corrects for: those that are not the same throughout."""
        return tuple(it for it in self.differences if not it.same)

    @property
    def regressions(self) -> tuple[Difference, ...]:
        """The scores that dropped significantly and by more than the tolerance."""
        return tuple(it for it in self.differences if it.regression)

    @property
    def undecided(self) -> int:
        """How many drops beyond the tolerance may be chance."""
        return sum(it.change.value < -self.tolerance and not it.significant for it in self.tests)

    def __str__(self) -> str:
        facts = [plain(it) for it in self._facts()]
        lines = [*facts, "", *_table(self.differences), "", *self._legend()]
        return "\n".join([*lines, *map(plain, self._verdict())])

    def to_markdown(self) -> str:
        """Return the rows that differ as a Markdown table, for a pull request."""
        heads, aligned = (*HEADS[:-1], " "), ("---", "---", *["---:"] * 5, "---")
        rows = [(code(it.label), *_cells(it)) for it in self.tests]
        table = [f"| {' | '.join(cells)} |" for cells in (heads, aligned, *rows)]
        rest = f"The same in both: {len(self.differences) - len(rows)} other comparisons."
        told = [f"* {escaped(it)}" for it in (*self._facts(), *self._legend(), *self._verdict())]
        return "\n".join([*(table if rows else ["No score differs."]), "", rest, "", *told]) + "\n"

    def to_json(self) -> str:
        """Return the documented JSON (docs/json.md), the same bytes for the same runs."""
        fields = ("a", "b", "worlds", "paired", "tolerance")
        whole = {
            "schema": SCHEMA,
            **{name: getattr(self, name) for name in fields},
            "changed": [asdict(it) for it in self.changed],
            "recoded": self.recoded,
            "only_a": self.only_a,
            "only_b": self.only_b,
            "tests": len(self.tests),
            "differences": [it.to_json() for it in self.differences],
            "notes": self.notes,
        }
        return json.dumps(whole, indent=2, allow_nan=False) + "\n"

    def _facts(self) -> Iterator[str]:
        count = _both(*self.worlds)
        yield f"A is {self.a}, B is {self.b}."
        if self.paired:
            yield f"Both drew the same {count} worlds: paired."
        else:
            yield f"They drew other worlds ({count}): unpaired, so the intervals are wider."
        for it in self.changed:
            yield f"Not the same question: {it.what} is {_value(it.a)} in A, {_value(it.b)} in B."
        if not self.changed:
            yield "Nothing else differs between the two questions."
        if self.recoded is not None:
            yield f"Mechanisms whose code differs: {', '.join(self.recoded) or 'none'}."
        for run, labels in (("A", self.only_a), ("B", self.only_b)):
            if labels:
                yield f"Only in {run}: {', '.join(labels)}."

    def _legend(self) -> Iterator[str]:
        if self.tests:
            yield f"p: two-sided, after Holm over the comparisons that differ: {len(self.tests)}."
            yield f"*: p < {SIGNIFICANT:g}. !: a regression: also a drop beyond {self.tolerance:g}."

    def _verdict(self) -> Iterator[str]:
        yield from self.notes
        for it in self.regressions:
            yield (
                f"Regression: {it.label}, {it.name}: {it.a:.3f} in A, {it.b:.3f} in B "
                f"({it.change.value:+.3f}, p: {_p(it.adjusted)})."
            )
        if self.undecided:
            yield (
                f"Drops beyond {self.tolerance:g} that are not significant: {self.undecided}; "
                "more --worlds would tell."
            )
        if not self.regressions:
            yield f"No regression beyond {self.tolerance:g}."


def _table(differences: Sequence[Difference]) -> list[str]:
    rows = [(plain(it.label), *_cells(it)) for it in differences]
    widths = [max(map(len, column)) for column in zip(HEADS, *rows, strict=True)]
    lines = [
        "  ".join(
            f"{cell:<{width}}" if place < 2 else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in (HEADS, *rows)
    ]
    return [lines[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *lines[1:]]


def _cells(it: Difference) -> list[str]:
    mark = "!" if it.regression else "*" if it.significant else ""
    return [
        it.name,
        f"{it.a:.3f}",
        f"{it.b:.3f}",
        _signed(it.change.value),
        f"{_signed(it.change.low)} to {_signed(it.change.high)}",
        _p(it.adjusted),
        mark,
    ]


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-0.000", "+0.000").replace("+0.000", "0.000")


def _p(p: float) -> str:
    """Return a p-value that is never shown as 0."""
    return "<.001" if p < 0.001 else f"{p:.3f}"


def _both(a: int, b: int) -> str:
    return f"{a}" if a == b else f"{a} and {b}"


def _value(value: object) -> str:
    return "not told" if value is None else json.dumps(value)


def plain(text: str) -> str:
    """Return a text in which nothing breaks a line or steers a terminal."""
    return "".join(
        it if it.isprintable() else it.encode("unicode_escape").decode("ascii") for it in text
    )


def code(label: str) -> str:
    """Return a label as Markdown code that stays in its cell of a table."""
    if label.strip() == label != "" and label.isprintable() and not set(label) & set("`|\\"):
        return f"`{label}`"
    return f"<code>{escaped(label)}</code>"


def escaped(text: str) -> str:
    """Return a text as Markdown in which no sign has a meaning of its own."""
    return MEANING.sub(lambda it: f"&#{ord(it[0])};", plain(text))
