"""Where compiled kernels are kept, who compiles them, and how often."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.data import ROOT

pytestmark = pytest.mark.slow

EPOCH = """
import json
from trilemma import Epoch, load
from trilemma.kernels import plays

pay = load("yuma")(Epoch([3, 2, 1], [[0.5, 0.5], [0.2, 0.8], [1, 0]]))
print(json.dumps({
    "folder": plays.stats.cache_path,
    "misses": sum(plays.stats.cache_misses.values()),
    "hits": sum(plays.stats.cache_hits.values()),
    "pay": [pay.miners.tolist(), pay.validators.tolist()],
}))
"""
SHARES = """
import json
import numpy as np
from trilemma.kernels import normalised

shares = normalised(np.array([3.0, 1.0])).tolist()
print(json.dumps([shares, sum(normalised.stats.cache_misses.values())]))
"""
FOLDER = "from trilemma.kernels import plays; print(plays.stats.cache_path)"
NESTED = f"""
import subprocess, sys
import trilemma.kernels
subprocess.run([sys.executable, "-c", {FOLDER!r}], check=True)
"""

Started = subprocess.Popen[str]


def start(script: str, cwd: Path, **environment: str) -> Started:
    kept = {name: held for name, held in os.environ.items() if not name.startswith("NUMBA_")}
    return subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=cwd,
        env={**kept, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(started: Started) -> tuple[str, str]:
    out, err = started.communicate(timeout=300)
    assert started.returncode == 0, err
    return out.strip(), err


@pytest.fixture
def install(tmp_path: Path) -> dict[str, str]:
    """Return the environment of an install that cannot be written to, nor the user's home.

    Permissions do not bind root, who may run this: where folders would be made stand files.
    """
    for source, package in (("harness", "trilemma"), ("mechanisms", "trilemma_mechanisms")):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / source / package, tmp_path / "site" / package, ignore=ignored)
    (tmp_path / "site/trilemma/kernels/__pycache__").touch()
    (tmp_path / "home").touch()
    (tmp_path / "temporary").mkdir()
    return {
        "PYTHONPATH": str(tmp_path / "site"),
        "HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "home/cache"),
        "TMPDIR": str(tmp_path / "temporary"),
    }


@pytest.fixture
def place(install: dict[str, str]) -> Path:
    """Return where kernels of that install are to be kept."""
    return Path(install["TMPDIR"]) / f"trilemma-numba-{os.getuid()}"


def test_of_four_processes_that_start_cold_without_a_cache_folder_one_compiles(
    install: dict[str, str], place: Path, tmp_path: Path
) -> None:
    together = [start(EPOCH, tmp_path, **install) for _ in range(4)]
    cold = [answer(process) for process in together]
    reports = [json.loads(out) for out, _ in cold]
    assert sorted(report["misses"] for report in reports) == [0, 0, 0, 1]
    assert sorted(report["hits"] for report in reports) == [0, 1, 1, 1]
    for report in reports:
        assert report["pay"] == reports[0]["pay"]
        assert Path(report["folder"]).parent == place
    for _, err in cold:
        assert err.count("\n") == 1
        assert str(place) in err
        assert "NUMBA_CACHE_DIR" in err
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    warm = json.loads(answer(start(EPOCH, tmp_path, **install))[0])
    assert (warm["misses"], warm["hits"], warm["pay"]) == (0, 1, reports[0]["pay"])


def foreign(place: Path) -> None:
    place.mkdir()
    place.chmod(0o755)


def link(place: Path) -> None:
    (place.parent / "elsewhere").mkdir(0o700)
    place.symlink_to(place.parent / "elsewhere")


def dangling(place: Path) -> None:
    place.symlink_to(place.parent / "nowhere")


@pytest.mark.parametrize("occupy", [foreign, link, dangling, Path.touch])
def test_a_folder_that_others_may_write_to_is_not_trusted(
    occupy: Any, install: dict[str, str], place: Path, tmp_path: Path
) -> None:
    occupy(place)
    out, err = answer(start(FOLDER, tmp_path, **install))
    used = Path(out).parent
    assert used.name.startswith("trilemma-numba-")
    assert (used.parent, used != place) == (place.parent, True)
    assert not used.is_symlink()
    assert stat.S_IMODE(used.stat().st_mode) == 0o700
    assert f"kept in {used};" in err


def test_processes_started_by_one_that_has_said_it_say_nothing(
    install: dict[str, str], place: Path, tmp_path: Path
) -> None:
    out, err = answer(start(NESTED, tmp_path, **install))
    assert Path(out).parent == place
    assert err.count("kept in") == 1


def test_the_folder_that_the_user_names_is_used_without_a_word(
    install: dict[str, str], tmp_path: Path
) -> None:
    named = tmp_path / "named"
    out, err = answer(start(FOLDER, tmp_path, **install, NUMBA_CACHE_DIR=str(named)))
    assert (Path(out).parent, err) == (named, "")
    assert not list(Path(install["TMPDIR"]).iterdir())


def test_a_named_folder_that_cannot_be_written_does_not_stop_anything(
    install: dict[str, str], place: Path, tmp_path: Path
) -> None:
    named = tmp_path / "home/named"
    out, err = answer(start(FOLDER, tmp_path, **install, NUMBA_CACHE_DIR=str(named)))
    assert Path(out).parent == place
    assert err.count("\n") == 1


def test_a_writable_install_keeps_its_kernels_beside_them_without_a_word(
    install: dict[str, str], tmp_path: Path
) -> None:
    beside = tmp_path / "site/trilemma/kernels/__pycache__"
    beside.unlink()
    out, err = answer(start(FOLDER, tmp_path, **install))
    assert (Path(out), err) == (beside, "")


def test_a_changed_source_is_compiled_anew_though_no_kernel_is_in_it(
    install: dict[str, str], tmp_path: Path
) -> None:
    kernels = tmp_path / "site/trilemma/kernels"
    (kernels / "__pycache__").unlink()
    assert json.loads(answer(start(SHARES, tmp_path, **install))[0]) == [[0.75, 0.25], 1]
    source = kernels / "arithmetic.py"
    written, text = source.stat().st_mtime_ns, source.read_text()
    assert "return a / b\n" in text
    source.write_text(text.replace("return a / b\n", "return a - b\n"))
    os.utime(source, ns=(written, written))
    for compiled in (1, 0):
        found = json.loads(answer(start(SHARES, tmp_path, **install))[0])
        assert found == [[-1, -3], compiled]


# --- workers -------------------------------------------------------------------------------------

# What a worker has of compiled code when it is asked for the first time.
WITNESS = """
import os
from trilemma import kernels, load

