"""Networks kept as NumPy archives: an `.npz` with the arrays stake and weights."""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from pathlib import Path
from reprlib import repr as short
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from trilemma.errors import DataError
from trilemma.importers.network import Network
from trilemma.model import AnyArray

__all__ = ["MAGIC", "MOST_NUMBERS", "read"]

MAGIC = b"PK"
MOST_NUMBERS = 2**28  # 2 GiB as float64
LONGEST_HEADER = 2**14  # bytes; numpy itself refuses headers above 10 000
# what np.savez writes; zipfile unpacks bzip2 and LZMA without bound, 330 MB from one 16 KiB read
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class _Header(NamedTuple):
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def read(path: Path) -> Network:
    """Read a network from an archive.

    The file holds `stake`, shape (n,) or (epochs, n), and `weights`, shape (n, m) or
    (epochs, n, m), of any real type or bool; other arrays are ignored. Headers are checked
    before anything is allocated, and pickles are never loaded.

    Raises
    ------
    DataError
        If the archive is broken or its arrays are not as above, finite and not negative.
    """
    try:
        # numpy's remarks on odd headers would be further lines on the user's screen
        with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(path) as archive:
            return Network(path.name, *_arrays(archive))
    except DataError as error:
        raise DataError(f"{path.name}: {error}") from error
    # a hostile archive makes zipfile, zlib, struct, tokenize and numpy raise nearly anything
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
        raise DataError(f"{path.name}: a broken archive ({reason}); save it again") from error


def _arrays(archive: zipfile.ZipFile) -> tuple[AnyArray, AnyArray]:
    names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    for name in ("stake", "weights"):
        if name not in names:
            raise DataError(f"no array {name!r}; expected stake and weights, found {short(names)}")
    headers = _header(archive, "stake"), _header(archive, "weights")
    epochs, n, m = _fitting(*headers)
    stake, weights = (_load(archive, header) for header in headers)
    whole = stake.dtype.kind in "biu" and stake.max() <= np.iinfo(np.int64).max
    return (
        np.broadcast_to(stake.astype(np.int64 if whole else np.float64), (epochs, n)),
        np.broadcast_to(weights, (epochs, n, m)),
    )


def _header(archive: zipfile.ZipFile, name: str) -> _Header:
    if archive.getinfo(f"{name}.npy").compress_type not in COMPRESSIONS:
        raise DataError(f"{name}: unusual compression; save it with numpy.savez_compressed")
    with archive.open(f"{name}.npy") as member:
        # a header may claim 4 GiB for itself: it gets no more than this to be read from
        head = io.BytesIO(member.read(LONGEST_HEADER))
    first = npy.read_magic(head) == (1, 0)
    parse = npy.read_array_header_1_0 if first else npy.read_array_header_2_0
    shape, _, dtype = parse(head)
    if dtype.hasobject:
        raise DataError(f"{name}: pickled objects, which are never loaded; save plain numbers")
    if dtype.kind not in "biuf":
        raise DataError(f"{name}: expected real numbers, got {dtype.name}")
    return _Header(name, shape, dtype)


def _fitting(stake: _Header, weights: _Header) -> tuple[int, int, int]:
    """Return (epochs, n, m) if the two shapes fit together and into memory."""
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
    if math.prod(shape) > MOST_NUMBERS:
        raise DataError(
            f"weights: shape {short(shape)} is too large; at most {MOST_NUMBERS:,} numbers are "
            "read (2 GiB as float64), so split the epochs over several files"
        )
    return epochs, n, m


def _load(archive: zipfile.ZipFile, header: _Header) -> AnyArray:
    name, shape, dtype = header
    if archive.getinfo(f"{name}.npy").file_size < math.prod(shape) * dtype.itemsize:
        raise DataError(f"{name}: fewer bytes than shape {shape} of {dtype.name} needs")
    with archive.open(f"{name}.npy") as member:
        array: AnyArray = npy.read_array(member, allow_pickle=False)
        # reading past the end also makes zipfile compare the checksum
        if member.read(1):
            raise DataError(f"{name}: more bytes than shape {shape} of {dtype.name} needs")
    return array.astype(dtype.newbyteorder("="), copy=False)
