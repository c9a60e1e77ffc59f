"""Study files: what may be in one, what is said of a wrong one, and `trilemma run`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import chdir
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from docs import schema as page
from tests.data import ROOT
from tests.few_attacks import few_attacks
from tests.kept_cells import changed
from tests.test_cli import asked, folder
from trilemma import Budget, DataError, Imported, Preset, UsageError, compare, sweep
from trilemma.study import read_study
from trilemma.study.places import places
from trilemma.study.reading import LARGEST
from trilemma.study.shape import SHAPES, BudgetShape, NetworkShape, WorldShape

__all__ = ["few_attacks", "folder"]  # fixtures that every test here takes

HOW_TO = (ROOT / "docs/how-to/study.md").read_text()
WORLD = Preset("equal", validators=6, miners=8)
BUDGET = Budget(identities=2, evaluations=0)
TINY = """
worlds = 2
[world]
stake = "equal"
validators = 6
miners = 8
[budget]
identities = 2
evaluations = 0
"""
VALUES = ("true", "'x'", "3", "1.5", "[[]]", "[{}]", "{a = 1}", "07:00:00")
SWEEP = '[[sweeps]]\nover = "identity_cost"\nvalues = "0..0.1:2"\n'


def written(text: str, name: str = "study.toml") -> Path:
    path = Path(name)
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(text)
    return path


def refused(text: str, kind: type[Exception] = UsageError) -> list[str]:
    """Return the lines about a study that cannot be."""
    with pytest.raises(kind) as caught:
        read_study(written(text))
    assert type(caught.value) is kind
    return str(caught.value).split("\n")


@pytest.fixture
def net(folder: Path) -> str:
    draw = np.random.default_rng(0)
    np.savez(folder / "net.npz", stake=np.arange(6, 0, -1), weights=draw.random((2, 6, 5)))
    return "net.npz"


# --- what a study is -----------------------------------------------------------------------------


def test_an_empty_file_asks_what_compare_asks_by_itself() -> None:
    study = read_study(written(""))
    assert (study.mechanisms, study.attacks, study.sweeps, study.out) == (None, (), (), None)
    assert (study.worlds, study.seed, study.xi) == (16, 0, 0.5)
    assert (study.world, study.budget) == (Preset(), Budget())


def test_every_key_of_a_study_is_understood() -> None:
    study = read_study(
        written(
            """
            mechanisms = ["yuma", "stake_capped(percentile=88)"]
            attacks = ["ousting"]
            worlds = 3
            seed = 7
            xi = 1
            out = "runs/cap"
            [world]
            stake = "pareto(1.2)"
            validators = 8
            miners = 9
            noise = 0.2
            spread = 2
            clone_detection = 0.5
            attacker_work = 0
            subnets = 2
            [budget]
            stake = 0.2
            identities = 4
            identity_cost = 0.01
            insiders = [1, 2]
            evaluations = 5
            """
        )
    )
    assert study.mechanisms == ("yuma", "stake_capped(percentile=88)")
    assert (study.attacks, study.worlds, study.seed, study.xi) == (("ousting",), 3, 7, 1)
    assert study.out == Path("runs/cap")
    assert study.world == Preset("pareto(1.2)", 8, 9, 0.2, 2, 0.5, 0, 2)
    assert study.budget == Budget(0.2, 4, 0.01, (1, 2), evaluations=5)


@pytest.mark.parametrize(
    ("shape", "kind", "others"),
    [
        (WorldShape, Preset, {"knows_quality"}),
        (NetworkShape, Imported, {"knows_quality", "network"}),
        (BudgetShape, Budget, {"epochs"}),
    ],
)
def test_a_table_has_the_parameters_of_what_it_makes_and_their_defaults(
    shape: Any, kind: Any, others: set[str]
) -> None:
    usual = {it.name: it.default for it in fields(kind) if it.name not in others}
    shaped = {name: it.default for name, it in shape.model_fields.items() if name != "files"}
    assert {name: list(it) if isinstance(it, tuple) else it for name, it in usual.items()} == shaped


def test_what_a_sweep_does_not_say_is_the_studys(net: str) -> None:
    own = '[[sweeps]]\nover = "yuma.kappa"\nvalues = [0.4, 0.6]\nmechanisms = ["yuma"]\n'
    change = "world.noise = 0.3\nbudget.stake = 0.2\n"
    away = f'[[sweeps]]\nover = "stake"\nvalues = "0..0.1"\nnetwork.files = ["{net}"]\n'
    study = read_study(written(f'mechanisms = ["dao_vote"]{TINY}{SWEEP}{own}{change}{away}'))
    same, changed, real = study.sweeps
    assert (same.world, same.budget, same.mechanisms) == (study.world, study.budget, ("dao_vote",))
    assert changed.world == replace(WORLD, noise=0.3)
    assert changed.budget == replace(BUDGET, stake=0.2)
    assert (changed.mechanisms, changed.values) == (("yuma",), (0.4, 0.6))
    assert isinstance(real.world, Imported)


def test_a_sweep_may_change_one_thing_about_the_studys_network(net: str) -> None:
    swept = f"{SWEEP}network.distrusted = 1\n{SWEEP}world.miners = 9\n"
    study = read_study(written(f'[network]\nfiles = ["{net}"]\nnoise = 0.2\n{swept}'))
    assert isinstance(study.world, Imported)
    one, other = (it.world for it in study.sweeps)
    assert isinstance(one, Imported)
    assert (one.network, one.noise, one.distrusted) == (study.world.network, 0.2, 1)
    assert other == Preset(miners=9)


def test_relative_paths_start_from_the_folder_of_the_file(net: str) -> None:
    Path("there").mkdir()
    Path("rules.py").rename("there/rules.py")
    Path(net).rename(f"there/{net}")
    text = (
        'mechanisms = ["./rules.py:even", "stake_capped(inner=\'./rules.py:even\')"]\n'
        f'out = "run"\n[network]\nfiles = ["{net}"]\n'
    )
    study = read_study(written(text, "there/study.toml"))
    assert study.mechanisms == (
        "./there/rules.py:even",
        "stake_capped(inner='./there/rules.py:even')",
    )
    assert study.out == Path("there/run")
    assert isinstance(study.world, Imported)


def test_a_parameter_of_a_file_is_swept_over_from_wherever_it_is_asked() -> None:
    rule = """
