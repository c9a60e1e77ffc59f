"""Witnesses: the same number on another process, explained, made smaller, and as a test."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from trilemma import Budget, Epoch, Preset, compare, load
from trilemma.attacks.moves import arrive, fake, praise_self, reverse, sequence, split
from trilemma.cli import app
from trilemma.errors import DataError, PluginError, UsageError
from trilemma.report import Report
from trilemma.witness import Witness, as_test, explain, minimised, text

WORLD = Preset(validators=14, miners=7)
RULES = ("yuma", "stake_weighted", "quadratic", "dao_vote", "stake_proportional")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def report(run: Path) -> Report:
    budget = Budget(0.2, 4, evaluations=60)
    return compare(RULES, world=WORLD, worlds=2, budget=budget, workers=1, out=run)


@pytest.fixture(scope="module")
def files(run: Path, report: Report) -> list[Path]:
    assert report.rows
    return sorted((run / "witnesses").glob("*.json"))


def of(report: Report, rule: str, score: str, identities: int) -> Witness:
    (found,) = [
        it
        for it in report.witnesses
        if (it.mechanism, it.score, it.identities) == (rule, score, identities)
    ]
    return found


def called(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.stdout, result.stderr


# --- which there are -----------------------------------------------------------------------------


def test_every_score_that_some_play_lowers_has_a_witness(report: Report, files: list[Path]) -> None:
    expected = {
        (row.label, score, side.identities)
        for row in report.rows
        for side in (row.verified, row.free)
        for score, value in (
            ("sybil_resistance", side.sybil_resistance.value),
            ("neutrality", dict(side.cutoff)[5]),
        )
        if (1 - value if score == "sybil_resistance" else value) > 1e-9
    }
    assert {(it.mechanism, it.score, it.identities) for it in report.witnesses} == expected
    assert len(files) == len(expected)
    assert not [it for it in report.witnesses if it.mechanism == "stake_proportional"]


@pytest.mark.parametrize("price", [0.0, 0.001, 0.03])
def test_a_witness_of_a_score_of_one_world_shows_that_score(price: float) -> None:
    budget = Budget(0.2, 4, price, evaluations=60)
    report = compare(["yuma", "quadratic"], world=WORLD, worlds=1, budget=budget, workers=1)
    for row in report.rows:
        for side in (row.verified, row.free):
            taken = of(report, row.label, "sybil_resistance", side.identities)
            assert taken.price == price
            assert 1 - min(taken.harm, 1) == pytest.approx(side.sybil_resistance.value, abs=1e-12)
            cut = of(report, row.label, "neutrality", side.identities)
            size = side.cutoff_number or 5
            assert cut.harm == pytest.approx(dict(side.cutoff)[size], abs=1e-12)


# --- replayed ------------------------------------------------------------------------------------


def test_another_process_finds_the_same_number_to_the_last_bit(
    report: Report, files: list[Path]
) -> None:
    script = (
        "import sys; from pathlib import Path; from trilemma.witness import Witness\n"
        "for file in sys.argv[1:]: print(Witness.load(Path(file)).replay().harm.hex())"
    )
    command = [sys.executable, "-c", script, *map(str, files)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    kept = [Witness.load(file) for file in files]
    assert [it.harm.hex() for it in kept] == printed
    known = {it.name: it.harm for it in report.witnesses}
    assert {it.name: it.harm for it in kept} == known


def test_a_witness_is_replayed_against_another_mechanism(files: list[Path]) -> None:
    (file,) = [it for it in files if it.stem == "stake_weighted-sybil_resistance-K1"]
    code, out, _ = called("replay", str(file), "--mechanism", "stake_proportional")
    assert code == 0
    assert "stake_proportional: harm" in out
    assert "stake_weighted, which the witness accuses" in out
    code, out, _ = called("replay", str(file), "--json", "-")
    answer = json.loads(out)
    assert answer["harm"] == answer["witness"] > 0


def test_a_witness_that_says_another_number_is_contradicted(report: Report, tmp_path: Path) -> None:
    witness = replace(of(report, "yuma", "neutrality", 1), harm=0.125)
    code, out, _ = called("replay", str(witness.save(tmp_path)))
    assert code == 0
    assert "the witness says 0.125" in out


@pytest.mark.parametrize("rule", ["stake_weighted", "dao_vote"])
def test_its_test_fails_against_the_mechanism_it_accuses(
    rule: str, files: list[Path], tmp_path: Path
) -> None:
    (file,) = [it for it in files if it.stem == f"{rule}-neutrality-K4"]
    test = tmp_path / "test_accused.py"
    assert called("replay", str(file), "--as-test", str(test))[0] == 0
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
    accused = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert accused.returncode == 1, accused.stdout
    assert "AssertionError" in accused.stdout
    test.write_text(test.read_text().replace(f"MECHANISM = '{rule}'", "MECHANISM = 'uniform'"))
    mended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert mended.returncode == 0, mended.stdout


def test_texts_of_a_witness_cannot_break_out_of_its_test(report: Report) -> None:
    odd = 'quotes """ and \\ backslashes\nimport os\n{braces}'
    witness = of(report, "yuma", "neutrality", 1)
    source = as_test(replace(witness, mechanism=odd, play=odd, source={odd: odd}))
    scope: dict[str, Any] = {}
    exec(compile(source, "test", "exec"), scope)
    assert scope["MECHANISM"] == scope["STORY"]["play"] == scope["STORY"]["source"][odd] == odd
    assert "os" not in scope


