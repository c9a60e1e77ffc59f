"""Cost curves: `trilemma.sweep`, what attacks cost, and `trilemma sweep`."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.few_attacks import few_attacks
from tests.test_cli import asked, complaint, folder
from trilemma import Budget, Epoch, Preset, UsageError, compare, sweep
from trilemma.axes import Setting, grid, varied
from trilemma.model import FloatArray, IntArray
from trilemma.registry import load_each
from trilemma.report.sweep import Curve, Point, Sweep
from trilemma.thresholds import NOWHERE, between, estimate, first, located, turns

__all__ = ["few_attacks", "folder"]  # fixtures that every test here takes

WORLD = Preset("pareto(1.2)", validators=8, miners=7)
BUDGET = Budget(stake=0.2, identities=8, evaluations=0)
RULES = ("yuma", "quadratic")
SCORES = ("sybil_resistance", "neutrality", "quality", "quality_attacked", "minimum")
SIZES = ("--stake=pareto(1.2)", "--validators=8", "--miners=7", "--worlds=2", "--quiet")
SMALL = (*SIZES, "--identities=8", "--attacker-stake=0.2")


def small(over: str, values: Any, *mechanisms: Any, **asked: Any) -> Sweep:
    known: dict[str, Any] = {"world": WORLD, "worlds": 2, "budget": BUDGET, "workers": 1}
    return sweep(mechanisms or RULES, over=over, values=values, **{**known, **asked})


def assert_as_compared(points: dict[str, Point], **asked: Any) -> None:
    """Hold one point of every curve to a comparison of its own."""
    known: dict[str, Any] = {"world": WORLD, "worlds": 2, "budget": BUDGET, "workers": 1}
    report = compare([point.label for point in points.values()], **{**known, **asked})
    for row in report.rows:
        [point] = [point for point in points.values() if point.label == row.label]
        for score in SCORES:
            expected = getattr(row.free, score)
            found = getattr(point, score)
            assert (found.value, found.low, found.high) == pytest.approx(
                (expected.value, expected.low, expected.high), abs=1e-12
            )
        assert point.worst_sybil_play == row.free.worst_sybil_play


def at(answer: Sweep, place: int) -> dict[str, Point]:
    return {curve.label: curve.points[place] for curve in answer.curves}


def minimum(answer: Sweep, label: str) -> list[float]:
    [curve] = [curve for curve in answer.curves if curve.label == label]
    return [point.minimum.value for point in curve.points]


@pytest.fixture(scope="module")
def prices() -> Sweep:
    return small("identity_cost", "0..0.1:3")


@pytest.fixture(scope="module")
def calls() -> int:
    """Return how often one comparison asks."""
    return compare(RULES, world=WORLD, worlds=2, budget=BUDGET, workers=1).calls


# --- every point is a comparison -----------------------------------------------------------------


def test_a_sweep_of_prices_costs_one_comparison_and_every_point_is_one(
    prices: Sweep, calls: int
) -> None:
    assert prices.calls == calls
    assert prices.values == (0, 0.05, 0.1)
    for place, price in enumerate(prices.values):
        assert_as_compared(at(prices, place), budget=replace(BUDGET, identity_cost=price))


@pytest.mark.parametrize(
    ("over", "values", "expected"),
    [
        ("stake", "0..0.2", (0, 0.05, 0.1, 0.15, 0.2)),
        ("identities", "1..8", (1, 2, 4, 8)),
        ("insiders", "1..3", (1, 2, 3)),
    ],
)
def test_budgets_that_nest_are_measured_once(
    over: str, values: str, expected: Any, calls: int
) -> None:
    answer = small(over, values)
    assert answer.values == expected
    assert answer.calls == calls
    for place in (0, 1):  # the last is the comparison that cells are taken from
        value: Any = (expected[place],) if over == "insiders" else expected[place]
        assert_as_compared(at(answer, place), budget=replace(BUDGET, **{over: value}))


@pytest.mark.parametrize(("over", "values"), [("noise", [0.1, 0.4]), ("clone_detection", [0, 1])])
def test_a_parameter_of_the_world_is_measured_anew_at_every_point(over: str, values: Any) -> None:
    answer = small(over, values)
    for place, value in enumerate(values):
        assert_as_compared(at(answer, place), world=replace(WORLD, **{over: value}))
    assert minimum(answer, "yuma")[0] != minimum(answer, "yuma")[1]


def test_a_parameter_of_a_mechanism_leaves_the_others_as_they_are() -> None:
    answer = small("yuma.kappa", [0.3, 0.5, 0.7])
    assert [point.label for point in answer.curves[0].points] == [
        "yuma(kappa=0.3)",
        "yuma",
        "yuma(kappa=0.7)",
    ]
    assert_as_compared(at(answer, 0))
    assert len(set(minimum(answer, "quadratic"))) == 1
    assert [point.at for point in answer.curves[1].points] == [0.3, 0.5, 0.7]


def test_a_mechanism_inside_another_has_parameters_too() -> None:
    answer = small("stake_capped.inner.kappa", [0.4, 0.6], "stake_capped")
    [curve] = answer.curves
    assert curve.points[0].label == "stake_capped(inner=yuma(kappa=0.4))"


def test_the_mechanism_whose_parameter_it_is_is_swept_by_default() -> None:
    answer = sweep(over="quadratic.power", values=[0, 1], world=WORLD, worlds=1, budget=BUDGET)
    assert [curve.label for curve in answer.curves] == ["quadratic"]


def test_whole_parameters_take_whole_numbers() -> None:
    loaded, _ = load_each(["yuma"])
    setting = Setting(loaded, WORLD, BUDGET)
    assert grid(setting, "yuma.version", "2..3") == (2, 3)
    assert grid(setting, "yuma.max_validators", "1..99") == (
        1,
        11,
        21,
        30,
        40,
        50,
        60,
        70,
        79,
        89,
        99,
    )
    assert grid(setting, "validators", "4..6") == (4, 5, 6)
    assert grid(setting, "yuma.kappa", "0.1..0.3:3") == (0.1, 0.2, 0.3)
    label = varied(setting, "yuma.max_validators", 4).mechanisms["yuma"]
    assert type(label.max_validators) is int  # type: ignore[attr-defined]


# --- where the order turns over ------------------------------------------------------------------


def test_between_points_a_price_is_found_at_which_the_order_turns_over() -> None:
    answer = small("identity_cost", "0..0.2:6")
    [crossing] = answer.crossings
    assert (crossing.below, crossing.above) == ("yuma", "quadratic")
    price = crossing.at.value
    assert price is not None
    assert crossing.between[0] < price <= crossing.between[1]
    ahead = []
    for cost in (price * (1 - 1e-4), price * (1 + 1e-4)):
        budget = replace(BUDGET, identity_cost=cost)
        report = compare(RULES, world=WORLD, worlds=2, budget=budget, workers=1)
        yuma, quadratic = (row.free.minimum.value for row in report.rows)
        ahead.append(quadratic > yuma)
    assert ahead == [False, True]
    finer = small("identity_cost", "0..0.2:21").crossings[0]
    assert finer.at.value == pytest.approx(price, abs=1e-8)
    assert (finer.at.low, finer.at.high) == pytest.approx(
        (crossing.at.low, crossing.at.high), abs=1e-5
    )


def test_turns_are_found_by_resample_and_those_without_are_counted() -> None:
    ahead = np.array(
        # all worlds, then resamples: as all; later; never; twice, once in each direction
        [[-2.0, -1, -1, -1, 1], [0, 1, -1, -1, 1], [2, 1, 1, -1, -1], [3, 1, 1, -1, 1]]
    )
    [(sign, points)] = turns(ahead)
    assert sign == 1
    assert points.tolist() == [2, 1, 2, NOWHERE, 3]
    found = between(np.array([0.0, 1, 2, 3]), ahead, points)
    assert found.value == 1  # from a tie on
    assert found.share == 0.75
    assert (found.low, found.high) == pytest.approx((0.55, 2.45))


def test_a_tie_is_no_turn() -> None:
    assert turns(np.array([[0.0, 0], [1, 1], [0, 0], [1e-12, 1], [2, 2]])) == []


def test_halving_finds_the_start_of_every_resample() -> None:
    starts = np.concatenate([[0.5], np.linspace(0.31, 0.69, 1001)])
    values = np.linspace(0, 1, 6)

    def holds(value: float, rows: IntArray) -> Any:
        return value >= starts[rows]

    grid_held = np.array([holds(value, np.arange(starts.size)) for value in values])
    found = located(values, first(grid_held), holds)
    assert found.value == pytest.approx(0.5, abs=1e-8)
    assert (found.low, found.high) == pytest.approx((0.3195, 0.6805), abs=1e-4)
    assert found.share == 1


def test_what_does_not_exist_with_all_worlds_is_none() -> None:
    found = estimate(np.array([np.inf, 1, 2, np.nan, np.inf]))
    assert (found.value, found.low, found.high, found.share) == (None, None, None, 0.5)
    assert str(found) == "none"
    assert str(estimate(np.array([1.0, 1, np.nan]))) == "1 [in 50.0% of resamples]"


def test_intervals_hold_the_value(prices: Sweep) -> None:
    for curve in prices.curves:
        for point in curve.points:
            for it in (*point.costs, *(getattr(point, score) for score in SCORES)):
                if it.value is not None:
                    assert it.low <= it.value <= it.high


# --- what attacks cost ---------------------------------------------------------------------------


def fakes(count: int) -> float:
    """What `count` miners instead of one gain where every miner's account gets the same."""
    return 0.5 * (count / (WORLD.miners + count - 1) - 1 / WORLD.miners)


