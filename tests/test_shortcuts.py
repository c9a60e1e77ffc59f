"""Shortcuts against plain calls, and where there are none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_array

from trilemma.chain import Chain
from trilemma.contract import Pay, call
from trilemma.errors import PluginError, UsageError
from trilemma.model import Epoch, Rewards
from trilemma.registry import load
from trilemma.shortcuts import Estimate, Ranker, forward, ranker
from trilemma_mechanisms.yuma import State, Yuma
from trilemma_mechanisms.yuma.shortcuts import pay_over

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

patient = settings(deadline=None)  # the first call compiles

RULES = [Yuma(version=version) for version in (2, 3)]
VERSIONS = pytest.mark.parametrize("rule", RULES, ids=["version 2", "version 3"])

GRID = st.integers(0, 4).map(float)
STAKES = st.sampled_from([0, 0, 1, 1, 2, 5]) | st.integers(0, 100)
rules = st.builds(
    Yuma,
    version=st.sampled_from([2, 3]),
    kappa=st.sampled_from([0.0, 0.25, 0.5, 0.5, 1.0]),
    bonds_penalty=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    bonds_moving_average=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    max_validators=st.none() | st.integers(1, 6),
    stake_threshold=st.sampled_from([0, 0, 2]),
)


@st.composite
def epochs(draw: st.DrawFn, rule: Yuma) -> Epoch:
    """Small, with ties and zeros; fresh, or after one or two epochs of other stake and weights."""
    n, m = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    carry = None
    for _ in range(draw(st.integers(0, 2))):
        carry = rule(_drawn(draw, n, m, carry)).carry
    return _drawn(draw, n, m, carry)


def _drawn(draw: st.DrawFn, n: int, m: int, carry: Any) -> Epoch:
    stake = draw(arrays(np.int64, n, elements=STAKES))
    return Epoch(stake, draw(arrays(np.float64, (n, m), elements=GRID)), carry=carry)


def network(n: int, m: int, rule: Any = None) -> Epoch:
    """Return an epoch of honest validators; with a rule, one that follows another."""
    rng = np.random.default_rng([n, m])
    quality, stake = rng.lognormal(size=m), rng.random(n)
    said = [quality * rng.lognormal(sigma=0.3, size=(n, m)) for _ in range(2)]
    carry = None if rule is None else rule(Epoch(stake, said[0])).carry
    return Epoch(stake, said[1], carry=carry)


def saying(epoch: Epoch, rows: Any, said: Any) -> Epoch:
    weights = epoch.weights.copy()
    weights[rows] = said
    return Epoch(epoch.stake, weights, chain=epoch.chain, carry=epoch.carry)


def plainly(rule: Any, epoch: Epoch, rows: Any, said: Any) -> Estimate:
    pay = call("it", rule, saying(epoch, rows, said))
    return Estimate(pay.miners, pay.validators[rows])


def alike(found: Estimate, expected: Estimate) -> bool:
    return all((one == other).all() for one, other in zip(found, expected, strict=True))


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-25)


def plain(rule: Any, epoch: Epoch, rows: Any) -> Ranker:
    return ranker(rule, epoch, rows, shortcut=False)


# --- a few rows on a base that stays -------------------------------------------------------------


@settings(patient, max_examples=200)
@given(rules, st.data())
def test_a_candidate_is_paid_what_a_plain_call_pays(rule: Yuma, data: st.DataObject) -> None:
    epoch = data.draw(epochs(rule))
    n, m = epoch.weights.shape
    rows = np.array(data.draw(st.permutations(range(n)))[: data.draw(st.integers(1, min(4, n)))])
    estimate = rule.on_base(epoch, rows)
    assert estimate is not None
    rank = ranker(rule, epoch, rows)
    for _ in range(3):
        said = data.draw(arrays(np.float64, (rows.size, m), elements=GRID))
        found, expected = rank(said), plainly(rule, epoch, rows, said)
        close(found.miners, expected.miners)
        close(found.validators, expected.validators)


@VERSIONS
@pytest.mark.parametrize("penalty", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("carried", [False, True])
def test_a_large_network_is_paid_what_a_plain_call_pays(
    rule: Yuma, penalty: float, carried: bool
) -> None:
    rule = replace(rule, bonds_penalty=penalty)
    epoch = network(120, 70, rule if carried else None)
    rng = np.random.default_rng(0)
    for rows in ([3], [119, 0], [5, 9, 60, 61], list(range(60))):
        rank = ranker(rule, epoch, rows)
        for said in (rng.random((len(rows), 70)), np.eye(70)[:1].repeat(len(rows), axis=0)):
            found, expected = rank(said), plainly(rule, epoch, rows, said)
            close(found.miners, expected.miners)
            close(found.validators, expected.validators)


@VERSIONS
def test_what_the_epoch_says_of_the_attackers_is_not_read(rule: Yuma) -> None:
    epoch = network(9, 5, rule)
    other = saying(epoch, [2], np.eye(5)[0])
    said = np.arange(5.0)[None]
    assert alike(ranker(rule, epoch, [2])(said), ranker(rule, other, [2])(said))


def test_weights_may_come_in_any_scale_and_are_not_written_to() -> None:
    epoch, said = network(9, 5), np.arange(5.0)[None]
    said.setflags(write=False)
    rank = ranker(Yuma(), epoch, [2])
    assert alike(rank(said), rank(2 * said))


@VERSIONS
def test_attackers_may_be_everybody(rule: Yuma) -> None:
    epoch = network(4, 3, rule)
    found = ranker(rule, epoch, [2, 0, 3, 1])(epoch.weights[[2, 0, 3, 1]])
    pay = call("yuma", rule, epoch)
    close(found.miners, pay.miners)
    close(found.validators, pay.validators[[2, 0, 3, 1]])


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("dust", [1e-20, 1e-28, 3e-30, 1e-31])
@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_bonds_that_are_too_small_to_count_do_not_count(
    version: int, dust: float, penalty: float
) -> None:
    """All that is agreed on is dust: the miner that the large one wants has too little support."""
    weights = np.array([[1, 0, dust], [0, 1, 4 * dust], [0, 1, dust / 2], [0, 1, 3 * dust]])
    rule = Yuma(version=version, kappa=0.9, bonds_penalty=penalty)
    epoch = Epoch([3, 1, 1, 1], weights)
    for said in (weights[3:], weights[:1], [[0, 0, 1]], [[0, 1, 20 * dust]]):
        found, expected = (f(said) for f in (ranker(rule, epoch, [3]), plain(rule, epoch, [3])))
        np.testing.assert_allclose(found.miners, expected.miners, rtol=1e-12)
        np.testing.assert_allclose(found.validators, expected.validators, rtol=1e-12, atol=1e-13)


FULL = State(np.full((9, 5), 1.5))
RECORD = Epoch(np.arange(1, 10), network(9, 5).weights, chain=Chain(block=3))


@pytest.mark.parametrize(
    ("rule", "epoch"),
    [
        (Yuma(liquid_alpha=True), network(9, 5)),
        (Yuma(arithmetic="chain"), network(9, 5)),
        (Yuma(version=2), RECORD),
        (Yuma(), network(9, 5).replace(carry=FULL)),
    ],
    ids=["liquid alpha", "fixed point", "a chain's record", "bonds above 1"],
)
def test_where_no_shortcut_is_known_plain_calls_are_made(rule: Yuma, epoch: Epoch) -> None:
    said = np.eye(5)[1:3]
    assert rule.on_base(epoch, np.array([2, 4])) is None
    assert alike(ranker(rule, epoch, [2, 4])(said), plainly(rule, epoch, [2, 4], said))


def test_sparse_epochs_follow_each_other_and_have_no_base() -> None:
    rule, epoch = Yuma(), Epoch([1, 2, 1], csr_array(np.eye(3)))
    assert rule.on_base(epoch, np.array([1])) is None
    assert rule.after(epoch, 3) is None
    expected = after(rule, epoch, 3).carry.bonds.dense()
    assert forward(rule, epoch, 3).bonds.dense().tolist() == expected.tolist()
    with pytest.raises(UsageError, match=r"^weights: candidates need dense ones"):
        ranker(rule, epoch, [1])


def test_neither_liquid_alpha_nor_the_size_of_bonds_is_anything_to_version_2() -> None:
    rule, epoch = Yuma(version=2, liquid_alpha=True), network(9, 5).replace(carry=FULL)
    assert rule.on_base(epoch, np.array([2])) is not None
    found, said = ranker(rule, epoch, [2]), np.eye(5)[1:2]
    close(found(said).validators, plainly(rule, epoch, [2], said).validators)


def test_the_attackers_own_bonds_may_be_above_1() -> None:
    bonds = np.full((9, 5), 0.5)
    bonds[2] = 1.5
    epoch = network(9, 5).replace(carry=State(bonds))
    assert Yuma().on_base(epoch, np.array([2])) is not None
    said = np.eye(5)[1:2]
    found, expected = ranker(Yuma(), epoch, [2])(said), plainly(Yuma(), epoch, [2], said)
    close(found.validators, expected.validators)


@VERSIONS
def test_bonds_stored_as_u16_are_read(rule: Yuma) -> None:
    epoch = network(9, 5, replace(rule, arithmetic="chain"))
    assert epoch.carry.bonds.dtype == np.uint16
    said = np.eye(5)[1:2]
    found, expected = ranker(rule, epoch, [2])(said), plainly(rule, epoch, [2], said)
    close(found.validators, expected.validators)


@VERSIONS
def test_switched_off_every_answer_is_that_of_a_plain_call(rule: Yuma) -> None:
    epoch, said = network(9, 5, rule), np.eye(5)[1:3]
    assert alike(plain(rule, epoch, [2, 4])(said), plainly(rule, epoch, [2, 4], said))


def test_a_mechanism_without_a_shortcut_is_called_plainly() -> None:
    epoch, said = network(9, 5), np.eye(5)[1:3]
    for spec in ("stake_weighted", "uniform", "dao_vote"):
        rule = load(spec)
        assert alike(ranker(rule, epoch, [2, 4])(said), plainly(rule, epoch, [2, 4], said))


def test_votes_and_seats_and_the_rest_of_the_epoch_stay() -> None:
    votes = np.ones((4, 3), np.int64)
    votes[:, 1:] = 0
    given: dict[str, Any] = {"votes": votes, "seats": [1], "orders": [[0, 1, 0]]}
    epoch = Epoch([1] * 4, np.ones((4, 3)), tenure=[5] * 4, flows=np.ones((4, 3)), **given)

    def saw(shown: Epoch) -> Rewards:
        names = ("votes", "seats", "orders", "tenure", "flows", "stake")
        assert all((getattr(shown, it) == getattr(epoch, it)).all() for it in names)
        assert shown.weights[0].tolist() == [1, 0, 0]
        return Rewards(np.zeros(3))

    ranker(saw, epoch, [0])([[5, 0, 0]])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "expected one validator or more by number"),
        ([0.5], "expected one validator or more by number, got float64"),
        ([[0]], r"expected one validator or more by number, got int64 \(1, 1\)"),
        ([9], r"validators are 0..8, got \[9\]"),
        ([-1], r"validators are 0..8, got \[-1\]"),
        ([1, 1], r"a validator is named twice in \[1, 1\]"),
    ],
)
def test_rows_that_are_no_validators_are_refused(rows: Any, message: str) -> None:
    with pytest.raises(UsageError, match="^rows: " + message):
        ranker(Yuma(), network(9, 5), rows)


@pytest.mark.parametrize("shortcut", [True, False])
def test_weights_that_do_not_fit_are_refused(shortcut: bool) -> None:
    rank = ranker(Yuma(), network(9, 5), [1, 2], shortcut=shortcut)
    with pytest.raises(UsageError, match=r"^weights: expected shape \(2, 5\)"):
        rank(np.ones((1, 5)))
    with pytest.raises(UsageError, match=r"^weights: expected finite numbers"):
        rank(-np.ones((2, 5)))


# --- many epochs in which nothing changes --------------------------------------------------------


def following(rule: Any, epoch: Epoch) -> Iterator[Pay]:
    """Pay one epoch after the other."""
    while True:
        pay = call("it", rule, epoch)
        yield pay
        epoch = epoch.replace(carry=pay.carry)


def after(rule: Any, epoch: Epoch, number: int) -> Pay:
    return next(islice(following(rule, epoch), number - 1, None))


def same_bonds(found: State, expected: State) -> None:
    np.testing.assert_allclose(found.bonds, expected.bonds, rtol=1e-12)
    assert found.bonds.max() <= 1


@settings(patient, max_examples=150)
@given(rules, st.data(), st.sampled_from([1, 2, 3, 4, 10, 60]))
def test_what_is_carried_after_many_epochs_is_what_they_leave(
    rule: Yuma, data: st.DataObject, number: int
) -> None:
    epoch = data.draw(epochs(rule))
    assert rule.after(epoch, number) is not None
    found, expected = forward(rule, epoch, number), after(rule, epoch, number).carry
    same_bonds(found, expected)
    assert np.array_equal(found.permits, expected.permits)
    assert found.places is expected.places is None


@settings(patient, max_examples=200)
@given(rules, st.data(), st.integers(1, 20))
def test_version_2_pays_validators_what_many_epochs_pay(
    rule: Yuma, data: st.DataObject, number: int
) -> None:
    rule = replace(rule, version=2)
    epoch = data.draw(epochs(rule))
    found = pay_over(rule, epoch, number)
    assert found is not None
    assert found.shape == (number, epoch.stake.size)
    for one, pay in zip(found, following(rule, epoch), strict=False):
        close(one, pay.validators)


@pytest.mark.parametrize("average", [0.0, 1e-9, 0.3, 0.9, 1 - 1e-9, 1.0])
@pytest.mark.parametrize("carried", [False, True])
@VERSIONS
def test_bonds_may_move_at_any_speed(rule: Yuma, average: float, carried: bool) -> None:
    rule = replace(rule, bonds_moving_average=average, bonds_penalty=0.7)
    epoch = network(30, 20, rule if carried else None)
    for number in (1, 2, 3, 50):
        expected = after(rule, epoch, number)
        same_bonds(forward(rule, epoch, number), expected.carry)
        if (paid := pay_over(rule, epoch, number)) is not None:
            close(paid[-1], expected.validators)


@VERSIONS
def test_bonds_of_the_silent_fade_to_nothing(rule: Yuma) -> None:
    epoch = network(9, 5, rule)
    silent = saying(epoch, [2], 0)
    for number in (600, 700):
        expected = after(rule, silent, number).carry
        same_bonds(forward(rule, silent, number), expected)
        assert expected.bonds[2].any() == (number == 600)


@pytest.mark.parametrize("dust", [3e-29, 2e-30, 1e-31])
@VERSIONS
def test_dust_that_never_becomes_a_bond_is_none_for_good(rule: Yuma, dust: float) -> None:
    """A tenth of it is bought in an epoch, which may count as nothing, again and again."""
    rule = replace(rule, bonds_penalty=0)
    weights = np.array([[1, dust, 0], [1, 1, 0], [0, 1, 0]])
    for carry in (None, State(np.full((3, 3), dust)), State(np.full((3, 3), 0.5))):
        epoch = Epoch([1, 2, 3], weights, carry=carry)
        for number in (3, 30, 900):
            same_bonds(forward(rule, epoch, number), after(rule, epoch, number).carry)


def test_bonds_above_1_are_cut_in_the_first_epoch() -> None:
    rule, epoch = Yuma(bonds_penalty=0), Epoch([1, 2], np.eye(2), carry=State(np.full((2, 2), 5)))
    for number in (1, 2, 3, 9):
        same_bonds(forward(rule, epoch, number), after(rule, epoch, number).carry)


def test_bonds_end_at_1_also_where_a_row_sums_to_a_little_more() -> None:
    rule, epoch = Yuma(bonds_penalty=0), Epoch([1, 1], np.diag([1 + 5e-13, 1]))
    assert epoch.weights[0, 0] > 1
    assert rule.on_base(epoch, np.array([1])) is None
    same_bonds(forward(rule, epoch, 999), after(rule, epoch, 999).carry)


@pytest.mark.parametrize(
    ("rule", "epoch"),
    [
        (Yuma(liquid_alpha=True), network(9, 5)),
        (Yuma(version=2, arithmetic="chain"), network(9, 5)),
        (Yuma(version=2), RECORD),
    ],
    ids=["liquid alpha", "fixed point", "a chain's record"],
)
def test_where_no_shortcut_is_known_epochs_follow_each_other(rule: Yuma, epoch: Epoch) -> None:
    assert rule.after(epoch, 5) is None
    assert pay_over(rule, epoch, 5) is None
    found, expected = forward(rule, epoch, 5), after(rule, epoch, 5).carry
    assert found.bonds.tolist() == expected.bonds.tolist()


@VERSIONS
def test_switched_off_epochs_follow_each_other(rule: Yuma) -> None:
    epoch = network(9, 5)
    found = forward(rule, epoch, 5, shortcut=False)
    assert found.bonds.tolist() == after(rule, epoch, 5).carry.bonds.tolist()


def test_dividends_move_as_bonds_do_in_version_2_and_in_version_3_do_not() -> None:
    """If they do, every change is a fixed part of the one before.

    In version 3 they are divided by sums of bonds, which move at another pace for each miner.
    """
    off = []
    for rule in RULES:
        epoch = network(9, 5, rule)
        paid = islice(following(rule, epoch), 9)
        dividends = np.array([pay.validators for pay in paid])
        moved = np.diff(dividends, axis=0)
        off.append(np.abs(moved[1:] - 0.9 * moved[:-1]).max() / np.abs(moved).max())
    assert off[0] < 1e-12
    assert off[1] > 1e-3
    assert pay_over(RULES[1], network(9, 5), 3) is None


@dataclass(frozen=True)
class Counting:
    """Carries how often it was asked since it forgot."""

    most: int

    def __call__(self, epoch: Epoch) -> Rewards:
        asked = 1 + (epoch.carry or 0)
        return Rewards(np.zeros(epoch.weights.shape[1]), carry=None if asked > self.most else asked)


def test_a_mechanism_without_a_shortcut_is_asked_epoch_after_epoch() -> None:
    epoch = network(3, 2)
    assert forward(Counting(9), epoch, 5) == 5
    assert forward(Counting(2), epoch, 7) == 1  # it forgets in the third and in the sixth
    assert forward(Counting(2), epoch.replace(carry=2), 2) == 1
    assert forward(load("uniform"), epoch, 3) is None


@pytest.mark.parametrize("shortcut", [True, False])
def test_epochs_are_one_or_more(shortcut: bool) -> None:
    with pytest.raises(UsageError, match=r"^epochs must be a whole number, 1 or more, not 0"):
        forward(Yuma(), network(3, 2), 0, shortcut=shortcut)


def test_a_carry_of_something_else_is_refused() -> None:
    epoch = network(3, 2).replace(carry=3)
    with pytest.raises(ValueError, match="carry must be what Yuma returned, not int"):
        Yuma().on_base(epoch, np.array([0]))
    with pytest.raises(ValueError, match="carry must be what Yuma returned, not int"):
        Yuma().after(epoch, 3)
    with pytest.raises(PluginError, match="carry must be what Yuma returned, not int"):
        forward(Yuma(), epoch, 3, shortcut=False)
