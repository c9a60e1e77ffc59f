"""Real networks' files, read and checked: the file's content decides which reader gets it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from trilemma.errors import DataError, UsageError
from trilemma.importers import backtest, btcli, edges, npz, saved, votes
from trilemma.importers.joined import join
from trilemma.importers.network import Network
from trilemma.importers.paths import check, check_size, head, printable
from trilemma.importers.summary import facts, summary

__all__ = ["Network", "facts", "read", "summary"]

FORMATS = (
    "an .npz with the arrays stake and weights, "
    "or two CSV files with the columns from,to,value and id,stake (or i,j,v and i,v), "
    "a .pt of the bittensor SDK or of a simulation (S and W), "
    "JSON of btcli (weights and metagraph) or of votes (allocations), or a MessagePack backtest"
)
# the first that recognises a file reads it; what is not special about a format comes last
WHOLE = (saved, npz, votes, backtest)  # a file is a network of its own
PARTS = (btcli, edges)  # several files are one network


def read(paths: Sequence[Path | str]) -> Network:
    """Read one network from its file or files.

    Parameters
    ----------
    paths : sequence of path
        One file that holds a whole network, several such of one subnet at different blocks, or
        the files that make up one network, in any order. Suffixes do not matter.

    Returns
    -------
    Network
        With several whole files, the epochs in the order of their blocks; see `joined.join`.

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
        network = _read([Path(path) for path in paths])
        return replace(network, files=tuple(str(Path(path).absolute()) for path in paths))
    except DataError as error:
        raise DataError(printable(str(error))) from error
    except OSError as error:
        raise DataError(printable(f"{error.filename or paths[0]}: {error.strerror}")) from error


def _read(paths: list[Path]) -> Network:
    readers = [_reader(path) for path in paths]
    first = readers[0]
    if all(reader in WHOLE for reader in readers):
        return join([_whole(reader, path) for reader, path in zip(readers, paths, strict=True)])
    for reader, path in zip(readers, paths, strict=True):
        if reader in WHOLE:
            raise DataError(f"{path.name}: {reader.WHAT} is a whole network; give it alone")
        if reader is not first:
            raise DataError(f"{path.name}: of another format than {paths[0].name}; give one format")
    network: Network = first.read(paths)
    return network


def _reader(path: Path) -> ModuleType:
    """Return the module that reads files which begin as this one does."""
    check(path, FORMATS)
    start = head(path)
    if not npz.recognises(start):  # what is in an archive has limits of its own
        check_size(path)
    for reader in WHOLE + PARTS:
        if reader.recognises(start):
            return reader
    found = "an unknown format" if start else "an empty file"
    raise DataError(f"{path.name}: {found}; expected {FORMATS}")


def _whole(reader: ModuleType, path: Path) -> Network:
    try:
        network: Network = reader.read(path)
    except DataError as error:
        raise DataError(f"{path.name}: {error}") from error
    return network
