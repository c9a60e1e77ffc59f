from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.importers import made
from tests.importers.made import KEYS, metagraph, refused
from trilemma.importers import limits, npz, read


def test_files_of_several_blocks_are_the_epochs_in_their_order(tmp_path: Path) -> None:
    later = metagraph(tmp_path, "later.pt", block=np.array([20]), stake=np.array([1.0, 2, 3]))
    earlier = metagraph(tmp_path, "earlier.pt", block=np.array([10]))
    last = metagraph(tmp_path, "last.pt", block=np.array([30]), weights=np.eye(3))
    network = read([later, last, earlier])
    assert network.name == "later.pt and 2 more"
    assert network.blocks is not None
    assert network.blocks.tolist() == [10, 20, 30]
    assert network.stake.tolist() == [[60, 40, 20], [1, 2, 3], [60, 40, 20]]
    assert network.weights[1].tolist() == made.WEIGHTS
    assert network.weights[2].tolist() == np.eye(3).tolist()
    assert network.bonds is not None
    assert network.bonds.shape == (3, 3, 3)
    assert network.netuid == 1
    assert network.validator_names == network.miner_names == KEYS
    assert network.validator_owners is not None


def test_a_place_whose_hotkey_changes_is_called_by_its_uid(tmp_path: Path) -> None:
    axons = [made.axon(*pair) for pair in (("5Fa", "5Cx"), ("5Fnew", "5Cz"), ("5Fc", "5Cx"))]
    paths = [
        metagraph(tmp_path, "a.pt", block=np.array([1])),
        metagraph(tmp_path, "b.pt", block=np.array([2]), axons=axons),
    ]
    network = read(paths)
    assert network.validator_names == network.miner_names == ("5Fa", "1", "5Fc")
    assert network.one_account


def test_owners_are_kept_only_where_all_files_agree(tmp_path: Path) -> None:
    owners = ("5Cx", "5Cy", "5Cz")
    axons = [made.axon(*pair) for pair in zip(KEYS, owners, strict=True)]
    first = metagraph(tmp_path, "a.pt", block=np.array([1]))
    network = read([first, metagraph(tmp_path, "b.pt", block=np.array([2]), axons=axons)])
    assert network.validator_owners is None
    assert network.validator_names == KEYS


def test_what_one_file_does_not_tell_is_left_out(tmp_path: Path) -> None:
    paths = [
        metagraph(tmp_path, "a.pt", block=np.array([1]), bonds=np.array([])),
        metagraph(tmp_path, "b.pt", block=np.array([2])),
    ]
    network = read(paths)
    assert network.bonds is None
    assert network.permits is not None


def test_formats_may_differ_as_long_as_each_file_is_whole(tmp_path: Path) -> None:
    first = metagraph(tmp_path, "a.pt", block=np.array([1]))
    npz.write(read([first]), tmp_path / "a.npz")
    network = read([metagraph(tmp_path, "b.pt", block=np.array([2])), tmp_path / "a.npz"])
    assert network.epochs == 2
    npz.write(network, tmp_path / "both.npz")
    third = metagraph(tmp_path, "c.pt", block=np.array([0]))
    network = read([tmp_path / "both.npz", third])
    assert network.blocks is not None
    assert network.blocks.tolist() == [0, 1, 2]


def test_names_that_clash_with_a_uid_become_uids(tmp_path: Path) -> None:
    keys = {"a.pt": ("1", "x", "z"), "b.pt": ("1", "y", "z")}
    paths = [
        metagraph(
            tmp_path, name, block=np.array([i]), axons=[made.axon(key, "5C") for key in hotkeys]
        )
        for i, (name, hotkeys) in enumerate(keys.items())
    ]
    assert read(paths).validator_names == ("0", "1", "2")


def test_files_that_are_not_of_one_subnet_size_and_other_blocks_are_refused(
    tmp_path: Path,
) -> None:
    first = metagraph(tmp_path, "a.pt")
    assert refused([first, first]) == (
        "a.pt: block 1,234,567 is in two files; give each block once"
    )
    other = metagraph(tmp_path, "b.pt", netuid=2)
    assert refused([first, other]) == (
        "b.pt: of subnet 2, and a.pt is of 1; give files of one subnet"
    )
    one = np.ones(1)
    smaller = metagraph(
        tmp_path,
        "b.pt",
        stake=one,
        weights=np.ones((1, 1)),
        last_update=one,
        validator_permit=one,
    )
    assert refused([first, smaller]) == (
        "b.pt: 1 validators and 1 miners, and a.pt has 3 and 3; give files of one size"
    )
    np.savez(tmp_path / "c.npz", stake=[1, 1, 1], weights=np.eye(3))
    assert refused([first, tmp_path / "c.npz"]) == (
        "c.npz: does not tell its blocks, by which several files are joined; give it alone"
    )


def test_more_than_memory_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [metagraph(tmp_path, f"{i}.pt", block=np.array([i])) for i in range(2)]
    monkeypatch.setattr(limits, "MOST_NUMBERS", 17)
    assert "0.pt: all files is too large; at most 17 numbers" in refused(paths)
