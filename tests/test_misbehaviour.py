"""Plug-ins that misbehave: each is told why, and everybody else's numbers are what they were."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.few_attacks import few_attacks
from trilemma import registry
from trilemma.cli import app
from trilemma.compare import compare, measured
from trilemma.executor import CAN_FORK, Workers, crew
from trilemma.limits import Limits
from trilemma.model import AnyArray, Budget, Epoch, FloatArray, Mechanism
from trilemma.printing import aside
from trilemma.processes import forked
from trilemma.report import Report
from trilemma.retention import retention_map
from trilemma.sides import Experiment
from trilemma.worlds import Preset

__all__ = ["few_attacks"]  # a fixture that every test here takes

RULES = """
import ctypes
import itertools
import os
import signal
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOREVER = 10**6
KEPT = []


def even(epoch):
    return np.full(epoch.weights.shape[1], 1 / epoch.weights.shape[1])


# --- raises ---


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError("nor has this")


class Final(BaseException):
    pass


class Answer:
    def __array__(self, *_, **__):
        raise LookupError("no numbers")


def raises(epoch):
    raise RuntimeError("why me?")


def speechless(epoch):
    raise Speechless


def final(epoch):
    raise Final("this is it")


def interrupts(epoch):
    raise KeyboardInterrupt


def leaves(epoch):
    raise SystemExit


def no_array(epoch):
    return Answer()


# --- hangs ---


def loops(epoch):
    while True:
        pass


def sleeps(epoch):
    time.sleep(FOREVER)


def swallows(epoch):
    while True:
        try:
            time.sleep(FOREVER)
        except BaseException:
            pass


def swallows_once(epoch):
    try:
        while not KEPT:
            time.sleep(FOREVER)
    except BaseException:
        KEPT.append("a lesson")
    return even(epoch)


def compiled(epoch):
    all(itertools.repeat(True))  # one call of C, which looks for no signal


def stops(epoch):
    os.kill(os.getpid(), signal.SIGSTOP)


def is_under(name):
    frame = sys._getframe()
    while frame is not None and frame.f_code.co_name != name:
        frame = frame.f_back
    return frame is not None


@dataclass(frozen=True)
class HangsIn:
    phase: str

    def __call__(self, epoch):
        if is_under(self.phase):
            with Path("begun").open("a") as file:
                file.write("once\\n")
            time.sleep(FOREVER)
        return epoch.weights[epoch.stake.argmax()]


# --- takes memory, or its process away ---


def leaks(epoch):
    KEPT.append(np.ones(10**6))
    return even(epoch)


def asks_for_all(epoch):
    return np.ones(10**13)


def is_killed(epoch):
    os.kill(os.getpid(), signal.SIGKILL)


def is_terminated(epoch):
    os.kill(os.getpid(), signal.SIGTERM)


def exits(epoch):
    os._exit(7)


# --- forks ---


def forked():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return os.fork() == 0


def forks(epoch):
    forked()
    return even(epoch)


def forks_twice(epoch):
    forked()
    forked()
    return even(epoch)


def child_raises(epoch):
    if forked():
        raise RuntimeError("in the child")
    return even(epoch)


def child_exits(epoch):
    if forked():
        os._exit(5)
    return even(epoch)


def child_stays(epoch):
    if forked():
        Path("child").write_text(str(os.getpid()))
        time.sleep(FOREVER)
    while not Path("child").exists() or not Path("child").read_text():
        pass
    return even(epoch)


class Batched:
    batched = True

    def __call__(self, epoch):
        if epoch.weights.ndim == 3:
            forked()
        return np.full(epoch.weights.shape[:-2] + epoch.weights.shape[-1:], 1e-3)


# --- prints ---


def prints(epoch):
    print("by print")
    sys.__stdout__.write("by another stream\\n")
    os.write(1, b"by descriptor\\n")
    ctypes.CDLL(None).puts(b"by C")
    return even(epoch)


# --- is no function ---


class Drifts:
    def __init__(self):
        self.calls = 0

    def __call__(self, epoch):
        self.calls += 1
        return even(epoch) * (1 if self.calls % 2 else 0.5)
