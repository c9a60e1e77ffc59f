"""The questions of `trilemma dynamics`: what moving early, copying and falling silent pays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from trilemma import registry
from trilemma.checks import real, whole
from trilemma.dynamics.scenarios import copying, drifting, moving, recorded
from trilemma.dynamics.simulation import simulate
from trilemma.errors import PluginError, UsageError
from trilemma.importers import Network
from trilemma.model import Mechanism, World
from trilemma.report.dynamics import Dynamics, Movers, Row
from trilemma.sides import Experiment
from trilemma.worlds import Preset

__all__ = ["LAGS", "Dynamics", "dynamics"]

USUAL = (
    "yuma(version=2)",
    "yuma",
    "yuma(bonds_penalty=0)",
    "yuma(liquid_alpha=True)",
)
LAGS = (0, 1, 2, 5, 10, 21)

MAJORITY, REPLY = 0.6, 0.8  # of the stake; and W_C
ISSUED, GROWING = 0.01, 50  # what an epoch pays, and for how many epochs
WORTH = (0.65, 0.7, 0.75, 0.8)  # of the majority's honest work

STAKE = (0.8, 0.1, 0.1)  # the majority, then two small validators
MOVE, AHEAD, EPOCHS = 20, 5, 40  # the majority moves in epoch 20, the others 5 before or after


def dynamics(
    mechanisms: Iterable[str | Mechanism] | None = None,
    *,
    network: Network | None = None,
    lags: Sequence[int] = LAGS,
    hidden: int = 1,
    copier: float = 0.05,
    drift: float = 0.1,
    epochs: int = 60,
    warm_up: int = 20,
    seed: int = 0,
) -> Dynamics:
    """Ask mechanisms what acting in time pays.

    Parameters
    ----------
    mechanisms : iterable of str or Mechanism, optional
        Default: Yuma in version 2, in version 3, without bonds penalty, and with liquid alpha.
    network : Network, optional
        Whose epochs the copier meets. Default: a synthetic one whose miners change.
    lags : sequence of int
        How many epochs old a copied consensus is.
    hidden : int
        Epochs for which commit-reveal hides weights; both with and without it are shown.
    copier : float
        The copier's share of stake.
    drift : float
        Change of the synthetic miners' log quality in an epoch.
    epochs, warm_up : int
        Epochs of the synthetic network, and how many at the beginning do not count.
    seed : int

    Returns
    -------
    Dynamics

    Raises
    ------
    UsageError
        For an unknown mechanism or parameter, or a value out of range.
    DataError
        If the network does not change.
    """
    counted = tuple(whole("lags", lag, 0) for lag in lags)
    if not counted:
        raise UsageError("lags must be one or more whole numbers")
    real("drift", drift, 0, 5)
    period, first = whole("hidden", hidden, 1), whole("warm_up", warm_up, 0)
    if network is None:
        length = whole("epochs", epochs, first + 1)
        worlds = drifting(Preset(), length, drift, copier, whole("seed", seed, 0))
    else:
        worlds = recorded(network, copier)
        first = min(first, len(worlds) - 1)
    loaded, broken = registry.load_each(list(USUAL if mechanisms is None else mechanisms))
    failures = {spec: str(error) for spec, error in broken.items()}
    rows = []
    for label, mechanism in loaded.items():
        try:
            copied = premiums(mechanism, worlds, counted, period, first)
            rows.append(Row(label, movers_of(mechanism), copied, growth(mechanism)))
        except PluginError as error:
            failures[label] = str(error)
    name = network.name if network else None
    return Dynamics(counted, period, copier, name, WORTH, tuple(rows), failures)


def movers_of(mechanism: Mechanism) -> Movers:
    """Return what dividends per stake come to when one miner takes the other's place.

    A validator with 80 % of the stake moves in epoch 20, one with 10 % five epochs earlier and
    one with 10 % five epochs later; 40 epochs in all. What the early one earns in the very epoch
    of the move tells how much of the new miner's bonds it has captured. Or the last one says
    nothing from epoch 20 on: then what it still earns per stake, in the 20 epochs that follow, is
    paid for old bonds.
    """
    moves = (MOVE, MOVE - AHEAD, MOVE + AHEAD)
    history = simulate(mechanism, moving(STAKE, moves, EPOCHS))
    majority, early, late = history.yields(MOVE - AHEAD)
    captured = history.yields(MOVE, MOVE + 1)[1]
    staying = (EPOCHS, EPOCHS, MOVE)
    quiet = simulate(mechanism, moving(STAKE, staying, EPOCHS, silent=(2,))).yields(MOVE)[2]
    return Movers(*map(float, (early, captured, majority, late, quiet)))


def growth(mechanism: Mechanism) -> tuple[float, ...]:
    """Return the stake share of a 60 % majority after 50 epochs, by what its work is worth.

    The network of the retention map, with weights that scatter by .4; every epoch pays 1 % of
    all stake, which is staked again, and the cabal gives 80 % of its weights to its own.
    """
    sides = Experiment().sides(MAJORITY, 0)
    honest = np.arange(sides.validators)

    def grown(worth: float) -> float:
        world = sides.world(worth, REPLY)
        history = simulate(mechanism, world, epochs=GROWING + 1, compounding=ISSUED)
        return float(history.held_by(honest)[-1])

    return tuple(map(grown, WORTH))


def premiums(
    mechanism: Mechanism, worlds: Sequence[World], lags: Sequence[int], hidden: int, first: int
) -> Mapping[int, tuple[float | None, ...]]:
    """Return the copier's G by what commit-reveal hides (0: nothing), one per lag.

    None where the median validator earns nothing.
    """
    return {
        period: tuple(_premium(mechanism, worlds, lag, period, first) for lag in lags)
        for period in (0, hidden)
    }


def _premium(
    mechanism: Mechanism, worlds: Sequence[World], lag: int, hidden: int, first: int
) -> float | None:
    history = simulate(mechanism, worlds, copying(lag, hidden))
    rate = float(history.relative_yields(first)[worlds[0].own_validators[0]])
    return rate if np.isfinite(rate) else None
