"""`trilemma.frontier` and `trilemma frontier`: which settings no other one beats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from tests.few_attacks import few_attacks
from tests.kept_cells import changed
from tests.test_cli import asked, complaint, folder
from trilemma import (
    Budget,
    Epoch,
    PluginError,
    Preset,
    UsageError,
    compare,
    frontier,
    load,
    names,
)
from trilemma.frontier import _beats
from trilemma.model import FloatArray
from trilemma.registry import parameters
from trilemma.report.frontier import SCORES, Candidate, Frontier

__all__ = ["few_attacks", "folder"]  # fixtures that every test here takes

WORLD = Preset("pareto(1.2)", validators=8, miners=7)
BUDGET = Budget(stake=0.3, identities=1, evaluations=0)
SMALL = ("--stake=pareto(1.2)", "--validators=8", "--miners=7", "--worlds=2", "--quiet")
DECLARED = ("stake_capped", "quadratic", "dao_vote", "yuma")


def small(*mechanisms: Any, **asked: Any) -> Frontier:
    known: dict[str, Any] = {"world": WORLD, "worlds": 2, "budget": BUDGET, "workers": 1}
    return frontier(mechanisms, **{**known, **asked})


def triple(candidate: Candidate) -> list[float]:
    return [getattr(candidate, score).value for score in SCORES]


@pytest.fixture(scope="module")
def powers() -> Frontier:
    return small("quadratic", "stake_capped", over={"quadratic.power": [0, 0.5, 1]})


# --- candidates ----------------------------------------------------------------------------------


def test_candidates_are_what_was_asked_what_was_published_and_every_combination() -> None:
    found = [it.label for it in small("dao_vote(quorum=0.3)", worlds=1).candidates]
    assert found[:2] == ["dao_vote(quorum=0.3)", "dao_vote"]
    assert set(found[2:]) == {
        "dao_vote(quorum=0.25)",
        "dao_vote(quorum=0.75)",
        "dao_vote(threshold=0.67)",
        "dao_vote(quorum=0.25, threshold=0.67)",
        "dao_vote(quorum=0.75, threshold=0.67)",
    }


def test_ranges_that_are_asked_for_stand_in_for_those_declared(powers: Frontier) -> None:
    own = [it.label for it in powers.candidates if it.mechanism == "quadratic"]
    assert own == ["quadratic", "quadratic(power=0)", "quadratic(power=1)"]
    assert "stake_capped(percentile=50)" in [it.label for it in powers.candidates]


def test_settings_carry_the_name_they_are_known_by(powers: Frontier) -> None:
    known = {it.label: it.setting for it in powers.candidates if it.setting}
    assert known == {"quadratic": "square root", "stake_capped": "88th percentile"}
    other = small("quadratic(power=0.3)", over={"quadratic.power": [0, 1]})
    assert {it.label: it.setting for it in other.candidates if it.setting} == {
        "quadratic(power=0.3)": "as asked",
        "quadratic": "square root",
    }


@pytest.mark.parametrize("name", DECLARED)
def test_built_in_settings_are_valid_and_the_published_ones_among_them(name: str) -> None:
    mechanism: Any = load(name)
    defaults = parameters(mechanism)
    for parameter, values in mechanism.ranges.items():
        assert list(values) == sorted(set(values))
        assert defaults[parameter] in values
        for value in values:
            load(f"{name}({parameter}={value})")
    for setting in mechanism.published.values():
        assert all(value in mechanism.ranges[it] for it, value in setting.items())
        assert setting.items() <= defaults.items()


def test_a_mechanism_without_ranges_is_tried_as_it_is() -> None:
    [only] = small("uniform").candidates
    assert (only.label, only.setting) == ("uniform", "as asked")
    assert {it for it in names() if hasattr(load(it), "ranges")} >= set(DECLARED)


# --- who beats whom ------------------------------------------------------------------------------


def test_scores_are_those_of_a_comparison(powers: Frontier) -> None:
    labels = [it.label for it in powers.candidates][:3]
    report = compare(labels, world=WORLD, worlds=2, budget=BUDGET, workers=1)
    for row, candidate in zip(report.rows, powers.candidates, strict=False):
        assert row.free.minimum == candidate.minimum
        assert [getattr(row.free, score) for score in SCORES] == [
            getattr(candidate, score) for score in SCORES
        ]


def test_who_is_beaten_is_told_by_whom_and_by_how_much(powers: Frontier) -> None:
    by_label = {it.label: it for it in powers.candidates}
    triples = {label: np.array(triple(it)) for label, it in by_label.items()}
    beaten = 0
    for label, it in by_label.items():
        stronger = [
            other
            for other, scores in triples.items()
            if (scores >= triples[label] - 1e-9).all() and (scores > triples[label] + 1e-9).any()
        ]
        assert (it.beaten is None) == (not stronger)
        own = [other for other in stronger if by_label[other].mechanism == it.mechanism]
        assert (it.beaten_by_own is None) == (not own)
        if it.beaten is not None:
            beaten += 1
            most = max(stronger, key=lambda other: float((triples[other] - triples[label]).sum()))
            gains = [getattr(it.beaten, score).value for score in SCORES]
            assert gains == pytest.approx(triples[most] - triples[label], abs=1e-12)
            assert 0 < it.beaten.share <= 1
    assert 0 < beaten < len(by_label)


def test_gains_are_paired_world_by_world(powers: Frontier) -> None:
    """Paired, equal things differ by exactly nothing, however wide their own intervals are."""
    [it] = [it for it in powers.candidates if it.label == "quadratic(power=1)"]
    assert it.beaten is not None
    [by] = [other for other in powers.candidates if other.label == it.beaten.by]
    apart = by.quality_attacked.high - it.quality_attacked.low
    paired = it.beaten.quality_attacked
    assert paired.value == pytest.approx(by.quality_attacked.value - it.quality_attacked.value)
    assert paired.high - paired.low < apart - (by.quality_attacked.low - it.quality_attacked.high)


def test_beating_needs_as_much_in_every_score_and_more_in_one() -> None:
    scores = np.array([[1.0, 0.5, 0.5], [1, 0.5, 0.4], [0.9, 0.6, 0.4], [1, 0.5, 0.5 + 1e-12]])
    found = _beats(scores[:, :, None])[:, :, 0]
    assert np.argwhere(found).tolist() == [[0, 1], [3, 1]]


# --- strangers' mechanisms -----------------------------------------------------------------------


@dataclass(frozen=True)
class Plain:
    """Stake-weighted mean with a part burnt."""

    ranges: ClassVar[Mapping[str, tuple[float, ...]]] = {"burnt": (0.25, 0.5)}
    published: ClassVar[Mapping[str, Mapping[str, float]]] = {"thrifty": {"burnt": 0.75}}

    burnt: float = 0.0

    def __call__(self, epoch: Epoch) -> FloatArray:
        support = epoch.stake @ epoch.weights
        return np.asarray((1 - self.burnt) * support / max(support.sum(), 1e-300))


@dataclass(frozen=True)
class Listed(Plain):
    ranges: ClassVar[Any] = ["burnt"]


@dataclass(frozen=True)
class Misspelt(Plain):
    ranges: ClassVar[Mapping[str, tuple[float, ...]]] = {"burned": (0.25, 0.5)}


def test_a_strangers_ranges_and_settings_count() -> None:
    answer = small(f"{__name__}:Plain")
    assert [it.setting for it in answer.candidates] == ["as asked", "thrifty", None, None]
    assert [it.label.partition(":")[2] for it in answer.candidates] == [
        "Plain",
        "Plain(burnt=0.75)",
        "Plain(burnt=0.25)",
        "Plain(burnt=0.5)",
    ]


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("Listed", PluginError, "ranges must be a mapping, as in {'power': (0.25, 0.5)}, not"),
        ("Misspelt", UsageError, "has no parameter 'burned'; did you mean 'burnt'?"),
    ],
)
def test_ranges_that_cannot_be_read_are_named(name: str, error: type, said: str) -> None:
    with pytest.raises(error) as caught:
        small(f"{__name__}:{name}")
    assert f"{__name__}:{name}" in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"stake": "0..0.4"}, "stake belongs to no mechanism; expected one as in yuma.kappa"),
        ({"yuma.kappa": "0..1"}, "no parameter is called 'yuma.kappa'"),
        ({"quadratic.power": "1..0"}, "quadratic.power: the range 1..0 is empty"),
        ({"quadratic.power": "0..3"}, "quadratic: power must be in [0, 1], not 1.2"),
    ],
)
def test_bad_ranges_are_refused_before_any_work(over: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        small("quadratic", over=over)
    assert said in str(caught.value)


# --- the command ---------------------------------------------------------------------------------

QUESTION = ("frontier", "quadratic", *SMALL, "--identities=1", "--over", "quadratic.power=0,0.5,1")


def test_the_command_says_what_becomes_of_a_published_setting() -> None:
    code, out, err = asked(*QUESTION)
    assert (code, err) == (0, "")
    assert "quadratic (square root) is " in out
    assert "\n* quadratic(power=0)" in out


def test_the_command_prints_the_documented_json_and_nothing_else() -> None:
    code, out, err = asked(*QUESTION, "--json", "-")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert list(report) == ["schema", "seed", "budget", "world", "candidates"]
    assert [it["label"] for it in report["candidates"]] == [
        "quadratic",
        "quadratic(power=0)",
        "quadratic(power=1)",
    ]
    assert out == asked(*QUESTION, "--json", "-", "--workers", "1")[1]


def test_a_search_that_was_interrupted_goes_on_where_it_stopped() -> None:
    first = asked(*QUESTION, "--out", "run")[1]
    assert "\n0 mechanism calls; 3 candidates" not in first
    with changed(Path("run")) as database:
        gone = "DELETE FROM kept WHERE mechanism LIKE 'quadratic(power=0) %' AND name = '1'"
        assert database.execute(gone).rowcount == 1
    again = asked(*QUESTION, "--out", "run")[1]
    assert again.splitlines()[:-1] == first.splitlines()[:-1]
    assert "\n0 mechanism calls; 3 candidates" in asked(*QUESTION, "--out", "run")[1]


def test_the_figure_shows_every_candidate_in_both_panels() -> None:
    code, _, err = asked(*QUESTION, "--figure", "it.svg")
    assert (code, err) == (0, "")
    drawn = Path("it.svg").read_text()
    assert drawn.count('id="axes_') == 2
    bars = drawn.count('id="LineCollection_')
    assert bars == 2 * 2 * 3 + 2  # two for each in both panels, and for the named one in the legend
    asked(*QUESTION, "--figure", "it.svg")
    assert Path("it.svg").read_text() == drawn


def test_the_command_refuses_bad_questions_in_one_line() -> None:
    assert "--over: expected NAME=RANGE" in complaint(2, *QUESTION, "--over", "quadratic.power")
    assert "a figure must end in" in complaint(2, *QUESTION, "--figure", "it.gif")
