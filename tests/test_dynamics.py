from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.data import shared
from trilemma import Chain, Csr, load, retention_map, simulate
from trilemma.attacks.moves import abstain, fake
from trilemma.dynamics import Step, dynamics
from trilemma.dynamics.scenarios import copying, drifting, moving, recorded
from trilemma.dynamics.simulation import Scene
from trilemma.errors import DataError, PluginError, UsageError
from trilemma.importers import Network, read
from trilemma.model import Epoch, Play, Rewards, World
from trilemma.worlds import Preset

SMALL = Preset(stake="equal", validators=8, miners=10)
SUBNET = "networks/bittensor-sn31/sn31_dense.npz"


def small(seed: int = 0) -> World:
    return SMALL.sybil(seed)


# --- simulate ------------------------------------------------------------------------------------


def test_what_a_mechanism_leaves_is_carried_to_the_next_epoch() -> None:
    def counting(epoch: Epoch) -> Rewards:
        number = 0 if epoch.carry is None else epoch.carry
        return Rewards(np.eye(epoch.weights.shape[1])[number], carry=number + 1)

    history = simulate(counting, Epoch([1, 1], np.eye(2, 4)), epochs=4)
    np.testing.assert_array_equal(history.incentive, np.eye(4))


@pytest.mark.parametrize(
    "spec", ["yuma", "yuma(version=2)", "quadratic", "yuma(arithmetic='chain')"]
)
def test_a_simulation_is_the_mechanism_called_again_and_again(spec: str) -> None:
    mechanism: Any = load(spec)
    epochs = moving((0.5, 0.3, 0.2), (2, 1, 3), 6)
    carry = None
    history = simulate(mechanism, epochs)
    for number, epoch in enumerate(epochs):
        found = mechanism(epoch.replace(carry=carry))
        carry = found.carry
        np.testing.assert_array_equal(history.dividends[number], found.validators)
        np.testing.assert_array_equal(history.incentive[number], found.miners)


def test_pay_is_told_by_the_places_of_the_world_and_not_of_the_epoch() -> None:
    def first_report(epoch: Epoch) -> Any:
        return epoch.weights[int(epoch.stake.argmax())]

    world = replace(small(), stake=np.arange(1.0, 9.0))
    history = simulate(first_report, world, epochs=2)
    np.testing.assert_array_equal(history.incentive, [world.weights[-1]] * 2)
    np.testing.assert_allclose(history.dividends[0], world.stake / 36)


def test_the_last_world_stays_until_the_end() -> None:
    worlds = drifting(SMALL, 3, 0.5, 0.1, seed=1)
    history = simulate(load("stake_weighted"), worlds, epochs=5)
    assert len(history.steps) == 5
    np.testing.assert_array_equal(history.incentive[2], history.incentive[4])
    assert not np.array_equal(history.incentive[1], history.incentive[2])


def test_a_play_may_act_differently_in_every_epoch_and_sees_what_was() -> None:
    seen: list[int] = []

    def every_other(scene: Scene, past: Sequence[Step]) -> Scene:
        seen.append(len(past))
        assert isinstance(scene, World)
        return abstain(scene) if len(past) % 2 else scene

    history = simulate(load("yuma"), small(), every_other, 4)
    assert seen == [0, 1, 2, 3]
    silent = [not step.scene.weights[-1].any() for step in history.steps]
    assert silent == [False, True, False, True]


def test_a_scripted_play_acts_alike_in_every_epoch() -> None:
    history = simulate(load("yuma"), small(), Play("it", "says nothing", abstain), 3)
    assert not any(step.scene.weights[-1].any() for step in history.steps)


def test_stake_grows_with_what_it_earns() -> None:
    epoch = Epoch([3, 1], [[1.0, 0.0], [1.0, 0.0]])
    history = simulate(load("stake_weighted"), epoch, epochs=3, compounding=0.1, xi=1)
    held = [step.scene.stake.tolist() for step in history.steps]
    assert held == [[3, 1], pytest.approx([3.3, 1.1]), pytest.approx([3.6, 1.2])]


