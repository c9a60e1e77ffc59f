"""What changed between two runs: closed forms, the law of the p-values, folders, exit codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from scipy import stats
from typer.testing import CliRunner

from tests.few_attacks import few_attacks  # noqa: F401
from trilemma import registry
from trilemma.cli import app
from trilemma.compare import compare
from trilemma.diff import diff, differences, holm, p_value, student
from trilemma.errors import DataError, UsageError
from trilemma.model import Budget, FloatArray
from trilemma.report.diff import code, plain
from trilemma.report.files import load_scores
from trilemma.report.model import KEPT_SCORES
from trilemma.statistics import interval, resamples
from trilemma.worlds import Preset

QUESTION: dict[str, Any] = {
    "world": Preset("equal", validators=6, miners=8),
    "worlds": 6,
    "budget": Budget(identities=2, evaluations=0),
    "workers": 1,
}
GOOD = "def rule(epoch):\n    return epoch.stake @ epoch.weights / epoch.stake.sum()\n"
BAD = """import numpy as np


def rule(epoch):
    paid = epoch.weights[epoch.stake.argmax()]
    return paid / max(paid.sum(), 1e-12)
"""


def asked(*arguments: str | Path) -> tuple[int, str, str]:
    found = CliRunner().invoke(app, ["diff", *map(str, arguments)])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, found.stdout, found.stderr


def refused(*arguments: str | Path) -> str:
    code, out, err = asked(*arguments)
    assert (code, out) == (DataError.exit_code, ""), err
    assert err.count("\n") == 1
    assert err[:-1].isprintable()
    return err


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, not to be changed."""
    folder = tmp_path_factory.mktemp("original")
    compare(["stake_weighted", "uniform"], out=folder, **QUESTION)
    return folder


Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def copied(original: Path, tmp_path: Path) -> Callable[..., Path]:
    """Make a copy of the run, with report.json, run.json and the scores changed."""

    def copy(
        name: str,
        edit: Edit = lambda _: None,
        edit_asked: Edit = lambda _: None,
        scores: Callable[[FloatArray], FloatArray] = lambda it: it,
    ) -> Path:
        folder = tmp_path / name
        shutil.copytree(original, folder)
        told = json.loads((folder / "report.json").read_text())
        kept = scores(load_scores(folder, [it["label"] for it in told["mechanisms"]]).copy())
        edit(told)
        for mechanism, values in zip(told["mechanisms"], kept.tolist(), strict=False):
            for side, own in zip(("verified", "free"), values, strict=True):
                for score, sampled in zip(KEPT_SCORES[:-1], own[:-1], strict=True):
                    mechanism[side][score]["value"] = sampled[0]
                mechanism[side]["minimum"] = own[-1][0]
        labels = [it["label"] for it in told["mechanisms"]]
        np.savez_compressed(folder / "scores.npz", labels=np.array(labels), scores=kept)
        (folder / "report.json").write_text(json.dumps(told))
        before = json.loads((folder / "run.json").read_text())
        edit_asked(before)
        (folder / "run.json").write_text(json.dumps(before))
        return folder

    return copy


def drawn(seed: int, worlds: int, mean: float = 0.0) -> FloatArray:
    """Return the resampled mean of normal numbers, one a world."""
    numbers = np.random.default_rng(seed).normal(mean, 1, worlds)
    return np.asarray(resamples(worlds) @ numbers)


# --- closed forms --------------------------------------------------------------------------------


def test_a_known_shift_is_the_difference_in_every_resample() -> None:
    a = drawn(0, 8)
    change = interval(differences(a, a - 0.25, paired=True))
    assert change.value == pytest.approx(-0.25, abs=1e-12)
    assert change.high - change.low < 1e-12


@pytest.mark.parametrize("worlds", [4, 8, 16])
def test_a_paired_p_value_of_means_is_that_of_the_paired_t_test(worlds: int) -> None:
    one, other = np.random.default_rng(worlds).normal(size=(2, worlds))
    sample = resamples(worlds)
    found = p_value(sample @ one, sample @ other, (worlds, worlds), paired=True)
    assert found == pytest.approx(stats.ttest_rel(one, other).pvalue, rel=0.15, abs=0.02)


def test_an_unpaired_p_value_of_means_is_that_of_welch() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=10), rng.normal(0.8, 2, 16)
    found = p_value(resamples(10) @ one, resamples(16) @ other, (10, 16), paired=False)
    assert found == pytest.approx(stats.ttest_ind(one, other, equal_var=False).pvalue, rel=0.15)


