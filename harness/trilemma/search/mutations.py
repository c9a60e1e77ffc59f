"""Ways to change plans: few entries at once, blocks of miners, whole reports, other channels.

Each takes several plans of one structure (a leading axis b in all arrays), draws for each of them,
and returns others. All worlds of a plan are changed alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from trilemma.fields import normalised
from trilemma.model import AnyArray, BoolArray, FloatArray, IntArray
from trilemma.search.plan import Plan
from trilemma.search.sight import Sight

__all__ = ["MUTATIONS", "explored", "mutated"]

# A text: numpy.random is imported when it is first drawn from, 5 ms.
Mutation: TypeAlias = "Callable[[Plan, Sight, np.random.Generator], Plan]"

FACTORS = np.array([0.0, 0.25, 0.5, 0.8, 1.25, 2.0, 4.0])
PARTS = np.array([0.05, 0.1, 0.25, 0.5, 1.0])
WIDTHS = np.array([0.1, 0.5, 2.0])
FAVOURS = np.array([0, 0.1, 0.3, 0.5, 1])
FALLS = np.array([0.5, 0.7, 0.9])
TRADES = np.array([-1, -0.1, 0.1, 1])
SIGNS = np.array([-1, 0, 1, 1], np.int8)
GRIDS = np.array([4.0, 16.0, 64.0, 65535.0])  # the last is how a chain stores weights
TENURES = np.array([0.0, 1.0, 10.0, np.inf])


def nudge(plans: Plan, sight: Sight, draw: np.random.Generator) -> Plan:  # noqa: ARG001
    """Scale, or set to a peer-like height, a few entries."""
    b, _, q, m = plans.weights.shape
    count = 2 ** int(draw.integers(0, 4))
    at = np.arange(b)[:, None], draw.integers(0, m, (b, count))
    scale = np.exp(_some_of(WIDTHS, (b, 1), draw) * draw.standard_normal((b, count)))
    columns = np.ones((b, m))
    columns[at] = scale
    added = np.zeros((b, m))
    added[at] = np.where(draw.random((b, count)) < 0.5, 0, scale / m)
    mask = _who(b, q, draw)
    return _reporting(plans, plans.weights * columns[:, None, None] + added[:, None, None], mask)


def block(plans: Plan, sight: Sight, draw: np.random.Generator) -> Plan:
    """Scale what is said of a run of miners, in the order of merit."""
    b, _, q, m = plans.weights.shape
    start = draw.integers(0, m, (b, 1))
    length = 1 + draw.integers(0, max(1, m // 2), (b, 1))
    inside = (sight.rank - start) % m < length
    columns = np.where(inside, _some_of(FACTORS, b, draw)[:, None], 1.0)
    return _reporting(plans, plans.weights * columns[:, None, None], _who(b, q, draw))


def lean(plans: Plan, sight: Sight, draw: np.random.Generator) -> Plan:
    """Mix reports with another one: own miners, a few equals, the peers' mean, or silence."""
    b, w, q, m = plans.weights.shape
    towards = np.empty((b, w, m))
    for aim in towards:
        aim[:] = _aim(sight, m, draw)
    part = _some_of(PARTS, b, draw)[:, None, None, None]
    mixed = (1 - part) * plans.weights + part * towards[:, :, None]
    return _reporting(plans, mixed, _who(b, q, draw))


def _aim(sight: Sight, miners: int, draw: np.random.Generator) -> FloatArray:
    """Draw a report (m,), the same in every world unless it is the peers' (w, m)."""
    kind = draw.integers(0, 6)
    if kind == 0:
        return sight.peers
    aim: FloatArray = np.zeros(miners)
    if kind == 1 and sight.own.size:
        aim[sight.own] = 1
    elif kind == 2:
        aim[sight.order[: 2 ** int(draw.integers(0, miners.bit_length()))]] = 1
    elif kind == 3:
        count = min(2 ** int(draw.integers(0, miners.bit_length())), miners)
        aim[draw.choice(miners, count, replace=False)] = 1
    elif kind == 4:
        aim[draw.permutation(miners)] = 0.5 ** np.arange(miners)
    return np.asarray(aim / max(aim.sum(), 1.0))


def press(plans: Plan, sight: Sight, draw: np.random.Generator) -> Plan:
    """Scale what is said of the adversary's own miners, or of either twin."""
    b, _, q, m = plans.weights.shape
    columns = np.ones((b, m))
    for place in (*sight.twins, *sight.own[:1]):
        columns[:, place] = _some_of(FACTORS, b, draw)
    return _reporting(plans, plans.weights * columns[:, None, None], _who(b, q, draw))


