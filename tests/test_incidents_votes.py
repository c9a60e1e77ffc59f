from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache
from itertools import chain, product
from math import ceil, exp, log, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trilemma import load
from trilemma.errors import PluginError, UsageError
from trilemma.incidents import (
    INCIDENTS,
    Incident,
    ask,
    custodial_stake,
    empty_room,
    flash_stake,
    meme_subnet_2025,
    root_2024,
    summary,
    weekend_vote,
)
from trilemma.incidents.custodial_stake import seats_taken
from trilemma.incidents.naming import listed
from trilemma.incidents.weekend_vote import chance_of_a_run
from trilemma.model import Epoch, FloatArray
from trilemma.power import nakamoto_of
from trilemma.registry import label
from trilemma.twins import TwinTest
from trilemma.worlds import Preset, stake_vector

MODULES: Mapping[str, Any] = {
    "custodial-stake": custodial_stake,
    "empty-room": empty_room,
    "flash-stake": flash_stake,
    "meme-subnet-2025": meme_subnet_2025,
    "root-2024": root_2024,
    "weekend-vote": weekend_vote,
}
OF_MECHANISMS = tuple(name for name in MODULES if name != "custodial-stake")
CONTESTED = re.compile(r"alleg|accus|denied|attack|hostile|exploited|intervention", re.IGNORECASE)

some = settings(max_examples=40, deadline=None)


@cache
def usual(name: str) -> Incident:
    return ask(name)


def entries(answer: Incident) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(answer.to_json())["mechanisms"]
    return found


def by_name(name: str) -> Mapping[str, dict[str, Any]]:
    """Return what the JSON of the usual mechanisms holds, by the names of the tables."""
    return dict(zip(MODULES[name].USUAL, entries(usual(name)), strict=True))


def cells(name: str, table: int = 0) -> Mapping[str, tuple[Any, ...]]:
    return dict(usual(name).tables[table].rows)


# --- all of them ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODULES)
def test_an_incident_is_listed_with_a_sentence_about_it(name: str) -> None:
    assert INCIDENTS[name] == MODULES[name].__name__.rpartition(".")[2]
    assert summary(name).endswith(".")
    assert usual(name).name == name


@pytest.mark.parametrize("name", MODULES)
def test_every_fact_says_how_sure_it_is_and_where_it_stands(name: str) -> None:
    assert usual(name).facts == MODULES[name].FACTS
    for fact in usual(name).facts:
        assert fact.certainty in ("P", "2", "allegation")
        assert len(fact.source) > 10
        assert f"* [{fact.certainty}] {fact.text} ({fact.source})" in usual(name).markdown()


@pytest.mark.parametrize("name", MODULES)
def test_what_is_contested_is_labelled_and_only_that(name: str) -> None:
    for fact in usual(name).facts:
        assert bool(CONTESTED.search(fact.text)) is (fact.certainty == "allegation"), fact


@pytest.mark.parametrize("name", MODULES)
def test_findings_and_tables_hold_no_nan(name: str) -> None:
    answer = usual(name)
    assert not answer.failures
    assert answer.findings
    for shown in (*answer.findings, *map(str, answer.tables), answer.to_json()):
        assert not re.search(r"\b(nan|inf|infinity)\b", shown, re.IGNORECASE), shown
    assert answer.markdown().count("\n| --- |") == len(answer.tables)


@pytest.mark.parametrize("name", OF_MECHANISMS)
def test_the_json_holds_every_mechanism_once_by_its_label(name: str) -> None:
    labels = [label(load(spec)) for spec in MODULES[name].USUAL.values()]
    assert [it["label"] for it in entries(usual(name))] == labels
    assert len({*labels}) == len(labels)
    assert [*cells(name, int(name == "root-2024"))] == [*MODULES[name].USUAL]