@given(st.floats(0, 60), st.floats(1, 1000))
def test_students_law_is_that_of_scipy(t: float, degrees: float) -> None:
    assert student(t, 1, degrees) == pytest.approx(2 * stats.t.sf(t, degrees), rel=1e-5, abs=1e-15)


def test_a_p_value_is_never_zero_and_one_world_proves_nothing() -> None:
    zeros, ones = np.zeros(1001), np.ones(1001)
    for worlds in (2, 3, 16, 1000):
        assert 0 < p_value(zeros, ones, (worlds, worlds), paired=True) <= 2 / (1 + worlds)
    assert p_value(zeros, ones, (2, 2), paired=True) == 2 / 5
    assert p_value(zeros, ones, (1, 1), paired=True) == 1
    assert p_value(zeros, ones, (1, 9), paired=False) == 1


def textbook_holm(values: Sequence[float]) -> list[float]:
    """Reject one hypothesis after the other, smallest p first; the level at which each falls."""
    adjusted, level = [0.0] * len(values), 0.0
    left = list(range(len(values)))
    while left:
        first = min(left, key=lambda it: (values[it], it))
        level = max(level, min(1.0, len(left) * values[first]))
        adjusted[first] = level
        left.remove(first)
    return adjusted


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_is_the_textbooks(values: list[float]) -> None:
    assert holm(values) == pytest.approx(textbook_holm(values))


def test_holm_of_a_known_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


# --- the law of the p-values ---------------------------------------------------------------------


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("worlds", [2, 5, 16])
def test_p_values_are_uniform_where_nothing_changed(worlds: int, paired: bool) -> None:
    found = [
        p_value(drawn(2 * it, worlds), drawn(2 * it + 1, worlds), (worlds, worlds), paired)
        for it in range(300)
    ]
    for level in (0.05, 0.2, 0.5, 0.8):
        often = sum(p <= level for p in found)
        # never far too often; Welch is shy where there are few worlds
        assert stats.binom.sf(often - 1, 300, level) > 1e-4
        if paired and level > 0.4:
            assert stats.binom.cdf(often, 300, level) > 1e-4


def test_unpaired_rows_have_nothing_to_do_with_each_other() -> None:
    a = drawn(0, 16)
    apart = differences(a, a, paired=False)
    assert apart[0] == 0
    assert apart[1:].var() == pytest.approx(2 * a[1:].var(), rel=0.15)


def test_paired_intervals_are_narrower_where_worlds_matter() -> None:
    numbers = np.random.default_rng(3).normal(size=(2, 16))
    a, b = resamples(16) @ numbers[0], resamples(16) @ (numbers[0] + 0.1 * numbers[1] - 0.3)
    paired, apart = (interval(differences(a, b, it)) for it in (True, False))
    assert paired.value == apart.value
    assert paired.high - paired.low < (apart.high - apart.low) / 4
    assert p_value(a, b, (16, 16), True) < 1e-6 < p_value(a, b, (16, 16), False)


# --- what a run keeps ----------------------------------------------------------------------------


def test_a_run_keeps_the_scores_of_every_resample(original: Path, tmp_path: Path) -> None:
    report = compare(["stake_weighted", "uniform"], out=tmp_path, **QUESTION)
    kept = load_scores(tmp_path, ["stake_weighted", "uniform"])
    assert kept.shape == (2, 2, 4, 1001)
    assert kept.dtype == np.float64
    for row, own in zip(report.rows, kept, strict=True):
        for side, values in zip((row.verified, row.free), own, strict=True):
            for score, sampled in zip(KEPT_SCORES, values, strict=True):
                assert interval(sampled) == getattr(side, score)
    assert (tmp_path / "scores.npz").read_bytes() == (original / "scores.npz").read_bytes()
    assert "sampled" not in report.to_json() + repr(report)


def test_the_page_of_a_run_needs_no_scores(copied: Callable[..., Path]) -> None:
    folder = copied("old")
    (folder / "scores.npz").unlink()
    assert CliRunner().invoke(app, ["report", str(folder)]).exit_code == 0


def test_a_run_in_which_all_failed_has_nothing_to_compare(tmp_path: Path) -> None:
    def raises(_: object) -> FloatArray:
        raise RuntimeError("no")

    compare([raises], out=tmp_path, **{**QUESTION, "worlds": 1})
    assert "no mechanism in common" in refused(tmp_path, tmp_path)


