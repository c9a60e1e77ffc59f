"""A chain on loopback: real metadata, storage keys and SCALE over a real websocket, in small.

It answers the JSON-RPC that the bittensor SDK 11 asks for a subnet. What a node would take from its
runtime is written by hand here from Substrate's formats, not with the SDK's own codec: metadata
V15 of one pallet and one runtime interface, hashed storage keys, SCALE values. It leaves out what
is not asked: blocks' contents, other pallets, and of the metagraph's 70 fields all but those read.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

NETUID, HEAD, RAO = 31, 3_600_000, 10**9
KEYS = [bytes([uid + 1]) * 32 for uid in range(3)]
OWNERS = [b"\xa0" * 32, b"\xb0" * 32, b"\xa0" * 32]
STAKES = [30 * RAO, 20 * RAO, 1]
PERMITS, UPDATES, SINCE = [True, True, False], [9, 8, 7], [1, 2, 3]
# a row and an entry of accounts that are gone, as chains keep them
WEIGHTS = {0: [(1, 16384), (2, 65535)], 1: [(2, 65535), (9, 5)], 7: [(0, 1)]}
BONDS = {0: [(1, 100)]}

# --- SCALE ---------------------------------------------------------------------------------------


def u(number: int, size: int) -> bytes:
    return number.to_bytes(size, "little")


def compact(number: int) -> bytes:
    for mode, size in enumerate((1, 2, 4)):
        if number < 1 << (8 * size - 2):
            return u(number << 2 | mode, size)
    digits = (number.bit_length() + 7) // 8
    return u((digits - 4) << 2 | 3, 1) + u(number, digits)


def vec(items: Iterable[bytes]) -> bytes:
    made = list(items)
    return compact(len(made)) + b"".join(made)


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return compact(len(raw)) + raw


def some(value: bytes | None) -> bytes:
    return b"\0" if value is None else b"\1" + value


NONE = vec([])  # also: no docs, no fields, no parameters

# --- metadata V15 --------------------------------------------------------------------------------


def field(name: str | None, kind: int) -> bytes:
    return some(text(name) if name else None) + compact(kind) + some(None) + NONE


def composite(*fields: bytes) -> bytes:
    return b"\0" + vec(fields)


def option(kind: int) -> bytes:
    cases = (("None", NONE), ("Some", vec([field(None, kind)])))
    named = (text(name) + held + u(i, 1) + NONE for i, (name, held) in enumerate(cases))
    return b"\1" + vec(named)


def sequence(kind: int) -> bytes:
    return b"\2" + compact(kind)


def tuple_of(*kinds: int) -> bytes:
    return b"\4" + vec(map(compact, kinds))


BOOL, U8, U16, U64 = range(4)
KEY, NET, BYTES, EMPTY, ROW, COMPACT_U64, U64S, KEY_LIST, BOOLS, GRAPH, ANSWER, PAIR = range(4, 16)
BYTES32, COMPACT_NET, COMPACT_U64S = range(16, 19)
GRAPH_FIELDS = {
    "netuid": COMPACT_NET,
    "block": COMPACT_U64,
    "hotkeys": KEY_LIST,
    "coldkeys": KEY_LIST,
    "validator_permit": BOOLS,
    "last_update": COMPACT_U64S,
    "block_at_registration": COMPACT_U64S,
    "total_stake": COMPACT_U64S,
}
TYPES = {
    BOOL: ("", b"\5\0"),
    U8: ("", b"\5\3"),
    U16: ("", b"\5\4"),
    U64: ("", b"\5\6"),
    KEY: ("sp_core.crypto.AccountId32", composite(field(None, BYTES32))),
    NET: ("subtensor_runtime_common.NetUid", composite(field(None, U16))),
    BYTES: ("", sequence(U8)),
    EMPTY: ("", tuple_of()),
    ROW: ("", sequence(PAIR)),
    COMPACT_U64: ("", b"\6" + compact(U64)),
    U64S: ("", sequence(U64)),
    KEY_LIST: ("", sequence(KEY)),
    BOOLS: ("", sequence(BOOL)),
    GRAPH: (
        "pallet_subtensor.rpc_info.metagraph.Metagraph",
        composite(*(field(name, kind) for name, kind in GRAPH_FIELDS.items())),
    ),
    ANSWER: ("Option", option(GRAPH)),
    PAIR: ("", tuple_of(U16, U16)),
    BYTES32: ("", b"\3" + u(32, 4) + compact(U8)),
    COMPACT_NET: ("", b"\6" + compact(NET)),
    COMPACT_U64S: ("", sequence(COMPACT_U64)),
}
# what is stored: types of the keys' parts, all hashed as they are; type of the value; its default
_Item = tuple[tuple[int, ...], int, bytes]
ITEMS: dict[str, _Item] = {
    "TokenSymbol": ((NET,), BYTES, NONE),
    "Weights": ((NET, U16), ROW, NONE),
    "Bonds": ((NET, U16), ROW, NONE),
}
OLD_ITEMS: dict[str, _Item] = {
    **{name: ((U16, *parts[1:]), value, it) for name, (parts, value, it) in ITEMS.items()},
    "Keys": ((U16, U16), KEY, bytes(32)),
    "BlockAtRegistration": ((U16, U16), U64, bytes(8)),
    "Owner": ((KEY,), KEY, bytes(32)),
    "TotalHotkeyStake": ((KEY,), U64, bytes(8)),
    "ValidatorPermit": ((U16,), BOOLS, NONE),
    "LastUpdate": ((U16,), U64S, NONE),
}
PAIRS = len(TYPES)  # first of the types that are the parts of a double map's key


def metadata(old: bool) -> bytes:
    """Return what a runtime tells of itself; the old keeps stake by hotkey, and no metagraph."""
    items = OLD_ITEMS if old else ITEMS
    doubles = sorted({parts for parts, _, _ in items.values() if len(parts) > 1})
    types = {**TYPES, **{PAIRS + i: ("", tuple_of(*parts)) for i, parts in enumerate(doubles)}}
    entries = []
    for name, (parts, value, default) in items.items():
        key = parts[0] if len(parts) == 1 else PAIRS + doubles.index(parts)
        kind = b"\1" + vec([b"\6"] * len(parts)) + compact(key) + compact(value)
        entries.append(text(name) + b"\1" + kind + text(default) + NONE)
    storage = some(text("SubtensorModule") + vec(entries))
    pallet = text("SubtensorModule") + storage + b"\0\0" + NONE + b"\0" + u(7, 1) + NONE
    method = text("get_metagraph") + vec([text("netuid") + compact(NET)]) + compact(ANSWER) + NONE
    apis = [] if old else [text("SubnetInfoRuntimeApi") + vec([method]) + NONE]
    extrinsic = u(4, 1) + compact(EMPTY) * 4 + NONE
    body = vec([pallet]) + extrinsic + compact(EMPTY) + vec(apis) + compact(EMPTY) * 3 + NONE
    described = (
        compact(it) + vec(map(text, filter(None, path.split(".")))) + NONE + made + NONE
        for it, (path, made) in types.items()
    )
    return b"meta\x0f" + vec(described) + body


# --- storage -------------------------------------------------------------------------------------

MASK, PRIMES = 2**64 - 1, (11400714785074694791, 14029467366897019727, 1609587929392839161)
MORE_PRIMES = (9650029242287828579, 2870177450012600261)


def xxhash(raw: bytes, seed: int) -> int:
    """Return the XXH64 of fewer than 32 bytes."""

    def rolled(value: int, by: int) -> int:
        return ((value << by) | (value >> (64 - by))) & MASK

    one, two, three = PRIMES
    four, five = MORE_PRIMES
    assert len(raw) < 32
    h, at = (seed + five + len(raw)) & MASK, 0
    for at in range(0, len(raw) - 7, 8):
        lane = rolled(int.from_bytes(raw[at : at + 8], "little") * two & MASK, 31) * one & MASK
        h = (rolled(h ^ lane, 27) * one + four) & MASK
    at = len(raw) // 8 * 8
    if len(raw) - at >= 4:
        h ^= int.from_bytes(raw[at : at + 4], "little") * one & MASK
        h, at = (rolled(h, 23) * two + three) & MASK, at + 4
    for byte in raw[at:]:
        h = rolled(h ^ (byte * five & MASK), 11) * one & MASK
    for shift, prime in ((33, two), (29, three)):
        h = (h ^ (h >> shift)) * prime & MASK
    return h ^ (h >> 32)


def twox(name: str) -> bytes:
    return b"".join(u(xxhash(name.encode(), seed), 8) for seed in (0, 1))


def stored(old: bool, gone: int) -> dict[str, str]:
    """Return every key and its value, in hex as the RPC writes them; who is gone has a row."""
    net = u(NETUID, 2)
    values: list[tuple[str, bytes, bytes]] = [("TokenSymbol", net, text("τ"))]
    # in the order of the keys, these are between accounts 0 and 1
    weights = WEIGHTS | {256 * (i + 1): [(0, 1)] for i in range(gone)}
    for name, matrix in (("Weights", weights), ("Bonds", BONDS)):
        for uid, row in matrix.items():
            pairs = vec(u(target, 2) + u(value, 2) for target, value in row)
            values.append((name, net + u(uid, 2), pairs))
    if old:
        for uid, key in enumerate(KEYS):
            values.append(("Keys", net + u(uid, 2), key))
            values.append(("BlockAtRegistration", net + u(uid, 2), u(SINCE[uid], 8)))
            values.append(("Owner", key, OWNERS[uid]))
            values.append(("TotalHotkeyStake", key, u(STAKES[uid], 8)))
        values.append(("ValidatorPermit", net, vec(u(it, 1) for it in PERMITS)))
        values.append(("LastUpdate", net, vec(u(it, 8) for it in UPDATES)))
    pallet = twox("SubtensorModule")
    return {hexed(pallet + twox(name) + key): hexed(value) for name, key, value in values}


def graph(block: int) -> bytes:
    """Return what the runtime answers about the subnet, its fields in the order of the type."""
    owners, keys = vec(OWNERS), vec(KEYS)
    numbers = (vec(map(compact, it)) for it in (UPDATES, SINCE, STAKES))
    permits = vec(u(it, 1) for it in PERMITS)
    parts = (compact(NETUID), compact(block), keys, owners, permits, *numbers)
    return some(b"".join(parts))


# --- the node ------------------------------------------------------------------------------------


def hexed(raw: bytes) -> str:
    return "0x" + raw.hex()


class Refused(Exception):  # noqa: N818  # an answer of the RPC, not a failure of the fake
    """What a node answers instead of a result."""


class Node:
    """One chain, `HEAD` blocks long; what it was asked stands in `asked`."""

    def __init__(self, *, old: bool = False, gone: int = 0, **answers: Any) -> None:
        self.answers = answers  # by method, what comes instead of the truth
        self.metadata, self.stored, self.old = metadata(old), stored(old, gone), old
        self.asked: list[tuple[str, list[Any]]] = []

    def answer(self, method: str, params: list[Any]) -> Any:
        self.asked.append((method, params))
        if method in self.answers:
            instead = self.answers[method]
            return instead(params) if callable(instead) else instead
        answers: Callable[..., Any] = getattr(self, method)
        return answers(*params)

    # as the RPC calls them; a block's hash is its number

    def chain_getFinalizedHead(self) -> str:  # noqa: N802
        return hexed(HEAD.to_bytes(32, "big"))

    chain_getHead = chain_getFinalizedHead  # noqa: N815

    def chain_getBlockHash(self, number: int) -> str | None:  # noqa: N802
        return hexed(number.to_bytes(32, "big")) if number <= HEAD else None

    def chain_getHeader(self, block: str | None) -> dict[str, str]:  # noqa: N802
        number = HEAD if block is None else int(block, 16)
        parent = max(number - 1, 0).to_bytes(32, "big")
        return {"number": hex(number), "parentHash": hexed(parent)}

    def state_getRuntimeVersion(self, _: str | None) -> dict[str, Any]:  # noqa: N802
        return {
            "specVersion": 190 + self.old,
            "transactionVersion": 1,
            "specName": "node-subtensor",
        }

    def state_getKeysPaged(self, start: str, count: int, after: str, _: str) -> list[str]:  # noqa: N802
        return sorted(key for key in self.stored if key.startswith(start) and key > after)[:count]

    def state_queryStorageAt(self, keys: list[str], block: str) -> list[dict[str, Any]]:  # noqa: N802
        return [{"block": block, "changes": [[key, self.stored.get(key)] for key in keys]}]

    def state_getStorageAt(self, key: str, _: str) -> str | None:  # noqa: N802
        return self.stored.get(key)

    def state_call(self, method: str, params: str, block: str | None) -> str:
        if method == "Metadata_metadata_at_version":
            return hexed(some(text(self.metadata)))
        if method != "SubnetInfoRuntimeApi_get_metagraph" or self.old:
            raise Refused(f"Exported method {method} is not found")
        known = int.from_bytes(bytes.fromhex(params), "little") == NETUID
        return hexed(graph(int(block or "0x0", 16)) if known else some(None))


@contextmanager
def served(node: Node) -> Iterator[str]:
    """Yield the address on loopback where this node answers."""
    serve = pytest.importorskip("websockets.sync.server").serve

    def answered(frame: dict[str, Any]) -> dict[str, Any]:
        try:
            outcome = {"result": node.answer(frame["method"], frame["params"])}
        except Refused as error:
            outcome = {"error": {"code": 4003, "message": str(error)}}
        return {"jsonrpc": "2.0", "id": frame["id"], **outcome}

    def handle(connection: Any) -> None:
        for message in connection:
            connection.send(json.dumps(answered(json.loads(message))))

    with serve(handle, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()
