from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.importers.made import FILES, refused
from trilemma.importers import Network, limits, read

S = np.arange(1, 7.0).reshape(2, 3)
W = np.arange(18.0).reshape(2, 3, 3)


def check_equal(network: Network, stake: Any, weights: Any) -> None:
    assert network.stake.dtype == np.float64
    np.testing.assert_array_equal(network.stake, stake)
    np.testing.assert_array_equal(network.weights, weights)


def test_tensors_are_read_with_their_types() -> None:
    network = read([FILES / "simulation.pt"])
    check_equal(network, S, W)
    assert network.weights.dtype == np.float32
    assert network.validator_names == network.miner_names == ("ann", "bob", "eve")


def test_a_part_of_a_storage_is_read_in_its_own_order() -> None:
    check_equal(read([FILES / "simulation_views.pt"]), S[1:], W[1:].transpose(0, 2, 1))


def test_lists_of_a_tensor_for_each_epoch_are_read() -> None:
    network = read([FILES / "simulation_lists.pt"])
    check_equal(network, S, W)
    assert network.weights.dtype == np.float16


def test_arrays_that_torch_saved_are_read() -> None:
    network = read([FILES / "simulation_arrays.pt"])
    check_equal(network, S, W)
    assert network.validator_names == ("0", "1", "2")


def test_an_expanded_tensor_is_refused_with_the_remedy() -> None:
    message = refused(FILES / "simulation_expanded.pt")
    assert "a tensor of 9 numbers in a storage of 1; save tensor.contiguous()" in message


def test_the_format_before_zip_is_refused_with_the_remedy() -> None:
    message = refused(FILES / "simulation_before_1_6.pt")
    assert "the format of torch before 1.6; load it and save it with torch >= 1.6" in message


# --- simulations, whatever saved them -------------------------------------------------------------


def pickled(folder: Path, **held: Any) -> Path:
    path = folder / "a.pt"
    path.write_bytes(pickle.dumps(held))
    return path


def test_a_simulation_need_not_be_square(tmp_path: Path) -> None:
    network = read([pickled(tmp_path, S=[np.ones(2), np.ones(2)], W=np.ones((2, 2, 5)))])
    assert network.weights.shape == (2, 2, 5)
    assert network.validator_names == network.miner_names == ()


@pytest.mark.parametrize(
    ("hotkeys", "names"),
    [
        (["a", "b", "c"], ("a", "b", "c")),
        (np.array(["a", "b", "żó"]), ("a", "b", "żó")),
        ([["a", "b", "c"], ["a", "b", "c"]], ("a", "b", "c")),
        ([["a", "b", "c"], ["a", "b", "d"]], ("0", "1", "2")),
        ([["a", "b"], ["a", "b", "d"]], ("0", "1", "2")),
        ([["a", "b", "c"]] * 3, ("0", "1", "2")),
        (["a", "b"], ("0", "1", "2")),
        ([], ("0", "1", "2")),
        (None, ("0", "1", "2")),
        ([1, 2, 3], ("0", "1", "2")),
    ],
)
def test_hotkeys_are_names_where_there_is_one_for_each_place(
    tmp_path: Path, hotkeys: Any, names: tuple[str, ...]
) -> None:
    network = read([pickled(tmp_path, S=S, W=W, hotkeys=hotkeys)])
    assert network.validator_names == network.miner_names == names


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        ({"S": S}, "no W; expected S (stakes) and W (weights), found ['S']"),
        ({"W": W}, "no S; expected S (stakes) and W (weights), found ['W']"),
        ({"S": S, "W": "x"}, "W: expected a tensor or an array of numbers"),
        ({"S": S, "W": []}, "W: expected a tensor or an array of numbers"),
        ({"S": S, "W": [W, 1]}, "W: expected a tensor or an array of numbers"),
        ({"S": S, "W": np.array(["x"])}, "W: expected a tensor or an array of numbers"),
        ({"S": S, "W": [W[0], W[0, :2]]}, "W: expected one shape in all epochs, got several"),
        ({"S": S, "W": S[0]}, "W: expected shape (n, m) or (epochs, n, m), got (3,)"),
        ({"S": S[:, :2], "W": W}, "S: expected shape (3,) or (2, 3), got (2, 2)"),
        ({"S": -S, "W": W}, "stake: expected finite, not negative; got -6.0"),
        ({"S": S, "W": W * np.nan}, "weights: expected finite, not negative; got nan"),
    ],
)
def test_a_simulation_that_does_not_fit_together_is_refused(
    tmp_path: Path, held: dict[str, Any], reason: str
) -> None:
    assert reason in refused(pickled(tmp_path, **held))


