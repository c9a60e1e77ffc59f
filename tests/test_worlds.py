"""Honest networks: their stake, their truth, their twins; drawn alike for alike seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.data import shared
from trilemma import Budget, DataError, Imported, Preset, UsageError, World, compare, read
from trilemma.attacks import moves
from trilemma.importers import Network
from trilemma.model import AnyArray
from trilemma.worlds import Source, largest, stake_vector, world_seed

SMALL = Preset(validators=16, miners=9)
SEEDS = [world_seed(3, number) for number in range(400)]
seeds = st.integers(0, 2**62)


def network(stake: Any, weights: Any) -> Network:
    return Network("net", np.array(stake), np.array(weights))


TINY = network([[30, 10, 0, 5]], [[[6, 2, 0, 2], [3, 3, 0, 4], [9, 9, 9, 9], [0, 0, 0, 0]]])


# Stake.


def test_root_2024_is_held_as_its_publication_says() -> None:
    stake = stake_vector("root-2024", 64)
    assert (stake[:5] == (0.25, 0.135, 0.11, 0.09, 0.065)).all()
    assert (stake[5:10] == 0.04).all()
    assert stake[10:] == pytest.approx(0.15 / 54)
    assert round(float((stake**2).sum()), 4) == 0.1136
    nakamoto = int(np.argmax(np.cumsum(stake) > 0.5)) + 1
    assert nakamoto == 4


alphas = st.floats(0.05, 50)


@given(st.sampled_from(["root-2024", "equal"]) | alphas.map(lambda it: f"pareto({it})"), st.data())
def test_stake_falls_and_sums_to_one(preset: str, data: st.DataObject) -> None:
    n = data.draw(st.integers(11 if preset == "root-2024" else 1, 300))
    stake = stake_vector(preset, n)
    assert stake.shape == (n,)
    assert stake.sum() == pytest.approx(1)
    assert (stake > 0).all()
    assert (np.diff(stake) <= 0).all()


@given(alphas, alphas, st.integers(2, 100))
def test_a_heavier_tail_gives_the_largest_more(one: float, other: float, n: int) -> None:
    heavy, light = (stake_vector(f"pareto({alpha})", n) for alpha in sorted((one, other)))
    assert heavy[0] >= light[0] - 1e-12


def test_pareto_stake_is_the_laws_mid_quantiles() -> None:
    ratios = stake_vector("pareto(alpha=2)", 4) / stake_vector("pareto(2)", 4)[-1]
    middles = [7 / 8, 5 / 8, 3 / 8, 1 / 8]
    assert ratios == pytest.approx([((1 - q) / (1 - 1 / 8)) ** -0.5 for q in middles])


@pytest.mark.parametrize(
    "preset", ["", "root", "Equal", "pareto", "pareto()", "pareto(a)", "pareto(1", "pareto(1, 2)"]
)
def test_an_unknown_stake_preset_is_named_with_those_that_exist(preset: str) -> None:
    with pytest.raises(UsageError, match=r"root-2024, equal or pareto") as caught:
        stake_vector(preset, 64)
    assert repr(preset) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("alpha", ["0", "-1", "0.01", "1e999", "nan"])
def test_a_tail_that_is_no_positive_number_is_refused(alpha: str) -> None:
    with pytest.raises(UsageError, match="alpha"):
        stake_vector(f"pareto({alpha})", 64)


def test_root_2024_needs_more_validators_than_it_names() -> None:
    with pytest.raises(UsageError, match="validators besides the attacker, got 10"):
        Preset(validators=11)
    assert Preset(validators=15).sybil(0).stake.size == 15


@pytest.mark.parametrize(
    "wrong",
    [
        {"validators": 1},
        {"miners": 2},
        {"noise": -0.1},
        {"noise": np.nan},
        {"spread": 6},
        {"clone_detection": 1.1},
        {"attacker_work": -1},
        {"stake": "oops"},
    ],
)
def test_a_world_out_of_range_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        Preset(**wrong)


# Drawing.


@pytest.mark.parametrize("source", [SMALL, Imported(TINY)], ids=["preset", "imported"])
@given(seed=seeds)
def test_one_seed_gives_one_world(source: Source, seed: int) -> None:
    for kind in ("sybil", "twin"):
        one, other = (getattr(source, kind)(seed) for _ in range(2))
        assert same(one, other)
        assert not same(one, getattr(source, kind)(seed + 1))


def test_worlds_of_one_run_and_of_others_have_seeds_of_their_own() -> None:
    found = {world_seed(seed, number) for seed in range(30) for number in range(30)}
    assert len(found) == 900
    assert all(0 <= seed < 2**63 for seed in found)


@given(seeds)
def test_a_world_says_what_it_must(seed: int) -> None:
    for source in (SMALL, Preset("equal", validators=2, miners=3), Imported(TINY)):
        for world in (source.sybil(seed), source.twin(seed)):
            n, m = world.weights.shape
            assert world.stake.shape == world.validator_owner.shape == world.sees_clones.shape
            assert world.stake.shape == (n,)
            assert world.quality.shape == world.miner_owner.shape == (m,)
            assert world.quality.sum() == pytest.approx(1)
            assert world.weights.sum(axis=1) == pytest.approx(1)
            assert (world.stake > 0).all()
            assert np.unique(np.append(world.validator_owner, world.miner_owner)).size >= n + m - 1


@given(seeds)
def test_the_attacker_joins_with_one_validator_one_miner_of_median_work_and_no_seat(
    seed: int,
) -> None:
    world = SMALL.sybil(seed)
    assert list(world.own_validators) == [15]
    assert list(world.own_miners) == [8]
    assert world.quality[8] == pytest.approx(np.median(world.quality[:8]))
    assert 15 not in world.seats
    assert world.twins == ()


@given(seeds, st.floats(0, 10))
def test_the_attackers_work_is_counted_in_medians(seed: int, work: float) -> None:
    quality = replace(SMALL, attacker_work=work).sybil(seed).quality
    assert quality[-1] == pytest.approx(work * np.median(quality[:-1]))


@pytest.mark.parametrize("source", [SMALL, Imported(TINY)], ids=["preset", "imported"])
@given(seed=seeds)
def test_seats_go_to_the_three_largest(source: Source, seed: int) -> None:
    twin, sybil = source.twin(seed), source.sybil(seed)
    honest = sybil.stake.size - 1
    assert list(twin.seats) == list(largest(twin.stake, 3))
    assert list(sybil.seats) == list(largest(sybil.stake[:honest], 3))
    assert (np.diff(twin.stake[twin.seats]) <= 0).all()


def test_the_largest_come_first_and_ties_by_place() -> None:
    assert list(largest(np.array([2, 5, 1, 5, 4]), 3)) == [1, 3, 4]
    assert list(largest(np.array([1]), 3)) == [0]


@given(seeds)
def test_without_noise_everybody_reports_the_truth(seed: int) -> None:
    for world in (replace(SMALL, noise=0.0).sybil(seed), replace(SMALL, noise=0.0).twin(seed)):
        assert world.weights == pytest.approx(np.tile(world.quality, (16, 1)))


def test_noise_and_spread_have_the_size_they_say() -> None:
    source = Preset("equal", validators=40, miners=400, noise=0.3, spread=0.7)
    world = source.sybil(1)
    reports, quality = np.log(world.weights), np.log(world.quality)
    # 16,000 reports and 400 qualities: standard errors of .0017 and .025
    assert (reports - quality).std() == pytest.approx(0.3, abs=0.01)
    assert quality.std() == pytest.approx(0.7, abs=0.1)


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_validators_see_through_clones_as_often_as_asked(chance: float) -> None:
    source = Preset("equal", validators=50, miners=3, clone_detection=chance)
    sees = np.mean([source.sybil(seed).sees_clones.mean() for seed in SEEDS[:100]])
    assert sees == pytest.approx(chance, abs=0.03)  # 5,000 draws: standard error .0065


# Twins.


@pytest.mark.parametrize("source", [SMALL, Imported(TINY)], ids=["preset", "imported"])
def test_twins_are_exchangeable(source: Source) -> None:
    """Their reports follow one law: mean and spread of the log ratio are those of equals."""
    ratios = []
    for seed in SEEDS:
        world = source.twin(seed)
        target, other = world.twins
        assert world.quality[target] == world.quality[other]
        ratios.append(np.log(world.weights[:, target] / world.weights[:, other]))
    ratio = np.array(ratios)
    expected = 0.1 * np.sqrt(2)
    error = expected / np.sqrt(len(SEEDS))
    assert np.abs(ratio.mean(axis=0)).max() < 4 * error
    assert ratio.std() == pytest.approx(expected, rel=0.05)
    assert abs((ratio**3).mean()) < 4 * expected**3 * np.sqrt(15 / ratio.size)


@given(seeds)
def test_twins_are_of_mean_quality_and_belong_to_strangers_without_stake(seed: int) -> None:
    world = SMALL.twin(seed)
    assert world.quality[list(world.twins)] == pytest.approx(world.quality[:-2].mean())
    owners = world.miner_owner[list(world.twins)]
    assert not np.isin(owners, world.validator_owner).any()
    assert owners[0] != owners[1]


# Labels.


@given(seeds, st.integers(1, 4))
def test_an_epoch_is_the_world_under_other_labels(seed: int, parts: int) -> None:
    honest = replace(SMALL.twin(seed), adversary=(0, 2))
    world = moves.split(moves.sell(moves.order(moves.vote(honest))), parts)
    epoch = world.epoch()
    rows, columns = world.relabelling()
    assert (epoch.stake == world.stake[rows]).all()
    assert epoch.weights == pytest.approx(world.weights[np.ix_(rows, columns)])
    assert world.votes is not None
    assert world.orders is not None
    assert world.flows is not None
    assert (epoch.votes == world.votes[np.ix_(rows, columns)]).all()
    assert (epoch.flows == world.flows[np.ix_(rows, columns)]).all()
    assert (epoch.orders == world.orders[:, columns]).all()
    assert (rows[epoch.seats] == world.seats).all()


@given(seeds)
def test_labels_are_permutations_that_change_with_the_number_of_identities(seed: int) -> None:
    world = SMALL.sybil(seed)
    (rows, columns), (more, _) = world.relabelling(), moves.split(world, 2).relabelling()
    assert sorted(rows) == list(range(16))
    assert sorted(columns) == list(range(9))
    assert list(more[more < 16]) != list(rows)


def test_every_place_is_as_likely_for_the_attacker() -> None:
    places = [int(np.argsort(SMALL.sybil(seed).relabelling()[0])[15]) for seed in SEEDS]
    # 400 draws over 16 places: 25 expected, standard deviation 4.8
    assert all(5 < count < 45 for count in np.bincount(places, minlength=16))


# Imported networks.


def test_only_rows_and_columns_in_use_are_kept() -> None:
    twin, sybil = Imported(TINY).twin(0), Imported(TINY).sybil(0)
    assert twin.weights.shape == (2, 3 + 2)
    assert sybil.weights.shape == (2 + 1, 3 + 1)
    assert twin.stake == pytest.approx([0.75, 0.25])
    shares = twin.weights[:, :3] / twin.weights[:, :3].sum(axis=1, keepdims=True)
    assert shares == pytest.approx(np.array([[0.6, 0.2, 0.2], [0.3, 0.3, 0.4]]))


def test_an_imported_reference_is_the_mean_of_reports_by_stake() -> None:
    world = Imported(TINY).sybil(0)
    peers = world.weights[:2]
    assert world.quality == pytest.approx(0.75 * peers[0] + 0.25 * peers[1])
    assert world.weights[2] == pytest.approx(world.quality)
    assert not Imported(TINY).knows_quality


def test_an_imported_attacker_does_the_work_of_a_miner_that_is_there() -> None:
    for seed in range(20):
        world = Imported(TINY).sybil(seed)
        copied = [np.allclose(world.weights[:, -1], world.weights[:, j]) for j in range(3)]
        assert any(copied)


def test_worlds_come_from_every_epoch_in_use() -> None:
    weights = np.zeros((3, 2, 3))
    weights[0], weights[2] = [[1, 0, 0], [0, 1, 0]], [[1, 1, 1], [1, 1, 1]]
    source = Imported(network(np.ones((3, 2)), weights))
    assert {source.twin(seed).weights.shape for seed in range(20)} == {(2, 4), (2, 5)}


def test_dust_that_little_stake_reports_is_not_copied() -> None:
    weights = np.full((1, 3, 40), 1e-9)
    weights[0, 1:, :38] = 0
    weights[0, :, 38:] = 1
    source = Imported(network([[10, 45, 45]], weights))
    for seed in range(20):
        assert source.sybil(seed).quality[-1] > 0.1
        assert source.twin(seed).quality[-1] > 0.1


@given(arrays(float, (2, 3, 4), elements=st.sampled_from([0.0, 1e-9, 0.5, 1.0])), seeds)
def test_any_network_in_use_makes_worlds(weights: AnyArray, seed: int) -> None:
    stake = np.array([[5, 0, 7], [0, 1, 0]])
    if not (weights.any(axis=2) & (stake > 0)).any():
        with pytest.raises(DataError):
            Imported(Network("net", stake, weights))
        return
    source = Imported(Network("net", stake, weights))
    for world in (source.sybil(seed), source.twin(seed)):
        assert world.stake.all()
        assert world.weights.any(axis=0).all()
        assert world.weights.sum(axis=1) == pytest.approx(1)
        assert world.quality.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("stake", "weights"),
    [
        ([[0, 0]], [[[1, 1], [1, 1]]]),
        ([[1, 1]], [[[0, 0], [0, 0]]]),
        ([[1, 0]], [[[0, 0], [1, 1]]]),
    ],
    ids=["no stake", "no weights", "never both"],
)
def test_a_network_in_which_nothing_happens_is_refused(stake: Any, weights: Any) -> None:
    with pytest.raises(DataError, match="net: no validator in it has both stake and") as caught:
        Imported(network(stake, weights))
    assert caught.value.exit_code == 3


@settings(deadline=None, max_examples=5)
@given(st.sampled_from([(1, 1), (1, 2), (2, 1), (3, 2)]), seeds)
def test_the_smallest_networks_can_be_compared(shape: tuple[int, int], seed: int) -> None:
    source = Imported(network([np.arange(shape[0]) + 1], [np.ones(shape)]))
    budget = Budget(identities=2, evaluations=40)
    rules = ["yuma", "dao_vote", "dictator"]
    report = compare(rules, world=source, worlds=1, budget=budget, seed=seed, workers=1)
    assert not report.failures
    assert len(report.rows) == 3


def test_the_real_subnet_31_makes_worlds_in_which_twins_are_paid() -> None:
    source = Imported(read([shared("networks/bittensor-sn31/sn31_dense.npz")]))
    report = compare(
        ["yuma"], world=source, worlds=2, budget=Budget(stake=0.2, identities=1), workers=1
    )
    twin, sybil = source.twin(0), source.sybil(0)
    assert (twin.stake > 0).all()
    assert twin.weights.any(axis=0).all()
    assert twin.weights.any(axis=1).all()
    assert len(twin.seats) == len(sybil.seats) == 3
    assert not any("both twins get nothing" in flag for flag in report.rows[0].flags)
    assert report.rows[0].verified.minimum.value == min(
        report.rows[0].verified.sybil_resistance.value, report.rows[0].verified.neutrality.value
    )


def same(one: World, other: World) -> bool:
    return all(np.array_equal(value, getattr(other, name)) for name, value in vars(one).items())


# Whose reports are believed.

FIVE = network(
    [[50, 20, 15, 10, 5, 9]],
    [[[8, 1, 1, 0], [1, 8, 1, 0], [1, 1, 8, 0], [2, 2, 6, 0], [3, 3, 4, 0], [0, 0, 0, 0]]],
)


@given(seeds, st.integers(1, 4))
def test_whoever_is_not_believed_is_taken_to_say_what_a_smaller_one_does(
    seed: int, distrusted: int
) -> None:
    sources = [Imported(FIVE), Imported(FIVE, distrusted=distrusted)]
    plain, doubted = (it.sybil(seed).weights[:5, :3] for it in sources)
    plain, doubted = (it / it.sum(axis=1, keepdims=True) for it in (plain, doubted))
    assert doubted[distrusted:] == pytest.approx(plain[distrusted:])
    for row in doubted[:distrusted]:
        assert any(row == pytest.approx(other) for other in plain[distrusted:])


def test_what_they_are_taken_to_say_is_the_mean_by_stake_of_the_others_and_as_far_apart() -> None:
    source = Imported(FIVE, distrusted=2)
    said = np.array([source.sybil(seed).weights[:2, :3] for seed in range(2000)])
    said /= said.sum(axis=2, keepdims=True)
    others = np.array([[0.1, 0.1, 0.8], [0.2, 0.2, 0.6], [0.3, 0.3, 0.4]])
    mean = np.array([15, 10, 5]) / 30 @ others
    spread = np.sqrt(np.array([15, 10, 5]) / 30 @ (others - mean) ** 2)
    assert said.mean(axis=0) == pytest.approx(np.tile(mean, (2, 1)), abs=0.02)
    assert said.std(axis=0) == pytest.approx(np.tile(spread, (2, 1)), abs=0.02)


@given(seeds, st.integers(1, 3))
def test_where_all_agree_it_makes_no_difference_whom_to_believe(seed: int, distrusted: int) -> None:
    agreed = network([[4, 3, 2, 1]], [np.tile([5, 3, 1, 1], (4, 1))])
    plain, doubted = Imported(agreed), Imported(agreed, distrusted=distrusted)
    for one, other in (
        (plain.sybil(seed), doubted.sybil(seed)),
        (plain.twin(seed), doubted.twin(seed)),
    ):
        for name in ("stake", "weights", "quality", "seats", "sees_clones"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_miners_that_only_the_distrusted_report_on_are_not_there() -> None:
    alone = network([[3, 2, 1]], [[[1, 1, 0], [0, 1, 1], [0, 1, 1]]])
    assert Imported(alone, distrusted=1).sybil(0).weights.shape == (4, 2 + 1)
    assert Imported(alone).sybil(0).weights.shape == (4, 3 + 1)


def test_a_source_says_how_many_it_does_not_believe() -> None:
    assert Imported(FIVE).describe()["distrusted"] == 0
    assert Imported(FIVE, distrusted=2).describe()["distrusted"] == 2


def test_somebody_is_believed_in_every_epoch_that_is_in_use() -> None:
    weights = np.ones((3, 3, 2))
    weights[1, 2], weights[2] = 0, 0  # two report in the second epoch, nobody in the third
    stake = np.full((3, 3), 7)
    assert Imported(network(stake, weights), distrusted=1).distrusted == 1
    said = "distrusted must be less than 2, the validators .* of net, so that one is believed"
    with pytest.raises(UsageError, match=said):
        Imported(network(stake, weights), distrusted=2)
    with pytest.raises(UsageError, match="distrusted must be a whole number, 0 or more, not -1"):
        Imported(network(stake, weights), distrusted=-1)
