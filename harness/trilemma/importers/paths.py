"""What a reader may open: a regular file, named itself, not larger than is read in one piece."""

from __future__ import annotations

from pathlib import Path
from stat import S_ISLNK, S_ISREG

from trilemma.errors import DataError
from trilemma.importers.limits import LARGEST_FILE

__all__ = ["check", "check_size", "content", "head", "printable"]

HEAD = 4096  # bytes that tell the format


def check(path: Path, expected: str) -> None:
    """Refuse what is no regular file: pipes wait for ever, and links lead anywhere.

    Raises
    ------
    DataError
        Which ends in what was expected.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; expected {expected}") from error
    if S_ISLNK(mode):
        raise DataError(f"{path}: a symbolic link, which is not followed; name the file itself")
    if not S_ISREG(mode):
        raise DataError(f"{path}: not a regular file; expected {expected}")


def head(path: Path) -> bytes:
    """Return the first bytes of a file."""
    with path.open("rb") as file:
        return file.read(HEAD)


def content(path: Path) -> bytes:
    """Return all bytes of a file, of which there are not more than `LARGEST_FILE`."""
    with path.open("rb") as file:
        return file.read(LARGEST_FILE)


def check_size(path: Path) -> None:
    """Refuse a file that is too large for what is made of it in memory.

    Raises
    ------
    DataError
        If it has more than `LARGEST_FILE` bytes.
    """
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise DataError(
            f"{path.name}: {size:,} bytes; of this format at most {LARGEST_FILE:,} are read, so "
            "save fewer epochs, or an .npz"
        )


def printable(text: str) -> str:
    """Return a text without what would break a line or steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
