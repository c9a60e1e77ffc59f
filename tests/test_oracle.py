"""The replay of an oracle file: the chain's own, and small ones that the slow twin fills."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import typer
from typer.testing import CliRunner

from tests import naive_chain
from tests.data import shared
from trilemma.testing.oracle import STAGES, Oracle, main, replay

ONE = 2**32
U16 = 65535
SEED = 7
SIZES = (1, 3, 5, 8, 8, 12)  # uids of the epochs that the twin computes
SHARES = {*STAGES, "trust"}  # what the twin counts in steps of 2**-32
FLAGS = {"active", "new_validator_permit"}
AMOUNTS = {"server_emission", "validator_emission", "emission"}
STORED = {f"{name}_u16" for name in (*naive_chain.STORED, "bonds")}
OUTPUTS = SHARES | FLAGS | AMOUNTS | STORED
Array = npt.NDArray[Any]
Case = dict[str, Any]


class Matrix(NamedTuple):
    indptr: Array
    idx: Array
    val: Array


def random_matrix(rng: np.random.Generator, n: int) -> Matrix:
    """Draw about half of the entries, some of them zero, in the order of uids."""
    there = rng.random((n, n)) < 0.6
    indptr = np.concatenate([[0], there.sum(axis=1).cumsum()])
    values = rng.integers(0, U16, there.sum(), endpoint=True) * (rng.random(there.sum()) < 0.9)
    return Matrix(indptr, np.nonzero(there)[1], values)


def random_case(rng: np.random.Generator, n: int) -> Case:
    """Draw an epoch of n uids in which most accounts count."""

    def blocks(low: int, high: int) -> Array:
        return rng.integers(low, high, n).astype(np.uint64)

    flag = rng.integers(0, 2, 4).tolist()
    settings = {
        "yuma3": flag[0],
        "liquid_alpha": flag[1],
        "commit_reveal": flag[2],
        "kappa": int(rng.integers(0, U16)),
        "bonds_penalty": int(rng.choice([0, U16, 40000])),
        "bonds_moving_average": 900_000,
        "alpha_low": 45875,
        "alpha_high": 58982,
        "alpha_sigmoid_steepness": int(rng.choice([1000, 200, -200])),
        "max_allowed_validators": int(rng.integers(1, n + 1)),
        "stake_threshold": 10**6,
        "activity_cutoff": 30,
        "tempo": 10,
        "current_block": 100,
        "last_mechanism_step_block": 90 * flag[3],
        "owner_uid": int(rng.integers(-1, n)),
        "rao_emission": 10**9,
        "tag": 0,
        "n": n,
    }
    return {
        **settings,
        "stake": rng.integers(0, 10**9, n).astype(np.uint64),
        "last_update": blocks(60, 100),
        "block_at_registration": blocks(0, 95),
        "commit_block": np.where(rng.random(n) < 0.5, 2**64 - 1, blocks(50, 100)),
        "validator_permit": rng.random(n) < 0.8,
        "weights": random_matrix(rng, n),
        "bonds_in": random_matrix(rng, n),
    }


def as_matrix(rows: naive_chain.Rows) -> Matrix:
    columns, values = (np.array([e[k] for row in rows for e in row], np.int64) for k in (0, 1))
    return Matrix(np.cumsum([0, *map(len, rows)]), columns, values)


def outcome(case: Case) -> Case:
    """Return the twin's outputs as an oracle file holds them: shares as floats."""
    stored: Case = {}
    for name, values in naive_chain.epoch(case).items():
        if name.startswith("bonds"):
            matrix = as_matrix(values)
            stored[name] = matrix._replace(val=matrix.val / ONE) if name in SHARES else matrix
        else:
            stored[name] = np.array(values) / ONE if name in SHARES else np.array(values)
    return stored


def write(path: Path, cases: list[Case]) -> Path:
    """Write an oracle file: one array for every name, all cases one after the other."""
    arrays: dict[str, Any] = {"tag_names": np.array(["random"]), "seed": np.array(SEED)}
    for name, first in cases[0].items():
        values = [case[name] for case in cases]
        if isinstance(first, Matrix):
            for part in Matrix._fields:
                arrays[f"m_{name}_{part}"] = np.concatenate([getattr(v, part) for v in values])
        elif isinstance(first, int):
            arrays[f"s_{name}"] = np.array(values, np.int64)
        else:
            arrays[f"v_{name}"] = np.concatenate(values)
    np.savez(path, **arrays)
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Give an oracle file of a few random epochs, the outputs of which come from the twin."""
    rng = np.random.default_rng(SEED)
    cases = [random_case(rng, n) for n in SIZES]
    return write(tmp_path / "small.npz", [case | outcome(case) for case in cases])


@pytest.fixture(scope="module")
def production() -> Path:
    """Give the file that the chain's own code filled."""
    return shared("subtensor/oracle.npz")


def tampered(source: Path, target: Path, name: str) -> Path:
    """Copy an oracle file and change one output of its first epoch."""
    with np.load(source) as file:
        arrays = dict(file)
    arrays[name][0] += 1
    np.savez(target, **arrays)
    return target


def ran(*arguments: str | Path) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "trilemma.testing.oracle", *map(str, arguments)]
    it = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return it.returncode, it.stdout, it.stderr


def report(code: int, *arguments: str | Path) -> Case:
    """Return the one object that a replay prints."""
    found, out, err = ran(*arguments)
    assert (found, err) == (code, "")
    assert out.count("\n") == 1
    printed: Case = json.loads(out)
    return printed


def complaint(code: int, *arguments: str | Path) -> str:
    """Return the one line on stderr with which a replay is refused."""
    app = typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, list(map(str, arguments)))
    return one_line(code, result.exit_code, result.stdout, result.stderr)


