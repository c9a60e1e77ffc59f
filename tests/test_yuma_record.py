"""Who and what counts in an epoch of Yuma: thresholds, permits, activity, the owner, masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.test_mechanisms import NOBODY
from tests.test_yuma import EVERY_KIND, TWO, asked, chained, flags, state
from trilemma.chain import NEVER, Csr
from trilemma.model import Epoch
from trilemma_mechanisms.yuma import State, Yuma

# --- who counts ----------------------------------------------------------------------------------

THREE = [[2, 1, 1], [1, 2, 1], [1, 1, 2]]


@EVERY_KIND
def test_without_support_or_without_anybody_active_validators_are_paid_by_stake(
    kind: dict[str, Any],
) -> None:
    silent = Epoch([3, 1], NOBODY)
    asleep = chained([3, 1], [[1, 1], [1, 1]], block=9, last_update=[0, 0])
    for epoch in (silent, asleep):
        found = asked(Yuma(activity_cutoff=1, **kind), epoch)
        assert not found.miners.any()
        assert found.validators.tolist() == [0.75, 0.25]


@EVERY_KIND
def test_when_nobody_holds_bonds_the_validators_pool_is_burnt(kind: dict[str, Any]) -> None:
    rule, epoch = Yuma(bonds_moving_average=1, **kind), Epoch([1, 1], [[1, 1], [1, 1]])
    found, stages = asked(rule, epoch), rule.stages(epoch)
    assert found.miners.tolist() == [0.5, 0.5]
    assert not found.validators.any()
    assert not stages["validator_emission"].any()
    assert stages["miner_emission"].tolist() == [0.5, 0.5]


@EVERY_KIND
def test_who_has_no_stake_has_no_permit_is_not_heard_and_keeps_no_bonds(
    kind: dict[str, Any],
) -> None:
    rule = Yuma(**kind)
    before = state(rule, Epoch([1, 1, 1], THREE))
    assert before.bonds.all(axis=1).all()
    epoch = Epoch([1, 0, 1], THREE, carry=before)
    assert flags(rule, epoch, "permits") == [True, False, True]
    assert rule.stages(epoch)["weights"].any(axis=1).tolist() == [True, False, True]
    assert state(rule, epoch).bonds.any(axis=1).tolist() == [True, False, True]
    paid_once_more = kind["version"] == 2  # for old bonds, where stake does not multiply them
    assert bool(asked(rule, epoch).validators[1]) == paid_once_more


@EVERY_KIND
@pytest.mark.parametrize(
    ("stake", "most", "granted"),
    [
        ([1, 1, 1], 1, [False, False, True]),
        ([1, 1, 1], 2, [False, True, True]),
        ([2, 1, 1], 2, [True, False, True]),
        ([1, 2, 3], 3, [True, True, True]),
        ([1, 2, 3], 9, [True, True, True]),
        ([0, 0, 3], 2, [False, False, True]),
        ([0, 0, 0], 2, [False, False, False]),
    ],
)
def test_permits_go_to_the_largest_stakes_and_among_ties_to_later_accounts(
    kind: dict[str, Any], stake: list[int], most: int, granted: list[bool]
) -> None:
    rule, epoch = Yuma(max_validators=most, **kind), Epoch(stake, THREE)
    assert flags(rule, epoch, "permits") == flags(rule, epoch, "next_permits") == granted
    assert state(rule, epoch).bonds.any(axis=1).tolist() == granted


@EVERY_KIND
def test_permits_in_force_are_those_that_the_last_epoch_granted(kind: dict[str, Any]) -> None:
    rule = Yuma(max_validators=1, **kind)
    later = Epoch([2, 1, 0], THREE, carry=state(rule, Epoch([1, 2, 0], THREE)))
    assert flags(rule, later, "permits") == [False, True, False]
    assert flags(rule, later, "next_permits") == [True, False, False]
    assert rule.stages(later)["weights"].any(axis=1).tolist() == [False, True, False]
    assert asked(rule, later).validators.tolist() == [0, 1, 0]
    assert not state(rule, later).bonds.any()  # the one leaves its permit, the other has no bond


@EVERY_KIND
def test_stored_permits_are_in_force_until_an_epoch_grants_others(kind: dict[str, Any]) -> None:
    rule = Yuma(**kind)
    epoch = chained([1, 1, 0], THREE, permits=[1, 0, 1])
    assert flags(rule, epoch, "permits") == [True, False, True]
    assert flags(rule, epoch, "next_permits") == [True, True, False]
    later = epoch.replace(carry=state(rule, epoch))
    assert flags(rule, later, "permits") == [True, True, False]


@EVERY_KIND
@pytest.mark.parametrize(
    ("given", "ago", "active"),
    [
        ({"activity_cutoff": 10}, 10, True),
        ({"activity_cutoff": 10}, 11, False),
        ({"activity_cutoff": 1}, 0, True),
        ({}, 1388, True),  # 13.889 tempos of 100 blocks
        ({}, 1389, False),
    ],
)
def test_an_inactive_validator_does_not_count(
    kind: dict[str, Any], given: dict[str, Any], ago: int, active: bool
) -> None:
    """An account that set weights exactly as long ago as the cutoff is still active."""
    record: dict[str, Any] = {"block": 5000, "tempo": 100, "last_update": [5000 - ago, 4999]}
    rule, epoch = Yuma(**given, **kind), chained([3, 1], [[1, 0, 0], [0, 1, 0]], **record)
    assert flags(rule, epoch, "active") == [active, True]
    assert asked(rule, epoch).miners.tolist() == ([1, 0, 0] if active else [0, 1, 0])
    assert rule.stages(epoch)["stake"].tolist() == [0.75, 0.25]
    assert rule.stages(epoch)["active_stake"][0] == (0.75 if active else 0)


@EVERY_KIND
@pytest.mark.parametrize("given", [{"last_update": [0, 0]}, {"block": 10**9}], ids=str)
def test_without_blocks_on_both_sides_everybody_is_active(
    kind: dict[str, Any], given: dict[str, Any]
) -> None:
    rule = Yuma(activity_cutoff=1, **kind)
    assert flags(rule, chained([3, 1], NOBODY, **given), "active") == [True, True]


@EVERY_KIND
def test_a_stake_of_exactly_the_threshold_counts_and_one_below_does_not(
    kind: dict[str, Any],
) -> None:
    rule = Yuma(stake_threshold=5, **kind)
    for stake in ([5, 4, 15], np.array([5.5, 4.9, 15.5])):
        shares = rule.stages(Epoch(stake, THREE))["stake"]
        assert (shares > 0).tolist() == [True, False, True]
        assert shares.sum() == pytest.approx(1)
    assert rule.stages(Epoch([5, 4, 15], THREE))["stake"].tolist() == [0.25, 0, 0.75]


def test_a_threshold_may_be_a_part_of_one() -> None:
    stages = Yuma(stake_threshold=0.5).stages(Epoch([0.5, 0.25, 1.5], THREE))
    assert stages["stake"].tolist() == [0.25, 0, 0.75]


# --- the owner -----------------------------------------------------------------------------------


@EVERY_KIND
def test_the_owner_always_has_a_permit_and_meets_every_threshold(kind: dict[str, Any]) -> None:
    for rule in (Yuma(max_validators=1, **kind), Yuma(stake_threshold=4, **kind)):
        for owner in (None, 0):
            epoch = chained([2, 3, 6], THREE, owner=owner)
            assert flags(rule, epoch, "next_permits") == [owner == 0, False, True]
            if rule.stake_threshold:
                expected = [0.25, 0, 0.75] if owner == 0 else [0, 0, 1]
                assert rule.stages(epoch)["stake"].tolist() == expected
    rule = Yuma(**kind)
    without = chained([1, 1, 1], THREE, owner=2, permits=[True, False, False])
    assert flags(rule, without, "permits") == [True, False, True]
    poor = chained([1, 1, 0], THREE, owner=2)
    assert flags(rule, poor, "next_permits") == [True, True, True]


@EVERY_KIND
def test_only_the_owner_is_heard_on_itself(kind: dict[str, Any]) -> None:
    for owner in (None, 0, 2):
        said = Yuma(**kind).stages(chained([1, 1, 1], THREE, owner=owner))["weights"]
        assert (np.diag(said) > 0).tolist() == [it == owner for it in range(3)]
        assert said.sum(axis=1) == pytest.approx(1, abs=1e-8)
    plain = Yuma(**kind).stages(Epoch([1, 1, 1], THREE))["weights"]
    assert np.diag(plain).all()  # validators and miners are different accounts


# --- which weights and bonds count ---------------------------------------------------------------


@EVERY_KIND
def test_weights_set_before_a_miner_was_registered_are_outdated(kind: dict[str, Any]) -> None:
    """Weights of the very block of the registration are outdated too."""
    epoch = chained([1, 1], TWO, last_update=[10, 5], registered=[9, 10, 4])
    heard = Yuma(**kind).stages(epoch)["weights"] > 0
    assert heard.tolist() == [[True, False, True], [False, False, True]]


@EVERY_KIND
@pytest.mark.parametrize("reveal", [True, False])
def test_a_hidden_commit_keeps_weights_from_miners_registered_after_it(
    kind: dict[str, Any], reveal: bool
) -> None:
    """A miner registered in the very block of the commit is heard of."""
    epoch = chained([1, 1], TWO, commits=[7, NEVER], registered=[7, 8, 3])
    heard = Yuma(commit_reveal=reveal, **kind).stages(epoch)["weights"] > 0
    assert heard.tolist() == [[True, not reveal, True], [True, True, True]]


def remembered(rule: Yuma, how: str, **facts: Any) -> list[bool]:
    """Return in which miners bonds of an earlier epoch count."""
    earlier = np.array([[65535, 65535, 65535], [100, 5000, 10]])
    if how == "stored":
        old = chained([1, 1], TWO, bonds=Csr.of(earlier), **facts)
    else:
        kept = earlier.astype(np.uint16) if rule.arithmetic == "chain" else earlier / 65535
        old = chained([1, 1], TWO, carry=State(kept), **facts)
    bonds = [rule.stages(epoch)["bonds"] for epoch in (old, chained([1, 1], TWO, **facts))]
    return [not np.allclose(one, other) for one, other in zip(bonds[0].T, bonds[1].T, strict=True)]


HOW = pytest.mark.parametrize("how", ["stored", "carried"])


@EVERY_KIND
@HOW
@pytest.mark.parametrize(
    ("facts", "kept"),
    [
        ({}, [True, True, True]),
        ({"registered": [0, 10**9, NEVER]}, [True, True, True]),  # nobody knows what is new
        ({"registered": [89, 90, 91], "block": 100, "tempo": 10}, [True, False, False]),
        ({"registered": [0, 0, 1], "block": 3, "tempo": 10}, [False, False, False]),
        ({"registered": [49, 50, 51], "last_step": 50}, [True, True, False]),
        (
            {"registered": [49, 50, 51], "last_step": 50, "block": 300, "tempo": 10},
            [True, True, False],
        ),
    ],
    ids=str,
)
def test_a_registration_since_the_last_epoch_drops_the_bonds_in_a_miner(
    kind: dict[str, Any], how: str, facts: dict[str, Any], kept: list[bool]
) -> None:
    assert remembered(Yuma(**kind), how, **facts) == kept


@EVERY_KIND
@HOW
def test_a_reset_deletes_bonds_only_where_it_is_switched_on(kind: dict[str, Any], how: str) -> None:
    resets = [False, True, False]
    assert remembered(Yuma(**kind), how, resets=resets) == [True, True, True]
    assert remembered(Yuma(bonds_reset=True, **kind), how, resets=resets) == [True, False, True]
    assert remembered(Yuma(bonds_reset=True, **kind), how) == [True, True, True]


@EVERY_KIND
def test_a_carry_goes_before_stored_bonds(kind: dict[str, Any]) -> None:
    rule = Yuma(**kind)
    carry = state(rule, Epoch([1, 1], [[1, 0, 0], [0, 1, 1]]))
    epochs = [
        chained([1, 1], TWO, carry=carry, bonds=it)
        for it in (None, Csr.of(np.eye(2, 3, dtype=int)))
    ]
    bonds = [rule.stages(epoch)["bonds"].tolist() for epoch in epochs]
    assert bonds[0] == bonds[1]


def test_bonds_of_floats_are_refused_by_the_chains_arithmetic() -> None:
    carry = state(Yuma(), Epoch([1, 1], [[1, 0], [0, 1]]))
    rule, later = Yuma(arithmetic="chain"), Epoch([1, 1], [[1, 1], [1, 1]], carry=carry)
    with pytest.raises(ValueError, match="carry holds bonds of arithmetic='float'"):
        rule(later)
