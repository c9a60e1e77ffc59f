"""Who gains and who loses by another rule: `trilemma.whatif`, and `trilemma whatif`."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.data import ROOT, shared
from tests.test_cli import asked, complaint, folder
from tests.test_how_to import CODE
from trilemma import DataError, PluginError, UsageError, load, read, simulate
from trilemma.concentration import concentration
from trilemma.importers import Network
from trilemma.model import AnyArray, Epoch
from trilemma.whatif import Group, Record, WhatIf, whatif

__all__ = ["folder"]  # a fixture that every test here takes

SUBNET = "networks/bittensor-sn31/sn31_dense.npz"
RULES = ("yuma", "stake_capped", "quadratic", "dao_vote", "stake_weighted", "uniform")
specs = st.sampled_from(RULES)


def network(stake: Any, weights: Any, **known: Any) -> Network:
    """Return a network of some epochs, whose stake may be the same in all."""
    said = np.array(weights)
    held = np.broadcast_to(np.array(stake), said.shape[:2])
    return Network("net", held, said, **known)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Return small networks in which somebody counts in some epoch."""
    n, m = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    epochs = draw(st.integers(1, 3))
    weights = draw(arrays(np.uint16, (epochs, n, m), elements=st.integers(0, 9)))
    stake = draw(arrays(np.int64, (epochs, n), elements=st.integers(0, 50)))
    weights[0, 0, -1], stake[0, 0] = 3, 7
    owners = st.integers(0, 3)
    known: dict[str, Any] = {
        "validator_owners": draw(arrays(np.int64, n, elements=owners)),
        "miner_owners": draw(arrays(np.int64, m, elements=owners)),
    }
    if n == m == 1 or draw(st.booleans()):  # an account alone could report on itself only
        known["miner_names"] = tuple(f"m{j}" for j in range(m))
    return Network("net", stake, weights, **known)


def total(groups: tuple[Group, ...], role: str) -> tuple[float, float]:
    """Return what all fifths and the rest of a role have, before and after."""
    whole = [it for it in groups if it.role == role and "%" not in it.name]
    return sum(it.before for it in whole), sum(it.after for it in whole)


# --- nothing is lost -----------------------------------------------------------------------------


@given(networks(), specs, specs, st.sampled_from([0.0, 0.3, 1.0]), st.booleans())
def test_what_is_paid_and_what_is_burnt_are_all_emission(
    net: Network, before: str, after: str, xi: float, plain: bool
) -> None:
    answer = whatif(net, before, [after], xi=xi, plain=plain)
    [change] = answer.after
    for outcome in (answer.before, change.outcome):
        assert outcome.pay.sum() + outcome.burnt == pytest.approx(1, abs=1e-9)
        assert (outcome.pay >= 0).all()
        assert outcome.validators.sum() <= xi + 1e-9
        assert outcome.miners.sum() <= 1 - xi + 1e-9
    burnt = answer.before.burnt - change.outcome.burnt
    assert change.differences.sum() == pytest.approx(burnt, abs=1e-9)
    assert change.gained - change.lost == pytest.approx(burnt, abs=1e-9)


@given(networks(), specs, specs)
def test_groups_and_principals_share_out_what_their_identities_get(
    net: Network, before: str, after: str
) -> None:
    answer = whatif(net, before, [after])
    [change] = answer.after
    for role in ("validators", "miners"):
        outcomes = (answer.before, change.outcome)
        paid = tuple(float(getattr(it, role).sum()) for it in outcomes)
        assert total(change.groups, role) == pytest.approx(paid, abs=1e-9)
    assert net.validator_owners is not None
    assert net.miner_owners is not None
    for outcome in (answer.before, change.outcome):
        held = np.bincount(net.validator_owners, outcome.validators, 4)
        held += np.bincount(net.miner_owners, outcome.miners, 4)
        assert outcome.principals is not None
        assert outcome.principals.hhi == pytest.approx(concentration(held).hhi)
        assert outcome.principals.nakamoto == concentration(held).nakamoto
        assert outcome.identities == concentration(outcome.pay)


@given(networks(), specs)
def test_by_the_same_rule_nobody_gains_and_nobody_moves(net: Network, spec: str) -> None:
    answer = whatif(net, spec, [spec])
    [change] = answer.after
    assert not change.differences.any()
    assert (change.gained, change.lost) == (0, 0)
    assert all(
        (it.tau, it.median, it.farthest) in ((1, 0, 0), (None, 0, 0)) for it in change.orders
    )
    assert "nobody would gain" in str(answer)
    assert "nobody would lose" in str(answer)