def one_line(code: int, found: int, out: str, err: str) -> str:
    assert (found, out) == (code, ""), err
    assert err.startswith("trilemma: ")
    assert err.count("\n") == 1
    assert err[:-1].isprintable()
    return err


# --- what the chain's own code computed ----------------------------------------------------------


def test_chain_arithmetic_equals_every_output_of_the_chain(production: Path) -> None:
    oracle = Oracle(production)
    found = replay(oracle, "chain")
    assert found["cases"] == len(oracle) > 700
    assert found["mismatches"].keys() >= OUTPUTS
    assert not any(found["mismatches"].values()), found


def test_floats_are_off_only_where_a_column_stands_on_the_boundary(production: Path) -> None:
    found = replay(Oracle(production), "float")
    assert found["mismatches"].keys() == found["largest_difference"].keys() == {*STAGES}
    assert not any(found["mismatches"].values()), found
    assert {tie["tag"] for tie in found["ties"]} == {"median_boundary"}


def shuffled(case: Case, rng: np.random.Generator) -> Case:
    """Return another epoch of a kind: stakes, weights and bonds change places; new outputs."""
    inputs = {name: case[name] for name in case if name not in (*OUTPUTS, "tag_name")}
    inputs["stake"] = rng.permutation(case["stake"])
    for name in ("weights", "bonds_in"):
        indptr, columns, values = case[name]
        inputs[name] = Matrix(indptr, columns, rng.permutation(values))
    return inputs | outcome(inputs) | {"tag_name": case["tag_name"]}


def test_epochs_shuffled_from_the_chains_agree_with_the_twin_in_both_arithmetics(
    production: Path,
) -> None:
    """Every fourth of the smaller ones; the float allowance is not cut to the oracle's own."""
    rng = np.random.default_rng(SEED)
    for case in list(Oracle(production))[::4]:
        if case["n"] < 120:
            other = [shuffled(case, rng)]
            for arithmetic in ("chain", "float"):
                found = replay(other, arithmetic)
                assert not any(found["mismatches"].values()), (case["tag_name"], found)


# --- what the slow twin computed -----------------------------------------------------------------


@pytest.mark.parametrize("arithmetic", ["chain", "float"])
def test_a_file_filled_by_the_twin_is_replayed_without_a_mismatch(
    small: Path, arithmetic: Literal["chain", "float"]
) -> None:
    found = replay(Oracle(small), arithmetic)
    assert found["cases"] == len(SIZES)
    assert not any(found["mismatches"].values()), found
    assert not found.get("ties")


def test_a_case_is_read_as_it_was_written(small: Path) -> None:
    rng = np.random.default_rng(SEED)
    oracle = Oracle(small)
    assert len(oracle) == len(SIZES)
    for n, read in zip(SIZES, oracle, strict=True):
        written = random_case(rng, n)
        assert read["tag_name"] == "random"
        for name, value in (written | outcome(written)).items():
            np.testing.assert_equal(
                read[name], tuple(value) if isinstance(value, Matrix) else value
            )


@pytest.mark.parametrize(
    ("array", "field"),
    [
        ("v_emission", "emission"),
        ("v_consensus", "consensus"),
        ("m_bonds_u16_val", "bonds_u16"),
        ("m_bonds_raw_val", "bonds_raw"),
    ],
)
def test_a_changed_output_is_found_and_named(
    small: Path, tmp_path: Path, array: str, field: str
) -> None:
    found = replay(Oracle(tampered(small, tmp_path / "tampered.npz", array)))["mismatches"]
    assert {name for name, count in found.items() if count} == {field}


def test_the_command_prints_what_a_replay_finds(small: Path) -> None:
    assert report(0, small) == {"file": small.name, **replay(Oracle(small))}


def test_the_command_tells_by_its_exit_code_whether_anything_differs_and_names_it(
    small: Path, tmp_path: Path
) -> None:
    assert report(0, small, "--arithmetic=float")["arithmetic"] == "float"
    file = tampered(small, tmp_path / "tampered.npz", "v_rank")
    found = report(1, file, "--arithmetic", "float")
    assert found["cases"] == len(SIZES)
    assert {name: count for name, count in found["mismatches"].items() if count} == {"rank": 1}


# --- what is no oracle ---------------------------------------------------------------------------


def test_a_missing_file_is_refused_in_one_line(tmp_path: Path) -> None:
    assert "absent.npz" in complaint(3, tmp_path / "absent.npz")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_npz_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other.npz"
    file.write_bytes(content)
    said = one_line(3, *ran(file))  # in another process: numpy does not close such a file
    assert "other.npz: not an oracle file" in said


def test_an_archive_of_something_else_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "other.npz"
    np.savez(file, weights=np.ones((2, 3)))
    assert "other.npz: not an oracle file" in complaint(3, file)


def test_an_unknown_arithmetic_is_refused_in_one_line(small: Path) -> None:
    assert "chain or float, not 'decimal'" in complaint(2, small, "--arithmetic=decimal")


@pytest.mark.parametrize("absent", ["tag_names", "v_rank", "v_stake", "m_weights_idx"])
def test_a_file_that_lacks_an_array_is_refused_in_one_line(
    small: Path, tmp_path: Path, absent: str
) -> None:
    with np.load(small) as file:
        arrays = {name: array for name, array in file.items() if name != absent}
    np.savez(tmp_path / "part.npz", **arrays)
    said = complaint(3, tmp_path / "part.npz")
    assert "part.npz" in said or "epoch 0 of the oracle cannot be read" in said


def test_a_file_without_a_single_epoch_is_refused_in_one_line(tmp_path: Path) -> None:
    np.savez(tmp_path / "none.npz", s_n=np.zeros(0, int))
    assert "without a single epoch" in complaint(3, tmp_path / "none.npz")
