from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from tests.kept_cells import cells, changed
from trilemma import registry
from trilemma.cli import app
from trilemma.cli.shell import complaints
from trilemma.executor import CAN_FORK

SMALL = ("--validators=14", "--miners=20", "--worlds=3", "--identities=4", "--evaluations=40")
QUICK = ("--stake=equal", "--validators=4", "--miners=5", "--worlds=2", "--identities=2")

RULES = '''
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from time import sleep

import numpy as np


def even(epoch):
    """Equal pay."""
    return np.full(epoch.weights.shape[1], 1 / epoch.weights.shape[1])


def begun():
    with closing(sqlite3.connect("file:run/cells.sqlite?mode=ro", uri=True)) as database:
        query = "SELECT 1 FROM kept WHERE name GLOB '[0-9]*'"
        return database.execute(query).fetchone() is not None


def waits(epoch):
    """Equal pay; once a cell is there, it takes its time until somebody writes `go`."""
    while not Path("go").exists() and begun():
        sleep(0.005)
    return even(epoch)


def prints(epoch):
    print("looking at", epoch)
    return even(epoch)


def leaves(epoch):
    raise SystemExit(0)


def crashes(epoch):
    raise RuntimeError("first line\\nsecond line")


def dies(epoch):
    os._exit(0)
'''
MAIN = (  # a parent that ignores Ctrl-C, as a shell's background job, would hand that down
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from trilemma.cli import main; main()"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_found", {})  # rules.py is another file in every test
    (tmp_path / "rules.py").write_text(RULES)
    return tmp_path


def asked(*arguments: str) -> tuple[int, str, str]:
    """Return the exit code and what was written to stdout and to stderr."""
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def spawned(
    *arguments: str, program: Sequence[str] = ("-m", "trilemma"), **options: Any
) -> subprocess.Popen[str]:
    command = [sys.executable, *program, *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **{**streams, **options})


def ran(*arguments: str, **options: Any) -> tuple[int, str, str]:
    with spawned(*arguments, **options) as process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def complaint(code: int, *arguments: str) -> str:
    """Return the one line on stderr with which a command is refused."""
    found, out, err = asked(*arguments)
    assert (found, out) == (code, ""), err
    assert err.startswith("trilemma: ")
    assert err.count("\n") == 1
    assert err[:-1].isprintable()
    return err


# --- list, show, help ----------------------------------------------------------------------------


def test_list_names_every_mechanism_with_its_distribution() -> None:
    code, out, err = asked("list")
    assert (code, err) == (0, "")
    lines = [line.split(maxsplit=3) for line in out.splitlines()]
    assert [line[0] for line in lines] == sorted(line[0] for line in lines)
    assert {"yuma", "uniform", "stake_capped", "quadratic", "dao_vote"} <= {it[0] for it in lines}
    assert all(line[1] == "trilemma" and line[2][0].isdigit() and line[3] for line in lines)


def test_show_says_what_a_nested_mechanism_is_made_of() -> None:
    code, out, err = asked("show", "stake_capped(inner=stake_weighted)")
    assert (code, err) == (0, "")
    for line in (
        "stake_capped(inner=stake_weighted)",
        "origin: trilemma ",
        "parameters:\n  cap = None\n  percentile = 88\n  inner = stake_weighted\n",
        "claims: ",
        "\n\nStake above a cap does not count",
    ):
        assert line in out


def test_show_names_the_file_of_a_function_without_parameters() -> None:
    _, out, _ = asked("show", "./rules.py:even")
    assert out == (
        "./rules.py:even\norigin: ./rules.py\nparameters: none\nclaims: none\n\nEqual pay.\n"
    )


def test_the_module_runs_and_help_does_not_load_the_compiler() -> None:
    code, out, err = ran("--help", program=("-X", "importtime", "-m", "trilemma"))
    assert code == 0
    assert "trilemma [OPTIONS] COMMAND" in out
    assert "trilemma.cli" in err
    assert "numba" not in err
    assert "llvmlite" not in err


# --- compare -------------------------------------------------------------------------------------


def test_the_table_is_on_stdout_and_stderr_is_silent() -> None:
    code, out, err = asked("compare", "uniform", "stake_weighted", *QUICK, "--quiet")
    assert (code, err) == (0, "")
    assert "mechanism calls: " in out
    assert "stake_weighted" in out


