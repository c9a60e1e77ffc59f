"""What was found of mutants, in a file, so that nothing is tried twice."""

from __future__ import annotations

import json
from collections import UserDict
from hashlib import sha256
from pathlib import Path
from threading import Lock

from benchmarks.mutation.running import Outcome
from benchmarks.mutation.scope import ROOT

__all__ = ["Kept"]

PLACE = ROOT / ".benchmarks" / "mutation.json"
CODE = ("harness", "mechanisms", "benchmarks/mutation")  # what an outcome depends on
DOES_NOT_MATTER = ("page.py", "kept.py", "__main__.py")


class Kept(UserDict[str, Outcome]):
    """Outcomes by the text of the mutant; those that other sources led to are left out.

    Parameters
    ----------
    place : Path
    """

    def __init__(self, place: Path = PLACE) -> None:
        super().__init__()
        self.place, self.code, self.lock = place, _code(), Lock()
        if place.exists():
            before = json.loads(place.read_text())
            self.data = before["outcomes"] if before["code"] == self.code else {}

    def __setitem__(self, text: str, outcome: Outcome) -> None:
        with self.lock:
            self.data[text] = outcome
            self.place.parent.mkdir(exist_ok=True)
            scratch = self.place.with_suffix(".new")
            scratch.write_text(json.dumps({"code": self.code, "outcomes": self.data}, indent=1))
            scratch.replace(self.place)


def _code() -> str:
    """Return a digest of all sources that decide on an outcome."""
    files = sorted(file for folder in CODE for file in (ROOT / folder).rglob("*.py"))
    told = [file for file in files if file.name not in DOES_NOT_MATTER]
    return sha256(b"".join(it.read_bytes() for it in told)).hexdigest()
