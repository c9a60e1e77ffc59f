"""Is a play within the rules? An attacker acts for identities of its own, and adds to them only.

Others' reports may follow the names under which own work is shown: credit is split over clones
that a validator sees through, and repeated for those that it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import fields
from typing import Any

import numpy as np

from trilemma.errors import PluginError, UsageError, blaming
from trilemma.model import AnyArray, IntArray, Play, World, unchanged

__all__ = ["check"]

ROUNDING = 1e-9
# What stands there where nobody acted.
USUAL = {"votes": 0.0, "orders": 0.0, "flows": 0.0, "tenure": np.inf}
Act = Callable[[World], Any]


def check(name: str, play: Play, world: World) -> None:
    """Raise unless a play keeps the rules in a world.

    Parameters
    ----------
    name : str
        Who made the play, for messages.
    play : Play
    world : World
        Honest, with an adversary.

    Raises
    ------
    PluginError
        If the play, or what it is judged against, raises, answers with no `World` or with two
        different ones, writes to the one it is given, gives an array another shape or a value out
        of range, changes what is not its own, or uses more identities than it declares.
    """
    said = f"{name}: the play {play.attack}: {play.label}"
    after = _acted(said, play.act, world)
    used = _most_identities(after)
    if used > max(play.identities, _most_identities(world)):
        raise PluginError(
            f"{said} uses {used} identities of one principal in one role, and declares "
            f"{play.identities}; expected Play(identities={used})"
        )
    if play.baseline is not unchanged:
        _acted(f"{said}, baseline", play.baseline, world)


def _most_identities(world: World) -> int:
    """Return how many identities the adversary's principals have in a role, at most."""
    owned = (world.validator_owner, world.miner_owner)
    return max(int((owner == it).sum()) for owner in owned for it in world.adversary)


def _acted(said: str, act: Act, world: World) -> World:
    shown = deepcopy(world)
    with blaming(f"{said} fails"):
        after, again = act(shown), act(deepcopy(world))
    if not isinstance(after, World):
        raise PluginError(f"{said} returns {type(after).__name__}; expected a World")
    for fault in _faults(world, shown, after, again):
        raise PluginError(f"{said} {fault}")
    return after


def _faults(world: World, shown: World, after: World, again: Any) -> Iterator[str]:
    """Yield what is wrong; what is asked later may rely on what was asked before."""
    if not _same(world, shown):
        yield "writes to the world it is given; expected another one, as of dataclasses.replace"
    yield from _misshapen(world, after)
    for part, is_kept in _kept(world, after):
        if not is_kept:
            yield f"changes {part}; a play acts for the adversary's own identities only"
    try:
        after.epoch()
    except UsageError as error:
        yield f"shows what no protocol can: {error}"
    if not (isinstance(again, World) and _same(after, again)):
        yield "gives two answers for one world; expected a play fixed before worlds are drawn"


def _same(one: World, other: World) -> bool:
    return all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name))
        for field in fields(World)
    )


def _shapes(world: World, n: int, m: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a world's arrays once it has n validators and m miners."""
    k = world.seats.size
    by_validator = dict.fromkeys(("stake", "validator_owner", "sees_clones", "tenure"), (n,))
    by_both = dict.fromkeys(("weights", "votes", "flows"), (n, m))
    by_miner = dict.fromkeys(("quality", "miner_owner", "subnets"), (m,))
    return {**by_both, **by_validator, **by_miner, "seats": (k,), "orders": (k, m)}


def _misshapen(before: World, after: World) -> Iterator[str]:
    found = np.shape(after.weights)
    if len(found) != 2 or (np.array(found) < before.weights.shape).any():
        yield f"gives weights the shape {found}; expected {before.weights.shape} or more"
    for name, expected in _shapes(before, *found).items():
        array = getattr(after, name)
        if array is None and name in (*USUAL, "subnets"):
            continue
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
            yield f"gives {name} as {type(array).__name__}; expected an array of numbers"
        elif array.shape != expected:
            yield f"gives {name} the shape {array.shape}; expected {expected}"


def _kept(before: World, after: World) -> Iterator[tuple[str, bool]]:
    """Yield what a play must leave as it is, and whether it does."""
    n, m = before.weights.shape
    for name in ("adversary", "twins", "seed", "seats"):
        yield name, np.array_equal(getattr(before, name), getattr(after, name))
    for name, count in (("validator_owner", n), ("miner_owner", m)):
        first, added = np.split(getattr(after, name), [count])
        yield f"{name} of who was there", np.array_equal(getattr(before, name), first)
        yield f"{name} to somebody else", bool(np.isin(added, before.adversary).all())
    was, now = (_filled(it.subnets, it.quality.shape, 0)[:m] for it in (before, after))
    yield "the subnets of who was there", np.array_equal(was, now)
    others = np.setdiff1d(np.arange(n), before.own_validators)
    for name in ("stake", "sees_clones"):
        was, now = getattr(before, name)[others], getattr(after, name)[others]
        yield f"{name} of others", np.array_equal(was, now)
    yield "weights of others", _reported_as_due(before, after, others)
    yield "quality", np.array_equal(_filled(before.quality, after.quality.shape, 0), after.quality)
    held, holds = (float(it.stake[it.own_validators].sum()) for it in (before, after))
    yield "how much stake the adversary has", abs(holds - held) <= ROUNDING * held
    strangers = np.flatnonzero(~np.isin(before.validator_owner[before.seats], before.adversary))
    shapes = _shapes(before, *after.weights.shape)
    for name, usual in USUAL.items():
        rows = strangers if name == "orders" else others
        was, now = (_filled(getattr(it, name), shapes[name], usual) for it in (before, after))
        yield f"{name} of others", np.array_equal(was[rows], now[rows])


def _filled(array: AnyArray | None, shape: tuple[int, ...], usual: float) -> AnyArray:
    """Return an array of this shape that begins with the given one, if there is any."""
    full = np.full(shape, usual, np.float64)
    if array is not None:
        full[tuple(slice(size) for size in array.shape)] = array
    return full


def _reported_as_due(before: World, after: World, others: IntArray) -> bool:
    """Tell whether others' reports changed no more than clones of own work explain.

    Up to scale, they credit others' miners as before; one own name gets what the best own work
    got, at most, and all of them together no more than before from who sees through clones.
    """
    mine = np.isin(after.miner_owner, before.adversary)
    was = _filled(before.weights, after.weights.shape, 0)[others]
    now = after.weights[others]
    rest = [reports[:, ~mine].sum(axis=1) for reports in (was, now)]
    scale = np.divide(rest[1], rest[0], out=np.ones_like(rest[0]), where=rest[0] > 0)
    due = scale[:, None] * was
    seen = before.sees_clones[others]
    best = due[:, mine].max(axis=1, initial=0)[:, None]
    return bool(
        np.allclose(now.sum(axis=1), was.sum(axis=1), rtol=0, atol=ROUNDING)
        and np.allclose(now[:, ~mine], due[:, ~mine], rtol=0, atol=ROUNDING)
        and (now[:, mine] <= best + ROUNDING).all()
        and (now[:, mine].sum(axis=1) <= due[:, mine].sum(axis=1) + ROUNDING)[seen].all()
    )
