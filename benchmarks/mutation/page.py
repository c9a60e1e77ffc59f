"""The page that shows what the kit finds, and why it does not find the rest."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.mutation.kill import STILLBORN
from benchmarks.mutation.mutants import Mutant

__all__ = ["EXPLAINED", "Page", "Reason", "reasons"]

EXPLAINED = Path(__file__).parent / "survivors.toml"
KINDS = {
    "equivalent": "changes no answer",
    "elsewhere": "concerns what only a chain keeps, which its own epochs test",
    "hole": "changes answers, and no check sees it",
}

HEAD = """# Does the kit find faults?

Each line below is one small fault in a built-in mechanism or in a kernel: another comparison,
another sign, `min` for `max`. A fault is found if a law breaks, or a claim that the mechanism
makes, or if a claim that is expected to fail no longer does; what is named is the first that was
seen. Each check is tried on the cases of `trilemma check --profile ci`.

Left alone are parameters' validation, what a rule claims, what `stages` tells beyond pay, the
choice between two ways to one answer, shortcuts that only rank, the way (not the end) of the search
for a consensus, the chain's arithmetic and records, which `trilemma.testing.oracle` compares with
the chain's own epochs, and parts of governance that no built-in mechanism is made of, which are
compared with slow twins. Of the long kernels one mutant in several is tried. Mutants that numba
refuses to compile are not counted.

`python -m benchmarks.mutation` writes this page.
"""


@dataclass(frozen=True)
class Reason:
    """Why a mutant survives: its kind, one of `KINDS`, and an explanation in a sentence or two."""

    kind: str
    because: str


def reasons(path: Path = EXPLAINED) -> dict[str, Reason]:
    """Return the explanations by the text of the mutant.

    Raises
    ------
    ValueError
        If one is of no kind, or a mutant is explained twice.
    """
    found: dict[str, Reason] = {}
    for entry in tomllib.loads(path.read_text())["survivor"]:
        if entry["kind"] not in KINDS:
            raise ValueError(f"{path}: kind {entry['kind']!r}, expected one of {sorted(KINDS)}")
        for text in entry["mutants"]:
            if text in found:
                raise ValueError(f"{path}: explained twice: {text}")
            found[text] = Reason(entry["kind"], entry["because"])
    return found


@dataclass(frozen=True)
class Page:
    """Mutants, what killed each (None: it survived), and why survivors survive."""

    outcomes: Sequence[tuple[Mutant, str | None]]
    reasons: Mapping[str, Reason]

    def __str__(self) -> str:
        return "\n".join([HEAD, *self._totals(), "", *self._survivors(), *self._files()])

    @property
    def complaints(self) -> list[str]:
        """What is wrong with the explanations: one that is missing, or not of a survivor."""
        alive = {mutant.text for mutant, killer in self.outcomes if killer is None}
        known = {mutant.text for mutant, _ in self.outcomes}
        stale = [text for text in self.reasons if text not in alive]
        return [
            *(f"not explained: {text}" for text in sorted(alive - set(self.reasons))),
            *(f"explained, but {'killed' if it in known else 'not tried'}: {it}" for it in stale),
        ]

    def _counted(self) -> list[tuple[Mutant, str | None]]:
        return [it for it in self.outcomes if it[1] != STILLBORN]

    def _by_file(self) -> dict[str, list[tuple[Mutant, str | None]]]:
        files = dict.fromkeys(mutant.file for mutant, _ in self.outcomes)
        return {it: [one for one in self._counted() if one[0].file == it] for it in files}

    def _totals(self) -> list[str]:
        lines = [
            f"| file | mutants | killed | | {' | '.join(KINDS)} | killed of those that could be |",
            "| --- " + "| ---: " * 7 + "|",
        ]
        parts = [*self._by_file().items(), ("all", self._counted())]
        return [*lines, *(self._total(name, found) for name, found in parts)]

    def _total(self, name: str, found: Sequence[tuple[Mutant, str | None]]) -> str:
        alive = [mutant.text for mutant, killer in found if killer is None]
        kinds = [self.reasons[it].kind for it in alive if it in self.reasons]
        counts = [kinds.count(kind) for kind in KINDS]
        killed, visible = len(found) - len(alive), len(found) - sum(counts[:-1])
        shares = [f"{killed / size:.0%}" if size else "" for size in (len(found), visible)]
        cells = [name, len(found), killed, shares[0], *counts, shares[1]]
        return f"| {' | '.join(map(str, cells))} |"

    def _survivors(self) -> list[str]:
        lines = ["## Survivors", ""]
        alive = [mutant for mutant, killer in self.outcomes if killer is None]
        for reason in dict.fromkeys(self.reasons.values()):
            alike = [it for it in alive if self.reasons.get(it.text) == reason]
            if alike:
                lines += [*map(_told, alike), "", f"{KINDS[reason.kind]}. {reason.because}", ""]
        bare = [it for it in alive if it.text not in self.reasons]
        if bare:
            lines += [*map(_told, bare), "", "**Not explained.**", ""]
        return lines

    def _files(self) -> list[str]:
        lines = []
        for name, found in self._by_file().items():
            lines += [f"## {name}", "", "| line | function | fault | killed by |"]
            lines += ["| ---: | --- | --- | --- |"]
            for it, killer in found:
                by = "**survives**" if killer is None else killer
                lines.append(f"| {it.line} | `{it.function}` | {_change(it)} | {_escaped(by)} |")
            lines.append("")
        return lines


def _told(mutant: Mutant) -> str:
    return f"* `{mutant.file}`, line {mutant.line}, `{mutant.function}`: {_change(mutant)}"


def _change(mutant: Mutant) -> str:
    return _escaped(f"`{_one_line(mutant.before)}` → `{_one_line(mutant.after)}`")


def _one_line(code: str) -> str:
    return " ".join(code.split())


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
