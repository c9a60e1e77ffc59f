"""The question: the fewest principals who cut a miner off, by channel and by the best mix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from trilemma import registry
from trilemma.contract import call
from trilemma.cutoff.channels import CHANNELS, MIX, Channel, mixed, mixes
from trilemma.cutoff.coalitions import coalitions, described, everybody
from trilemma.cutoff.trial import Terms, Trial
from trilemma.errors import UsageError
from trilemma.model import FloatArray, Mechanism, World
from trilemma.specs import meant
from trilemma.twins import LARGEST_COALITION

__all__ = ["Cut", "Cutoff", "Terms", "cutoff", "harm", "require_fitting"]

NEVER = LARGEST_COALITION + 1
SLACK = 1e-9  # a miner that loses 15 of 30 equal epochs loses half of its pay


@dataclass(frozen=True)
class Cut:
    """What the fewest principals do who cut a miner off; or else the most that ten do.

    Parameters
    ----------
    number : int or None
        N, how many it takes; None: more than ten.
    through : str
        The channels they act through.
    members : tuple of str
        Who they are, by role.
    lost : float
        The share of its pay that the target loses over the play.
    to_bite : int or None
        Epochs from the first act until an epoch in which it loses delta of its pay.
    until_undone : int or None
        Epochs from then until one in which it does not; None: not in the play.
    cost : float
        The part of its own honest pay that the coalition gives up.
    losses : ndarray, shape (T,)
        What the target loses, epoch by epoch.
    """

    number: int | None
    through: str
    members: tuple[str, ...]
    lost: float
    to_bite: int | None
    until_undone: int | None
    cost: float
    losses: FloatArray


@dataclass(frozen=True)
class Cutoff:
    """What a mechanism answers.

    Parameters
    ----------
    label : str
    cuts : mapping
        By channel; under `MIX` the best that all of them do together.
    """

    label: str
    cuts: Mapping[str, Cut]

    @property
    def numbers(self) -> dict[str, int | None]:
        """The cut-off numbers by channel."""
        return {name: cut.number for name, cut in self.cuts.items()}


def cutoff(
    mechanism: str | Mechanism,
    worlds: Sequence[World],
    terms: Terms | None = None,
    channels: Iterable[str] = tuple(CHANNELS),
) -> Cutoff:
    """Return how many principals it takes to cut a miner off.

    Identities are verified (K = 1). Coalitions are some of the largest holders and some of those
    who hold seats, up to ten; they act in every epoch, and sell what they hold in the first. A
    channel that takes nothing from the target where all of them act together is not looked into.

    Parameters
    ----------
    mechanism : str or Mechanism
    worlds : sequence of World
        With twins; alike in their stakes and seats. Losses are means over them.
    terms : Terms, optional
    channels : iterable of str
        Of `CHANNELS`; all by default.

    Returns
    -------
    Cutoff

    Raises
    ------
    UsageError
        For an unknown mechanism or channel, or a rule that cannot be at work in such a play.
    PluginError
        If the mechanism breaks the contract.
    """
    terms = terms or Terms()
    asked = tuple(channels)
    for name in asked:
        if name not in CHANNELS:
            raise UsageError(f"no channel is called {name!r}{meant(name, CHANNELS)}")
    if not worlds:
        raise UsageError("expected one world or more with twins, got none")
    loaded = registry.load(mechanism) if isinstance(mechanism, str) else mechanism
    label = registry.label(loaded)
    require_fitting(loaded, worlds[0], terms)
    trials = [Trial(label, loaded, world, terms) for world in worlds]
    seats = _reads_seats(trials[0], loaded)
    acting = _live(trials, asked)
    cuts = {
        name: _fewest(trials, [CHANNELS[name]], LARGEST_COALITION if name in acting else 1, seats)
        for name in asked
    }
    cuts[MIX] = _mixed(trials, acting, [*cuts.values()], seats)
    return Cutoff(label, cuts)


def harm(
    mechanism: Mechanism, worlds: Sequence[World], members: tuple[int, ...], terms: Terms
) -> Cut:
    """Return what a given coalition does at its best through any channel or mix of channels."""
    trials = [Trial(registry.label(mechanism), mechanism, world, terms) for world in worlds]
    acting = _live(trials, tuple(CHANNELS)) or tuple(CHANNELS)[:1]
    through = [*(CHANNELS[name] for name in acting), *mixes(acting)]
    return max((_cut(trials, members, it) for it in through), key=lambda cut: cut.lost)


def _live(trials: Sequence[Trial], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the channels that do something where all who are ever tried act together.

    One does if it takes anything from the target alone, or without it the others take less.
    """
    who = everybody(trials[0].pair[0], LARGEST_COALITION)
    alone = {name: _cut(trials, who, CHANNELS[name]).losses for name in names}
    acting = tuple(name for name in names if name != "delegation")
    together = _cut(trials, who, mixed(acting)).losses
    left_out = {
        name: _cut(trials, who, mixed(tuple(it for it in acting if it != name))).losses
        for name in acting
    }
    return tuple(
        name
        for name in names
        if alone[name].max() > SLACK
        or np.abs(together - left_out.get(name, together)).max() > SLACK
    )