@given(networks(), specs, specs, st.randoms())
def test_other_labels_for_the_same_identities_change_nothing_else(
    net: Network, before: str, after: str, order: Any
) -> None:
    rows, columns = list(range(net.validators)), list(range(net.miners))
    order.shuffle(rows)
    order.shuffle(columns)
    if net.one_account:
        columns = rows
    mixed = replace(
        net,
        stake=net.stake[:, rows],
        weights=net.weights[:, rows][:, :, columns],
        validator_names=(),
        miner_names=() if net.one_account else tuple(f"m{j}" for j in columns),
        validator_owners=None,
        miner_owners=None,
    )
    [one], [other] = whatif(net, before, [after]).after, whatif(mixed, before, [after]).after
    for role, places in (("validators", rows), ("miners", columns)):
        expected = getattr(one.outcome, role)[places]
        assert getattr(other.outcome, role) == pytest.approx(expected, abs=1e-9)
    assert (other.gained, other.lost) == pytest.approx((one.gained, one.lost), abs=1e-9)


# --- what rules are shown ------------------------------------------------------------------------


def shown(net: Network, plain: bool = False) -> list[tuple[Any, Any]]:
    return [(it.stake.tolist(), it.weights.tolist()) for it in Record(net, plain)]


def test_who_never_counts_is_not_shown_and_who_does_not_now_has_no_stake() -> None:
    net = network(
        [5, 3, 2, 0],
        [
            [[1, 1, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]],
            [[0, 0, 1], [0, 1, 0], [0, 0, 0], [1, 0, 0]],
        ],
    )
    assert Record(net).members.tolist() == [0, 1]
    assert Record(net).counted == (1, 2)
    assert shown(net) == [
        ([5, 0], [[0.5, 0.5, 0], [0, 0, 0]]),
        ([5, 3], [[0, 0, 1], [0, 1, 0]]),
    ]
    assert Record(net).stake == pytest.approx([(1 + 5 / 8) / 2, 3 / 16, 0, 0])
    assert shown(net, plain=True)[0][0] == [5, 3, 2, 0]


def test_only_those_with_a_permit_count_and_in_every_epoch() -> None:
    permits = np.array([[True, False, True], [True, True, True]])
    net = network([5, 3, 2], np.ones((2, 3, 2)), permits=permits)
    assert [stake for stake, _ in shown(net)] == [[5, 0, 2], [5, 3, 2]]
    assert all(epoch.chain is None for epoch in Record(net))


def test_an_account_is_not_heard_on_itself_but_another_of_the_same_number_is() -> None:
    weights = [[[1, 1], [1, 1]]]
    assert shown(network([1, 1], weights)) == [([1, 1], [[0, 1], [1, 0]])]
    apart = network([1, 1], weights, miner_names=("one", "two"))
    assert shown(apart) == [([1, 1], [[0.5, 0.5], [0.5, 0.5]])]


def test_reports_older_than_a_registration_are_not_heard_and_rules_may_ask_for_blocks() -> None:
    net = network(
        [5, 3],
        np.ones((2, 2, 3)),
        blocks=np.array([100, 460]),
        last_update=np.array([[90, 80], [450, 80]]),
        registered=np.array([[0, 0, 85], [0, 0, 85]]),
    )
    first, second = Record(net)
    assert first.weights.tolist() == [[1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0]]
    for epoch, block, last_step in ((first, 100, 0), (second, 460, 100)):
        assert epoch.chain is not None
        assert (epoch.chain.block, epoch.chain.last_step) == (block, last_step)
        assert epoch.chain.bonds is None
    squared = replace(net, weights=np.ones((2, 2, 2)), registered=None, miner_names=("a", "b"))
    assert all(epoch.chain is None for epoch in Record(squared))  # would be the same accounts


