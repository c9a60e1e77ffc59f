"""`pytest --mechanism`, `parametrize_with_checks` and the corpus, in pytest runs of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

BUGGY = {
    "miners_equivariant": """
        # the first of the best takes all, whoever is first
        best = np.zeros(epoch.weights.shape[1])
        best[np.argmax(epoch.stake @ epoch.weights)] = 1
        return best
""",
    "finite": """
        # what is said of a miner, by its loudest validator: nobody speaks of some
        loudest = (epoch.weights / epoch.weights.max(axis=0)).sum(axis=0)
        return loudest / max(loudest.sum(), 1)
""",
    "scale_free": """
        # stake in units, where a share was meant
        heard = epoch.weights[epoch.stake >= 8].sum(axis=0)
        return heard / max(heard.sum(), 1)
""",
    "one_answer": """
        # bonds, on the object
        support = epoch.stake @ epoch.weights
        self.bonds.append(support / (support.sum() or 1))
        return np.mean([it for it in self.bonds if it.shape == self.bonds[-1].shape], axis=0)
""",
}
MINE = '''
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Mine:
    """A rule with a subtle bug."""

    bonds: list = field(default_factory=list)
    claims = frozenset({claims})

    def __call__(self, epoch):
{body}
'''
SOUND = """        support = epoch.stake @ epoch.weights
        return support / (support.sum() or 1)
"""


def written(folder: Path, body: str, *claims: str) -> Path:
    file = folder / "mine.py"
    file.write_text(MINE.replace("{body}", body).replace("{claims}", repr(set(claims) or "")))
    return file


def pytest_in(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**os.environ, "CI": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


def failed(out: str) -> list[str]:
    return re.findall(r"^FAILED .*::(\S+)", out, re.MULTILINE)


@pytest.mark.slow
def test_the_law_that_a_subtle_bug_breaks_is_named(tmp_path: Path) -> None:
    for law, body in BUGGY.items():
        written(tmp_path, body).rename(tmp_path / f"{law}.py")
    rules = [f"--mechanism=./{law}.py:Mine" for law in BUGGY]
    # Laws that none of them breaks are tried on such rules elsewhere.
    code, out = pytest_in(tmp_path, *rules, "-k", " or ".join([*BUGGY, "degenerate", "answers"]))
    assert code == 1
    found = re.findall(r"^FAILED \./(\w+)\.py:Mine::(\S+)", out, re.MULTILINE)
    assert sorted(found) == sorted([*((law, law) for law in BUGGY), ("finite", "degenerate")]), out
    assert out.count(": VIOLATED\n    law: ") == 2 * len(found)  # and in the summary
    assert "finding.py" not in out  # what was found, not where in the kit


def test_only_the_mechanism_is_tested_where_nothing_else_is_named(tmp_path: Path) -> None:
    written(tmp_path, SOUND)
    (tmp_path / "test_other.py").write_text("def test_other():\n    assert False\n")
    code, out = pytest_in(tmp_path, "--mechanism", "./mine.py:Mine", "-k", "finite or shapes")
    assert (code, failed(out)) == (0, [])
    assert "2 passed" in out
    code, out = pytest_in(tmp_path, "test_other.py", "--mechanism=./mine.py:Mine", "-k=other")
    assert (code, failed(out)) == (1, ["test_other"])


def test_a_mechanism_that_cannot_be_loaded_is_a_usage_error(tmp_path: Path) -> None:
    code, out = pytest_in(tmp_path, "--mechanism", "./absent.py:Mine")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "--mechanism ./absent.py:Mine: './absent.py': there is no such file" in out
    written(tmp_path, SOUND, "split_prof")
    code, out = pytest_in(tmp_path, "--mechanism", "./mine.py:Mine")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "Mine.claims: no claim is called 'split_prof'; did you mean 'split_proof'?" in out


PARAMETRISED = """
from mine import Mine
from trilemma.testing import parametrize_with_checks

