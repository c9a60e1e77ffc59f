"""What the keys of accounts tell: names, and who is behind several of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from trilemma.model import IntArray

__all__ = ["of_chain"]


def of_chain(hotkeys: Sequence[object], coldkeys: Sequence[object], count: int) -> dict[str, Any]:
    """Return the fields of a `Network` whose validators and miners are the same accounts.

    Parameters
    ----------
    hotkeys, coldkeys : sequence
        Of each account in the order of uids; what is not told for all is not used.
    count : int
        Accounts.

    Returns
    -------
    dict
        Names, which are hotkeys if each is told and another, else uids; and owners.
    """
    uids = tuple(str(uid) for uid in range(count))
    told = _told(hotkeys, count)
    names = told if told and len(set(told)) == count else uids
    fields: dict[str, Any] = {"validator_names": names, "miner_names": names}
    owners = _told(coldkeys, count)
    if owners:
        numbers = numbered(owners)
        fields |= {"validator_owners": numbers, "miner_owners": numbers}
    return fields


def numbered(keys: Iterable[str]) -> IntArray:
    """Return a number for each key, in the order of their first appearance."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _told(keys: Sequence[object], count: int) -> tuple[str, ...]:
    told = tuple(key for key in keys if isinstance(key, str) and key)
    return told if len(told) == count == len(keys) else ()
