"""What happens to one tile of weights and bonds: clipping, ranks, bonds, and what they earn.

Tiles are those of `trilemma.kernels.tiles`, as floats: `LANES` miners a row. The rules are those of
`trilemma.kernels.yuma`, where they are explained; here sums are made in the order that vectors make
them, which is fixed too.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy.typing as npt
from numba import types
from numba.extending import overload

from trilemma.kernels.arithmetic import FLUSH, exponential, flushed, scaled
from trilemma.kernels.tiles import LANES, inner

__all__ = [
    "LIFT",
    "PART",
    "Settings",
    "bind_2",
    "bind_3",
    "bind_liquid",
    "clear",
    "clip_and_rank",
    "copy",
    "dot_rows",
    "lift",
    "pay_rows",
    "per_bond",
]

Numbers: TypeAlias = npt.NDArray[Any]

PART = LANES // 4  # running sums a row: a fixed order of additions that is a loop without carries
LIFT = 2.0**700  # dividends count in units so small that no rank is lost among denormal numbers


class Settings(NamedTuple):
    """The numbers of the rule, as `trilemma_mechanisms.yuma.Yuma` explains them.

    `beta` is the bonds' penalty, `alpha` the weight of new bonds.
    """

    version: int
    beta: float
    alpha: float
    liquid: bool
    low: float
    high: float
    steepness: float


@inner
def lift(rank: Numbers, per: Numbers) -> None:
    """Return ranks in the unit that dividends are summed in."""
    for lane in range(rank.size):
        per[lane] = _lifted(rank[lane])


def _lifted(rank: Any) -> Any:
    """Return a rank in that unit; float32 has no room to spare, and keeps its own."""
    return rank * LIFT


@overload(_lifted, strict=False)
def _lifted_compiled(rank: Any) -> Any:
    return _lifted if rank == types.float64 else (lambda rank: rank)


@inner
def clip_and_rank(
    said: Numbers, agreed: Numbers, share: Numbers, beta: float, rank: Numbers
) -> None:
    """Add up clipped weights; leave in the tile what bonds follow."""
    bound, whole = said.dtype.type(beta), beta == 1.0
    clear(rank)
    for row in range(0, share.size, 2):
        lanes = said[row * LANES : (row + 2) * LANES]
        left, right = share[row], share[row + 1]
        for lane in range(rank.size):
            top = agreed[lane]
            a, b = lanes[lane], lanes[lane + LANES]
            cut_a, cut_b = min(a, top), min(b, top)
            rank[lane] += left * cut_a + right * cut_b
            lanes[lane] = cut_a if whole else a + bound * (cut_a - a)
            lanes[lane + LANES] = cut_b if whole else b + bound * (cut_b - b)


@inner
def bind_3(target: Numbers, held: Numbers, alpha: float) -> None:
    """As `trilemma.kernels.yuma.bonds_version_3`, in place."""
    fresh, unit = held.dtype.type(alpha), held.dtype.type(1)
    rest = unit - fresh
    flush, none = held.dtype.type(FLUSH), held.dtype.type(0)
    for lane in range(held.size):
        bond = min(unit, rest * held[lane] + fresh * target[lane])
        held[lane] = bond if bond >= flush else none


@inner
def bind_liquid(target: Numbers, held: Numbers, agreed: Numbers, settings: Settings) -> None:
    """As `trilemma.kernels.yuma.liquid_alpha` and `bonds_version_3`."""
    kind = held.dtype.type
    unit, half, none = kind(1), kind(0.5), kind(0)
    low, high, steepness = kind(settings.low), kind(settings.high), kind(settings.steepness)
    for row in range(held.size // LANES):
        wanted = target[row * LANES : (row + 1) * LANES]
        before = held[row * LANES : (row + 1) * LANES]
        for lane in range(agreed.size):
            want, have = wanted[lane], before[lane]
            away = want - agreed[lane] if want >= have else have - want
            steep = -steepness * (min(max(away, none), unit) - half)
            speed = min(max(low + (high - low) / (unit + exponential(steep)), low), high)
            before[lane] = flushed(min(unit, (unit - speed) * have + speed * want))


@inner
def bind_2(
    target: Numbers, held: Numbers, share: Numbers, alpha: float, lanes: int, sums: Numbers
) -> None:
    """As `trilemma.kernels.yuma.bonds_version_2`, in place; `sums` (3, lanes) is space for it."""
    kind = held.dtype.type
    fresh, rest = kind(alpha), kind(1) - kind(alpha)
    had, bought, mixed = sums[0], sums[1], sums[2]
    for place in range(3):
        clear(sums[place])
    for row in range(share.size):
        wanted = target[row * LANES : (row + 1) * LANES]
        before = held[row * LANES : (row + 1) * LANES]
        stake = share[row]
        for lane in range(lanes):
            wanted[lane] = stake * wanted[lane]
            bought[lane] += wanted[lane]
            had[lane] += before[lane]
    for row in range(share.size):
        wanted = target[row * LANES : (row + 1) * LANES]
        before = held[row * LANES : (row + 1) * LANES]
        for lane in range(lanes):
            old = rest * scaled(before[lane], had[lane])
            before[lane] = fresh * scaled(wanted[lane], bought[lane]) + old
            mixed[lane] += before[lane]
    for row in range(share.size):
        before = held[row * LANES : (row + 1) * LANES]
        for lane in range(lanes):
            before[lane] = flushed(scaled(before[lane], mixed[lane]))


@inner
def per_bond(held: Numbers, rank: Numbers, per: Numbers) -> None:
    """Return what a bond in each miner earns: its rank over all bonds in it."""
    clear(per)
    for row in range(0, held.size // LANES, 4):
        lanes = held[row * LANES : (row + 4) * LANES]
        for lane in range(rank.size):
            left = lanes[lane] + lanes[lane + LANES]
            per[lane] += left + (lanes[lane + 2 * LANES] + lanes[lane + 3 * LANES])
    for lane in range(rank.size):
        per[lane] = scaled(_lifted(rank[lane]), per[lane])


@inner
def dot_rows(held: Numbers, per: Numbers, width: int, sums: Numbers) -> None:
    """Multiply every row by `per` and add it up to a quarter of the lanes."""
    for row in range(0, held.size // LANES, 2):
        lanes = held[row * LANES : (row + 2) * LANES]
        into = sums[row * PART : (row + 2) * PART]
        for lane in range(width):
            p, q = per[lane], per[lane + PART]
            r, s = per[lane + 2 * PART], per[lane + 3 * PART]
            a = lanes[lane] * p + lanes[lane + PART] * q
            b = lanes[lane + 2 * PART] * r + lanes[lane + 3 * PART] * s
            c = lanes[lane + LANES] * p + lanes[lane + LANES + PART] * q
            d = lanes[lane + LANES + 2 * PART] * r + lanes[lane + LANES + 3 * PART] * s
            into[lane], into[lane + PART] = a + b, c + d


@inner
def pay_rows(sums: Numbers, share: Numbers, by_stake: bool, earned: Numbers) -> None:
    """Add up the rest, in eight running sums."""
    unit = share.dtype.type(1)
    for row in range(share.size):
        few = sums[row * PART : (row + 1) * PART]
        a = b = c = d = e = f = g = h = 0 * unit
        for lane in range(0, PART, 8):
            a, b = a + few[lane], b + few[lane + 1]
            c, d = c + few[lane + 2], d + few[lane + 3]
            e, f = e + few[lane + 4], f + few[lane + 5]
            g, h = g + few[lane + 6], h + few[lane + 7]
        total = ((a + b) + (c + d)) + ((e + f) + (g + h))
        earned[row] += (share[row] if by_stake else unit) * total


@inner
def clear(amounts: Numbers) -> None:
    """Set all to 0."""
    for place in range(amounts.size):
        amounts[place] = 0


@inner
def copy(source: Numbers, target: Numbers) -> None:
    """Write one array to the beginning of another."""
    for place in range(source.size):
        target[place] = source[place]