def test_the_costs_of_equal_pay_are_known() -> None:
    [curve] = small("identity_cost", [0, 1], "uniform").curves
    stake, price, growth = curve.points[0].costs
    assert stake.value == 0
    assert price.value == pytest.approx(fakes(2), abs=1e-8)
    counts = np.array([2, 4, 8])
    slope = np.polyfit(np.log(counts), np.log([fakes(it) for it in counts]), 1)[0]
    assert growth.value == pytest.approx(slope, abs=1e-8)
    assert curve.points[1].break_even_stake.value is None
    assert curve.points[1].break_even_price == price


def test_from_the_break_even_price_on_more_identities_take_no_more_than_one() -> None:
    [curve] = small("identity_cost", [0, 1], "quadratic").curves
    price = curve.points[0].break_even_price.value
    assert price is not None
    assert price > 0.01

    def resistance(**asked: Any) -> float:
        budget = replace(BUDGET, **asked)
        report = compare(["quadratic"], world=WORLD, worlds=2, budget=budget, workers=1)
        return report.rows[0].free.sybil_resistance.value

    alone = resistance(identities=1)
    assert resistance(identity_cost=price) == pytest.approx(alone, abs=1e-8)
    assert resistance(identity_cost=0.99 * price) < alone - 1e-5


def test_who_gains_nothing_has_no_break_even_point() -> None:
    [curve] = small("identity_cost", [0, 1], "stake_proportional").curves
    stake, price, growth = curve.points[0].costs
    assert (stake.value, price.value, growth.value) == (None, 0, None)


