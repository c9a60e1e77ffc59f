from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trilemma.contract import Pay, call
from trilemma.model import Epoch, Mechanism, Rewards
from trilemma.registry import label, load, names
from trilemma_mechanisms.controls import Dictator, StakeProportional, StakeWeighted, Uniform
from trilemma_mechanisms.dao_vote import DaoVote
from trilemma_mechanisms.quadratic import Quadratic
from trilemma_mechanisms.stake_capped import StakeCapped
from trilemma_mechanisms.yuma import Yuma

FloatArray = npt.NDArray[np.float64]

patient = settings(deadline=None)  # the first call compiles
brief = settings(patient, max_examples=25)  # of every one of many mechanisms

SPECS = [
    *names(),
    "yuma(version=2, kappa=0.6, bonds_penalty=0.5, bonds_moving_average=0.1)",
    "yuma(liquid_alpha=True, bonds_penalty=0, steepness=-3)",
    "yuma(version=2, arithmetic='chain')",
    "yuma(arithmetic='chain', liquid_alpha=True, bonds_penalty=0.5)",
    "stake_capped(cap=0.1, inner=stake_weighted)",
    "stake_capped(percentile=50)",
    "quadratic(power=0, inner=stake_weighted)",
    "dao_vote(electorate='stake', quorum=1, threshold=0, inner=stake_weighted)",
    "dao_vote(quorum=0, inner=stake_capped(inner=quadratic))",
]

ALL = pytest.mark.parametrize("mechanism", [load(spec) for spec in SPECS], ids=SPECS)


def plain(epoch: Epoch) -> FloatArray:
    """Pay the miners that the largest stake reports, and say nothing of validators."""
    return np.asarray(epoch.weights[int(epoch.stake.argmax())])


def pay(mechanism: Mechanism, *given: Any, **fields: Any) -> Pay:
    return call("it", mechanism, Epoch(*given, **fields))


def pay_twice(mechanism: Mechanism, *given: Any, **fields: Any) -> Pay:
    """Return what is paid, having seen that the answer is the same to the last bit."""
    epoch = Epoch(*given, **fields)
    first, second = call("it", mechanism, epoch), call("it", mechanism, epoch)
    assert first.miners.tobytes() == second.miners.tobytes()
    assert first.validators.tobytes() == second.validators.tobytes()
    return first


def rewards(mechanism: Mechanism, epoch: Epoch) -> Rewards:
    answer = mechanism(epoch)
    assert isinstance(answer, Rewards)
    return answer


# --- parameters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (Yuma, {"kappa": -0.1}),
        (Yuma, {"kappa": 1.1}),
        (Yuma, {"kappa": np.nan}),
        (Yuma, {"bonds_penalty": 1.1}),
        (Yuma, {"bonds_penalty": np.nan}),
        (Yuma, {"bonds_moving_average": -0.1}),
        (Yuma, {"bonds_moving_average": 1.1}),
        (Yuma, {"bonds_moving_average": np.nan}),
        (Yuma, {"version": 1}),
        (Yuma, {"version": 4}),
        (Yuma, {"version": "3"}),
        (Yuma, {"alpha_low": -0.1}),
        (Yuma, {"alpha_low": 0.95}),  # above alpha_high
        (Yuma, {"alpha_low": np.nan}),
        (Yuma, {"alpha_high": 1.1}),
        (Yuma, {"alpha_high": np.nan}),
        (Yuma, {"steepness": 1000}),
        (Yuma, {"steepness": -1000.0}),
        (Yuma, {"steepness": np.nan}),
        (Yuma, {"stake_threshold": -1}),
        (Yuma, {"stake_threshold": np.inf}),
        (Yuma, {"stake_threshold": np.nan}),
        (Yuma, {"max_validators": 0}),
        (Yuma, {"max_validators": -1}),
        (Yuma, {"activity_cutoff": 0}),
        (Yuma, {"arithmetic": "fixed"}),
        (Yuma, {"arithmetic": None}),
        (StakeCapped, {"cap": 0}),
        (StakeCapped, {"cap": 1.1}),
        (StakeCapped, {"cap": np.nan}),
        (StakeCapped, {"percentile": 0}),
        (StakeCapped, {"percentile": 100.5}),
        (StakeCapped, {"percentile": np.nan}),
        (Quadratic, {"power": -0.1}),
        (Quadratic, {"power": 1.1}),
        (Quadratic, {"power": np.nan}),
        (DaoVote, {"electorate": "stakes"}),
        (DaoVote, {"quorum": -0.1}),
        (DaoVote, {"quorum": 1.1}),
        (DaoVote, {"threshold": 1}),
        (DaoVote, {"threshold": np.nan}),
    ],
    ids=str,
)
def test_a_parameter_out_of_range_is_refused_by_name(
    kind: Callable[..., Mechanism], given: dict[str, Any]
) -> None:
    [(name, value)] = given.items()
    with pytest.raises(ValueError, match=f"^{name} must be .* not ") as caught:
        kind(**given)
    assert str(caught.value).endswith(repr(value))


