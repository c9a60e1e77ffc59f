"""What the numbers say, in sentences that are only made where the numbers carry them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trilemma.report import Report, Row, Side

__all__ = ["verdict"]

DECISIVE = 0.95


def verdict(report: Report) -> list[str]:
    """Return notes on who is best, what is decisive, ties, flags, failures and the effort."""
    notes = []
    if report.rows:
        notes += [_best(report, lambda row: row.verified), _best(report, lambda row: row.free)]
    notes += _ties(report)
    if not report.knows_quality:
        notes.append(
            "Nobody knows the truth here: Q is relative to the stake-weighted mean of the "
            "reports, and is left out of the minimum."
        )
    notes += [f"{row.label}: {flag}." for row in report.rows for flag in row.flags]
    notes += [f"{failure.label} is missing: {failure.reason}" for failure in report.failures]
    notes.append(
        f"{report.calls:,} mechanism calls: {report.plays} plays in each of "
        f"{report.worlds} worlds, seed {report.seed}."
    )
    return notes


def _best(report: Report, side: Callable[[Row], Side]) -> str:
    ranked = sorted(report.rows, key=lambda row: -side(row).minimum.value)
    identities = side(ranked[0]).identities
    kind = "verified" if identities == 1 else "free"
    ahead = [row for row in ranked if side(row).ranks[0] == 1]
    if len(ahead) == 1:
        first = ahead[0]
        return (
            f"Identities {kind} (K = {identities}): {first.label} has the highest minimum, "
            f"{side(first).minimum.value:.2f}, in {side(first).best:.0%} of resamples."
        )
    names = ", ".join(row.label for row in ahead)
    return (
        f"Identities {kind} (K = {identities}): differences not decisive between {names} "
        "at the top."
    )


def _ties(report: Report) -> Iterator[str]:
    if report.equal_stake:
        yield (
            "Stake is equal here: a cap, a square root or one vote each leaves equal shares as "
            "they are, so there is little neutrality to buy."
        )