def test_a_smaller_stake_breaks_even_at_a_price_no_higher() -> None:
    [curve] = small("stake", "0.05..0.2", "quadratic").curves
    prices = [point.break_even_price.value or 0.0 for point in curve.points]
    assert all(one <= other for one, other in pairwise(prices))
    assert prices[0] < prices[-1]


# --- targets -------------------------------------------------------------------------------------


def curve_of(answer: Sweep, label: str) -> Curve:
    [curve] = [curve for curve in answer.curves if curve.label == label]
    return curve


def test_the_smallest_price_that_meets_a_target_meets_it() -> None:
    answer = small("identity_cost", "0..0.2:5", until="sybil_resistance >= 0.9")
    meets = curve_of(answer, "quadratic").meets
    assert meets is not None
    assert meets.value is not None
    found = small("identity_cost", [meets.value * (1 - 1e-6), meets.value], "quadratic")
    below, there = (point.sybil_resistance.value for point in found.curves[0].points)
    assert below < 0.9 <= there
    assert meets.value == pytest.approx(meets.low, abs=0.01)
    assert answer.met


def test_where_prices_are_not_swept_the_first_point_that_meets_it_is_said() -> None:
    answer = small("noise", [0, 0.2, 2], worlds=1, until="quality >= 0")
    assert [it.meets.value for it in answer.curves if it.meets] == [0, 0]


