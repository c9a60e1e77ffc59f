from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import combinations
from math import comb, inf, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trilemma import load, retention_map
from trilemma.contract import call
from trilemma.dynamics.questions import premiums
from trilemma.dynamics.scenarios import drifting
from trilemma.errors import PluginError, UsageError
from trilemma.incidents import (
    INCIDENTS,
    Incident,
    airdrop,
    ask,
    bribe,
    cabal,
    council,
    quadratic_sybil,
    summary,
)
from trilemma.incidents import weight_copy_2024 as weight_copy
from trilemma.incidents.quadratic_sybil import by_clusters, by_pairs, quadratic, round_of
from trilemma.model import Epoch, FloatArray, Rewards

OF_MECHANISMS = ("airdrop", "bribe", "cabal", "quadratic-sybil", "weight-copy-2024")
NAMES = (*OF_MECHANISMS, "council")

few = settings(max_examples=30, deadline=None)


@cache
def usual(name: str) -> Incident:
    return ask(name)


def entries(answer: Incident) -> Mapping[str, Any]:
    return {it["label"]: it for it in json.loads(answer.to_json())["mechanisms"]}


def cells(answer: Incident, table: int) -> Mapping[str, tuple[Any, ...]]:
    return dict(answer.tables[table].rows)


# --- all of them ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_an_incident_is_listed_with_a_sentence_about_it(name: str) -> None:
    assert name in INCIDENTS
    assert summary(name).endswith(".")
    assert usual(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_every_fact_says_how_sure_it_is_and_where_it_stands(name: str) -> None:
    answer = usual(name)
    assert answer.facts
    for fact in answer.facts:
        assert fact.certainty in ("P", "2", "allegation")
        assert fact.source
        assert f"[{fact.certainty}] {fact.text}" in answer.markdown()


@pytest.mark.parametrize("name", NAMES)
def test_findings_and_json_hold_numbers_and_no_nan(name: str) -> None:
    answer = usual(name)
    assert not answer.failures
    for finding in answer.findings:
        assert "nan" not in finding
        assert "inf" not in finding.split()
    assert "NaN" not in answer.to_json()
    assert len(str(answer).splitlines()) > 10
    assert answer.markdown().count("\n| --- |") == len(answer.tables)


@pytest.mark.parametrize("name", NAMES)
def test_the_json_holds_each_rule_once(name: str) -> None:
    found = json.loads(usual(name).to_json())
    assert found["incident"] == name
    expected = {
        "airdrop": airdrop.USUAL,
        "bribe": bribe.USUAL,
        "cabal": cabal.USUAL,
        "council": [str(rule) for rule in council.RULES],
        "quadratic-sybil": [*quadratic_sybil.RULES, *quadratic_sybil.USUAL],
        "weight-copy-2024": weight_copy.USUAL,
    }
    assert [it["label"] for it in found["mechanisms"]] == [*expected[name]]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_question_has_the_same_bytes_and_another_seed_another_answer(name: str) -> None:
    asked = None if name == "council" else ["yuma"]
    again, other = ask(name, asked), ask(name, asked, seed=1)
    for label, entry in entries(again).items():
        assert json.dumps(entry) == json.dumps(entries(usual(name))[label])
    assert again.to_json() != other.to_json()


@pytest.mark.parametrize("name", OF_MECHANISMS)
def test_a_mechanism_that_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no mechanism is called 'yumma'; did you mean 'yuma'"):
        ask(name, ["yumma"])


def test_an_incident_about_votes_alone_refuses_mechanisms() -> None:
    with pytest.raises(UsageError, match="incident council is about a rule of voting"):
        ask("council", ["yuma"])


@pytest.mark.parametrize("name", OF_MECHANISMS)
def test_a_mechanism_that_fails_is_named_and_takes_no_other_down(name: str) -> None:
    def broken(epoch: Epoch) -> FloatArray:
        raise RuntimeError(f"no pay for {epoch.stake.size}")

    answer = ask(name, ["stake_weighted", broken])
    [failure] = answer.failures.values()
    assert "RuntimeError: no pay for" in failure
    assert "stake_weighted" in entries(answer)
    assert not any("broken" in label for label in entries(answer))


@pytest.mark.parametrize("name", OF_MECHANISMS)
def test_where_no_mechanism_is_left_to_ask_the_reason_is_told(name: str) -> None:
    def broken(epoch: Epoch) -> FloatArray:
        return np.full(epoch.weights.shape[1], np.nan)

    with pytest.raises(PluginError, match="every reward must be finite"):
        ask(name, [broken])
    with pytest.raises(UsageError, match="one mechanism or more, got none"):
        ask(name, [])
    with pytest.raises(UsageError, match=r"write \['yuma'\]"):
        ask(name, "yuma")


# --- weight-copy-2024 ----------------------------------------------------------------------------


def rates(label: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = entries(usual("weight-copy-2024"))[label]["drifts"]
    return found


def test_where_validators_are_paid_by_stake_a_copier_earns_what_everybody_does() -> None:
    for drift in rates("stake_weighted"):
        assert drift["relative_dividend_rate"] == pytest.approx([1] * len(weight_copy.LAGS))
        assert drift["premium"] == pytest.approx([0] * len(weight_copy.LAGS))
        assert drift["lag_that_loses_delegators"] is None


def test_copying_pays_a_premium_at_lag_0_and_less_the_older_the_copy() -> None:
    for label in ("yuma", "yuma(version=2)", "yuma(liquid_alpha=True)"):
        slow, fast = rates(label)
        for drift in (slow, fast):
            assert drift["premium"][0] > 0
            assert (np.diff(drift["relative_dividend_rate"]) < 0).all()
        for before, after in zip(slow["premium"][1:], fast["premium"][1:], strict=True):
            assert after < before


def test_the_rates_are_those_that_trilemma_dynamics_tells() -> None:
    slow = weight_copy.DRIFTS[0]
    worlds = drifting(weight_copy.NETWORK, weight_copy.EPOCHS, slow, weight_copy.COPIER, 0)
    told = premiums(load("yuma"), worlds, weight_copy.LAGS[:3], 1, weight_copy.WARM_UP)
    found = rates("yuma")[0]["relative_dividend_rate"]
    assert found[:3] == list(told[0])
    assert found[1] == told[1][0]  # hidden for one epoch: as copied one epoch later


@pytest.mark.parametrize(
    ("copied", "lag"),
    [
        ((1.04, 1.0, 0.9, 0.83, 0.821, 0.8201), None),
        ((1.04, 1.0, 0.9, 0.82, 0.7, 0.5), 5),
        ((0.82, 0.8, 0.7, 0.6, 0.5, 0.4), 0),
        ((None, None, None, None, None, None), None),
    ],
)
def test_delegators_leave_a_copier_who_earns_82_percent(copied: Any, lag: int | None) -> None:
    assert weight_copy.Copying(1.0, copied).lost_at == lag


def test_where_no_validator_is_paid_there_is_no_rate() -> None:
    def burnt(epoch: Epoch) -> Rewards:
        return Rewards(epoch.weights[0], np.zeros(epoch.stake.size))

    answer = ask("weight-copy-2024", [burnt])
    assert "the median validator earns nothing" in answer.findings[0]
    assert "null" in answer.to_json()


# --- cabal ---------------------------------------------------------------------------------------


def required(label: str) -> list[float]:
    return [it["required_honest_utility"] for it in entries(usual("cabal"))[label]["required"]]


def test_without_scatter_60_percent_must_be_worth_60_percent() -> None:
    honest, xi = cabal.HONEST, 0.5
    closed = max(honest, (1 - xi) / (2 - xi - honest))
    assert required("yuma(version=2)")[0] == pytest.approx(closed, abs=1e-9)


@pytest.mark.parametrize("label", ["yuma(version=2)", "yuma"])
def test_the_published_figures_are_met_in_the_smaller_network(label: str) -> None:
    assert required(label) == pytest.approx([0.60, 0.67, 0.73], abs=0.005)
    work = entries(usual("cabal"))[label]["required"][-1]["enough_for_the_cabal"]
    assert 0.26 < work < 0.27


def test_under_an_undefended_mean_only_all_honest_work_is_enough() -> None:
    # the cabal reports itself alone: xi S + (1 - xi) S W_H >= S asks for W_H = 1
    assert required("stake_weighted") == pytest.approx([1, 1, 1])
    work = [
        it["enough_for_the_cabal"] for it in entries(usual("cabal"))["stake_weighted"]["required"]
    ]
    assert work == [0, 0, 0]


def test_the_requirement_is_that_of_the_retention_map() -> None:
    experiment = replace(cabal.EXPERIMENT, sigma=cabal.SIGMAS[-1])
    answer = retention_map(["yuma"], experiment=experiment, stakes=[cabal.HONEST], workers=1)
    assert required("yuma")[-1] == answer.lines["yuma"][0].required_honest_utility


def test_a_cabal_that_needs_no_work_is_told() -> None:
    # by number the honest side has 134 of 224 miners, a little less than 60 %
    answer = ask("cabal", ["uniform"])
    assert "even where it does no work at all" in answer.findings[0]
    assert [it["required_honest_utility"] for it in entries(answer)["uniform"]["required"]] == [
        None
    ] * 3


# --- quadratic-sybil -----------------------------------------------------------------------------

GIFT = st.floats(0.01, 1e4)
ACCOUNTS = st.integers(1, 60)
GIFTS = st.lists(
    st.lists(st.sampled_from([0.0, 0.25, 1.0, 4.0, 9.5]), min_size=3, max_size=3),
    min_size=1,
    max_size=7,
).map(np.array)


@few
@given(GIFT, ACCOUNTS)
def test_with_no_other_donor_a_gift_over_k_accounts_is_paid_k_times(gift: float, k: int) -> None:
    [match] = quadratic(np.full((k, 1), gift / k))
    assert gift + match == pytest.approx(k * gift)


@few
@given(GIFT, ACCOUNTS, st.floats(0.01, 1e4))
def test_a_pair_directs_at_most_the_bound(gift: float, k: int, most: float) -> None:
    [match] = by_pairs(np.full((k, 1), gift / k), most)
    part = 2 * gift / k
    assert match == pytest.approx(k * (k - 1) / 2 * most * part / (most + part))
    assert match <= most * k * (k - 1) / 2
    [plain] = quadratic(np.full((k, 1), gift / k))
    assert match <= plain + 1e-6 * (1 + plain)


@few
@given(GIFTS, st.floats(0.1, 100))
def test_the_pairwise_match_is_that_of_the_twin(gifts: FloatArray, most: float) -> None:
    expected = np.zeros(3)
    for one, other in combinations(gifts, 2):
        parts = 2 * np.sqrt(one * other)
        expected += parts * most / (most + parts.sum())
    np.testing.assert_allclose(by_pairs(gifts, most), expected, atol=1e-9)
    np.testing.assert_allclose(by_pairs(gifts, 1e15), quadratic(gifts), atol=1e-9)


@few
@given(GIFTS)
def test_donors_to_the_same_projects_count_as_one(gifts: FloatArray) -> None:
    merged: dict[tuple[bool, ...], FloatArray] = {}
    for row in gifts:
        key = tuple(bool(it) for it in row > 0)
        merged[key] = merged.get(key, np.zeros(3)) + row
    expected = quadratic(np.array(list(merged.values())))
    np.testing.assert_allclose(by_clusters(gifts), expected, atol=1e-9)
    alike = np.repeat(gifts[:1], 5, axis=0)
    assert by_clusters(alike).tolist() == [0, 0, 0]


def test_the_table_of_a_lone_gift_holds_the_closed_forms() -> None:
    found = cells(usual("quadratic-sybil"), 0)
    ks = quadratic_sybil.ACCOUNTS
    assert found["quadratic funding"] == pytest.approx(ks)
    assert found["clusters of like donors"] == (1,) * len(ks)
    gift, most = quadratic_sybil.GIFT, quadratic_sybil.MOST
    parts = [(k, 2 * gift / k) for k in ks]
    bounded = [1 + k * (k - 1) / 2 * most * x / (most + x) / gift for k, x in parts]
    assert found["pairwise bounded"] == pytest.approx(bounded)


def test_round_10_is_as_reported() -> None:
    assert pytest.approx(0.362, abs=5e-4) == 34 / 94
    assert pytest.approx(0.089, abs=5e-4) == 1 - 12_933 / 14_203
    assert quadratic_sybil.SYBILS / quadratic_sybil.USERS == 0.362
    assert pytest.approx(89 / 362) == quadratic_sybil.FLAGGED
    said = " ".join(usual("quadratic-sybil").findings)
    assert "24.6% of the Sybil users at most" in said
    assert "leaves 57% of their quadratic match" in said  # (1 - .2459)^2 = .569
    assert "has to find 29.3%" in said  # 1 - sqrt(1/2)


@pytest.mark.parametrize("recall", quadratic_sybil.RECALLS)
def test_sybil_users_who_are_left_direct_s_times_s_minus_1(recall: float) -> None:
    left = quadratic_sybil.SYBILS - round(recall * quadratic_sybil.SYBILS)
    gifts = round_of("alike", recall, 3)
    assert len(gifts) == quadratic_sybil.USERS - round(recall * quadratic_sybil.SYBILS)
    assert quadratic(gifts)[-1] == pytest.approx(left * (left - 1))
    honest = quadratic_sybil.USERS - quadratic_sybil.SYBILS
    assert not gifts[:honest, -1].any()
    np.testing.assert_array_equal(gifts[:honest], round_of("disguised", 0, 3)[:honest])


def test_what_sybil_users_take_falls_with_recall_and_disguise_beats_clusters() -> None:
    found = entries(usual("quadratic-sybil"))
    for label in quadratic_sybil.RULES:
        for shares in found[label]["taken"].values():
            assert shares == sorted(shares, reverse=True)
            assert shares[-1] == 0
    clusters = found["clusters of like donors"]
    assert clusters["taken"]["alike"] == [0] * len(quadratic_sybil.RECALLS)
    assert clusters["taken"]["disguised"][0] > 0.1
    assert found["quadratic funding"]["moved_without_sybils"] == 0
    assert 0 < clusters["moved_without_sybils"] < 1


def test_accounts_multiply_pay_by_the_power_that_stake_counts_by() -> None:
    found = entries(usual("quadratic-sybil"))
    ks, others = quadratic_sybil.ACCOUNTS, quadratic_sybil.OTHERS
    for label, power in (("quadratic", 0.5), ("dao_vote", 1.0)):
        raised = [k**power for k in ks]
        expected = [it / (it + others) * (1 + others) for it in raised]
        assert found[label]["splitting"] == pytest.approx(expected)
    assert found["yuma"]["splitting"] == pytest.approx([1] * len(ks))


# --- bribe ---------------------------------------------------------------------------------------


def offers(answer: Incident, label: str, sellers: str) -> dict[float, dict[str, float]]:
    told = entries(answer)[label]["offers"]
    return {it["share"]: it for it in told if it["sellers"] == sellers}


@pytest.mark.parametrize("sellers", bribe.SELLERS)
def test_accounts_sell_exactly_the_share_that_is_asked_for(sellers: str) -> None:
    place = bribe.market(0)
    for share in bribe.SHARES:
        sold = place.sold(share, sellers)
        assert place.stake[sold].sum() == pytest.approx(share * place.stake.sum(), abs=1e-9)
    assert place.sold(0.5, bribe.SELLERS[0]).size == bribe.SMALL
    assert place.sold(0.5, bribe.SELLERS[1]).size == bribe.LARGE


@pytest.mark.parametrize("sellers", bribe.SELLERS)
def test_under_the_mean_a_share_is_worth_what_its_owners_did_not_say(sellers: str) -> None:
    place = bribe.market(0)
    for share, offer in offers(usual("bribe"), "stake_weighted", sellers).items():
        sold = place.sold(share, sellers)
        said = place.weights[sold, place.buyer]
        gain = (1 - bribe.XI) * (place.stake[sold] * (1 - said)).sum() / place.stake.sum()
        assert offer["gain"] == pytest.approx(gain)
        assert offer["most"] == pytest.approx(gain / share)
        assert offer["loss"] == pytest.approx(0, abs=1e-12)


def test_under_yuma_weight_is_worth_little_below_kappa_and_everything_above() -> None:
    place = bribe.market(0)
    honest = call("yuma", load("yuma"), place.epoch(np.zeros(0, np.int64))).miners[place.buyer]
    for sellers in bribe.SELLERS:
        found = offers(usual("bribe"), "yuma", sellers)
        assert all(found[share]["gain"] < 0.015 for share in bribe.SHARES if share < 0.5)
        for share in (0.55, 0.6):
            assert found[share]["gain"] == pytest.approx((1 - bribe.XI) * (1 - honest))
            assert found[share]["most"] == pytest.approx((1 - bribe.XI) * (1 - honest) / share)


def test_the_step_is_where_kappa_puts_it() -> None:
    low, high = "yuma(kappa=0.4)", "yuma(kappa=0.55)"
    answer = ask("bribe", [low, high])
    raised, zeroed = (offers(answer, label, bribe.SELLERS[0]) for label in (low, high))
    # kappa of the stake raises the buyer; more than the rest of it puts everybody else at nothing
    assert raised[0.3]["gain"] < 0.02 < 0.2 < raised[0.4]["gain"]
    assert zeroed[0.45]["gain"] < 0.02 < 0.4 < zeroed[0.5]["gain"]


def test_who_counts_accounts_sells_half_of_the_votes_with_less_than_a_third_of_the_stake() -> None:
    small, large = (offers(usual("bribe"), "dao_vote", it) for it in bribe.SELLERS)
    sold = [bribe.market(0).sold(share, bribe.SELLERS[0]).size for share in (0.2, 0.3)]
    assert sold == [40, 60]  # of 110 accounts
    assert small[0.2]["gain"] < 0.02
    assert small[0.3]["gain"] == pytest.approx(1 - bribe.XI, abs=0.02)
    assert all(offer["gain"] < 0.02 for offer in large.values())


def test_below_kappa_sellers_lose_more_than_the_buyer_gains() -> None:
    for sellers in bribe.SELLERS:
        found = offers(usual("bribe"), "yuma", sellers)
        assert all(it["least"] > it["most"] for share, it in found.items() if share < 0.5)
        assert all(it["least"] < it["most"] for share, it in found.items() if share > 0.5)


# --- council -------------------------------------------------------------------------------------


@pytest.mark.parametrize("quorum", [5, 17])
@pytest.mark.parametrize("coalition", [1, 3, 9])
def test_withholding_b_of_q_plus_b_minus_1_ballots_kills(quorum: int, coalition: int) -> None:
    assert council.kills(quorum + coalition - 1, quorum, coalition)
    assert not council.kills(quorum + coalition, quorum, coalition)
    assert not council.kills(quorum - 1, quorum, coalition)  # it was dead before
    assert council.lifts(quorum - coalition, quorum, coalition)
    assert not council.lifts(quorum - coalition - 1, quorum, coalition)
    assert not council.lifts(quorum, quorum, coalition)


def test_projects_with_10_to_12_ballots_get_nothing_at_17_and_are_paid_without_a_quorum() -> None:
    assert all(council.lifts(ballots, 17, 7) for ballots in (10, 11, 12))
    assert not any(council.lifts(ballots, 17, 4) for ballots in (10, 11, 12))


def test_the_chance_of_ballots_is_binomial() -> None:
    part = 83 / council.PROJECTS
    assert council.chance(0, 0, 2, 83) == pytest.approx((1 - part) ** 2)
    assert council.chance(1, 1, 2, 83) == pytest.approx(2 * part * (1 - part))
    assert council.chance(0, 132, 132, 83) == pytest.approx(1)
    assert council.chance(-3, -1, 132, 83) == 0
    assert council.chance(132, 500, 132, council.PROJECTS) == 1


def test_a_quorum_of_17_leaves_nearly_half_of_equal_merit_unpaid_at_83_rated() -> None:
    assert pytest.approx(17, abs=0.05) == 132 * council.USUAL_ATTENTION / 643
    found = entries(usual("council"))["median, quorum 17"]
    at = council.ATTENTION.index(council.USUAL_ATTENTION)
    exact = sum(
        comb(132, k) * (83 / 643) ** k * (560 / 643) ** (132 - k) for k in range(council.QUORUM)
    )
    assert found["unpaid"][at] == pytest.approx(exact)
    drawn = council.paid(council.Rule("median", 17), council.ballots_of(83, 5)) == 0
    assert drawn.mean() == pytest.approx(exact, abs=4 * sqrt(exact * (1 - exact) / 643))


def test_who_is_not_read_is_unpaid_whatever_the_rule_and_the_rest_is_shared_out() -> None:
    for rule in council.RULES:
        pay = council.paid(rule, council.ballots_of(120, 0))
        assert pay.sum() == pytest.approx(1)
        assert (pay >= 0).all()
    mean = council.Rule("mean", 17)
    assert (council.paid(mean, council.ballots_of(council.PROJECTS, 0)) > 0).all()
    assert not council.paid(mean, council.ballots_of(1, 0)).any()  # nobody has 17 ballots


def test_a_coalition_decides_over_the_projects_just_below_the_quorum() -> None:
    found = cells(usual("council"), 2)["83 rated"]
    part = 83 / 643
    alone = comb(131, 16) * part**16 * (1 - part) ** 115
    assert found[0] == pytest.approx(alone)
    assert list(found) == sorted(found)


def test_a_median_stands_until_half_of_the_ballots_are_bought_and_a_mean_does_not() -> None:
    most = council.MOST
    assert most == pytest.approx(5 * 643 / 30)
    median, mean = (
        entries(usual("council"))[f"{it}, quorum 17"]["factor"] for it in ("median", "mean")
    )
    assert median == pytest.approx([1, 1, 1, 1, (1 + most) / 2, most])
    assert mean == pytest.approx([(17 + b * most) / (17 + b) for b in council.COALITIONS])
    assert any("Up to 16 voters" in it for it in usual("council").findings)


# --- airdrop -------------------------------------------------------------------------------------


@few
@given(st.integers(1, 200), st.floats(2.01, 40))
def test_the_addresses_of_small_clusters_are_those_of_the_closed_form(
    largest: int, mean: float
) -> None:
    go_on = 1 - 1 / (mean - 1)
    beyond = go_on ** (largest - 1) * (largest + mean - 1) / mean
    assert airdrop.hidden(largest, mean) == pytest.approx(1 - beyond, abs=1e-9)


def test_the_published_clusters_are_small() -> None:
    assert airdrop.MEAN == pytest.approx(279_328 / 60_000) == pytest.approx(4.66, abs=0.005)
    assert airdrop.hidden(1) == 0
    assert airdrop.hidden(20) == pytest.approx(0.988, abs=5e-4)
    sizes = np.arange(2, 2000)
    stop = 1 / (airdrop.MEAN - 1)
    chances = stop * (1 - stop) ** (sizes - 2)
    assert chances.sum() == pytest.approx(1)
    assert (sizes * chances).sum() == pytest.approx(airdrop.MEAN)


def test_paid_once_the_clusters_would_have_had_15_percent() -> None:
    assert airdrop.paid_once() == pytest.approx(60_000 / 404_808) == pytest.approx(0.148, abs=5e-4)
    said = usual("airdrop").findings[0]
    assert "44.8% of the addresses" in said  # 279,328 / 624,136
    assert "14.8% of all payments" in said


def test_under_uniform_pay_k_identities_earn_k_shares_of_a_diluted_pool() -> None:
    paid = entries(usual("airdrop"))["uniform"]
    xi, sigma, m = airdrop.XI, airdrop.STAKE, airdrop.NETWORK.miners
    expected = [xi * sigma + (1 - xi) * k / (m + k - 1) for k in airdrop.IDENTITIES]
    assert paid["paid"] == pytest.approx(expected)
    each = [pay / k for pay, k in zip(expected, airdrop.IDENTITIES, strict=True)]
    assert paid["per_identity"] == pytest.approx(each)


def test_where_pay_follows_stake_or_work_identities_share_what_one_earns() -> None:
    found = entries(usual("airdrop"))
    by_stake = [airdrop.XI * airdrop.STAKE] * len(airdrop.IDENTITIES)
    assert found["stake_proportional"]["paid"] == pytest.approx(by_stake)
    assert found["yuma"]["paid"] == pytest.approx([found["yuma"]["paid"][0]] * 5, rel=0.01)
    assert cells(usual("airdrop"), 0)["dao_vote"][-1] > cells(usual("airdrop"), 0)["uniform"][-1]


def test_a_newcomer_brings_one_working_miner_and_its_stake_however_many_it_is() -> None:
    one, many = airdrop.joined(0, 1), airdrop.joined(0, 5)
    for world in (one, many):
        assert world.stake.sum() == pytest.approx(1)
        assert world.stake[world.own_validators].sum() == pytest.approx(airdrop.STAKE)
    assert many.own_validators.size == many.own_miners.size == 5
    assert (many.weights[:, many.own_miners[1:]] == 0).all()
    assert many.quality.max() < inf