def test_bounds_of_alpha_that_are_turned_round_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^alpha_low must be at most alpha_high, not 0\.5$"):
        Yuma(alpha_low=0.5, alpha_high=0.4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Yuma(kappa=0, bonds_penalty=0, bonds_moving_average=0, version=2),
        lambda: Yuma(kappa=1, bonds_penalty=1, bonds_moving_average=1),
        lambda: Yuma(liquid_alpha=True, alpha_low=0, alpha_high=1, steepness=999),
        lambda: Yuma(liquid_alpha=True, alpha_low=1, alpha_high=1, steepness=-999, kappa=0),
        lambda: Yuma(max_validators=1, activity_cutoff=1, stake_threshold=2),
        lambda: Yuma(max_validators=10**6, activity_cutoff=10**9, stake_threshold=1e300),
        lambda: Yuma(kappa=0, bonds_moving_average=0, version=2, arithmetic="chain"),
        lambda: Yuma(kappa=1, bonds_penalty=0, bonds_moving_average=1, arithmetic="chain"),
        lambda: StakeCapped(cap=1, percentile=100),
        lambda: Quadratic(power=0),
        lambda: Quadratic(power=1),
        lambda: DaoVote(quorum=0, threshold=0),
        lambda: DaoVote(quorum=1, threshold=0.99),
    ],
)
def test_the_ends_of_every_range_are_in_it(make: Callable[[], Mechanism]) -> None:
    pay_twice(make(), [2, 1, 1], [[1, 2], [3, 0], [0, 0]])


# --- what binds all of them ----------------------------------------------------------------------

TENTHS = st.integers(0, 10).map(lambda tenths: tenths / 10)
REPORTS = st.sampled_from([0.0, 1.0, 2.0]) | st.floats(1e-6, 1)
DUST = REPORTS | st.floats(0, 1e-300)
STAKES = st.integers(0, 9) | st.sampled_from([0, 65535, 2**53 + 1])


@st.composite
def facts(
    draw: st.DrawFn,
    stakes: st.SearchStrategy[Any] = STAKES,
    reports: st.SearchStrategy[float] = REPORTS,
) -> dict[str, Any]:
    n, m, k = draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.integers(0, 2))
    ballots = st.sampled_from([-1, 0, 1])
    return {
        "stake": draw(st.lists(stakes, min_size=n, max_size=n)),
        "weights": draw(arrays(np.float64, (n, m), elements=reports)),
        "votes": draw(arrays(np.int8, (n, m), elements=ballots)),
        "seats": draw(st.lists(st.integers(0, n - 1), min_size=k, max_size=k)),
        "orders": draw(arrays(np.int8, (k, m), elements=ballots)),
    }


@ALL
@brief
@given(given=facts() | facts(TENTHS) | facts(st.floats(0, 1e300), DUST))
def test_pay_is_valid_for_any_epoch(mechanism: Mechanism, given: dict[str, Any]) -> None:
    found = pay_twice(mechanism, **given)
    for pool in (found.miners, found.validators):
        assert np.isfinite(pool).all()
        assert pool.min() >= 0
        assert pool.sum() <= 1 + 1e-9