@pytest.mark.parametrize("name", MODULES)
def test_the_same_question_has_the_same_bytes(name: str) -> None:
    if name == "custodial-stake":
        assert ask(name).to_json() == usual(name).to_json()
        return
    first, *_ = MODULES[name].USUAL.values()
    [again] = entries(ask(name, [first]))
    assert json.dumps(again) == json.dumps(entries(usual(name))[0])


@pytest.mark.parametrize("name", OF_MECHANISMS)
def test_a_mechanism_that_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no mechanism is called 'yumma'; did you mean 'yuma'"):
        ask(name, ["yumma"])
    with pytest.raises(UsageError, match="one mechanism or more"):
        ask(name, [])


def test_an_election_of_seats_refuses_mechanisms() -> None:
    with pytest.raises(UsageError, match="custodial-stake is about a rule of voting"):
        ask("custodial-stake", ["yuma"])


@pytest.mark.parametrize("name", OF_MECHANISMS)
def test_a_mechanism_that_fails_is_named_and_takes_no_other_down(name: str) -> None:
    def broken(epoch: Epoch) -> FloatArray:
        raise RuntimeError(f"no pay for {epoch.stake.size}")

    answer = ask(name, ["uniform", broken])
    [failure] = answer.failures.values()
    assert "RuntimeError: no pay for" in failure
    assert [it["label"] for it in entries(answer)] == ["uniform"]
    with pytest.raises(PluginError, match="no pay for"):
        ask(name, [broken])


@pytest.mark.parametrize("name", OF_MECHANISMS)
def test_a_rule_that_looks_at_nothing_can_be_asked_and_loses_nothing(name: str) -> None:
    [found] = entries(ask(name, ["uniform"]))
    numbers = {
        it for key, it in found.items() if key != "label" and not isinstance(it, dict | list)
    }
    assert numbers <= {None, 0.0, 1.0}, "of its pay all is kept, or nothing is lost"


def test_numbers_are_told_once_with_all_who_share_them() -> None:
    told = listed({"b": 4, "a": None, "c, d": 1, "e": 4}, "none")
    assert told == "1 under `c, d`; 4 under `b`, `e`; none under `a`"


# --- root-2024 -----------------------------------------------------------------------------------

STAKE = (0.25, 0.135, 0.11, 0.09, 0.065, *[0.04] * 5, *[0.15 / 54] * 54)
EXACT = [Fraction(it) / 1000 for it in (250, 135, 110, 90, 65, *[40] * 5)]
EXACT += [Fraction(15, 5400)] * 54


def test_the_stake_vector_is_the_published_one() -> None:
    np.testing.assert_allclose(stake_vector("root-2024", 64), STAKE, rtol=1e-13)
    assert sum(EXACT) == 1


def test_two_four_and_six_holders_have_a_third_a_half_and_two_thirds() -> None:
    found = cells("root-2024", 0)
    assert [it[0] for it in found.values()] == [2, 4, 6]
    assert [it[0] for it in found.values()] == [
        nakamoto_of(EXACT, share) for share in root_2024.SHARES.values()
    ]
    assert [it[1] for it in found.values()] == pytest.approx([0.385, 0.585, 0.69])


def test_the_sum_of_squared_shares_is_0_1136() -> None:
    index = sum(it * it for it in EXACT)
    assert index == Fraction(11315, 100_000) + Fraction(15**2, 100**2 * 54)
    told = usual("root-2024").findings[1]
    assert f"is {float(index):.4f}" in told
    assert "is 0.1136" in told
    assert f"{float(1 / index):.1f} equal" in told


@cache
def without_noise() -> tuple[TwinTest, float]:
    world = Preset(validators=64, miners=16, noise=0).twin(5)
    return TwinTest.of(world), float(world.weights[0, world.twins[0]])


def cut_without_noise(spec: str) -> root_2024.Cut:
    return root_2024.cut("it", load(spec), [without_noise()[0]])


HELD = np.cumsum(STAKE)[:10]


