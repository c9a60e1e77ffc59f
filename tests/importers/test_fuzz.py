"""Any bytes of a valid file may change: it is read, or refused with one line, and nothing else."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.importers import made
from trilemma.errors import DataError
from trilemma.importers import read

Files = tuple[bytes, ...]


def of_paths(*paths: Path) -> Files:
    return tuple(path.read_bytes() for path in paths)


def as_json(held: object) -> bytes:
    return json.dumps(held).encode()


def npz(folder: Path) -> Files:
    path = folder / "a.npz"
    names = {"validator_names": ["a", "b"], "miner_names": ["x", "y", "z"]}
    known: dict[str, Any] = {
        "netuid": 1,
        "blocks": [7],
        "permits": [[True, False]],
        "last_update": [[1, 2]],
    }
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, stake=[1, 2], weights=np.eye(2, 3), **known, **names)
    return of_paths(path)


VALID: dict[str, Callable[[Path], Files]] = {
    "metagraph": lambda folder: of_paths(made.metagraph(folder)),
    "metagraph, protocol 2": lambda folder: of_paths(made.metagraph(folder, protocol=2)),
    "metagraph of torch": lambda _: of_paths(made.FILES / "metagraph.pt"),
    "simulation": lambda _: of_paths(made.FILES / "simulation.pt"),
    "simulation of arrays": lambda _: of_paths(made.FILES / "simulation_arrays.pt"),
    "npz": npz,
    "backtest": lambda folder: of_paths(made.packed(folder, made.backtest())),
    "btcli": lambda _: (as_json(made.rows(made.WEIGHTS)), as_json(made.graph())),
    "older btcli": lambda _: (as_json(made.rows(made.WEIGHTS)), as_json(made.table())),
    "votes": lambda _: (as_json({"a": {"allocations": {"x": 1, "y": 2.5}}}),),
    "trust": lambda _: (b"i,j,v\nann,x,2\nbob,y,0.5\n", b"i,v\nann,1\nbob,2\n"),
}


@cache
def valid(kind: str, folder: Path) -> Files:
    return VALID[kind](folder)


def check(folder: Path, files: Files) -> bool:
    """Tell whether files are read; if not, they are refused as files are."""
    paths = [folder / f"f{i}" for i in range(len(files))]
    for path, content in zip(paths, files, strict=True):
        path.write_bytes(content)
    try:
        network = read(paths)
    except DataError as error:
        message = str(error)
        assert message.isprintable()
        assert message.startswith("f")
        assert len(message) < 600
        return False
    assert network.validators > 0
    return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.parametrize("kind", VALID)
def test_what_the_others_change_is_valid(folder: Path, kind: str) -> None:
    assert check(folder, valid(kind, folder))


@pytest.mark.parametrize("kind", VALID)
@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_changed_bytes_are_read_or_refused(folder: Path, kind: str, data: st.DataObject) -> None:
    files = list(valid(kind, folder))
    at = data.draw(st.integers(0, len(files) - 1))
    content = bytearray(files[at])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(("change", "cut", "drop", "repeat"))):
            case "change":
                content[place] = data.draw(st.integers(0, 255))
            case "cut" if place:
                del content[place:]
            case "drop" if len(content) > 8:
                del content[place : place + data.draw(st.integers(1, 8))]
            case _:
                content[place:place] = content[place : place + data.draw(st.integers(1, 8))]
    files[at] = bytes(content)
    check(folder, tuple(files))


@given(pickle=st.binary(max_size=60))
@settings(deadline=None, max_examples=300)
def test_any_bytes_after_the_first_of_a_pickle_are_read_or_refused(
    folder: Path, pickle: bytes
) -> None:
    assert not check(folder, (b"\x80\x04" + pickle,))


@given(
    head=st.sampled_from([b"\x81\xa5stake", b"\x81\xa7weights\x81\x01\x81\x01"]), rest=st.binary()
)
@settings(deadline=None, max_examples=200)
def test_any_bytes_after_the_first_of_a_backtest_are_refused(
    folder: Path, head: bytes, rest: bytes
) -> None:
    assert not check(folder, (head + rest,))


@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_a_changed_pickle_in_a_sound_zip_of_torch_is_read_or_refused(
    folder: Path, data: st.DataObject
) -> None:
    # the checksum of a zip would find any change before the pickle is looked at
    with zipfile.ZipFile(
        made.FILES / data.draw(st.sampled_from(["simulation.pt", "metagraph.pt"]))
    ) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in members if name.endswith("data.pkl"))
    content = bytearray(members[name])
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with zipfile.ZipFile(folder / "changed", "w") as archive:
        for other, held in {**members, name: bytes(content)}.items():
            archive.writestr(other, held)
    check(folder, of_paths(folder / "changed"))