NOBODY = [[0, 0, 0], [0, 0, 0]]
SOMEBODY = [[1, 2, 0], [0, 1, 1]]
BALLOTS = np.array([[1, 0, -1], [1, 1, 1]])


@ALL
@pytest.mark.parametrize(
    ("stake", "weights"),
    [
        ([3, 1], NOBODY),
        ([0, 0], SOMEBODY),
        ([0.0, 0.0], SOMEBODY),
        ([0, 0], NOBODY),
        ([1, 0], [[0, 0, 0], [0, 1, 1]]),
        ([5e-324, 5e-324], SOMEBODY),
        ([1e-310, 3e-310], SOMEBODY),
        ([1e300, 1e280], SOMEBODY),
        ([2**62, 2**62], SOMEBODY),
        ([2**63 - 1, 1], SOMEBODY),
        ([1, 1e-320], SOMEBODY),
    ],
    ids=str,
)
@pytest.mark.parametrize("votes", [None, BALLOTS], ids=["no votes", "votes"])
def test_extreme_epochs_are_paid_without_a_warning(
    mechanism: Mechanism, stake: Any, weights: Any, votes: Any
) -> None:
    pay_twice(mechanism, stake, weights, votes=votes, seats=[0])


@ALL
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1)])
def test_one_validator_or_one_miner_is_enough(mechanism: Mechanism, shape: tuple[int, int]) -> None:
    pay_twice(mechanism, np.arange(1, shape[0] + 1), np.ones(shape), seats=[0])


@ALL
@brief
@given(given=facts() | facts(TENTHS), random=st.randoms(use_true_random=False))
def test_other_labels_for_the_same_identities_change_nobodys_pay(
    mechanism: Mechanism, given: dict[str, Any], random: Any
) -> None:
    n, m = given["weights"].shape
    rows, columns = random.sample(range(n), n), random.sample(range(m), m)
    before = pay(mechanism, **given)
    after = pay(
        mechanism,
        [given["stake"][row] for row in rows],
        given["weights"][np.ix_(rows, columns)],
        votes=given["votes"][np.ix_(rows, columns)],
        seats=[rows.index(seat) for seat in given["seats"]],
        orders=given["orders"][:, columns],
    )
    # the sum of a row depends on its order, and decides between two neighbours of 16 bits
    apart = 2e-4 if "arithmetic='chain'" in label(mechanism) else 1e-12
    np.testing.assert_allclose(after.miners, before.miners[columns], atol=apart)
    np.testing.assert_allclose(after.validators, before.validators[rows], atol=apart)


@ALL
@brief
@given(given=facts(), power=st.integers(-60, 60))
def test_the_unit_of_stake_does_not_matter(
    mechanism: Mechanism, given: dict[str, Any], power: int
) -> None:
    before = pay(mechanism, **{**given, "stake": np.array(given["stake"], float)})
    after = pay(mechanism, **{**given, "stake": np.array(given["stake"], float) * 2.0**power})
    np.testing.assert_allclose(after.miners, before.miners, atol=1e-12)
    np.testing.assert_allclose(after.validators, before.validators, atol=1e-12)


# --- controls ------------------------------------------------------------------------------------

STAKE, WEIGHTS = [3, 1, 0], [[1, 1, 2], [0, 1, 1], [1, 0, 0]]


def test_the_controls_pay_what_they_say() -> None:
    by_stake = [0.75, 0.25, 0]
    for mechanism, miners in (
        (Uniform(), [1 / 3, 1 / 3, 1 / 3]),
        (StakeProportional(), [0, 0, 0]),
        (StakeWeighted(), [0.1875, 0.3125, 0.5]),
        (Dictator(), [0, 0.5, 0.5]),
    ):
        found = pay(mechanism, STAKE, WEIGHTS, seats=[1, 0])
        np.testing.assert_allclose(found.miners, miners, rtol=1e-15)
        np.testing.assert_allclose(found.validators, by_stake, rtol=1e-15)
    assert not pay(Dictator(), STAKE, WEIGHTS).miners.any()


# --- transformed stake ---------------------------------------------------------------------------


