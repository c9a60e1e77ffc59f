"""Every ratio that we promise, measured: `python benchmarks/ratios.py [--json] [--only NAME ...]`.

`value` is a median; `met` says whether it reaches `at_least`, which bounds it from above where
`better` is "lower". What was not measured says why in `skipped`. The exit code is always 0.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

ROOT = Path(__file__).parents[1]
if __package__ in (None, ""):  # run as a script, Python looks for modules in this folder only
    sys.path[0] = str(ROOT)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy on one thread, as we are

from benchmarks.measuring import (  # noqa: E402
    adversary,
    agreement,
    epochs,
    harness,
    hashes,
    machine,
    processes,
    sparse,
    threads,
)
from benchmarks.measuring.goals import GOALS, Answers, Found, Goal  # noqa: E402

Entry: TypeAlias = dict[str, Any]

GROUPS: dict[str, Callable[[bool], Answers]] = {
    "agreement": agreement.measure,
    "epochs": epochs.measure,
    "threads": threads.measure,
    "hashes": hashes.measure,
    "levels": hashes.levels,
    "search": harness.search,
    "adversary": adversary.measure,
    "harness": harness.harness,
    "start": processes.start,
    "compile": processes.compile_,
    "memory": processes.memory,
    "sparse": sparse.measure,
    "map": harness.retention,
}
NOT_ASKED = "not asked for"


def measured(only: Sequence[str] = (), full: bool = False) -> dict[str, Entry]:
    """Return every entry; those of groups that nobody asks for are there, without a value.

    Parameters
    ----------
    only : sequence of str
        Groups, entries, or beginnings of their names; none: all.
    full : bool
        Whether to take the time that more samples and more mechanisms need.
    """
    wanted = [name for name, goal in GOALS.items() if _asked(name, goal, only)]
    found: Answers = {}
    for group in dict.fromkeys(GOALS[name].group for name in wanted):
        print(f"measuring {group}", file=sys.stderr)
        found |= GROUPS[group](full)
    return {
        name: entry_of(goal, found.get(name, "") if name in wanted else NOT_ASKED)
        for name, goal in GOALS.items()
    }


def _asked(name: str, goal: Goal, only: Sequence[str]) -> bool:
    return not only or any(it == goal.group or name.startswith(it) for it in only)


def entry_of(goal: Goal, found: Found | str) -> Entry:
    """Return a goal and what was found, or why nothing was, as plain JSON values."""
    facts = {"about": goal.about, "unit": goal.unit}
    goals = {"better": goal.better, "at_least": goal.at_least, "aim": goal.aim}
    if isinstance(found, str):
        unknown = {"value": None, "samples": 0, "met": None, "aim_met": None}
        return {**facts, **unknown, **goals, "skipped": found}
    return {
        **facts,
        "value": found.value,
        "samples": found.samples,
        **goals,
        "met": goal.reached(found.value, goal.at_least),
        "aim_met": goal.reached(found.value, goal.aim),
        "detail": dict(found.detail),
    }


def table(entries: dict[str, Entry]) -> str:
    """Return the entries as lines for a terminal."""
    lines = [f"{'':26}{'value':>11} {'unit':13}{'at least':>9}{'aim':>8}  met"]
    for name, entry in entries.items():
        if entry["value"] is None:
            lines.append(f"{name:26}{'-':>11} {entry['skipped']}")
            continue
        limits = "".join(
            f"{bound(entry, key):>{width}}" for key, width in (("at_least", 9), ("aim", 8))
        )
        lines.append(f"{name:26}{entry['value']:>11.3g} {entry['unit']:13}{limits}  {met(entry)}")
    return "\n".join(lines)


def bound(entry: Entry, key: str) -> str:
    """Return a threshold with the side on which values reach it."""
    if entry[key] is None:
        return "-"
    return f"{'<=' if entry['better'] == 'lower' else '>='} {entry[key]:g}"


def met(entry: Entry) -> str:
    """Return what a value reaches, in a word."""
    if entry["aim_met"]:
        return "aim"
    verdict = entry["met"] if entry["at_least"] is not None else entry["aim_met"]
    return {True: "yes", False: "no", None: "-"}[verdict]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="groups or entries")
    parser.add_argument("--all", action="store_true", help="more samples of what takes long")
    given = parser.parse_args(arguments)
    entries = measured(given.only, given.all)
    print(json.dumps(entries, indent=1) if given.json else f"{machine.told()}\n\n{table(entries)}")


if __name__ == "__main__":
    main()
