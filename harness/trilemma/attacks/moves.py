"""Moves: what an adversary can do to a world. A play is a few of them, one after the other.

Each takes a world and returns another. Identities are appended, never removed or reordered.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from trilemma.fields import normalised
from trilemma.model import AnyArray, FloatArray, IntArray, World, changed

__all__ = [
    "abstain",
    "arrive",
    "clone",
    "copy_peers",
    "dust",
    "fake",
    "favour",
    "keep_best",
    "level",
    "match_peers",
    "order",
    "oust",
    "praise_in_a_ring",
    "praise_self",
    "promote",
    "reverse",
    "sell",
    "sequence",
    "shun",
    "slight",
    "split",
    "vote",
]

Move = Callable[[World], World]


def sequence(*moves: Move) -> Move:
    """Return the move that makes these one after the other."""
    return partial(_make, moves)


def _make(moves: tuple[Move, ...], world: World) -> World:
    for move in moves:
        world = move(world)
    return world


def split(world: World, parts: int) -> World:
    """Split the stake of each of the adversary's validators over `parts` equal accounts.

    The new accounts report as the old one does; a seat stays where it is.
    """
    own = world.own_validators
    copied = np.concatenate([np.arange(world.stake.size), np.repeat(own, parts - 1)])
    stake = world.stake[copied].astype(np.float64)
    stake[own] /= parts
    stake[world.stake.size :] /= parts
    return changed(
        world,
        stake=stake,
        weights=world.weights[copied],
        validator_owner=world.validator_owner[copied],
        sees_clones=world.sees_clones[copied],
        votes=_rows(world.votes, copied),
        flows=_rows(world.flows, copied),
        tenure=_rows(world.tenure, copied),
    )


def fake(world: World, count: int) -> World:
    """Register `count` more miners that do no work: honest validators report nothing on them."""
    nothing = np.zeros((world.stake.size, count))
    return _with_miners(world, np.hstack([world.weights, nothing]), count)


def clone(world: World, count: int) -> World:
    """Show the work of the adversary's miner under `count` more names.

    A validator that sees through it splits the credit over all copies; one that does not
    reports each in full.
    """
    original = world.own_miners[0]
    credit = np.where(world.sees_clones, 1 / (count + 1), 1.0) * world.weights[:, original]
    weights = np.hstack([world.weights, np.repeat(credit[:, None], count, axis=1)])
    weights[:, original] = credit
    return _with_miners(world, normalised(weights), count)


def praise_self(world: World, intensity: float) -> World:
    """Put a part `intensity` of every own report on the adversary's own miners, equally."""
    own = world.own_miners
    praise = np.zeros(world.weights.shape[1])
    praise[own] = 1 / own.size
    return _report(
        world, (1 - intensity) * world.weights[world.own_validators] + intensity * praise
    )


def praise_in_a_ring(world: World, intensity: float) -> World:
    """Let every own validator praise one own miner: the next one in a ring."""
    rows, miners = world.own_validators, world.own_miners
    reports = (1 - intensity) * world.weights[rows]
    reports[np.arange(rows.size), miners[np.arange(1, rows.size + 1) % miners.size]] += intensity
    return _report(world, reports)


def copy_peers(world: World) -> World:
    """Report the stake-weighted mean of everybody else's reports instead of own work."""
    peers = _peers(world)
    total = world.stake[peers].sum()
    if total == 0:
        return world
    mean = world.stake[peers] @ world.weights[peers] / total
    return _report(world, normalised(np.tile(mean, (world.own_validators.size, 1))))


def match_peers(world: World, margin: float) -> World:
    """Report what half of the others' stake reports at least, and the rest on own miners.

    Every value is off by the part `margin` of it: 0 is a tie with somebody's own report.
    """
    peers = _peers(world)
    total = world.stake[peers].sum()
    if total == 0:
        return world
    descending = np.argsort(-world.weights[peers], axis=0, kind="stable")
    enough = np.cumsum(world.stake[peers][descending], axis=0) >= total / 2
    middle = np.take_along_axis(descending, enough.argmax(axis=0)[None], axis=0)
    report = (1 + margin) * np.take_along_axis(world.weights[peers], middle, axis=0)
    report[:, world.own_miners] = 0
    report[:, world.own_miners] = max(0.0, 1 - report.sum()) / max(world.own_miners.size, 1)
    return _report(world, np.repeat(normalised(report), world.own_validators.size, axis=0))


def keep_best(world: World, count: int) -> World:
    """Report on the `count` best miners only, each validator on the best by its own report."""
    reports = world.weights[world.own_validators]
    dropped = np.argsort(-reports, axis=1, kind="stable")[:, count:]
    np.put_along_axis(reports, dropped, 0, axis=1)
    return _report(world, normalised(reports))


