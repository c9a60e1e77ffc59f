"""What each attack does alone, and the scores at other prices, against the scores themselves."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.report.made import RULES, report
from trilemma.report import Row, Side
from trilemma.report.breakdown import PRICES

ROWS = range(len(RULES))


def row(place: int) -> Row:
    return report().rows[place]


def sides(place: int) -> tuple[Side, Side]:
    return row(place).verified, row(place).free


@pytest.mark.parametrize("place", ROWS)
def test_the_worst_attack_on_pay_is_all_that_sybil_resistance_lacks(place: int) -> None:
    for side in sides(place):
        most = max(it.harm for it in side.by_attack if it.aim == "pay")
        assert most == pytest.approx(1 - side.sybil_resistance.value, abs=1e-9)


@pytest.mark.parametrize("place", ROWS)
def test_no_attack_alone_cuts_off_more_than_all_do(place: int) -> None:
    for side in sides(place):
        cuts = [it.harm for it in side.by_attack if it.aim == "twin"]
        assert max(cuts) <= 1 - side.neutrality.value + 1e-9
        assert sum(cuts) >= 1 - side.neutrality.value - 1e-9


@pytest.mark.parametrize("place", ROWS)
def test_more_identities_never_make_an_attack_milder(place: int) -> None:
    verified, free = sides(place)
    after = {(it.attack, it.aim): it.harm for it in free.by_attack}
    for it in verified.by_attack:
        assert after[it.attack, it.aim] >= it.harm - 1e-9


@pytest.mark.parametrize("place", ROWS)
def test_attacks_that_do_nothing_have_no_play_and_others_name_theirs(place: int) -> None:
    for side in sides(place):
        for it in side.by_attack:
            assert (it.play == "none") == (it.harm == 0)
            assert it.harm == 0 or it.play.startswith(it.attack)


@pytest.mark.parametrize("place", ROWS)
def test_scores_never_fall_as_identities_get_dearer(place: int) -> None:
    points = row(place).by_price
    assert [it.price for it in points] == sorted(PRICES)
    for one, other in pairwise(points):
        for name in ("sybil_resistance", "neutrality", "quality_attacked", "minimum"):
            assert getattr(other, name).value >= getattr(one, name).value - 1e-9


@pytest.mark.parametrize("place", ROWS)
def test_the_scores_at_the_budgets_price_are_the_scores(place: int) -> None:
    here = next(it for it in row(place).by_price if it.price == report().budget.identity_cost)
    free = row(place).free
    for name in ("sybil_resistance", "neutrality", "quality_attacked", "minimum"):
        assert getattr(here, name) == getattr(free, name)


def test_dear_identities_are_as_good_as_verified_ones() -> None:
    for one in report().rows:
        dear = one.by_price[-1]
        assert dear.price == 0.1
        assert dear.sybil_resistance.value <= one.verified.sybil_resistance.value + 1e-9


def test_only_rules_with_known_scores_are_controls() -> None:
    assert [it.label for it in report().rows if it.control] == ["dictator", "uniform"]


def test_pay_by_stake_is_as_concentrated_as_stake() -> None:
    from trilemma.compare import compare
    from trilemma.model import Budget
    from trilemma.worlds import Preset

    found = compare(
        ["stake_proportional"],
        world=Preset(validators=12, miners=16),
        worlds=2,
        budget=Budget(identities=1, evaluations=0),
        workers=1,
    )
    stake, pay = found.stake_concentration, found.rows[0].concentration
    assert pay.hhi == pytest.approx(stake.hhi)
    assert pay.nakamoto == stake.nakamoto
    # principals who hold no stake, the miners', earn nothing: only Gini sees them
    assert pay.gini > stake.gini
