"""The property matrix: which mechanism has which property, and the witnesses where one has not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trilemma import registry
from trilemma.model import Mechanism
from trilemma.profiles import Profile
from trilemma.testing.claims import CLAIMS
from trilemma.testing.laws import LAWS
from trilemma.testing.verdict import Verdict, verdicts

__all__ = ["Matrix", "matrix"]


@dataclass(frozen=True)
class Matrix:
    """Verdicts by mechanism.

    Parameters
    ----------
    columns : mapping
        Label of a mechanism to its verdicts: laws, its claims, and what it does not claim.
    """

    columns: Mapping[str, Sequence[Verdict]] = field(repr=False)

    @property
    def passes(self) -> bool:
        """Whether no mechanism breaks what binds it."""
        return all(verdict.passes for column in self.columns.values() for verdict in column)

    def __str__(self) -> str:
        return "\n".join([self.to_markdown(), "", *self.witnesses()])

    def to_markdown(self) -> str:
        """Return the matrix as a table: properties down, mechanisms across.

        Laws that all mechanisms keep stand in one row.
        """
        columns = self.columns.values()
        kept = [law.name for law in LAWS if all(_keeps(column, law.name) for column in columns)]
        apart = [law.name for law in LAWS if law.name not in kept]
        rows = [
            ["property", *(f"`{label}`" for label in self.columns)],
            ["---"] * (1 + len(columns)),
        ]
        rows.append([f"{len(kept)} laws", *(_together(column, kept) for column in columns)])
        rows += [
            [f"`{head}`", *(_cell(column, head) for column in columns)]
            for head in (*apart, *CLAIMS)
        ]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def witnesses(self) -> Iterator[str]:
        """Yield the counterexamples, as they are told."""
        for label, column in self.columns.items():
            for verdict in column:
                if verdict.counterexample is not None:
                    yield f"{label}, {verdict.told()}"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "passes": self.passes,
            "mechanisms": [
                {"label": label, "properties": [it.to_json() for it in column]}
                for label, column in self.columns.items()
            ],
        }


def _keeps(column: Sequence[Verdict], head: str) -> bool:
    return all(it.word == "holds" for it in column if it.check.head == head)


def _together(column: Sequence[Verdict], heads: Sequence[str]) -> str:
    judged = sum(it.judged for it in column if it.check.head in heads)
    return f"**hold** ({judged})"


def _cell(column: Sequence[Verdict], head: str) -> str:
    """Return what a mechanism's claims of one name come to."""
    return ", ".join(_short(it) for it in column if it.check.head == head)


def _short(verdict: Verdict) -> str:
    bound = verdict.check.name.removeprefix(verdict.check.head).strip("()")
    at = f" at {bound}" if bound else ""
    if verdict.bound:
        return f"**{verdict.word}**{at} ({verdict.judged})"
    broken = verdict.counterexample is not None
    return f"broken{at}" if broken else f"not claimed{at}"


def matrix(
    mechanisms: Sequence[Mechanism | str] | None = None,
    *,
    profile: Profile | None = None,
    unclaimed: bool = True,
) -> Matrix:
    """Look at every law and claim for several mechanisms.

    Parameters
    ----------
    mechanisms : sequence of (Mechanism or str), optional
        Default: every registered one.
    profile : Profile, optional
        How hard to look. Default: the one that is loaded.
    unclaimed : bool
        Whether to look at claims that a mechanism does not make, too.

    Returns
    -------
    Matrix

    Raises
    ------
    UsageError, DataError, PluginError
        As `trilemma.load` does, or for claims that there are not.
    """
    loaded, failed = registry.load_each(mechanisms)
    for error in failed.values():
        raise error
    columns = {
        label: tuple(verdicts(rule, profile, unclaimed=unclaimed)) for label, rule in loaded.items()
    }
    return Matrix(columns)