from dataclasses import dataclass


@dataclass(frozen=True)
class Burnt:
    part: float = 0.5

    def __call__(self, epoch):
        return (1 - self.part) * epoch.weights.mean(axis=0)
"""
    written(rule, "there/burnt.py")
    swept = '[[sweeps]]\nover = "./burnt.py:Burnt.part"\nvalues = [0, 1]\n'
    text = f'mechanisms = ["./burnt.py:Burnt"]\nout = "run"{TINY}{swept}'
    outcome = read_study(written(text, "there/study.toml")).run(workers=1)
    assert outcome.sweeps[0].parameter == "./there/burnt.py:Burnt.part"
    assert outcome.sweeps[0].curves[0].points[1].label == "./there/burnt.py:Burnt(part=1)"
    assert [it.name for it in Path("there/run/sweeps").iterdir()] == [
        "1-._there_burnt.py_Burnt.part"
    ]


def test_in_the_folder_of_the_file_plugins_are_called_as_it_calls_them() -> None:
    assert read_study(written('mechanisms = ["./rules.py:even"]')).mechanisms == (
        "./rules.py:even",
    )


def test_a_study_with_a_mark_and_returns_is_read_and_copied_as_it_is(folder: Path) -> None:
    path = folder / "study.toml"
    path.write_bytes(b'\xef\xbb\xbfmechanisms = ["uniform"]\r\nout = "run"' + TINY.encode())
    read_study(path).run(workers=1)
    assert (folder / "run/study.toml").read_bytes() == path.read_bytes()


# --- what is wrong -------------------------------------------------------------------------------


def test_everything_that_is_wrong_is_said_at_once_in_the_order_of_the_file() -> None:
    said = refused(
        """mechanisms = ["yumma", "yuma", "yuma()"]
attacks = ["./rules.py:flattery"]
sede = 3
xi = 2
[budget]
stake = 1.5
identities = "16"
insiders = [
  1,
  "a",
]
evaluations = 1e3
worlds = 4

