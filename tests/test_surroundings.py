"""Where there is no home, no terminal, and nothing can be written."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from trilemma import Budget, Preset, compare

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="permissions are others here")

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1  # linux/prctl.h, linux/capability.h
QUICK = ("--stake=equal", "--validators=4", "--miners=5", "--worlds=2", "--identities=2")
QUESTION = ("compare", "yuma", "uniform", *QUICK, "--evaluations=0")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Give a folder with a finished run that anybody may read and nobody, not even I, may write."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        compare(
            ["yuma", "uniform"],
            world=Preset("equal", validators=4, miners=5),
            worlds=2,
            budget=Budget(identities=2, evaluations=0),
            out=folder / "run",
            workers=1,
        )
        folder.chmod(0o755)
        for it in folder.rglob("*"):
            it.chmod(0o555 if it.is_dir() else 0o444)
        folder.chmod(0o555)
        yield folder
        for it in (folder, *folder.rglob("*")):
            if it.is_dir():
                it.chmod(0o755)


def there(place: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command where permissions bind even the superuser, without a home or a terminal."""

    def bound() -> None:
        if os.geteuid() == 0:
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)

    return subprocess.run(
        [sys.executable, "-m", "trilemma", *command],
        cwd=place,
        env={"HOME": "/nowhere", "PATH": os.defpath, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=bound,
        timeout=300,
    )


def test_without_a_home_a_terminal_or_a_place_to_write_the_comparison_is_made(place: Path) -> None:
    here = there(place, *QUESTION)
    assert here.returncode == 0, here.stderr
    assert "yuma" in here.stdout
    assert "\x1b" not in here.stdout + here.stderr
    lines = here.stderr.splitlines()
    assert any(line.startswith("trilemma: runs: cannot keep runs there") for line in lines)


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": "xterm"}])
def test_no_colour_comes_where_nobody_looks(place: Path, variables: dict[str, str]) -> None:
    for command in (("list",), ("status", "run"), ("nonsense",), ("compare", "--help")):
        told = there(place, *command, **variables)
        assert told.stdout + told.stderr
        assert "\x1b" not in told.stdout + told.stderr


def test_a_finished_run_is_read_where_nothing_can_be_written(place: Path) -> None:
    told = there(place, "status", "run")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("run: finished\n")
    assert "2 of 2" in told.stdout
    assert there(place, "diff", "run", "run").returncode == 0
    for table in ("scores", "cells"):
        told = there(place, "export", "run", table)
        assert (told.returncode, told.stderr) == (0, "")
        assert told.stdout.startswith("mechanism,")


@pytest.mark.parametrize("command", [("resume", "run"), (*QUESTION, "--out", "run")])
def test_what_would_write_is_refused_in_one_line(place: Path, command: tuple[str, ...]) -> None:
    told = there(place, *command)
    assert (told.returncode, told.stdout) == (3, "")
    [line] = [it for it in told.stderr.splitlines() if "run" in it and "cannot" in it]
    assert "Traceback" not in told.stderr
    assert line.startswith("trilemma: ")


def test_a_copy_of_a_run_is_a_run(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "run", tmp_path / "run")
    for it in (tmp_path / "run", *(tmp_path / "run").rglob("*")):
        it.chmod(0o755)
    again = compare(
        ["yuma", "uniform"],
        world=Preset("equal", validators=4, miners=5),
        worlds=2,
        budget=Budget(identities=2, evaluations=0),
        out=tmp_path / "run",
        workers=1,
    )
    assert again.calls == 0