def test_a_mean_by_stake_loses_as_much_as_the_coalition_holds() -> None:
    np.testing.assert_allclose(cut_without_noise("stake_weighted").by_weights, HELD, rtol=1e-12)


def test_the_root_vote_loses_by_trust_and_by_rank() -> None:
    due = without_noise()[1]
    silent = 1 / (1 + np.exp(10 * (HELD - 0.5))) * (1 - HELD) * due
    others = (1 - (1 - HELD) * due) / (1 + exp(-5))
    expected = 1 - silent / (silent + others) / due
    np.testing.assert_allclose(cut_without_noise("root_vote").by_weights, expected, rtol=1e-9)
    assert np.argmax(expected >= 0.5) + 1 == 2


@pytest.mark.parametrize(("spec", "power"), [("yuma", 1.0), ("quadratic", 0.5)])
def test_yuma_forgets_the_target_from_half_of_the_power_on(spec: str, power: float) -> None:
    """Below it, the coalition's own part is missing, and what it says too much is clipped."""
    due, counted = without_noise()[1], np.array(STAKE) ** power
    held = (np.cumsum(counted) / counted.sum())[:10]
    below = 1 - (1 - held) / (1 - held * due)
    expected = np.where(held < 0.5, below, 1)
    np.testing.assert_allclose(cut_without_noise(spec).by_weights, expected, rtol=1e-9)
    fewest = nakamoto_of(counted, 0.5)
    assert fewest == (4 if power == 1 else 11)
    assert np.flatnonzero(expected == 1).tolist() == [*range(fewest - 1, 10)]


@pytest.mark.parametrize(
    ("suspension", "fewest"),
    [
        ("vote", 1),
        ("vote(of='all')", 4),
        ("vote(of='all', threshold=0.667)", 6),
        ("vote(quorum=0.3)", 2),
        ("vote(of='all', threshold=0.9)", None),
    ],
)
def test_ballots_take_everything_or_nothing(suspension: str, fewest: int | None) -> None:
    found = cut_without_noise(f"governed(suspension={suspension})").by_votes
    assert found.tolist() == [float(fewest is not None and b >= fewest) for b in range(1, 11)]


def test_under_honest_noise_the_numbers_are_those_told() -> None:
    found = {name: (it["by_weights"], it["by_votes"]) for name, it in by_name("root-2024").items()}
    assert found["root vote of 2023"] == (2, None)
    assert found["Yuma + majority of those who vote"][1] == 1
    assert found["Yuma + majority of all stake"][1] == 4
    assert found["Yuma + two thirds of all stake"][1] == 6
    assert found["Yuma"][0] in (3, 4)
    for it in entries(usual("root-2024")):
        assert (np.diff(it["curve_by_weights"]) >= 0).all()


# --- meme-subnet-2025 ----------------------------------------------------------------------------

SOLD = meme_subnet_2025.SOLD


def kept_by_hand(rule: str, bought: float) -> FloatArray:
    """Return what the subnet keeps: pools, averages and shares, epoch by epoch."""
    sold, unsold = (shares_by_hand(rule, bought, tokens)[30:] for tokens in (SOLD, 0.0))
    return sold / unsold


def shares_by_hand(rule: str, bought: float, sold: float) -> FloatArray:
    worth, shares = meme_subnet_2025.worths(0), []
    tokens = average = np.ones(worth.size)
    for epoch in range(60):
        trades = np.full(worth.size, bought)
        if sold and epoch == 30:
            trades[0] = -sold * tokens[0]
        before, tokens = tokens, tokens - trades
        if rule == "price":
            blocks = 7200 * epoch + np.arange(1, 7201)
            kept, new = float(np.prod(1 - 3e-6 * blocks / (blocks + 201_600))), worth / tokens**2
        else:  # tokens times tao stay what they were: tao are worth / tokens
            kept, new = (1 - 3.209e-6) ** 7200, worth / tokens - worth / before
        average = new if epoch == 0 else kept * average + (1 - kept) * new
        counted = np.maximum(average, 0)
        shares.append(counted[0] / counted.sum())
    return np.array(shares)


