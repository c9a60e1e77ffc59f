"""Who may suspend, when it bites, and who can undo it: part by part."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.naive_governance import (
    FIRST,
    SECOND,
    SIGNS,
    decided,
    on_one,
    shown,
    slow_appeal,
    slow_delayed,
    slow_lasting,
    slow_review,
    slow_vote,
)
from trilemma import Preset
from trilemma.attacks import moves
from trilemma.dynamics import simulate
from trilemma.errors import UsageError
from trilemma.model import AnyArray, Epoch
from trilemma.registry import label, load
from trilemma_mechanisms.controls import Uniform
from trilemma_mechanisms.governance import (
    Appeal,
    Both,
    ByConviction,
    ByIdentity,
    ByStake,
    ByTenure,
    Delayed,
    Keys,
    Lasting,
    Override,
    Review,
    Suspension,
    Vote,
)
from trilemma_mechanisms.governed import Governed

SPANS = st.sampled_from((1, 2, 3, math.inf))
SHARES = (0.0, 1 / 3, 0.5, 0.75)

some = settings(deadline=None, max_examples=40)
many = settings(deadline=None, max_examples=100)

# --- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needed", "seats"), [(k, s) for s in (1, 2, 3, 4) for k in range(1, s + 1)]
)
def test_k_of_s_seats_suspend_and_k_of_s_reinstate(needed: int, seats: int) -> None:
    """All that s seats can say, one miner for each; where both sides have k, suspension counts."""
    said = [*product(SIGNS, repeat=seats)]
    found = Keys(needed, tuple(range(seats)))(shown(np.array(said).T.tolist())).decision
    assert found.tolist() == [
        1 if it.count(1) >= needed else -1 if it.count(-1) >= needed else 0 for it in said
    ]


def test_a_seat_that_nobody_holds_orders_nothing() -> None:
    epoch = shown([[1, -1], [1, -1]])
    assert Keys(1, (1, 7))(epoch).decision.tolist() == [1, -1]
    assert Keys(2, (1, 7))(epoch).decision.tolist() == [0, 0]
    assert Keys(2, (0, 1))(Epoch([1], [[1, 1]])).decision.tolist() == [0, 0]


def test_who_holds_several_seats_has_as_many_keys() -> None:
    world = Preset("equal", validators=3, miners=4).twin(1)
    for seats, expected in (([0, 0, 1], 1), ([0, 1, 1], 0)):
        held = replace(world, adversary=(0,), seats=np.array(seats))
        [target, *_] = held.places()[1][list(held.twins)]
        assert Keys()(moves.order(held).epoch()).decision[target] == expected


# --- ballots --------------------------------------------------------------------------------------


def voted(part: Vote, stake: Any, *ballots: Sequence[int], **facts: Any) -> list[int]:
    """Return what is decided on miners on whom the validators vote so."""
    return [int(it) for it in part(shown(votes=np.array(ballots).T, stake=stake, **facts)).decision]


@pytest.mark.parametrize(
    ("given", "stake", "ballot", "expected"),
    [
        ({"threshold": 1 / 3}, [1, 1, 1], (1, -1, -1), -1),  # a third is not more than a third
        ({"threshold": 1 / 3}, [1, 1, 1], (1, 1, -1), 1),
        ({"threshold": 0.5}, [0.1] * 10, (1,) * 5 + (-1,) * 5, 0),
        ({"threshold": 0.5}, [0.1] * 10, (1,) * 6 + (-1,) * 4, 1),
        ({"threshold": 0.1, "of": "all"}, [0.1] * 10, (1,) + (0,) * 9, 0),
        ({"threshold": 0.1, "of": "all"}, [0.1] * 10, (1, 1) + (0,) * 8, 1),
        ({"quorum": 0.3}, [0.1] * 10, (1, 1, 1) + (0,) * 7, 1),  # reached, though 3 * 0.1 > 0.3
        ({"quorum": 0.3}, [0.1] * 10, (1, 1) + (0,) * 8, 0),
        ({"quorum": 1}, [1, 1, 1], (1, 1, -1), 1),
        ({"quorum": 1}, [1, 1, 1], (1, 1, 0), 0),
        ({"quorum": 1}, [1, 1, 0], (1, 1, 0), 1),  # who has nothing need not come
        ({"threshold": 0}, [1, 99], (1, -1), 1),  # both have what it takes: suspension counts
        ({"of": "cast"}, [2, 1, 9], (1, -1, 0), 1),
        ({"of": "all"}, [2, 1, 9], (1, -1, 0), 0),
        ({"of": "all"}, [2, 1, 9], (0, 0, -1), -1),
        ({}, [1, 10**15], (1, 0), 1),  # an empty room: one ballot suspends
        ({}, [0, 1], (1, 0), 0),  # but none without power
        ({"electorate": ByIdentity()}, [0, 1], (1, 0), 1),
        ({"electorate": ByIdentity()}, [1, 1, 99], (1, 1, -1), 1),
        ({}, [1, 1, 99], (1, 1, -1), -1),
        ({}, [0, 0], (1, 1), 0),
        ({}, [2**60, 2**60 - 1], (1, -1), 1),
    ],
    ids=str,
)
def test_a_ballot_is_counted_exactly(
    given: dict[str, Any], stake: Any, ballot: Sequence[int], expected: int
) -> None:
    turned = [-it for it in ballot]
    opposite = expected if given.get("threshold") == 0 else -expected
    assert voted(Vote(**given), stake, ballot, turned) == [expected, opposite]


@many
@given(
    st.sampled_from((*SHARES, 0.1, 1.0)),
    st.sampled_from((*SHARES, 0.1, 0.9)),
    st.sampled_from(("cast", "all")),
    st.lists(st.integers(0, 5), min_size=4, max_size=4),
    arrays(np.int8, (4, 6), elements=st.sampled_from(SIGNS)),
    st.sampled_from((1, 0.5, 2.0**-1070, 2.0**1000)),
)
def test_ballots_are_counted_as_in_fractions(
    quorum: float, threshold: float, of: Any, stake: list[int], votes: AnyArray, unit: float
) -> None:
    for electorate in (ByStake(), ByIdentity()):
        part = Vote(electorate, quorum, threshold, of)
        power = stake if electorate == ByStake() else [1] * 4
        found = part(shown(votes=votes, stake=[it * unit for it in stake])).decision.tolist()
        assert found == [slow_vote(part, power, column) for column in votes.T.tolist()]


# --- electorates ----------------------------------------------------------------------------------


def power(electorate: Callable[[Epoch], AnyArray], stake: Any, tenure: Any) -> AnyArray:
    return np.asarray(electorate(Epoch(stake, np.ones((len(stake), 1)), tenure=tenure)))


def test_flash_stake_counts_by_the_part_of_its_time() -> None:
    found = power(ByTenure(30), [60, 60, 60, 60, 60], [0, 1, 15, 30, math.inf])
    np.testing.assert_allclose(found, [0, 2, 30, 60, 60], rtol=1e-15)
    for flash, expected in ((29, -1), (31, 1)):  # thirty flash tokens weigh as much as one
        assert voted(Vote(ByTenure(30)), [flash, 1], (1, -1), tenure=[1, 30]) == [expected]


def test_without_tenure_no_ballot_is_heard() -> None:
    assert voted(Vote(ByTenure()), [5, 5], (1, 1), tenure=[0, 0]) == [0]


def test_half_of_a_perpetual_locks_conviction_is_there_after_about_90_epochs() -> None:
    early, late = ByConviction().conviction(np.array([90.0, 91]))
    assert early < 0.5 < late
    held = ByConviction().conviction(np.array([0, 130 * math.log(2), 130, math.inf]))
    np.testing.assert_allclose(held, [0, 0.5, 1 - 1 / math.e, 1], rtol=1e-15)


def test_a_lock_that_unlocks_peaks_at_its_maturity_at_the_eth_part() -> None:
    """Source: the formulas of the chain, m (t/tm) exp(-t/tm)."""
    lock, time = ByConviction(130, 130), np.arange(2000.0)
    found = lock.conviction(time)
    np.testing.assert_allclose(found, time / 130 * np.exp(-time / 130), rtol=1e-13)
    assert found.argmax() == 130
    assert found.max() == pytest.approx(1 / math.e, rel=1e-15)


@pytest.mark.parametrize(("maturity", "unlocking"), [(130, 65), (130, 400), (2, 3), (7, 0.5)])
def test_at_unequal_rates_conviction_is_the_difference_of_two_decays(
    maturity: float, unlocking: float
) -> None:
    time = np.array([0.1, 1, 5, 50, 300])
    decays = np.exp(-time / unlocking) - np.exp(-time / maturity)
    found = 5 * unlocking / (unlocking - maturity) * decays
    lock = ByConviction(maturity, unlocking)
    np.testing.assert_allclose(power(lock, [5] * 5, time), found, rtol=1e-11)


@pytest.mark.parametrize("off", [1e-3, 1e-6, 1e-9, 1e-12, 1e-15, 2.3e-16])
def test_rates_that_are_nearly_equal_give_nearly_what_equal_ones_give(off: float) -> None:
    time = np.array([0, 1, 130, 1e4, math.inf])
    equal = ByConviction(130, 130).conviction(time)
    for unlocking in (130 * (1 + off), 130 * (1 - off)):
        found = ByConviction(130, unlocking).conviction(time)
        np.testing.assert_allclose(found, equal, rtol=100 * off + 1e-15)


@pytest.mark.parametrize("maturity", [1e-300, 1e-9, 1, 1e9])
@pytest.mark.parametrize("unlocking", [1e-9, 1, 1e9, math.inf])
def test_forever_is_full_conviction_or_none_whatever_the_rates(
    maturity: float, unlocking: float
) -> None:
    found = ByConviction(maturity, unlocking).conviction(np.array([0, math.inf]))
    assert found.tolist() == [0, unlocking == math.inf]
    assert power(ByTenure(maturity), [1, 1], [1e300, math.inf]).tolist() == [1, 1]


# --- time -----------------------------------------------------------------------------------------


def costs(part: Suspension, epochs: list[Epoch]) -> list[float]:
    """Return what a play of 1, 2, ... epochs takes from its target under equal pay, as a share."""
    paid = simulate(Governed(Uniform(), part), epochs).incentive[:, 0]
    return [float(1 - np.mean(2 * paid[: length + 1])) for length in range(paid.size)]


def against_the_first(script: Sequence[int]) -> list[Epoch]:
    """Return the epochs in which a seat orders so of the first of two miners."""
    return [shown([[it, 0]]) for it in script]


@pytest.mark.parametrize("delay", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("expiry", [1, 2, 3, 7, math.inf])
def test_one_order_costs_its_target_what_is_left_after_the_delay_up_to_the_expiry(
    delay: int, expiry: float
) -> None:
    part = Lasting(Delayed(FIRST, delay) if delay else FIRST, expiry)
    found = costs(part, against_the_first([1] + [0] * 8))
    expected = [max(0, min(expiry, T - delay)) / T for T in range(1, 10)]
    assert found == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("expiry", [1, 2, 3])
@pytest.mark.parametrize("cooldown", [0, 1, 2, 4])
def test_standing_orders_cost_expiry_by_expiry_and_cooldown(expiry: int, cooldown: int) -> None:
    period = expiry + cooldown
    found = costs(Lasting(FIRST, expiry, cooldown), against_the_first([1] * 3 * period))
    assert found[period - 1 :: period] == pytest.approx([expiry / period] * 3, abs=1e-15)
    assert min(found) >= expiry / period - 1e-15  # at most so, in the long run


@pytest.mark.parametrize(
    ("part", "script", "expected"),
    [
        (Delayed(FIRST, 2), (1, 1, 1, 1, 0, 0, 0), (0, 0, 1, 1, 1, 1, 0)),
        (Delayed(FIRST, 2), (1, 0, -1, 0, 0), (0, 0, -1, 0, 0)),  # taken back as it bites
        (Delayed(FIRST, 3), (1, 1, -1, 1, 0, 0, 0), (0, 0, -1, 0, 0, 0, 1)),  # and while pending
        (Lasting(FIRST), (1, 0, 0, -1, 0, 1), (1, 1, 1, -1, 0, 1)),
        (Lasting(FIRST, 3), (1, 0, -1, 0, 0), (1, 1, -1, 0, 0)),
        (Lasting(FIRST, 3), (1, 0, 1, 0, 0), (1, 1, 1, 0, 0)),  # is not lengthened
        (Lasting(FIRST, 2, 2), (1, 1, 1, 1, 1, 1), (1, 1, 0, 0, 1, 1)),
        (Lasting(FIRST, 5, 2), (1, -1, 1, 1, 1), (1, -1, 0, 0, 1)),  # rests once taken back, too
        (Lasting(Delayed(FIRST, 2)), (1, -1, 0, 0, 0), (0, -1, 0, 0, 0)),
        (Lasting(Delayed(FIRST, 1)), (1, 0, 0, -1, 0), (0, 1, 1, -1, 0)),
    ],
    ids=str,
)
def test_what_is_taken_back_ends_at_once(
    part: Suspension, script: Sequence[int], expected: Sequence[int]
) -> None:
    assert on_one(part, script) == [*expected]


SCRIPT = st.lists(st.sampled_from((1, 1, 0, -1)), min_size=12, max_size=12)


@some
@given(st.integers(1, 4), SPANS | st.integers(4, 6), st.integers(0, 4), SCRIPT)
def test_delays_and_terms_pass_as_on_a_calendar(
    delay: int, epochs: float, cooldown: int, script: list[int]
) -> None:
    late, lasting = Delayed(FIRST, delay), Lasting(FIRST, epochs, cooldown)
    assert on_one(late, script) == [*slow_delayed(late, script)]
    assert on_one(lasting, script) == [*slow_lasting(lasting, script)]


# --- appeal ---------------------------------------------------------------------------------------


@many
@given(st.integers(0, 3), st.sampled_from((1, 2, math.inf)), SPANS, SCRIPT, SCRIPT)
def test_an_appeal_is_heard_in_its_window_and_stands_for_a_while(
    hearing: int, longer: float, final: float, script: list[int], verdicts: list[int]
) -> None:
    part = Appeal(FIRST, SECOND, hearing, hearing + longer, final)
    assert on_one(part, script, verdicts) == [*slow_appeal(part, script, verdicts)]


@pytest.mark.parametrize("others", [0, 1])
def test_a_suspension_stands_if_so_many_of_the_panel_do_not_reverse_that_too_few_are_left(
    others: int,
) -> None:
    """Whether those others say nothing, or want it to stand: they do not outweigh who reverses."""
    for panel in range(1, 6):
        for needed in range(1, panel + 1):
            part = Appeal(FIRST, Keys(needed, tuple(range(1, panel + 1))))
            for kept in range(panel + 1):
                said = [[1], *[[others]] * kept, *[[-1]] * (panel - kept)]
                stands = kept >= panel - needed + 1
                assert part(shown(said)).decision.tolist() == [1 if stands else -1]


def test_a_ballot_reverses_though_suspension_has_what_it_takes_as_well() -> None:
    """At a third, two of five are enough to reverse, and three of five to suspend once more."""
    part = Appeal(FIRST, Vote(threshold=1 / 3))
    for voters, expected in ((2, -1), (1, 1)):
        votes = [[-1]] * voters + [[1]] * (5 - voters)
        assert part(shown([[1]], votes, [1] * 5)).decision.tolist() == [expected]


def test_a_verdict_that_is_on_record_counts_once_the_hearing_begins_and_not_after_the_window() -> (
    None
):
    of, to = [1] * 6, [-1] * 6
    assert on_one(Appeal(FIRST, SECOND, 2, final=2), of, to) == [1, 1, -1, 0, 1, 1]
    assert on_one(Appeal(FIRST, SECOND, 0, 1, final=1), of, to) == [-1] * 6
    assert on_one(Appeal(FIRST, SECOND, 1, 2), of, [0, 0, *to[2:]]) == [1] * 6
    assert on_one(Lasting(Appeal(FIRST, SECOND, 1)), of, to) == [1, -1, 0, 0, 0, 0]


# --- review ---------------------------------------------------------------------------------------


def reviewed(part: Review, ayes: int, nays: int, length: int = 12) -> list[int]:
    """Return what comes of an approval in the first epoch by two of three, and a panel that stays.

    So many of the panel are for it and against it throughout.
    """
    size = len(part.panel)
    panel = [[1]] * ayes + [[-1]] * nays + [[0]] * (size - ayes - nays)
    epochs = [shown([[it], [it], [0], *panel]) for it in (1, *[0] * (length - 1))]
    return [int(it) for it in decided(part, epochs)[:, 0]]


def test_the_panels_shares_are_counted_in_seats() -> None:
    part = Review(delay=4, longest=8)
    assert reviewed(part, 24, 0) == [1] + [0] * 11  # three quarters of 32: at once
    assert reviewed(part, 23, 0) == [0, 1] + [0] * 10
    assert reviewed(part, 0, 17) == [0] * 12  # 51 % of 32 is 16.32
    assert reviewed(part, 0, 16).index(1) == 8
    for delay in (0, 1, 5):
        assert reviewed(Review(delay=delay, longest=9), 0, 0).index(1) == delay
        assert reviewed(Review(delay=delay, longest=9), 3, 3).index(1) == delay


def test_net_support_moves_the_date_along_a_cubic_curve() -> None:
    part = Review(delay=7, longest=50)
    net = np.arange(-32, 33)
    support = np.minimum(abs(net) / np.where(net >= 0, 24, 17), 1)
    curve = 1 - (1 - support) ** 3
    expected = np.where(net >= 0, 7 * (1 - curve), 7 + curve * 43)
    np.testing.assert_allclose(part.scheduled(net), expected, rtol=1e-13, atol=1e-13)
    assert part.scheduled(np.array([-17, 0, 24])).tolist() == [50, 7, 0]


def test_a_date_that_falls_on_an_epoch_is_not_missed_by_rounding() -> None:
    """One of three leaves two thirds, and their cube 8 of 27 epochs; floats say a little more."""
    part = Review(FIRST, (1, 2, 3), delay=27, longest=54, enacts=1, cancels=1)
    assert part.scheduled(np.array([1, -1])).tolist() == [8, 46]


@many
@given(
    st.integers(0, 6),
    st.integers(0, 6),
    st.sampled_from((0.25, 0.5, 0.75, 1.0)),
    st.sampled_from((0.25, 0.51, 1.0)),
    st.lists(st.tuples(*[st.sampled_from((*SIGNS, 1))] * 5), min_size=9, max_size=9),
)
def test_a_review_keeps_its_calendar(
    delay: int, more: int, enacts: float, cancels: float, said: list[tuple[int, ...]]
) -> None:
    part = Review(FIRST, (1, 2, 3, 4), delay, delay + more, enacts, cancels)
    found = on_one(part, *zip(*said, strict=True))
    assert found == [*slow_review(part, [it[0] for it in said], [it[1:] for it in said])]


# --- two bodies -----------------------------------------------------------------------------------

PAIRS = [(it, other) for it in SIGNS for other in SIGNS]


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        (Both, {(1, 1): 1, (-1, -1): -1, (1, -1): -1, (-1, 1): -1, (-1, 0): -1, (0, -1): -1}),
        (
            Override,
            {(it, 0): it for it in SIGNS} | {(it, by): by for it in SIGNS for by in (1, -1)},
        ),
    ],
)
def test_two_bodies_decide_by_their_table(
    kind: Callable[..., Suspension], table: dict[tuple[int, int], int]
) -> None:
    found = kind(FIRST, SECOND)(shown(np.array(PAIRS).T.tolist())).decision
    assert found.tolist() == [table.get(pair, 0) for pair in PAIRS]


# --- nonsense -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (Keys, {"needed": 4}, "needed must be 1 to 3, as many as there are seats, not 4"),
        (Keys, {"needed": 0}, "needed must be 1 to 3, .*, not 0"),
        (Keys, {"needed": 1.5}, r"needed must be 1 to 3, .*, not 1\.5"),
        (Keys, {"needed": True}, "needed must be 1 to 3, .*, not True"),
        (Keys, {"seats": ()}, "seats must name one seat or more; a body without members never"),
        (Keys, {"seats": (0, 1, 0)}, r"seats must be different .*, not \(0, 1, 0\)"),
        (Keys, {"seats": (0, -1)}, r"seats must be different places of seats, 0, 1, \.\.\., not"),
        (Keys, {"seats": (0.5, 1)}, "seats must be different places"),
        (Keys, {"seats": (0, True)}, "seats must be different places"),
        (Review, {"panel": ()}, "panel must name one seat or more"),
        (Review, {"panel": (3, 3)}, "panel must be different places"),
        (Review, {"delay": 3}, "longest must be a whole number, 3 or more, not 2"),
        (Review, {"delay": -1}, "delay must be a whole number, 0 or more, not -1"),
        (Review, {"enacts": 0}, r"enacts must be in \(0, 1\], not 0"),
        (Review, {"cancels": math.nan}, r"cancels must be in \(0, 1\], not nan"),
        (Vote, {"threshold": 1}, r"threshold must be in \[0, 1\), not 1"),
        (Vote, {"threshold": math.nan}, "threshold must be .* not nan"),
        (Vote, {"quorum": 2}, r"quorum must be in \[0, 1\], not 2"),
        (Vote, {"of": "most"}, "of must be 'cast' or 'all', not 'most'"),
        (Vote, {"electorate": "stake"}, "electorate must be such as by_stake, not 'stake'"),
        (Appeal, {"hearing": 2, "window": 2}, "window must be longer than the hearing of 2"),
        (Appeal, {"final": 0}, "final must be a whole number, 1 or more, not 0"),
        (Appeal, {"hearing": -1}, "hearing must be a whole number, 0 or more, not -1"),
        *(
            (kind, {"epochs": value}, f"epochs must be a whole number, 1 or more, not {value}")
            for kind in (Delayed, Lasting)
            for value in (0, 0.5, -1, math.nan, True, -math.inf)
        ),
        (Delayed, {"epochs": math.inf}, "epochs must be a whole number, 1 or more, not inf"),
        (Lasting, {"cooldown": 0.5}, r"cooldown must be a whole number, 0 or more, not 0\.5"),
        (ByTenure, {"full": 0}, "full must be a number of epochs above 0, not 0"),
        (ByConviction, {"maturity": math.inf}, "maturity must be .* not inf"),
        (ByConviction, {"unlocking": math.nan}, "unlocking must be above 0, or inf, not nan"),
    ],
    ids=str,
)
def test_nonsense_is_refused_with_its_reason(
    kind: Callable[..., object], given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        kind(**given)


def test_nonsense_in_a_spec_is_refused_as_a_users_mistake() -> None:
    with pytest.raises(UsageError, match="epochs must be a whole number, 1 or more, not 0"):
        load("governed(suspension=delayed(epochs=0))")


def test_a_whole_number_of_epochs_may_be_written_as_a_float() -> None:
    late: Any = 2.0
    assert on_one(Delayed(FIRST, late), [1, 0, 0]) == [0, 0, 1]
    assert label(Delayed(FIRST, late)) == label(Delayed(FIRST, 2))
