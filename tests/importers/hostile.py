# ruff: noqa: E501
"""Files that want to harm, by name: each is made in a folder, where `canary` must not appear."""

from __future__ import annotations

import json
import os
import pickle
import socket
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import msgpack
import numpy as np

from tests.importers import made

Maker: TypeAlias = Callable[[Path], list[Path]]

CANARY = "canary"  # in the current folder
TOUCH = f"touch {CANARY}"
CODE = f"open({CANARY!r}, 'w')"


class Reduced:
    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self.call = call
        self.arguments = arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call, self.arguments


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


SHELL = name("os", "system")
SHAPES = b"\x8a\x05" + (10**9).to_bytes(5, "little") + b"\x85"
RECONSTRUCT = name("numpy._core.multiarray", "_reconstruct")
NDARRAY = name("numpy", "ndarray")
DTYPE = name("numpy", "dtype")
HASHED = b"".join(b"\x94h" + bytes([i]) + b"\x86" for i in range(60))  # pairs of pairs of pairs

# what unpickles to a command that runs, as a test of its own shows
ARMED = {
    "a command by REDUCE": pickle.dumps(Reduced(os.system, TOUCH)),
    "a command among arrays": made.pickled(made.state(neurons=[Reduced(os.system, TOUCH)])),
    "a command by an old REDUCE": b"\x80\x02cos\nsystem\n(X" + struct.pack("<I", len(TOUCH)) + TOUCH.encode() + b"tR.",
    "a command by INST": b"\x80\x02(S'" + TOUCH.encode() + b"'\nios\nsystem\n.",
    "a command by OBJ": b"\x80\x02(cos\nsystem\nS'" + TOUCH.encode() + b"'\no.",
    "code by eval": pickle.dumps(Reduced(eval, CODE)),
    "code by exec": pickle.dumps(Reduced(exec, CODE)),
    "a command by a dotted name": b"\x80\x04" + name("shutil", "os.system") + text(TOUCH) + b"\x85R.",
    "a command by getattr": b"\x80\x04" + name("builtins", "getattr") + name("builtins", "__import__") + text("os") + b"\x85R" + text("system") + b"\x86R" + text(TOUCH) + b"\x85R.",
    "a command by a pickle within": pickle.dumps(Reduced(pickle.loads, pickle.dumps(Reduced(os.system, TOUCH)))),
}  # fmt: skip
PICKLES = {
    **ARMED,
    "a command by NEWOBJ": b"\x80\x04" + name("subprocess", "Popen") + b"(]" + b"(" + text("touch") + text(CANARY) + b"et\x81.",
    "a command by NEWOBJ_EX": b"\x80\x04" + name("subprocess", "Popen") + b"](" + text("touch") + text(CANARY) + b"e\x85}\x92.",
    "a command in protocol 0": b"cos\nsystem\n(S'" + TOUCH.encode() + b"'\ntR.",
    "a command by EXT1": b"\x80\x02\x82\x01(S'" + TOUCH.encode() + b"'\ntR.",
    "a command by a persistent id": b"\x80\x02X\x01\x00\x00\x00aQ.",
    "an old persistent id": b"\x80\x02Pa\n.",
    "a command by a dotted name of numpy": b"\x80\x04" + name("numpy", "core.multiarray.os.system") + text(TOUCH) + b"\x85R.",
    "a name under ours": b"\x80\x04" + name("bittensor", "os.system") + text(TOUCH) + b"\x85R.",
    "a name like ours": b"\x80\x04" + name("bittensors", "x") + b")R.",
    "a module with a blank": b"\x80\x02cbittensor. os\nsystem\n)R.",
    "a state for a function": b"\x80\x04" + SHELL + b"}" + text("__setstate__") + SHELL + b"sb.",
    "a state that is a function": b"\x80\x04" + name("bittensor.x", "Y") + b")\x81}" + text("__setstate__") + SHELL + b"sb" + text(TOUCH) + b"b.",
    "a state for a class of ours": b"\x80\x04" + name("bittensor.x", "Y") + b"}" + text("__reduce__") + b"Nsb.",
    "numpy.ndarray called": b"\x80\x04" + NDARRAY + SHAPES + b"\x85R.",
    "numpy.ndarray made": b"\x80\x04" + NDARRAY + SHAPES + b"\x85\x81.",
    "10**9 in an array": b"\x80\x04" + RECONSTRUCT + NDARRAY + SHAPES + b"C\x01b\x87R.",
    "10**9 in a state": b"\x80\x04" + RECONSTRUCT + NDARRAY + b"K\x00\x85C\x01b\x87R(K\x01" + SHAPES + DTYPE + text("f8") + b"\x85R\x89C\x00tb.",
    "an array of a list": b"\x80\x04" + RECONSTRUCT + name("bittensor.x", "Y") + b"K\x00\x85C\x01b\x87R.",
    "objects": b"\x80\x04" + DTYPE + text("O8") + b"\x89\x88\x87R.",
    "a text of 10**9": b"\x80\x04" + DTYPE + text("U1000000000") + b"\x89\x88\x87R.",
    "10**9 bytes": b"\x80\x04" + name("builtins", "bytes") + SHAPES + b"R.",
    "records": b"\x80\x04" + DTYPE + text("f8") + b"\x85R(K\x03" + text("<") + b"N" + text("a") + b"\x85NJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb.",
    "pairs of pairs that are hashed": b"\x80\x04}N" + HASHED + b"Ns.",
    "a memo of 2**32": b"\x80\x04Nr\xff\xff\xff\xff.",
    "a wide text": b"\x80\x02X" + struct.pack("<I", 2**25 + 4) + b"x" * 2**25 + "🙂".encode() + b".",
    "many wide texts": b"\x80\x04](" + 40 * (b"X" + struct.pack("<I", 2**20 + 4) + b"x" * 2**20 + "🙂".encode()) + b"e.",
    "a text of 2**60": b"\x80\x04\x8d" + struct.pack("<Q", 2**60),
    "bytes of 2**63": b"\x80\x04\x8e" + struct.pack("<Q", 2**63),
    "a bytearray of 2**60": b"\x80\x05\x96" + struct.pack("<Q", 2**60),
    "a number of 2**31 bytes": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1),
    "a number of many digits": b"\x80\x02L" + b"9" * 10**6 + b"L\n.",
    "a frame of 2**62": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.",
    "a million steps": b"\x80\x02" + b"]" * 2**22,
    "lists within lists": b"\x80\x02" + b"]" * 250_000 + b"a" * 249_999 + b".",
    "copies of copies": b"\x80\x02]" + b"2a" * 1000 + b".",
    "itself within itself": b"\x80\x02]q\x00h\x00a.",
    "an empty stack": b"\x80\x02R.",
    "below a mark": b"\x80\x02N(0.",
    "two values": b"\x80\x02NN.",
    "what goes on": b"\x80\x02N." + ARMED["code by eval"],
}  # fmt: skip


