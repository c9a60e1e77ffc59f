"""Everything that the page of a comparison shows, as JSON values: `RUN/report.json`."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from trilemma.entries import ATTACKS, registered
from trilemma.report.command import command
from trilemma.report.verdict import findings, sentences, warnings

if TYPE_CHECKING:
    from trilemma.report import Report

__all__ = ["document"]

LIBRARIES = ("trilemma", "numpy", "numba")


def document(report: Report) -> dict[str, Any]:
    """Return the answer of a comparison and what is told beside it.

    The same question gives the same values, however much of it was kept from an earlier run.

    Parameters
    ----------
    report : Report
    """
    extra = [it for it in report.attacks if it not in registered(ATTACKS)]
    labels = [row.label for row in report.rows]
    return {
        **report.answer(),
        "verdict": sentences(report),
        "findings": findings(report),
        "warnings": warnings(report),
        "knows_quality": report.knows_quality,
        "plays": report.plays,
        "stake_concentration": asdict(report.stake_concentration),
        "witnesses": list(_witnesses(report)),
        "command": command(labels, report.world, report.budget, report.seed, extra),
        "versions": {"python": platform.python_version(), **{it: version(it) for it in LIBRARIES}},
    }


def _witnesses(report: Report) -> Iterator[dict[str, Any]]:
    for witness, told in zip(report.witnesses, report.explanations, strict=True):
        yield {
            "name": witness.name,
            "mechanism": witness.mechanism,
            "score": witness.score,
            "identities": witness.identities,
            "play": witness.play,
            "harm": witness.harm,
            "world": witness.source["number"],
            "adversary": list(told.adversary),
            "stages": [[it.stage, it.group, it.honest, it.attacked] for it in told.lines],
            "fault": told.fault,
        }
