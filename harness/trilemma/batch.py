"""Several epochs of one shape as one, for mechanisms that take a leading axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from trilemma.fields import freeze
from trilemma.model import Epoch

__all__ = ["Batch", "alike"]

OPTIONAL = ("chain", "carry")  # of first epochs without a chain record: always None


class Batch(Sequence[Epoch]):
    """Epochs of one shape, stacked; it has the fields of an `Epoch`, each with a leading axis.

    A mechanism that declares `batched = True` is called with batches too, and returns pools
    (b, m) and (b, n). Code that counts axes from the end (validators -2, miners -1) serves both.

    Parameters
    ----------
    epochs : sequence of Epoch
        As many validators, miners and seats in each; without carry or chain record.
    given : mapping, optional
        Frozen fields (b, ...) that stand in for those of the epochs. As a sequence, a batch is
        that of its epochs with these.
    """

    def __init__(
        self, epochs: Sequence[Epoch], given: Mapping[str, npt.NDArray[Any]] | None = None
    ) -> None:
        self.__dict__.update(epochs=tuple(epochs), given=dict(given or {}), **(given or {}))

    def replace(self, *, stake: npt.ArrayLike) -> Batch:
        """Return this batch with other stakes (b, n)."""
        return Batch(self.epochs, {**self.given, "stake": freeze(np.asarray(stake))})

    def shown(self) -> Batch:
        """Return this batch with epoch objects of its own."""
        own = {epoch: epoch.trusting() for epoch in set(self.epochs)}
        return Batch([own[epoch] for epoch in self.epochs], self.given)

    def is_same(self, other: Batch) -> bool:
        """Tell whether the epochs of two batches hold the very same objects."""
        pairs = set(zip(self.epochs, other.epochs, strict=True))
        return all(one.is_same(another) for one, another in pairs)

    @overload
    def __getitem__(self, place: int) -> Epoch: ...
    @overload
    def __getitem__(self, place: slice) -> Batch: ...
    def __getitem__(self, place: int | slice) -> Epoch | Batch:
        given = {name: array[place] for name, array in self.given.items()}
        if isinstance(place, slice):
            return Batch(self.epochs[place], given)
        epoch: Epoch = self.epochs[place]
        return epoch.trusting(**given)

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
    epochs = list(set(epochs))  # the same one many times over, mostly
    shapes = {(epoch.weights.shape, epoch.seats.size) for epoch in epochs}
    plain = all(epoch.carry is None and epoch.chain is None for epoch in epochs)
    return plain and len(shapes) == 1 and all(isinstance(e.weights, np.ndarray) for e in epochs)


def _stacked(arrays: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Stack arrays; the same one, or the same number everywhere, is not copied."""
    first = arrays[0]
    if all(array is first for array in arrays) or _are_constant(arrays):
        return np.broadcast_to(first, (len(arrays), *first.shape))
    stacked = np.stack(arrays)
    stacked.setflags(write=False)
    return stacked


def _are_constant(arrays: list[npt.NDArray[Any]]) -> bool:
    constant = all(array.size and not any(array.strides) for array in arrays)
    return constant and len({array.flat[0] for array in arrays}) == 1
