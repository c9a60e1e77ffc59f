"""Verdicts, the matrix, `check_mechanism`, counterexamples in files, and `trilemma check`."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.test_cli import asked, complaint, folder
from trilemma.errors import DataError, PluginError, UsageError
from trilemma.model import AnyArray, Epoch
from trilemma.profiles import PROFILES, Profile, load_profile, profile
from trilemma.registry import load, names
from trilemma.testing import CLAIMS, LAWS, Counterexample, Matrix, Violated, check_mechanism, matrix
from trilemma.testing.case import Case
from trilemma.testing.check import NotJudged
from trilemma.testing.claims import claim, claimed
from trilemma.testing.counterexample import kept
from trilemma.testing.verdict import Verdict, judge, verdicts

__all__ = ["folder"]  # a fixture that every test here takes

BRIEF = Profile(40, same=True)
CORPUS = Path(__file__).parents[1] / "corpus"


@dataclass(frozen=True)
class Mean:
    """The stake-weighted mean, and whatever is claimed of it."""

    claims: Any = frozenset({"unanimity"})
    expected_failures: Any = ()

    def __call__(self, epoch: Epoch) -> AnyArray:
        support = epoch.stake @ epoch.weights
        return support / (support.sum() or 1)


# --- claims as they are written ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("split_proof", "split_proof"),
        (" split_proof ", "split_proof"),
        ("continuous(2)", "continuous(2)"),
        ("continuous( L = 2.50 )", "continuous(2.5)"),
        ("no_veto_below(0.30000000000000004)", "no_veto_below(0.3)"),
        ("no_veto_below", "no_veto_below(0.5)"),
    ],
)
def test_a_claim_is_a_name_and_perhaps_a_bound(written: str, name: str) -> None:
    assert claim(written).name == name


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("split_prof", "no claim is called 'split_prof'; did you mean 'split_proof'?"),
        ("split_proof(2)", r"split_proof\(2\): it takes no bound"),
        ("no_veto_below(2)", r"no_veto_below\(2\): it takes a bound in \[0, 1\]"),
        ("no_veto_below(nan)", r"it takes a bound in \[0, 1\]"),
        ("continuous(x)", "'x' is no number"),
        ("continuous(1_0)", "expected a name, perhaps with a bound"),
        ("continuous(foo=2)", "its bound is called L"),
        ("continuous(1)(2)", "expected a name, perhaps with a bound"),
        ("__import__('os')", "no claim is called '__import__'"),
        ("", "expected a name"),
    ],
)
def test_what_is_no_claim_is_refused_with_what_was_meant(written: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        claim(written)
    with pytest.raises(PluginError, match=rf"^Mean\.claims: .*{said}"):
        claimed(Mean(frozenset({written})))


@pytest.mark.parametrize("claims", [3, [3], [None], object(), "split_proof"])
def test_claims_that_are_no_texts_are_the_mechanisms_fault(claims: Any) -> None:
    with pytest.raises(PluginError, match=r"Mean\.claims"):
        claimed(Mean(claims))


def test_one_name_may_be_claimed_at_several_bounds() -> None:
    written = {"continuous(2)", "continuous", "continuous(1.0)", "anonymous"}
    both = claimed(Mean(frozenset(written)))
    assert [check.name for check in both] == ["anonymous", "continuous(1)", "continuous(2)"]


# --- verdicts ------------------------------------------------------------------------------------


def told(mechanism: Any, **given: Any) -> dict[str, str]:
    return {it.check.name: it.word for it in verdicts(mechanism, BRIEF, **given)}


def test_laws_bind_everybody_and_claims_who_makes_them() -> None:
    found = told(Mean())
    assert list(found) == [*(law.name for law in LAWS), "unanimity"]
    assert set(found.values()) == {"holds"}
    assert told(object_without_claims)["finite"] == "holds"


def object_without_claims(epoch: Epoch) -> AnyArray:
    return Mean()(epoch)


def test_what_is_not_claimed_is_looked_at_on_demand_and_blames_nobody() -> None:
    found = list(verdicts(Mean(), BRIEF, unclaimed=True))
    heads = [it.check.head for it in found]
    others = [name for name in CLAIMS if name != "unanimity"]
    assert heads == [*(law.name for law in LAWS), "unanimity", *others]
    broken = [it for it in found if it.counterexample is not None]
    assert {"weight_blind", "no_boost_below"} <= {it.check.head for it in broken}
    assert all(it.passes for it in found)
    assert broken[0].to_json()["verdict"] == "not claimed, violated"


@pytest.mark.slow
def test_expected_failures_must_fail_whoever_expects_them() -> None:
    blind = Mean(frozenset({"unanimity", "weight_blind"}), {"weight_blind": "it reads reports"})
    assert told(blind)["weight_blind"] == "fails as expected"
    wrong = Mean(frozenset({"unanimity"}), {"unanimity": "a guess"})
    assert told(wrong)["unanimity"] == "did not fail"
    with pytest.raises(Violated, match=r"unanimity: HOLDS .* expected to be violated: a guess"):
        check_mechanism(wrong, profile=BRIEF)
    given = {"continuous": "too tight"}
    check_mechanism(Mean(frozenset({"continuous(0.4)"})), profile=BRIEF, expected_failures=given)


def test_failures_can_be_expected_of_laws_and_claims_that_bind_only() -> None:
    with pytest.raises(UsageError, match="'split_proof' is no law, and not claimed"):
        check_mechanism(Mean(), profile=BRIEF, expected_failures={"split_proof": "why"})
    for declared in (3, {"finit": "why"}, ["finite"]):
        with pytest.raises(PluginError, match=r"Mean\.expected_failures: "):
            list(verdicts(Mean(expected_failures=declared), BRIEF))


def test_a_violation_is_told_with_all_its_counterexamples() -> None:
    rule = Mean(frozenset({"unanimity", "weight_blind", "no_boost_below(1)"}))
    with pytest.raises(Violated) as caught:
        check_mechanism(rule, profile=BRIEF)
    said = str(caught.value)
    assert said.splitlines()[0].startswith("tests.testing.test_verdict:Mean(")
    assert said.count("VIOLATED\n    claim: ") == 2
    assert said.count("\n    stake ") == 2


def test_a_rule_that_always_raises_breaks_one_law_and_the_rest_is_not_judged() -> None:
    def raises(_: Epoch) -> AnyArray:
        raise RuntimeError("no answer")

    words = told(raises)
    assert words.pop("answers") == "violated"
    assert words.pop("degenerate") == "violated"
    assert words.pop("batches_agree") == "holds"  # it takes none
    assert words.pop("stages_agree") == "holds"  # it offers none
    assert words.pop("sparse_agrees") == "holds"  # it refuses them
    assert set(words.values()) == {"not judged"}


# --- profiles and corpus -------------------------------------------------------------------------


def test_profiles_are_found_by_name() -> None:
    assert profile("fuzz").examples >= 1000
    assert profile("ci").same
    with pytest.raises(UsageError, match="no profile is called 'fuz'; did you mean 'fuzz'"):
        profile("fuz")


def test_the_loaded_profile_counts_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    before = profile()
    monkeypatch.setitem(PROFILES, "ci", Profile(7, same=True))
    try:
        load_profile("ci")
        assert judge(LAWS[0], Mean()).judged == 7
    finally:
        monkeypatch.undo()
        load_profile(None, before.corpus)


def test_the_same_cases_are_tried_where_the_profile_says_so() -> None:
    heads = ("weight_blind", "no_boost_below", "self_dealing_proof")
    first, second = (
        [judge(CLAIMS[head].check(), load("stake_weighted"), BRIEF) for head in heads]
        for _ in range(2)
    )
    assert [it.counterexample for it in first] == [it.counterexample for it in second]


def test_new_counterexamples_of_what_is_claimed_are_added_to_the_corpus(tmp_path: Path) -> None:
    how = replace(BRIEF, corpus=tmp_path / "new" / "corpus")
    blind = CLAIMS["weight_blind"].check()
    judge(blind, Mean(), how, bound=False)
    judge(blind, Mean(), how, expected="known")
    assert list(kept(how.corpus)) == []
    found = judge(blind, Mean(), how).counterexample
    assert list(kept(how.corpus)) == [found]
    assert judge(blind, Mean(), how).counterexample == found


def test_what_the_corpus_holds_is_tried_before_anything_is_drawn(tmp_path: Path) -> None:
    case = Case((1,), ((1,),), reports=((0,),))
    Counterexample("somebody", "weight_blind", case).save(tmp_path)
    found = judge(CLAIMS["weight_blind"].check(), Mean(), replace(BRIEF, corpus=tmp_path))
    assert found.judged == 1
    assert found.counterexample is not None
    assert found.counterexample.case == case


@pytest.mark.parametrize("spec", [*names(), "yuma(version=2)", "yuma(arithmetic='float32')"])
def test_no_past_counterexample_breaks_what_a_built_in_claims(spec: str) -> None:
    rule, past = load(spec), list(kept(CORPUS))
    assert past, "the corpus is empty"
    for check in (*LAWS, *claimed(rule)):
        for it in past:
            if it.check.partition("(")[0] == check.head:
                with suppress(NotJudged):
                    assert check.fault(rule, it.case) is None, it.told(rule)


# --- files ---------------------------------------------------------------------------------------


def test_a_counterexample_survives_its_file(tmp_path: Path) -> None:
    case = Case((3, 1), ((1, 0), (0, 1)), votes=((1, 0), (0, -1)), seats=(1,), orders=((1, 0),))
    one = Counterexample("yuma", "no_veto_below(0.5)", case)
    path = one.save(tmp_path)
    assert Counterexample.load(path) == one
    assert path.name == f"{one.name}.json"
    assert one.save(tmp_path) == path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a counterexample"),
        ("[]", "its format is not"),
        ('{"format": "trilemma counterexample 2"}', "its format is not"),
        ('{"format": "trilemma counterexample 1", "mechanism": 1, "check": "finite"}', "strings"),
        ('{"format": "trilemma counterexample 1", "mechanism": "", "check": "finit"}', "no claim"),
        ('{"format": "trilemma counterexample 1", "mechanism": "", "check": "finite"}', "a case"),
        ("[" * 100_000, "not a counterexample"),
    ],
    ids=range(7),
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "torn.json"
    file.write_text(text)
    with pytest.raises(DataError, match=rf"torn\.json: .*{said}"):
        Counterexample.load(file)
    with pytest.raises(DataError, match=r"absent\.json: cannot be read"):
        Counterexample.load(tmp_path / "absent.json")


# --- the matrix ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_matrix_has_a_row_for_every_property_and_a_column_for_every_mechanism() -> None:
    found = matrix(["uniform", "stake_weighted"], profile=Profile(20, same=True))
    head, rule, *rows = found.to_markdown().splitlines()
    assert head == "| property | `uniform` | `stake_weighted` |"
    assert set(rule) == {"|", "-", " "}
    assert (
        rows.pop(0)
        == f"| {len(LAWS)} laws | **hold** ({20 * len(LAWS)}) | **hold** ({20 * len(LAWS)}) |"
    )
    assert [row.split("`")[1] for row in rows] == [*CLAIMS]
    assert all(row.count("|") == 4 for row in rows)
    assert "| `weight_blind` | **holds** (20) | broken |" in rows
    assert any(row.startswith("| `continuous` | **holds** at 0 (20) |") for row in rows)
    assert any(
        line.startswith("uniform, clone_proof: not claimed, and broken\n")
        for line in found.witnesses()
    )
    assert found.passes


def test_a_matrix_fails_with_any_of_its_mechanisms() -> None:
    check = CLAIMS["weight_blind"].check()
    good, bad = (judge(check, load(spec), BRIEF) for spec in ("uniform", "stake_weighted"))
    assert not Matrix({"uniform": [good], "stake_weighted": [bad]}).passes
    assert isinstance(bad, Verdict)
    assert Matrix({"uniform": [good]}).passes


def test_a_law_that_somebody_breaks_has_a_row_of_its_own() -> None:
    good, bad = (judge(LAWS[2], rule, BRIEF) for rule in (Mean(), pays_nan))
    rows = Matrix({"good": [good], "bad": [bad]}).to_markdown().splitlines()
    assert rows[2] == f"| {len(LAWS) - 1} laws | **hold** (0) | **hold** (0) |"
    assert rows[3] == f"| `finite` | **holds** ({BRIEF.examples}) | **violated** ({bad.judged}) |"


def pays_nan(epoch: Epoch) -> AnyArray:
    return np.full(epoch.weights.shape[1], np.nan)


def test_a_matrix_of_what_cannot_be_loaded_is_refused() -> None:
    with pytest.raises(UsageError, match="no mechanism is called 'yumma'"):
        matrix(["yumma"])


# --- the command ---------------------------------------------------------------------------------

MINE = '''
class Mine:
    """A mean that claims too much."""

    claims = {"unanimity", "weight_blind"}

    def __call__(self, epoch):
        support = epoch.stake @ epoch.weights
        return support / (support.sum() or 1)
'''


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try few cases by default."""
    monkeypatch.setitem(PROFILES, "ci", BRIEF)


