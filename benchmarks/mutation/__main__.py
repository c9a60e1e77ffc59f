"""Mutate, try, and write the page: `python -m benchmarks.mutation [--only PART ...]`.

What was found is kept until the sources change: an interrupted run goes on where it stopped.
Exit 1 if a survivor is not explained in `survivors.toml`, or an explained mutant does not survive.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from benchmarks.mutation.kept import Kept
from benchmarks.mutation.page import Page, reasons
from benchmarks.mutation.running import Job, Outcome, outcomes
from benchmarks.mutation.scope import ROOT, SCOPE, File, mutants_of

__all__ = ["main"]

PAGE = ROOT / "docs" / "mutation.md"
SOUND = "(no fault)"


def tried(files: Sequence[File], workers: int) -> Page:
    """Try every mutant of some files, and the files as they are.

    Raises
    ------
    RuntimeError
        If the kit finds a fault where none was put.
    """
    sound: list[Job] = [(file, (ROOT / file.path).read_text()) for file in files]
    found = mutants_of(files)
    names = [*(f"{file.path} {SOUND}" for file in files), *(it.text for _, it in found)]
    kept, began = Kept(), time.monotonic()

    def told(number: int, outcome: Outcome) -> None:
        passed = f"{time.monotonic() - began:6.0f} s"
        print(f"{passed}  {outcome or 'survives'}: {left[number]}", file=sys.stderr)
        kept[left[number]] = outcome

    jobs = dict(zip(names, [*sound, *((file, it.source) for file, it in found)], strict=True))
    left = [name for name in names if name not in kept]
    if left:
        outcomes(files, [jobs[name] for name in left], workers, told)
    for name in names[: len(sound)]:
        if kept[name] is not None:
            raise RuntimeError(f"{name}: {kept[name]}")
    return Page([(it, kept[it.text]) for _, it in found], reasons())


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or print it where only some files are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", metavar="PART", help="files whose path holds this")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N")
    given = parser.parse_args(arguments)
    parts = given.only or [""]
    files = [file for file in SCOPE if any(part in file.path for part in parts)]
    page = tried(files, given.workers)
    if given.only:
        print(page)
    else:
        PAGE.write_text(f"{page}\n")
    known = {mutant.text for mutant, _ in page.outcomes}
    complaints = [it for it in page.complaints if not given.only or it.partition(": ")[2] in known]
    print(*complaints, sep="\n", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
