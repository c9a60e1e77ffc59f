from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.data import shared
from trilemma import load
from trilemma.errors import UsageError
from trilemma.executor import CAN_FORK
from trilemma.model import Epoch, Rewards
from trilemma.report.retention import RetentionMap, crossings, line_of
from trilemma.retention import STAKES, retention_map
from trilemma.sides import Experiment
from trilemma_mechanisms.yuma import Yuma

SMALL = Experiment(validators=8, miners=12, grid=5)

patient = settings(deadline=None)  # the first call compiles


def lines(answer: RetentionMap, label: str) -> list[float | None]:
    return [line.required_honest_utility for line in answer.lines[label]]


# --- the closed form at zero disagreement --------------------------------------------------------

WHOLE = 1000  # stakes and kappa are whole thousandths, so that exactly kappa is exactly met
STAKE = st.integers(510, 990)
PART = st.floats(0, 1)


def honest_share(rule: Yuma, stake: int, honest: float, cabal: float, xi: float) -> float:
    """Return what the honest side earns when its validators agree, and so do the cabal's."""
    reports = [[honest, 1 - honest], [1 - cabal, cabal]]
    found: Any = rule(Epoch([stake, WHOLE - stake], reports))
    return float(xi * found.validators[0] + (1 - xi) * found.miners[0])


def closed_form(stake: int, honest: float, cabal: float, xi: float) -> float:
    share = stake / WHOLE
    supported = share * honest + (1 - share) * (1 - cabal)
    return (xi * share + (1 - xi) * supported) / (supported + 1 - honest)


@patient
@given(STAKE, PART, st.data(), PART)
def test_without_disagreement_version_2_earns_the_closed_form(
    stake: int, honest: float, data: st.DataObject, xi: float
) -> None:
    cabal = data.draw(st.floats(1 - honest, 1))
    kappa = data.draw(st.integers(WHOLE - stake + 1, stake)) / WHOLE  # in (1 - S, S]
    found = honest_share(Yuma(version=2, kappa=kappa), stake, honest, cabal, xi)
    assert found == pytest.approx(closed_form(stake, honest, cabal, xi), abs=1e-12)


def worst_share(stake: int, honest: float, xi: float) -> float:
    """Return the honest share at the best reply: a ratio of lines has it at one of its ends."""
    replies = np.linspace(1 - honest, 1, 21)
    return min(honest_share(Yuma(version=2), stake, honest, reply, xi) for reply in replies)


@patient
@given(STAKE, PART, st.floats(0, 0.999))
def test_version_2_retains_exactly_where_the_closed_form_says(
    stake: int, honest: float, xi: float
) -> None:
    share = stake / WHOLE
    enough = max(share, (1 - xi) / (2 - xi - share))
    assume(abs(honest - enough) > 1e-6)
    assert (worst_share(stake, honest, xi) >= share) == (honest > enough)


@patient
@given(STAKE, PART)
def test_where_validators_are_paid_all_the_majority_keeps_its_share_whatever_its_work(
    stake: int, honest: float
) -> None:
    """The condition above says otherwise: it holds for xi below 1 only."""
    assert worst_share(stake, honest, 1.0) >= stake / WHOLE - 1e-12


def test_version_3_differs_from_the_closed_form_by_about_one_hundredth() -> None:
    def away(stake: int, honest: float, cabal: float) -> float:
        found = honest_share(Yuma(), stake, honest, cabal, 0.5)
        return abs(found - closed_form(stake, honest, cabal, 0.5))

    parts = np.linspace(0, 1, 26)
    points = ((honest, cabal) for honest in parts for cabal in np.linspace(1 - honest, 1, 26))
    most = max(away(stake, *point) for point in points for stake in range(520, 1000, 20))
    assert 0.010 < most < 0.013


# --- the published figures -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("figure", "label"),
    [
        ("weights_stddev_0", "yuma(version=2)"),
        ("weights_stddev_20", "yuma(version=2)"),
        ("weights_stddev_40", "yuma(version=2)"),
        ("weights_stddev_40", "yuma"),
    ],
)
def test_the_published_retention_lines_are_met(figure: str, label: str) -> None:
    with shared("subtensor/retention_lines.json").open() as file:
        published = json.load(file)["figures"][figure]
    experiment = Experiment(sigma=published["params"]["sigma_W"])
    drawn = {line["S_H"]: line for line in published["retention_lines"]}
    answer = retention_map([label], experiment=experiment, stakes=[0.55, 0.7])
    for line in answer.lines[label]:
        expected = drawn[line.honest_stake]
        tolerance = 0.005 if line.honest_stake >= 0.6 else 0.01
        assert line.required_honest_utility == pytest.approx(expected["max_W_H"], abs=tolerance)
        assert line.at_cabal_weight == pytest.approx(expected["at_W_C"], abs=0.061)


def test_without_disagreement_honest_stake_must_be_worth_itself() -> None:
    answer = retention_map(["yuma(version=2)"], experiment=Experiment(sigma=0, grid=21))
    assert lines(answer, "yuma(version=2)") == pytest.approx(STAKES, abs=0.002)


def test_a_stronger_penalty_and_a_larger_validators_share_protect_more() -> None:
    def needed(share: float, penalty: float) -> float:
        experiment = Experiment(validators=32, miners=64, validator_share=share, grid=21)
        asked = {"bonds_penalty": penalty}
        answer = retention_map(["yuma"], experiment=experiment, stakes=[0.6], parameters=asked)
        [[line]] = answer.lines.values()
        assert line.required_honest_utility is not None
        return line.required_honest_utility

    assert needed(0.5, 1) < needed(0.5, 0.5) < needed(0.5, 0)
    assert needed(0.8, 1) < needed(0.5, 1)


