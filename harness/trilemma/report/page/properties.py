"""The property matrix: what `trilemma check --json` says, by property and mechanism."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Properties", "properties"]


@dataclass(frozen=True)
class Properties:
    """Rows of the matrix.

    Parameters
    ----------
    labels : list of str
        Of the mechanisms: the columns.
    rows : list of dict
        `name`, `law` (whether it binds everybody), and `cells`: for each label what was found.
    witnesses : list of tuple
        Property, label and the lines that show how it breaks.
    """

    labels: list[str]
    rows: list[dict[str, Any]]
    witnesses: list[tuple[str, str, list[str]]]


def properties(told: Mapping[str, Any]) -> Properties:
    """Return the matrix of what `trilemma check --json` wrote."""
    rules = told["mechanisms"]
    found: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for rule in rules:
        for it in rule["properties"]:
            found.setdefault(_head(it), {}).setdefault(rule["label"], []).append(it)
    labels = [rule["label"] for rule in rules]
    rows = [
        {
            "name": head,
            "law": any(it["kind"] == "law" for both in by_label.values() for it in both),
            "cells": [[_cell(it) for it in by_label.get(label, [])] for label in labels],
        }
        for head, by_label in found.items()
    ]
    witnesses = [
        (it["check"], rule["label"], list(it["told"]))
        for rule in rules
        for it in rule["properties"]
        if it["told"]
    ]
    return Properties(labels, rows, witnesses)


def _head(told: Mapping[str, Any]) -> str:
    return str(told["check"].partition("(")[0])


def _cell(told: Mapping[str, Any]) -> str:
    bound = told["check"].removeprefix(_head(told)).strip("()")
    return f"{told['verdict']}{f' at {bound}' if bound else ''} ({told['judged']})"