def test_what_no_point_meets_is_said_with_what_is_reached() -> None:
    answer = small("identity_cost", "0..0.1:3", until="minimum >= 1")
    assert not answer.met
    best = max(minimum(answer, "yuma"))
    assert f"  yuma: none in this range; at most {best:.3g}" in str(answer).splitlines()


# --- who fails, what is kept ---------------------------------------------------------------------


@dataclass(frozen=True)
class Fragile:
    limit: float = 1.0

    def __call__(self, epoch: Epoch) -> FloatArray:
        if self.limit < 0.5:
            raise RuntimeError("too low")
        return np.full(epoch.weights.shape[1], 1 / epoch.weights.shape[1])


def test_who_fails_at_one_point_has_no_curve_and_the_others_have_theirs() -> None:
    own = f"{__name__}:Fragile"
    answer = small(f"{own}.limit", [0.2, 0.8], own, "uniform")
    assert [curve.label for curve in answer.curves] == ["uniform"]
    [failure] = answer.failures
    assert "too low" in failure.reason


def test_an_interrupted_sweep_goes_on_where_it_stopped(tmp_path: Path) -> None:
    question: Any = ("noise", [0.1, 0.2, 0.3])
    whole = small(*question, out=tmp_path)
    assert small(*question, out=tmp_path).calls == 0
    shutil.rmtree(tmp_path / "noise=0.2")
    again = small(*question, out=tmp_path)
    assert again.to_json() == whole.to_json()
    assert 0 < again.calls < whole.calls / 2


def test_a_sweep_of_prices_goes_on_from_a_comparison(tmp_path: Path) -> None:
    compare(RULES, world=WORLD, worlds=2, budget=BUDGET, workers=1, out=tmp_path)
    assert small("identity_cost", "0..0.1:3", out=tmp_path).calls == 0


def test_the_same_bytes_for_any_number_of_processes() -> None:
    found = {small("yuma.kappa", [0.4, 0.6], workers=workers).to_json() for workers in (1, 2)}
    assert len(found) == 1


def test_progress_runs_once_from_nothing_to_everything() -> None:
    told: list[tuple[int, int]] = []
    small("noise", [0.1, 0.2], progress=lambda done, total: told.append((done, total)))
    assert told[0] == (0, 8)
    assert told[-1] == (8, 8)
    assert all(one <= other for one, other in pairwise(told))