def test_every_option_reaches_the_comparison() -> None:
    options = (
        "--noise 0.2 --clone-detection 0.5 --attacker-work 0.5 --subnets 2 --attacker-stake 0.1 "
        "--identity-cost 0.01 --insiders 2,4 --evaluations 30 --xi 0.4 --seed 7 --workers 1"
    )
    _, out, _ = asked("compare", "uniform", *QUICK, *options.split(), "--json", "-")
    found = json.loads(out)
    assert found["seed"] == 7
    assert found["budget"] == {
        "stake": 0.1,
        "identities": 2,
        "identity_cost": 0.01,
        "insiders": [2, 4],
        "epochs": 1,
        "evaluations": 30,
    }
    assert found["world"] == {
        "stake": "equal",
        "validators": 4,
        "miners": 5,
        "noise": 0.2,
        "spread": 1.0,
        "clone_detection": 0.5,
        "attacker_work": 0.5,
        "subnets": 2,
        "worlds": 2,
        "xi": 0.4,
    }


INTERVAL = {"value": float, "low": float, "high": float}
SIDE = {
    "sybil_resistance": INTERVAL,
    "neutrality": INTERVAL,
    "quality": INTERVAL,
    "quality_attacked": INTERVAL,
    "worst_sybil_play": str,
    "worst_neutrality_play": str,
    "cutoff": [(int, float)],
    "cutoff_number": {int, NoneType},
    "by_attack": [{"attack": str, "aim": str, "harm": float, "play": str}],
    "minimum": float,
    "set_by": {"sybil_resistance": str, "neutrality": str},
    "replayed": {dict, NoneType},
}
SCHEMA = {
    "schema": int,
    "seed": int,
    "budget": {
        "stake": float,
        "identities": int,
        "identity_cost": float,
        "insiders": [int],
        "epochs": int,
        "evaluations": int,
    },
    "world": dict,
    "attacks": [str],
    "mechanisms": [
        {
            "name": str,
            "label": str,
            "distribution": str,
            "free": SIDE,
            "verified": SIDE,
            "flags": [str],
            "pareto": bool,
            "control": bool,
            "concentration": dict.fromkeys(("hhi", "nakamoto", "entropy", "gini"), float),
            "by_price": [
                {
                    "price": float,
                    "sybil_resistance": INTERVAL,
                    "neutrality": INTERVAL,
                    "quality_attacked": INTERVAL,
                    "minimum": INTERVAL,
                }
            ],
        }
    ],
}


def conform(value: Any, schema: Any, place: str = "$") -> None:
    """Check keys and types: {keys}, [elements alike], (elements in turn), a set of types."""
    match schema:
        case dict():
            assert isinstance(value, dict), place
            assert list(value) == list(schema), place
            for key, inside in schema.items():
                conform(value[key], inside, f"{place}.{key}")
        case list():
            assert isinstance(value, list), place
            for number, element in enumerate(value):
                conform(element, schema[0], f"{place}[{number}]")
        case tuple():
            assert isinstance(value, list), place
            assert len(value) == len(schema), place
            for number, inside in enumerate(schema):
                conform(value[number], inside, f"{place}[{number}]")
        case set():
            assert type(value) in schema, place
        case _:
            assert type(value) is schema, place


def test_json_on_stdout_is_json_alone_of_the_documented_schema() -> None:
    code, out, err = ran("compare", *SMALL, "--worlds", "2", "--json", "-")
    assert (code, err) == (0, "")
    assert out.endswith("}\n")
    report = json.loads(out)
    conform(report, SCHEMA)
    assert report["schema"] == 1
    assert [row["name"] for row in report["mechanisms"]] == sorted(
        line.split()[0] for line in asked("list")[1].splitlines()
    )
    for row in report["mechanisms"]:
        for side in (row["free"], row["verified"]):
            scores = [side[name] for name in SIDE if SIDE[name] is INTERVAL]
            assert all(0 <= it["low"] <= it["value"] <= it["high"] <= 1 for it in scores)
            counted = ("sybil_resistance", "neutrality", "quality_attacked")
            assert side["minimum"] == min(side[name]["value"] for name in counted)
            assert [size for size, _ in side["cutoff"]] == list(range(1, 11))
            reached = [size for size, cut in side["cutoff"] if cut >= 0.5]
            assert side["cutoff_number"] == min(reached, default=None)


