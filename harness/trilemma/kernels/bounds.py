"""Bounds of the consensus of many miners at once, moved until they meet.

A pass over a tile (`trilemma.kernels.tiles`) weighs what lies below one value per lane. If that is
little enough, the consensus is at least the value, otherwise it is less. Where the search looks
next decides how long it takes and nothing else.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy.typing as npt

from trilemma.kernels.tiles import LANES, STEP, inner, total, zeros

__all__ = ["scratch", "search"]

Numbers: TypeAlias = npt.NDArray[Any]
Seen: TypeAlias = tuple[Any, Any, Any]

ROUGH = 4  # probes that only weigh, in half the time (64-bit: .4 of it) of those that find values
FEW = 4  # lanes are finished one by one once no more than one in four is left: 3 to 8 take the same
SPREAD = 12  # probes after which no even spread is relied on any more

# Where the rows of the working space begin. It is one array because LLVM vectorises no loop over
# more than a few that might overlap: over the rows of a matrix, `_narrow` took 6 times as long.
PROBE, BOTTOM, TOP = 0, LANES, 2 * LANES
UNDER, UPTO, BELOW, UP, DOWN = 3 * LANES, 4 * LANES, 5 * LANES, 6 * LANES, 7 * LANES


@inner
def scratch(units: Numbers) -> Numbers:
    """Return working space for a search."""
    work: Numbers = zeros(1, DOWN + LANES, units)[0]
    return work


@inner
def search(
    tile: Numbers,
    stake: Numbers,
    needed: Any,
    guess: Numbers,
    said: Numbers,
    work: Numbers,
    few: Numbers,
    found: Numbers,
) -> None:
    """Write the consensus of each lane to `found`.

    Where nothing is reported with enough stake, it is 0 at once. The next probe is where the
    consensus would be if stake were spread evenly between the bounds. After a few, bounds also
    move on to the next value that somebody reported, so that they meet. With a guess the first two
    probe it and its neighbour, which is all where it still holds. The last lanes are finished one
    by one.

    Parameters
    ----------
    tile : ndarray of int, shape (rows * LANES,)
    stake : ndarray of int, shape (rows,)
    needed : int
        What reaches the consensus. If it is more than all stake, the consensus is 0.
    guess : ndarray of int, shape (lanes,) or (0,)
        An earlier consensus, or none.
    said : ndarray, shape (any,)
        Of the kind of numbers whose bits the tile holds.
    work : ndarray of int
        From `scratch`.
    few : ndarray of int, shape (2, rows)
        More space.
    found : ndarray of int, shape (lanes,)
    """
    lanes, turn = found.size, 0
    spare = stake.dtype.type(total(stake) - needed)  # may report less than the consensus
    apart = _bound(tile, stake, work, lanes, spare)
    while FEW * apart > lanes:
        if turn > 1 or not guess.size:
            _spread(work, lanes, spare, turn == 0, turn > SPREAD, said)
        else:
            _guess(work, lanes, spare, guess, turn == 0)
        if turn >= ROUGH or (guess.size and turn == 0):
            _weigh_and_find(tile, stake, work, lanes)
        else:
            _weigh(tile, stake, work, lanes)
        apart = _narrow(work, lanes, spare)
        turn += 1
    _finish(tile, stake, spare, work, few, found)


@inner
def _bound(tile: Numbers, stake: Numbers, work: Numbers, lanes: int, spare: Any) -> Any:
    """Bound each lane by what it reports above 0; return how many have bounds that do not meet."""
    kind = work.dtype.type
    largest = kind(~kind(kind(1) << kind(8 * work.itemsize - 1)))
    for lane in range(lanes):
        work[lane + UNDER], work[lane + BOTTOM], work[lane + TOP] = 0, largest, 0
    for row in range(0, stake.size, STEP):
        keys = tile[row * LANES : (row + STEP) * LANES]
        a, b, c, d = stake[row], stake[row + 1], stake[row + 2], stake[row + 3]
        e, f, g, h = stake[row + 4], stake[row + 5], stake[row + 6], stake[row + 7]
        for lane in range(lanes):
            seen = work[lane + UNDER], work[lane + BOTTOM], work[lane + TOP]
            seen = _widen(keys[lane], a, seen)
            seen = _widen(keys[lane + LANES], b, seen)
            seen = _widen(keys[lane + 2 * LANES], c, seen)
            seen = _widen(keys[lane + 3 * LANES], d, seen)
            seen = _widen(keys[lane + 4 * LANES], e, seen)
            seen = _widen(keys[lane + 5 * LANES], f, seen)
            seen = _widen(keys[lane + 6 * LANES], g, seen)
            seen = _widen(keys[lane + 7 * LANES], h, seen)
            work[lane + UNDER], work[lane + BOTTOM], work[lane + TOP] = seen
    everything, apart = total(stake), kind(0)
    for lane in range(lanes):
        nothing, top = work[lane + UNDER] > spare, work[lane + TOP]
        top = kind(0) if nothing else top
        bottom = min(work[lane + BOTTOM], top)
        work[lane + BOTTOM], work[lane + TOP], work[lane + UPTO] = bottom, top, everything
        work[lane + UNDER] = kind(0) if nothing else work[lane + UNDER]
        apart += kind(1) if bottom < top else kind(0)
    return apart


@inner
def _widen(key: Any, unit: Any, seen: Seen) -> Seen:
    nothing, least, most = seen
    nothing += unit if key < 1 else 0
    return nothing, least if key < 1 else min(least, key), max(most, key)


@inner
def _guess(work: Numbers, lanes: int, spare: Any, guess: Numbers, first: bool) -> None:
    """Probe the guess, then the least value above what it reaches, or the largest below it."""
    for lane in range(lanes):
        bottom, top = work[lane + BOTTOM], work[lane + TOP]
        onward = bottom + 1 if work[lane + BELOW] <= spare else top
        wanted = guess[lane] if first else onward
        work[lane] = max(min(wanted, top), bottom)


@inner
def _spread(work: Numbers, lanes: int, spare: Any, first: bool, halve: bool, said: Numbers) -> None:
    """Probe where the consensus is if stake is spread evenly over the values between the bounds.

    At first, and between bounds that are close to each other; between others over their
    logarithms, nearly, which are their bits. Stake that defies both is searched by halves.
    """
    kind = work.dtype.type
    octaves = kind(kind(2) << kind(23 if work.itemsize == 4 else 52))
    values = work[: TOP + LANES].view(said.dtype)
    for lane in range(lanes):
        bottom = values[lane + BOTTOM]
        between = values[lane + TOP] - bottom
        values[lane] = bottom + between * _part(work, lane, spare, said)
    for lane in range(lanes):
        bottom, top = work[lane + BOTTOM], work[lane + TOP]
        gap = kind(top - bottom)
        onward = kind(bottom + kind(said.dtype.type(gap) * _part(work, lane, spare, said)))
        onward = work[lane] if first or gap <= octaves else onward
        onward = kind(top - (gap >> kind(1))) if halve else onward
        work[lane] = min(max(onward, kind(bottom + kind(1))), top)


@inner
def _part(work: Numbers, lane: int, spare: Any, said: Numbers) -> Any:
    """Return which part of the stake between the bounds lies below the consensus."""
    kind, real, under = work.dtype.type, said.dtype.type, work[lane + UNDER]
    return real(kind(spare - under)) / real(kind(work[lane + UPTO] - under))


@inner
def _narrow(work: Numbers, lanes: int, spare: Any) -> Any:
    """Move one bound of each lane; return how many lanes have bounds that do not meet."""
    kind = work.dtype.type
    apart = kind(0)
    for lane in range(lanes):
        bottom, top, below = work[lane + BOTTOM], work[lane + TOP], work[lane + BELOW]
        under, upto = work[lane + UNDER], work[lane + UPTO]
        enough = below <= spare
        bottom, top = work[lane + UP] if enough else bottom, top if enough else work[lane + DOWN]
        work[lane + BOTTOM], work[lane + TOP] = bottom, top
        work[lane + UNDER] = below if enough else under
        work[lane + UPTO] = upto if enough else below
        apart += kind(1) if bottom < top else kind(0)
    return apart


@inner
def _finish(
    tile: Numbers, stake: Numbers, spare: Any, work: Numbers, few: Numbers, found: Numbers
) -> None:
    """Search the lanes that are left, each among the values that lie between its bounds."""
    kind = found.dtype.type
    keys, units = few[0], few[1]
    for lane in range(found.size):
        bottom, top = work[lane + BOTTOM], work[lane + TOP]
        if bottom < top:
            lane_keys, count = tile[lane:], 0
            for row in range(stake.size):
                key = lane_keys[row * LANES]
                keys[count], units[count] = key, stake[row]
                count += 1 if bottom <= key <= top else 0
            left = kind(spare - work[lane + UNDER])
            while bottom < top:
                at = kind(top - ((top - bottom) >> 1))
                below, up, down = kind(0), top, bottom
                for place in range(count):
                    key, less = keys[place], keys[place] < at
                    below += units[place] if less else kind(0)
                    down = max(down, key) if less else down
                    up = up if less else min(up, key)
                bottom = up if below <= left else bottom
                top = top if below <= left else down
        found[lane] = bottom


@inner
def _weigh(tile: Numbers, stake: Numbers, work: Numbers, lanes: int) -> None:
    """Add up the stake below each probe, which is a new bound, or one more than that."""
    for lane in range(lanes):
        work[lane + BELOW], work[lane + UP], work[lane + DOWN] = 0, work[lane], work[lane] - 1
    for row in range(0, stake.size, STEP):
        keys = tile[row * LANES : (row + STEP) * LANES]
        a, b, c, d = stake[row], stake[row + 1], stake[row + 2], stake[row + 3]
        e, f, g, h = stake[row + 4], stake[row + 5], stake[row + 6], stake[row + 7]
        for lane in range(lanes):
            at, seen = work[lane], work[lane + BELOW]
            seen += a if keys[lane] < at else 0
            seen += b if keys[lane + LANES] < at else 0
            seen += c if keys[lane + 2 * LANES] < at else 0
            seen += d if keys[lane + 3 * LANES] < at else 0
            seen += e if keys[lane + 4 * LANES] < at else 0
            seen += f if keys[lane + 5 * LANES] < at else 0
            seen += g if keys[lane + 6 * LANES] < at else 0
            seen += h if keys[lane + 7 * LANES] < at else 0
            work[lane + BELOW] = seen


@inner
def _weigh_and_find(tile: Numbers, stake: Numbers, work: Numbers, lanes: int) -> None:
    """Add up the stake below each probe; find the values next to it, which are the new bounds."""
    for lane in range(lanes):
        work[lane + BELOW] = 0
        work[lane + UP], work[lane + DOWN] = work[lane + TOP], work[lane + BOTTOM]
    for row in range(0, stake.size, STEP):
        keys = tile[row * LANES : (row + STEP) * LANES]
        a, b, c, d = stake[row], stake[row + 1], stake[row + 2], stake[row + 3]
        e, f, g, h = stake[row + 4], stake[row + 5], stake[row + 6], stake[row + 7]
        for lane in range(lanes):
            at = work[lane]
            seen = work[lane + BELOW], work[lane + UP], work[lane + DOWN]
            seen = _see(keys[lane], a, at, seen)
            seen = _see(keys[lane + LANES], b, at, seen)
            seen = _see(keys[lane + 2 * LANES], c, at, seen)
            seen = _see(keys[lane + 3 * LANES], d, at, seen)
            seen = _see(keys[lane + 4 * LANES], e, at, seen)
            seen = _see(keys[lane + 5 * LANES], f, at, seen)
            seen = _see(keys[lane + 6 * LANES], g, at, seen)
            seen = _see(keys[lane + 7 * LANES], h, at, seen)
            work[lane + BELOW], work[lane + UP], work[lane + DOWN] = seen


@inner
def _see(key: Any, unit: Any, probe: Any, seen: Seen) -> Seen:
    below, up, down = seen
    less = key < probe
    return (
        below + (unit if less else 0),
        up if less else min(up, key),
        max(down, key) if less else down,
    )