@parametrize_with_checks([Mine()], expected_failures={expected})
def test_it_keeps_what_it_promises(mechanism, check):
    check(mechanism)
"""


@pytest.mark.slow
def test_each_mechanism_and_check_is_a_test_of_its_own_and_xfail_is_strict(tmp_path: Path) -> None:
    written(tmp_path, SOUND, "split_proof", "unanimity", "weight_blind")
    test, few = tmp_path / "test_mine.py", ("-k", "weight_blind or unanimity or shapes")
    test.write_text(PARAMETRISED.replace("{expected}", "None"))
    code, out = pytest_in(tmp_path, "-rA", *few, PYTHONPATH=str(tmp_path))
    assert code == 1
    assert re.findall(r"FAILED .*\[mine:Mine-(\S+)\]", out) == ["weight_blind"]
    assert "test_it_keeps_what_it_promises[mine:Mine-shapes]" in out
    test.write_text(PARAMETRISED.replace("{expected}", "{'weight_blind': 'it reads reports'}"))
    code, out = pytest_in(tmp_path, *few, PYTHONPATH=str(tmp_path))
    assert (code, "1 xfailed" in out) == (0, True)
    test.write_text(PARAMETRISED.replace("{expected}", "{'unanimity': 'it does not say why'}"))
    code, out = pytest_in(tmp_path, "-k", "unanimity", PYTHONPATH=str(tmp_path))
    assert (code, "XPASS(strict)" in out) == (1, True)
    test.write_text(PARAMETRISED.replace("{expected}", "{'unanimous': 'no such check'}"))
    code, out = pytest_in(tmp_path, PYTHONPATH=str(tmp_path))
    assert code == pytest.ExitCode.INTERRUPTED
    assert "'unanimous' is no law, and not claimed; did you mean 'unanimity'?" in out


RARE = """        if epoch.stake.tolist() == [5, 11, 3]:
            return np.zeros(epoch.weights.shape[1])
        support = epoch.stake @ epoch.weights
        return support / (support.sum() or 1)
"""


def test_a_counterexample_is_kept_and_tried_first_from_then_on(tmp_path: Path) -> None:
    written(tmp_path, RARE, "carried_by(0)")
    one = ("--mechanism=./mine.py:Mine", "-k=carried_by")
    code, out = pytest_in(tmp_path, *one)
    assert (code, "1 passed" in out) == (0, True), "the bug is not rare enough for this test"
    corpus = tmp_path / ".trilemma"
    corpus.mkdir()
    case = {"stake": [5, 11, 3], "weights": [[1], [1], [1]], "validators": [0, 1, 2], "miners": [0]}
    told = {"format": "trilemma counterexample 1", "mechanism": "it", "check": "carried_by(0)"}
    (corpus / "rare.json").write_text(json.dumps({**told, "case": case}))
    code, out = pytest_in(tmp_path, *one)
    assert (code, failed(out)) == (1, ["carried_by(0)"])
    assert "stake 5 11 3; reports 1 | 1 | 1" in out
    assert [path.name[:11] for path in sorted(corpus.iterdir())] == ["carried_by-", "rare.json"]


def test_a_broken_corpus_is_named(tmp_path: Path) -> None:
    written(tmp_path, SOUND)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "torn.json").write_text('{"format": ')
    (tmp_path / "pytest.ini").write_text("[pytest]\ntrilemma_corpus = kept\n")
    code, out = pytest_in(tmp_path, "--mechanism=./mine.py:Mine", "-k=finite")
    assert code == 1
    assert "torn.json: not a counterexample of this program" in out


def test_a_run_without_mechanisms_imports_nothing_of_the_kit(tmp_path: Path) -> None:
    (tmp_path / "test_light.py").write_text(
        "import sys\ndef test_light():\n"
        "    assert not {'trilemma.testing', 'hypothesis.core', 'numba'} & set(sys.modules)\n"
    )
    code, out = pytest_in(tmp_path, "-p", "no:hypothesispytest", "-p", "no:benchmark")
    assert code == 0, out