def seen(make: Callable[..., Mechanism], epoch: Epoch) -> list[float]:
    """Return the stake that a transforming rule shows to the rule inside."""
    shown: list[Any] = []

    def watches(inside: Epoch) -> FloatArray:
        shown.append(inside.stake)
        return plain(inside)

    call("it", make(inner=watches), epoch)
    return [float(one) for one in shown[0]]


def test_the_percentile_is_taken_over_those_who_set_weights() -> None:
    stake = [1, 2, 3, 4, 100, 50]
    weights = np.ones((6, 2))
    weights[5] = 0  # says nothing, so it does not count
    epoch = Epoch(stake, weights)
    limit = float(np.percentile([1, 2, 3, 4, 100], 88))
    assert seen(StakeCapped, epoch) == [min(one, limit) for one in stake]
    assert seen(lambda inner: StakeCapped(percentile=50, inner=inner), epoch) == [1, 2, 3, 3, 3, 3]
    assert seen(lambda inner: StakeCapped(percentile=100, inner=inner), epoch)[4:] == [100, 50]


def test_the_cap_is_a_share_of_all_stake_and_overrides_the_percentile() -> None:
    epoch = Epoch([60, 30, 10], np.ones((3, 2)))
    for percentile in (1, 100):
        capped = seen(lambda inner, p=percentile: StakeCapped(0.2, p, inner=inner), epoch)
        assert capped == [20, 20, 10]
    assert seen(lambda inner: StakeCapped(1, inner=inner), epoch) == [60, 30, 10]


def test_a_cap_lowers_what_the_largest_decides() -> None:
    given = [90, 5, 5], [[1, 0], [0, 1], [0, 1]]
    assert pay(Yuma(), *given).miners.tolist() == [1, 0]
    assert pay(StakeCapped(percentile=50), *given).miners.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("power", "shown"), [(1, [1, 0.25, 0]), (0.5, [1, 0.5, 0]), (0, [1, 1, 0])]
)
def test_influence_is_stake_to_the_power(power: float, shown: list[float]) -> None:
    epoch = Epoch([16, 4, 0], np.ones((3, 2)))
    found = seen(lambda inner: Quadratic(power, inner=inner), epoch)
    np.testing.assert_allclose(np.array(found) / max(found), shown)


@patient
@given(facts())
def test_power_one_is_the_rule_inside(given: dict[str, Any]) -> None:
    inside, outside = pay(Yuma(), **given), pay(Quadratic(power=1), **given)
    np.testing.assert_allclose(outside.miners, inside.miners, atol=1e-12)
    np.testing.assert_allclose(outside.validators, inside.validators, atol=1e-12)


def test_power_one_keeps_a_tie_at_exactly_kappa() -> None:
    given = [1, 2, 3], [[1, 0], [1, 0], [0, 1]]
    assert pay(Yuma(), *given).miners.tolist() == [0.5, 0.5]
    np.testing.assert_allclose(pay(Quadratic(power=1), *given).miners, [0.5, 0.5])


@pytest.mark.parametrize("make", [StakeCapped, Quadratic, DaoVote])
def test_a_plain_function_may_stand_inside(make: Callable[..., Mechanism]) -> None:
    found = pay(make(inner=plain), [3, 1], [[1, 2, 1], [0, 1, 1]])
    assert found.miners.tolist() == [0.25, 0.5, 0.25]
    assert found.validators.sum() == pytest.approx(1)


# --- ballots -------------------------------------------------------------------------------------

MEMBERS = 4
EQUAL = np.full((MEMBERS, 3), 1 / 3)
RICH = [97, 1, 1, 1]


def ballots(*column: int) -> npt.NDArray[np.int8]:
    """Return ballots on the first of three miners."""
    votes = np.zeros((MEMBERS, 3), np.int8)
    votes[:, 0] = column
    return votes


