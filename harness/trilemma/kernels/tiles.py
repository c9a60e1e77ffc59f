"""The search for the consensus of many miners at once, in tiles that stay in the cache.

A tile holds the reports of some validators (rows) on up to `LANES` miners (lanes), one row after
the other, as integers: floats that are not negative are ordered like the integers with the same
bits. Stake is summed in integers. So rounding decides neither order nor ties, and the answer does
not depend on the way that the search takes.

Two things keep the loops vectorised: the distance between rows is a constant of the code, and how
many lanes are in use is not (loops over a small constant are unrolled instead).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.extending import overload

__all__ = [
    "LANES",
    "STEP",
    "bracket",
    "compiled",
    "inlined",
    "inner",
    "pack",
    "scratch",
    "search",
    "zeros",
]

Numbers: TypeAlias = npt.NDArray[Any]
Seen: TypeAlias = tuple[Any, Any, Any]
Body = TypeVar("Body", bound=Callable[..., Any])


class Compiler(Protocol):
    """A decorator that keeps what a function takes and returns."""

    def __call__(self, body: Body, /) -> Body:
        """Return the compiled function."""


compiled = njit(cache=True, nogil=True, error_model="numpy")  # divisions by zero are looked after

# What only kernels call. Entry points for others, and files of its own in the cache, took a tenth
# of the time to compile; each level of calls makes the code below it be optimised once more.
inner: Compiler = njit(  # type: ignore[call-overload]
    nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
)
inlined = njit(nogil=True, error_model="numpy", inline="always")

LANES = 128  # 64 take 1.2 times as long at 64 x 256, 256 as long; 64 are better at 1024 rows only
STEP = 8  # rows weighed between two stores: four take 1.4 times as long
GALLOPS = 5  # probes that start from a guess: at it, and 1, 2**14, 2**17, 2**20 steps beyond


@inner
def zeros(rows: int, size: int, like: Numbers) -> Numbers:
    """Return zeros (rows, size) of the kind of a matrix.

    All space comes from here: each other kind of shape takes 0.1 s to compile.
    """
    return np.zeros((rows, size), like.dtype)


@inner
def scratch(width: int, units: Numbers) -> Numbers:
    """Return working space for a search in so many lanes."""
    return zeros(6, width, units)


@inner
def pack(
    keys: Numbers, rows: Numbers, heard: Numbers, first: int, span: int, tile: Numbers
) -> None:
    """Fill a tile with what some rows report of the miners from `first` on.

    Rows that are not heard report zeros, and minus zero is zero. Beyond the last row the tile
    repeats it, so that its values are those of the rows.
    """
    zero = tile.dtype.type(0)
    for row in range(rows.size):
        said = keys[rows[row]][first : first + span]
        lanes = tile[row * LANES : (row + 1) * LANES]
        for lane in range(said.size):
            lanes[lane] = max(said[lane], zero)
    for row in range(rows.size):  # not above: a branch in there takes four times as long
        if not heard[row]:
            lanes = tile[row * LANES : row * LANES + span]
            for lane in range(lanes.size):
                lanes[lane] = zero
    start = (rows.size - 1) * LANES
    for place in range(start + LANES, tile.size):
        tile[place] = tile[place - LANES]


@inner
def bracket(tile: Numbers, low: Numbers, high: Numbers) -> None:
    """Find the least and the largest value of each lane."""
    for lane in range(low.size):
        low[lane], high[lane] = tile[lane], tile[lane]
    for row in range(0, tile.size // LANES, STEP):
        keys = tile[row * LANES : (row + STEP) * LANES]
        for lane in range(low.size):
            a, b = keys[lane], keys[lane + LANES]
            c, d = keys[lane + 2 * LANES], keys[lane + 3 * LANES]
            e, f = keys[lane + 4 * LANES], keys[lane + 5 * LANES]
            g, h = keys[lane + 6 * LANES], keys[lane + 7 * LANES]
            least = min(min(min(a, b), min(c, d)), min(min(e, f), min(g, h)))
            most = max(max(max(a, b), max(c, d)), max(max(e, f), max(g, h)))
            low[lane], high[lane] = min(low[lane], least), max(high[lane], most)


@inner
def search(
    tile: Numbers,
    stake: Numbers,
    spare: Any,
    low: Numbers,
    high: Numbers,
    guess: Numbers,
    work: Numbers,
) -> None:
    """Close a bracket, low <= consensus <= high, around the consensus of each lane.

    A pass over the rows probes one value per lane. If no more than `spare` stake reports less,
    low rises to the next value at or above the probe, else high drops to the next value below it.
    Because both land on values that somebody reported, 64 validators take about 9 passes.

    With a guess (an earlier consensus) the first probes gallop away from it; an unchanged one is
    found in two passes. Otherwise they halve the bracket of bit patterns.
    """
    probe, below, moving, rises, up, down = work[0], work[1], work[2], work[3], work[4], work[5]
    kind = low.dtype.type
    turn = 0 if guess.size else GALLOPS
    stride = kind(1)
    while _halve(low, high, probe):
        if turn == 0:
            _clamp(low, high, guess, probe)
        elif turn < GALLOPS:
            _gallop(low, high, probe, moving, rises, stride)
            # A change of weights moves floats by the same part: by more steps where those are fine.
            stride = kind(stride << kind(3 if turn > 1 else 14 if low.itemsize == 4 else 43))
        _weigh_rows(tile, stake, probe, below, up, down)
        if turn < GALLOPS:
            _steer(below, spare, moving, rises, turn == 0)
        _narrow(low, high, probe, below, up, down, spare)
        turn += 1


@inner
def _halve(low: Numbers, high: Numbers, probe: Numbers) -> Any:
    """Probe the middle of every bracket; return the widest."""
    kind = low.dtype.type
    widest = kind(0)
    for lane in range(low.size):
        gap = kind(high[lane] - low[lane])
        widest = max(widest, gap)
        probe[lane] = low[lane] + ((gap >> kind(1)) + (gap & kind(1)))
    return widest


@inner
def _clamp(low: Numbers, high: Numbers, guess: Numbers, probe: Numbers) -> None:
    for lane in range(low.size):
        probe[lane] = max(min(guess[lane], high[lane]), low[lane])


@inner
def _gallop(
    low: Numbers, high: Numbers, probe: Numbers, moving: Numbers, rises: Numbers, stride: Any
) -> None:
    """Probe a stride beyond the side that moved, in lanes that still move the same way."""
    kind = low.dtype.type
    for lane in range(low.size):
        reach = min(kind(high[lane] - low[lane]), stride)
        above = kind(low[lane] + reach)
        below = kind(high[lane] - reach + min(reach, kind(1)))
        onward = above if rises[lane] else below
        probe[lane] = onward if moving[lane] else probe[lane]


@inner
def _steer(below: Numbers, spare: Any, moving: Numbers, rises: Numbers, first: bool) -> None:
    """Note which way each lane goes, and whether it still goes the way it set out."""
    kind = below.dtype.type
    for lane in range(below.size):
        risen = kind(1) if below[lane] <= spare else kind(0)
        same = moving[lane] if risen == rises[lane] else kind(0)
        moving[lane] = kind(1) if first else same
        rises[lane] = risen if first else rises[lane]


@inner
def _narrow(
    low: Numbers,
    high: Numbers,
    probe: Numbers,
    below: Numbers,
    up: Numbers,
    down: Numbers,
    spare: Any,
) -> None:
    kind = low.dtype.type
    for lane in range(low.size):
        at, bottom, top = probe[lane], low[lane], high[lane]
        enough = below[lane] <= spare
        low[lane] = min(kind(at + up[lane]), top) if enough else bottom
        high[lane] = top if enough else max(bottom, kind(at + down[lane]))


@inner
def _weigh_rows(
    tile: Numbers, stake: Numbers, probe: Numbers, below: Numbers, up: Numbers, down: Numbers
) -> None:
    """Add up the stake below each probe; find the values next to it.

    Distances wrap around, as unsigned numbers: of those at or above the probe the least is the
    next, of those below it the largest is.
    """
    for lane in range(probe.size):
        below[lane], up[lane], down[lane] = 0, -1, 0
    for row in range(0, stake.size, STEP):
        keys = tile[row * LANES : (row + STEP) * LANES]
        unit_0, unit_1, unit_2, unit_3 = stake[row], stake[row + 1], stake[row + 2], stake[row + 3]
        unit_4, unit_5, unit_6, unit_7 = (
            stake[row + 4],
            stake[row + 5],
            stake[row + 6],
            stake[row + 7],
        )
        for lane in range(probe.size):
            at = probe[lane]
            seen = below[lane], _wrapped(up[lane], 0), _wrapped(down[lane], 0)
            seen = _weigh(keys[lane], unit_0, at, seen)
            seen = _weigh(keys[lane + LANES], unit_1, at, seen)
            seen = _weigh(keys[lane + 2 * LANES], unit_2, at, seen)
            seen = _weigh(keys[lane + 3 * LANES], unit_3, at, seen)
            seen = _weigh(keys[lane + 4 * LANES], unit_4, at, seen)
            seen = _weigh(keys[lane + 5 * LANES], unit_5, at, seen)
            seen = _weigh(keys[lane + 6 * LANES], unit_6, at, seen)
            seen = _weigh(keys[lane + 7 * LANES], unit_7, at, seen)
            below[lane], up[lane], down[lane] = seen


@inner
def _weigh(key: Any, unit: Any, probe: Any, seen: Seen) -> Seen:
    below, up, down = seen
    away = _wrapped(key, probe)
    return below + (unit if key < probe else 0), min(up, away), max(down, away)


def _wrapped(key: Any, probe: Any) -> Any:
    """Return how far a key lies from the probe, modulo the size of its kind."""
    return (np.asarray(key) - np.asarray(probe)).astype(np.uint64)


@overload(_wrapped, strict=False)
def _wrapped_compiled(key: Any, probe: Any) -> Any:  # noqa: ARG001
    if key == types.int32:
        return lambda key, probe: np.uint32(key - probe)
    return lambda key, probe: np.uint64(key - probe)
