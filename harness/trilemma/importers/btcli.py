"""What `btcli` prints as JSON: weights, bonds and metagraphs of one subnet, one file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trilemma.errors import DataError
from trilemma.importers import accounts, documents
from trilemma.importers.limits import check_growth, check_numbers
from trilemma.importers.network import Network
from trilemma.model import AnyArray

__all__ = ["read", "recognises"]

RAO = 1e9  # of a token
ONE = 1e-6  # how far the fractions of a row may be from a sum of 1
MOST_UIDS = 2**14
QUERY = "btcli --json query {} --netuid N"  # of the SDK from version 11
EXPECTED = f"what `{QUERY.format('weights')}` prints, or bonds, or metagraph"


class _Part(NamedTuple):
    kind: str
    path: Path
    held: dict[str, Any]


def recognises(head: bytes) -> bool:
    """Tell whether a file with these first bytes is a JSON object."""
    return documents.is_object(head)


def read(paths: Sequence[Path]) -> Network:
    """Read one epoch of a subnet from the files of weights and metagraph, and perhaps of bonds.

    Stake is in tokens. Weights are fractions, as printed; float64. The metagraph is that of
    `btcli --json query metagraph`, or of `btcli subnets metagraph --json-output` before version
    11, which tells no block.

    Raises
    ------
    DataError
        File name first: if a file is missing, comes twice or is not of these.
    """
    parts = _sorted([_part(path) for path in paths])
    for kind, verb, it in (("weights", "are", "them"), ("metagraph", "is", "it")):
        if kind not in parts:
            raise DataError(
                f"{paths[0].name}: {' and '.join(parts)} only; the {kind} of the same subnet and "
                f"block {verb} missing: `{QUERY.format(kind)}` prints {it}; give both files"
            )
    fields = _blamed(parts["metagraph"], _fields)
    n = fields["stake"].shape[1]
    weights = _blamed(parts["weights"], _matrix, n)
    bonds = _blamed(parts["bonds"], _matrix, n) if "bonds" in parts else None
    name = parts["weights"].path.name
    try:
        return Network(name, weights=weights, bonds=bonds, **fields)
    except DataError as error:
        raise DataError(f"{name} and {parts['metagraph'].path.name}: {error}") from error


def _part(path: Path) -> _Part:
    try:
        held = documents.load(path)
        return _Part(_kind(held), path, held)
    except DataError as error:
        raise DataError(f"{path.name}: {error}") from error


def _kind(held: Mapping[str, Any]) -> str:
    if "hotkeys" in held or isinstance(held.get("uids"), list):
        return "metagraph"
    if not held or not all(key.isdecimal() and isinstance(row, dict) for key, row in held.items()):
        raise DataError(f"JSON of {sorted(held)[:6]}; expected {EXPECTED}"[:300])
    rows = [row.values() for row in held.values() if row]
    numbers = all(type(number) in (int, float) for row in rows for number in row)
    if not numbers:
        raise DataError(f"a row with something else than numbers; expected {EXPECTED}")
    # bonds are printed alike, but only rows of weights are fractions of 1
    return "weights" if all(abs(sum(row) - 1) < ONE for row in rows) else "bonds"


def _sorted(parts: Sequence[_Part]) -> dict[str, _Part]:
    found: dict[str, _Part] = {}
    for part in parts:
        # the bonds of subnets in which everybody bonds with one miner look like weights, too
        kind = "bonds" if part.kind in found and part.kind == "weights" else part.kind
        if kind in found:
            raise DataError(
                f"{part.path.name}: a second file of {kind}, after {found[kind].path.name}; give "
                "weights first, then bonds, each once"
            )
        found[kind] = part
    return found


def _blamed(part: _Part, read: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return read(part, *arguments)
    except DataError as error:
        raise DataError(f"{part.path.name}: {error}") from error


def _matrix(part: _Part, n: int) -> AnyArray:
    """Return what validators say of miners, shape (1, n, n); what no row says is 0."""
    check_growth(part.kind, 8 * n * n, part.path.stat().st_size)
    matrix = np.zeros((1, n, n))
    for key, row in part.held.items():
        for target, value in row.items():
            matrix[0, _uid(key, n), _uid(target, n)] = value
    return matrix


def _uid(text: str, n: int) -> int:
    uid = int(text) if text.isdecimal() and len(text) < 9 else n
    if uid >= n:
        raise DataError(
            f"uid {text[:20]!r}, and the metagraph has {n:,} accounts; print both at one block"
        )
    return uid


def _fields(part: _Part) -> dict[str, Any]:
    return (_of_graph if "hotkeys" in part.held else _of_table)(part.held)


def _of_graph(graph: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the record of version 11 tells: a list by uid under each name."""
    hotkeys = _list(graph, "hotkeys")
    n = len(hotkeys)
    _check_count(n)
    fields: dict[str, Any] = {"stake": _numbers(graph, "total_stake", n, int) / RAO}
    for field, key, kind in (
        ("permits", "validator_permit", bool),
        ("last_update", "last_update", int),
        ("registered", "block_at_registration", int),
    ):
        if graph.get(key):
            fields[field] = _numbers(graph, key, n, kind)
    if type(graph.get("block")) is int:
        fields["blocks"] = np.array([graph["block"]], np.int64)
    netuid = graph.get("netuid")
    return {
        **fields,
        "netuid": netuid if type(netuid) is int else None,
        **accounts.of_chain(hotkeys, graph.get("coldkeys") or [], n),
    }


def _of_table(held: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the table before version 11 tells: an object for each uid, in any order."""
    rows = {row.get("uid"): row for row in held["uids"] if isinstance(row, dict)}
    n = len(held["uids"])
    _check_count(n)
    if sorted(map(str, rows)) != sorted(map(str, range(n))):
        raise DataError(f"uids: expected each of 0..{n - 1} once")
    ordered = [rows.get(uid, {}) for uid in range(n)]
    netuid = held.get("netuid")
    stakes = {"stake": [row.get("stake") for row in ordered]}
    return {
        "stake": _numbers(stakes, "stake", n, float, int),
        "netuid": netuid if type(netuid) is int else None,
        **accounts.of_chain(
            [row.get("hotkey") for row in ordered], [row.get("coldkey") for row in ordered], n
        ),
    }


def _check_count(n: int) -> None:
    if not 0 < n <= MOST_UIDS:
        raise DataError(f"{n:,} accounts; expected 1 to {MOST_UIDS:,}")
    check_numbers(f"{n:,} accounts", n * n)


def _list(held: Mapping[str, Any], key: str) -> list[Any]:
    value = held.get(key)
    if type(value) is not list:
        raise DataError(f"{key}: expected a list, one for each uid")
    return value


def _numbers(held: Mapping[str, Any], key: str, n: int, *kinds: type) -> AnyArray:
    """Return what is told of all uids, shape (1, n), as an array of the first of these types."""
    values = _list(held, key)
    if len(values) != n or any(type(value) not in kinds for value in values):
        raise DataError(f"{key}: expected {n:,} of type {kinds[0].__name__}, one for each uid")
    return np.array([values], kinds[0])
