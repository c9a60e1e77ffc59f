"""Try the kit on one mutant: `... benchmarks.mutation.kill MODULE FILE CASES SECONDS SPEC ...`.

Says in JSON what the mutant breaks first. It runs in a process of its own, because a mutant may
never end, or take the process down.
"""

from __future__ import annotations

import importlib.util
import json
import pickle
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, TypeAlias

from numba.core.errors import NumbaError

from benchmarks.mutation.scope import ROOT
from trilemma import registry
from trilemma.model import Epoch, Mechanism
from trilemma.profiles import PROFILES, Profile
from trilemma.testing.case import Case
from trilemma.testing.check import Check, NotJudged, Subject
from trilemma.testing.counterexample import kept
from trilemma.testing.finding import tried
from trilemma.testing.verdict import checks_of, expectations

__all__ = ["CI", "IMPORT", "STILLBORN", "Drawn", "broken", "drawn", "killed_by"]

IMPORT = "import"  # or when it is made
STILLBORN = "does not compile"
CI = replace(PROFILES["ci"], corpus=ROOT / "tests" / "corpus")  # as pytest is told
FEW = 12  # cases: most mutants break something at once

Drawn: TypeAlias = Mapping[str, Sequence[Case]]
"""The cases that each check is tried on, by its name."""
Asked: TypeAlias = tuple[str, Mechanism, Check, str]
"""A spec, what it is, a property that binds it, and why it is expected to break it."""


# --- cases ---------------------------------------------------------------------------------------


def drawn(specs: Iterable[str], how: Profile = CI) -> dict[str, list[Case]]:
    """Draw once for all what `trilemma check` tries on some mechanisms, as long as none breaks.

    Drawing takes four times as long as trying.
    """
    checks = {it.name: it for spec in specs for it in checks_of(registry.load(spec))}
    return {name: _cases(check, how) for name, check in checks.items()}


def _cases(check: Check, how: Profile = CI) -> list[Case]:
    past = kept(how.corpus)
    cases = [it.case for it in past if it.check.partition("(")[0] == check.head]

    def look(_: Subject, case: Case) -> None:
        cases.append(case)

    tried(replace(check, look=look), registry.load("uniform"), how)
    return cases


# --- one mutant ----------------------------------------------------------------------------------


class Instead:
    """Finds one module in another file than its own."""

    def __init__(self, module: str, file: Path) -> None:
        self.module, self.file = module, file

    def find_spec(self, name: str, _: object = None, __: object = None) -> ModuleSpec | None:
        """Return where the module lies, if it is this one."""
        if name != self.module:
            return None
        return importlib.util.spec_from_file_location(name, self.file)


def killed_by(specs: Sequence[str], cases: Drawn, seconds: float) -> str | None:
    """Return what breaks first, in words; None if nothing does.

    Parameters
    ----------
    specs : sequence of str
        Mechanisms that are made of the mutant.
    cases : mapping
        From `drawn`; what a mutant alone claims is drawn now.
    seconds : float
        Of the processor that a check may take; then the system ends this process.
    """
    try:
        rules = {spec: registry.load(spec) for spec in specs}
        asked = [it for spec, rule in rules.items() for it in _asked(spec, rule)]
    except Exception:
        return IMPORT
    signal.setitimer(signal.ITIMER_PROF, seconds)
    if not all(map(_compiles, rules.values())):
        return STILLBORN
    more = {check.name: _cases(check) for *_, check, _ in asked if check.name not in cases}
    return broken(asked, {**cases, **more}, seconds)


def _asked(spec: str, rule: Mechanism) -> Iterator[Asked]:
    checks = checks_of(rule)
    expected = expectations(rule, checks, None)
    yield from ((spec, rule, check, expected.get(check.name, "")) for check in checks)


def _compiles(rule: Mechanism) -> bool:
    try:
        rule(Epoch([1.0, 1.0], [[1.0, 0.0], [0.0, 1.0]]))
    except NumbaError:
        return False
    except Exception:  # a bad answer: the laws will say so
        return True
    return True


def broken(asked: Sequence[Asked], cases: Drawn, seconds: float) -> str | None:
    """Return the first property that does not come out as it should, and of which mechanism."""
    for spec, rule, check, expected in asked:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        if not expected and _breaks(check, rule, cases[check.name][:FEW]):
            return f"{check.name} of {spec}"
    for spec, rule, check, expected in asked:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        if _breaks(check, rule, cases[check.name]) is not bool(expected):
            return f"{check.name} of {spec}"
    return None


def _breaks(check: Check, rule: Mechanism, cases: Iterable[Case]) -> bool | None:
    """Tell whether a mechanism breaks a property in any case; None if none can be judged."""
    judged = None
    for case in cases:
        try:
            if check.fault(rule, case) is not None:
                return True
            judged = False
        except NotJudged:
            continue
    return judged


def main(arguments: Sequence[str]) -> None:
    """Put the file in the module's place, and say what the kit finds."""
    module, file, cases, seconds, *specs = arguments
    finder: Any = Instead(module, Path(file))
    sys.meta_path.insert(0, finder)
    known = pickle.loads(Path(cases).read_bytes())
    print(json.dumps(killed_by(specs, known, float(seconds))))


if __name__ == "__main__":
    main(sys.argv[1:])