@pytest.mark.usefixtures("brief")
def test_check_exits_with_1_where_something_breaks_and_keeps_what_it_found(folder: Path) -> None:
    (folder / "mine.py").write_text(MINE)
    code, out, err = asked("check", "./mine.py:Mine")
    assert (code, err) == (1, "")
    assert f"  {len(LAWS)} of {len(LAWS)} laws hold (" in out
    assert "  1 of 2 claims hold (" in out
    assert "  weight_blind: VIOLATED\n    claim: r' = r" in out
    [file] = (folder / ".trilemma").iterdir()
    code, again, err = asked("replay", str(file))
    assert (code, err) == (0, "")
    assert again.startswith("./mine.py:Mine breaks weight_blind\nstake ")
    code, kept_by, _ = asked("replay", str(file), "--mechanism", "uniform", "--json", "-")
    assert (code, json.loads(kept_by)["broken"]) == (0, False)


@pytest.mark.usefixtures("brief")
def test_check_prints_the_documented_json_and_nothing_else(folder: Path) -> None:
    code, out, err = asked("check", "uniform", "--json", "-", "--unclaimed")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["passes"] is True
    [mechanism] = report["mechanisms"]
    assert mechanism["label"] == "uniform"
    properties = {it["check"]: it for it in mechanism["properties"]}
    assert set(properties["clone_proof"]) == {
        "check",
        "kind",
        "verdict",
        "judged",
        "expected",
        "case",
        "told",
    }
    assert properties["clone_proof"]["verdict"] == "not claimed, violated"
    assert len(properties["clone_proof"]["told"]) == 4
    assert not (folder / ".trilemma").exists()
    assert asked("check", "uniform", "--json", "-", "--unclaimed")[1] == out


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("yumma",), 2, "no mechanism is called 'yumma'; did you mean 'yuma'?"),
        (("uniform", "--profile", "fuz"), 2, "no profile is called 'fuz'; did you mean 'fuzz'?"),
        (("./absent.py:Mine",), 3, "there is no such file"),
        (("uniform", "--json", "absent/out.json"), 3, "cannot write the JSON there"),
    ],
)
def test_check_complains_in_one_line(arguments: tuple[str, ...], code: int, said: str) -> None:
    assert said in complaint(code, "check", *arguments)