"""
WORLD = Preset("equal", validators=4, miners=5)
BUDGET = Budget(stake=0.1, identities=2, evaluations=4)
HONEST = ("uniform", "stake_weighted")

LATE = r"took longer than the time limit of 1 s \(--time-limit\)"
DEAF = f"{LATE} and did not stop when asked"
AT = r"; it was at .*rules\.py, line [0-9]+, in {}$"
FULL = r"ran out of memory \(Unable to allocate .*\)"
SPACE = r"its process may take 100 MB \(--memory-limit\)"
FORKED = "forked; a mechanism answers in the process it is asked in"

ANYWHERE = {
    "raises": "failed: RuntimeError: why me?",
    "speechless": "failed: Speechless: no message",
    "final": "failed: Final: this is it",
    "interrupts": "failed: KeyboardInterrupt: no message",
    "leaves": "failed: SystemExit: no message",
    "no_array": r"rewards for miners are not numbers \(no numbers\)",
    "Drifts": "gave two answers for one epoch",
    "forks": FORKED,
    "forks_twice": FORKED,
    "child_raises": FORKED,
    "child_exits": FORKED,
    "Batched": FORKED,
}
UNLIMITED = {
    "is_killed": r"its process died of signal 9 \(Killed\), as where memory runs out; .*-limit$",
    "is_terminated": r"its process died of signal 15 \(Terminated\); --workers 1 may show where$",
    "exits": "its process died with exit code 7; --workers 1 may show where$",
    "asks_for_all": f"{FULL}$",
    "child_stays": FORKED,
}
LIMITED = {
    "loops": LATE + AT.format("loops"),
    "sleeps": LATE + AT.format("sleeps"),
    "swallows_once": LATE + AT.format("swallows_once"),
    "swallows": DEAF + AT.format("swallows"),
    "compiled": DEAF + AT.format("compiled"),
    "stops": f"{DEAF}$",
    "HangsIn(phase='world')": LATE,
    "HangsIn(phase='replays')": LATE,
    "HangsIn(phase='testify')": LATE,
    "leaks": f"{FULL}; {SPACE}$",
    "asks_for_all": f"{FULL}; {SPACE}$",
    "is_killed": r"its process died of signal 9 \(Killed\), perhaps for want of memory: it may .*",
}
LIMITS = Workers(2, time_limit=1, memory_limit=100)
needs_processes = pytest.mark.skipif(not CAN_FORK, reason="plug-ins run in this process here")
Beside = Callable[[Iterable[str], Workers], dict[str, str]]


def small(rules: Iterable[str], **asked: Any) -> Report:
    known: dict[str, Any] = {"world": WORLD, "worlds": 2, "budget": BUDGET, "workers": 1}
    return compare([*(f"./rules.py:{rule}" for rule in rules), *HONEST], **{**known, **asked})


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    """Give a way to let rules misbehave beside honest ones, and to learn what is said of each."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("rules")
        (folder / "rules.py").write_text(RULES)
        patch.chdir(folder)
        patch.setattr("trilemma.limits.GRACE", 0.2)
        patch.setattr("trilemma.limits.PATIENCE", 1.0)

        alone = small([]).to_json()

        def reasons(rules: Iterable[str], workers: Workers) -> dict[str, str]:
            report = small(rules, workers=workers)
            assert report.to_json() == alone
            return {it.label.removeprefix("./rules.py:"): it.reason for it in report.failures}

        yield reasons


# --- who is at fault, and who is not -------------------------------------------------------------


@pytest.mark.parametrize(
    "workers",
    [Workers(1), Workers(2, "threads"), Workers(2)],
    ids=["serial", "threads", "processes"],
)
def test_whoever_breaks_the_contract_is_told_and_the_others_keep_their_numbers(
    beside: Beside, workers: Workers
) -> None:
    rules = {it: why for it, why in ANYWHERE.items() if why != FORKED or hasattr(os, "fork")}
    assert_told(beside(rules, workers), rules)


@needs_processes
def test_whoever_ends_its_process_is_told_and_the_others_keep_their_numbers(beside: Beside) -> None:
    assert_told(beside(UNLIMITED, Workers(2)), UNLIMITED)
    born = int(Path("child").read_text())
    with suppress(ProcessLookupError):
        ended, _, _ = select.select([os.pidfd_open(born)], [], [], 60)
        assert ended, "what it has forked is still there"


