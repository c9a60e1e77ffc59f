"""Several epochs of one shape as one, for mechanisms that take a leading axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from trilemma.fields import freeze
from trilemma.model import Epoch

__all__ = ["Batch", "alike"]

OPTIONAL = ("chain", "carry")  # of first epochs without a chain record: always None


class Batch:
    """Epochs of one shape, stacked; it has the fields of an `Epoch`, each with a leading axis.

    A mechanism that declares `batched = True` is called with batches too, and returns pools
    (b, m) and (b, n). Code that counts axes from the end (validators -2, miners -1) serves both.

    Parameters
    ----------
    epochs : sequence of Epoch
        As many validators, miners and seats in each; without carry or chain record.
    given : mapping, optional
        Fields that stand in for those of the epochs.
    """

    def __init__(
        self, epochs: Sequence[Epoch], given: Mapping[str, npt.NDArray[Any]] | None = None
    ) -> None:
        self.__dict__.update(epochs=tuple(epochs), **(given or {}))

    def replace(self, *, stake: npt.ArrayLike) -> Batch:
        """Return this batch with other stakes (b, n)."""
        return Batch(self.epochs, {"stake": freeze(np.asarray(stake))})

    def __getattr__(self, name: str) -> Any:
        if name in OPTIONAL:
            return None
        if name not in Epoch.__annotations__:
            raise AttributeError(f"a Batch has no {name!r}")
        stacked = _stacked([getattr(epoch, name) for epoch in self.epochs])
        self.__dict__[name] = stacked
        return stacked

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a Batch is immutable: cannot set {name!r}")

    def __len__(self) -> int:
        return len(self.epochs)


def alike(epochs: Sequence[Epoch]) -> bool:
    """Tell whether epochs can be stacked."""
    shapes = {(epoch.weights.shape, epoch.seats.size) for epoch in epochs}
    plain = all(epoch.carry is None and epoch.chain is None for epoch in epochs)
    return plain and len(shapes) == 1 and all(isinstance(e.weights, np.ndarray) for e in epochs)


def _stacked(arrays: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Stack arrays; the same one, or the same number everywhere, is not copied."""
    first = arrays[0]
    constant = all(array.size and not any(array.strides) for array in arrays)
    same = constant and len({array.flat[0] for array in arrays}) == 1
    if same or all(array is first for array in arrays):
        return np.broadcast_to(first, (len(arrays), *first.shape))
    if _in_a_row(arrays):
        strides = (first.nbytes, *first.strides)
        return as_strided(first, (len(arrays), *first.shape), strides, writeable=False)
    stacked = np.stack(arrays)
    stacked.setflags(write=False)
    return stacked


def _in_a_row(arrays: list[npt.NDArray[Any]]) -> bool:
    """Tell whether arrays are slices of one, one after the other: 7 us of copying at 64 x 128."""
    first = arrays[0]
    if first.base is None or not first.flags.c_contiguous:
        return False
    start = _address(first)
    return all(
        array.base is first.base
        and (array.shape, array.dtype) == (first.shape, first.dtype)
        and array.flags.c_contiguous
        and _address(array) == start + number * first.nbytes
        for number, array in enumerate(arrays)
    )


def _address(array: npt.NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])