def test_a_json_file_has_what_stdout_has_and_the_table_is_printed_beside_it() -> None:
    question = ("compare", "uniform", "stake_weighted", *QUICK)
    table = asked(*question, "--json", "it.json")[1]
    assert "stake_weighted" in table
    assert Path("it.json").read_text() == asked(*question, "--json", "-")[1]


def test_a_failing_plugin_costs_the_exit_code_and_nobody_elses_numbers() -> None:
    question = ("compare", "uniform", "stake_weighted", *QUICK, "--json", "-")
    alone = asked(*question)[1]
    code, out, err = asked(*question, "./rules.py:crashes")
    assert (code, out) == (3, alone)
    assert err.count("\n") == 1
    assert "./rules.py:crashes failed: RuntimeError: first line second line" in err
    assert "world seed " in err


def test_a_plugin_that_leaves_the_program_fails_alone() -> None:
    question = ("compare", "uniform", *QUICK, "--json", "-")
    code, out, err = asked(*question, "./rules.py:leaves")
    assert (code, out) == (3, asked(*question)[1])
    assert "./rules.py:leaves" in err


@pytest.mark.skipif(not CAN_FORK, reason="plug-ins run in this process here")
def test_a_plugin_that_kills_its_process_does_not_look_like_success() -> None:
    code, _, err = ran("compare", "./rules.py:dies", *QUICK, "--workers", "2")
    assert code == 3
    assert "process died" in err


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_a_plugin_prints_does_not_spoil_the_json(workers: str) -> None:
    question = ("compare", "./rules.py:prints", *QUICK, "--workers", workers, "--json", "-")
    code, out, _ = ran(*question)
    assert code == 0
    conform(json.loads(out), SCHEMA)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals here")
@pytest.mark.parametrize("quiet", [True, False])
def test_there_is_a_bar_on_a_terminal_unless_quiet(quiet: bool) -> None:
    master, slave = os.openpty()
    flags = ["--quiet"] if quiet else []
    question = ("compare", "uniform", *QUICK, "--json", "-", *flags)
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with spawned(*question, stderr=slave, env=environment) as process:
        os.close(slave)
        out = process.communicate(timeout=120)[0]
    os.set_blocking(master, False)
    written = b""
    with suppress(OSError):  # nothing more was written
        while part := os.read(master, 2**16):
            written += part
    shown = written.decode()
    os.close(master)
    conform(json.loads(out), SCHEMA)
    assert ("2/2" in shown) is not quiet
    assert not (quiet and shown)


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("show yuna", "'yuna'; did you mean 'yuma'?"),
        ("compare yuna", "'yuna'; did you mean 'yuma'?"),
        ("compare uniform yuma(kapa=0.6)", "'kapa'; did you mean 'kappa'?"),
        ("compare yuma(kappa=1.5)", "kappa must be in [0, 1], not 1.5"),
        ("compare yuma(kappa='x')", "yuma: kappa must be float, not 'x'"),
        ("compare stake_capped(inner=yuna)", "did you mean 'yuma'?"),
        ("compare yuma(", "'yuma('"),
        ("compare nowhere:Rule", "'nowhere'"),
        ("compare ./rules.py:evn", "did you mean 'even'?"),
        ("compare --xi 1.5", "xi must be ... not 1.5"),
        ("compare --xi nan", "xi must be ... not nan"),
        ("compare --seed -1", "seed must be ... not -1"),
        ("compare --worlds 0", "worlds must be ... not 0"),
        ("compare --workers 0", "workers must be ... not 0"),
        ("compare --identities 0", "identities must be ... 1..1024, not 0"),
        ("compare --identities 1025", "identities must be ... 1..1024, not 1025"),
        ("compare --identity-cost -1", "identity_cost must be ... not -1"),
        ("compare --identity-cost inf", "identity_cost must be ... not inf"),
        ("compare --attacker-stake 1", "stake must be ... [0, 1), not 1"),
        ("compare --insiders 0", "insiders must be ... 1..10 ... 0"),
        ("compare --insiders 1,11", "insiders must be ... 1..10 ... 11"),
        ("compare --insiders 1,x", "--insiders: expected whole numbers as in 1,3,5, got '1,x'"),
        ("compare --insiders=", "--insiders: expected whole numbers as in 1,3,5, got ''"),
        ("compare --stake root", "unknown stake preset 'root'"),
        ("compare --stake pareto(0)", "alpha must be .05 or more, not 0"),
        ("compare --validators 11", "at least 11 validators besides the attacker, got 10"),
        ("compare --miners 2", "miners must be ... 3..65536, not 2"),
        ("compare --noise nan", "noise must be ... not nan"),
        ("compare --clone-detection 2", "clone_detection must be ... not 2"),
        ("compare --attacker-work -1", "attacker_work must be ... not -1"),
        ("compare --stake equal --network nowhere.npz", "--stake and --network exclude each"),
    ],
)
def test_a_wrong_question_gets_one_line_and_exit_code_2(arguments: str, said: str) -> None:
    line = complaint(2, *arguments.split())
    assert all(part in line for part in said.split(" ... ")), line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [("compare --worlds x", "--worlds"), ("compare --wrlds 3", "--wrlds"), ("compar", "compar")],
)
def test_a_word_the_command_line_does_not_know_is_named(arguments: str, said: str) -> None:
    code, out, err = asked(*arguments.split())
    assert (code, out) == (2, "")
    assert said in err.splitlines()[-1]