@needs_processes
def test_whoever_exceeds_a_limit_is_told_and_the_others_keep_their_numbers(beside: Beside) -> None:
    assert_told(beside(LIMITED, LIMITS), LIMITED)


def assert_told(found: dict[str, str], expected: dict[str, str]) -> None:
    assert found.keys() == expected.keys()
    for rule, why in expected.items():
        head = re.escape(f"./rules.py:{rule.partition('(')[0]}")
        assert re.match(rf"{head}\S*:? {why}", found[rule]), found[rule]


@needs_processes
@pytest.mark.usefixtures("beside")
def test_a_rule_that_hangs_is_not_tried_in_every_world() -> None:
    Path("begun").unlink(missing_ok=True)
    [failure] = small(["HangsIn(phase='world')"], worlds=8, workers=LIMITS).failures
    assert re.search(LATE, failure.reason)
    # whoever is told to stop may take one more before all are ended
    assert Path("begun").read_text().count("once") <= LIMITS.size + 1


@needs_processes
@pytest.mark.usefixtures("beside")
def test_a_map_tells_who_hangs_and_keeps_the_others_lines() -> None:
    experiment = Experiment(validators=4, miners=6, grid=3)
    asked: dict[str, Any] = {"experiment": experiment, "stakes": [0.6, 0.8, 0.9]}
    rules = ("loops", "compiled", "asks_for_all")
    found = retention_map(
        [*(f"./rules.py:{it}" for it in rules), "uniform"], **asked, workers=LIMITS
    )
    assert_told(
        {rule.removeprefix("./rules.py:"): why for rule, why in found.failures.items()},
        {rule: LIMITED[rule] for rule in rules},
    )
    assert found.lines == retention_map(["uniform"], **asked, workers=1).lines


QUESTION = (
    *("compare", *HONEST, "--stake=equal", "--validators=4", "--miners=5", "--worlds=1"),
    *("--identities=2", "--evaluations=0", "--quiet", "--json=-", "--out=run"),
)


@needs_processes
@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize(
    ("rule", "option", "why"),
    [
        ("sleeps", "--time-limit=1", LATE),
        ("asks_for_all", "--memory-limit=100", FULL),
        ("child_raises", "--workers=1", FORKED),
    ],
)
def test_the_exit_code_says_that_somebody_failed(rule: str, option: str, why: str) -> None:
    honest = CliRunner().invoke(app, QUESTION)
    result = CliRunner().invoke(app, [*QUESTION, f"./rules.py:{rule}", option])
    assert (honest.exit_code, result.exit_code) == (0, 3)
    assert result.stdout == honest.stdout
    [line] = result.stderr.splitlines()
    assert re.match(rf"trilemma: \./rules\.py:{rule}:? {why}", line), line


@needs_processes
@pytest.mark.slow
def test_a_modest_limit_of_memory_is_enough_for_honest_rules() -> None:
    asked: dict[str, Any] = {"worlds": 1, "budget": Budget(evaluations=50)}
    rules = ["yuma", "quadratic", "dao_vote"]
    limited = compare(rules, **asked, workers=Workers(2, memory_limit=300))
    assert not limited.failures
    assert limited.to_json() == compare(rules, **asked, workers=2).to_json()


def breaks_late(epoch: Epoch) -> AnyArray:
    if any(it.name == "testify" for it in traceback.extract_stack()):
        raise RuntimeError("too late")
    return np.asarray(epoch.weights[epoch.stake.argmax()])


def test_plans_against_a_rule_that_fails_at_the_end_count_against_nobody() -> None:
    def replayed(rules: Mapping[str, Mechanism]) -> list[Sequence[FloatArray]]:
        budget = Budget(stake=0.3, identities=2, evaluations=20)
        with measured(rules, world=WORLD, worlds=2, budget=budget, workers=1) as run:
            run.witnesses(Workers(1))
            return [run.measured(label).replayed for label in HONEST]

    honest = {label: registry.load(label) for label in HONEST}
    np.testing.assert_array_equal(replayed({"late": breaks_late, **honest}), replayed(honest))


