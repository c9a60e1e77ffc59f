"""Cases of another Yuma simulator: what moving early, late and together pays, in numbers."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from docs import peer_cases
from docs.peer_cases import VERSIONS, Case, cases, histories
from tests import naive_chain
from tests.data import shared
from tests.test_yuma_twin import matrix_of
from trilemma import Chain, Csr, Epoch
from trilemma.dynamics import History
from trilemma.kernels import ONE, stake_units
from trilemma.model import FloatArray
from trilemma_mechanisms.yuma.numbers import NUMBERS as NUMBERS_OF

TWO, THREE, LIQUID, RESET = VERSIONS
U16, EPOCHS, NUMBERS = 65535, 40, range(1, 23)
TWO_MINERS = [number for number in NUMBERS if number not in (15, 16, 17, 18, 21, 22)]
UNDECIDED = {21: [5, 21, 22, 25, 30]}  # epochs in which no two of three validators agree
OF_SUBTENSOR: dict[str, Any] = {"bonds_penalty": 0, "alpha_low": 0.1, "alpha_high": 0.3}
STAKE = np.array([0.8, 0.1, 0.1])  # in cases 1 to 8, 10, 12, 13

each_case = pytest.mark.parametrize("number", NUMBERS)
each_penalty = pytest.mark.parametrize("beta", [0, 1])
each_version = pytest.mark.parametrize("label", [TWO, THREE, LIQUID])


def folder() -> Path:
    return shared("peer/inputs.npz").parent


@cache
def case(number: int) -> Case:
    return {found.name: found for found in cases(folder())}[f"case_{number:02d}"]


@cache
def played(number: int, **parameters: Any) -> dict[str, History]:
    return histories(case(number), **parameters)


def paid(number: int, label: str, **parameters: Any) -> FloatArray:
    return played(number, **parameters)[label].dividends


def rates(number: int, label: str, first: int = 0, **parameters: Any) -> FloatArray:
    """Return dividends per stake from some epoch on; 1 is a fair part."""
    return played(number, **parameters)[label].yields(first)


def near(*values: float) -> Any:
    return pytest.approx(list(values), abs=1e-4)  # digits that are written here


@pytest.mark.parametrize("arithmetic", ["float", "chain"])
@each_penalty
@each_case
def test_every_case_pays_out_everything_in_every_version(
    number: int, beta: int, arithmetic: str
) -> None:
    runs = played(number, bonds_penalty=beta, arithmetic=arithmetic)
    assert list(runs) == [TWO, THREE, LIQUID, *([RESET] if case(number).reset else [])]
    for history in runs.values():
        assert history.dividends.shape == (EPOCHS, 3)
        np.testing.assert_allclose(history.dividends.sum(axis=1), 1, rtol=0, atol=1e-6)
        # without any consensus the miners' pool is burnt and validators are paid by stake
        undecided = UNDECIDED.get(number, [])
        by_stake = history.stake[undecided]
        np.testing.assert_allclose(history.dividends[undecided], by_stake, rtol=0, atol=1e-9)
        shared_out = np.isin(range(EPOCHS), undecided, invert=True)
        np.testing.assert_allclose(history.incentive.sum(axis=1), shared_out, rtol=0, atol=1e-6)


# What u16 takes from bonds. Version 2: from each of two validators a step of the largest bond in
# every epoch, and in a miner whom nobody supports nothing fades, so that steps add up (4.0e-4).
# Version 3: a step, of which .9 stays; the mean bond in who wins is .05 or more (2.6e-4). Liquid
# alpha: .3 stays, or less, and the mean bond is .35 or more (7.4e-6). In brackets: found.
TOLERANCE = {TWO: 2 * EPOCHS / U16, THREE: 9 / U16 / 0.05, LIQUID: 0.43 / U16 / 0.35}


@each_penalty
@each_case
def test_floats_and_fixed_point_agree_as_far_as_bonds_are_rounded(number: int, beta: int) -> None:
    fixed = played(number, bonds_penalty=beta, arithmetic="chain")
    for label, history in played(number, bonds_penalty=beta, arithmetic="float").items():
        off = np.abs(history.dividends - fixed[label].dividends).max()
        assert off <= TOLERANCE[LIQUID if label == RESET else label]
        assert np.abs(history.incentive - fixed[label].incentive).max() < 1e-5  # u16 weights


@each_case
def test_no_case_hangs_on_a_tie_in_the_consensus(number: int) -> None:
    for epoch in case(number).epochs:
        backing = epoch.weights[:, None] >= epoch.weights[None]  # who gives j what i' gives it
        support = (epoch.stake[:, None, None] * backing).sum(axis=0) / epoch.stake.sum()
        assert np.abs(support - 0.5).min() > 0.0099  # the nearest is .49 or .51


def stored(epoch: Epoch) -> Chain:
    return Chain(weights=Csr.of(NUMBERS_OF["chain"].set_weights(epoch.weights)))


@pytest.mark.parametrize("beta", [0, 32768, U16])
@pytest.mark.parametrize("number", TWO_MINERS)  # three would be the validators' own accounts
def test_fixed_point_equals_the_slow_twin_of_a_square_network_in_every_bit(
    number: int, beta: int
) -> None:
    # With stored rows: there liquid alpha deletes a bond whose weight is cut to nothing. Without
    # them it decays, which moves up to .036 of all dividends (case 19).
    recorded = [Epoch(e.stake, e.weights, chain=stored(e)) for e in case(number).epochs]
    settings = {"bonds_penalty": beta / U16, "kappa": 32767 / U16, "max_validators": 64}
    settings |= {"alpha_low": 45875 / U16, "alpha_high": 58982 / U16}
    square = replace(case(number), epochs=tuple(recorded))
    for label, history in histories(square, arithmetic="chain", **settings).items():
        dividends, incentive = twin(case(number), label, beta)
        np.testing.assert_array_equal(history.dividends * ONE, dividends)
        np.testing.assert_array_equal(history.incentive * ONE, incentive)


def twin(told: Case, label: str, beta: int) -> tuple[list[list[int]], list[list[int]]]:
    """Run a case as a chain would: uids 0 to 2 are the validators, then come the miners."""
    record: dict[str, Any] = {"n": 5, "current_block": 9, "tempo": 1, "last_update": [9] * 5}
    record |= {"block_at_registration": [0] * 5, "commit_reveal": 1, "commit_block": [9] * 5}
    record |= {"last_mechanism_step_block": 0, "activity_cutoff": 9, "max_allowed_validators": 64}
    record |= {"owner_uid": -1, "validator_permit": [True] * 5, "stake_threshold": 0}
    record |= {"kappa": 32767, "bonds_penalty": beta, "bonds_moving_average": 900_000}
    record |= {"yuma3": label != TWO, "liquid_alpha": label in (LIQUID, RESET), "rao_emission": 1}
    record |= {"alpha_low": 45875, "alpha_high": 58982, "alpha_sigmoid_steepness": 1000}
    bonds: naive_chain.Rows = [[] for _ in range(5)]
    dividends, incentive = [], []
    for number, epoch in enumerate(told.epochs):
        if label == RESET and told.reset and number == told.reset[1]:
            bonds = [[(j, b) for j, b in row if j != 3 + told.reset[0]] for row in bonds]
        said = np.floor(epoch.weights / epoch.weights.max(axis=1)[:, None] * U16 + 0.5)
        weights = [[(3 + j, int(w)) for j, w in enumerate(row)] for row in said]
        record["stake"] = [*stake_units(epoch.stake).tolist(), 0, 0]
        record["weights"], record["bonds_in"] = matrix_of([*weights, [], []]), matrix_of(bonds)
        found = naive_chain.epoch(record)
        bonds, record["validator_permit"] = found["bonds_u16"], found["new_validator_permit"]
        dividends.append(found["dividends"][:3])
        incentive.append(found["incentive"][3:])
    return dividends, incentive


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("peer") / "made"
    peer_cases.main(folder(), out)
    return out


@pytest.mark.slow
@each_case
def test_a_figure_has_a_panel_per_version_and_a_line_per_validator_in_it(
    number: int, written: Path
) -> None:
    drawn, labels = (written / f"case_{number:02d}.svg").read_text(), list(played(number))
    path = r'<path d="M [^"]+\nL [^"]+" clip-path="url\(#(\w+)\)" '
    line = path + r'style="fill: none; (?:stroke-dash[^;]+; )*stroke: (#\w+)'
    lines = re.findall(line, drawn)  # panel and colour
    assert len(set(lines)) == len(lines) == 3 * len(labels)
    assert len({panel for panel, _ in lines}) == len(labels)
    for text in (case(number).title, *case(number).validators, *labels, "epoch"):
        assert f"<!-- {text} -->" in drawn  # glyphs are drawn; what they say is a comment


@pytest.mark.slow
def test_the_json_holds_all_dividends_and_incentives(written: Path) -> None:
    told = json.loads((written / "peer_cases.json").read_text())
    for number, answer in zip(NUMBERS, told.values(), strict=True):
        for label, history in played(number).items():
            pools = {"dividends": history.dividends, "incentive": history.incentive}
            assert answer["versions"][label] == {key: pool.tolist() for key, pool in pools.items()}
        assert bool(answer["not_applied"]) == (number in (20, 21, 22))
    assert told["case_05"]["reset"] == {"miner": 1, "epoch": 20}


@pytest.mark.parametrize("files", [{}, {"cases.json": ""}, {"cases.json": "{}", "inputs.npz": ""}])
def test_a_folder_without_cases_fails_in_one_line(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(typer.Exit, match="3"):
        peer_cases.main(tmp_path, tmp_path / "out")
    said = capsys.readouterr().err
    assert said.startswith(f"peer_cases: {tmp_path}")
    assert said.count("\n") == 1


def test_the_later_a_validator_follows_the_majority_the_less_it_earns_per_stake() -> None:
    assert rates(1, TWO) == near(1.0642, 0.7568, 0.7296)
    assert rates(1, THREE) == near(1.0229, 0.9380, 0.8784)
    assert rates(1, LIQUID) == near(1.0110, 0.9709, 0.9411)


MOVES = [(1, (1, 2, 3)), (2, (2, 1, 3)), (3, (3, 1, 2)), (10, (10, 1, 11))]


@each_penalty
@pytest.mark.parametrize(("number", "moves"), MOVES)
def test_bonds_of_version_3_count_from_the_own_move_or_if_penalised_from_the_majoritys(
    number: int, moves: tuple[int, ...], beta: int
) -> None:
    since = np.maximum(moves, moves[0] * beta)  # a weight without consensus is cut to nothing
    epochs = np.arange(moves[0], EPOCHS)[:, None]
    worth = STAKE * (1 - 0.9 ** np.maximum(epochs + 1 - since, 0))
    found = paid(number, THREE, bonds_penalty=beta)[moves[0] :]
    expected = worth / worth.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_once_the_majority_has_moved_earlier_ones_earn_more_only_without_bonds_penalty() -> None:
    assert rates(2, TWO, 2) == near(1.0287, 1.0287, 0.7416)
    assert rates(2, THREE, 2) == near(1.0083, 1.0083, 0.9255)
    assert rates(2, LIQUID, 2) == near(1.0038, 1.0038, 0.9659)
    assert rates(2, TWO, 2, bonds_penalty=0) == near(0.7704, 3.0956, 0.7416)
    assert rates(2, THREE, 2, bonds_penalty=0) == near(1.0008, 1.0720, 0.9217)
    assert rates(2, LIQUID, 2, bonds_penalty=0) == near(1.0023, 1.0163, 0.9657)
    assert rates(3, THREE, 3) == near(1, 1, 1)  # here both move before it; over all, they lose
    assert rates(3, THREE) == near(1.0044, 0.9709, 0.9941)
    assert rates(3, THREE, 3, bonds_penalty=0) == near(0.9811, 1.1049, 1.0462)


def test_liquid_alpha_takes_more_from_an_early_mover_than_it_gives_back() -> None:
    # In epoch 1 nine tenths of the old bond are sold (version 3: one), and with them .0895 of all
    # dividends. What the new bond earns does not make up for it, unless alphas are lower.
    assert paid(2, LIQUID, bonds_penalty=0)[1] == near(0.8796, 0.0105, 0.1099)
    assert rates(2, LIQUID, bonds_penalty=0) == near(1.0046, 0.9931, 0.9699)
    assert rates(2, LIQUID, **OF_SUBTENSOR) == near(0.9900, 1.1595, 0.9207)


def test_in_version_2_who_is_alone_with_a_miner_owns_it_however_little_it_says() -> None:
    # Bonds in a miner sum to 1: a tenth of the stake that moves alone holds them all and, one
    # epoch on, .9 of them and its part of the rest. A thousandth of weight does as much (case 12).
    for beta in (0, 0.5, 0.99):  # a penalty scales what is bought, and the sum with it
        assert paid(2, TWO, bonds_penalty=beta)[2] == near(0.8 / 9, 0.9 + 0.1 / 9, 0)
    assert paid(2, TWO)[2] == near(8 / 9, 1 / 9, 0)
    assert paid(12, TWO, bonds_penalty=0)[1] == near(0.08, 0.91, 0.01)
    assert rates(12, TWO, bonds_penalty=0) == near(0.6315, 4.3168, 0.6315)
    assert rates(12, THREE, bonds_penalty=0) == near(1.0000, 0.9996, 1.0000)
    assert rates(12, TWO) == near(1.0001, 0.9991, 1.0001)


@each_penalty
@each_version
def test_nobody_gains_where_all_move_together(label: str, beta: int) -> None:
    assert rates(4, label, bonds_penalty=beta) == pytest.approx([1, 1, 1], abs=1e-9)


def test_a_late_majority_falls_as_far_again_only_if_bonds_in_its_next_miner_are_reset() -> None:
    # As in subtensor's test: .800, .523, then .523 again, or .562 on old bonds. The case itself
    # resets the miner that is being left: the fall stays as it is, and before it the majority
    # gains from those who sell as much as it did at first.
    reset = histories(replace(case(8), reset=(0, 21)), **OF_SUBTENSOR)[RESET].dividends[:, 0]
    assert reset[[0, 2, 3, 19]] == near(0.8, 0.5230, 0.6396, 0.7919)
    assert reset[22:] == pytest.approx(reset[2:20], abs=1e-9)
    assert paid(8, LIQUID, **OF_SUBTENSOR)[[1, 21, 22], 0] == near(0.8944, 0.8467, 0.5617)
    assert paid(8, RESET, **OF_SUBTENSOR)[[1, 21, 22], 0] == near(0.8944, 0.8944, 0.5617)


def test_resets_matter_where_bonds_are_old_and_unequal() -> None:
    def moved(number: int, label: str) -> float:
        reset = paid(number, RESET, liquid_alpha=label == LIQUID)
        return float(np.abs(reset - paid(number, label)).max())

    # In 12 all lose alike, as they have the same bonds; the miner reset in 13 is never paid.
    numbers = (5, 6, 7, 8, 12, 13)
    assert [moved(n, THREE) for n in numbers] == near(0.0689, 0.0090, 0.0148, 0.0755, 0, 0)
    # Liquid alpha has left .3**20 of old bonds, but for those in the miner supported until then.
    assert [moved(n, LIQUID) for n in numbers] == near(0.0010, 0, 0, 0.0015, 0, 0)


def test_bonds_of_version_2_in_a_miner_whom_nobody_supports_do_not_fade() -> None:
    # Case 6: all are back in epoch 21, with .9 of what they had in 1, and a tenth of their stake.
    assert paid(6, TWO)[1] == near(0.8089, 0.0900, 0.1011)
    assert paid(6, TWO)[21] == near(*(0.9 * paid(6, TWO)[1] + 0.1 * STAKE))


def test_merged_stake_keeps_its_dividends_in_version_3_and_waits_for_them_in_version_2() -> None:
    for label in (THREE, LIQUID):
        assert paid(9, label)[6:, 1] == pytest.approx(0.2, abs=1e-6)
    # Bonds are bought with stake: .9 of the old tenth and a tenth of the new fifth. The emptied
    # validator is paid once more, then its bonds go with its permit, and all others' scale up.
    assert paid(9, TWO)[6] == near(0.8, 0.11, 0.09)
    missing = (0.2 - 0.9 * 0.11 / 0.91 - 0.1 * 0.2) * 0.9 ** np.arange(EPOCHS - 7)
    assert paid(9, TWO)[7:, 1] == pytest.approx(0.2 - missing, abs=1e-6)


@each_version
def test_two_percent_of_stake_decide_whose_weights_are_clipped(label: str) -> None:
    before = np.array([0.49 * 0.3 + 0.51 * 0.6, 0.98 * 0.4 + 0.02 * 0.39])  # cut to .6 and .4
    first, second = 0.3 / 0.91, 0.61 / 0.91  # what the small one says from epoch 20 on, and carries
    after = np.array([0.49 * 0.3 + 0.51 * first, 0.49 * 0.4 + 0.51 * second])
    for epoch, rank in ((19, before), (20, after)):
        assert played(11)[label].incentive[epoch] == pytest.approx(rank / rank.sum(), abs=1e-6)
    low, high = paid(11, label)[19, :2] / 0.49
    assert low < 0.84 < 1.16 < high
    high, low = paid(11, label)[39, :2] / 0.49
    assert low < 0.89 < 1.10 < high


@each_version
def test_half_a_weight_for_a_miner_nobody_pays_costs_half_the_dividends(label: str) -> None:
    whole, half, other = paid(13, label)[20] / STAKE
    assert (half, other) == pytest.approx((whole / 2, whole), rel=1e-6)
    if label == LIQUID:  # from epoch 21 on the third says the same as the second
        assert paid(13, label)[39] == near(8 / 9, 0.5 / 9, 0.5 / 9)


def test_one_epoch_of_deviation_costs_a_tenth_or_with_liquid_alpha_nearly_all_and_heals() -> None:
    assert paid(14, TWO)[[19, 20, 21, 39], 2] == near(0.34, 0.9 * 0.34, 0.3094, 0.3354)
    assert paid(14, THREE)[[19, 20, 21, 39], 2] == near(0.34, 0.3138, 0.3168, 0.3369)
    assert paid(14, LIQUID)[[19, 20, 21, 39], 2] == near(0.34, 0.0496, 0.2737, 0.3400)


@each_penalty
@each_version
def test_the_more_a_stable_miner_weighs_the_less_moving_early_or_late_costs(
    label: str, beta: int
) -> None:
    runs = [paid(number, label, bonds_penalty=beta) for number in (2, 15, 16, 17, 18)]
    early, late = [run[1, 1] for run in runs], [run[2, 2] for run in runs]
    assert (early, late) == (sorted(early), sorted(late))
    assert late[0] == pytest.approx(0, abs=1e-9)
    assert 0.088 < late[-1] < early[-1] < 0.1
    if label == TWO:  # the late one holds a tenth of the stable miner's bonds, and no others
        stable = np.array([0, 0.25, 0.5, 0.75, 0.9])
        assert late == near(*(0.1 * stable / (stable + 0.9 * (1 - stable))))


def test_picking_a_winner_before_reporting_lets_noise_swing_dividends() -> None:
    for picked, full in ((19, 20), (21, 22)):  # of the same measurements
        swing, calm = (np.ptp(paid(number, THREE)[:, 0]) for number in (picked, full))
        assert swing > 25 * calm
    # Paid is not who measures best, the first validator, but who agrees with another one.
    assert rates(19, THREE) == near(0.8643, 1.1358, 0.9974)
    assert rates(20, THREE) == near(0.9989, 1.0019, 0.9825)
