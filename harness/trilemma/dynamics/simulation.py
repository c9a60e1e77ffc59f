"""Many epochs in a row: what a mechanism leaves behind is carried, and stake may grow with pay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, repeat
from typing import TypeAlias

import numpy as np

from trilemma import registry
from trilemma.checks import real, whole
from trilemma.contract import Pay, call
from trilemma.errors import UsageError
from trilemma.model import AnyArray, Epoch, FloatArray, Mechanism, Play, World

__all__ = ["Act", "History", "Scene", "Step", "simulate"]

Scene: TypeAlias = World | Epoch
"""A world, or an epoch as a mechanism sees it, where nobody asks who owns what."""


@dataclass(frozen=True, eq=False)
class Step:
    """One epoch that is over: what everybody saw, and who earned what.

    Parameters
    ----------
    scene : World or Epoch
        As it was played.
    pay : Pay
        In the order of the scene's identities; with the mechanism's carry.
    """

    scene: Scene
    pay: Pay


Act: TypeAlias = Callable[[Scene, Sequence[Step]], Scene]
"""What an attacker does in an epoch, knowing all those before; `len(past)` is its number."""


@dataclass(frozen=True, eq=False)
class History:
    """What happened, epoch by epoch: n validators, m miners, T epochs.

    Parameters
    ----------
    steps : tuple of Step
    """

    steps: tuple[Step, ...]

    @property
    def stake(self) -> FloatArray:
        """Shares of stake, shape (T, n)."""
        held = np.array([step.scene.stake for step in self.steps], np.float64)
        return np.asarray(held / held.sum(axis=1, keepdims=True))

    @property
    def dividends(self) -> FloatArray:
        """The validators' pool, shape (T, n)."""
        return np.array([step.pay.validators for step in self.steps])

    @property
    def incentive(self) -> FloatArray:
        """The miners' pool, shape (T, m)."""
        return np.array([step.pay.miners for step in self.steps])

    def yields(self, first: int = 0, last: int | None = None) -> FloatArray:
        """Return dividends per stake of each validator over some epochs, shape (n,).

        1 is a fair part: as much of the pool as of the stake. Without stake it is not a number.
        """
        earned = self.dividends[first:last].sum(axis=0)
        held = self.stake[first:last].sum(axis=0)
        return np.asarray(np.divide(earned, held, out=np.full(held.size, np.nan), where=held > 0))

    def relative_yields(self, first: int = 0, last: int | None = None) -> FloatArray:
        """Return dividends per stake in units of the median validator's, shape (n,): G.

        Not a number where the median validator earns nothing.
        """
        rates = self.yields(first, last)
        middle = np.nanmedian(rates)
        return np.asarray(rates / middle) if middle > 0 else np.full(rates.size, np.nan)

    def held_by(self, validators: AnyArray) -> FloatArray:
        """Return the share of stake that some validators hold, shape (T,)."""
        return np.asarray(self.stake[:, validators].sum(axis=1))


def simulate(
    mechanism: Mechanism,
    world: Scene | Iterable[Scene],
    play: Play | Act | None = None,
    epochs: int | None = None,
    *,
    compounding: float = 0.0,
    xi: float = 0.5,
) -> History:
    """Run a mechanism for many epochs.

    Parameters
    ----------
    mechanism : Mechanism
    world : World, Epoch, or iterable of these
        One for every epoch; the last one stays. Identities keep their places.
    play : Play or callable, optional
        A play acts alike in every epoch. A callable is given the scene and the list of steps
        that are over, and returns what is shown instead. Default: all are honest.
    epochs : int, optional
        How many. Default: as many as there are worlds.
    compounding : float
        What an epoch pays out, as a share of all stake at the beginning. It is added to the
        stake of those who earn it: to validators, and to the validators of a miner's owner in
        proportion to their stake. What the owner of no validator earns is not staked.
    xi : float
        The validators' part of all pay.

    Returns
    -------
    History

    Raises
    ------
    UsageError
        If a value is out of range, or the number of identities changes on the way.
    PluginError
        If the mechanism breaks the contract.
    """
    rate, xi = real("compounding", compounding, 0, np.inf, open_end=True), real("xi", xi, 0, 1)
    label = registry.label(mechanism)
    steps: list[Step] = []
    earned, carry = np.zeros(1), None
    for honest in _scenes(world, epochs):
        scene = _acted(play, _grown(honest, earned), steps)
        if steps and scene.weights.shape != steps[0].scene.weights.shape:
            raise UsageError(
                f"epoch {len(steps)} has {scene.weights.shape} validators and miners, the first "
                f"had {steps[0].scene.weights.shape}; register all identities from the start"
            )
        pay = _paid(label, mechanism, scene, carry)
        steps.append(Step(scene, pay))
        carry = pay.carry
        if rate:
            everything = float(np.sum(steps[0].scene.stake, dtype=np.float64))
            earned = earned + rate * everything * _income(scene, pay, xi)
    return History(tuple(steps))


def _scenes(world: Scene | Iterable[Scene], epochs: int | None) -> Iterator[Scene]:
    single = isinstance(world, World | Epoch)
    scenes = [world] if isinstance(world, World | Epoch) else list(world)
    if not scenes:
        raise UsageError("expected one world or more to simulate, got none")
    if single and epochs is None:
        raise UsageError("one world for how many epochs? give epochs=")
    number = len(scenes) if epochs is None else whole("epochs", epochs, 1)
    return islice(chain(scenes, repeat(scenes[-1])), number)


def _grown(scene: Scene, earned: FloatArray) -> Scene:
    if not earned.any():
        return scene
    stake = scene.stake + earned
    return replace(scene, stake=stake) if isinstance(scene, World) else scene.replace(stake=stake)


def _acted(play: Play | Act | None, scene: Scene, past: Sequence[Step]) -> Scene:
    if play is None:
        return scene
    if not isinstance(play, Play):
        return play(scene, past)
    if isinstance(scene, Epoch):
        raise UsageError("a Play needs a World; for an Epoch give a callable of (epoch, past)")
    return play.act(scene)


def _paid(label: str, mechanism: Mechanism, scene: Scene, carry: object) -> Pay:
    """Return what is paid, by the scene's own places."""
    if isinstance(scene, Epoch):
        return call(label, mechanism, scene if carry is None else scene.replace(carry=carry))
    rows, columns = scene.relabelling()
    pay = call(label, mechanism, scene.epoch().replace(carry=carry))
    return Pay(pay.miners[np.argsort(columns)], pay.validators[np.argsort(rows)], pay.carry)


def _income(scene: Scene, pay: Pay, xi: float) -> FloatArray:
    """Return what every validator has to stake, as a share of all pay; shape (n,)."""
    own = xi * pay.validators
    if isinstance(scene, Epoch):
        same = scene.chain is not None and own.size == pay.miners.size
        return own + (1 - xi) * pay.miners if same else own
    size = 1 + max(scene.validator_owner.max(), scene.miner_owner.max())
    mined = np.bincount(scene.miner_owner, (1 - xi) * pay.miners, size)
    held = np.bincount(scene.validator_owner, scene.stake, size)
    accounts = np.bincount(scene.validator_owner, minlength=size)
    owner = scene.validator_owner
    equally, by_stake = 1 / accounts[owner], scene.stake / np.where(held > 0, held, 1)[owner]
    return np.asarray(own + np.where(held[owner] > 0, by_stake, equally) * mined[owner])