def array_state(raw: bytes, order: str) -> bytes:
    """Return instructions that remember, under 0 to 3, how an array is made of these bytes."""
    element = (
        DTYPE
        + text("f8")
        + b"\x85R(K\x03"
        + text(order)
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )
    state = (
        b"(K\x01J"
        + struct.pack("<i", len(raw) // 8)
        + b"\x85"
        + element
        + b"\x89B"
        + struct.pack("<I", len(raw))
        + raw
        + b"t"
    )
    return b"](" + RECONSTRUCT + b"q\x00" + NDARRAY + b"K\x00\x85C\x01b\x87q\x01" + state + b"q\x02"


MANY = 60_000
KEYS = b"".join(text(str(i)) + b"N" for i in range(MANY))
COLLIDING = b"".join(
    b"\x8a\x0b" + (i * (2**61 - 1)).to_bytes(11, "little") + b"N" for i in range(1, MANY)
)
LATIN = b"X" + struct.pack("<I", 2**20) + b"x" * 2**20 + b"q\x00"
STORAGE = (
    b"("
    + b"X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x01\x00\x00\x00cK\x00tQq\x00"
)
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"
TENSORS = (
    b"\x80\x02]("
    + STORAGE
    + TENSOR
    + b"q\x01(h\x00K\x00J"
    + struct.pack("<i", 2**18)
    + b"\x85K\x01\x85\x89Ntq\x02"
    + b"h\x01h\x02R" * MANY
    + b"e."
)
EPOCHS = pickle.dumps({"S": np.ones(2**10), "W": [np.eye(2**10, dtype=bool)] * 300})
AMPLIFIED = {
    "one dict as the state of many objects": b"\x80\x04}q\x00(" + KEYS + b"u" + b"](" + (name("bittensor.x", "Y") + b"q\x02)\x81h\x00b") + b"h\x02)\x81h\x00b" * MANY + b"e\x86.",
    "one array in the other order many times": b"\x80\x04" + array_state(b"\0" * 2**20, ">") + b"h\x00h\x01Rh\x02b" * MANY + b"e.",
    "one text encoded many times": b"\x80\x02](" + LATIN + b"c_codecs\nencode\nq\x01" + b"h\x00X\x06\x00\x00\x00latin1\x86q\x02" + b"h\x01h\x02R" * MANY + b"e.",
    "arguments without end": b"\x80\x04](" + DTYPE + b"q\x00(" + text("f8") + b"N" * MANY + b"tq\x01" + b"h\x00h\x01R" * MANY + b"e.",
    "a shape without end": b"\x80\x04](" + name("numpy.core.numeric", "_frombuffer") + b"q\x00(C\x00" + DTYPE + text("f8") + b"\x85R(" + b"K\x01" * MANY + b"t" + text("C") + b"tq\x01" + b"h\x00h\x01R" * MANY + b"e.",
    "numbers that collide": b"\x80\x04}(" + COLLIDING + b"u.",
    "one matrix as many epochs": EPOCHS,
}  # fmt: skip


def overlapping(folder: Path) -> list[Path]:
    """Write members whose bytes are those of one another."""
    with zipfile.ZipFile(folder / "a", "w") as archive:
        archive.writestr("a/data.pkl", b"N.")
        for i in range(1000):
            archive.writestr(f"a/data/{i}", b"\0" * 100)
        for info in archive.infolist()[1:]:
            info.file_size = info.compress_size = 100_000
    return [folder / "a"]


def written(content: bytes) -> Maker:
    def make(folder: Path) -> list[Path]:
        (folder / "a").write_bytes(content)
        return [folder / "a"]

    return make


def zipped(members: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED, **changes: Any) -> Maker:
    """Return what writes an archive whose directory is changed afterwards."""

    def make(folder: Path) -> list[Path]:
        with zipfile.ZipFile(folder / "a", "w", packing) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
            for field, value in changes.items():
                for info in archive.infolist():
                    setattr(info, field, value)
        return [folder / "a"]

    return make


def many_members(folder: Path) -> list[Path]:
    entry = b"PK\1\2" + b"\0" * 24 + b"\1\0" + b"\0" * 16 + b"x"
    size = 300_000 * len(entry)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, size, 4, 0)
    (folder / "a").write_bytes(b"PK\3\4" + entry * 300_000 + end)
    return [folder / "a"]


