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
    "bind_liquid",
    "clear",
    "clip_and_bind",
    "clip_and_rank",
    "copy",
    "dot_rows",
    "lift",
    "pay_rows",
    "per_bond",
]

Numbers: TypeAlias = npt.NDArray[Any]

PART = LANES // 8  # running sums a row: a fixed order of additions that is a loop without carries
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
def clip_and_bind(
    said: Numbers,
    held: Numbers,
    agreed: Numbers,
    share: Numbers,
    beta: float,
    alpha: float,
    ranks: Numbers,
) -> None:
    """Add up clipped weights; move bonds as `trilemma.kernels.yuma.bonds_version_3`, in place.

    Ranks go to the first row of `ranks`, all bonds in each miner to the second. One loop takes .4
    to .8 of the time of `clip_and_rank`, bonds and their sum in three.
    """
    kind = said.dtype.type
    bound, whole = kind(beta), beta == 1.0
    fresh, unit, flush, none = kind(alpha), kind(1), kind(FLUSH), kind(0)
    rest = unit - fresh
    clear(ranks[: 2 * LANES])
    for row in range(0, share.size, 2):
        lanes = said[row * LANES : (row + 2) * LANES]
        bonds = held[row * LANES : (row + 2) * LANES]
        left, right = share[row], share[row + 1]
        for lane in range(agreed.size):
            top = agreed[lane]
            a, b = lanes[lane], lanes[lane + LANES]
            cut_a, cut_b = min(a, top), min(b, top)
            ranks[lane] += left * cut_a + right * cut_b
            want_a = cut_a if whole else a + bound * (cut_a - a)
            want_b = cut_b if whole else b + bound * (cut_b - b)
            moved_a = min(unit, rest * bonds[lane] + fresh * want_a)
            moved_b = min(unit, rest * bonds[lane + LANES] + fresh * want_b)
            moved_a = moved_a if moved_a >= flush else none
            moved_b = moved_b if moved_b >= flush else none
            bonds[lane], bonds[lane + LANES] = moved_a, moved_b
            ranks[lane + LANES] = (ranks[lane + LANES] + moved_a) + moved_b  # as `bind_liquid`


@inner
def bind_liquid(
    target: Numbers, held: Numbers, agreed: Numbers, settings: Settings, total: Numbers
) -> None:
    """As `trilemma.kernels.yuma.liquid_alpha` and `bonds_version_3`; adds up bonds, too."""
    kind = held.dtype.type
    unit, half, none = kind(1), kind(0.5), kind(0)
    low, high, steepness = kind(settings.low), kind(settings.high), kind(settings.steepness)
    clear(total)
    for row in range(held.size // LANES):
        wanted = target[row * LANES : (row + 1) * LANES]
        before = held[row * LANES : (row + 1) * LANES]
        for lane in range(agreed.size):
            want, have = wanted[lane], before[lane]
            away = want - agreed[lane] if want >= have else have - want
            steep = -steepness * (min(max(away, none), unit) - half)
            speed = min(max(low + (high - low) / (unit + exponential(steep)), low), high)
            before[lane] = flushed(min(unit, (unit - speed) * have + speed * want))
            total[lane] += before[lane]


@inner
def bind_2(
    target: Numbers, held: Numbers, share: Numbers, alpha: float, lanes: int, sums: Numbers
) -> None:
    """As `trilemma.kernels.yuma.bonds_version_2`, in place; `sums` is space for it."""
    kind = held.dtype.type
    fresh, rest = kind(alpha), kind(1) - kind(alpha)
    had, bought, mixed = sums[:LANES], sums[LANES : 2 * LANES], sums[2 * LANES :]
    clear(sums)
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
def per_bond(rank: Numbers, total: Numbers) -> None:
    """Replace all bonds in each miner by what one of them earns: the rank over all."""
    for lane in range(rank.size):
        total[lane] = scaled(_lifted(rank[lane]), total[lane])


@inner
def dot_rows(held: Numbers, per: Numbers, width: int, sums: Numbers) -> None:
    """Multiply every row by `per` and add it up to an eighth of the lanes."""
    for row in range(held.size // LANES):
        lanes, into = held[row * LANES : (row + 1) * LANES], sums[row * PART : (row + 1) * PART]
        for lane in range(width):
            a = lanes[lane] * per[lane]
            b = lanes[lane + PART] * per[lane + PART]
            c = lanes[lane + 2 * PART] * per[lane + 2 * PART]
            d = lanes[lane + 3 * PART] * per[lane + 3 * PART]
            e = lanes[lane + 4 * PART] * per[lane + 4 * PART]
            f = lanes[lane + 5 * PART] * per[lane + 5 * PART]
            g = lanes[lane + 6 * PART] * per[lane + 6 * PART]
            h = lanes[lane + 7 * PART] * per[lane + 7 * PART]
            into[lane] = ((a + b) + (c + d)) + ((e + f) + (g + h))


@inner
def pay_rows(sums: Numbers, share: Numbers, by_stake: bool, earned: Numbers) -> None:
    """Add up the rest, in pairs: a running sum would take twice as long."""
    unit = share.dtype.type(1)
    for row in range(share.size):
        s = sums[row * PART : (row + 1) * PART]
        a, b = (s[0] + s[1]) + (s[2] + s[3]), (s[4] + s[5]) + (s[6] + s[7])
        c, d = (s[8] + s[9]) + (s[10] + s[11]), (s[12] + s[13]) + (s[14] + s[15])
        earned[row] += (share[row] if by_stake else unit) * ((a + b) + (c + d))


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
