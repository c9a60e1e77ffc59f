"""What the numbers say, in sentences that are only made where the numbers carry them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from trilemma.checks import NOTHING

if TYPE_CHECKING:
    from trilemma.report import Report, Row, Side

__all__ = ["findings", "sentences", "verdict", "warnings"]

DECISIVE = 0.95


def verdict(report: Report) -> list[str]:
    """Return notes on who is best, what is decisive, ties, flags, failures and the effort."""
    return [*sentences(report), *findings(report), *warnings(report), *_effort(report)]


def sentences(report: Report) -> list[str]:
    """Return who is best with identities verified and with them free, or that nobody is."""
    sides: list[Callable[[Row], Side]] = [lambda row: row.verified, lambda row: row.free]
    return [_best(report, side) for side in sides] if report.rows else []


def findings(report: Report) -> list[str]:
    """Return what turns over, what ties, and what is not known."""
    notes = [*_turnover(report), *_ties(report)]
    if not report.knows_quality:
        notes.append(
            "Nobody knows the truth here: Q is relative to the stake-weighted mean of the "
            "reports, and is left out of the minimum."
        )
    return notes


def warnings(report: Report) -> list[str]:
    """Return what makes a number suspect, and who is missing."""
    flags = [f"{row.label}: {flag}." for row in report.rows for flag in row.flags]
    return [*flags, *(f"{it.label} is missing: {it.reason}" for it in report.failures)]


def _effort(report: Report) -> Iterator[str]:
    searched = report.budget.evaluations
    yield (
        f"{report.calls:,} mechanism calls: {report.plays} plays in each of "
        f"{report.worlds} worlds, "
        + (f"then a search of {searched} evaluations for each score, " if searched else "")
        + f"seed {report.seed}."
    )


def _best(report: Report, side: Callable[[Row], Side]) -> str:
    identities = side(report.rows[0]).identities
    start = f"Identities {'verified' if identities == 1 else 'free'} (K = {identities}): "
    ahead = [row for row in report.rows if side(row).best > 0 and row.free.quality.value > NOTHING]
    if not ahead:
        return start + "no rule's pay follows merit."
    if report.worlds == 1:
        return start + "differences not decisive: one world decides nothing."
    first = max(ahead, key=lambda row: side(row).best)
    if side(first).best >= DECISIVE:
        return start + (
            f"{first.label} has the highest minimum, {side(first).minimum.value:.2f}, in "
            f"{side(first).best:.0%} of resamples."
        )
    names = ", ".join(row.label for row in ahead)
    return start + f"differences not decisive between {names} at the top."


def _turnover(report: Report) -> Iterator[str]:
    """Say which rules rank above another one only while identities are verified."""
    for other in report.rows:
        below = [row.label for row in report.rows if other.label in row.overtaken_by]
        if below and report.worlds > 1:
            yield (
                f"The ranking turns over: with identities verified {', '.join(below)} "
                f"{'beat' if len(below) > 1 else 'beats'} {other.label}, with identities free "
                f"{'they fall' if len(below) > 1 else 'it falls'} below it."
            )


def _ties(report: Report) -> Iterator[str]:
    """Say which rules are equally neutral with identities verified, where stake is equal."""
    if not report.equal_stake:
        return
    groups: dict[float, list[str]] = {}
    for row in report.rows:
        if row.free.quality.value > NOTHING:
            groups.setdefault(round(row.verified.neutrality.value, 2), []).append(row.label)
    for value, labels in groups.items():
        if len(labels) > 1:
            yield (
                f"{', '.join(labels)} tie at neutrality {value:.2f} with identities verified: "
                "stake is equal here, so a cap, a square root or one vote each changes nothing "
                "for the peers, and there is little neutrality to buy. Where their minima differ, "
                "it is Q under attack: the attacker may hold more than its peers even here, and "
                "such rules discount what it holds beyond them."
            )
