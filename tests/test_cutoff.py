"""How many principals it takes, by channel: closed forms, and what cannot be asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from tests.data import shared
from trilemma.cutoff import CHANNELS, MIX, Cut, Terms, cutoff
from trilemma.cutoff.coalitions import coalitions
from trilemma.cutoff.trial import Trial
from trilemma.errors import PluginError, UsageError
from trilemma.importers import read
from trilemma.model import FloatArray, World
from trilemma.power import nakamoto_of
from trilemma.registry import load
from trilemma.worlds import Preset

SMALL = Preset(validators=20, miners=6, noise=0.0)
SHORT = Terms(epochs=6, warm_up=1)


def world(stake: Any = None, seats: tuple[int, ...] = (0, 1, 2)) -> World:
    """Return a world without noise; its validators are sorted by stake."""
    found = SMALL.twin(1) if stake is None else _with(np.asarray(stake, float))
    return replace(found, seats=np.array(seats, np.int64))


def _with(stake: FloatArray) -> World:
    found = replace(SMALL, stake="equal", validators=stake.size).twin(1)
    return replace(found, stake=np.sort(stake)[::-1] / stake.sum())


def governed(suspension: str, inner: str = "uniform") -> str:
    return f"governed(inner={inner}, suspension={suspension})"


def number(spec: str, channel: str, there: World, terms: Terms = SHORT) -> int | None:
    return cutoff(spec, [there], terms, (channel,)).numbers[channel]


# --- keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("needed", [1, 2, 3])
@pytest.mark.parametrize("held", [(19, 19, 19), (19, 19, 18), (19, 18, 17)])
def test_keys_take_as_many_principals_as_arithmetic_says(
    held: tuple[int, ...], needed: int
) -> None:
    seats = sorted((held.count(it) for it in {*held}), reverse=True)
    expected = next(k for k in (1, 2, 3) if sum(seats[:k]) >= needed)
    spec = governed(f"lasting(of=keys(needed={needed}))")
    assert number(spec, "orders", world(seats=held)) == expected


def test_a_key_does_not_need_stake_nor_another_channel() -> None:
    answer = cutoff(governed("keys(needed=1, seats=(0,))"), [world(seats=(19,))], SHORT)
    assert answer.numbers == {**dict.fromkeys(CHANNELS), "orders": 1, MIX: 1}
    cut = answer.cuts["orders"]
    assert (cut.lost, cut.to_bite, cut.until_undone) == (1.0, 0, None)
    assert cut.members == ("holder 20 (1.5% of the stake) in seat 0",)


# --- votes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.25, 0.5, 0.6, 0.667])
@pytest.mark.parametrize("outsiders", ["opposed", "absent"])
def test_votes_of_all_stake_take_the_nakamoto_number(threshold: float, outsiders: str) -> None:
    there = world()
    spec = governed(f"vote(threshold={threshold}, of='all')")
    expected = nakamoto_of([*there.stake], threshold)
    assert number(spec, "votes", there, replace(SHORT, outsiders=outsiders)) == expected


@pytest.mark.parametrize("threshold", [0.25, 0.5, 0.6])
def test_so_do_votes_cast_where_everybody_else_votes_against(threshold: float) -> None:
    there = world()
    spec = governed(f"vote(threshold={threshold})")
    assert number(spec, "votes", there) == nakamoto_of([*there.stake], threshold)


def test_root_2024_takes_four_and_a_real_subnet_its_own_number() -> None:
    assert number(governed("vote"), "votes", Preset(miners=4).twin(0)) == 4
    network = read([shared("networks/bittensor-sn31/sn31_dense.npz")])
    stake = network.stake[0][network.stake[0] > 0].astype(float)
    assert number(governed("vote"), "votes", world(stake)) == nakamoto_of([*stake], 0.5)


def test_an_empty_room_is_taken_by_whoever_comes() -> None:
    absent = replace(SHORT, outsiders="absent")
    assert number(governed("vote(quorum=0)"), "votes", world(), absent) == 1
    assert number(governed("vote(quorum=0.5)"), "votes", world(), absent) == 4


def test_one_identity_one_vote_takes_more_than_half_of_them() -> None:
    spec = governed("vote(electorate=by_identity, of='all')")
    assert number(spec, "votes", world([1.0] * 13)) == 7
    assert number(spec, "votes", world()) is None  # 11 of 20: more than ten


# --- appeal, delay, expiry -----------------------------------------------------------------------


@pytest.mark.parametrize(("members", "reverse"), [(1, 1), (3, 1), (3, 2), (3, 3), (5, 2), (5, 4)])
@pytest.mark.parametrize("hearing", [0, 2, 3])
def test_an_appeal_takes_as_many_more_as_block_it_if_it_comes_in_time(
    members: int, reverse: int, hearing: int
) -> None:
    panel = tuple(range(1, 1 + members))
    there = world(seats=(19, *range(18, 18 - members, -1)))
    order = "lasting(of=keys(needed=1, seats=(0,)))"
    spec = governed(
        f"appeal(of={order}, to=keys(needed={reverse}, seats={panel}), hearing={hearing})"
    )
    in_time = hearing / SHORT.epochs < SHORT.delta
    cut = cutoff(spec, [there], SHORT, ("orders",)).cuts["orders"]
    assert cut.number == (1 + members - reverse + 1 if in_time else 1)
    if not in_time:
        assert cut.until_undone == hearing
        assert cut.lost == pytest.approx(hearing / SHORT.epochs)


def test_an_appeal_against_a_vote_adds_its_blocking_members_to_the_nakamoto_number() -> None:
    apart = [30, 13, 12, 9, 8, 7, 6, 5, 4, 3, 2, 1, *[1e-9] * 3]  # the panel has no say in votes
    there = world(apart, seats=(0, 1, 2, 14, 13, 12))
    for needed, blocking in ((1, 3), (2, 2), (3, 1)):
        spec = governed(f"appeal(of=vote, to=keys(needed={needed}, seats=(3, 4, 5)))")
        assert number(spec, "votes", there) == 3 + blocking


@pytest.mark.parametrize("delay", [1, 2, 4, 5])
@pytest.mark.parametrize("expiry", [1, 3, 9])
def test_standing_orders_bite_after_the_delay_and_end_with_the_expiry(
    delay: int, expiry: int
) -> None:
    terms = Terms(epochs=6, warm_up=0)
    order = f"delayed(of=keys(needed=1, seats=(0,)), epochs={delay})"
    spec = governed(f"lasting(of={order}, epochs={expiry}, cooldown=99)")
    cut = cutoff(spec, [world(seats=(3,))], terms, ("orders",)).cuts["orders"]
    suspended = max(0, min(expiry, terms.epochs - delay))
    assert cut.lost == pytest.approx(suspended / terms.epochs)
    assert cut.number == (1 if 2 * suspended >= terms.epochs else None)
    assert cut.to_bite == delay
    assert cut.until_undone == (expiry if delay + expiry < terms.epochs else None)


# --- other channels, and mixes -------------------------------------------------------------------


def test_by_reports_the_mean_is_cut_by_who_holds_half() -> None:
    answer = cutoff("stake_weighted", [world()], SHORT)
    assert answer.numbers["weights"] == 4
    assert answer.numbers[MIX] == 4


def test_sold_tokens_lower_the_price_and_the_mix_takes_no_more_than_a_channel() -> None:
    spec = governed("vote(of='all')", "flow_share(tempo=7200)")
    there = world()
    bought = np.full(there.weights.shape, 0.001) * there.stake[:, None]
    answer = cutoff(spec, [replace(there, flows=bought)], SHORT)
    assert answer.numbers["price"] == 1
    assert answer.numbers["votes"] == 4
    assert answer.cuts[MIX] is answer.cuts["price"]


def test_a_mix_may_take_fewer_than_any_channel() -> None:
    seats = (19, 18)
    both = governed("both(first=keys(needed=1, seats=(0,)), second=vote(threshold=0.2, of='all'))")
    answer = cutoff(both, [world(seats=seats)], SHORT)
    assert answer.numbers == {**dict.fromkeys(CHANNELS), MIX: 2}
    assert answer.cuts[MIX].through == "votes and orders"


def test_withdrawn_stake_costs_those_who_withdraw_and_nobody_else() -> None:
    trial = Trial("it", load("stake_weighted"), world(), SHORT)
    before, after = trial.honest((0,)), trial.run((0,), CHANNELS["delegation"])
    assert after.cost(before) == 1
    assert after.lost(before) == pytest.approx(0, abs=1e-9)


def test_a_share_is_lost_of_the_whole_play_and_not_of_its_worst_epoch() -> None:
    spec = governed("lasting(of=keys(needed=1, seats=(0,)), epochs=2, cooldown=99)")
    cut = cutoff(spec, [world(seats=(3,))], Terms(epochs=5), ("orders",)).cuts["orders"]
    assert cut.number is None
    assert cut.lost == pytest.approx(0.4)
    assert cut.losses.tolist() == pytest.approx([1, 1, 0, 0, 0])


def test_pay_that_vanishes_counts_as_lost() -> None:
    answer = cutoff("dictator", [world(seats=(19,))], SHORT, ("weights",))
    assert answer.numbers["weights"] == 1  # the seat's own report decides


def test_honest_epochs_come_first_and_leave_no_trace_where_nothing_is_carried() -> None:
    cuts = [cutoff("yuma", [world()], Terms(epochs=4, warm_up=n), ("weights",)) for n in (0, 16)]
    numbers = [it.cuts["weights"] for it in cuts]
    assert numbers[0].lost == pytest.approx(numbers[1].lost, abs=1e-9)


# --- what is tried -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_coalitions_have_their_size_and_are_tried_once(size: int) -> None:
    tried = [*coalitions(world(seats=(19, 18, 17, 0)), size)]
    assert {len({*it}) for it in tried} == {size}
    assert len({*tried}) == len(tried)
    assert tuple(range(size)) in tried
    assert len([*coalitions(world(), size, seats=False)]) == 1


@dataclass(frozen=True)
class HolderDecides:
    """The seat's holder, whoever it is, names the miner that is paid nothing."""

    def __call__(self, epoch: Any) -> Any:
        [holder] = epoch.seats
        said = epoch.weights[holder]
        return said / said.sum()


