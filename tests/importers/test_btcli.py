from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data import shared
from tests.importers.made import KEYS, WEIGHTS, document, graph, refused, rows, table
from trilemma.importers import read

BONDS = [[0, 0.5, 0.125], [1, 0, 0], [0, 0, 0]]


def files(folder: Path, weights: Any = None, meta: Any = None, bonds: Any = None) -> list[Path]:
    return [
        document(folder, "weights.json", rows(WEIGHTS) if weights is None else weights),
        document(folder, "metagraph.json", graph() if meta is None else meta),
        document(folder, "bonds.json", rows(BONDS) if bonds is None else bonds),
    ]


def test_weights_metagraph_and_bonds_are_one_network_in_any_order(tmp_path: Path) -> None:
    for paths in itertools.permutations(files(tmp_path)):
        network = read(paths)
        assert network.name == "weights.json"
        assert network.netuid == 31
        assert network.stake.tolist() == [[30, 20, 1e-9]]
        assert network.weights.tolist() == [WEIGHTS]
        assert network.bonds is not None
        assert network.bonds.tolist() == [BONDS]
        assert network.validator_names == KEYS
        assert network.one_account
        for field, expected in (
            ("blocks", [3600000]),
            ("permits", [[True, True, False]]),
            ("last_update", [[9, 8, 7]]),
            ("registered", [[1, 2, 3]]),
            ("miner_owners", [0, 1, 0]),
        ):
            assert getattr(network, field).tolist() == expected, field


def test_bonds_are_not_needed(tmp_path: Path) -> None:
    assert read(files(tmp_path)[:2]).bonds is None


def test_the_table_of_older_versions_tells_stakes_and_keys_but_no_block(tmp_path: Path) -> None:
    network = read(files(tmp_path, meta=table())[:2])
    assert network.stake.tolist() == [[30, 15, 10]]
    assert network.validator_names == KEYS
    assert network.netuid == 31
    assert network.blocks is None
    assert network.permits is None


def test_a_row_that_is_missing_or_empty_says_nothing(tmp_path: Path) -> None:
    network = read(files(tmp_path, weights={"0": {"1": 1}, "2": {}})[:2])
    assert network.weights.tolist() == [[[0, 1, 0], [0, 0, 0], [0, 0, 0]]]


def test_what_a_metagraph_does_not_tell_is_not_made_up(tmp_path: Path) -> None:
    meta = {key: graph()[key] for key in ("hotkeys", "total_stake")}
    network = read(files(tmp_path, meta=meta)[:2])
    assert network.netuid is None
    for field in ("blocks", "permits", "last_update", "registered", "validator_owners"):
        assert getattr(network, field) is None


def test_bonds_that_look_like_weights_are_the_second_of_two(tmp_path: Path) -> None:
    weights, meta, bonds = files(tmp_path, bonds={"1": {"0": 1.0}})
    network = read([weights, meta, bonds])
    assert network.weights.tolist() == [WEIGHTS]
    assert network.bonds is not None
    assert network.bonds[0, 1].tolist() == [1, 0, 0]


def test_the_weights_of_the_real_subnet_are_read_as_printed(tmp_path: Path) -> None:
    path = shared("networks/sdk_written/bittensor-11.3.0_query_weights_netuid31_block3600000.json")
    keys = [f"5F{uid}" for uid in range(256)]
    meta = graph(hotkeys=keys, coldkeys=keys, total_stake=[uid * 10**9 for uid in range(256)])
    for key in ("validator_permit", "last_update", "block_at_registration"):
        del meta[key]
    network = read([path, document(tmp_path, "metagraph.json", meta)])
    printed = json.loads(path.read_text())
    assert network.weights.shape == (1, 256, 256)
    for uid in range(256):
        row = printed.get(str(uid), {})
        assert network.weights[0, uid].tolist() == [row.get(str(it), 0.0) for it in range(256)]
    # it is the first epoch of the backtest, divided by the sums of its rows
    raw = read([shared("networks/bittensor-sn31/sn31_dense.npz")]).weights[0].astype(float)
    sums = raw.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(network.weights[0], np.where(sums, raw / np.maximum(sums, 1), 0))


