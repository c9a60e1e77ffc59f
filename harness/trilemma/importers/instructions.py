"""The instructions of a pickle, told apart and read; what each does is the machine's business."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pickletools import opcodes
from typing import Any, TypeAlias

from trilemma.errors import DataError

__all__ = ["STOP", "code", "read"]

Reader: TypeAlias = Callable[[bytes, int], tuple[Any, int]]  # argument, and the place after it

MOST = 2**19  # instructions; each makes 100 bytes at most, beside what the file itself holds
LONGEST_TEXT = 2**25  # bytes, which may be 2**27 once they are letters
STOP = 0x2E
BARE = (  # which have no argument
    *("STOP", "MARK", "MEMOIZE", "NONE", "NEWTRUE", "NEWFALSE"),
    *("EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "TUPLE"),
    *("EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS"),
    *("STACK_GLOBAL", "REDUCE", "NEWOBJ", "BUILD", "BINPERSID"),
)


def code(name: str) -> int:
    """Return the byte of an instruction."""
    return CODES[name]


def read(content: bytes) -> Iterator[tuple[int, Any, int]]:
    """Yield the byte, the argument and the place of each instruction, STOP the last.

    Raises
    ------
    DataError
        If there are too many, one is not of those that plain values take, or the file ends early.
    """
    place = 0
    for _ in range(MOST):
        if place >= len(content):
            raise DataError("a broken pickle (no end); save it again")
        instruction = content[place]
        reader = READERS.get(instruction)
        if reader is None:
            raise DataError(
                f"byte {place}: the instruction {_name(instruction)}, which no network needs; "
                "nothing was run"
            )
        argument, after = reader(content, place + 1)
        if after > len(content):
            raise DataError(f"a broken pickle (byte {place}: too few bytes); save it again")
        yield instruction, argument, place
        if instruction == STOP:
            return
        place = after
    raise DataError(f"more than {MOST:,} instructions, and no network needs so many")


def _name(instruction: int) -> str:
    names = {number: name for name, number in CODES.items()}
    return names.get(instruction, hex(instruction))


def _nothing(_: bytes, place: int) -> tuple[None, int]:
    return None, place


def _number(layout: str) -> Reader:
    form = struct.Struct(layout)

    def number(content: bytes, place: int) -> tuple[Any, int]:
        after = place + form.size
        # what is cut off is told by the place after it
        return (form.unpack_from(content, place)[0] if after <= len(content) else 0), after

    return number


def _sized(layout: str, make: Callable[[bytes], object]) -> Reader:
    size = _number(layout)

    def sized(content: bytes, place: int) -> tuple[Any, int]:
        length, start = size(content, place)
        end = start + length
        return (make(content[start:end]) if end <= len(content) else None), end

    return sized


def _frame(content: bytes, place: int) -> tuple[None, int]:
    length, start = _number("<Q")(content, place)
    return None, start if start + length <= len(content) else start + length


def _lines(content: bytes, place: int) -> tuple[str, int]:
    """Read a module and a name, each of which ends its line."""
    middle = content.find(b"\n", place)
    end = content.find(b"\n", middle + 1)
    if middle < 0 or end < 0:
        return "", len(content) + 1
    return f"{content[place:middle].decode()}.{content[middle + 1 : end].decode()}", end + 1


def _text(raw: bytes) -> str:
    if len(raw) > LONGEST_TEXT:
        raise DataError(f"a text of {len(raw):,} bytes, and no network has one so long")
    # pickle writes half a surrogate pair as it is
    return raw.decode("utf-8", "surrogatepass")


def _long(raw: bytes) -> int:
    return int.from_bytes(raw, "little", signed=True)


ARGUMENTS: dict[str, Reader] = {
    "PROTO": _number("B"),
    "FRAME": _frame,
    "BININT": _number("<i"),
    "BININT1": _number("B"),
    "BININT2": _number("<H"),
    "BINFLOAT": _number(">d"),
    "LONG1": _sized("B", _long),
    "SHORT_BINUNICODE": _sized("B", _text),
    "BINUNICODE": _sized("<I", _text),
    "BINUNICODE8": _sized("<Q", _text),
    "SHORT_BINBYTES": _sized("B", bytes),
    "BINBYTES": _sized("<I", bytes),
    "BINBYTES8": _sized("<Q", bytes),
    "BYTEARRAY8": _sized("<Q", bytes),
    "BINPUT": _number("B"),
    "LONG_BINPUT": _number("<I"),
    "BINGET": _number("B"),
    "LONG_BINGET": _number("<I"),
    "GLOBAL": _lines,
    **dict.fromkeys(BARE, _nothing),
}
CODES = {known.name: ord(known.code) for known in opcodes}
READERS = {CODES[name]: reader for name, reader in ARGUMENTS.items()}
