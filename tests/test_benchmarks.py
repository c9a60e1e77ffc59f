from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.data import ROOT

MINE = """
import numpy as np

class Mine:
    def __call__(self, epoch):
        return np.full(epoch.weights.shape[1], 1 / epoch.weights.shape[1])
"""
QUICK = ("--benchmark-enable", "--benchmark-min-rounds=1", "--benchmark-max-time=0.01")


def outcome_of(*arguments: str) -> tuple[int, str]:
    """Return the exit code and the output of pytest in the root."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def test_a_plugin_of_ones_own_is_timed_beside_the_registered_ones(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    spec = f"{tmp_path}/mine.py:Mine"
    chosen = ("benchmarks/bench_mechanisms.py", "-k", "16-16 and (Mine or uniform)")
    code, said = outcome_of(*chosen, "--mechanism", spec, *QUICK)
    assert code == 0, said
    assert "benchmark 'one epoch, 16 x 16': 2 tests" in said
    table = said[said.index("benchmark 'one epoch") :]
    assert f"{spec}-16-16]" in table
    assert "[uniform-16-16]" in table


def test_a_mechanism_that_does_not_exist_is_said_before_anything_is_timed() -> None:
    code, said = outcome_of("benchmarks", "--mechanism", "uniform", "--mechanism", "yuna")
    assert code == 4
    assert "--mechanism: no mechanism is called 'yuna'; did you mean 'yuma'?" in said


def test_plain_pytest_in_the_root_takes_the_option() -> None:
    spec = "quadratic(power=0.25)"
    code, said = outcome_of("--mechanism", spec, "--collect-only", "--quiet", "--ignore=tests")
    assert code == 0, said
    assert f"bench_mechanisms.py::test_one_epoch[{spec}-16-16]" in said