[world]
stake = "equl"
miners = 1
[[sweeps]]
over = "identity_cots"
values = "0..1"
[[sweeps]]
over = "noise"
values = [0, "x"]
until = "minimum > 1"
[[sweeps]]
over = "noise"
values = "1..0"
[sweeps.budget]
insiders = []
"""
    )
    expected = [
        "1: mechanisms[0]: no mechanism is called 'yumma'; did you mean 'yuma'?",
        "1: mechanisms[2]: yuma a second time; keep one",
        "2: attacks[0]: ./rules.py has no 'flattery'",
        "3: sede: unknown key; did you mean 'seed'?",
        "4: xi: must be in [0, 1], not 2",
        "6: budget.stake: must be in [0, 1), not 1.5",
        "7: budget.identities: expected a whole number, got '16'",
        "8: budget.insiders[1]: expected a whole number, got 'a'",
        "12: budget.evaluations: expected a whole number, got 1000.0",
        "13: budget.worlds: unknown key; it belongs at the top, before the first [table]",
        "16: world.stake: unknown stake preset 'equl': use root-2024, equal or pareto",
        "17: world.miners: must be in 3..65536, not 1",
        "23: sweeps[1].values[1]: expected a number, got 'x'",
        "24: sweeps[1].until: cannot read the target 'minimum > 1'",
        "29: sweeps[2].budget.insiders: must be one or more coalition sizes",
    ]
    for line, start in zip(said, expected, strict=True):
        assert line.startswith(f"study.toml:{start}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mechanisms = []", "1: mechanisms: empty; give one at least, or leave the key out"),
        ("mechanisms = 'yuma'", "1: mechanisms: expected an array, got 'yuma'"),
        ("mechanisms = ['yuma', 3]", "1: mechanisms[1]: expected a string, got 3"),
        ("worlds = true", "1: worlds: expected a whole number, got true"),
        ("worlds = 0", "1: worlds: must be a whole number, 1 or more, not 0"),
        ("worlds = 16.0", "1: worlds: expected a whole number, got 16.0"),
        ("seed = -1", "1: seed: must be a whole number, 0 or more, not -1"),
        ("seed = 2026-01-01", "1: seed: expected a whole number, got the date or time 2026-01-01"),
        (f"seed = 0x{'f' * 9999}", "1: seed: expected a whole number of at most 64 bits, got a"),
        ("xi = true", "1: xi: expected a number, got true"),
        ("xi = nan", "1: xi: must be in [0, 1], not nan"),
        ("xi = 0xfffffffffffffffffffffffff", "1: xi: "),
        ("out = ''", "1: out: empty"),
        ('out = "a\\u0000"', "1: out: no folder is called so; expected printable letters"),
        ("world = 3", "1: world: expected a table, got 3"),
        ("[[world]]", "1: world: expected a table, got an array"),
        ("budget = ['stake']", "1: budget: expected a table, got an array"),
        ("sweeps = {}", "1: sweeps: expected an array, got a table"),
        ("sweeps = [3]", "1: sweeps[0]: expected a table, got 3"),
        ("\n[[sweeps]]\nvalues = '0..1'", "2: sweeps[0].over: missing; every [[sweeps]] needs it"),
        ("sweeps = [{over = 3, values = {}}]", "1: sweeps[0].over: expected a string, got 3"),
        (
            "sweeps = [{over = 'noise', values = {}}]",
            "1: sweeps[0].values: expected a range as in '0..0.1', or an array of numbers, got a",
        ),
        ("[sweeps]\nover = 'noise'", "1: sweeps: expected an array, got a table"),
        ("identities = 3", "1: identities: unknown key; it belongs under [budget]"),
        ("world.stakes = 'equal'", "1: world.stakes: unknown key; did you mean 'stake'?"),
        (f"{SWEEP}world.x = 1", "4: sweeps[0].world.x: unknown key; there are stake, validators"),
        ('"a\\u001b b" = 1', "1: 'a\\x1b b': unknown key; there are mechanisms, attacks"),
        (f"{'k' * 99} = 1", f"1: '{'k' * 60}'...: unknown key"),
        ("worlds = [[[1]]]", "1: worlds: expected a whole number, got an array"),
        ("world.validators = 5", "1: world.validators: stake root-2024 needs at least 11"),
        (f"{SWEEP}network.noise = 0", "4: sweeps[0].network.files: missing; name the network's"),
        ("network.noise = 0.5", "1: network.files: missing"),
        ("network.files = []", "1: network.files: empty"),
        (
            f"sweeps = [{{over = 'noise', values = '1..2:{'9' * 5000}'}}]",
            "1: sweeps[0].values: noise",
        ),
        (f"{SWEEP}until = ''", "4: sweeps[0].until: empty"),
    ],
)
def test_a_wrong_value_is_named_with_its_line_and_its_path(text: str, said: str) -> None:
    [line, *_] = refused(text)
    assert line.startswith(f"study.toml:{said}")
    assert line.isprintable()


def test_a_preset_and_a_network_exclude_each_other(net: str) -> None:
    text = f'[world]\nminers = 9\n[network]\nfiles = ["{net}"]\n'
    both = "[world] and [network] exclude each other: a network has its own sizes and stakes"
    assert refused(text) == [f"study.toml:3: network: {both}"]
    assert refused(f"{SWEEP}world.noise = 1\nnetwork.noise = 1") == [
        f"study.toml:5: sweeps[0].network: {both}"
    ]


def test_a_network_is_refused_where_it_stands_in_the_file(net: str) -> None:
    missing = refused('[network]\nfiles = ["no.npz"]', DataError)
    assert missing[0].startswith("study.toml:2: network.files: no.npz: no such file; expected an")
    assert refused('network.files = ["a\\u0000"]')[0].startswith("study.toml:1: network.files: ")
    few = refused(f'[network]\nfiles = ["{net}"]\nnoise = 9\ndistrusted = 6')
    assert few[0] == "study.toml:3: network.noise: must be in [0, 5], not 9"
    assert few[1].startswith("study.toml:4: network.distrusted: must be less than 6")


def test_a_missing_file_of_a_mechanism_alone_is_the_datas_fault() -> None:
    [line] = refused('mechanisms = ["./no.py:Rule"]', DataError)
    assert line == "study.toml:1: mechanisms[0]: './no.py': there is no such file"


def test_a_sweep_over_a_mechanism_that_is_wrong_is_not_complained_about_as_well() -> None:
    swept = '[[sweeps]]\nover = "yuma.kappa"\nvalues = "0.4..0.6"\n'
    [line] = refused(f'mechanisms = ["yuma(kapa=1)"]\n{swept}')
    assert "mechanisms[0]: yuma has no parameter 'kapa'" in line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"worlds = ", "study.toml: not TOML (Invalid value (at end of document))"),
        (b"worlds = 1\nworlds = 2", "study.toml: not TOML (Cannot overwrite a value (at "),
        (b"\xff", "study.toml: not UTF-8, so no TOML"),
        (b"a = " + b"[" * 50_000, "study.toml: nested too deeply"),
        (b"a." * 200_000 + b"a = 1", "study.toml: a key of 64 or more dotted words"),
        (b"[" + b"'a' . " * 90_000 + b"a]", "study.toml: a key of 64 or more dotted words"),
        (b"seed = " + b"9" * 5000, "study.toml: not TOML (Exceeds the limit"),
        (b"#" * (LARGEST + 1), "study.toml: more than 1,048,576 bytes"),
    ],
)
def test_what_is_no_study_is_refused_in_one_line(content: bytes, said: str) -> None:
    Path("study.toml").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_study("study.toml")
    assert str(caught.value).startswith(said)
    assert str(caught.value).isprintable()


def test_a_file_that_is_not_there_or_never_ends_is_refused(folder: Path) -> None:
    os.mkfifo(folder / "pipe.toml")
    for name, what in (("no.toml", "no such file"), (".", "not a regular file"),
                       ("pipe.toml", "not a regular file"), ("a\0", "no such file")):  # fmt: skip
        with pytest.raises(DataError, match=what):
            read_study(name)


def test_of_very_many_faults_the_first_are_said_and_the_others_counted() -> None:
    said = refused("mechanisms = [" + "1," * 30_000 + "]")
    assert len(said) == 21
    assert said[-1] == "study.toml: 29,980 more; mend these first"
    assert len(refused("".join(f"k{it} = 1\n" for it in range(300)))) == 21


def header(table: tuple[str, ...]) -> str:
    """Return the lines that open a table."""
    below = f"[{'.'.join(table)}]\n" if table and table != ("sweeps",) else ""
    return ("[[sweeps]]\n" if "sweeps" in table else "") + below


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("value", VALUES)
def test_any_value_under_any_key_is_taken_or_refused_in_lines(
    shape: tuple[str, ...], value: str
) -> None:
    for key in SHAPES[shape].model_fields:
        written(f"{header(shape)}{key} = {value}\n")
        try:
            read_study("study.toml")
        except (UsageError, DataError) as error:
            for line in str(error).split("\n"):
                assert re.match(r"study\.toml:\d: [a-z]", line), line


# --- lines ---------------------------------------------------------------------------------------


def test_every_statement_is_placed_on_its_first_line() -> None:
    text = '''# a comment
a = 1  # [b]

b = """
[c]
d = 2
"""
"e.f".g = [
  { h = 1 },
]
[t . u]
v = { w = [0] }
[[s]]
x = 1
[s.y]
z = 1
[[s]]
[[s.q]]
[[s.q]]
r = 1
'''
    found = places(text)
    assert {path: found[path] for path in found if path} == {
        ("a",): 2, ("b",): 4,
        ("e.f",): 8, ("e.f", "g"): 8, ("e.f", "g", 0): 8, ("e.f", "g", 0, "h"): 8,
        ("t",): 11, ("t", "u"): 11,
        ("t", "u", "v"): 12, ("t", "u", "v", "w"): 12, ("t", "u", "v", "w", 0): 12,
        ("s",): 13, ("s", 0): 13, ("s", 0, "x"): 14, ("s", 0, "y"): 15, ("s", 0, "y", "z"): 16,
        ("s", 1): 17, ("s", 1, "q"): 18, ("s", 1, "q", 0): 18,
        ("s", 1, "q", 1): 19, ("s", 1, "q", 1, "r"): 20,
    }  # fmt: skip


def test_what_follows_a_very_long_statement_is_named_without_a_line() -> None:
    [line] = refused("attacks = [\n" + "\n" * 300 + "]\nsede = 1\n")
    assert line == "study.toml: sede: unknown key; did you mean 'seed'?"


# --- running one ---------------------------------------------------------------------------------


def test_a_study_answers_as_compare_and_sweep_do() -> None:
    outcome = read_study(written(f'mechanisms = ["yuma", "uniform"]{TINY}{SWEEP}')).run(workers=1)
    shared: dict[str, Any] = {"world": WORLD, "worlds": 2, "budget": BUDGET, "workers": 1}
    report = compare(["yuma", "uniform"], **shared)
    swept = sweep(["yuma", "uniform"], over="identity_cost", values="0..0.1:2", **shared)
    told = json.loads(outcome.to_json())
    assert list(told) == ["comparison", "sweeps"]
    assert told["comparison"] == json.loads(report.to_json())
    assert told["sweeps"] == [json.loads(swept.to_json())]
    assert str(outcome) == f"{report}\n\n{swept}"


def test_progress_of_a_study_runs_once_from_nothing_to_everything() -> None:
    told: list[float] = []
    study = read_study(written(f'mechanisms = ["uniform"]{TINY}{SWEEP}'))
    study.run(workers=1, progress=lambda done, total: told.append(done / total))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1)


def test_the_command_prints_the_comparison_and_then_the_sweeps() -> None:
    written(f'mechanisms = ["uniform"]\nout = "run"{TINY}{SWEEP}')
    code, out, err = asked("run", "study.toml", "--workers=1", "--quiet", "--json", "it.json")
    assert (code, err) == (0, "")
    assert out.index("Identities free (K = 2)") < out.index("Scores by identity_cost")
    told = json.loads(Path("it.json").read_text())
    assert told["comparison"]["world"]["validators"] == 6
    assert Path("run/study.toml").read_bytes() == Path("study.toml").read_bytes()
    assert Path("run/report.html").is_file()
    assert Path("run/sweeps/1-identity_cost/run.json").is_file()
    again = asked("run", "study.toml", "--workers=1", "--json", "-")
    assert again == (0, Path("it.json").read_text(), "")


def test_out_of_the_command_stands_above_that_of_the_file() -> None:
    written(f'mechanisms = ["uniform"]\nout = "run"{TINY}')
    assert asked("run", "study.toml", "--workers=1", "--out", "other")[0] == 0
    assert Path("other/study.toml").is_file()
    assert not Path("run").exists()


def test_the_folder_of_another_run_keeps_its_study() -> None:
    written(f'mechanisms = ["uniform"]\nout = "run"{TINY}')
    assert asked("run", "study.toml", "--workers=1")[0] == 0
    before = Path("run/study.toml").read_bytes()
    written(f'mechanisms = ["uniform"]\nseed = 1\nout = "run"{TINY}')
    code, _, err = asked("run", "study.toml", "--workers=1")
    assert code == 2
    assert "holds a run with" in err
    assert Path("run/study.toml").read_bytes() == before


def test_a_study_without_a_folder_is_kept_in_the_next_of_runs() -> None:
    written(f'mechanisms = ["uniform"]{TINY}{SWEEP}')
    out = asked("run", "study.toml", "--workers=1")[1]
    assert "Kept in runs/0001" in out
    assert Path("runs/0001/study.toml").read_text() == Path("study.toml").read_text()


@pytest.mark.parametrize("moment", ["in the comparison", "in a sweep"])
def test_a_study_is_gone_on_with_from_its_folder_alone(moment: str, folder: Path) -> None:
    Path("there").mkdir()
    Path("rules.py").rename("there/rules.py")
    text = f'mechanisms = ["./rules.py:even", "uniform"]\nout = "run"{TINY}{SWEEP}'
    written(text, "there/study.toml")
    asked("run", "there/study.toml", "--workers=1", "--json", "whole.json")
    run = folder / "there/run"
    whole, page = Path("whole.json").read_text(), (run / "report.html").read_bytes()
    assert (run / "outcome.json").read_text() == whole
    assert asked("status", str(run))[1].startswith(f"{run}: finished\n")
    (run / "outcome.json").unlink()
    swept = run / "sweeps/1-identity_cost"
    for part in [swept] if moment == "in a sweep" else [swept, run]:
        with changed(part) as database:
            assert database.execute("DELETE FROM kept WHERE name = '1'").rowcount == 2
    assert asked("status", str(run))[1].startswith(f"{run}: stopped\n")
    Path("there/study.toml").unlink()  # the copy is enough
    Path("elsewhere").mkdir()
    with chdir("elsewhere"):
        assert asked("resume", str(run), "--workers=1", "--json", "-") == (0, whole, "")
    assert (run / "report.html").read_bytes() == page
    assert (run / "outcome.json").read_text() == whole


def test_a_study_that_was_stopped_in_its_first_cell_is_gone_on_with() -> None:
    written(f'mechanisms = ["uniform"]\nout = "run"{TINY}{SWEEP}')
    with pytest.raises(KeyboardInterrupt):
        read_study("study.toml").run(workers=1, progress=interrupting)
    assert not Path("run/report.html").exists()
    code, out, _ = asked("resume", "run", "--workers=1", "--json", "-")
    assert code == 0
    assert len(json.loads(out)["sweeps"]) == 1


def interrupting(*_: int) -> None:
    raise KeyboardInterrupt


def test_a_study_whose_place_is_not_known_says_what_to_do() -> None:
    written(f'mechanisms = ["uniform"]\nout = "run"{TINY}')
    read_study("study.toml").run(workers=1)
    Path("run/study.json").write_text("{}")
    code, _, err = asked("resume", "run")
    assert code == 3
    assert "run its study file again with --out" in err


def test_a_plugin_that_fails_costs_the_exit_code_is_named_once_and_the_others_are_there() -> None:
    written(f'mechanisms = ["./rules.py:crashes", "uniform"]{TINY}{SWEEP}')
    code, out, err = asked("run", "study.toml", "--workers=1")
    assert code == 3
    assert err.count("\n") == 1
    assert "./rules.py:crashes failed: RuntimeError: first line second line" in err
    assert "uniform" in out


def test_the_command_complains_in_a_line_for_each_fault() -> None:
    written("sede = 1\nworlds = true\n")
    assert asked("run", "study.toml") == (
        2,
        "",
        "trilemma: study.toml:1: sede: unknown key; did you mean 'seed'?\n"
        "trilemma: study.toml:2: worlds: expected a whole number, got true\n",
    )
    assert asked("run", "no.toml")[0] == 3
    assert "no study named; expected a file" in asked("run")[2]


# --- the schema, the page, the start -------------------------------------------------------------


def test_the_published_schema_is_the_one_that_is_printed() -> None:
    code, out, err = asked("run", "--schema")
    assert (code, err) == (0, "")
    assert out == page.written() == page.PAGE.read_text()


@pytest.mark.usefixtures("net")
def test_the_study_of_the_how_to_runs() -> None:
    [block, *others] = re.findall(r"^```toml\n(.*?)^```", HOW_TO, re.DOTALL | re.MULTILINE)
    written(block)
    code, out, err = asked("run", "study.toml", "--workers=1", "--quiet", "--json", "it.json")
    assert (code, err) == (0, "")
    assert "Scores by identity_cost" in out
    assert len(json.loads(Path("it.json").read_text())["sweeps"]) == 2
    for other in others:
        read_study(written(other))


def test_the_complaints_of_the_how_to_are_what_is_said() -> None:
    [bad, said] = re.findall(r"^```text\n(.*?)^```", HOW_TO, re.DOTALL | re.MULTILINE)
    written(bad)
    assert asked("run", "study.toml")[2] == said


def test_nothing_needs_pydantic_before_a_study_is_read() -> None:
    program = (
        "import sys, trilemma, trilemma.cli, trilemma.study; "
        "sys.exit(any(it.startswith('pydantic') for it in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