def csv(links: str, stakes: str) -> Maker:
    def make(folder: Path) -> list[Path]:
        (folder / "a").write_text(links)
        (folder / "b").write_text(stakes)
        return [folder / "a", folder / "b"]

    return make


def npy(shape: str, dtype: str = "<f8") -> bytes:
    head = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head


def special(make: Callable[[Path], None]) -> Maker:
    def made_in(folder: Path) -> list[Path]:
        make(folder / "a")
        return [folder / "a"]

    return made_in


def link(path: Path) -> None:
    np.savez(path.with_name("b.npz"), stake=[1], weights=[[1]])
    path.symlink_to(path.with_name("b.npz"))


def bind(path: Path) -> None:
    # the path of a socket may not be long
    here = Path.cwd()
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(path.name)
    os.chdir(here)


STAKE = {"stake.npy": npy("(1,)") + b"\0" * 8}
NETWORK = {**STAKE, "weights.npy": npy("(1, 1)") + b"\0" * 8}
TORCH = {"a/data.pkl": ARMED["a command by REDUCE"]}
DEEP = b"\x81\xa5stake" + b"\x91" * 10**5
LINKS = "from,to,value\n" + "".join(f"0,{i},1\n" for i in range(3000))
STAKES = "id,stake\n" + "".join(f"{i},1\n" for i in range(50_000))