def test_bonds_start_from_those_of_the_file_if_a_chain_could_have_stored_them() -> None:
    net = network([1, 1], np.ones((2, 2, 3)))
    held = np.zeros((2, 2, 3), np.int64)
    held[0] = [[65535, 0, 0], [0, 0, 65535]]
    bonded = replace(net, bonds=held)
    first, second = Record(bonded)
    assert first.chain is not None
    assert first.chain.bonds is not None
    assert first.chain.bonds.dense(3).tolist() == held[0].tolist()
    assert second.chain is None
    assert "bonds start from those that the file tells of its first epoch" in Record(bonded).facts
    assert "bonds start from nothing" in Record(net).facts
    shares = replace(net, bonds=held / 65535)
    assert any(
        it.startswith("bonds start from nothing: the file's are") for it in Record(shares).facts
    )
    assert all(epoch.chain is None for epoch in Record(shares))
    assert all(epoch.chain is None for epoch in Record(bonded, plain=True))
    # who held the bonds of a miner before earns more of its pay
    alone = replace(bonded, weights=np.array([[[1, 0, 0], [1, 0, 0]]] * 2))
    fresh = replace(alone, bonds=None)
    started, begun = (whatif(it, "yuma", ["yuma"]).before.validators for it in (alone, fresh))
    assert begun[0] == pytest.approx(begun[1])
    assert started[0] > started[1]


def test_silent_accounts_are_no_majority_unless_all_are_shown() -> None:
    weights = np.zeros((1, 6, 3))
    weights[0, :2] = [1, 0, 1]
    net = network([9, 9, 1, 1, 1, 1], weights)
    assert whatif(net, "yuma", ["dao_vote"]).after[0].outcome.burnt == pytest.approx(0)
    silent = whatif(net, "yuma", ["dao_vote"], plain=True).after[0].outcome
    assert silent.miners.sum() == 0
    assert silent.burnt == pytest.approx(0.5)


def test_where_nobody_ever_counts_it_is_said_why() -> None:
    said = "net: in no epoch does a validator have stake and report"
    with pytest.raises(DataError, match=said):
        whatif(network([1, 0], [[[0, 0], [1, 1]]]), "yuma", ["uniform"])
    alone = network([1, 1], [[[1, 0], [0, 1]]], permits=np.ones((1, 2), np.bool_))
    with pytest.raises(DataError, match="have stake, hold a permit and report"):
        whatif(alone, "yuma", ["uniform"])  # nobody but themselves


# --- what is carried, and what it comes to -------------------------------------------------------


def test_bonds_are_carried_from_epoch_to_epoch_by_each_rule() -> None:
    draw = np.random.default_rng(5)
    net = network(draw.random((6, 4)), draw.random((6, 4, 7)))
    answer = whatif(net, "yuma", ["yuma(bonds_moving_average=0.5)", "quadratic"])
    outcomes = [answer.before, *(it.outcome for it in answer.after)]
    for outcome in outcomes:
        history = simulate(load(outcome.label), list(Record(net)))
        assert outcome.validators == pytest.approx(history.dividends.mean(axis=0) / 2)
        assert outcome.miners == pytest.approx(history.incentive.mean(axis=0) / 2)
    assert answer.after[0].differences[:4].any()
    assert not answer.after[0].differences[4:].any()  # bonds are the validators' affair


def test_a_head_count_moves_pay_from_large_to_small() -> None:
    net = network([80, 15, 5], np.tile([2, 1], (1, 3, 1)), validator_owners=np.array([7, 8, 7]))
    [change] = whatif(net, "stake_weighted", ["quadratic(power=0)"]).after
    assert change.outcome.validators == pytest.approx([1 / 6, 1 / 6, 1 / 6])
    assert change.differences == pytest.approx([1 / 6 - 0.4, 1 / 6 - 0.075, 1 / 6 - 0.025, 0, 0])
    assert change.gained == pytest.approx(0.4 - 1 / 6)
    largest = next(it for it in change.groups if it.name == "largest 10 %")
    assert largest.size == 1
    assert largest.stake == pytest.approx(0.8)
    assert (largest.before, largest.after) == pytest.approx((0.4, 1 / 6))
    validators, miners = change.orders
    assert (validators.paid, validators.tau, validators.farthest) == (3, None, 2)
    assert (miners.paid, miners.tau, miners.farthest) == (2, 1, 0)
    assert change.outcome.ranks.tolist() == [1, 1, 1, 1, 2]
    assert change.outcome.principals is None  # nobody knows whose the miners are