STAKE, WEIGHTS = np.array([3.0, 1.0]), np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 5.0]])


@pytest.mark.parametrize(
    ("stake", "weights", "said"),
    [
        ([3, np.nan], WEIGHTS, "stake: expected finite, not negative; got nan at [0, 1]"),
        ([3, -1], WEIGHTS, "stake: expected finite, not negative; got -1 at [0, 1]"),
        (STAKE, np.where(WEIGHTS == 5, np.nan, WEIGHTS), "weights: expected finite"),
        (STAKE, -WEIGHTS, "weights: expected finite, not negative; got -5.0 at [0, 1, 2]"),
        ([1, 2, 3], WEIGHTS, "stake: expected shape (2,)"),
        (STAKE, WEIGHTS[0], "weights: expected shape (n, m) or (epochs, n, m)"),
        (STAKE, np.zeros((2, 0)), "weights: expected shape"),
        (STAKE, np.zeros((2, 3)), "there is no network to attack"),
        (np.zeros(2), WEIGHTS, "there is no network to attack"),
    ],
)
def test_a_network_that_cannot_be_one_is_a_data_error(stake: Any, weights: Any, said: str) -> None:
    np.savez("bad.npz", stake=stake, weights=weights)
    line = complaint(3, "compare", "uniform", "--network", "bad.npz")
    assert line.startswith("trilemma: bad.npz: ")
    assert said in line