# --- what plug-ins print -------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="C is another library here")
@pytest.mark.usefixtures("beside")
@pytest.mark.parametrize("option", ["--workers=1", "--workers=2", "--executor=threads"])
def test_what_is_printed_by_any_means_does_not_come_between_the_data(option: str) -> None:
    question = (*QUESTION, "./rules.py:prints", option, "--out=printed")
    command = [sys.executable, "-m", "trilemma", *question]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    labels = [row["label"] for row in json.loads(done.stdout)["mechanisms"]]
    assert labels == [*HONEST, "./rules.py:prints"]
    for line in ("by print\n", "by another stream\n", "by descriptor\n", "by C\n"):
        assert line in done.stderr


def test_stdout_is_what_it_was_once_nobody_prints_any_more(
    capfd: pytest.CaptureFixture[str],
) -> None:
    os.write(1, b"before ")
    with aside():
        os.write(1, b"meanwhile ")
    os.write(1, b"after")
    assert capfd.readouterr() == ("before after", "meanwhile ")


@pytest.mark.skipif(os.name != "posix", reason="descriptors are other ones here")
@pytest.mark.parametrize("closed", [(1,), (2,), (1, 2)], ids=str)
def test_streams_may_be_closed(closed: tuple[int, ...], tmp_path: Path) -> None:
    close = "; ".join(f"os.close({it})" for it in closed)
    program = (
        f"import os, sys; {close}\n"
        "from trilemma.compare import compare\n"
        "from trilemma.model import Budget\n"
        "from trilemma.printing import aside\n"
        "from trilemma.worlds import Preset\n"
        "with aside():\n"
        "    report = compare(['uniform'], world=Preset('equal', 4, 5), worlds=2, workers=2,\n"
        "                     budget=Budget(0.1, 1, evaluations=0))\n"
        "open('told', 'w').write(str(len(report.rows)))\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, timeout=120)
    assert (tmp_path / "told").read_text() == "1"


# --- who works -----------------------------------------------------------------------------------


@dataclass
class OneThread:
    """Works in place on what is its own, which two threads must not do at a time."""

    threads: set[int] = field(default_factory=set)

    def __call__(self, epoch: Epoch) -> FloatArray:
        self.threads.add(threading.get_ident())
        if len(self.threads) > 1:
            raise AssertionError("another thread was here")
        return np.asarray(epoch.weights[epoch.stake.argmax()])


def test_threads_never_ask_the_same_object() -> None:
    known: dict[str, Any] = {"world": WORLD, "worlds": 4, "budget": BUDGET}
    shared = OneThread()
    for workers in (Workers(3, "threads"), Workers(1)):
        assert not compare([shared], **known, workers=workers).failures
    assert not shared.threads


@dataclass
class Jobs:
    """What workers are asked to do in the tests below."""

    stay: bool = True

    def wait(self) -> None:
        threading.Event().wait()

    def leave_a_thread(self) -> int:
        threading.Thread(target=self.wait).start()
        return os.getpid()

    def who(self) -> str:
        return repr(signal.getsignal(signal.SIGTERM))


@needs_processes
def test_only_workers_are_ended_and_no_other_child_of_this_program() -> None:
    bystander = multiprocessing.get_context("fork").Process(target=Jobs().wait)
    bystander.start()
    with forked(Jobs(), 2, Limits()) as team:
        waiting = team.submit("wait", ())
        team.dismiss()
        with pytest.raises(BrokenProcessPool):
            waiting.result(timeout=60)
    assert bystander.is_alive()
    bystander.kill()
    bystander.join()


@needs_processes
def test_nobody_waits_for_what_nobody_will_take() -> None:
    def in_trouble() -> None:
        with forked(Jobs(), 2, Limits()) as team:
            team.submit("wait", ())
            raise LookupError

    with pytest.raises(LookupError):
        in_trouble()


@needs_processes
def test_a_thread_that_a_plugin_leaves_behind_holds_nobody_up() -> None:
    with crew(Jobs(), Workers(2)) as spread:
        [(_, process)] = spread("leave_a_thread", [()])
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


@needs_processes
def test_what_this_program_does_when_it_is_terminated_its_workers_do_not() -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with crew(Jobs(), Workers(2)) as spread:
            assert [it for _, it in spread("who", [()])] == [repr(signal.SIG_DFL)]
    finally:
        signal.signal(signal.SIGTERM, before)
