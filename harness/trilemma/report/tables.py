"""The comparison as a table: plain text for a terminal, Markdown for a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trilemma.statistics import Interval

if TYPE_CHECKING:
    from trilemma.report import Report, Row, Side

__all__ = ["markdown", "text"]

SIDE = ("SR", "CN", "Q", "minimum", "N")


def text(report: Report) -> str:
    """Return the table, the worst plays and the notes, 80 columns where labels allow."""
    width = max([len("mechanism"), *(len(row.label) for row in report.rows)])
    k = report.budget.identities
    blocks = [
        f"{f'identities {kind} (K = {count})':^33}"
        for kind, count in (("verified", 1), ("free", k))
    ]
    lines = [
        f"{'':{width}}  honest   {blocks[0]}   {blocks[1]}".rstrip(),
        f"{'mechanism':{width}}       Q   {_heads()}   {_heads()}",
        "-" * (width + 9 + 2 * 36),
    ]
    lines += [_line(row, width) for row in report.rows]
    lines += ["", *_legend(report), "", "Worst plays with identities free:"]
    for row in report.rows:
        lines += [f"  {row.label:{width}}  gains: {row.free.worst_sybil_play}"]
        lines += [f"  {'':{width}}  cuts off: {row.free.worst_neutrality_play}"]
    lines += ["", *report.notes]
    return "\n".join(lines)


def markdown(report: Report) -> str:
    """Return the table as Markdown, with intervals."""
    k = report.budget.identities
    heads = ["mechanism", "honest Q"]
    for count in (1, k):
        heads += [f"{head} (K={count})" for head in SIDE]
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * 2 + " ---: |" * (len(heads) - 2)]
    for row in report.rows:
        cells = [f"`{row.label}`", _number(row.free.quality.value)]
        cells += [cell.strip() for side in (row.verified, row.free) for cell in _side(side)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _heads() -> str:
    return f"{'SR':>4}  {'CN':>4}  {'Q':>4}  {'minimum':>10}  {'N':>3}"


def _line(row: Row, width: int) -> str:
    sides = "   ".join("  ".join(_side(side)) for side in (row.verified, row.free))
    return f"{row.label:{width}}    {_number(row.free.quality.value)}   {sides}"


def _side(side: Side) -> list[str]:
    numbers = [side.sybil_resistance, side.neutrality, side.quality_attacked]
    cutoff = "-" if side.cutoff_number is None else str(side.cutoff_number)
    return [*(_number(i.value) for i in numbers), f"{_spread(side.minimum):>10}", f"{cutoff:>3}"]


def _number(value: float) -> str:
    return f"{value:.2f}"


def _spread(score: Interval) -> str:
    half = max(score.high - score.value, score.value - score.low)
    return f"{score.value:.3f}±{half:.3f}".replace("±0", "±")


def _legend(report: Report) -> list[str]:
    counted = "SR, CN and Q" if report.knows_quality else "SR and CN"
    return [
        "SR Sybil resistance, CN neutrality, Q quality under the attacker's worst play;",
        f"minimum: of {counted}, with the half-width of its 95 % interval; N: fewest principals",
        "who can cut a miner off (- more than 10). Every score is an upper bound: a stronger",
        "adversary can only lower it.",
    ]
