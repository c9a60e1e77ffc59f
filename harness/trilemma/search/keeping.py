"""What searches found, as arrays in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trilemma.search.adversary import Witnessed
from trilemma.search.evolution import Found
from trilemma.search.goals import Value
from trilemma.search.plan import Plan
from trilemma.search.structure import Structure

__all__ = ["from_arrays", "to_arrays"]

OPTIONAL = ("votes", "orders", "flows", "tenure")


def to_arrays(found: Sequence[Witnessed]) -> dict[str, Any]:
    """Return what searches found as arrays, by names that begin with its number."""
    return {
        f"{number}.{name}": array
        for number, one in enumerate(found)
        for name, array in _arrays(one).items()
    }


def from_arrays(arrays: Mapping[str, Any]) -> list[Witnessed]:
    """Return what `to_arrays` made arrays of."""
    numbered: dict[int, dict[str, Any]] = {}
    for name, array in arrays.items():
        number, field = name.split(".", 1)
        numbered.setdefault(int(number), {})[field] = array
    return [_witnessed(numbered[number]) for number in sorted(numbered)]


def _arrays(one: Witnessed) -> dict[str, Any]:
    plan, found = one.found.plan, one.found
    shape = plan.weights.shape
    # Accounts of one principal mostly report alike: 64 of them take a fiftieth of the space.
    rows, which = np.unique(plan.weights.reshape(-1, shape[-1]), axis=0, return_inverse=True)
    acts = {name: getattr(plan, name) for name in OPTIONAL}
    return {
        "identities": one.identities,
        "coalition": np.array(one.coalition, np.int64),
        "start": found.start,
        "value": np.array(found.value),
        "at": found.at,
        "late": found.late,
        "evaluations": found.evaluations,
        "structure": np.array(plan.structure),
        "place": plan.place,
        "share": plan.share,
        "rows": rows,
        "which": which.reshape(shape[:-1]),
        **{name: array for name, array in acts.items() if array is not None},
    }


def _witnessed(arrays: Mapping[str, Any]) -> Witnessed:
    plan = Plan(
        Structure(*map(int, arrays["structure"])),
        arrays["place"],
        arrays["share"],
        arrays["rows"][arrays["which"]],
        *(arrays.get(name) for name in OPTIONAL),
    )
    found = Found(
        str(arrays["start"]),
        plan,
        Value(*map(float, arrays["value"])),
        int(arrays["at"]),
        float(arrays["late"]),
        int(arrays["evaluations"]),
    )
    return Witnessed(int(arrays["identities"]), tuple(map(int, arrays["coalition"])), found)