def exchange(plans: Plan, sight: Sight, draw: np.random.Generator) -> Plan:  # noqa: ARG001
    """Let two miners change places in a report."""
    b, _, q, m = plans.weights.shape
    columns = np.tile(np.arange(m), (b, 1))
    one, other = draw.integers(0, m, (2, b))
    columns[np.arange(b), one], columns[np.arange(b), other] = other, one
    swapped = np.take_along_axis(plans.weights, columns[:, None, None], axis=-1)
    return _reporting(plans, swapped, _who(b, q, draw))


def imitate(plans: Plan, sight: Sight, draw: np.random.Generator) -> Plan:  # noqa: ARG001
    """Let an account report what another own account does."""
    b, _, q, _ = plans.weights.shape
    source = draw.integers(0, q, b)
    copied = plans.weights[np.arange(b), :, source][:, :, None]
    return _reporting(plans, np.broadcast_to(copied, plans.weights.shape), _who(b, q, draw))


def round_off(plans: Plan, sight: Sight, draw: np.random.Generator) -> Plan:  # noqa: ARG001
    """Round reports to a coarse grid, or to that of a chain."""
    b, _, q, _ = plans.weights.shape
    grid = _some_of(GRIDS, b, draw)[:, None, None, None]
    top = plans.weights.max(axis=-1, keepdims=True)
    scaled = np.divide(plans.weights, top, out=np.zeros_like(plans.weights), where=top > 0)
    return _reporting(plans, np.round(scaled * grid), _who(b, q, draw))


def move_stake(plans: Plan, sight: Sight, draw: np.random.Generator) -> Plan:
    """Give an account more or less of its principal's stake."""
    b, q = plans.share.shape
    share = plans.share.copy()
    share[np.arange(b), draw.integers(0, q, b)] *= _some_of(FACTORS, b, draw)
    mine = sight.principals
    totals = np.stack([np.bincount(mine, row)[mine] for row in share])
    equal = np.broadcast_to(1 / np.bincount(mine)[mine], (b, q))
    return replace(plans, share=np.divide(share, totals, out=equal.copy(), where=totals > 0))


def ballot(plans: Plan, sight: Sight, draw: np.random.Generator) -> Plan:
    """Vote, and order from the seats held, on the suspension of a few miners."""
    b, q = plans.share.shape
    m = plans.weights.shape[-1]
    votes = _signs(plans.votes, (b, q, m))
    columns = _some(sight, b, m, draw)
    signs = _some_of(SIGNS, (b, 1, 1), draw)
    who = _who(b, q, draw)[:, 0] & columns[:, None]
    votes = np.where(who, signs, votes)
    if sight.seats == 0:
        return replace(plans, votes=votes)
    orders = _signs(plans.orders, (b, sight.seats, m))
    return replace(plans, votes=votes, orders=np.where(columns[:, None], signs, orders))


def trade(plans: Plan, sight: Sight, draw: np.random.Generator) -> Plan:
    """Buy or sell a few miners' tokens, in units of own stake."""
    b, q = plans.share.shape
    m = plans.weights.shape[-1]
    flows = np.zeros((b, q, m)) if plans.flows is None else plans.flows
    who = _who(b, q, draw)[:, 0] & _some(sight, b, m, draw)[:, None]
    return replace(plans, flows=np.where(who, _some_of(TRADES, (b, 1, 1), draw), flows))


def wait(plans: Plan, sight: Sight, draw: np.random.Generator) -> Plan:  # noqa: ARG001
    """Hold stake for another time."""
    b, q = plans.share.shape
    tenure = np.full((b, q), np.inf) if plans.tenure is None else plans.tenure
    who = _who(b, q, draw)[:, 0, :, 0]
    return replace(plans, tenure=np.where(who, _some_of(TENURES, (b, 1), draw), tenure))


def fresh(plans: Plan, sight: Sight, draw: np.random.Generator) -> Plan:
    """Forget what was said; say something of a simple make, with one miner put first.

    Rules with a secret door give no hint of it: what finds one is reports unlike each other.
    """
    b, w, q, m = plans.weights.shape
    patterns = np.empty((b, w, m))
    for pattern in patterns:
        pattern[:] = _pattern(sight, m, draw)
    favoured = np.zeros((b, m))
    favoured[np.arange(b), _favourites(sight, b, m, draw)] = 1
    part = np.where(draw.random(b) < 0.5, draw.random(b), _some_of(FAVOURS, b, draw))
    part = part[:, None, None]
    said = part * favoured[:, None] + (1 - part) * patterns
    return _reporting(plans, said[:, :, None], _who(b, q, draw))


