"""Votes: a JSON object of voters, each with its `allocations` to items; all have the same stake."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trilemma.errors import DataError
from trilemma.importers import documents
from trilemma.importers.limits import check_growth, check_numbers
from trilemma.importers.network import Network

__all__ = ["WHAT", "read", "recognises"]

WHAT = "a round of votes"

FIELD = "allocations"


def recognises(head: bytes) -> bool:
    """Tell whether a file with these first bytes is JSON that speaks of allocations."""
    return documents.is_object(head) and f'"{FIELD}"'.encode() in head


def read(path: Path) -> Network:
    """Read the votes of a round: every voter has stake 1, and what it does not name gets 0.

    Raises
    ------
    DataError
        If a voter has no allocations, or one is no number.
    """
    given = {voter: _allocations(voter, vote) for voter, vote in documents.load(path).items()}
    items = {item: None for row in given.values() for item in row}
    columns = {item: column for column, item in enumerate(items)}
    if not columns:
        raise DataError("no voter allocates anything")
    check_numbers(f"{len(given):,} voters by {len(columns):,} items", len(given) * len(columns))
    check_growth("votes", 8 * len(given) * len(columns), path.stat().st_size)
    weights = np.zeros((1, len(given), len(columns)))
    for row, allocations in enumerate(given.values()):
        for item, number in allocations.items():
            weights[0, row, columns[item]] = number
    return Network(
        path.name,
        np.ones((1, len(given)), np.int64),
        weights,
        validator_names=tuple(given),
        miner_names=tuple(columns),
    )


def _allocations(voter: str, vote: object) -> dict[str, float]:
    row = vote.get(FIELD) if isinstance(vote, dict) else None
    if not isinstance(row, dict):
        raise DataError(f"voter {voter[:80]!r} has no {FIELD}; expected an object of numbers")
    for item, number in row.items():
        if type(number) not in (int, float):
            raise DataError(
                f"voter {voter[:80]!r} allocates {type(number).__name__} to {item[:80]!r}; "
                "expected a number"
            )
    return row