def test_what_miners_earn_goes_to_their_owners_validators_by_stake() -> None:
    world = World(
        stake=np.array([3.0, 1.0, 1.0]),
        weights=np.tile([0.25, 0.25, 0.5], (3, 1)),
        quality=np.ones(3) / 3,
        validator_owner=np.array([7, 7, 8]),
        miner_owner=np.array([7, 8, 9]),
        seats=np.zeros(0, np.int64),
        adversary=(),
        twins=(),
        sees_clones=np.ones(3, np.bool_),
        seed=3,
    )
    history = simulate(load("stake_weighted"), world, epochs=2, compounding=0.2, xi=0)
    # all stake is 5, so 1 is paid: a quarter to 7, a quarter to 8, and 9 has nothing to stake
    np.testing.assert_allclose(history.steps[1].scene.stake, [3 + 0.1875, 1.0625, 1.25])


def test_accounts_of_a_chain_stake_what_they_mine() -> None:
    record = Chain(weights=Csr([0, 1, 1], [1], [1]))
    epoch = Epoch([1, 0], [[0, 1], [0, 0]], chain=record)
    history = simulate(load("yuma"), epoch, epochs=2, compounding=1, xi=0.25)
    np.testing.assert_allclose(history.stake[1], [1.25 / 2, 0.75 / 2])


@pytest.mark.parametrize(("honest", "grows"), [(0.55, False), (0.65, True)])
def test_a_side_that_retains_its_share_gains_stake_and_one_that_does_not_loses_it(
    honest: float, grows: bool
) -> None:
    world = World(
        stake=np.array([0.6, 0.4]),
        weights=np.array([[honest, 1 - honest], [1 - 0.4, 0.4]]),
        quality=np.array([0.5, 0.5]),
        validator_owner=np.array([0, 1]),
        miner_owner=np.array([0, 1]),
        seats=np.zeros(0, np.int64),
        adversary=(1,),
        twins=(),
        sees_clones=np.ones(2, np.bool_),
        seed=0,
    )
    history = simulate(load("yuma(version=2)"), world, epochs=40, compounding=0.02)
    shares = history.held_by(np.array([0]))
    assert (np.diff(shares) > 0).all() == grows
    assert (np.diff(shares) < 0).all() == (not grows)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"world": []}, "one world or more"),
        ({"world": Epoch([1], [[1]])}, "give epochs="),
        ({"world": Epoch([1], [[1]]), "epochs": 0}, "epochs must be a whole number, 1 or more"),
        ({"world": small(), "epochs": 2, "compounding": -1}, "compounding must be in"),
        ({"world": small(), "epochs": 2, "xi": 2}, "xi must be in"),
        ({"world": [Epoch([1], [[1]]), Epoch([1], [[1, 1]])]}, "register all identities"),
        ({"world": Epoch([1], [[1]]), "epochs": 1, "play": Play("", "", abstain)}, "needs a World"),
    ],
)
def test_what_cannot_be_simulated_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        simulate(load("yuma"), **given)


def test_identities_that_join_on_the_way_are_refused() -> None:
    def late(scene: Scene, past: Sequence[Step]) -> Scene:
        assert isinstance(scene, World)
        return fake(scene, 1) if past else scene

    with pytest.raises(UsageError, match=r"epoch 1 has \(8, 11\) .* the first had \(8, 10\)"):
        simulate(load("yuma"), small(), late, 3)


def test_a_mechanism_that_breaks_the_contract_is_named() -> None:
    with pytest.raises(PluginError, match="sum to 2"):
        simulate(lambda epoch: 2 * epoch.weights[0], small(), epochs=1)


# --- copying, moving, falling silent -------------------------------------------------------------


def copied(lag: int, hidden: int = 0) -> list[World]:
    worlds = drifting(SMALL, 6, 0.5, 0.1, seed=2)
    history = simulate(load("yuma"), worlds, copying(lag, hidden))
    return [step.scene for step in history.steps if isinstance(step.scene, World)]


def test_a_copier_reports_the_consensus_of_its_lag() -> None:
    now, later = copied(0), copied(2)
    for epoch in range(2, 6):
        np.testing.assert_array_equal(later[epoch].weights[-1], now[epoch - 2].weights[-1])
    column = np.sort(now[3].weights[:-1], axis=0)
    agreed = column[-4]  # at least half of seven equal stakes: the fourth from above
    np.testing.assert_allclose(now[3].weights[-1], agreed / agreed.sum())


def test_hidden_weights_add_to_the_lag_and_early_epochs_copy_the_first() -> None:
    for one, other in zip(copied(1, hidden=2), copied(3), strict=True):
        np.testing.assert_array_equal(one.weights, other.weights)
    np.testing.assert_array_equal(copied(5)[2].weights[-1], copied(0)[0].weights[-1])