@pytest.mark.parametrize("name", ["price", "flow"])
def test_what_is_kept_is_what_comes_out_by_hand(name: str) -> None:
    found = by_name("meme-subnet-2025")[f"by {name}"]["kept"]
    np.testing.assert_allclose(found, kept_by_hand(name, meme_subnet_2025.BOUGHT), rtol=1e-9)


def test_where_nobody_else_trades_the_price_rule_forgets_slowly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The average goes part of the way to 1 / 7.07**2 of the price, in blocks 216,001 and on."""
    monkeypatch.setattr(meme_subnet_2025, "BOUGHT", 0.0)
    [found, flow] = entries(ask("meme-subnet-2025", ["price_share(tempo=7200)", "flow_share"]))
    blocks = 216_000 + np.arange(1, 30 * 7200 + 1)
    remembered = np.cumprod(1 - 3e-6 * blocks / (blocks + 201_600))[7199::7200]
    average = remembered + (1 - remembered) / 7.07**2
    share = meme_subnet_2025.worths(0)[0]
    np.testing.assert_allclose(found["kept"], average / (1 - share + share * average), rtol=1e-9)
    assert flow["kept"] is None, "without inflow nobody is paid"


def test_a_rule_by_flows_pays_nothing_and_one_by_weights_pays_as_before() -> None:
    found = by_name("meme-subnet-2025")
    assert found["by flow"]["kept"] == [0.0] * 30
    assert found["root vote of 2023"]["kept"] == [1.0] * 30
    assert 0.6 < found["by price"]["kept"][-1] < 0.7 < found["by price"]["mean_kept"]


def test_the_price_falls_by_98_percent_at_once() -> None:
    assert (
        f"{1 / 7.07**2:.3f} of it is left, 98.0% is gone" in usual("meme-subnet-2025").findings[0]
    )


def test_nobody_says_that_the_sale_was_wrong() -> None:
    assert (
        usual("meme-subnet-2025")
        .findings[-1]
        .startswith("The test does not know whether the intent was good")
    )


# --- flash-stake ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "epochs_lost"),
    [
        ("no delay", lambda answer: answer),
        ("delay of 7", lambda answer: max(0, answer - 7)),
        ("by tenure, full after 30", lambda _: 0),
        ("by conviction", lambda _: 0),
        ("expires after 7", lambda answer: min(answer, 7)),
        ("while the votes stand", lambda _: 1),
        ("no votes", lambda _: 0),
    ],
)
def test_a_suspension_costs_the_epochs_until_somebody_answers(name: str, epochs_lost: Any) -> None:
    found = by_name("flash-stake")[name]["lost_by_votes"]
    for answer in flash_stake.ANSWERS:
        assert found[str(answer)] == pytest.approx(epochs_lost(answer) / 30, abs=1e-12)


@pytest.mark.parametrize("delay", [1, 6, 13, 14, 29, 30])
def test_a_delay_saves_as_many_epochs_as_it_lasts(delay: int) -> None:
    rule = f"governed(suspension=lasting(of=delayed(of=vote(of='all'), epochs={delay})))"
    [found] = entries(ask("flash-stake", [rule]))
    for answer in flash_stake.ANSWERS:
        lost = max(0, answer - delay) / 30
        assert found["lost_by_votes"][str(answer)] == pytest.approx(lost, abs=1e-12)


def test_the_stake_must_be_held_until_its_part_of_all_power_is_two_thirds() -> None:
    """.7 x / (.7 x + .3) exceeds .667 from x on; tenure counts t / 30, conviction matures."""
    counted = 0.667 * 0.3 / (0.333 * 0.7)
    found = {name: it["held"] for name, it in by_name("flash-stake").items()}
    assert found["by tenure, full after 30"] == ceil(30 * counted) == 26
    assert found["by conviction"] == ceil(-130 * log(1 - counted)) == 255
    assert found["no delay"] == found["delay of 7"] == 1
    assert found["no votes"] is None


def test_who_would_have_to_wait_longer_than_1024_epochs_never_passes() -> None:
    rule = "governed(suspension=vote(electorate=by_tenure(full=3000), of='all', threshold=0.667))"
    assert entries(ask("flash-stake", [rule]))[0]["held"] is None


def test_weights_of_borrowed_stake_end_with_the_loan() -> None:
    for it in entries(usual("flash-stake")):
        assert it["lost_by_weights"] == pytest.approx(1 / 30)
    [found] = entries(ask("flash-stake", ["stake_weighted"]))
    assert found["lost_by_weights"] == pytest.approx(0.7 / 30)


def test_weights_that_list_prices_outlast_the_loan() -> None:
    """Pools open at what holders report in the first epoch, and nobody trades."""
    answer = ask("flash-stake", ["price_share"])
    assert entries(answer)[0]["lost_by_weights"] == pytest.approx(0.7)
    assert "outlasts the loan under `price_share`: it takes up to 70.0%" in answer.findings[-1]
    assert "ends with the loan: it takes 3.3% at most" in usual("flash-stake").findings[-1]


# --- empty-room ----------------------------------------------------------------------------------

SMALLEST = 0.15 / 54


@pytest.mark.parametrize(
    ("name", "largest", "their_stake", "smallest", "whose_stake"),
    [
        ("no quorum", 1, 0.25, 1, SMALLEST),
        ("no quorum, delay of 7", 1, 0.25, 1, SMALLEST),
        ("quorum of a fifth", 1, 0.25, 54 + 2, 0.15 + 2 * 0.04),
        ("quorum of half", 4, 0.585, 54 + 5 + 2, 0.35 + 0.065 + 0.09),
        ("half of all stake", 4, 0.585, 54 + 5 + 2, 0.35 + 0.065 + 0.09),
        ("two thirds of all stake", 6, 0.69, 63, 0.75),
        ("quorum of half the identities", 32, 0.85 + 22 * SMALLEST, 32, 32 * SMALLEST),
    ],
)
def test_a_room_takes_as_many_as_its_quorum_asks_for(
    name: str, largest: int, their_stake: float, smallest: int, whose_stake: float
) -> None:
    found = by_name("empty-room")[name]
    assert (found["by_largest"], found["by_smallest"]) == (largest, smallest)
    assert found["stake_of_largest"] == pytest.approx(their_stake)
    assert found["stake_of_smallest"] == pytest.approx(whose_stake)


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.6, 0.8])
def test_of_the_largest_it_takes_the_nakamoto_number(threshold: float) -> None:
    rule = f"governed(inner=uniform, suspension=vote(of='all', threshold={threshold}))"
    [found] = entries(ask("empty-room", [rule]))
    assert found["by_largest"] == nakamoto_of(EXACT, threshold)


def test_what_takes_effect_later_than_the_votes_stand_is_not_seen() -> None:
    rules = [f"governed(inner=uniform, suspension=delayed(epochs={it}))" for it in (8, 9)]
    assert [it["by_largest"] for it in entries(ask("empty-room", rules))] == [1, None]


def test_the_smallest_holder_is_told_with_its_stake() -> None:
    told = usual("empty-room").findings[1]
    assert "N = 1, and any holder will do" in told
    assert "0.28% of the stake" in told


# --- weekend-vote --------------------------------------------------------------------------------


def test_the_share_of_the_vote_is_cut_off_and_not_rounded() -> None:
    assert Fraction(682_191, 682_191 + 633_636) > Fraction(51845, 100_000)
    told = usual("weekend-vote").findings[0]
    assert "682,191 of 1,315,827 votes are 51.845%" in told
    assert "lead of 48,555" in told


def test_three_of_thirteen_turnouts_are_too_low() -> None:
    """.35 beats n * .0325 for n of 8, 9 and 10; together they are .65 only with n = 10."""
    low = [n for n in range(8, 21) if n * 0.65 / 20 < 0.35]
    assert low == [8, 9, 10]
    assert "p = 3/13, 23.1%" in usual("weekend-vote").findings[1]
    closed = cells("weekend-vote", 1)
    assert closed["majority of those who vote"] == pytest.approx(
        [1 - (10 / 13) ** r for r in (1, 5, 20)]
    )
    assert closed["quorum of 0.65"] == pytest.approx([1 - (12 / 13) ** r for r in (1, 5, 20)])


@some
@given(st.fractions(0, 1, max_denominator=20), st.integers(1, 4), st.integers(0, 7))
def test_the_chance_of_a_run_is_a_sum_over_all_that_can_happen(
    chance: Fraction, length: int, tries: int
) -> None:
    expected = Fraction(0)
    for won in product((0, 1), repeat=tries):
        if "1" * length in "".join(map(str, won)):
            expected += chance ** sum(won) * (1 - chance) ** (tries - sum(won))
    assert chance_of_a_run(chance, length, tries) == expected


@given(st.fractions(0, 1, max_denominator=50), st.integers(0, 30))
def test_one_of_independent_proposals_passes_unless_all_fail(chance: Fraction, r: int) -> None:
    assert chance_of_a_run(chance, 1, r) == 1 - (1 - chance) ** r


def suspended_by_hand(rule: str, numbers: list[int]) -> list[bool]:
    """Return in which epochs a miner is suspended, by who turns up, one rule after the other."""
    low = [n <= 10 for n in numbers]
    match rule:
        case "quorum of 0.65":
            return [n == 10 for n in numbers]
        case "majority of all stake":
            return [False for _ in numbers]
        case "delay of 2":
            return [at >= 2 and all(low[at - 2 : at + 1]) for at in range(len(low))]
        case "lasts 5 epochs, 10 of rest":
            return [*terms(low)]
    return low


def terms(low: list[bool]) -> Iterator[bool]:
    since, safe_until = None, 0
    for at, won in enumerate(low):
        if since is None and won and at >= safe_until:
            since = at
        yield since is not None and won
        if since is not None and (not won or at == since + 4):
            since, safe_until = None, at + 11  # ten epochs after the one in which it ended


@pytest.mark.parametrize("name", weekend_vote.USUAL)
def test_trials_are_those_that_come_out_by_hand(name: str) -> None:
    drawn = weekend_vote.turnouts(0)
    suspended = np.array([suspended_by_hand(name, trial) for trial in drawn.T.tolist()])
    found = by_name("weekend-vote")[name]
    assert found["not_paid"] == pytest.approx(suspended.mean(), abs=1e-12)
    for count in weekend_vote.COUNTS:
        assert found["passed"][str(count)] == suspended[:, :count].any(axis=1).mean()


@pytest.mark.parametrize("name", ["majority of those who vote", "quorum of 0.65", "delay of 2"])
def test_trials_are_as_often_won_as_the_closed_forms_say(name: str) -> None:
    for measured, chance in zip(cells("weekend-vote")[name], cells("weekend-vote", 1)[name]):  # noqa: B905
        assert abs(measured - chance) <= 4 * sqrt(chance * (1 - chance) / weekend_vote.TRIALS)


def test_who_is_never_paid_is_not_suspended() -> None:
    [found] = entries(ask("weekend-vote", ["flow_share"]))
    assert found["not_paid"] == 0
    assert {*found["passed"].values()} == {0}


# --- custodial-stake -----------------------------------------------------------------------------


def test_the_tables_hold_what_the_rules_come_to() -> None:
    """At 41 % against one list: k seats while 21 - k > 59/41 * v / max(1, v / k)."""
    assert {name: row[:3] for name, row in cells("custodial-stake").items()} == {
        "1 approval": (8, 8, 10),
        "5 approvals": (8, 8, 17),
        "10 approvals": (6, 13, 20),
        "20 approvals": (0, 20, 20),
        "30 approvals": (0, 20, 20),
    }
    assert [it["label"] for it in entries(usual("custodial-stake"))] == [*cells("custodial-stake")]


@some
@given(st.fractions(0, 1, max_denominator=200), st.integers(20, 40), st.integers(1, 6))
def test_with_an_approval_for_every_seat_the_largest_bloc_sweeps(
    stake: Fraction, approvals: int, lists: int
) -> None:
    swept = stake > (1 - stake) / lists
    assert seats_taken(stake, approvals, lists) == (20 if swept else 0)


@some
@given(st.fractions(0, 1, max_denominator=200), st.integers(1, 25))
def test_with_one_approval_seats_go_by_the_highest_averages(stake: Fraction, seats: int) -> None:
    """D'Hondt's rule between the bloc and one list, ties to the list."""
    taken = [0, 0]
    for _ in range(seats):
        mine, theirs = stake / (taken[0] + 1), (1 - stake) / (taken[1] + 1)
        taken[0 if mine > theirs else 1] += 1
    assert seats_taken(stake, 1, 1, seats) == taken[0]


@pytest.mark.parametrize("lists", [1, 2])
@pytest.mark.parametrize("approvals", [1, 2, 3, 4])
def test_no_other_way_to_give_approvals_out_takes_more_seats(approvals: int, lists: int) -> None:
    """Three seats; everybody tries every way. Multiples of 6 can be shared out evenly."""
    seats = 3
    for stake, each in product((0, 6, 12), repeat=2):
        if not stake + each:
            continue
        lots = product(ways(each, approvals, seats), repeat=lists)
        theirs = {tuple(sorted(chain(*lot), reverse=True)[:seats]) for lot in lots}
        most = max(
            min(won(own, other, seats) for other in theirs) for own in ways(stake, approvals, seats)
        )
        share = Fraction(stake, stake + lists * each)
        assert seats_taken(share, approvals, lists, seats) == most, (stake, each)


def ways(stake: int, approvals: int, seats: int) -> list[tuple[int, ...]]:
    """Return what a bloc's candidates may get: at most all stake each, `approvals` times in all."""
    given = stake * min(approvals, seats)
    scores = product(range(stake, -1, -1), repeat=seats)
    return [it for it in scores if sum(it) == given and [*it] == sorted(it, reverse=True)]