# --- explained -----------------------------------------------------------------------------------


def test_rewards_before_and_after_add_up(report: Report) -> None:
    for witness in report.witnesses:
        _, lines = explain(witness)
        for when in ("honest", "attacked"):
            paid = [getattr(line, when) for line in lines if line.stage == "reward"]
            assert sum(paid) == pytest.approx(1, abs=1e-9)


def test_stages_are_shown_from_stake_to_reward(report: Report) -> None:
    witness = of(report, "quadratic", "neutrality", 4)
    replay, lines = explain(witness)
    stages = list(dict.fromkeys(line.stage for line in lines))
    assert stages[0] == "influence"
    order = [stages.index(name) for name in ("consensus", "clipped", "rank", "bonds", "reward")]
    assert order == sorted(order)
    shown = text(witness, replay, lines)
    assert "the target" in shown
    assert "the other twin" in shown


def test_the_influence_of_split_stake_grows(report: Report) -> None:
    witness = of(report, "quadratic", "sybil_resistance", 4)
    _, lines = explain(witness)
    (own,) = [it for it in lines if (it.stage, it.group) == ("influence", "own validators")]
    assert own.attacked > 1.5 * own.honest


def test_stages_that_fail_are_named(report: Report) -> None:
    class Broken:
        def __call__(self, epoch: Epoch) -> object:
            return np.full(epoch.weights.shape[1], 1 / epoch.weights.shape[1])

        def stages(self, _: Epoch) -> object:
            raise ZeroDivisionError("no stake")

    with pytest.raises(PluginError, match=r"stages failed: ZeroDivisionError: no stake"):
        explain(report.witnesses[0], Broken())  # type: ignore[arg-type]


# --- made smaller --------------------------------------------------------------------------------


class OfAccounts:
    """Pays by stake-weighted reports; tells of accounts where there are as many of both."""

    def __call__(self, epoch: Epoch) -> Any:
        support = epoch.stake @ epoch.weights
        return support / support.sum() if support.any() else support

    def stages(self, epoch: Epoch) -> dict[str, Any]:
        n, m = epoch.weights.shape
        told = {"stake": epoch.stake, "support": epoch.stake @ epoch.weights}
        return {**told, "account": epoch.stake} if n == m else told


def test_where_roles_are_as_many_an_attack_tells_whose_a_stage_is() -> None:
    budget = Budget(0.2, 4, evaluations=0)
    found = compare([OfAccounts()], world=Preset("equal", 6, 6), worlds=1, budget=budget, workers=1)
    (splitting,) = [
        told
        for it, told in zip(found.witnesses, found.explanations, strict=True)
        if it.identities == 4 and it.score == "sybil_resistance"
    ]
    shown = {(line.stage, line.group.split()[-1]) for line in splitting.lines}
    assert not splitting.fault
    assert not any(stage == "account" for stage, _ in shown)
    assert ("support", "miners") in shown


def test_a_report_goes_on_where_stages_fail() -> None:
    class Failing(OfAccounts):
        def stages(self, _: Epoch) -> dict[str, Any]:
            raise RuntimeError("no stages")

    budget = Budget(0.2, 2, evaluations=0)
    found = compare([Failing()], world=Preset("equal", 6, 7), worlds=1, budget=budget, workers=1)
    assert [row.label for row in found.rows]
    assert all("no stages" in it.fault and not it.lines for it in found.explanations)
    assert "no stages" in found.to_html()