def test_copying_the_present_consensus_pays_as_well_as_work_under_plain_yuma() -> None:
    answer = dynamics(["yuma", "yuma(version=2)"], lags=(0, 5, 21))
    for row in answer.rows:
        shown, hidden = (np.array(row.copying[period], float) for period in (0, 1))
        assert shown[0] >= 1
        assert (np.diff(shown) < 0).all()
        assert (hidden < shown).all()


def test_where_no_validator_is_paid_there_is_no_rate_and_none_is_made_up() -> None:
    def miners_only(epoch: Epoch) -> Rewards:
        return Rewards(epoch.weights[0], np.zeros(epoch.stake.size))

    answer = dynamics([miners_only], lags=(0, 1), epochs=25)
    assert answer.rows[0].copying == {0: (None, None), 1: (None, None)}
    assert "null" in answer.to_json()
    assert str(answer).count(f"{'-':>10}") == 4


def test_copying_on_a_real_subnet_pays_at_lag_0() -> None:
    answer = dynamics(["yuma"], network=read([shared(SUBNET)]), lags=(0, 21))
    now, late = np.array(answer.rows[0].copying[0], float)
    assert now >= 1 > late


def test_the_worlds_of_a_real_subnet_hold_its_setters_and_the_copier() -> None:
    worlds = recorded(read([shared(SUBNET)]), 0.05)
    assert len(worlds) == 100
    assert {world.weights.shape for world in worlds} == {worlds[0].weights.shape}
    assert worlds[0].stake[-1] == 0.05
    assert worlds[0].stake.sum() == pytest.approx(1)


def test_who_moves_late_loses_and_who_falls_silent_keeps_some_of_its_bonds() -> None:
    answer = dynamics(["yuma(version=2)", "yuma", "stake_weighted"], lags=(0,), epochs=25)
    for row in answer.rows[:2]:
        assert row.movers.late < 0.7 < row.movers.majority
        assert 0.3 < row.movers.silent < 0.5
    by_stake = answer.rows[2].movers
    assert (by_stake.early, by_stake.late, by_stake.silent) == pytest.approx((1, 1, 1))


def test_a_majority_grows_from_the_worth_on_that_the_map_asks_for() -> None:
    answer = dynamics(["yuma", "yuma(version=2)"], lags=(0,), epochs=25)
    needed = retention_map(["yuma", "yuma(version=2)"], stakes=[0.6])
    for row in answer.rows:
        [line] = needed.lines[row.label]
        assert line.required_honest_utility is not None
        grown = [share > 0.6 for share in row.growth]
        assert grown == [worth > line.required_honest_utility for worth in answer.worth]


def test_an_early_mover_captures_bonds_where_the_penalty_is_not_whole() -> None:
    rules = ["yuma", "yuma(bonds_penalty=0)", "yuma(version=2, bonds_penalty=0.9)"]
    whole, none, version_2 = (it.movers.captured for it in dynamics(rules, lags=(0,)).rows)
    assert whole == pytest.approx(1 / 0.9)  # the late one holds none
    assert none > 3.5
    assert version_2 > 8  # alone with the miner, it owned all bonds in it: 10 would be the most


def test_moving_early_pays_where_bonds_count_what_is_not_yet_agreed() -> None:
    def early(penalty: float) -> float:
        rule = load(f"yuma(bonds_penalty={penalty})")
        return float(simulate(rule, moving((0.8, 0.1, 0.1), (20, 15, 25), 40)).yields(20, 30)[1])

    assert early(0) > 1.15 > 1.1 > early(1)


def test_a_network_that_does_not_change_is_refused() -> None:
    network = read([shared(SUBNET)])
    with pytest.raises(DataError, match="holds one epoch"):
        dynamics(network=Network("one.npz", network.stake[:1], network.weights[:1]))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lags": []}, "one or more"),
        ({"lags": [-1]}, "lags must be a whole number"),
        ({"copier": 0}, r"must be in \(0, 1\)"),
        ({"hidden": 0}, "hidden must be"),
        ({"epochs": 20, "warm_up": 20}, "epochs must be a whole number, 21 or more"),
        ({"drift": -1}, "drift must be"),
    ],
)
def test_questions_out_of_range_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        dynamics(["yuma"], **given)
