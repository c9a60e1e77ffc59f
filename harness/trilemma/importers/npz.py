"""Networks kept as NumPy archives: an `.npz` with stake and weights, and what else is known.

It is also what `trilemma import` writes: every field of a `Network` under its own name.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from reprlib import repr as short
from typing import Any, NamedTuple
from zipfile import ZipFile

import numpy as np
from numpy.lib import format as npy

from trilemma.errors import DataError
from trilemma.importers import archives
from trilemma.importers.limits import check_growth, check_numbers
from trilemma.importers.network import Network
from trilemma.model import AnyArray

__all__ = ["WHAT", "read", "recognises", "write"]

WHAT = "an .npz"

LONGEST_HEADER = 2**14  # bytes; numpy itself refuses headers above 10 000
# fields beside stake and weights: their kinds of dtype, and the axes of their shapes
FIELDS = {
    "netuid": ("iu", ""),
    "blocks": ("iu", "t"),
    "permits": ("b", "tn"),
    "last_update": ("iu", "tn"),
    "registered": ("iu", "tm"),
    "bonds": ("biuf", "tnm"),
    "validator_names": ("U", "n"),
    "miner_names": ("U", "m"),
    "validator_owners": ("iu", "n"),
    "miner_owners": ("iu", "m"),
}
KINDS = {"b": "bool", "iu": "whole numbers", "biuf": "real numbers", "U": "text"}
LONGEST_NAMES = 2**26  # letters, all names made as long as the longest


class _Header(NamedTuple):
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return math.prod(self.shape) * self.dtype.itemsize


def recognises(head: bytes) -> bool:
    """Tell whether a file with these first bytes is a zip archive."""
    return head.startswith(archives.MAGIC)


def read(path: Path) -> Network:
    """Read a network from an archive.

    The file holds `stake`, shape (n,) or (epochs, n), and `weights`, shape (n, m) or
    (epochs, n, m), of any real type or bool. An array that has the name of another field of
    `Network` must have its shape, too, where one epoch may lack its axis; any other array is
    ignored. Headers are checked before anything is allocated, and pickles are never loaded.

    Raises
    ------
    DataError
        If the archive is broken or its arrays are not as above, finite and not negative.
    """
    with archives.opened(path) as archive:
        return Network(path.name, **_fields(archive))


def write(network: Network, path: Path) -> None:
    """Write a network to an archive that `read` reads back equal, and nothing but its name is lost.

    The file is there as a whole or not at all.

    Parameters
    ----------
    network : Network
    path : Path
        What is there is replaced.

    Raises
    ------
    DataError
        If a name is too long, or ends in a NUL, which no NumPy array of text keeps.
    OSError
    """
    fields = {"stake": network.stake, "weights": network.weights}
    for name in FIELDS:
        value = getattr(network, name)
        if value is None or (isinstance(value, tuple) and not value):
            continue
        fields[name] = _text(name, value) if isinstance(value, tuple) else np.asarray(value)
    scratch = path.with_name(f".{path.name}.part")
    try:
        with scratch.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **fields)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def _text(name: str, values: tuple[str, ...]) -> AnyArray:
    if any(value.endswith("\0") for value in values):
        raise DataError(f"{name}: a name ends in a NUL, which an .npz does not keep; rename it")
    if len(values) * max(map(len, values)) > LONGEST_NAMES:
        raise DataError(f"{name}: more than {LONGEST_NAMES:,} letters; shorten the longest")
    return np.array(values)


def _fields(archive: ZipFile) -> dict[str, Any]:
    names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    for name in ("stake", "weights"):
        if name not in names:
            raise DataError(f"no array {name!r}; expected stake and weights, found {short(names)}")
    stake, weights = _header(archive, "stake"), _header(archive, "weights")
    sizes = _fitting(stake, weights)
    others = [_header(archive, name, FIELDS[name][0]) for name in FIELDS if name in names]
    shapes = {header.name: _shape(header, sizes) for header in others}
    _check_sizes(archive, [stake, weights, *others])
    fields = {
        "stake": _stake(_load(archive, stake), sizes),
        "weights": np.broadcast_to(_load(archive, weights), tuple(sizes.values())),
    }
    for header in others:
        array = _load(archive, header).reshape(shapes[header.name])
        fields[header.name] = _value(header.name, array)
    return fields


def _stake(stake: AnyArray, sizes: dict[str, int]) -> AnyArray:
    whole = stake.dtype.kind in "biu" and stake.max() <= np.iinfo(np.int64).max
    kind = np.int64 if whole else np.float64
    return np.broadcast_to(stake.astype(kind), (sizes["t"], sizes["n"]))


def _value(name: str, array: AnyArray) -> Any:
    """Return what a `Network` takes under this name."""
    kinds, axes = FIELDS[name]
    if kinds == "U":
        return tuple(array.tolist())
    if kinds != "iu":
        return array
    if array.max() > np.iinfo(np.int64).max:
        raise DataError(f"{name}: a number of 2**63 or more")
    return array.astype(np.int64) if axes else int(array)


def _shape(header: _Header, sizes: dict[str, int]) -> tuple[int, ...]:
    """Return the shape of a field, which its array has, perhaps without the axis of one epoch."""
    axes = FIELDS[header.name][1]
    shape = tuple(sizes[axis] for axis in axes)
    if header.shape != shape and not (
        axes[:1] == "t" and sizes["t"] == 1 and header.shape == shape[1:]
    ):
        raise DataError(
            f"{header.name}: expected shape {shape}, got {short(header.shape)}; an array by that "
            "name is a network's, so rename it if it is something else"
        )
    return shape


def _header(archive: ZipFile, name: str, kinds: str = "biuf") -> _Header:
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type not in archives.COMPRESSIONS:
        raise DataError(f"{name}: unusual compression; save it with numpy.savez_compressed")
    with archive.open(info) as member:
        # a header may claim 4 GiB for itself: it gets no more than this to be read from
        head = io.BytesIO(member.read(LONGEST_HEADER))
    first = npy.read_magic(head) == (1, 0)
    parse = npy.read_array_header_1_0 if first else npy.read_array_header_2_0
    shape, _, dtype = parse(head)
    if dtype.hasobject:
        raise DataError(f"{name}: pickled objects, which are never loaded; save plain numbers")
    if dtype.kind not in kinds:
        raise DataError(f"{name}: expected {KINDS[kinds]}, got {dtype.name}")
    return _Header(name, shape, dtype)


def _fitting(stake: _Header, weights: _Header) -> dict[str, int]:
    """Return the sizes of epochs, validators and miners if the two shapes fit, and into memory."""
    shape = weights.shape
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise DataError(
            f"weights: expected shape (n, m) or (epochs, n, m), none of them 0, got {short(shape)}"
        )
    epochs, n, m = (1, *shape)[-3:]
    if stake.shape not in ((n,), (epochs, n)):
        raise DataError(
            f"stake: expected shape ({n},) or ({epochs}, {n}), because weights has "
            f"{short(shape)}; got {short(stake.shape)}"
        )
    check_numbers(f"weights: shape {short(shape)}", math.prod(shape))
    return {"t": epochs, "n": n, "m": m}


def _check_sizes(archive: ZipFile, headers: list[_Header]) -> None:
    stored = 0
    for header in headers:
        info = archive.getinfo(f"{header.name}.npy")
        stored += info.compress_size
        if info.file_size < header.size:
            raise DataError(
                f"{header.name}: fewer bytes than shape {short(header.shape)} of "
                f"{header.dtype.name} needs"
            )
    largest = max(headers, key=lambda header: header.size)
    check_growth(f"{largest.name} and others", sum(header.size for header in headers), stored)


def _load(archive: ZipFile, header: _Header) -> AnyArray:
    name, shape, dtype = header
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as member:
        array: AnyArray = npy.read_array(member, allow_pickle=False)
        # reading past the end also makes zipfile compare the checksum
        if member.read(1):
            raise DataError(f"{name}: more bytes than shape {shape} of {dtype.name} needs")
    return array.astype(dtype.newbyteorder("="), copy=False)
