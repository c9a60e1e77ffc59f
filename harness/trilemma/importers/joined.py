"""Several files of one subnet, joined into a network of several epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trilemma.errors import DataError
from trilemma.importers.limits import check_numbers
from trilemma.importers.network import Network

__all__ = ["join"]

BY_EPOCH = ("stake", "weights", "blocks", "permits", "last_update", "registered", "bonds")
OWNERS = ("validator_owners", "miner_owners")
NAMES = ("validator_names", "miner_names")


def join(networks: Sequence[Network]) -> Network:
    """Return one network of all epochs, in the order of their blocks.

    What one of them does not tell is left out. Place i is the same account throughout: it keeps
    its name where all files agree on it, and is called by its number where they do not. Owners
    are kept if all files agree on all of them.

    Raises
    ------
    DataError
        If they are not of one subnet and size, or not each of other blocks.
    """
    first = networks[0]
    if len(networks) == 1:
        return first
    for other in networks[1:]:
        _check_pair(first, other)
    blocks = np.concatenate([it.blocks for it in networks if it.blocks is not None])
    order = np.argsort(blocks, kind="stable")
    if (np.diff(blocks[order]) == 0).any():
        twice = blocks[order][1:][np.diff(blocks[order]) == 0][0]
        raise DataError(f"{first.name}: block {twice:,} is in two files; give each block once")
    check_numbers(f"{first.name}: all files", sum(it.weights.size for it in networks))
    fields = {name: _stacked(networks, name, order) for name in BY_EPOCH}
    fields |= {name: _agreed(networks, name) for name in OWNERS}
    fields |= {name: _names(networks, name) for name in NAMES}
    return Network(f"{first.name} and {len(networks) - 1} more", netuid=first.netuid, **fields)


def _check_pair(first: Network, other: Network) -> None:
    for one in (first, other):
        if one.blocks is None:
            raise DataError(
                f"{one.name}: does not tell its blocks, by which several files are joined; give "
                "it alone"
            )
    if first.netuid != other.netuid:
        raise DataError(
            f"{other.name}: of subnet {other.netuid}, and {first.name} is of {first.netuid}; give "
            "files of one subnet"
        )
    if first.weights.shape[1:] != other.weights.shape[1:]:
        raise DataError(
            f"{other.name}: {other.validators} validators and {other.miners} miners, and "
            f"{first.name} has {first.validators} and {first.miners}; give files of one size"
        )


def _stacked(networks: Sequence[Network], name: str, order: Any) -> Any:
    arrays = [getattr(it, name) for it in networks]
    return None if any(it is None for it in arrays) else np.concatenate(arrays)[order]


def _agreed(networks: Sequence[Network], name: str) -> Any:
    arrays = [getattr(it, name) for it in networks]
    if any(it is None for it in arrays):
        return None
    return arrays[0] if all(np.array_equal(arrays[0], it) for it in arrays[1:]) else None


def _names(networks: Sequence[Network], name: str) -> tuple[str, ...]:
    told = [getattr(it, name) for it in networks]
    if not all(told):
        return ()
    columns = enumerate(zip(*told, strict=True))
    names = tuple(row[0] if len(set(row)) == 1 else str(place) for place, row in columns)
    return names if len(set(names)) == len(names) else tuple(map(str, range(len(names))))
