"""Metagraphs as `metagraph.save()` of the bittensor SDK, versions 7 to 10, keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trilemma.errors import DataError
from trilemma.importers import accounts
from trilemma.importers.network import Network
from trilemma.importers.numeric import array_of
from trilemma.importers.pickles import Foreign
from trilemma.model import AnyArray

__all__ = ["read", "recognises"]

STAKES = (
    "total_stake",
    "stake",
)  # what metagraph.S gives: the first to version 8, the second since


def recognises(held: Mapping[object, object]) -> bool:
    """Tell whether a dict is the state of a metagraph."""
    return not {"netuid", "block", "axons", "last_update"}.difference(held)


def read(name: str, held: Mapping[object, object]) -> Network:
    """Return the network of one epoch that a metagraph's state tells.

    Stake is `metagraph.S`, in tokens; weights and bonds are as they are kept, float32 mostly. On
    the root network miners are subnets, and have no names.

    Raises
    ------
    DataError
        If weights or stake are missing, or a shape does not fit.
    """
    stake, weights = _stake(held), _weights(held)
    n = len(stake)
    keys = _keys(held, n)
    if weights.shape[1:] != (n,):
        keys.pop("miner_names")
        keys.pop("miner_owners", None)
    return Network(
        name,
        np.array(stake, np.float64)[None],
        weights[None],
        netuid=_whole(held, "netuid"),
        blocks=np.array([_whole(held, "block")], np.int64),
        permits=_row(held, "validator_permit", np.bool_),
        last_update=_row(held, "last_update", np.int64),
        bonds=_bonds(held, n),
        **keys,
    )


def _numbers(held: Mapping[object, object], key: str) -> AnyArray | None:
    """Return an array of numbers, if there is one with anything in it."""
    array = array_of(held.get(key))
    return array if array is not None and array.size and array.dtype.kind in "biuf" else None


def _stake(held: Mapping[object, object]) -> AnyArray:
    stakes = (_numbers(held, key) for key in STAKES)
    stake = next((it for it in stakes if it is not None), None)
    if stake is None or stake.ndim != 1:
        raise DataError("no stake; sync the metagraph before it is saved: metagraph.sync()")
    return stake


def _weights(held: Mapping[object, object]) -> AnyArray:
    weights = _numbers(held, "weights")
    if weights is None:
        raise DataError(
            "no weights: the metagraph was synced with lite=True, which leaves them out; sync it "
            "with metagraph.sync(lite=False) and save it again"
        )
    if weights.ndim != 2:
        raise DataError(f"weights: expected shape (n, n), got {weights.shape}")
    return weights


def _bonds(held: Mapping[object, object], n: int) -> AnyArray | None:
    # a metagraph that keeps none keeps an empty array
    bonds = _numbers(held, "bonds")
    return None if bonds is None or bonds.shape != (n, n) else bonds[None]


def _row(held: Mapping[object, object], key: str, kind: type[np.generic]) -> Any:
    row = _numbers(held, key)
    return None if row is None else row.astype(kind)[None]


def _whole(held: Mapping[object, object], key: str) -> int:
    """Return a whole number, kept as such or as an array of one."""
    array, value = array_of(held[key]), held[key]
    if array is not None and array.size == 1 and array.dtype.kind in "iu":
        value = array.item()
    if type(value) is not int:
        raise DataError(f"{key}: expected a whole number, got {type(value).__name__}")
    return value


def _keys(held: Mapping[object, object], n: int) -> dict[str, Any]:
    axons = held["axons"]
    found = [it for it in axons if isinstance(it, Foreign)] if type(axons) is list else []
    hotkeys = [it.get("hotkey") for it in found]
    return accounts.of_chain(hotkeys, [it.get("coldkey") for it in found], n)
