"""Backtests in MessagePack: stakes, and by block what each subnet's validators said."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgpack
import numpy as np

from trilemma.errors import DataError
from trilemma.importers.limits import check_growth, check_numbers
from trilemma.importers.network import Network
from trilemma.model import AnyArray, IntArray

__all__ = ["WHAT", "read", "recognises"]

WHAT = "a backtest"

MAPS = frozenset((*range(0x81, 0x90), 0xDE, 0xDF))  # first bytes of a map that holds something
TEXTS = frozenset((*range(0xA1, 0xC0), 0xD9))  # first bytes of a text that is a key
LONGEST = 2**16  # members of a map or a row
LONGEST_TEXT = 2**12  # bytes
LONGEST_KEY = 64  # letters
MOST_UIDS = 2**14
TOKEN = 1e9  # what a chain counts a token in
EXACT = 2**53  # below it, whole numbers are exact as float64
TABLES = {"last_update": int, "registration_blocks": int, "validator_permits": bool}


def recognises(head: bytes) -> bool:
    """Tell whether a file with these first bytes is a map of MessagePack, by texts."""
    if len(head) < 6 or head[0] not in MAPS:
        return False
    return head[{0xDE: 3, 0xDF: 5}.get(head[0], 1)] in TEXTS


def read(path: Path) -> Network:
    """Read a backtest of one subnet.

    It maps `stake` by uid, `weights` by block, netuid and uid to rows of [uid, value], and
    `last_update`, `registration_blocks` and `validator_permits` by block and uid. The epochs are
    the blocks of the weights; of the others those are taken if none is missing. Whole stakes are
    counted in 1e-9 of a token and become tokens; weights keep the smallest type they fit in.

    Raises
    ------
    DataError
        If it is broken or hostile, or of several subnets.
    """
    try:
        with path.open("rb") as file:
            held = _Backtest(file)
    except DataError:
        raise
    # what the library raises has no common root
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
        raise DataError(f"broken MessagePack ({reason}); save it again") from error
    return _network(path, held)


class _Block:
    """Numbers of one block, in as little memory as they take."""

    def __init__(self) -> None:
        self.uids = array("H")
        self.targets = array("H")
        self.values = array("d")

    def add(self, uid: int, value: Any, target: int = 0) -> None:
        if not (uid < MOST_UIDS > target >= 0) or not -EXACT < value < EXACT:
            raise DataError(
                f"uid {uid}, {target}, value {value!r}; expected uids below {MOST_UIDS:,} and "
                "numbers below 2**53"
            )
        self.uids.append(uid)
        self.targets.append(target)
        self.values.append(value)


class _Backtest:
    """What the file says, read entry by entry: all of it at once takes 20 times its size."""

    def __init__(self, file: BinaryIO) -> None:
        self.stream = msgpack.Unpacker(
            file,
            strict_map_key=False,
            use_list=False,
            max_buffer_size=2**20,
            max_str_len=LONGEST_TEXT,
            max_bin_len=0,
            max_array_len=LONGEST,
            max_map_len=LONGEST,
            max_ext_len=0,
        )
        self.stake: dict[int, Any] = {}
        self.weights: dict[int, _Block] = {}
        self.tables: dict[str, dict[int, _Block]] = {name: {} for name in TABLES}
        self.netuids: set[int] = set()
        self.whole = True
        for key in self.keys():
            self.entry(key)
        self.check_end()

    def keys(self) -> Iterator[Any]:
        """Yield the keys of the map that comes next; its values are read in between."""
        seen = set()
        for _ in range(self.stream.read_map_header()):
            key = self.stream.unpack()
            if type(key) not in (str, int) or key in seen or len(str(key)) > LONGEST_KEY:
                raise DataError(f"key {str(key)[:80]!r} a second time, or no short text or number")
            seen.add(key)
            yield key

    def numbers(self) -> Iterator[int]:
        """Yield the keys of the map that comes next, which are whole numbers."""
        for key in self.keys():
            if type(key) is str and key.isascii() and key.isdecimal() and len(key) < 16:
                key = int(key)
            if type(key) is not int or key < 0:
                raise DataError(f"key {str(key)[:80]!r}; expected a whole number")
            yield key

    def entry(self, key: object) -> None:
        if key == "stake":
            self.stake = {uid: self.stream.unpack() for uid in self.numbers()}
        elif key == "weights":
            self.read_weights()
        elif key in TABLES:
            self.read_table(str(key))
        else:
            self.stream.skip()

    def read_weights(self) -> None:
        for block in self.numbers():
            cells = self.weights[block] = _Block()
            for netuid in self.numbers():
                self.netuids.add(netuid)
                for uid in self.numbers():
                    self.read_row(cells, uid)

    def read_row(self, cells: _Block, uid: int) -> None:
        row = self.stream.unpack()
        pairs = dict(row)  # which also sees that all are pairs
        if len(pairs) < len(row):
            raise DataError(f"uid {uid}: a row that names a uid twice; keep one")
        for target, value in pairs.items():
            if type(target) is not int or type(value) not in (int, float):
                raise DataError(f"uid {uid}: expected a row of [uid, value]")
            self.whole &= type(value) is int
            cells.add(uid, value, target)

    def read_table(self, name: str) -> None:
        for block in self.numbers():
            column = self.tables[name][block] = _Block()
            for uid in self.numbers():
                value = self.stream.unpack()
                if type(value) is not TABLES[name]:
                    raise DataError(f"{name}: expected values of type {TABLES[name].__name__}")
                column.add(uid, value)

    def check_end(self) -> None:
        try:
            self.stream.skip()
        except msgpack.OutOfData:
            return
        raise DataError("goes on after its end; save it again")


def _network(path: Path, held: _Backtest) -> Network:
    if len(held.netuids) != 1:
        raise DataError(
            f"weights of subnets {sorted(held.netuids)[:9]}; expected one, so keep one of them"
        )
    if not held.stake:
        raise DataError("no stake; expected stake and weights")
    n = max(held.stake) + 1
    if n > MOST_UIDS:
        raise DataError(f"uid {n - 1:,}; expected less than {MOST_UIDS:,}")
    blocks = sorted(held.weights)
    names = tuple(map(str, range(n)))
    permits = _table(held, "validator_permits", blocks, n)
    return Network(
        path.name,
        np.broadcast_to(_stake(held.stake, n), (len(blocks), n)),
        _weights(held, blocks, n, path.stat().st_size),
        netuid=next(iter(held.netuids)),
        blocks=np.array(blocks, np.int64),
        permits=None if permits is None else permits.astype(np.bool_),
        last_update=_table(held, "last_update", blocks, n),
        registered=_table(held, "registration_blocks", blocks, n),
        validator_names=names,
        miner_names=names,
    )


def _stake(held: dict[int, Any], n: int) -> AnyArray:
    if any(type(value) not in (int, float) or abs(value) >= 2**63 for value in held.values()):
        raise DataError("stake: expected numbers, none of them 2**63 or more")
    stake = np.array([float(held.get(uid, 0)) for uid in range(n)])
    return stake / TOKEN if all(type(value) is int for value in held.values()) else stake


def _weights(held: _Backtest, blocks: list[int], n: int, stored: int) -> AnyArray:
    most = max((max(held.weights[block].values, default=0) for block in blocks), default=0)
    least = min((min(held.weights[block].values, default=0) for block in blocks), default=0)
    dtype = np.min_scalar_type(int(most)) if held.whole and least >= 0 else np.dtype(np.float64)
    check_numbers(f"weights of {len(blocks):,} epochs by {n:,} uids", len(blocks) * n * n)
    check_growth("weights", len(blocks) * n * n * dtype.itemsize, stored)
    weights = np.zeros((len(blocks), n, n), dtype)
    for epoch, block in enumerate(blocks):
        cells = held.weights[block]
        if max(*cells.uids, *cells.targets, 0) >= n:
            raise DataError(f"block {block}: weights by or of a uid without a stake")
        weights[epoch, np.array(cells.uids), np.array(cells.targets)] = cells.values
    return weights


def _table(held: _Backtest, name: str, blocks: list[int], n: int) -> IntArray | None:
    """Return what is told of each uid at each block, or None if anything is missing."""
    table, everybody = held.tables[name], list(range(n))
    if any(block not in table or sorted(table[block].uids) != everybody for block in blocks):
        return None
    rows = np.zeros((len(blocks), n), np.int64)
    for row, block in zip(rows, blocks, strict=True):
        row[np.array(table[block].uids)] = np.array(table[block].values, np.int64)
    return rows