# --- two runs ------------------------------------------------------------------------------------


def test_a_run_does_not_differ_from_itself(original: Path) -> None:
    answer = diff(original, original)
    assert answer.paired
    assert len(answer.differences) == 2 * 2 * 4
    for it in answer.differences:
        assert (it.a - it.b, it.change.low, it.change.high, it.p, it.adjusted) == (0, 0, 0, 1, 1)
    assert (answer.tests, answer.changed, answer.regressions, answer.notes) == ((), (), (), ())
    exit_code, out, err = asked(original, original)
    assert (exit_code, err) == (0, "")
    assert "Both drew the same 6 worlds: paired." in out
    assert "Nothing else differs between the two questions." in out
    assert out.endswith("No regression beyond 0.01.\n")


def test_a_mechanism_made_worse_is_a_regression_and_made_better_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in (("good", GOOD), ("bad", BAD)):
        place = tmp_path / f"checkout of {name}"
        place.mkdir()
        (place / "mine.py").write_text(text)
        monkeypatch.chdir(place)
        monkeypatch.setattr(registry, "_found", {})
        compare(["./mine.py:rule", "uniform"], out=tmp_path / name, **QUESTION)
    monkeypatch.chdir(tmp_path)
    exit_code, out, err = asked("good", "bad")
    assert (exit_code, err) == (1, "")
    assert "Regression: ./mine.py:rule, SR, K=2: 0.719 in A, 0.375 in B (-0.344, p: <.001)." in out
    assert "Drops beyond 0.01 that are not significant: 4; more --worlds would tell." in out
    assert "Regression: uniform" not in out
    assert {it.label for it in diff("good", "bad").differences if not it.same} == {"./mine.py:rule"}
    assert diff("good", "bad").recoded == ("./mine.py:rule",)
    better = diff("bad", "good")
    assert any(it.significant and it.change.value > 0.3 for it in better.differences)
    assert better.regressions == ()
    assert better.undecided == 0
    assert asked("bad", "good")[0] == 0


def lowered(by: float) -> Callable[[FloatArray], FloatArray]:
    def lower(scores: FloatArray) -> FloatArray:
        scores[0, 1, 1] -= by
        return scores

    return lower


def test_only_a_drop_beyond_the_tolerance_fails(
    original: Path, copied: Callable[..., Path]
) -> None:
    worse = copied("worse", scores=lowered(0.02))
    assert asked(original, worse)[0] == 1
    assert asked(original, worse, "--tolerance=0.02")[0] == 0
    assert asked(worse, original)[0] == 0
    [found] = diff(original, worse).regressions
    assert (found.label, found.side, found.score) == ("stake_weighted", "free", "neutrality")
    assert found.change.value == pytest.approx(-0.02)
    assert asked(original, worse, "--tolerance=2")[0] == UsageError.exit_code


def test_other_seeds_are_not_paired(original: Path, tmp_path: Path) -> None:
    compare(["stake_weighted", "uniform"], out=tmp_path, seed=1, **QUESTION)
    answer = diff(original, tmp_path)
    assert not answer.paired
    assert [(it.what, it.a, it.b) for it in answer.changed] == [("seed", 0, 1)]
    assert "They drew other worlds (6): unpaired" in str(answer)
    assert not answer.regressions


@pytest.mark.parametrize(
    ("name", "value", "paired"),
    [("noise", 0.2, False), ("worlds", 8, False), ("xi", 0.4, True), ("sha256", "0", False)],
)
def test_other_worlds_are_not_paired(
    original: Path, copied: Callable[..., Path], name: str, value: object, paired: bool
) -> None:
    other = copied("other", lambda told: told["world"].update({name: value}))
    answer = diff(original, other)
    assert answer.paired == paired
    assert [(it.what, it.b) for it in answer.changed] == [(f"world: {name}", value)]


def test_other_budgets_attacks_and_versions_are_said(
    original: Path, copied: Callable[..., Path]
) -> None:
    def edit(told: dict[str, Any]) -> None:
        told["budget"]["identity_cost"] = 0.5
        told["versions"]["trilemma"] = "9.9"

    other = copied("other", edit, lambda run: run["attacks"].update(censorship="abc", mine="def"))
    answer = diff(original, other)
    assert answer.paired
    told = {it.what: it.b for it in answer.changed}
    assert told == {
        "budget: identity_cost": 0.5,
        "version of trilemma": "9.9",
        "attack censorship": "abc",
        "attack mine": "def",
    }
    assert "budget: identity_cost is 0.0 in A, 0.5 in B." in str(answer)
    assert "attack mine is not told in A" in str(answer)


