"""A counterexample: the witness of a broken property, in four lines that anybody can check."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from trilemma.errors import DataError, UsageError
from trilemma.model import Mechanism
from trilemma.testing.case import Case
from trilemma.testing.check import Check, Fault, NotJudged
from trilemma.testing.claims import claim
from trilemma.testing.laws import LAWS

__all__ = ["FORMAT", "Counterexample", "check_named", "kept"]

FORMAT = "trilemma counterexample 1"


def check_named(name: str) -> Check:
    """Return a law or a claim by its name, with its bound.

    Raises
    ------
    UsageError
        If there is none.
    """
    laws = {law.name: law for law in LAWS}
    return laws[name] if name in laws else claim(name)


@dataclass(frozen=True)
class Counterexample:
    """The smallest case found in which a mechanism breaks a property.

    Parameters
    ----------
    mechanism : str
        Its label.
    check : str
        Name of the property.
    case : Case
        The epoch, and what is done in it.
    """

    mechanism: str
    check: str
    case: Case

    def replay(self, mechanism: Mechanism) -> Fault | None:
        """Return how a mechanism breaks the property here; None if it does not."""
        try:
            return check_named(self.check).fault(mechanism, self.case)
        except NotJudged as error:
            return Fault("", str(error), "expected an answer that can be judged")

    def told(self, mechanism: Mechanism) -> str:
        """Say in four lines what happens: the epoch, what is done, what is paid, what is expected.

        Three where nothing is done.
        """
        fault = self.replay(mechanism)
        if fault is None:
            return f"{self.case.words()}\n{self.check} holds here"
        return "\n".join(filter(None, (self.case.words(), fault.done, fault.paid, fault.expected)))

    @property
    def name(self) -> str:
        """A name for its file: the property, and a hash of the case."""
        head = self.check.partition("(")[0]
        return f"{head}-{sha256(json.dumps(self.case.to_json()).encode()).hexdigest()[:8]}"

    def save(self, folder: Path) -> Path:
        """Write it as NAME.json, if it is not there yet; return the path.

        Raises
        ------
        DataError
            If it cannot be written.
        """
        told = {"format": FORMAT, "mechanism": self.mechanism, "check": self.check}
        path = folder / f"{self.name}.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text(json.dumps({**told, "case": self.case.to_json()}, indent=1) + "\n")
        except OSError as error:
            raise DataError(
                f"{path}: cannot write the counterexample ({error.strerror})"
            ) from error
        return path

    @classmethod
    def load(cls, path: Path) -> Counterexample:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            If the file cannot be read, or is no counterexample.
        """
        try:
            return cls.read(json.loads(path.read_text()))
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from error
        except (DataError, UsageError, ValueError, RecursionError) as error:
            raise DataError(f"{path}: not a counterexample of this program ({error})") from error

    @classmethod
    def read(cls, told: Any) -> Counterexample:
        """Return the counterexample that JSON values tell."""
        if not isinstance(told, dict) or told.get("format") != FORMAT:
            raise DataError(f"its format is not {FORMAT!r}")
        mechanism, check = told.get("mechanism"), told.get("check")
        if not isinstance(mechanism, str) or not isinstance(check, str):
            raise DataError("mechanism and check must be strings")
        return cls(mechanism, check_named(check).name, Case.read(told.get("case")))


def kept(folder: Path | None) -> Iterator[Counterexample]:
    """Yield the counterexamples of a folder; none if there is no folder."""
    if folder is not None and folder.is_dir():
        yield from map(Counterexample.load, sorted(folder.glob("*.json")))