def won(own: tuple[int, ...], others: tuple[int, ...], seats: int) -> int:
    """Return how many of the best `seats` are one's own; ties go to the others."""
    ranked = sorted([(-it, 1) for it in own] + [(-it, 0) for it in others])
    return sum(mine for _, mine in ranked[:seats])


def test_37_percent_of_turnout_makes_two_fifths_out_of_a_fifth() -> None:
    assert Fraction(1, 5) / (Fraction(1, 5) + Fraction(4, 5) * Fraction(3, 8)) == Fraction(2, 5)
    assert "less than 37.5% of the rest" in usual("custodial-stake").findings[2]


def test_shares_by_tenure_are_those_of_the_part_of_governance() -> None:
    power: Any = load("by_tenure(full=30)")
    for held, (share, *_) in zip(custodial_stake.HELD, cells("custodial-stake", 1).values()):  # noqa: B905
        counted = power(Epoch([0.41, 0.59], np.eye(2), tenure=[held, np.inf]))
        assert share == pytest.approx(counted[0] / counted.sum())


def test_stake_by_tenure_sweeps_after_nine_days() -> None:
    """.41 t / 30 exceeds .59 / 5, what each of five lists has, from t = 8.6 on."""
    assert ceil(30 * 0.59 / 5 / 0.41) == 9
    assert "staked for 9 days to take all 20" in usual("custodial-stake").findings[3]