def test_changed_code_is_named_where_both_runs_tell_it(
    original: Path, copied: Callable[..., Path]
) -> None:
    codes = {"stake_weighted": "aa", "uniform": "bb"}
    one = copied("one", edit_asked=lambda run: run.update(codes=codes))
    other = copied("other", edit_asked=lambda run: run.update(codes={**codes, "uniform": "cc"}))
    assert diff(one, other).recoded == ("uniform",)
    silent = copied("silent", edit_asked=lambda run: run.pop("codes", None))
    assert diff(original, silent).recoded is None
    assert "Mechanisms whose code differs: uniform." in str(diff(one, other))


def test_mechanisms_of_one_run_only_are_named(original: Path, copied: Callable[..., Path]) -> None:
    other = copied("other", lambda told: told["mechanisms"][1].update(label="renamed"))
    answer = diff(original, other)
    assert (answer.only_a, answer.only_b) == (("uniform",), ("renamed",))
    assert {it.label for it in answer.differences} == {"stake_weighted"}
    assert "Only in A: uniform." in str(answer)


def test_without_sybils_there_is_one_side(original: Path, copied: Callable[..., Path]) -> None:
    one, other = (
        copied(name, lambda told: told["budget"].update(identities=1)) for name in ("one", "other")
    )
    assert {it.side for it in diff(one, other).differences} == {"verified"}
    assert {it.identities for it in diff(original, other).differences} == {(1, 1), (2, 1)}


def test_too_few_worlds_are_said(copied: Callable[..., Path]) -> None:
    def few(told: dict[str, Any]) -> None:
        told["world"]["worlds"] = 2

    one, other = copied("one", few), copied("other", few, scores=lowered(0.3))
    answer = diff(one, other)
    assert answer.regressions == ()
    assert "2 worlds are too few to call any of 1 differences significant" in str(answer)


# --- JSON and Markdown ---------------------------------------------------------------------------


def test_the_json_says_everything(
    original: Path, copied: Callable[..., Path], tmp_path: Path
) -> None:
    worse, place = copied("worse", scores=lowered(0.02)), tmp_path / "diff.json"
    exit_code, out, _ = asked(original, worse, "--json=-")
    assert exit_code == 1
    assert asked(original, worse, "--json", place)[1] == f"{diff(original, worse)}\n"
    assert place.read_text() == out
    told = json.loads(out)
    assert (told["schema"], told["paired"], told["tests"], told["worlds"]) == (1, True, 1, [6, 6])
    [found] = [it for it in told["differences"] if it["regression"]]
    assert set(found) == {
        "label", "side", "identities", "score", "a", "b", "change", "same", "p", "adjusted",
        "significant", "regression",
    }  # fmt: skip
    assert found["change"]["low"] <= found["change"]["value"] <= found["change"]["high"]


