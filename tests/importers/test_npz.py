from __future__ import annotations

import io
import os
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from tests.data import shared
from trilemma.errors import DataError, UsageError
from trilemma.importers import Network, limits, npz, read

STAKE = np.array([3, 1])
WEIGHTS = np.array([[1, 0, 2], [0, 0, 5]], np.uint16)
Array = npt.NDArray[Any]


def refused(path: Path | str) -> str:
    """Return the message of the refusal, after checking what every refusal must be."""
    with pytest.raises(DataError) as caught:
        read([path])
    message = str(caught.value)
    assert caught.value.exit_code == 3
    assert message.isprintable()
    assert message.startswith((Path(path).name, str(path)))
    assert len(message) < 500
    return message


def saved(folder: Path, **arrays: Any) -> Path:
    path = folder / "network.npz"
    np.savez_compressed(path, **arrays)
    return path


def zipped(
    folder: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED
) -> Path:
    path = folder / "network.npz"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def npy_bytes(array: Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(text: str) -> bytes:
    """Return the start of an .npy that says this about itself, whatever that is."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text.encode() + b"\n"


def claiming(shape: str, dtype: str = "<f8") -> bytes:
    return header(f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}}}")


REAL = st.one_of(
    stn.boolean_dtypes(),
    stn.integer_dtypes(endianness="?"),
    stn.unsigned_integer_dtypes(endianness="?"),
    stn.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
)


def values(dtype: np.dtype[Any]) -> st.SearchStrategy[Any]:
    if dtype.kind == "f":
        return stn.from_dtype(dtype, min_value=0, allow_nan=False, allow_infinity=False)
    return stn.from_dtype(dtype, min_value=0) if dtype.kind in "iu" else stn.from_dtype(dtype)


@st.composite
def networks(draw: st.DrawFn) -> tuple[Array, Array]:
    epochs, n, m = draw(stn.array_shapes(min_dims=3, max_dims=3, max_side=4))
    one_epoch = draw(st.booleans())
    one_stake = one_epoch or draw(st.booleans())
    arrays = []
    for shape in ((n,) if one_stake else (epochs, n), (n, m) if one_epoch else (epochs, n, m)):
        dtype = draw(REAL)
        arrays.append(draw(stn.arrays(dtype, shape, elements=values(dtype))))
    return arrays[0], np.asarray(arrays[1], order=draw(st.sampled_from("CF")))


@given(networks())
@settings(deadline=None)
def test_what_numpy_writes_is_read_back_equal(
    tmp_path_factory: pytest.TempPathFactory, arrays: tuple[Array, Array]
) -> None:
    stake, weights = arrays
    network = read([saved(tmp_path_factory.mktemp("npz"), stake=stake, weights=weights)])
    epochs, n, m = (1, *weights.shape)[-3:]
    assert (network.epochs, network.validators, network.miners) == (epochs, n, m)
    assert network.weights.dtype == weights.dtype.newbyteorder("=")
    assert network.stake.dtype in (np.int64, np.float64)
    np.testing.assert_array_equal(network.weights, weights.reshape(epochs, n, m))
    np.testing.assert_array_equal(network.stake, np.broadcast_to(stake, (epochs, n)))
    assert not network.weights.flags.writeable
    assert not network.stake.flags.writeable


def test_stakes_beyond_int64_become_floats_instead_of_wrapping_round(tmp_path: Path) -> None:
    network = read([saved(tmp_path, stake=np.array([2**64 - 1, 1], np.uint64), weights=WEIGHTS)])
    assert network.stake.tolist() == [[2.0**64, 1.0]]


def test_the_real_subnet_is_read_as_it_is_stored() -> None:
    tracemalloc.start()
    network = read([shared("networks/bittensor-sn31/sn31_dense.npz")])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert network.name == "sn31_dense.npz"
    assert network.weights.shape == (100, 256, 256)
    assert network.weights.dtype == np.uint16
    assert network.stake.shape == (100, 256)
    assert network.blocks is not None
    assert network.blocks[[0, -1]].tolist() == [3600000, 3635640]
    assert network.permits is not None
    assert network.permits.sum(axis=1).max() == 64
    assert repr(network) == "Network(sn31_dense.npz: 100 epochs, 256 validators, 256 miners)"
    assert peak < 20e6  # the weights alone would be 52 MB as float64


def test_the_stakes_of_a_real_network_without_weights_are_refused() -> None:
    message = refused(shared("networks/commune-2023-12/commune_netuid0_stake.npz"))
    assert message == (
        "commune_netuid0_stake.npz: no array 'weights'; expected stake and weights, found "
        "['stake', 'ip_cluster']"
    )


def test_the_content_decides_and_not_the_suffix(tmp_path: Path) -> None:
    path = saved(tmp_path, stake=STAKE, weights=WEIGHTS).rename(tmp_path / "network.csv")
    assert isinstance(read([str(path)]), Network)


def test_other_arrays_are_ignored_even_if_they_are_pickles(tmp_path: Path) -> None:
    others: dict[str, Any] = {"rewards": np.arange(9), "names": np.array([{}, None])}
    assert read([saved(tmp_path, stake=STAKE, weights=WEIGHTS, **others)]).miners == 3


def test_a_header_that_python_2_wrote_is_read_in_silence(tmp_path: Path) -> None:
    old = header("{'descr': '<u2', 'fortran_order': False, 'shape': (2L, 3L)}") + WEIGHTS.tobytes()
    network = read([zipped(tmp_path, {"stake.npy": npy_bytes(STAKE), "weights.npy": old})])
    np.testing.assert_array_equal(network.weights[0], WEIGHTS)


def test_a_link_is_refused_because_it_may_lead_anywhere(tmp_path: Path) -> None:
    (tmp_path / "link.npz").symlink_to(saved(tmp_path, stake=STAKE, weights=WEIGHTS))
    assert "a symbolic link, which is not followed" in refused(tmp_path / "link.npz")


def test_asking_for_no_file_is_a_wrong_use() -> None:
    with pytest.raises(UsageError, match="no file given"):
        read([])


def test_archives_without_blocks_are_given_alone(tmp_path: Path) -> None:
    path = saved(tmp_path, stake=STAKE, weights=WEIGHTS)
    with pytest.raises(DataError, match=r"^network\.npz: does not tell its blocks"):
        read([path, path])


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "no such file; expected an .npz" in refused(tmp_path / "nothing.npz")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "not a regular file" in refused(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    assert "not a regular file" in refused(tmp_path / "pipe.npz")


def test_a_link_in_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").symlink_to(tmp_path / "a.npz")
    assert "a symbolic link" in refused(tmp_path / "a.npz")


def test_an_unreadable_file_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    path = saved(tmp_path, stake=STAKE, weights=WEIGHTS)
    monkeypatch.setattr(Path, "open", denied)
    assert refused(path) == f"{path}: Permission denied"


def test_a_name_cannot_break_the_line_or_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "a\n\x1b[31mb.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match=r"^a\?\?\[31mb\.npz: a broken archive") as caught:
        read([tmp_path / "a\n\x1b[31mb.npz"])
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "an empty file; expected an .npz with the arrays stake and weights, or two CSV"),
        (b"\x00\x01\x02\x03" * 2000, "an unknown format; expected an .npz"),
        (npy_bytes(WEIGHTS), "an unknown format; expected an .npz"),
        (b'{"stake": [1, 2]}', "JSON of ['stake']; expected what `btcli --json query weights"),
        (b"\x80\x04\x95\x00pickle", "a broken pickle (byte 2: too few bytes); save it again"),
        (b"PK\x03\x04" + b"\x00" * 500, "a broken archive (BadZipFile: "),
    ],
    ids=["empty", "junk", "npy", "json", "pickle", "zip magic only"],
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "network.npz").write_bytes(content)
    assert reason in refused(tmp_path / "network.npz")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_archive_is_refused(tmp_path: Path, part: float) -> None:
    path = saved(tmp_path, stake=STAKE, weights=WEIGHTS)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    assert "a broken archive (BadZipFile" in refused(path)


@given(st.data())
@settings(deadline=None)
def test_a_damaged_archive_is_read_or_refused_but_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = saved(tmp_path_factory.mktemp("npz"), stake=STAKE, weights=WEIGHTS)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        network = read([path])
    except DataError:
        refused(path)
    else:
        np.testing.assert_array_equal(network.weights[0], WEIGHTS)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_changed_value_is_found_by_the_checksum(tmp_path: Path, compression: int) -> None:
    weights = npy_bytes(WEIGHTS)
    path = zipped(tmp_path, {"stake.npy": npy_bytes(STAKE), "weights.npy": weights}, compression)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        checksum = struct.pack("<I", archive.getinfo("weights.npy").CRC)
    path.write_bytes(content.replace(checksum, b"\xde\xad\xbe\xef"))
    assert "Bad CRC-32 for file 'weights.npy'" in refused(path)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"weights": WEIGHTS}, "no array 'stake'; expected stake and weights, found ['weights']"),
        ({"stake": STAKE}, "no array 'weights'; expected stake and weights, found ['stake']"),
        ({f"x{i}": STAKE for i in range(99)}, "found ['x0', 'x1', 'x2', 'x3', 'x4', 'x5', ...]"),
        ({"stake": STAKE, "weights": np.array([[{}]])}, "weights: pickled objects"),
        ({"stake": np.array([None, 1]), "weights": WEIGHTS}, "stake: pickled objects"),
        ({"stake": STAKE, "weights": WEIGHTS + 0j}, "weights: expected real numbers, got complex"),
        ({"stake": ["3", "1"], "weights": WEIGHTS}, "stake: expected real numbers, got str"),
        ({"stake": STAKE.astype("M8[s]"), "weights": WEIGHTS}, "stake: expected real numbers"),
        ({"stake": STAKE, "weights": np.zeros(2, "f8,f8")}, "weights: expected real numbers"),
        ({"stake": STAKE, "weights": STAKE}, "weights: expected shape (n, m) or (epochs, n, m)"),
        ({"stake": STAKE, "weights": 3.0}, "none of them 0, got ()"),
        ({"stake": STAKE, "weights": np.ones((1, 1, 2, 3))}, "got (1, 1, 2, 3)"),
        ({"stake": STAKE, "weights": np.ones((1,) * 32)}, "got (1, 1, 1, 1, 1, 1, ...)"),
        ({"stake": STAKE, "weights": np.ones((2, 0))}, "none of them 0, got (2, 0)"),
        ({"stake": STAKE[:0], "weights": np.ones((0, 3))}, "none of them 0, got (0, 3)"),
        ({"stake": STAKE, "weights": np.ones((0, 2, 3))}, "none of them 0, got (0, 2, 3)"),
        ({"stake": STAKE[0], "weights": WEIGHTS}, "stake: expected shape (2,) or (1, 2)"),
        ({"stake": STAKE[:1], "weights": WEIGHTS}, "because weights has (2, 3); got (1,)"),
        ({"stake": np.ones(3), "weights": WEIGHTS}, "because weights has (2, 3); got (3,)"),
        ({"stake": np.ones((5, 2)), "weights": WEIGHTS}, "stake: expected shape (2,) or (1, 2)"),
        ({"stake": np.ones((1, 2)), "weights": np.ones((4, 2, 3))}, "(2,) or (4, 2)"),
        (
            {"stake": [1, np.nan], "weights": WEIGHTS},
            "stake: expected finite, not negative; got nan",
        ),
        ({"stake": [1, np.inf], "weights": WEIGHTS}, "got inf at [0, 1]"),
        ({"stake": [-5, 1], "weights": WEIGHTS}, "got -5 at [0, 0]"),
        ({"stake": STAKE, "weights": [[0, 0, 1], [0, -0.5, 0]]}, "got -0.5 at [0, 1, 1]"),
        ({"stake": STAKE, "weights": np.full((9, 2, 3), np.nan)}, "got nan at [0, 0, 0]"),
        (
            {"stake": STAKE, "weights": np.full((2, 3), -np.inf, np.float16)},
            "got -inf at [0, 0, 0]",
        ),
    ],
)
def test_arrays_that_are_no_network_are_refused(
    tmp_path: Path, arrays: dict[str, Any], reason: str
) -> None:
    assert reason in refused(saved(tmp_path, **arrays))


# --- every other field ----------------------------------------------------------------------------

EVERYTHING: dict[str, Any] = {
    "netuid": np.int16(3),
    "blocks": np.array([7], np.uint32),
    "permits": np.array([[True, False]]),
    "last_update": np.array([[5, 0]]),
    "registered": np.array([[1, 2, 3]]),
    "bonds": np.array([[[0.5, 0, 0], [0, 1, 0]]]),
    "validator_names": np.array(["ann", "bob"]),
    "miner_names": np.array(["x", "y", "żółw"]),
    "validator_owners": np.array([0, 1]),
    "miner_owners": np.array([1, 1, 2]),
}


def test_every_field_of_a_network_is_read_under_its_name(tmp_path: Path) -> None:
    network = read([saved(tmp_path, stake=STAKE, weights=WEIGHTS, **EVERYTHING)])
    assert network.netuid == 3
    assert network.miner_names == ("x", "y", "żółw")
    for name in ("blocks", "permits", "last_update", "registered", "bonds", "miner_owners"):
        np.testing.assert_array_equal(getattr(network, name), EVERYTHING[name])
    assert network.blocks is not None
    assert network.blocks.dtype == np.int64


def test_one_epoch_may_lack_its_axis(tmp_path: Path) -> None:
    others = {**EVERYTHING, "blocks": 7, "permits": [True, False], "bonds": WEIGHTS}
    network = read([saved(tmp_path, stake=STAKE, weights=WEIGHTS, **others)])
    assert network.blocks is not None
    assert network.blocks.tolist() == [7]
    assert network.permits is not None
    assert network.permits.tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("field", "array", "reason"),
    [
        ("blocks", np.arange(9), "blocks: expected shape (1,), got (9,); an array by that name is"),
        ("blocks", [7.5], "blocks: expected whole numbers, got float64"),
        ("blocks", [2**63], "blocks: a number of 2**63 or more"),
        ("blocks", [-1], "blocks: expected finite, not negative; got -1"),
        ("blocks", np.array([None]), "blocks: pickled objects, which are never loaded"),
        ("netuid", [1, 2], "netuid: expected shape (), got (2,)"),
        ("permits", [[1, 0]], "permits: expected bool, got int64"),
        ("permits", [[True, False, True]], "permits: expected shape (1, 2), got (1, 3)"),
        ("registered", [[1, 2]], "registered: expected shape (1, 3), got (1, 2)"),
        ("bonds", [[[-1, 0, 0], [0, 0, 0]]], "bonds: expected finite, not negative; got -1"),
        ("validator_names", [1, 2], "validator_names: expected text, got int64"),
        ("validator_names", [["a", "b"]], "validator_names: expected shape (2,), got (1, 2)"),
        ("miner_names", ["x", "y", "x"], "miner_names: 'x' a second time"),
    ],
)
def test_a_field_of_another_shape_or_type_is_refused(
    tmp_path: Path, field: str, array: Any, reason: str
) -> None:
    others = {**EVERYTHING, field: array}
    assert reason in refused(saved(tmp_path, stake=STAKE, weights=WEIGHTS, **others))


NAME = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)


@st.composite
def whole_networks(draw: st.DrawFn) -> Network:
    stake, weights = draw(networks())
    shape = (1, *weights.shape)[-3:]
    t, n, m = shape
    weights = weights.astype(weights.dtype.newbyteorder("=")).reshape(shape)

    def maybe(dtype: Any, shape: tuple[int, ...]) -> Any:
        elements = None if dtype is np.bool_ else st.integers(0, 2**63 - 1)
        return draw(st.none() | stn.arrays(dtype, shape, elements=elements))

    def names(count: int) -> tuple[str, ...]:
        exact = st.lists(NAME, min_size=count, max_size=count, unique=True)
        return tuple(draw(st.just([]) | exact))

    return Network(
        "network.npz",
        np.broadcast_to(stake.astype(np.float64), (t, n)),
        weights,
        netuid=draw(st.none() | st.integers(0, 2**63 - 1)),
        blocks=maybe(np.int64, (t,)),
        permits=maybe(np.bool_, (t, n)),
        last_update=maybe(np.int64, (t, n)),
        registered=maybe(np.int64, (t, m)),
        bonds=draw(st.none() | st.just(weights)),
        validator_names=names(n),
        miner_names=names(m),
        validator_owners=maybe(np.int64, (n,)),
        miner_owners=maybe(np.int64, (m,)),
    )


def check_equal(one: Network, other: Network) -> None:
    for field in fields(Network):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype, field.name
            np.testing.assert_array_equal(left, right, field.name)
        else:
            assert left == right, field.name


@given(whole_networks())
@settings(deadline=None)
def test_what_is_written_is_read_back_equal(
    tmp_path_factory: pytest.TempPathFactory, network: Network
) -> None:
    path = tmp_path_factory.mktemp("npz") / "network.npz"
    npz.write(network, path)
    check_equal(read([path]), replace(network, files=(str(path),)))
    assert list(path.parent.iterdir()) == [path]


def test_the_same_network_is_written_in_the_same_bytes(tmp_path: Path) -> None:
    network = read([saved(tmp_path, stake=STAKE, weights=WEIGHTS, **EVERYTHING)])
    npz.write(network, tmp_path / "a.npz")
    npz.write(network, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, stake=STAKE, weights=WEIGHTS)
    network, old = read([path]), path.read_bytes()

    def full(file: Any, **_: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space left"):
        npz.write(network, path)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("name", "reason"), [("a\0", "ends in a NUL"), ("a" * 2**26, "letters")])
def test_names_that_an_archive_would_not_keep_are_not_written(
    tmp_path: Path, name: str, reason: str
) -> None:
    network = Network("x", STAKE[None], WEIGHTS[None], validator_names=(name, "b"))
    with pytest.raises(DataError, match=reason):
        npz.write(network, tmp_path / "network.npz")
    assert not list(tmp_path.iterdir())


def test_a_zip_without_arrays_is_refused(tmp_path: Path) -> None:
    assert "no array 'stake'; expected stake and weights, found []" in refused(
        zipped(tmp_path, {"letter.txt": b"hello", "stake": npy_bytes(STAKE)})
    )
    assert "found []" in refused(zipped(tmp_path, {}))


HOSTILE = {
    "nothing": (b"", "a broken archive (ValueError: "),
    "text": (b"hello", "a broken archive (ValueError: "),
    "pickle": (b"\x80\x04cos\nsystem\n", "a broken archive (ValueError: "),
    "future version": (b"\x93NUMPY\x09\x00" + b" " * 99, "a broken archive (ValueError: "),
    "no data": (claiming("(2, 3)"), "a broken archive (ValueError: EOF"),
    "little data": (
        claiming("(2, 30)"),
        "weights: fewer bytes than shape (2, 30) of float64 needs",
    ),
    "much data": (
        npy_bytes(WEIGHTS) + b"\x00",
        "weights: more bytes than shape (2, 3) of uint16 needs",
    ),
    "negative": (claiming("(-2, -3)"), "weights: expected shape"),
    "fraction": (claiming("(2, 3.5)"), "a broken archive (ValueError: "),
    "1e9 doubles": (
        claiming("(2, 500_000_000)"),
        "(2, 500000000) is too large; at most 268,435,456",
    ),
    "1e9 bytes": (claiming("(500_000_000, 2, 1)", "|u1"), "is too large; at most 268,435,456"),
    "2e30 doubles": (claiming(f"(2, {10**30})"), "is too large; at most 268,435,456 numbers"),
    "unprintable size": (claiming(f"(2, 0x{'f' * 9000})"), "a broken archive (ValueError: "),
    "no type": (claiming("(2, 3)", "no such type"), "a broken archive (ValueError: "),
    "nested": (header("(" * 5000), "a broken archive ("),
    "recursive": (header("-" * 9000 + "1"), "a broken archive ("),
    "odd escape": (header("'\\d'"), "a broken archive ("),
    "long": (header("{" + " " * 60_000 + "}"), "a broken archive ("),
    "endless": (b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 9), "(ValueError: EOF"),
}


@pytest.mark.parametrize(("weights", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_header_is_refused(tmp_path: Path, weights: bytes, reason: str) -> None:
    members = {"stake.npy": npy_bytes(STAKE), "weights.npy": weights}
    assert reason in refused(zipped(tmp_path, members))


def test_a_locked_archive_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, stake=STAKE, weights=WEIGHTS)
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    path.write_bytes(content)
    assert "is encrypted" in refused(path)


def long_header(folder: Path) -> Path:
    head = b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 9)
    path = folder / "network.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("stake.npy", npy_bytes(STAKE))
        with archive.open("weights.npy", "w") as member:
            member.write(head)
            for _ in range(32):
                member.write(b" " * 2**20)
    return path


def promised(folder: Path) -> Path:
    members = {"stake.npy": claiming(f"({2**28},)"), "weights.npy": claiming(f"({2**28}, 1)")}
    return zipped(folder, members)


def trailing(folder: Path) -> Path:
    members = {"stake.npy": npy_bytes(STAKE), "weights.npy": npy_bytes(WEIGHTS) + b"\0" * 2**25}
    return zipped(folder, members)


def wrong_shape(folder: Path) -> Path:
    return saved(folder, stake=np.zeros(2**21), weights=WEIGHTS)


def badly_packed(compression: int) -> Callable[[Path], Path]:
    def bomb(folder: Path) -> Path:
        content = claiming(f"({2**20}, 1)") + b"\0" * 2**23
        return zipped(folder, {"stake.npy": content, "weights.npy": content}, compression)

    return bomb


@pytest.mark.parametrize(
    ("bomb", "reason"),
    [
        (long_header, "a broken archive (ValueError: EOF"),
        (promised, "stake: fewer bytes than shape (268435456,) of float64 needs"),
        (trailing, "weights: more bytes than shape (2, 3) of uint16 needs"),
        (wrong_shape, "stake: expected shape (2,)"),
        (badly_packed(zipfile.ZIP_BZIP2), "stake: unusual compression"),
        (badly_packed(zipfile.ZIP_LZMA), "stake: unusual compression"),
    ],
)
def test_a_bomb_is_refused_fast_and_in_little_memory(
    tmp_path: Path, bomb: Callable[[Path], Path], reason: str
) -> None:
    path = bomb(tmp_path)
    start = time.perf_counter()
    tracemalloc.start()
    message = refused(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reason in message
    assert peak < 4e6
    assert time.perf_counter() - start < 2


def test_the_largest_size_is_a_matter_of_numbers_and_not_of_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, stake=STAKE, weights=WEIGHTS)
    monkeypatch.setattr(limits, "MOST_NUMBERS", WEIGHTS.size)
    assert read([path]).miners == 3
    monkeypatch.setattr(limits, "MOST_NUMBERS", WEIGHTS.size - 1)
    assert "shape (2, 3) is too large; at most 5 numbers are read" in refused(path)
