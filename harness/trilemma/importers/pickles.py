"""Pickles read by a machine of our own, which builds plain values and can call nothing.

It knows the instructions that saving dicts, lists, numbers, text and arrays takes, and looks names
up in a table of its own functions; neither `pickle` nor what a file names is ever used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from sys import getsizeof
from typing import Any, TypeAlias

from trilemma.errors import DataError
from trilemma.importers import instructions
from trilemma.importers.numeric import NAMES, Array, Element, array_of

__all__ = ["Builder", "Foreign", "Known", "is_pickle", "load"]

Builder: TypeAlias = Callable[..., object]

MOST_MADE = 2**26  # bytes that values may take beside what they take in the file, and half of it
MOST_ARGUMENTS = 16
MOST_KEY = 2**31
OURS = "bittensor."  # whose objects become inert ones
VALUES = "BININT BININT1 BININT2 LONG1 BINFLOAT SHORT_BINBYTES BINBYTES BINBYTES8 BYTEARRAY8"
TEXTS = "SHORT_BINUNICODE BINUNICODE BINUNICODE8"


class Known:
    """A name that a pickle may use, and the function of ours that stands for it."""

    def __init__(self, name: str, build: Builder) -> None:
        self.name = name
        self.build = build


class Foreign:
    """An object of a class that is not here: its class's name and its state; it does nothing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.states: tuple[dict[object, object], ...] = ()

    def get(self, attribute: str) -> object:
        """Return what its state has under this name, or None."""
        # kept as they came: to join them for each object anew could fill the memory
        return next((it[attribute] for it in self.states if attribute in it), None)


class _ForeignClass:
    def __init__(self, name: str) -> None:
        self.name = name


def is_pickle(head: bytes) -> bool:
    """Tell whether a file with these first bytes is a pickle of protocol 2 to 5."""
    return len(head) > 1 and head[0] == 0x80 and 2 <= head[1] <= 5


def load(
    content: bytes,
    names: Mapping[str, Builder] | None = None,
    storages: Builder | None = None,
    stored: int = 0,
) -> object:
    """Return what a pickle holds, with inert objects in place of `bittensor`'s.

    Parameters
    ----------
    content : bytes
        The pickle.
    names : mapping of str to function, optional
        What it may use beside numpy's arrays.
    storages : function, optional
        What gives the value of a persistent id.
    stored : int
        Bytes on disk, if more than those of the pickle.

    Raises
    ------
    DataError
        If it is broken, too long, or uses any other name or instruction. Nothing was run then.
    """
    most = MOST_MADE + max(stored, len(content)) * 3 // 2
    machine = _Machine({**NAMES, **(names or {})}, storages, most)
    try:
        return machine.run(content)
    except DataError:
        raise
    # instructions in any order empty the stack, hash lists and so on
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
        raise DataError(f"a broken pickle ({reason}); save it again") from error