@pytest.mark.parametrize("content", ["truncated", "text", "picture", "empty", "missing", "folder"])
def test_a_file_that_is_not_what_it_says_is_a_data_error(content: str) -> None:
    np.savez("network.npz", stake=STAKE, weights=WEIGHTS)
    path = Path("network.npz")
    whole = path.read_bytes()
    if content in ("missing", "folder"):
        path.unlink()
        if content == "folder":
            path.mkdir()
    else:
        path.write_bytes(
            {
                "truncated": whole[: len(whole) // 2],
                "text": b"stake and weights",
                "picture": b"\x89PNG\r\n\x1a\n",
                "empty": b"",
            }[content]
        )
    assert "network.npz" in complaint(3, "compare", "uniform", "--network", "network.npz")


def test_a_network_in_two_csv_files_is_scored_and_its_faults_have_a_line() -> None:
    stakes = "".join(f"v{i},{i + 1}\n" for i in range(4))
    Path("stakes.csv").write_text("id,stake\n" + stakes)
    edges = "".join(f"v{i},m{j},{1 + i + j}\n" for i in range(4) for j in range(5))
    Path("edges.csv").write_text("from,to,value\n" + edges)
    question = ("compare", "stake_weighted", "--network", "edges.csv", "--network", "stakes.csv")
    small = ("--worlds", "2", "--identities", "2")
    code, out, err = asked(*question, *small, "--json", "-")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["world"]["network"] == "edges.csv"
    conform(found["mechanisms"], SCHEMA["mechanisms"])
    Path("edges.csv").write_text("from,to,value\n" + edges.replace("v1,m2,4", "v1,m2,-4"))
    assert "edges.csv:9: " in complaint(3, *question)


@pytest.mark.parametrize("target", ["nowhere/it.json", ".", "rules.py/it.json", ""])
def test_json_that_cannot_be_written_is_refused_before_the_work(target: str) -> None:
    assert f"{target}: " in complaint(
        3, "compare", "uniform", *QUICK, "--out", "run", "--json", target
    )
    assert not Path("run").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_json_that_fails_to_be_written_after_the_work_is_a_data_error() -> None:
    code, _, err = asked("compare", "uniform", *QUICK, "--json", "/dev/full")
    assert code == 3
    assert "/dev/full" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("target", ["rules.py", "rules.py/run"])
def test_a_run_that_cannot_be_kept_is_a_data_error(target: str) -> None:
    assert f"{target}: " in complaint(3, "compare", "uniform", *QUICK, "--out", target)


def test_cells_that_cannot_be_kept_are_a_data_error() -> None:
    Path("run").mkdir()
    Path("run/cells.sqlite").mkdir()
    assert "run" in complaint(3, "compare", "uniform", *QUICK, "--out", "run")


def test_a_missing_file_of_a_mechanism_is_a_data_error() -> None:
    assert "'./nowhere.py'" in complaint(3, "compare", "./nowhere.py:Rule")


def test_a_plugin_that_fails_to_import_is_named_and_the_others_are_scored() -> None:
    Path("broken.py").write_text("import not_there\n")
    code, out, err = asked("compare", "uniform", "./broken.py:Rule", *QUICK, "--json", "-")
    assert code == 3
    assert [row["name"] for row in json.loads(out)["mechanisms"]] == ["uniform"]
    assert "./broken.py fails to import" in err
    assert err.count("\n") == 1


# --- interrupted ---------------------------------------------------------------------------------


def _broken_by(error: BaseException) -> None:
    try:
        raise error
    finally:
        raise ValueError("the archive is open")  # as zipfile does, whatever it was closed for


def test_an_interruption_counts_as_one_whatever_a_library_makes_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit) as left, complaints():
        _broken_by(KeyboardInterrupt())
    assert left.value.exit_code == 130
    assert capsys.readouterr().err.startswith("trilemma: interrupted")
    with pytest.raises(ValueError, match="open"), complaints():
        _broken_by(OSError())


RUN = Path("run")
COMPARE = ("compare", *QUICK, "--worlds=6", "--evaluations=20")
MAP = ("map", "--validators=8", "--miners=10", "--grid=11", "--stakes=0.55,0.6,0.65,0.7,0.75,0.8")


@pytest.mark.parametrize(
    ("command", "workers"),
    [(COMPARE, "1"), (COMPARE, "2"), (MAP, "2")],
    ids=["compare", "compare in two processes", "map in two processes"],
)
def test_an_interrupted_run_goes_on_where_it_stopped(
    command: tuple[str, ...], workers: str
) -> None:
    question = (*command, "./rules.py:waits", "stake_weighted", "--json", "-")
    resumable = (*question, "--workers", workers, "--out", "run")
    code, out, err = interrupted(resumable)
    assert (code, out) == (130, "")
    lines = err.splitlines()
    assert lines[0] == "finishing what is under way; Ctrl-C again stops at once"
    assert lines[1].startswith("trilemma: interrupted; ")
    assert len(lines) == 2
    before = cells(RUN)
    assert 1 <= len(before) < 12
    code, resumed, err = ran(*resumable)
    assert (code, err) == (0, "")
    assert resumed == asked(*question)[1]
    assert len(cells(RUN)) == 12
    assert before.items() <= cells(RUN).items()


def interrupted(command: Sequence[str], times: int = 1) -> tuple[int, str, str]:
    """Run a command, and press Ctrl-C once the first cell is there."""
    process = spawned(*command, program=("-c", MAIN))
    try:
        deadline = time.monotonic() + 60
        while not cells(RUN) and time.monotonic() < deadline and process.returncode is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
        process.send_signal(signal.SIGINT)
        if times == 1:
            Path("go").touch()
        else:
            assert process.stderr is not None
            first = process.stderr.readline()  # it has seen the first
            assert first.startswith("finishing")
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out, err


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_interruption_stops_at_once(workers: str) -> None:
    command = (*COMPARE, "./rules.py:waits", "--json", "-", "--workers", workers, "--out", "run")
    code, out, err = interrupted(command, times=2)  # nobody ever writes what the rule waits for
    assert (code, out) == (130, "")
    assert "trilemma resume run goes on" in err
    Path("go").touch()
    code, out, _ = asked("resume", "run", "--json", "-")
    assert code == 0
    assert out == asked(*COMPARE, "./rules.py:waits", "--json", "-")[1]