def test_of_an_account_in_both_roles_one_owner_is_enough_and_its_pay_is_one_sum() -> None:
    net = network([3, 1, 0], [[[0, 1, 1], [0, 0, 1], [0, 0, 0]]], miner_owners=np.array([4, 4, 9]))
    answer = whatif(net, "stake_weighted", ["uniform"])
    assert [it.role for it in answer.identities] == ["both", "both", "miner"]
    assert [it.owner for it in answer.identities] == [4, 4, 9]
    assert answer.before.pay == pytest.approx(answer.before.validators + answer.before.miners)
    assert answer.before.principals is not None
    held = answer.before.pay[:2].sum(), answer.before.pay[2]
    assert answer.before.principals.hhi == pytest.approx(sum(it**2 for it in held))


def test_validators_and_miners_who_are_not_the_same_accounts_are_listed_apart() -> None:
    names = {"validator_names": ("a", "b"), "miner_names": ("x", "y")}
    net = network([3, 1], [[[1, 2], [1, 2]]], **names)
    answer = whatif(net, "yuma", ["quadratic"])
    told = [(it.name, it.place, it.role) for it in answer.identities]
    assert told == [
        ("a", 0, "validator"),
        ("b", 1, "validator"),
        ("x", 0, "miner"),
        ("y", 1, "miner"),
    ]
    assert answer.before.ranks.tolist() == [1, 2, 2, 1]


def fails(epoch: Epoch) -> AnyArray:
    raise RuntimeError(f"no to {epoch}"[:2])