def level(world: World) -> World:
    """Report the same of everybody."""
    shape = world.own_validators.size, world.weights.shape[1]
    return _report(world, np.full(shape, 1 / shape[1]))


def dust(world: World, share: float) -> World:
    """Report this share on every miner of others, and all the rest on own miners, equally."""
    own, miners = world.own_miners, world.weights.shape[1]
    report = np.full(miners, share)
    report[own] = (1 - share * (miners - own.size)) / own.size
    return _report(world, np.tile(report, (world.own_validators.size, 1)))


def reverse(world: World) -> World:
    """Give the best miner the worst report, and so on, in every own report."""
    reports = world.weights[world.own_validators]
    order = np.argsort(reports, axis=1, kind="stable")
    reversed_reports = np.empty_like(reports)
    np.put_along_axis(reversed_reports, order, np.sort(reports, axis=1)[:, ::-1], axis=1)
    return _report(world, reversed_reports)


def abstain(world: World) -> World:
    """Say nothing."""
    return _report(world, np.zeros_like(world.weights[world.own_validators]))


def shun(world: World) -> World:
    """Report nothing on the target twin; what it had goes to everybody in proportion."""
    reports = world.weights[world.own_validators]
    reports[:, world.twins[0]] = 0
    return _report(world, normalised(reports))


def slight(world: World, share: float) -> World:
    """Give the target twin this share of the best report; what it had goes to everybody."""
    reports = shun(world).weights[world.own_validators]
    reports[:, world.twins[0]] = share * reports.max(axis=1)
    return _report(world, normalised(reports))


def favour(world: World) -> World:
    """Put every own report on the other twin alone."""
    reports = np.zeros_like(world.weights[world.own_validators])
    reports[:, world.twins[1]] = 1
    return _report(world, reports)


def promote(world: World) -> World:
    """Move every own report on the target twin to the other twin."""
    target, other = world.twins
    reports = world.weights[world.own_validators]
    reports[:, other] += reports[:, target]
    reports[:, target] = 0
    return _report(world, reports)


def vote(world: World) -> World:
    """Vote to suspend the target twin."""
    votes = _as_was(world.votes, world.weights.shape)
    votes[world.own_validators, world.twins[0]] = 1
    return changed(world, votes=votes)


def order(world: World) -> World:
    """Order the suspension of the target twin from every seat the adversary holds."""
    held = (world.seats[:, None] == world.own_validators).any(axis=1)
    orders = _as_was(world.orders, (world.seats.size, world.weights.shape[1]))
    orders[held, world.twins[0]] = 1
    return changed(world, orders=orders)


def oust(world: World) -> World:
    """Vote to suspend every miner of others."""
    votes = _as_was(world.votes, world.weights.shape)
    votes[world.own_validators] = 1
    votes[np.ix_(world.own_validators, world.own_miners)] = 0
    return changed(world, votes=votes)


def sell(world: World) -> World:
    """Sell all own stake's worth of the target twin's tokens."""
    own = world.own_validators
    flows = np.zeros(world.weights.shape) if world.flows is None else world.flows.copy()
    flows[own, world.twins[0]] = -world.stake[own]
    return changed(world, flows=flows)


def arrive(world: World, epochs: float) -> World:
    """Hold own stake for this many epochs only; everybody else's has always been there."""
    tenure = np.full(world.stake.size, np.inf) if world.tenure is None else world.tenure.copy()
    tenure[world.own_validators] = epochs
    return changed(world, tenure=tenure)


def _peers(world: World) -> IntArray:
    return np.delete(np.arange(world.stake.size), world.own_validators)


def _as_was(acts: AnyArray | None, shape: tuple[int, int]) -> AnyArray:
    """Return a copy of votes or orders to write to; None: nobody acted."""
    return np.zeros(shape, np.int8) if acts is None else acts.copy()


def _report(world: World, reports: FloatArray) -> World:
    weights = world.weights.copy()
    weights[world.own_validators] = reports
    return changed(world, weights=weights)


def _with_miners(world: World, weights: FloatArray, count: int) -> World:
    return changed(
        world,
        weights=weights,
        quality=np.append(world.quality, np.zeros(count)),
        miner_owner=np.append(world.miner_owner, np.repeat(world.adversary[0], count)),
        subnets=None if world.subnets is None else _joined(world.subnets, world.own_miners, count),
    )


def _joined(subnets: IntArray, own: IntArray, count: int) -> IntArray:
    """Register more miners in the subnet of the first own one; without one, in the first."""
    home = subnets[own[0]] if own.size else subnets[0]
    return np.append(subnets, np.repeat(home, count))


def _rows(array: AnyArray | None, copied: AnyArray) -> AnyArray | None:
    return None if array is None else array[copied]