def _pattern(sight: Sight, miners: int, draw: np.random.Generator) -> FloatArray:
    """Draw a report of a simple make, (m,) or (w, m), that sums to 1."""
    kind = draw.integers(0, 6)
    if kind == 0:
        return sight.peers if draw.random() < 0.5 else sight.opposite
    if kind == 1:
        shape: AnyArray = _some_of(FALLS, None, draw) ** draw.permutation(miners)
    else:
        few = 2 ** int(draw.integers(0, miners.bit_length()))
        listed = draw.random(miners) < (0.5 if kind <= 3 else few / miners)
        shape = listed * (draw.exponential(size=miners) if draw.random() < 0.3 else 1.0)
    return np.asarray(shape / max(float(shape.sum()), 1e-300))


def _favourites(sight: Sight, b: int, m: int, draw: np.random.Generator) -> IntArray:
    """Draw the miner to put first: an own one, the other twin, or anybody."""
    known = np.array([*sight.own, *sight.twins[1:]], np.int64)
    anybody = draw.integers(0, m, b)
    if known.size == 0:
        return anybody
    return np.where(draw.random(b) < 0.75, _some_of(known, b, draw), anybody)


REPORTS: tuple[Mutation, ...] = (nudge, nudge, block, lean, press, exchange, imitate, round_off)
CHANNELS: tuple[Mutation, ...] = (ballot, trade, wait)
MUTATIONS: tuple[Mutation, ...] = (*REPORTS, move_stake, *CHANNELS)


def explored(plans: Plan, sight: Sight, draw: np.random.Generator) -> tuple[Plan, bool]:
    """Return plans unlike those before, as `mutated`."""
    plans = fresh(plans, sight, draw)
    if draw.random() < 0.25:
        plans = round_off(plans, sight, draw)
    if plans.structure.parts > 1 and draw.random() < 0.25:
        plans = move_stake(plans, sight, draw)
    channels = bool(draw.random() < 0.25)
    if channels:
        plans = CHANNELS[int(draw.integers(len(CHANNELS)))](plans, sight, draw)
    return plans, channels


def mutated(plans: Plan, sight: Sight, draw: np.random.Generator) -> tuple[Plan, bool]:
    """Return changed plans, and whether they act through a channel beside stake and weights."""
    count = 1 + int(draw.random() < 0.3)
    channels = False
    for _ in range(count):
        kind = draw.random()
        if kind < 0.08:
            chosen, channels = CHANNELS[int(draw.integers(len(CHANNELS)))], True
        elif kind < 0.15 and plans.structure.parts > 1:
            chosen = move_stake
        else:
            chosen = REPORTS[int(draw.integers(len(REPORTS)))]
        plans = chosen(plans, sight, draw)
    return plans, channels


def _who(b: int, q: int, draw: np.random.Generator) -> BoolArray:
    """Draw whose reports change: everybody's or one's; shape (b, 1, q, 1)."""
    everybody = draw.random(b) < 0.5
    one = np.arange(q) == draw.integers(0, q, b)[:, None]
    return np.asarray((everybody[:, None] | one)[:, None, :, None])


def _some_of(
    values: AnyArray, size: int | tuple[int, ...] | None, draw: np.random.Generator
) -> AnyArray:
    """Draw from a list: `choice` does the same with the same draws, in 12 instead of 4 us."""
    return np.asarray(values[draw.integers(0, values.size, size)])


def _some(sight: Sight, b: int, m: int, draw: np.random.Generator) -> BoolArray:
    """Draw the miners to act on: own ones, all others, the target, or a run by merit; (b, m)."""
    away = (sight.rank - draw.integers(0, m, b)[:, None]) % m
    run = away < 2 ** draw.integers(0, m.bit_length(), b)[:, None]
    own, target = np.isin(np.arange(m), sight.own), np.isin(np.arange(m), sight.twins[:1])
    kinds = [it for it in (own, ~own & ~np.isin(np.arange(m), sight.twins), target) if it.any()]
    kind = draw.integers(0, len(kinds) + 1, b)[:, None]
    return np.asarray(np.where(kind == len(kinds), run, np.stack(kinds)[kind[:, 0] % len(kinds)]))


def _signs(given: AnyArray | None, shape: tuple[int, ...]) -> AnyArray:
    return np.zeros(shape, np.int8) if given is None else given


def _reporting(plans: Plan, said: FloatArray, who: BoolArray) -> Plan:
    """Return plans in which some accounts say something else, scaled to sum 1."""
    rows = np.where(who, said, plans.weights)
    return replace(plans, weights=normalised(rows.reshape(-1, rows.shape[-1])).reshape(rows.shape))