yuma, told = load("yuma"), set()


def witness(epoch):
    if os.getpid() not in told:
        told.add(os.getpid())
        with open("told", "a") as file:
            file.write(f"{os.getpid()} {len(kernels.plays.overloads)}\\n")
    return yuma(epoch)
"""
SPREAD = """
import json, os
from trilemma import Budget, Preset, compare, retention_map
from trilemma.sides import Experiment

if question == "compare":
    small = Preset(stake="equal", validators=4, miners=5)
    report = compare(["./witness.py:witness"], world=small, worlds=2, workers=2,
                     budget=Budget(identities=2))
else:
    small = Experiment(validators=4, miners=5, grid=3)
    report = retention_map(["./witness.py:witness"], experiment=small, workers=2)
assert not report.failures, report.failures
from trilemma.kernels import plays
print(os.getpid(), len(plays.overloads), sum(plays.stats.cache_misses.values()))
"""


@pytest.fixture
def told(tmp_path: Path) -> Path:
    (tmp_path / "witness.py").write_text(WITNESS)
    return tmp_path / "told"


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
@pytest.mark.parametrize("question", ["compare", "map"])
def test_workers_inherit_what_their_parent_has_compiled(question: str, told: Path) -> None:
    script = f"question = {question!r}\n{SPREAD}"
    out, _ = answer(start(script, told.parent))
    parent, overloads, _ = map(int, out.split())
    workers = [tuple(map(int, line.split())) for line in told.read_text().splitlines()]
    assert overloads == 1
    assert workers
    assert all(process != parent and held == 1 for process, held in workers)


def test_what_compiles_nothing_waits_for_no_compiler(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text("def even(epoch):\n    return epoch.weights[0] * 0 + 0.1\n")
    script = (
        "import sys; from trilemma import Preset, compare\n"
        "small = Preset(stake='equal', validators=4, miners=5)\n"
        "compare(['./rules.py:even'], world=small, worlds=2, workers=2)\n"
        "print('numba' in sys.modules)"
    )
    assert answer(start(script, tmp_path))[0] == "False"
