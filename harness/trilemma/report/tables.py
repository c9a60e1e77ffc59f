"""The comparison as a table: plain text for a terminal, Markdown for a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trilemma.scores import SEARCH
from trilemma.statistics import Interval

if TYPE_CHECKING:
    from trilemma.report import Report, Row, Side

__all__ = ["markdown", "text"]

SIDE = f"{'SR':>4}  {'CN':>4}  {'Q':>4}  {'minimum':>10}  {'N':>2}  {'search':6}"
SHORT = {"sybil_resistance": "SR", "neutrality": "CN"}


def text(report: Report) -> str:
    """Return the table, the worst plays and the notes."""
    width = max([len("mechanism"), *(len(row.label) for row in report.rows)])
    verified = f"{'identities verified (K = 1)':^{len(SIDE)}}"
    free = f"{f'identities free (K = {report.budget.identities})':^{len(SIDE)}}"
    lines = [
        f"{'':{width}}  {'honest':^11}   {verified}   {free}".rstrip(),
        f"{'mechanism':{width}}  {'Q':>4}  {'tau':>5}   {SIDE}   {SIDE}",
        "-" * (width + 2 + 11 + 2 * (3 + len(SIDE))),
        *(_line(row, width) for row in report.rows),
        "",
        *_legend(report),
        "",
        "Worst plays with identities free:",
    ]
    plays = {(it.mechanism, it.score, it.identities): it.play for it in report.witnesses}
    for row in report.rows:
        taking, cutting = (
            plays.get((row.label, score, row.free.identities), worst) if worst == SEARCH else worst
            for score, worst in zip(SHORT, row.free.worst_plays, strict=True)
        )
        lines += [f"  {row.label:{width}}  takes by {taking}"]
        lines += [f"  {'':{width}}  cuts off by {cutting}"]
    return "\n".join([*lines, "", *_curves(report, width), "", *report.notes])


def _curves(report: Report, width: int) -> list[str]:
    lines = [
        "How far b principals cut a miner off, D(b), b = 1 to 10; CN if stake were equal; and SR",
        "if honest validators saw through clones with this chance only. Replayed: SR and CN if",
        "what the search found against the other mechanisms counted:",
        f"  {'':{width}}  {'':>8}  {''.join(f'{b:>5}' for b in range(1, 11))}    replayed  CN equal"
        + "".join(f"   SR at {chance:g}" for chance, _ in report.rows[0].clone_sweep)
        if report.rows
        else "",
    ]
    for row in report.rows:
        for kind, side in (("verified", row.verified), ("free", row.free)):
            curve = "".join(f"{cut:5.2f}" for _, cut in side.cutoff)
            name, beside = (row.label, f"{side.neutrality_equal.value:10.2f}")
            if side is row.free:
                name, beside = "", " " * 10 + "".join(f"{sr:10.2f}" for _, sr in row.clone_sweep)
            others = "".join(f"{score:6.2f}" for score in side.replayed or ()) or f"{'-':>12}"
            lines.append(f"  {name:{width}}  {kind:>8}  {curve}{others}{beside}")
    return lines


def markdown(report: Report) -> str:
    """Return the table as Markdown."""
    heads = ["SR", "CN", "Q", "minimum", "N", "search"]
    counts = (1, report.budget.identities)
    columns = ["mechanism", "honest Q", *(f"{head}, K={k}" for k in counts for head in heads)]
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)]]
    for row in report.rows:
        sides = [*_side(row.verified), *_side(row.free)]
        lines.append([f"`{row.label}`", f"{row.free.quality.value:.2f}", *map(str.strip, sides)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _line(row: Row, width: int) -> str:
    sides = "   ".join("  ".join(_side(side)) for side in (row.verified, row.free))
    line = f"{row.label:{width}}  {row.free.quality.value:.2f}  {row.tau:5.2f}   {sides}"
    return line.rstrip()


def _side(side: Side) -> list[str]:
    scores = (side.sybil_resistance, side.neutrality, side.quality_attacked)
    cutoff = "-" if side.cutoff_number is None else str(side.cutoff_number)
    return [
        *(f"{score.value:.2f}" for score in scores),
        f"{_spread(side.minimum):>10}",
        f"{cutoff:>2}",
        f"{_searched(side):6}",
    ]


def _searched(side: Side) -> str:
    """Name the scores that the search set."""
    set_by = zip(SHORT.values(), side.set_by, strict=True)
    return " ".join(score for score, by in set_by if by == SEARCH) or "-"


def _spread(score: Interval) -> str:
    half = max(score.high - score.value, score.value - score.low)
    return f"{score.value:.3f}±{half:.3f}".replace("±0", "±")


def _legend(report: Report) -> list[str]:
    counted = "SR, CN and Q" if report.knows_quality else "SR and CN"
    return [
        "honest: quality and Kendall's tau if nobody attacks. SR Sybil resistance, CN neutrality,",
        f"Q quality under the attacker's worst play; minimum: of {counted}, with the half-width of",
        "its 95 % interval; N: fewest principals who can cut a miner off (-: more than 10).",
        "search: the scores that the adaptive search set; a scripted play set the others. Every",
        "score is an upper bound: a stronger adversary can only lower it.",
    ]
