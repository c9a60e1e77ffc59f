"""Real networks' files, read and checked: the file's content decides which reader gets it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trilemma.errors import DataError, UsageError
from trilemma.importers import edges, npz
from trilemma.importers.network import Network

__all__ = ["Network", "read"]

FORMATS = (
    "an .npz with the arrays stake and weights, "
    "or two CSV files with the columns from,to,value and id,stake"
)
HEAD = 4096  # bytes that tell the format


def read(paths: Sequence[Path | str]) -> Network:
    """Read one network from its file or files.

    Parameters
    ----------
    paths : sequence of path
        One `.npz`, or the CSV files of edges and of stakes in any order. Suffixes do not matter.

    Returns
    -------
    Network

    Raises
    ------
    DataError
        If a file is missing, broken, too large or not what it says; one line, file name first.
    UsageError
        If no path is given.
    """
    if not paths:
        raise UsageError(f"network: no file given; expected {FORMATS}")
    try:
        return _read([Path(path) for path in paths])
    except DataError as error:
        raise DataError(_one_line(str(error))) from error
    except OSError as error:
        raise DataError(_one_line(f"{error.filename or paths[0]}: {error.strerror}")) from error


def _read(paths: list[Path]) -> Network:
    archives = [path for path in paths if _is_archive(path)]
    if not archives:
        links, stakes = edges.pair(paths)
        return edges.read(links, stakes)
    if len(paths) > 1:
        raise DataError(
            f"{archives[0].name}: an .npz is a whole network; give it alone, not as one of "
            f"{len(paths)} files"
        )
    return npz.read(paths[0])


def _is_archive(path: Path) -> bool:
    """Tell a zip archive from a CSV file by its first bytes; refuse everything else."""
    if not path.is_file():
        found = "not a regular file" if path.exists() else "no such file"
        raise DataError(f"{path}: {found}; expected {FORMATS}")
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head.startswith(npz.MAGIC) and not edges.recognises(head):
        found = "an unknown format" if head else "an empty file"
        raise DataError(f"{path.name}: {found}; expected {FORMATS}")
    return head.startswith(npz.MAGIC)


def _one_line(message: str) -> str:
    """Return the message without what would break the line or steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in message)
