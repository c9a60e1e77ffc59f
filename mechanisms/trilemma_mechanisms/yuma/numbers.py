"""What a number is in an epoch: a float, or the chain's fixed point with u16 in its storage."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from trilemma import kernels
from trilemma.model import AnyArray, FloatArray

__all__ = ["FLOATS", "NUMBERS", "Float", "Numbers"]

U16 = 65535


class Numbers(Protocol):
    """A kind of numbers; an array of them is a `numbers` below."""

    one: Any

    def of(self, value: float) -> Any:
        """Return a parameter as a number."""

    def share(self, stake: AnyArray) -> AnyArray:
        """Return stakes as shares that sum to 1, or zeros."""

    def set_weights(self, weights: FloatArray) -> AnyArray:
        """Return the weights of a plain epoch as they are stored."""

    def rows(self, stored: AnyArray) -> AnyArray:
        """Return stored rows as numbers that sum to 1, or to 0."""

    def consensus(
        self, weights: AnyArray, stake: AnyArray, share: AnyArray, kappa: float
    ) -> AnyArray:
        """Return the largest weight per column that a share kappa of all stake reaches."""

    def none(self, shape: tuple[int, ...]) -> AnyArray:
        """Return zeros."""

    def read(self, stored: AnyArray, version: int) -> AnyArray:
        """Return bonds in storage as numbers."""

    def store(self, bonds: AnyArray, version: int) -> AnyArray:
        """Return bonds as they are kept until the next epoch."""

    def plain(self, numbers: AnyArray) -> FloatArray:
        """Return numbers as floats."""

    def pool(self, shares: AnyArray) -> FloatArray:
        """Return shares that sum to 1, or to 0, as floats of which the same is true."""


class Float:
    """Float64 or float32 throughout; nothing is rounded in storage, and support is exact.

    `bits` is how many the total of the units of stake may take.
    """

    def __init__(self, kind: type[np.floating[Any]], bits: int) -> None:
        self.one = kind(1)
        self.kind, self.bits = kind, bits

    def of(self, value: float) -> Any:
        return self.kind(value)

    def share(self, stake: AnyArray) -> AnyArray:
        return kernels.normalised(stake.astype(np.float64)).astype(self.kind, copy=False)

    def set_weights(self, weights: FloatArray) -> AnyArray:
        return weights.astype(self.kind, copy=False)

    def rows(self, stored: AnyArray) -> AnyArray:
        sums = stored.sum(axis=1, keepdims=True)
        return np.asarray(stored / np.where(sums > 0, sums, 1))

    def consensus(
        self,
        weights: AnyArray,
        stake: AnyArray,
        share: AnyArray,  # noqa: ARG002 - rounded, unlike stake
        kappa: float,
    ) -> AnyArray:
        units = kernels.stake_units(stake, self.bits)
        needed = kernels.needed_support(kappa, int(units.sum(dtype=np.int64)))
        return kernels.consensus(weights, units, needed)

    def none(self, shape: tuple[int, ...]) -> AnyArray:
        return np.zeros(shape, self.kind)

    def read(self, stored: AnyArray, version: int) -> AnyArray:
        if stored.dtype.kind == "f":
            return stored.astype(self.kind, copy=False)
        return np.asarray(stored / U16 if version == 3 else stored.astype(np.float64))

    def store(self, bonds: AnyArray, version: int) -> AnyArray:  # noqa: ARG002 - all the same
        return bonds

    def plain(self, numbers: AnyArray) -> FloatArray:
        return numbers.astype(np.float64, copy=False)

    def pool(self, shares: AnyArray) -> FloatArray:
        if self.kind is np.float64:
            return shares
        amounts = shares.astype(np.float64)  # they sum to 1 but for seven digits
        sums = amounts.sum(axis=-1, keepdims=True)
        return np.asarray(amounts / np.where(sums > 0, sums, 1))


class Fixed:
    """I32F32: steps of 2**-32, held in int64."""

    one = kernels.ONE

    def of(self, value: float) -> int:
        return kernels.fixed(value)

    def share(self, stake: AnyArray) -> AnyArray:
        units = stake if stake.dtype.kind in "iu" else kernels.stake_units(stake)
        total = sum(units.tolist()) or 1
        return np.array([(unit << 32) // total for unit in units.tolist()], np.int64)

    def set_weights(self, weights: FloatArray) -> AnyArray:
        largest = weights.max(axis=1, keepdims=True)  # becomes 65535
        scaled = weights / np.where(largest > 0, largest, 1) * U16
        return np.floor(scaled + 0.5).astype(np.int64)

    def rows(self, stored: AnyArray) -> AnyArray:
        sums = stored.sum(axis=1, keepdims=True)
        return np.asarray((stored << 32) // np.maximum(sums, 1))

    def consensus(
        self,
        weights: AnyArray,
        stake: AnyArray,  # noqa: ARG002 - the chain asks the shares it has rounded
        share: AnyArray,
        kappa: float,
    ) -> AnyArray:
        units = kernels.normalised(share)  # once more, as the chain does
        # rounding leaves less than 1 in all, so that kappa = 1 could not be reached
        needed = max(1, min(kernels.fixed(kappa), int(units.sum())))
        return kernels.consensus(weights, units, needed)

    def none(self, shape: tuple[int, ...]) -> AnyArray:
        return np.zeros(shape, np.int64)

    def read(self, stored: AnyArray, version: int) -> AnyArray:
        if stored.dtype.kind == "f":
            raise ValueError("carry holds bonds of arithmetic='float', not u16 as on chain")
        stored = stored.astype(np.int64)
        return np.asarray((stored << 32) // U16) if version == 3 else stored

    def store(self, bonds: AnyArray, version: int) -> AnyArray:
        return kernels.to_u16(kernels.columns_upscaled(bonds) if version == 2 else bonds)

    def plain(self, numbers: AnyArray) -> FloatArray:
        return np.asarray(numbers / kernels.ONE)

    def pool(self, shares: AnyArray) -> FloatArray:
        return self.plain(shares)


FLOATS = {"float": Float(np.float64, 62), "float32": Float(np.float32, 30)}
NUMBERS: dict[str, Numbers] = {**FLOATS, "chain": Fixed()}
