"""`trilemma map` and `trilemma dynamics`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.test_cli import asked, complaint, folder

__all__ = ["folder"]  # a fixture that every test here takes

SMALL = ("--validators=8", "--miners=10", "--grid=5")
SVG = "{http://www.w3.org/2000/svg}"


# --- map -----------------------------------------------------------------------------------------


def test_map_says_what_60_percent_of_the_stake_must_be_worth() -> None:
    code, out, err = asked("map", "yuma", "uniform", *SMALL)
    assert (code, err) == (0, "")
    assert "yuma: 60% honest stake must be worth " in out
    assert "uniform: 60% honest stake " in out


def test_map_prints_the_documented_json_and_nothing_else() -> None:
    question = ("map", "yuma", "quadratic", *SMALL, "--stakes", "0.55,0.6", "--seeds", "2")
    code, out, err = asked(*question, "--json", "-")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert [it["label"] for it in report["mechanisms"]] == ["yuma", "quadratic"]
    for it in report["mechanisms"]:
        assert [line["honest_stake"] for line in it["lines"]] == [0.55, 0.6]
        for line in it["lines"]:
            assert set(line) == {
                "honest_stake",
                "required_honest_utility",
                "at_cabal_weight",
                "low",
                "high",
            }
            assert line["low"] <= line["required_honest_utility"] <= line["high"]
    assert out == asked(*question, "--json", "-", "--workers", "1")[1]


def test_every_parameter_of_the_experiment_is_an_option_that_counts() -> None:
    base = ("map", "yuma", *SMALL, "--stakes", "0.6", "--json", "-")
    plain = json.loads(asked(*base)[1])["mechanisms"]
    for option in (
        ("--sigma", "0.8"),
        ("--kappa", "0.45"),
        ("--bonds-penalty", "0"),
        ("--validator-share", "0.9"),
        ("--seeds", "3"),
        ("--grid", "9"),
        ("--stake-sigma", "0"),
        ("--validators", "16"),
        ("--miners", "20"),
        ("--stakes", "0.7"),
    ):
        assert json.loads(asked(*base, *option)[1])["mechanisms"] != plain, option


def test_kappa_of_the_command_line_names_the_mechanism_it_makes() -> None:
    out = asked("map", "stake_capped", *SMALL, "--kappa", "0.45", "--stakes", "0.6")[1]
    assert "stake_capped(inner=yuma(kappa=0.45)): 60% honest stake" in out


def test_the_figure_holds_one_line_per_stake_and_mechanism() -> None:
    question = ("map", "yuma", "quadratic", *SMALL, "--stakes", "0.6,0.8")
    code, _, err = asked(*question, "--figure", "map.svg")
    assert (code, err) == (0, "")
    first = Path("map.svg").read_bytes()
    drawn = ElementTree.fromstring(first)
    names = [it.get("id", "").rpartition("_")[0] for it in drawn.iter(f"{SVG}g")]
    assert names.count("axes") == 2
    assert names.count("QuadContourSet") == 4
    asked(*question, "--figure", "map.svg")
    assert Path("map.svg").read_bytes() == first


def test_without_matplotlib_the_way_to_a_figure_is_said_before_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.startswith("trilemma.report.figures")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("trilemma.report.figures", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = complaint(2, "map", "yuma", *SMALL, "--figure", "map.svg", "--out", "run")
    assert "pip install 'trilemma[plot]'" in said
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--kappa", "1.5"), 2, "yuma: kappa must be in [0, 1], not 1.5"),
        (("--bonds-penalty", "-1"), 2, "yuma: bonds_penalty must be in [0, 1], not -1.0"),
        (("--sigma", "-1"), 2, "sigma must be in [0, 5], not -1.0"),
        (("--stakes", "0.6,x"), 2, "--stakes: expected numbers as in 0.55,0.6, got '0.6,x'"),
        (("--stakes", "1.5"), 2, "stakes must be in [0, 1), not 1.5"),
        (("--grid", "2"), 2, "grid must be in 3..1001, not 2"),
        (("--seeds", "0"), 2, "seeds must be a whole number, 1 or more, not 0"),
        (("--figure", "map.gif"), 2, "map.gif: a figure must end in one of .svg, .png, .pdf"),
        (("--figure", "nowhere/map.svg"), 3, "nowhere/map.svg: cannot write the figure there"),
        (("--json", "nowhere/map.json"), 3, "nowhere/map.json: cannot write the JSON there"),
    ],
)
def test_map_refuses_what_is_out_of_range_in_one_line(
    options: tuple[str, ...], code: int, said: str
) -> None:
    assert said in complaint(code, "map", "yuma", *options)


@pytest.mark.parametrize(
    ("mechanism", "said"),
    [
        ("yuma(alpha_low=0.9, alpha_high=0.7)", "alpha_low must be at most alpha_high, not 0.9"),
        ("yuma(version=4)", "version must be 2 or 3, not 4"),
        ("yuma(kappa=-0.1)", "kappa must be in [0, 1], not -0.1"),
        ("yuma(arithmetic='exact')", "arithmetic must be"),
    ],
)
def test_parameters_of_yuma_out_of_range_are_refused_in_one_line(mechanism: str, said: str) -> None:
    assert said in complaint(2, "map", mechanism)


def test_a_plugin_that_fails_costs_the_exit_code_and_nobody_elses_lines() -> None:
    code, out, err = asked("map", "./rules.py:crashes", "yuma", *SMALL, "--stakes", "0.6")
    assert code == 3
    assert "yuma" in out
    assert "./rules.py:crashes failed: RuntimeError: first line second line" in err
    assert err.count("\n") == 1


def test_where_every_mechanism_fails_nothing_is_drawn_and_the_reason_is_said() -> None:
    question = ("map", "./rules.py:crashes", *SMALL, "--stakes", "0.6", "--figure", "map.svg")
    code, _, err = asked(*question)
    assert code == 3
    assert "./rules.py:crashes failed: RuntimeError" in err
    assert not Path("map.svg").exists()


def test_a_plugin_that_fails_to_import_is_named_whatever_parameter_is_asked_for() -> None:
    Path("broken.py").write_text("import not_there\n")
    code, _, err = asked("map", "./broken.py:Rule", *SMALL, "--kappa", "0.6")
    assert code == 3
    assert "./broken.py fails to import" in err


# --- dynamics ------------------------------------------------------------------------------------


def test_dynamics_shows_what_moving_and_copying_pay() -> None:
    code, out, err = asked("dynamics", "--epochs", "25", "--lags", "0,5")
    assert (code, err) == (0, "")
    assert "yuma(liquid_alpha=True)" in out
    assert "weights hidden for 1" in out
    assert "lag 0     lag 5" in out
    assert max(map(len, out.splitlines())) <= 100


def test_dynamics_prints_the_documented_json() -> None:
    question = ("dynamics", "yuma", "--epochs", "25", "--lags", "0,5", "--hidden", "2")
    code, out, err = asked(*question, "--json", "-")
    assert (code, err) == (0, "")
    report = json.loads(out)
    [it] = report["mechanisms"]
    assert set(it["movers"]) == {"early", "captured", "majority", "late", "silent"}
    assert [row["hidden"] for row in it["copying"]] == [0, 2]
    assert len(it["growth"]) == len(report["worth"])
    assert np.shape([row["relative_dividend_rate"] for row in it["copying"]]) == (2, 2)
    assert out == asked(*question, "--json", "-")[1]


def test_dynamics_refuses_what_is_out_of_range_in_one_line() -> None:
    assert "--lags: expected whole numbers" in complaint(2, "dynamics", "--lags", "0.5")
    assert "the copier's stake must be in (0, 1)" in complaint(2, "dynamics", "--copier", "0")
    np.savez("still.npz", stake=np.ones(2), weights=np.ones((2, 2)))
    assert "still.npz: holds one epoch" in complaint(3, "dynamics", "--network", "still.npz")