# --- bad questions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("over", "values", "said"),
    [
        ("stakes", "0..1", "no parameter is called 'stakes'; did you mean 'stake'?"),
        ("dictator.power", "0..1", "no parameter is called 'dictator.power'"),
        ("yuma.kapa", "0..1", "yuma has no parameter 'kapa'; did you mean 'kappa'?"),
        ("yuma.arithmetic", "0..1", "yuma: arithmetic is no number, so it has no range"),
        ("yuma.kappa", "0..2", "yuma: kappa must be in [0, 1], not 1.2"),
        ("yuma.version", [2, 2.5], "yuma.version is counted in whole numbers, not 2.5"),
        ("identity_cost", "0.1..0", "identity_cost: the range 0.1..0 is empty; expected 0..0.1"),
        ("identity_cost", [0.1], "identity_cost: (0.1,) holds 1 values"),
        ("identity_cost", "0..x", "identity_cost: cannot read '0..x'"),
        ("identity_cost", "0..1:x", "identity_cost: cannot read '0..1:x'"),
        ("identity_cost", "0..1:1", "identity_cost: points must be in 2..1001, not 1"),
        ("identity_cost", [0, "x"], "identity_cost: cannot read"),
        ("identity_cost", "0..inf", "identity_cost: cannot read '0..inf'"),
        ("identities", "5..7", "identities: 5..7 holds 0 values"),
        ("identities", "1..64:50", "identities: 1..64:50: only 7 values lie in that range"),
        ("stake", [0, 1], "budget: stake must be in [0, 1), not 1.0"),
        ("noise", [0, 9], "world: noise must be in [0, 5], not 9.0"),
    ],
)
def test_bad_ranges_are_refused_before_any_work(over: str, values: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        small(over, values)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("sybil_resistence >= 0.9", "did you mean 'sybil_resistance'?"),
        ("minimum > 0.9", "cannot read the target 'minimum > 0.9'"),
        ("minimum >= high", "cannot read the target 'minimum >= high'"),
        ("minimum >= 1.5", "target: minimum must be in [0, 1], not 1.5"),
    ],
)
def test_bad_targets_are_refused_before_any_work(target: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        small("identity_cost", "0..1", until=target)
    assert said in str(caught.value)


# --- the command ---------------------------------------------------------------------------------


def test_the_command_prints_curves_turnovers_and_costs() -> None:
    code, out, err = asked("sweep", *RULES, *SMALL, "--identity-cost", "0..0.2:5")
    assert (code, err) == (0, "")
    assert "quadratic overtakes yuma at " in out
    assert "What attacks cost at identity_cost = 0:" in out
    assert max(map(len, out.splitlines())) <= 100


def test_the_command_prints_the_documented_json_and_nothing_else() -> None:
    question = ("sweep", *RULES, *SMALL, "--identity-cost", "0..0.1:3", "--identities", "4")
    code, out, err = asked(*question, "--until", "quality >= 0.5", "--json", "-")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert list(report) == [
        "schema",
        "parameter",
        "values",
        "seed",
        "budget",
        "world",
        "target",
        "mechanisms",
        "crossings",
    ]
    assert report["budget"]["identities"] == 4
    assert report["target"] == "quality >= 0.5"
    for it in report["mechanisms"]:
        assert [point["at"] for point in it["points"]] == report["values"]
        assert set(it["points"][0]["minimum"]) == {"value", "low", "high"}
        assert set(it["meets"]) == {"value", "low", "high", "share"}


@pytest.mark.parametrize(
    ("options", "parameter", "values"),
    [
        (("--identity-cost", "0,0.05"), "identity_cost", [0, 0.05]),
        (("--attacker-stake", "0.1..0.2"), "stake", [0.1, 0.15, 0.2]),
        (("--identities", "1..4"), "identities", [1, 2, 4]),
        (("--insiders", "1..2"), "insiders", [1, 2]),
        (("--noise", "0,0.2", "--insiders", "1,2"), "noise", [0, 0.2]),
        (("--clone-detection", "0..1:2"), "clone_detection", [0, 1]),
        (("--over", "spread=0.5,1"), "spread", [0.5, 1]),
        (("--over", "yuma.kappa=0.4,0.6"), "yuma.kappa", [0.4, 0.6]),
    ],
)
def test_every_range_is_an_option(options: tuple[str, ...], parameter: str, values: Any) -> None:
    report = json.loads(asked("sweep", "yuma", *SMALL, *options, "--json", "-")[1])
    assert (report["parameter"], report["values"]) == (parameter, values)


def test_a_target_that_nobody_meets_costs_the_exit_code_and_not_the_curves() -> None:
    question = ("sweep", "uniform", *SMALL, "--identity-cost", "0..0.1:3")
    code, out, err = asked(*question, "--until", "minimum >= 0.9")
    assert code == 2
    assert "uniform: none in this range; at most 0" in out
    assert err == (
        "trilemma: no mechanism reaches minimum >= 0.9 along this range of identity_cost; "
        "the nearest, uniform, reaches 0\n"
    )
    assert asked(*question, "--until", "neutrality >= 0.9")[0] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "nothing to sweep; give a range, as in --identity-cost 0..0.1"),
        (("--noise", "0..1", "--identities", "1..4"), "--identities and --noise have ranges"),
        (("--over", "yuma.kappa"), "--over: expected NAME=RANGE"),
        (("--identity-cost", "0..1", "--noise", "x"), "--noise: expected numbers"),
        (("--identity-cost", "0..1", "--figure", "it.gif"), "it.gif: a figure must end in"),
        (("--identity-cost", "1..0"), "identity_cost: the range 1..0 is empty"),
    ],
)
def test_the_command_refuses_bad_sweeps_in_one_line(options: tuple[str, ...], said: str) -> None:
    assert said in complaint(2, "sweep", "yuma", *SMALL, *options)


