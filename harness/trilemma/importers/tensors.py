"""Files that `torch.save` writes, without torch: a zip of one pickle and the tensors' numbers."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np

from trilemma.errors import DataError
from trilemma.importers import archives, pickles
from trilemma.importers.limits import LARGEST_FILE, check_numbers
from trilemma.importers.numeric import MOST_AXES
from trilemma.model import AnyArray

__all__ = ["LEGACY", "is_saved", "load"]

# before torch 1.6: several pickles, one after the other, the first of them this number
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
PICKLE = "data.pkl"
TYPES = {
    "torch.DoubleStorage": "f8",
    "torch.FloatStorage": "f4",
    "torch.HalfStorage": "f2",
    "torch.LongStorage": "i8",
    "torch.IntStorage": "i4",
    "torch.ShortStorage": "i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "b1",
}
KEY = re.compile(r"[0-9]{1,9}")


def is_saved(head: bytes) -> bool:
    """Tell whether a file with these first bytes was written by `torch.save`."""
    return head.startswith(archives.MAGIC) and f"/{PICKLE}".encode() in head


def load(path: Path) -> object:
    """Return what `torch.save` saved, with arrays in place of tensors.

    Raises
    ------
    DataError
        If the archive or its pickle is broken or hostile, or a tensor leaves its storage.
    """
    with archives.opened(path) as archive:
        roots = [name[: -len(PICKLE)] for name in archive.namelist() if name.endswith(PICKLE)]
        if len(roots) != 1:
            raise DataError(f"{len(roots)} members {PICKLE}; expected one, as torch.save writes")
        if any(info.compress_type != ZIP_STORED for info in archive.infolist()):
            raise DataError("compressed members; torch.save compresses none, so save it again")
        saved = _Saved(archive, roots[0])
        content = archives.member(archive, roots[0] + PICKLE)
        if len(content) > LARGEST_FILE:
            raise DataError(
                f"{PICKLE} of {len(content):,} bytes; at most {LARGEST_FILE:,} are read"
            )
        return pickles.load(content, NAMES, saved.storage, path.stat().st_size)


class _Saved:
    """The storages of one archive, each read once."""

    def __init__(self, archive: ZipFile, root: str) -> None:
        self.archive = archive
        self.root = root
        self.storages: dict[str, AnyArray] = {}
        order = f"{root}byteorder"
        big = order in archive.namelist() and archives.member(archive, order) == b"big"
        self.order = ">" if big else "<"

    def storage(self, key: Any) -> AnyArray:
        """Return the numbers of a storage, flat."""
        what, kind, name, _, _ = key
        code = TYPES.get(getattr(kind, "name", ""))
        if what != "storage" or code is None or not KEY.fullmatch(name):
            raise DataError("a storage of an unknown type; save the tensors as float32 or float64")
        if name not in self.storages:
            raw = archives.member(self.archive, f"{self.root}data/{name}")
            self.storages[name] = np.frombuffer(raw, self.order + code)
        return self.storages[name]


def _tensor(storage: object, offset: Any, size: Any, stride: Any, *_: object) -> AnyArray:
    """Return the tensor that these places of a storage are, and none outside it."""
    if (
        not isinstance(storage, np.ndarray)
        or len(size) != len(stride)
        or len(size) > MOST_AXES
        or any(type(side) is not int or side < 0 for side in (offset, *size, *stride))
    ):
        raise DataError("a tensor whose size or stride is no tuple of whole numbers")
    numbers = math.prod(size)
    check_numbers(f"a tensor of shape {tuple(size)}", numbers)
    last = offset + sum((side - 1) * step for side, step in zip(size, stride, strict=True))
    if numbers and (last >= len(storage) or numbers > len(storage)):
        raise DataError(
            f"a tensor of {numbers:,} numbers in a storage of {len(storage):,}; save "
            "tensor.contiguous()"
        )
    steps = [step * storage.itemsize for step in stride]
    start = storage[offset:] if numbers else storage[:0]
    view = np.lib.stride_tricks.as_strided(start, size, steps, writeable=False)
    return view.astype(storage.dtype.newbyteorder("="))


def _parameter(tensor: object, *_: object) -> object:
    return tensor


def _empty_dict(*given: object) -> dict[object, object]:
    if given:
        raise DataError("an OrderedDict of something; nothing was run")
    return {}


def _uncallable(*_: object) -> object:
    raise DataError("calls a type of storage; nothing was run")


NAMES: dict[str, pickles.Builder] = {
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "collections.OrderedDict": _empty_dict,
    **dict.fromkeys(TYPES, _uncallable),
}