def test_a_rule_that_names_no_seats_but_reads_them_is_found_out() -> None:
    cut = cutoff(HolderDecides(), [world(seats=(19,))], SHORT, ("weights",)).cuts["weights"]
    assert (cut.number, cut.members) == (1, ("holder 20 (1.5% of the stake) in seat 0",))


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"epochs": 0}, "terms: epochs"),
        ({"delta": 0}, "delta must be above 0"),
        ({"delta": 2}, "terms: delta"),
        ({"outsiders": "oposed"}, "did you mean 'opposed'"),
        ({"warm_up": -1}, "terms: warm_up"),
        ({"xi": 2}, "terms: xi"),
    ],
)
def test_terms_out_of_range_are_refused(terms: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Terms(**terms)


@pytest.mark.parametrize(
    ("suspension", "said"),
    [
        ("keys(needed=1, seats=(7,))", "keys: seats names 7, and the world has 3 seats"),
        ("lasting(of=review(of=keys(needed=1)))", "review: panel names 3, and the world has 3"),
        ("appeal(of=vote, to=keys, hearing=6)", "appeal acts after 6 epochs, and the play has 6"),
        ("lasting(of=delayed(of=vote, epochs=9))", "delayed acts after 9 epochs"),
    ],
)
def test_a_rule_that_cannot_be_at_work_in_the_play_is_refused(suspension: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        cutoff(governed(suspension), [world()], SHORT)


def test_questions_without_an_answer_are_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'orders'"):
        cutoff("yuma", [world()], SHORT, ("order",))
    with pytest.raises(UsageError, match="one world or more"):
        cutoff("yuma", [], SHORT)
    with pytest.raises(UsageError, match="no mechanism is called"):
        cutoff("yama", [world()], SHORT)


def test_a_rule_that_fails_is_blamed_by_name() -> None:
    def broken(_: Any) -> Any:
        raise ArithmeticError("no")

    with pytest.raises(PluginError, match="broken failed: ArithmeticError: no"):
        cutoff(broken, [world()], SHORT)


def _cuts(spec: str) -> Iterator[Cut]:
    yield from cutoff(spec, [world()], SHORT).cuts.values()


def test_every_number_is_a_channels_or_the_mix() -> None:
    for cut in _cuts("yuma"):
        assert 0 <= cut.lost <= 1
        assert cut.losses.shape == (SHORT.epochs,)
        assert {*cut.through.split(" and ")} <= {*CHANNELS}
