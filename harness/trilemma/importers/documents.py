"""JSON files that cannot harm: not deep, not dear in memory, no key twice, no NaN."""

from __future__ import annotations

import json
from pathlib import Path

from trilemma.errors import DataError
from trilemma.importers import paths

__all__ = ["is_object", "load"]

BLANKS = b" \t\r\n"
MARK = b"\xef\xbb\xbf"
MOST_MEMORY = 2**28 + 2**26  # bytes
VALUE = 250  # bytes that a value in a dict takes at most while its dict is made
MOST = 2**63  # what no int64 holds
LETTER = 4  # bytes of a letter, as soon as one letter of a text takes as many


def is_object(head: bytes) -> bool:
    """Tell whether a file with these first bytes is a JSON object."""
    return head.removeprefix(MARK).lstrip(BLANKS).startswith(b"{")


def load(path: Path) -> dict[str, object]:
    """Return the object in a JSON file.

    Raises
    ------
    DataError
        If it is no JSON, has a key twice, NaN or Infinity, or is too deep or too large.
    """
    content = paths.content(path)
    _check_memory(content)
    try:
        read = json.loads(
            content, object_pairs_hook=_object, parse_int=_whole, parse_constant=_constant
        )
    except DataError:
        raise
    except RecursionError as error:
        raise DataError("nested too deeply; no network is") from error
    except ValueError as error:
        raise DataError(f"broken JSON ({str(error)[:200]}); save it again") from error
    if type(read) is not dict:
        raise DataError(f"expected a JSON object, got {type(read).__name__}")
    return read


def _check_memory(content: bytes) -> None:
    """Refuse what would take too much memory; every value stands before one of these signs."""
    values = sum(content.count(sign) for sign in (b",", b"[", b"{"))
    needed = values * VALUE + len(content) * (1 if content.isascii() else LETTER)
    if needed > MOST_MEMORY:
        raise DataError(
            f"{values:,} values in {len(content):,} bytes of JSON would take more than "
            f"{MOST_MEMORY >> 20} MiB of memory; save it as an .npz"
        )


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise DataError(f"key {twice[:80]!r} a second time in one object; keep one")
    return made


def _whole(digits: str) -> int:
    number = int(digits) if len(digits) < 20 else MOST
    if abs(number) >= MOST:
        raise DataError(f"{digits[:20]}... is 2**63 or more; expected smaller whole numbers")
    return number


def _constant(name: str) -> object:
    raise DataError(f"{name} is no number of JSON; expected finite numbers")