def test_a_simulation_larger_than_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_NUMBERS", W.size - 1)
    assert "W is too large; at most 17 numbers" in refused(pickled(tmp_path, S=S, W=W))
    assert "W is too large; at most 17" in refused(pickled(tmp_path, S=S, W=list(W)))


# --- what a zip may not hold ----------------------------------------------------------------------


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def tensor(offset: int, size: tuple[int, ...], stride: tuple[int, ...], key: str = "0") -> bytes:
    """Return the instructions that make a tensor of float32."""
    sides = [
        b"(" + b"".join(b"J" + struct.pack("<i", it) for it in its) + b"t" for its in (size, stride)
    ]
    storage = (
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + b"K\x09tQ"
    )
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + b"J"
        + struct.pack("<i", offset)
        + sides[0]
        + sides[1]
        + b"\x89ccollections\nOrderedDict\n)RtR"
    )


def saved(folder: Path, weights: bytes, **members: bytes) -> Path:
    path = folder / "a.pt"
    stake = tensor(0, (3,), (1,))
    content = b"\x80\x02}(" + text("S") + stake + text("W") + weights + b"u."
    numbers = np.arange(9, dtype=members.pop("order", b"<f4").decode()).tobytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in {"data.pkl": content, "data/0": numbers, **members}.items():
            archive.writestr(f"a/{name}", member)
    return path


def test_what_the_helper_makes_is_read(tmp_path: Path) -> None:
    network = read([saved(tmp_path, tensor(0, (3, 3), (3, 1)))])
    check_equal(network, [[0, 1, 2]], np.arange(9.0).reshape(1, 3, 3))
    network = read([saved(tmp_path, tensor(1, (3, 2), (1, 3)))])
    assert network.weights.tolist() == [[[1, 4], [2, 5], [3, 6]]]


def test_numbers_of_a_machine_of_the_other_byte_order_are_turned(tmp_path: Path) -> None:
    path = saved(tmp_path, tensor(0, (3, 3), (3, 1)), byteorder=b"big", order=b">f4")
    check_equal(read([path]), [[0, 1, 2]], np.arange(9.0).reshape(1, 3, 3))


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        (tensor(1, (3, 3), (3, 1)), "a tensor of 9 numbers in a storage of 9"),
        (tensor(0, (3, 3), (4, 1)), "a tensor of 9 numbers in a storage of 9"),
        (tensor(0, (3, 3), (0, 0)), "W"),
        (tensor(-1, (3, 3), (3, 1)), "a tensor whose size or stride is no tuple of whole numbers"),
        (tensor(0, (3, -3), (3, 1)), "a tensor whose size or stride is no tuple"),
        (tensor(0, (3, 3), (-3, 1)), "a tensor whose size or stride is no tuple"),
        (tensor(0, (3, 3), (3,)), "a tensor whose size or stride is no tuple"),
        (tensor(0, (10**9, 10**9), (0, 0)), "is too large; at most 268,435,456 numbers"),
        (tensor(0, (10**9,), (0,)), "is too large; at most"),
        (tensor(0, (10**8,), (0,)), "a tensor of 100,000,000 numbers in a storage of 9"),
        (tensor(0, (1,) * 9, (1,) * 9), "a tensor whose size or stride is no tuple"),
        (tensor(0, (3, 3), (3, 1), "../0"), "a storage of an unknown type"),
        (tensor(0, (3, 3), (3, 1), "7"), "no member 'a/data/7'; save it again"),
        (b"ctorch\nFloatStorage\n)R", "calls a type of storage; nothing was run"),
        (b"ctorch\nBFloat16Storage\n", "refers to 'torch.BFloat16Storage', which no network needs"),
        (b"ccollections\nOrderedDict\n(K\x01tR", "an OrderedDict of something; nothing was run"),
    ],
)
def test_a_tensor_outside_its_storage_is_refused(
    tmp_path: Path, weights: bytes, reason: str
) -> None:
    if reason == "W":  # of one number, by strides of 0: expanded, but within its storage
        assert read([saved(tmp_path, weights)]).weights.tolist() == [[[0] * 3] * 3]
        return
    assert reason in refused(saved(tmp_path, weights))


def test_a_storage_of_another_type_is_refused(tmp_path: Path) -> None:
    pickle_ = tensor(0, (3, 3), (3, 1)).replace(b"ctorch\nFloatStorage\n", text("FloatStorage"))
    assert "a storage of an unknown type; save the tensors as float32" in refused(
        saved(tmp_path, pickle_)
    )


def test_compressed_members_and_several_pickles_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, tensor(0, (3, 3), (3, 1)))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data/1", b"\0" * 99)
    assert "compressed members; torch.save compresses none" in refused(path)
    path = saved(tmp_path, tensor(0, (3, 3), (3, 1)), **{"b/data.pkl": b""})
    assert "2 members data.pkl; expected one" in refused(path)