SVG = "{http://www.w3.org/2000/svg}"


def test_the_figure_holds_a_line_for_every_ranked_mechanism_and_every_turnover() -> None:
    question = ("sweep", *RULES, "uniform", *SMALL, "--identity-cost", "0..0.2:5")
    code, _, err = asked(*question, "--figure", "sweep.svg")
    assert (code, err) == (0, "")
    drawn = Path("sweep.svg").read_bytes()
    axes = [it for it in ElementTree.fromstring(drawn).iter(f"{SVG}g") if it.get("id") == "axes_1"]
    bands = [it for it in axes[0].iter(f"{SVG}g") if "FillBetween" in it.get("id", "")]
    assert len(bands) == 2  # equal pay has minimum 0 all along: it is in the other panels only
    assert drawn.count(b'id="legend_') == 2  # who is who, and who overtakes whom
    asked(*question, "--figure", "sweep.svg")
    assert Path("sweep.svg").read_bytes() == drawn


# --- whose reports are believed ------------------------------------------------------------------


@pytest.fixture
def net(folder: Path) -> str:
    draw = np.random.default_rng(0)
    np.savez(folder / "net.npz", stake=np.arange(6, 0, -1), weights=draw.random((2, 6, 5)))
    return "net.npz"


def test_how_many_are_not_believed_can_be_swept_on_a_network(net: str) -> None:
    question = ("sweep", "yuma", "--over", "distrusted=0..2", "--network", net)
    limits = ("--worlds=2", "--identities=4", "--attacker-stake=0.2", "--quiet")
    code, out, err = asked(*question, *limits, "--json", "-")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert (report["parameter"], report["values"]) == ("distrusted", [0, 1, 2])
    [curve] = report["mechanisms"]
    compared = json.loads(
        asked(
            "compare", "yuma", "--network", net, "--distrusted=2", "--evaluations=0", *limits,
            "--json", "-",
        )[1]
    )  # fmt: skip
    assert compared["world"]["distrusted"] == 2
    for score in ("sybil_resistance", "neutrality", "quality_attacked"):
        assert curve["points"][2][score] == compared["mechanisms"][0]["free"][score]


def test_nobody_is_distrusted_without_a_network_or_where_nobody_would_be_left(net: str) -> None:
    said = "--distrusted needs --network: a preset's validators are honest by construction"
    assert said in complaint(2, "compare", "yuma", "--distrusted", "1")
    swept = ("sweep", "yuma", "--over", "distrusted=0..2")
    assert "no parameter is called 'distrusted'" in complaint(2, *swept, *SMALL)
    asked_for = ("compare", "yuma", "--network", net, "--distrusted", "6")
    assert "distrusted must be less than 6" in complaint(2, *asked_for)


@pytest.mark.parametrize(
    "values", ["-1e308..1e308", "1e13,2", "0..1:99999999999", "0..1e300:" + "9" * 5000]
)
def test_ranges_beyond_reason_are_refused(values: str) -> None:
    with pytest.raises(UsageError, match=r"^noise: "):
        sweep(["uniform"], over="noise", values=values)


def test_a_long_range_of_whole_numbers_is_not_written_out() -> None:
    with pytest.raises(UsageError, match=r"insiders"):
        sweep(["uniform"], over="insiders", values="1..1e11")
