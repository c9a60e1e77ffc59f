"""Zip archives that cannot harm: no bombs, no links, no names that climb out of a folder."""

from __future__ import annotations

import struct
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from stat import S_ISLNK

from trilemma.errors import DataError
from trilemma.importers.limits import check_growth

__all__ = ["COMPRESSIONS", "MAGIC", "member", "opened"]

MAGIC = b"PK"
# what np.savez writes; zipfile unpacks bzip2 and LZMA without bound, 330 MB from one 16 KiB read
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LONGEST_DIRECTORY = 2**20  # bytes; zipfile makes an object of every 46
TAIL = 2**16 + 200  # bytes where the end of the directory is told: the longest comment, and it


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive whose members are all harmless.

    Raises
    ------
    DataError
        If it is broken or hostile, also while it is being read.
    """
    try:
        # numpy's remarks on odd headers would be further lines on the user's screen
        with warnings.catch_warnings(action="ignore"):
            _check_directory(path)
            with zipfile.ZipFile(path) as archive:
                _check_members(archive, path.stat().st_size)
                yield archive
    except (DataError, GeneratorExit):
        raise
    # a hostile archive makes zipfile, zlib, struct, tokenize and numpy raise nearly anything
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
        raise DataError(f"a broken archive ({reason}); save it again") from error


def member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return all bytes of a member that is known to be small.

    Raises
    ------
    DataError
        If it is missing, compressed unusually, or would unfold too far.
    """
    try:
        info = archive.getinfo(name)
    except KeyError as error:
        raise DataError(f"no member {name[:80]!r}; save it again") from error
    if info.compress_type not in COMPRESSIONS:
        raise DataError(f"{name}: unusual compression; save it with what its format is of")
    check_growth(name, info.file_size, info.compress_size)
    return archive.read(info)


def _check_directory(path: Path) -> None:
    """Refuse a directory of a million members before zipfile reads it."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - TAIL))
        tail = file.read()
    sizes = [
        *_sizes(tail, b"PK\5\6", "<12xI"),
        *_sizes(tail, b"PK\6\6", "<40xQ"),
    ]
    # what is too long for the short field stands in the long one
    if max((size for size in sizes if size != 0xFFFFFFFF), default=0) > LONGEST_DIRECTORY:
        raise DataError(
            f"its directory is longer than {LONGEST_DIRECTORY:,} bytes; a network needs few members"
        )


def _sizes(tail: bytes, signature: bytes, layout: str) -> list[int]:
    place = tail.rfind(signature)
    if place < 0 or len(tail) < place + struct.calcsize(layout):
        return []
    return list(struct.unpack_from(layout, tail, place))


def _check_members(archive: zipfile.ZipFile, stored: int) -> None:
    for info in archive.infolist():
        # nothing is ever unpacked to disk, but an archive with such names was made to do harm
        if info.filename.startswith("/") or ".." in PurePosixPath(info.filename).parts:
            raise DataError(f"member {info.filename[:80]!r} climbs out of its folder; not read")
        if S_ISLNK(info.external_attr >> 16):
            raise DataError(f"member {info.filename[:80]!r} is a symbolic link; not read")
    names = archive.namelist()
    if len(set(names)) < len(names):
        raise DataError("two members of one name; save it again")
    if sum(info.compress_size for info in archive.infolist()) > stored:
        raise DataError("members that overlap, as those of a bomb do; save it again")