def _reads_seats(trial: Trial, mechanism: Mechanism) -> bool:
    """Tell whether it matters who holds a seat: where a part names seats, or pay changes."""
    if any(getattr(part, name, ()) for part in _parts(mechanism) for name in ("seats", "panel")):
        return True
    n, m = trial.pair[0].weights.shape
    apart = np.eye(m)[np.arange(n) % m]  # reports that differ, since equal ones hide who speaks
    world = replace(trial.pair[0], weights=apart)
    moved = replace(world, seats=(world.seats + 1) % n)
    one, other = (call(trial.label, mechanism, it.epoch()) for it in (world, moved))
    return not np.array_equal(one.miners, other.miners)


def _mixed(trials: Sequence[Trial], names: tuple[str, ...], alone: list[Cut], seats: bool) -> Cut:
    """Return what fewer do together than any channel needs alone, or else the best of these."""
    best = min(alone, key=lambda cut: (cut.number or NEVER, -cut.lost))
    through = mixes(names)
    if not through or best.number == 1:
        return best
    cut = _fewest(trials, through, (best.number or NEVER) - 1, seats)
    return cut if cut.number is not None or cut.lost > best.lost else best


def _fewest(trials: Sequence[Trial], through: Sequence[Channel], most: int, seats: bool) -> Cut:
    """Return the first coalition, by size, that cuts off; or else the worst of the largest.

    One member more does no less harm, so the largest are tried first: mostly nobody cuts off.
    """
    largest = []
    for cut in _tried(trials, through, most, seats):
        largest.append(cut)
        if cut.number is not None:
            smaller = (it for size in range(1, most) for it in _tried(trials, through, size, seats))
            return next((it for it in smaller if it.number is not None), cut)
    return max(largest, key=lambda it: it.lost)


def _tried(
    trials: Sequence[Trial], through: Sequence[Channel], size: int, seats: bool
) -> Iterator[Cut]:
    world = trials[0].pair[0]
    most = np.unique(world.validator_owner).size
    for members in coalitions(world, min(size, most), seats=seats):
        yield from (_cut(trials, members, channel) for channel in through)


def _cut(trials: Sequence[Trial], members: tuple[int, ...], channel: Channel) -> Cut:
    terms, runs = trials[0].terms, [(it.run(members, channel), it.honest(members)) for it in trials]
    lost = _mean(run.lost(honest) for run, honest in runs)
    losses = np.mean([run.losses(honest) for run, honest in runs], axis=0)
    bitten = np.flatnonzero(losses >= terms.delta)
    to_bite = int(bitten[0]) if bitten.size else None
    healed = np.flatnonzero(losses[to_bite:] < terms.delta) if bitten.size else bitten
    return Cut(
        len(members) if lost >= terms.delta - SLACK else None,
        channel.name,
        described(trials[0].pair[0], members),
        lost,
        to_bite,
        int(healed[0]) if healed.size else None,
        _mean(run.cost(honest) for run, honest in runs),
        losses,
    )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean([*values]))


def require_fitting(mechanism: Mechanism, world: World, terms: Terms) -> None:
    """Raise UsageError where a part cannot be at work in such a play.

    A part says by `waits` how many epochs pass until it acts, and by `seats` or `panel` whose
    orders it reads.
    """
    for part in _parts(mechanism):
        name = registry.name(part)
        if (waits := int(getattr(part, "waits", 0))) >= terms.epochs:
            raise UsageError(
                f"{name} acts after {waits} epochs, and the play has {terms.epochs}; lengthen it"
            )
        for field in ("seats", "panel"):
            missing = [it for it in getattr(part, field, ()) if it >= world.seats.size]
            if missing:
                raise UsageError(
                    f"{name}: {field} names {missing[0]}, and the world has {world.seats.size} "
                    "seats, numbered from 0"
                )


def _parts(mechanism: object) -> Iterator[object]:
    yield mechanism
    for value in registry.parameters(mechanism).values():
        if callable(value):
            yield from _parts(value)