FILES: dict[str, Maker] = {
    **{kind: written(content) for kind, content in (PICKLES | AMPLIFIED).items()},
    "torch: a command": zipped(TORCH, zipfile.ZIP_STORED),
    "torch: a bomb": zipped({"a/data.pkl": b"\0" * 10**7}),
    "torch: a storage of 10**9": zipped({"a/data.pkl": b"N."}, zipfile.ZIP_STORED, file_size=2**40),
    "torch: one storage as many tensors": zipped({"a/data.pkl": TENSORS, "a/data/0": b"\0" * 2**20}, zipfile.ZIP_STORED),
    "torch: members that overlap": overlapping,
    "torch: a name that climbs": zipped({**TORCH, "a/../../x": b""}, zipfile.ZIP_STORED),
    "npz: a bomb": zipped({**STAKE, "weights.npy": npy(f"(1, {2**27})") + b"\0" * 2**20}, file_size=2**40),
    "npz: 10**9 in a header": zipped({**STAKE, "weights.npy": npy("(1, 1_000_000_000)")}),
    "npz: 10**9 in a name": zipped({**NETWORK, "miner_names.npy": npy("(1,)", "<U1000000000")}),
    "npz: a pickle": zipped({**STAKE, "weights.npy": npy("(1, 1)", "|O") + ARMED["code by eval"]}),
    "npz: truncated": written(b"PK\3\4" + b"\0" * 40),
    "npz: a name that climbs": zipped({**NETWORK, "../../x": b""}),
    "npz: an absolute name": zipped({**NETWORK, "/etc/x": b""}),
    "npz: a link": zipped(NETWORK, external_attr=(stat.S_IFLNK | 0o777) << 16),
    "npz: a million members": many_members,
    "path: a link": special(link),
    "path: a link in a circle": special(lambda path: path.symlink_to(path)),
    "path: a pipe": special(os.mkfifo),
    "path: a folder": special(Path.mkdir),
    "path: a socket": special(bind),
    "path: a device": lambda _: [Path("/dev/zero")],
    "path: nothing": lambda folder: [folder / "a"],
    "json: depth": written(b'{"a":' * 10**5),
    "json: depth of lists": written(b'{"a":' + b"[" * 10**5),
    "json: many values": written(b'{"a":[' + b"{}," * (3 * 10**6) + b"1]}"),
    "json: a long number": written(b'{"a":' + b"9" * 10**7 + b"}"),
    "json: an infinite number": written(b'{"0":{"0":1e999}}'),
    "json: NaN": written(b'{"0":{"0":NaN}}'),
    "json: a key twice": written(b'{"0":{"0":1,"0":0}}'),
    "json: many accounts": written(json.dumps(made.graph(hotkeys=["a"] * 10**5)).encode()),
    "msgpack: a map of 2**32": written(b"\xdf\xff\xff\xff\xff\xa5stake"),
    "msgpack: stakes of 2**32": written(b"\x81\xa5stake\xdf\xff\xff\xff\xff"),
    "msgpack: a row of 2**32": written(b"\x81\xa7weights\x81\x01\x81\x01\x81\x01\xdd\xff\xff\xff\xff"),
    "msgpack: a text of 2**32": written(b"\x81\xa5stake\x81\xdb\xff\xff\xff\xff"),
    "msgpack: bytes of 2**32": written(b"\x81\xa5stake\x81\xc6\xff\xff\xff\xff"),
    "msgpack: an extension": written(msgpack.packb({"stake": {"0": msgpack.ExtType(1, b"x")}})),
    "msgpack: depth": written(DEEP),
    "msgpack: depth that is skipped": written(b"\x81\xa1a" + b"\x91" * 10**6 + b"\x90"),
    "msgpack: a uid of 2**60": written(msgpack.packb(made.backtest(stake={"0": 1, str(2**60): 1}))),
    "msgpack: many blocks": written(msgpack.packb({"weights": {i: {i: {}} for i in range(65_000)}, "stake": {16_383: 1}})),
    "csv: a line of 2**24": csv("from,to,value\n" + "," * 2**24, "id,stake\n1,1\n"),
    "csv: a field without an end": csv('from,to,value\n"' + "a\n" * 2**22, "id,stake\n1,1\n"),
    "csv: a few lines that fill the memory": csv(LINKS, STAKES),
    "csv: an id twice": csv(LINKS, "id,stake\n0,1\n0,1\n"),
    "csv: NaN": csv(LINKS, "id,stake\n0,nan\n"),
}  # fmt: skip
