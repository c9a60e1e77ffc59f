"""Every hostile file is refused with one line, at once and in little memory, and nothing runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.data import ROOT
from tests.importers import hostile
from trilemma.errors import DataError
from trilemma.importers import pickles

MOST_SECONDS = 2  # of a processor that others may want, too
MOST_MEMORY = 500e6  # bytes

# one process reads all, and says after each what it took so far
CHILD = """
import json, re, resource, sys, time
from pathlib import Path
from trilemma.importers import read


def most():
    # ru_maxrss begins with what the parent took
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1])
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))
for name, paths in json.load(sys.stdin):
    start = time.process_time()
    try:
        outcome = f"read {read(paths)!r}"
    except Exception as error:
        outcome = f"{type(error).__name__}: {error}"
    seconds = time.process_time() - start
    print(json.dumps([name, outcome, seconds, most()]), flush=True)
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, float, float]]:
    """Return what became of each file, the seconds it took, and the memory of all so far."""
    folder = tmp_path_factory.mktemp("hostile")
    asked = []
    for number, (name, make) in enumerate(hostile.FILES.items()):
        (folder / str(number)).mkdir()
        asked.append((name, [str(path) for path in make(folder / str(number))]))
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not (folder / hostile.CANARY).exists()
    told = map(json.loads, done.stdout.splitlines())
    return {name: (outcome, seconds, memory) for name, outcome, seconds, memory in told}


@pytest.mark.parametrize("name", hostile.FILES)
def test_a_hostile_file_is_refused_with_one_line_fast_and_in_little_memory(
    outcomes: dict[str, tuple[str, float, float]], name: str
) -> None:
    outcome, seconds, memory = outcomes[name]
    kind, _, message = outcome.partition(": ")
    assert kind == "DataError", outcome
    assert message.isprintable()
    assert len(message) < 600
    assert seconds < MOST_SECONDS, outcome
    assert memory < MOST_MEMORY, outcome


@pytest.mark.parametrize("name", hostile.ARMED)
def test_a_pickle_of_the_corpus_is_armed(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").write_bytes(hostile.ARMED[name])
    loader = (
        "import pickle, sys, types, unittest.mock as mock\n"
        "sys.modules |= {name: mock.MagicMock() for name in "
        "('bittensor', 'bittensor.core', 'bittensor.core.chain_data', "
        "'bittensor.core.chain_data.axon_info')}\n"
        "sys.modules['bittensor.core.chain_data.axon_info'].AxonInfo = types.SimpleNamespace\n"
        "done = pickle.load(open('a', 'rb'))\n"
        "getattr(done, 'wait', int)()\n"
    )
    subprocess.run([sys.executable, "-c", loader], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / hostile.CANARY).exists()


@pytest.mark.parametrize("name", hostile.PICKLES)
def test_a_pickle_of_the_corpus_names_nothing_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        held: Any = pickles.load(hostile.PICKLES[name])
    except DataError:
        held = None
    assert held is None or type(held) in (list, pickles.Foreign)
    assert not (tmp_path / hostile.CANARY).exists()


def test_the_reader_of_pickles_does_not_use_pickle() -> None:
    for module in ("pickles", "numeric", "tensors", "metagraph", "saved"):
        source = (ROOT / f"harness/trilemma/importers/{module}.py").read_text()
        for word in ("import pickle\n", "importlib", "__import__", "getattr(", "eval(", "exec("):
            allowed = word == "getattr(" and module in ("numeric", "tensors")
            assert word not in source or allowed, (module, word)
