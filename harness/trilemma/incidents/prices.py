"""The price of neutrality: what a way to suspend miners costs in the two other scores."""

from __future__ import annotations

from collections.abc import Mapping

from trilemma import registry
from trilemma.compare import compare
from trilemma.incidents.incident import Table, Value
from trilemma.model import Budget, Mechanism
from trilemma.report.model import Row
from trilemma.specs import adjusted
from trilemma.worlds import Preset

__all__ = ["price_of_neutrality"]

REFERENCE = "yuma"
WORLD = Preset(validators=40, miners=40)
WORLDS = 2
EVALUATIONS = 100


def price_of_neutrality(named: Mapping[str, Mechanism], seed: int) -> Table:
    """Return what Sybil resistance and quality rules give up beside Yuma without suspensions.

    A rule that wraps another one is put around Yuma, since the scores are those of a subnet, in
    one epoch and without trades. The others are left out, but those that pay by reports.

    Parameters
    ----------
    named : mapping of str to Mechanism
    seed : int
    """
    around = {name: adjusted(it, {"inner": registry.load(REFERENCE)}) for name, it in named.items()}
    kept = {name: it for name, it in around.items() if hasattr(it, "inner")}
    report = compare(
        [REFERENCE, *kept.values()],
        budget=Budget(evaluations=EVALUATIONS),
        world=WORLD,
        worlds=WORLDS,
        seed=seed,
    )
    scored = {row.label: row for row in report.rows}
    reference = scored[REFERENCE]
    rows = [
        (name, _given_up(scored[registry.label(it)], reference))
        for name, it in kept.items()
        if registry.label(it) in scored
    ]
    return Table(
        "The price: Sybil resistance and attacked quality around yuma, with identities verified "
        f"and with {report.budget.identities} each, and what that is less than yuma without "
        "suspensions has. Judged in one epoch; rules that wrap no other one are left out:",
        ("SR, K=1", "less", "Q, K=1", "less", "SR, free", "less", "Q, free", "less"),
        tuple(rows),
        head="rule",
    )


def _given_up(row: Row, reference: Row) -> tuple[Value, ...]:
    found: list[Value] = []
    for side, usual in ((row.verified, reference.verified), (row.free, reference.free)):
        for name in ("sybil_resistance", "quality_attacked"):
            score, before = getattr(side, name).value, getattr(usual, name).value
            found += [round(score, 3), round(before - score, 3)]
    return tuple(found)