@pytest.mark.parametrize(
    ("given", "votes", "suspended"),
    [
        ({}, (1, 1, 1, 0), True),
        ({}, (1, 1, 0, 0), True),  # exactly the quorum
        ({}, (1, 0, 0, 0), False),  # below it
        ({}, (1, 1, -1, -1), False),  # exactly the threshold
        ({}, (1, 1, -1, 0), True),
        ({}, (0, 1, 1, 1), True),  # one member one vote
        ({"electorate": "stake"}, (0, 1, 1, 1), False),
        ({"electorate": "stake"}, (1, 0, 0, 0), True),
        ({"electorate": "stake"}, (1, -1, -1, -1), True),
        ({"electorate": "stake", "threshold": 0.97}, (1, -1, -1, -1), False),
        ({"electorate": "stake", "quorum": 0.97}, (1, 0, 0, 0), True),
        ({"electorate": "stake", "quorum": 0.98}, (1, 0, 0, 0), False),
        ({"quorum": 0}, (1, 0, 0, 0), True),
        ({"quorum": 0}, (0, 0, 0, 0), False),
        ({"quorum": 1}, (1, 1, 1, 0), False),
        ({"quorum": 1}, (1, 1, 1, -1), True),
        ({"threshold": 0}, (1, -1, -1, -1), True),
        ({"threshold": 0}, (-1, -1, -1, -1), False),
        ({"threshold": 0.75}, (1, 1, 1, -1), False),
    ],
)
def test_quorum_and_threshold_decide_a_ballot(
    given: dict[str, Any], votes: tuple[int, ...], suspended: bool
) -> None:
    found = pay(DaoVote(**given), RICH, EQUAL, votes=ballots(*votes)).miners
    expected = [0, 0.5, 0.5] if suspended else [1 / 3, 1 / 3, 1 / 3]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_pay_of_a_suspended_miner_goes_to_the_others_in_proportion() -> None:
    weights = np.tile([0.5, 0.3, 0.2], (MEMBERS, 1))
    found = pay(DaoVote(), RICH, weights, votes=ballots(1, 1, 1, 1))
    np.testing.assert_allclose(found.miners, [0, 0.6, 0.4], rtol=1e-12)
    np.testing.assert_allclose(found.validators, np.full(4, 0.25), rtol=1e-12)


def test_when_everybody_is_suspended_the_pool_is_burnt() -> None:
    found = pay(DaoVote(), RICH, EQUAL, votes=np.ones((MEMBERS, 3)))
    assert not found.miners.any()
    np.testing.assert_allclose(found.validators, np.full(4, 0.25), rtol=1e-12)


def test_members_count_alike_in_the_weights_too() -> None:
    weights = [[1, 0], [0, 1], [0, 1], [0, 1]]
    assert pay(DaoVote(), RICH, weights).miners.tolist() == [0, 1]
    assert pay(DaoVote(electorate="stake"), RICH, weights).miners.tolist() == [1, 0]


@pytest.mark.parametrize("electorate", ["identity", "stake"])
@given(stakes=st.lists(st.floats(0.001, 1), min_size=1, max_size=8))
@patient
def test_a_vote_of_everybody_meets_every_quorum(electorate: Any, stakes: list[float]) -> None:
    rule = DaoVote(electorate=electorate, quorum=1, inner=StakeWeighted())
    everybody = np.ones((len(stakes), 2), np.int8)
    everybody[:, 1] = -1
    found = pay(rule, stakes, np.ones((len(stakes), 2)), votes=everybody)
    np.testing.assert_allclose(found.miners, [0, 1], rtol=1e-12)


def test_large_whole_stakes_are_counted_without_overflow() -> None:
    rule = DaoVote(electorate="stake", quorum=0.6)
    found = pay(rule, [2**62] * MEMBERS, EQUAL, votes=ballots(1, 1, 0, 0))
    np.testing.assert_allclose(found.miners, [1 / 3, 1 / 3, 1 / 3], rtol=1e-12)


def test_bonds_travel_through_the_rules_around_yuma() -> None:
    for make in (StakeCapped, Quadratic, DaoVote):
        rule: Mechanism = make()
        first = rewards(rule, Epoch(RICH, EQUAL, votes=ballots(1, 1, 1, 1)))
        assert first.carry.bonds.shape == (MEMBERS, 3)
        later = Epoch(RICH, np.eye(MEMBERS, 3) + 0.1)
        remembering = rewards(rule, later.replace(carry=first.carry))
        anew = rewards(rule, later)
        assert not np.array_equal(remembering.carry.bonds, anew.carry.bonds)