def test_a_rule_that_fails_is_named_and_the_others_answer() -> None:
    net = network([1, 1], np.ones((1, 2, 3)))
    answer = whatif(net, "yuma", [fails, "uniform"])
    assert [it.outcome.label for it in answer.after] == ["uniform"]
    assert list(answer.failures.values()) == [f"{__name__}:fails failed: RuntimeError: no"]
    assert f"{__name__}:fails is missing: " in str(answer)
    with pytest.raises(PluginError, match="fails failed: RuntimeError: no"):
        whatif(net, fails, ["uniform"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"after": []}, "no rule to compare with; give one or more"),
        ({"after": "yuma"}, r"expected a list of mechanisms; write \['yuma'\]"),
        ({"after": ["yuna"]}, "no mechanism is called 'yuna'; did you mean 'yuma'?"),
        ({"before": "yuna", "after": ["yuma"]}, "no mechanism is called 'yuna'"),
        ({"after": ["yuma"], "xi": 1.5}, r"xi must be in \[0, 1\], not 1.5"),
    ],
)
def test_what_cannot_be_asked_is_refused(given: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        whatif(network([1], np.ones((1, 1, 2))), **given)


# --- a real subnet -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def subnet() -> WhatIf:
    net = read([shared(SUBNET)])
    return whatif(net, "yuma", ["stake_capped(percentile=88)", "quadratic", "dao_vote"])


def test_on_subnet_31_all_emission_is_paid_by_every_rule(subnet: WhatIf) -> None:
    assert (subnet.epochs, len(subnet.identities)) == (100, 256)
    for outcome in (subnet.before, *(it.outcome for it in subnet.after)):
        assert outcome.pay.sum() == pytest.approx(1, abs=1e-9)
        assert outcome.burnt == pytest.approx(0, abs=1e-9)
    for change in subnet.after:
        assert change.differences.sum() == pytest.approx(0, abs=1e-9)
        assert change.gained == pytest.approx(change.lost, abs=1e-9)


def test_on_subnet_31_every_rule_takes_from_the_largest_and_spreads_pay(subnet: WhatIf) -> None:
    for change in subnet.after:
        largest = next(it for it in change.groups if it.name == "largest 10 %")
        assert largest.after < 0.7 * largest.before
        assert change.outcome.identities.hhi < subnet.before.identities.hhi
        assert change.outcome.identities.nakamoto > subnet.before.identities.nakamoto
        assert change.orders[1].tau is not None
        assert change.orders[1].tau > 0.8  # miners keep their order


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def net(folder: Path) -> str:
    draw = np.random.default_rng(0)
    np.savez(folder / "net.npz", stake=[40, 30, 20, 10, 0], weights=draw.random((3, 5, 5)))
    return "net.npz"


def test_the_command_tells_who_gains_and_who_loses(net: str) -> None:
    rules = ("--to", "stake_capped(percentile=88)", "--to", "quadratic")
    code, out, err = asked("whatif", "--network", net, *rules, "--top", "2")
    assert (code, err) == (0, "")
    assert "net.npz: 3 epochs, 5 validators of whom 4 count, 5 miners." in out
    assert out.count("gain most") == out.count("lose most") == 2
    assert "stake_capped instead of yuma" in out
    assert "The file does not tell who owns what" in out
    assert max(map(len, out.splitlines())) <= 100


def test_the_command_prints_the_documented_json_and_nothing_else(net: str) -> None:
    question = ("whatif", "--network", net, "--from", "quadratic", "--to", "yuma", "--json", "-")
    code, out, err = asked(*question)
    assert (code, err) == (0, "")
    assert out == asked(*question)[1]
    report = json.loads(out)
    assert list(report) == [
        "schema", "network", "epochs", "validators", "miners", "counted", "xi", "facts",
        "before", "after", "identities",
    ]  # fmt: skip
    assert (report["before"]["label"], report["after"][0]["label"]) == ("quadratic", "yuma")
    measures = {"hhi", "nakamoto", "entropy", "gini"}
    for it in (report["before"], report["after"][0]):
        assert set(it["identities"]) == measures
        assert it["principals"] is None
    one = report["identities"][0]
    assert set(one) == {"name", "place", "role", "owner", "stake", "pay", "rank"}
    assert len(report["identities"]) == 5
    assert sum(it["pay"][1] for it in report["identities"]) == pytest.approx(1)
    groups = {it["role"] for it in report["after"][0]["groups"]}
    assert groups == {it["role"] for it in report["after"][0]["orders"]} == {"validators", "miners"}


def test_every_option_counts(net: str) -> None:
    def told(*options: str) -> Any:
        question = ("whatif", "--network", net, "--to", "quadratic", "--json", "-", *options)
        return json.loads(asked(*question)[1])

    usual = told()
    for options in (("--from", "uniform"), ("--xi", "0.2"), ("--plain",)):
        assert told(*options)["identities"] != usual["identities"]


def test_one_epoch_is_enough_and_a_rule_that_fails_costs_the_exit_code(folder: Path) -> None:
    np.savez(folder / "one.npz", stake=[2, 1], weights=[[1, 0, 1], [0, 1, 1]])
    question = ("whatif", "--network", "one.npz", "--to", "quadratic")
    code, out, _ = asked(*question)
    assert code == 0
    assert "one.npz: 1 epoch, 2 validators of whom 2 count, 3 miners." in out
    code, out, err = asked(*question, "--to", "./rules.py:crashes")
    assert code == 3
    assert "quadratic instead of yuma" in out
    assert err.startswith("trilemma: ./rules.py:crashes failed: RuntimeError")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--network", "net.npz"), 2, "--to is missing; name a rule to compare with"),
        (("--to", "yuma"), 2, "--network is missing; give a network's file"),
        (("--network", "net.npz", "--to", "yuna"), 2, "no mechanism is called 'yuna'"),
        (("--network", "net.npz", "--from", "yuna", "--to", "yuma"), 2, "called 'yuna'"),
        (("--network", "net.npz", "--to", "yuma", "--top", "0"), 2, "--top must be"),
        (("--network", "net.npz", "--to", "yuma", "--xi", "2"), 2, "xi must be in [0, 1]"),
        (("--network", "none.npz", "--to", "yuma"), 3, "none.npz: no such file"),
        (("--network", "net.npz", "--to", "yuma", "--json", "no/where"), 3, "cannot write"),
    ],
)
def test_the_command_refuses_bad_questions_in_one_line(
    net: str, options: tuple[str, ...], code: int, said: str
) -> None:
    assert Path(net).exists()
    assert said in complaint(code, "whatif", *options)


# --- the how-to ----------------------------------------------------------------------------------

PAGE = ROOT / "docs/how-to/whatif.md"


def test_the_how_to_shows_what_its_command_prints_and_its_code_runs(folder: Path) -> None:
    text = PAGE.read_text()
    names: dict[str, Any] = {}
    for block in CODE.findall(text):
        exec(compile(block, PAGE.name, "exec", dont_inherit=True), names)
    [(command, shown)] = re.findall(
        r"^```text\n\$ trilemma (.*)\n((?:.*\n)*?)```", text, re.MULTILINE
    )
    assert asked(*shlex.split(command)) == (0, shown, "")
    answer = names["answer"]
    assert [it.outcome.label for it in answer.after] == ["quadratic", "stake_capped"]
    assert answer.before.pay.shape == (7,)
    measures = names["concentration"]([50, 30, 20])
    assert f"{measures}".startswith("Concentration(hhi=0.38, nakamoto=2, entropy=0.937")
    assert measures.gini == pytest.approx(0.2)
    assert (folder / "net.npz").exists()