@pytest.mark.parametrize("rule", ["yuma", "quadratic", "stake_weighted", "dao_vote"])
@pytest.mark.parametrize("score", ["sybil_resistance", "neutrality"])
def test_a_smaller_play_does_most_of_the_harm(report: Report, rule: str, score: str) -> None:
    witness = of(report, rule, score, 4)
    smaller = minimised(witness)
    assert smaller.harm >= 0.95 * witness.harm
    assert smaller.replay().harm == smaller.harm
    for one, other in zip(smaller.attacked, witness.attacked, strict=True):
        assert one.weights.shape[0] <= other.weights.shape[0]
        assert one.weights.shape[1] <= other.weights.shape[1]


def test_superfluous_identities_weights_and_channels_are_dropped() -> None:
    world = WORLD.sybil(1)
    overdone = sequence(
        reverse,
        partial(split, parts=4),
        partial(fake, count=3),
        partial(arrive, epochs=1),
        partial(praise_self, intensity=0.9),
    )
    witness = Witness(
        "stake_weighted", "sybil_resistance", "overdone", 0.0, 4, 0.0, 0.5, 0.2,
        (world,), (overdone(world),), {"seed": 0, "number": 0},
    )  # fmt: skip
    smaller = minimised(replace(witness, harm=witness.replay().harm))
    (after,) = smaller.attacked
    assert after.weights.shape == world.weights.shape
    assert after.tenure is None
    assert smaller.play.startswith("overdone [minimised: 1 weight in steps of ")


def test_a_harmless_witness_cannot_be_made_smaller(report: Report) -> None:
    with pytest.raises(UsageError, match="no harm to stake_proportional"):
        minimised(of(report, "yuma", "sybil_resistance", 1), load("stake_proportional"))


def test_the_command_writes_the_smaller_one_beside_it(files: list[Path]) -> None:
    (file,) = [it for it in files if it.stem == "stake_weighted-neutrality-K1"]
    code, out, _ = called("minimise", str(file))
    written = file.with_name("stake_weighted-neutrality-K1-minimal.json")
    assert code == 0
    assert str(written) in out
    assert Witness.load(written).harm >= 0.95 * Witness.load(file).harm
    assert called("explain", str(written))[0] == 0
    written.unlink()
    written.with_suffix(".npz").unlink()


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda story, _: story.unlink(), "no such file"),
        (lambda _, arrays: arrays.unlink(), "no such file"),
        (lambda story, _: story.write_text("{"), "not a witness"),
        (lambda story, _: story.write_text("[]"), "not a witness"),
        (lambda story, _: story.write_text('{"format": 2}'), "not a witness"),
        (lambda _, arrays: arrays.write_bytes(b"x"), "not a witness"),
        (lambda _, arrays: arrays.write_bytes(arrays.read_bytes()[:-90]), "not a witness"),
        (lambda _, arrays: np.savez(arrays, a=np.zeros(2)), "not a witness"),
        (lambda _, arrays: np.savez(arrays, a=np.array([{}])), "not a witness"),
    ],
)
def test_a_spoilt_file_is_named(  # type: ignore[no-untyped-def]
    spoil, said: str, report: Report, tmp_path: Path
) -> None:
    story = report.witnesses[0].save(tmp_path)
    spoil(story, story.with_suffix(".npz"))
    with pytest.raises(DataError, match=said):
        Witness.load(story)
    code, _, complaint = called("replay", str(story))
    assert code == DataError.exit_code
    assert complaint.count("\n") == 1


def test_arrays_that_fit_no_epoch_are_refused(report: Report, tmp_path: Path) -> None:
    story = report.witnesses[0].save(tmp_path)
    with np.load(story.with_suffix(".npz")) as found:
        arrays = dict(found)
    arrays["attacked.0.stake"] = arrays["attacked.0.stake"][:-1]
    np.savez(story.with_suffix(".npz"), **arrays)
    with pytest.raises(DataError, match="not a witness"):
        Witness.load(story)


def test_a_test_cannot_be_written_of_a_harmless_play(files: list[Path], tmp_path: Path) -> None:
    code, _, said = called(
        "replay", str(files[0]), "--mechanism", "stake_proportional", "--as-test",
        str(tmp_path / "test_it.py"),
    )  # fmt: skip
    assert code == UsageError.exit_code
    assert "no test of it could fail" in said
    assert not (tmp_path / "test_it.py").exists()


def test_a_place_that_cannot_be_written_is_named(files: list[Path], tmp_path: Path) -> None:
    for option in ("--as-test", "--json"):
        code, _, said = called("replay", str(files[0]), option, str(tmp_path / "no" / "x"))
        assert code == DataError.exit_code
        assert "cannot write" in said
