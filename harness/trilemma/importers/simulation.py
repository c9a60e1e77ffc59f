"""Simulations: a dict of stakes `S`, weights `W` and perhaps `hotkeys`, as simulators save it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from trilemma.errors import DataError
from trilemma.importers import accounts
from trilemma.importers.limits import check_growth, check_numbers
from trilemma.importers.network import Network
from trilemma.importers.numeric import array_of
from trilemma.model import AnyArray

__all__ = ["read", "recognises"]


def recognises(held: Mapping[object, object]) -> bool:
    """Tell whether a dict holds stakes or weights under a simulator's names."""
    return "S" in held or "W" in held


def read(name: str, held: Mapping[object, object], stored: int) -> Network:
    """Return the network that a simulation tells.

    `W`, shape (n, m) or (epochs, n, m), and `S`, shape (n,) or (epochs, n), are tensors, arrays,
    or lists of one for each epoch. `hotkeys` are n texts, or a list of them for each epoch; where
    n is m, validators and miners are the same accounts.

    Parameters
    ----------
    name : str
        The file's name.
    held : mapping
        What it holds.
    stored : int
        Its bytes.

    Raises
    ------
    DataError
        If `S` or `W` is missing, or a shape does not fit.
    """
    weights, stake = _array(held, "W", stored), _array(held, "S", stored)
    if weights.ndim not in (2, 3):
        raise DataError(f"W: expected shape (n, m) or (epochs, n, m), got {weights.shape}")
    weights = weights.reshape((1, *weights.shape)[-3:])
    epochs, n, m = weights.shape
    if stake.shape not in ((n,), (epochs, n)):
        raise DataError(f"S: expected shape ({n},) or ({epochs}, {n}), got {stake.shape}")
    stake = np.broadcast_to(stake.astype(np.float64), (epochs, n))
    if n == m:
        return Network(name, stake, weights, **accounts.of_chain(_hotkeys(held, epochs, n), [], n))
    return Network(name, stake, weights)


def _array(held: Mapping[object, object], key: str, stored: int) -> AnyArray:
    if key not in held:
        raise DataError(f"no {key}; expected S (stakes) and W (weights), found {_shown(held)}")
    value = held[key]
    array = _stacked(key, value, stored) if isinstance(value, list | tuple) else array_of(value)
    if array is None or array.dtype.kind not in "biuf":
        raise DataError(f"{key}: expected a tensor or an array of numbers, or one for each epoch")
    check_numbers(key, array.size)
    return array


def _stacked(key: str, values: Sequence[object], stored: int) -> AnyArray | None:
    arrays = [array for array in map(array_of, values) if array is not None]
    if not arrays or len(arrays) < len(values):
        return None
    if len({array.shape for array in arrays}) > 1:
        raise DataError(f"{key}: expected one shape in all epochs, got several")
    check_numbers(key, len(arrays) * arrays[0].size)
    check_growth(key, len(arrays) * arrays[0].nbytes, stored)  # one array may be every epoch's
    return np.stack(arrays)


def _hotkeys(held: Mapping[object, object], epochs: int, n: int) -> list[object]:
    """Return the hotkeys of all epochs: None where a place changes its owner."""
    told = held.get("hotkeys")
    array = array_of(told)
    rows = array.tolist() if array is not None else told
    if type(rows) is not list or not rows:
        return []
    if type(rows[0]) is not list:
        return list(rows)
    if len(rows) > epochs or any(type(row) is not list or len(row) != n for row in rows):
        return []
    return [row[0] if len(set(map(str, row))) == 1 else None for row in zip(*rows, strict=True)]


def _shown(held: Mapping[object, object]) -> list[str]:
    return [str(key)[:20] for key in list(held)[:6]]