# --- reading the surface -------------------------------------------------------------------------


def test_the_line_lies_where_the_surface_crosses_the_level() -> None:
    across = np.linspace(0, 1, 5)
    surface = np.array([across, across**0, 0 * across, [0, 1, 0.5, 0.6, 1]])
    assert crossings(surface, 0.6).tolist() == pytest.approx([0.6, 0, np.inf, 0.75])


def test_a_share_of_pay_that_equals_the_stake_but_for_rounding_is_kept() -> None:
    assert crossings(np.full((1, 3), 0.6 - 1e-12), 0.6).tolist() == [0]


def test_a_line_is_a_mean_over_seeds_with_the_least_and_the_most() -> None:
    across = np.linspace(0, 1, 11)
    line = line_of(0.5, [np.array([across, across]), np.array([across, across * 0.8])])
    assert line.required_honest_utility == pytest.approx((0.5 + 0.625) / 2)
    assert (line.low, line.high) == pytest.approx((0.5, 0.625))
    assert line.at_cabal_weight == 1


def test_pay_by_stake_always_keeps_its_share_and_equal_pay_may_not() -> None:
    answer = retention_map(["stake_proportional", "uniform"], experiment=SMALL, stakes=[0.6])
    assert lines(answer, "stake_proportional") == [0]
    assert lines(answer, "uniform") == [None]  # 7 of 12 miners are honest: less than 60 %
    assert "uniform: 60% honest stake cannot keep its share" in str(answer)


# --- the run -------------------------------------------------------------------------------------


def test_workers_and_company_change_no_number() -> None:
    alone = retention_map(["yuma"], experiment=SMALL, stakes=[0.6, 0.8], workers=1)
    both = retention_map(["quadratic", "yuma"], experiment=SMALL, stakes=[0.6, 0.8], workers=2)
    assert alone.lines["yuma"] == both.lines["yuma"]
    again = retention_map(["quadratic", "yuma"], experiment=SMALL, stakes=[0.6, 0.8], workers=1)
    assert again.to_json() == both.to_json()


def test_finished_cells_are_not_computed_again(tmp_path: Path) -> None:
    calls: list[int] = []

    def counted(epoch: Epoch) -> Any:
        calls.append(1)
        answer = load("yuma")(epoch)
        assert isinstance(answer, Rewards)
        return answer

    asked: Any = {"experiment": SMALL, "workers": 1, "out": tmp_path / "run"}
    first = retention_map([counted], stakes=[0.6], **asked)
    assert len(calls) == SMALL.grid**2
    more = retention_map([counted], stakes=[0.6, 0.8], **asked)
    assert len(calls) == 2 * SMALL.grid**2
    assert [line[0] for line in more.lines.values()] == [line[0] for line in first.lines.values()]
    with pytest.raises(UsageError, match="holds a run with experiment"):
        retention_map([counted], experiment=Experiment(grid=3), out=tmp_path / "run", workers=1)


def test_a_mechanism_that_fails_is_named_and_leaves_the_others_alone() -> None:
    def broken(epoch: Epoch) -> Any:
        raise RuntimeError(f"no idea what to make of {epoch.stake.size} validators")

    answer = retention_map([broken, "yuma"], experiment=SMALL, stakes=[0.6])
    assert list(answer.lines) == ["yuma"]
    [reason] = answer.failures.values()
    assert "RuntimeError: no idea what to make of 8 validators" in reason


def dies(_: Epoch) -> Any:
    os._exit(0)


@pytest.mark.skipif(not CAN_FORK, reason="here all is computed in this process")
def test_a_mechanism_that_kills_its_process_is_named_and_leaves_the_others_alone() -> None:
    answer = retention_map([dies, "yuma"], experiment=SMALL, stakes=[0.6, 0.8], workers=2)
    assert answer.lines == retention_map(["yuma"], experiment=SMALL, stakes=[0.6, 0.8]).lines
    [reason] = answer.failures.values()
    assert "its process died" in reason


def test_progress_is_told_from_nothing_to_all() -> None:
    told: list[tuple[int, int]] = []
    retention_map(
        ["yuma"], experiment=SMALL, stakes=[0.6, 0.8], progress=lambda *at: told.append(at)
    )
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_a_parameter_reaches_the_mechanism_inside() -> None:
    answer = retention_map(
        ["quadratic", "uniform"], experiment=SMALL, stakes=[0.6], parameters={"kappa": 0.6}
    )
    assert list(answer.lines) == ["quadratic(inner=yuma(kappa=0.6))", "uniform"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"stakes": [0.6, 1.0]}, r"stakes must be in \[0, 1\)"),
        ({"stakes": [0.0]}, r"shares in \(0, 1\)"),
        ({"stakes": []}, "one or more shares"),
        ({"seeds": 0}, "seeds must be a whole number, 1 or more"),
        ({"parameters": {"kappa": 1.5}}, r"yuma: kappa must be in \[0, 1\], not 1.5"),
        ({"parameters": {"capper": 1}}, "none of yuma has a parameter 'capper'"),
    ],
)
def test_what_is_out_of_range_is_refused_before_anything_runs(
    asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        retention_map(["yuma"], experiment=SMALL, **asked)


@pytest.mark.parametrize(
    ("name", "value"),
    [("grid", 2), ("sigma", -0.1), ("validator_share", 1.1), ("validators", 1), ("miners", 0)],
)
def test_an_experiment_out_of_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"^{name} must be"):
        Experiment(**{name: value})