class _Machine:
    """A stack, its marks and a memo, as `pickletools` describes them."""

    def __init__(self, names: Mapping[str, Builder], storages: Builder | None, most: int) -> None:
        self.names = names
        self.storages = storages
        self.left = most  # bytes that texts and what is made of values may take
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def run(self, content: bytes) -> object:
        place = 0
        for code, argument, place in instructions.read(content):  # noqa: B007
            if code != instructions.STOP:
                STEPS[code](self, argument)
        return self.finish(place == len(content) - 1)

    def finish(self, at_the_end: bool) -> object:
        if len(self.stack) != 1 or self.marks or not at_the_end:
            raise DataError("a broken pickle (not one value); save it again")
        return self.stack.pop()

    def pop(self, count: int) -> list[Any]:
        """Take values off the stack, not beyond a mark."""
        floor = self.marks[-1] if self.marks else 0
        if len(self.stack) - count < floor:
            raise DataError("a broken pickle (an empty stack); save it again")
        taken = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return taken

    def pop_mark(self) -> list[Any]:
        """Take the values above the last mark."""
        taken = self.stack[self.marks[-1] :]
        del self.stack[self.marks.pop() :]
        return taken

    def top(self, kind: type) -> Any:
        """Return the value on top, which must be exactly of this type."""
        (value,) = self.pop(1)
        self.stack.append(value)
        if type(value) is not kind:
            raise DataError("a broken pickle (a value of another type); save it again")
        return value

    def push_made(self, value: object) -> None:
        """Put a value on the stack that takes memory; a million may be made of one in the file."""
        self.stack.append(value)
        array = array_of(value)
        self.left -= getsizeof(value) if array is None else array.nbytes
        if self.left < 0:
            raise DataError("makes far more of its values than it holds; nothing was run")

    def remember(self, index: int | None = None) -> None:
        (value,) = self.pop(1)
        self.stack.append(value)
        self.memo[len(self.memo) if index is None else index] = value

    def append(self, values: list[Any]) -> None:
        self.top(list).extend(values)

    def set_items(self, values: list[Any]) -> None:
        held = self.top(dict)
        for key, value in zip(values[::2], values[1::2], strict=True):
            # tuples of tuples, and numbers that were chosen for it, take for ever to hash
            if type(key) is not str and not (type(key) is int and abs(key) < MOST_KEY):
                raise DataError("a dict's key is neither text nor a small number; nothing was run")
            held[key] = value

    def find(self, name: str) -> None:
        """Put a name on the stack: ours for what it means, or a stranger's that does nothing."""
        if name in self.names:
            self.stack.append(Known(name, self.names[name]))
        elif name.startswith(OURS):
            self.stack.append(_ForeignClass(name))
        else:
            raise DataError(
                f"refers to {name[:80]!r}, which no network needs; it was not imported, and "
                "nothing was run"
            )

    def find_on_stack(self) -> None:
        module, name = self.pop(2)
        if type(module) is not str or type(name) is not str:
            raise DataError("a broken pickle (a name that is not text); save it again")
        self.find(f"{module}.{name}")

    def call(self) -> None:
        """Make what a known name and its arguments mean; a stranger's arguments are dropped."""
        known, arguments = self.pop(2)
        if type(arguments) is not tuple or len(arguments) > MOST_ARGUMENTS:
            raise DataError("a broken pickle (arguments that are no short tuple); save it again")
        if type(known) is Known:
            self.push_made(known.build(*arguments))
        elif type(known) is _ForeignClass:
            self.stack.append(Foreign(known.name))
        else:
            raise DataError("calls what is no name; nothing was run")

    def build(self) -> None:
        """Give an object its state; only arrays, their types and inert objects have one."""
        (state,) = self.pop(1)
        (value,) = self.pop(1)
        if type(value) in (Array, Element):
            value.build(state)
        elif type(value) is Foreign:
            parts = state[:2] if type(state) is tuple else (state,)  # slots come second
            value.states = tuple(part for part in parts if type(part) is dict)
        else:
            raise DataError("gives a state to a value that has none; nothing was run")
        self.push_made(value)

    def stored(self) -> None:
        (key,) = self.pop(1)
        if self.storages is None:
            raise DataError("refers to a storage beside it, and there is none; nothing was run")
        self.stack.append(self.storages(key))


Step: TypeAlias = Callable[[_Machine, Any], None]


def _push(machine: _Machine, value: Any) -> None:
    machine.stack.append(value)


def _tuple(count: int) -> Step:
    return lambda machine, _: machine.stack.append(tuple(machine.pop(count)))


MEANINGS: dict[str, Step] = {
    **dict.fromkeys(VALUES.split(), _push),
    **dict.fromkeys(TEXTS.split(), lambda machine, text: machine.push_made(text)),
    **dict.fromkeys(("PROTO", "FRAME"), lambda *_: None),
    "NONE": lambda machine, _: machine.stack.append(None),
    "NEWTRUE": lambda machine, _: machine.stack.append(True),
    "NEWFALSE": lambda machine, _: machine.stack.append(False),
    "EMPTY_TUPLE": _tuple(0),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.pop_mark())),
    "APPEND": lambda machine, _: machine.append(machine.pop(1)),
    "APPENDS": lambda machine, _: machine.append(machine.pop_mark()),
    "SETITEM": lambda machine, _: machine.set_items(machine.pop(2)),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_mark()),
    "MEMOIZE": lambda machine, _: machine.remember(),
    "BINPUT": lambda machine, index: machine.remember(index),
    "LONG_BINPUT": lambda machine, index: machine.remember(index),
    "BINGET": lambda machine, index: machine.stack.append(machine.memo[index]),
    "LONG_BINGET": lambda machine, index: machine.stack.append(machine.memo[index]),
    "GLOBAL": lambda machine, name: machine.find(name),
    "STACK_GLOBAL": lambda machine, _: machine.find_on_stack(),
    "REDUCE": lambda machine, _: machine.call(),
    "NEWOBJ": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.build(),
    "BINPERSID": lambda machine, _: machine.stored(),
}
STEPS = {instructions.code(name): step for name, step in MEANINGS.items()}