def test_a_run_is_kept_and_told_of_and_goes_on_from_its_folder_alone() -> None:
    question = ("compare", "uniform", "./rules.py:even", *QUICK)
    out = asked(*question)[1]
    assert "Kept in runs/0001: report.html is its page" in out
    assert asked(*question)[1].replace("runs/0002", "runs/0001") == out
    assert asked("status", "runs/0001")[1].startswith("runs/0001: finished\n")
    page = Path("runs/0001/report.html")
    before = page.read_bytes()
    page.unlink()
    with changed(Path("runs/0001")) as database:
        database.execute("DELETE FROM kept WHERE mechanism LIKE 'uniform %' AND name = '1'")
    told = asked("status", "runs/0001")[1].splitlines()
    assert told[0] == "runs/0001: stopped"
    assert [line.split()[-3] for line in told[1:3]] == ["1", "2"]
    assert told[3] == "trilemma resume runs/0001 goes on"
    code, out, err = asked("resume", "runs/0001")
    assert (code, err) == (0, "")
    assert page.read_bytes() == before
    state = json.loads(asked("status", "runs/0001", "--json", "-")[1])
    assert state["state"] == "finished"
    assert [it["done"] for it in state["mechanisms"]] == [2, 2]


def test_a_mistyped_name_leaves_no_folder_behind() -> None:
    complaint(2, "compare", "yumma")
    assert not any(Path("runs").iterdir())


def test_where_runs_cannot_be_kept_the_comparison_is_made_and_says_so() -> None:
    Path("runs").touch()  # a file in the way; whoever is root may write anywhere else
    code, out, err = asked("compare", "uniform", *QUICK)
    assert code == 0
    assert "uniform" in out
    assert "Kept in" not in out
    assert err.startswith("trilemma: runs: cannot keep runs there")
    assert err.endswith("so this run is not kept; name a folder with --out\n")


def test_a_run_on_a_network_goes_on_while_its_file_is_the_same() -> None:
    np.savez("net.npz", stake=[6, 3, 1], weights=[[3, 1, 2], [1, 1, 1], [1, 3, 0]])
    question = ("compare", "uniform", "--network=net.npz", "--worlds=2", "--identities=2")
    asked(*question, "--evaluations=0", "--distrusted=1")
    Path("runs/0001/report.html").unlink()
    assert asked("resume", "runs/0001")[0] == 0
    np.savez("net.npz", stake=[6, 3, 2], weights=[[3, 1, 2], [1, 1, 1], [1, 3, 0]])
    assert "net.npz changed since; ask again" in complaint(3, "resume", "runs/0001")


def test_two_runs_at_once_on_one_folder_are_refused() -> None:
    command = (*COMPARE, "./rules.py:waits", "--workers=1", "--out=run")
    with spawned(*command) as first:
        while not cells(RUN) and first.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                first.wait(0.02)
        assert asked("status", "run")[1].startswith("run: running\n")
        line = complaint(
            2, "compare", "uniform", *QUICK, "--worlds=6", "--evaluations=20", "--out=run"
        )
        first.kill()
    assert "another process is writing to this run" in line
    Path("go").touch()
    assert asked("resume", "run")[0] == 0  # a lock does not outlive who held it


@pytest.mark.parametrize("content", ["", "[1]", "{}", '{"worlds": "x"}'])
def test_what_is_no_run_is_neither_gone_on_with_nor_told_of(content: str) -> None:
    for command in ("resume", "status"):
        assert "no run.json in it" in complaint(3, command, "nowhere")
        Path("run").mkdir(exist_ok=True)
        Path("run/run.json").write_text(content)
        assert "not of this program" in complaint(3, command, "run") or "not a run" in complaint(
            3, command, "run"
        )