def test_one_file_without_the_other_is_refused_with_the_command_that_prints_it(
    tmp_path: Path,
) -> None:
    weights, meta, bonds = files(tmp_path)
    assert refused([weights]) == (
        "weights.json: weights only; the metagraph of the same subnet and block is missing: "
        "`btcli --json query metagraph --netuid N` prints it; give both files"
    )
    for alone in ([meta], [meta, bonds]):
        message = refused(alone)
        assert "the weights of the same subnet and block are missing" in message
        assert "`btcli --json query weights --netuid N` prints them" in message
    assert "bonds only; the weights of" in refused([bonds])
    older = document(tmp_path, "metagraph.json", table())
    assert "`btcli --json query weights --netuid N` prints them" in refused([older])


def test_a_second_file_of_a_kind_is_refused(tmp_path: Path) -> None:
    weights, meta, bonds = files(tmp_path)
    assert "a second file of metagraph, after metagraph.json" in refused([meta, weights, meta])
    assert "a second file of bonds, after weights.json" in refused([weights] * 3 + [meta])
    assert "a second file of bonds, after bonds.json" in refused([bonds, weights, bonds, meta])


def test_another_format_among_the_files_is_refused(tmp_path: Path) -> None:
    weights, meta, _ = files(tmp_path)
    np.savez(tmp_path / "a.npz", stake=[1], weights=[[1]])
    (tmp_path / "edges.csv").write_text("from,to,value\n")
    message = refused([weights, tmp_path / "a.npz", meta])
    assert message == "a.npz: an .npz is a whole network; give it alone"
    message = refused([weights, tmp_path / "edges.csv"])
    assert message == "edges.csv: of another format than weights.json; give one format"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"meta": graph(total_stake=[1, 2])},
            "total_stake: expected 3 of type int, one for each uid",
        ),
        ({"meta": graph(total_stake=[1, 2, "3"])}, "total_stake: expected 3 of type int"),
        ({"meta": graph(total_stake=None)}, "total_stake: expected a list, one for each uid"),
        ({"meta": graph(total_stake=[1, 2, 2**63])}, "9223372036854775808... is 2**63 or more"),
        ({"meta": graph(total_stake=[1, 2, -3])}, "stake: expected finite, not negative; got -3"),
        ({"meta": graph(hotkeys=[])}, "0 accounts; expected 1 to 16,384"),
        ({"meta": graph(hotkeys=["a"] * 20_000)}, "20,000 accounts; expected 1 to 16,384"),
        ({"meta": graph(hotkeys="abc")}, "hotkeys: expected a list"),
        ({"meta": graph(last_update=[1])}, "last_update: expected 3 of type int, one for each uid"),
        ({"meta": graph(last_update=[1, 2, 3.5])}, "last_update: expected 3 of type int"),
        ({"meta": graph(validator_permit=[1, 0, 0])}, "validator_permit: expected 3 of type bool"),
        ({"meta": graph(block=-1)}, "blocks: expected finite, not negative; got -1"),
        ({"meta": table(uids=[])}, "0 accounts; expected 1 to 16,384"),
        ({"meta": table(uids=[1, 2])}, "uids: expected each of 0..1 once"),
        ({"meta": table(uids=[{"uid": 0}, {"uid": 0}])}, "uids: expected each of 0..1 once"),
        ({"meta": table(uids=[{"uid": "0"}])}, "stake: expected 1 of type float, one for each uid"),
        ({"meta": table(uids=[{"uid": 0}])}, "stake: expected 1 of type float, one for each uid"),
        ({"weights": {"3": {"0": 1}}}, "uid '3', and the metagraph has 3 accounts; print both"),
        ({"weights": {"0": {"9" * 99: 1}}}, "uid '99999999999999999999', and the metagraph has 3"),
        ({"weights": {"0": {"x": 1}}}, "uid 'x', and the metagraph has 3 accounts"),
        ({"weights": {"0": {"0": "1"}}}, "a row with something else than numbers; expected what"),
        ({"weights": {"0": [1]}}, "JSON of ['0']; expected what `btcli --json query weights"),
        ({"weights": {}}, "JSON of []; expected what `btcli --json query weights"),
        ({"weights": {"error": "no"}}, "JSON of ['error']; expected what"),
    ],
)
def test_documents_that_do_not_fit_together_are_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    message = refused(files(tmp_path, **changes)[:2])
    assert reason in message


def test_negative_weights_are_refused(tmp_path: Path) -> None:
    message = refused(files(tmp_path, weights={"0": {"0": 2, "1": -1}})[:2])
    assert "weights: expected finite, not negative; got -1.0 at [0, 0, 1]" in message