def test_markdown_shows_what_differs_and_counts_the_rest(
    original: Path, copied: Callable[..., Path]
) -> None:
    out = asked(original, copied("worse", scores=lowered(0.02)), "--markdown")[1]
    rows = [line for line in out.splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert rows[2].startswith("| `stake_weighted` | CN, K=2 |")
    assert rows[2].endswith("| ! |")
    assert "The same in both: 15 other comparisons." in out
    assert "No score differs." in asked(original, original, "--markdown")[1]


HOSTILE = (
    "a|b", "`a`", "a\\|b", "a\nb", "<img src=x>", "**a**", " a", "_a_", "@all", "www.a.b",
    "\x1b[2J", "[a](b)", "&amp;", "", "a`|`b\r\n|c|",
)  # fmt: skip


@pytest.mark.parametrize("label", HOSTILE)
def test_a_hostile_label_stays_in_its_cell(copied: Callable[..., Path], label: str) -> None:
    def edit(told: dict[str, Any]) -> None:
        told["mechanisms"][0]["label"] = label

    answer = diff(copied("one", edit), copied("other", edit, scores=lowered(0.3)))
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(answer.to_markdown())
    assert page.count("<tr>") == 2
    assert page.count("<td") == 8
    assert "<img" not in page
    assert "<a " not in page
    assert "<strong>" not in page
    assert "<em>" not in page
    [cell] = [line for line in page.splitlines() if line.startswith("<td><code>")]
    assert code(label).count("\n") == 0
    assert all(it.isprintable() for it in str(answer).split("\n"))
    assert plain(label) in str(answer)
    assert cell.endswith("</code></td>")


# --- folders -------------------------------------------------------------------------------------


def test_a_run_made_before_is_told_how_to_catch_up(
    original: Path, copied: Callable[..., Path]
) -> None:
    old = copied("old")
    (old / "scores.npz").unlink()
    line = refused(original, old)
    assert "no scores.npz in it" in line
    assert "repeat the same compare command with --out" in line
    report = compare(["stake_weighted", "uniform"], out=old, **QUESTION)
    assert report.calls == 0
    assert asked(original, old)[0] == 0


@pytest.mark.parametrize("name", ["report.json", "run.json"])
def test_what_is_no_finished_run_is_refused(
    original: Path, copied: Callable[..., Path], name: str, tmp_path: Path
) -> None:
    assert "no report.json in it" in refused(original, tmp_path / "nowhere")
    broken = copied("broken")
    for text in ("", "[1]", "{}", '{"mechanisms": 3}', '{"world": [], "attacks": 1}'):
        (broken / name).write_text(text)
        assert name in refused(original, broken)
    (broken / name).unlink()
    assert f"no {name} in it" in refused(broken, original)


def test_a_report_with_odd_values_is_refused(original: Path, copied: Callable[..., Path]) -> None:
    edits: list[Edit] = [
        lambda told: told["world"].update(worlds="many"),
        lambda told: told["world"].update(worlds=0),
        lambda told: told["world"].update(noise=float("nan")),
        lambda told: told["budget"].update(identities=None),
        lambda told: told.pop("versions"),
    ]
    for number, edit in enumerate(edits):
        assert "is not of this program" in refused(original, copied(f"{number}", edit))


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"PK\3\4" + bytes(40), bytes(range(256)), b"\x93NUMPY\1\0"],
)
def test_torn_scores_are_refused(
    original: Path, copied: Callable[..., Path], content: bytes
) -> None:
    torn = copied("torn")
    (torn / "scores.npz").write_bytes(content)
    assert "not the scores of this run" in refused(original, torn)


@pytest.mark.parametrize(
    "arrays",
    [
        {"labels": np.array(["stake_weighted", "uniform"])},
        {"labels": np.array(["a", "b"]), "scores": np.zeros((2, 2, 4, 1001))},
        {"labels": np.array(["a"]), "scores": np.zeros((2, 2, 4, 1001))},
        {"labels": np.array(["stake_weighted", "uniform"]), "scores": np.zeros((2, 2, 4, 7))},
        {
            "labels": np.array(["stake_weighted", "uniform"]),
            "scores": np.full((2, 2, 4, 1001), np.nan),
        },
        {
            "labels": np.array(["stake_weighted", "uniform"]),
            "scores": np.zeros((2, 2, 4, 1001), "U1"),
        },
        {"labels": np.array([1, 2]), "scores": np.zeros((2, 2, 4, 1001))},
    ],
)
def test_other_arrays_are_refused(
    original: Path, copied: Callable[..., Path], arrays: dict[str, Any]
) -> None:
    other = copied("other")
    np.savez(other / "scores.npz", **arrays)
    assert "not the scores of this run" in refused(original, other)


def test_scores_of_another_run_beside_a_report_are_refused(
    original: Path, copied: Callable[..., Path]
) -> None:
    mixed, worse = copied("mixed"), copied("worse", scores=lowered(0.3))
    shutil.copy(worse / "scores.npz", mixed)
    assert "scores.npz and report.json are of two runs" in refused(original, mixed)


def test_a_header_that_promises_more_than_there_is_makes_no_memory(
    original: Path, copied: Callable[..., Path]
) -> None:
    huge = copied("huge")
    scores = load_scores(huge, ["stake_weighted", "uniform"])
    np.savez(huge / "scores.npz", labels=np.array(["stake_weighted", "uniform"]), scores=scores)
    stored = (huge / "scores.npz").read_bytes()
    assert stored.count(b"(2, 2, 4, 1001)") == 1
    (huge / "scores.npz").write_bytes(stored.replace(b"(2, 2, 4, 1001)", b"(2, 2, 4, 9**9)"))
    assert "not the scores of this run" in refused(original, huge)
