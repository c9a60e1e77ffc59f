from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data import shared
from tests.importers import made
from tests.importers.made import KEYS, metagraph, refused
from trilemma.importers import Network, pickles, read
from trilemma.importers.numeric import array_of

SDK = "networks/sdk_written/bittensor-{}/network-finney/netuid-1/block-1234567.pt"
VERSIONS = ("7.4.0", "8.5.2", "9.12.2", "10.5.0")


def check_made(network: Network) -> None:
    assert network.netuid == 1
    assert network.stake.tolist() == [[60, 40, 20]]
    assert network.weights.dtype == np.float32
    assert network.weights.tolist() == [made.WEIGHTS]
    assert network.bonds is not None
    assert network.bonds.tolist() == [(np.array(made.WEIGHTS) / 2).tolist()]
    assert network.validator_names == KEYS
    assert network.one_account
    for field, expected in (
        ("blocks", [1234567]),
        ("permits", [[True, True, False]]),
        ("last_update", [[9, 8, 7]]),
        ("validator_owners", [0, 1, 0]),
        ("miner_owners", [0, 1, 0]),
    ):
        assert getattr(network, field).tolist() == expected, field
    assert network.registered is None


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_metagraph_is_read_from_every_protocol_of_pickle(tmp_path: Path, protocol: int) -> None:
    check_made(read([metagraph(tmp_path, protocol=protocol)]))


def test_what_else_the_sdk_keeps_of_its_accounts_changes_nothing(tmp_path: Path) -> None:
    other = made.axon("5Fz", "5Cz")
    other.stake_dict = {"5Cz": made.axon("", "")}
    other.weights = [(0, 65535), (1, 2)]
    other.rank, other.emission = np.float64(0.5), np.float32(2)
    check_made(read([metagraph(tmp_path, neurons=[other] * 3)]))


@pytest.mark.parametrize("version", VERSIONS)
def test_what_an_sdk_wrote_is_read_as_it_is_kept(version: str) -> None:
    path = shared(SDK.format(version))
    network = read([path])
    held: Any = pickles.load(path.read_bytes())
    stake = array_of(held.get("total_stake") or held["stake"])
    assert stake is not None
    assert stake.dtype == np.float32
    np.testing.assert_array_equal(network.stake[0], stake)
    for field, key in (
        ("weights", "weights"),
        ("bonds", "bonds"),
        ("permits", "validator_permit"),
        ("last_update", "last_update"),
        ("blocks", "block"),
    ):
        array = array_of(held[key])
        assert array is not None
        read_array = getattr(network, field)
        assert read_array.dtype == array.dtype
        np.testing.assert_array_equal(read_array.reshape(array.shape), array)
    # and what that script is known to have written
    assert network.stake[0, 0] == np.float32(3833.22)
    assert network.weights[0, 1, 1] == np.float32(0.409627765417099)
    assert network.weights[0, :3].sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-6)
    assert not network.weights[0, 3:].any()
    assert (network.netuid, network.blocks.tolist()) == (1, [1234567])  # type: ignore[union-attr]
    assert network.validator_names == network.miner_names == tuple(f"5F{i}" for i in range(8))
    assert network.validator_owners is not None
    assert network.validator_owners.tolist() == list(range(8))


def test_reading_imports_nothing_of_the_sdk(tmp_path: Path) -> None:
    read([metagraph(tmp_path)])
    assert not [name for name in sys.modules if name.partition(".")[0] in ("bittensor", "torch")]


def test_a_metagraph_that_torch_saved_is_read_without_torch() -> None:
    network = read([made.FILES / "metagraph.pt"])
    assert network.stake.tolist() == [[3, 2, 1]]
    assert network.weights.tolist() == [[[0, 0.5, 0.5], [0, 0, 1], [0, 0, 0]]]
    assert network.permits is not None
    assert network.permits.tolist() == [[True, True, False]]
    assert network.validator_names == ("5F0", "5F1", "5F2")
    assert network.miner_owners is not None
    assert network.miner_owners.tolist() == [0, 0, 1]
    assert network.bonds is None


EMPTY = np.array([], np.float32)


def test_a_metagraph_without_weights_is_refused_with_the_reason_and_the_remedy(
    tmp_path: Path,
) -> None:
    message = refused(metagraph(tmp_path, weights=EMPTY, bonds=EMPTY))
    assert "no weights: the metagraph was synced with lite=True" in message
    assert "metagraph.sync(lite=False)" in message
    without = {key: value for key, value in made.state().items() if key != "weights"}
    (tmp_path / "block.pt").write_bytes(made.pickled(without))
    assert "no weights: the metagraph was synced with lite=True" in refused(tmp_path / "block.pt")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"stake": EMPTY}, "no stake; sync the metagraph before it is saved"),
        ({"stake": np.ones((3, 1))}, "no stake"),
        ({"stake": [1, 2, 3]}, "no stake"),
        ({"weights": np.ones(3)}, "weights: expected shape (n, n), got (3,)"),
        ({"weights": np.ones((2, 3))}, "stake: expected shape (1, 2), got (1, 3)"),
        ({"weights": -np.ones((3, 3))}, "weights: expected finite, not negative; got -1.0"),
        ({"last_update": np.ones(2)}, "last_update: expected shape (1, 3), got (1, 2)"),
        ({"validator_permit": np.ones(2)}, "permits: expected shape (1, 3), got (1, 2)"),
        ({"block": None}, "block: expected a whole number, got NoneType"),
        ({"block": np.array([1, 2])}, "block: expected a whole number, got Array"),
        ({"netuid": "1"}, "netuid: expected a whole number, got str"),
    ],
)
def test_a_metagraph_that_does_not_fit_together_is_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    assert reason in refused(metagraph(tmp_path, **changes))


@pytest.mark.parametrize("axons", [[], None, [1, 2, 3], "abc"])
def test_accounts_without_keys_are_called_by_their_uids(tmp_path: Path, axons: Any) -> None:
    network = read([metagraph(tmp_path, axons=axons)])
    assert network.validator_names == ("0", "1", "2")
    assert network.one_account
    assert network.validator_owners is None


def test_hotkeys_that_are_not_all_told_or_not_all_others_are_no_names(tmp_path: Path) -> None:
    for keys in (("5Fa", "5Fa", "5Fb"), ("5Fa", "", "5Fb")):
        axons = [made.axon(key, "5C") for key in keys]
        assert read([metagraph(tmp_path, axons=axons)]).miner_names == ("0", "1", "2")


def test_on_the_root_network_miners_are_subnets_and_have_no_names(tmp_path: Path) -> None:
    network = read([metagraph(tmp_path, weights=np.ones((3, 5)), bonds=EMPTY)])
    assert (network.validators, network.miners) == (3, 5)
    assert network.validator_names == KEYS
    assert network.miner_names == ()
    assert network.miner_owners is None


def test_a_pickle_of_something_else_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(pickle.dumps({"model": 1, "step": 2}))
    message = refused(tmp_path / "a.pt")
    assert "neither a metagraph of the bittensor SDK nor a dict of S and W; found" in message
    assert "found a dict of ['model', 'step']" in message
    (tmp_path / "a.pt").write_bytes(pickle.dumps([1]))
    assert "found list" in refused(tmp_path / "a.pt")
