"""What a mechanism is known by: its label, and a hash of its code."""

from __future__ import annotations

import inspect
import sys
from dataclasses import is_dataclass
from hashlib import sha256
from pathlib import Path

from trilemma.specs import parameters

__all__ = ["code_of", "key_of"]


def key_of(label: str, code: str) -> str:
    """Return what cells of a mechanism are kept under: what it is called, and what it does."""
    return f"{label} {code}"


def code_of(mechanism: object) -> str:
    """Return a hash of what a mechanism's label does not say.

    That is the source that defines it, what a plain object holds, and the mechanisms inside.
    """
    kind = mechanism if inspect.isroutine(mechanism) else type(mechanism)
    source = getattr(sys.modules.get(kind.__module__), "__file__", None)
    parts = [Path(source).read_bytes() if source and Path(source).is_file() else b""]
    if not is_dataclass(mechanism):
        # An object shown by its address has another one in the next process: computed again.
        parts.append(repr(sorted(getattr(mechanism, "__dict__", {}).items())).encode())
    inner = filter(callable, parameters(mechanism).values())
    return sha256(b"".join([*parts, *(code_of(it).encode() for it in inner)])).hexdigest()[:8]
