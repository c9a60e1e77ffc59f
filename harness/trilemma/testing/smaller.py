"""The smallest case: one of which nothing can be left out.

A case is smallest if it stops breaking the property when any one validator or miner is left out
(what it held perhaps going to one of the others), any field is emptied, any report is made simpler
(all on one miner, what another says, silence), any one number is made smaller, or all are halved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from trilemma.testing.case import Case, Row, Rows

__all__ = ["smaller", "smallest"]

FIELDS = ("votes", "seats", "orders", "flows", "tenure", "subnets")


def smallest(case: Case, breaks: Callable[[Case], bool]) -> Case:
    """Return the smallest case that breaks a property, downhill from one that does."""
    while (found := next((it for it in smaller(case) if breaks(it)), None)) is not None:
        case = found
    return case


def smaller(case: Case) -> Iterator[Case]:
    """Yield the cases that are one step smaller, those with fewer accounts first."""
    seen = (it for step in _STEPS for it in step(case) if _size(it) < _size(case))
    yield from seen


def _size(case: Case) -> tuple[float, ...]:
    """Return what counts as small: accounts, acts, then how simple reports and stakes are."""
    n, m = case.shape
    acts = sum(bool(getattr(case, name)) for name in FIELDS)
    rows = (*case.weights, *case.reports)
    kinds = len({row for row in rows if any(row)})
    spread = sum(max(0, sum(map(bool, row)) - 1) for row in rows)
    digits = sum(map(sum, rows)) + sum(case.stake) + sum(map(abs, case.numbers))
    return n, m, len(case.numbers), acts, spread, kinds, len(set(case.stake)), digits


def _without_a_validator(case: Case) -> Iterator[Case]:
    n, _ = case.shape
    for gone in range(n if n > 1 else 0):
        stay = [it for it in range(n) if it != gone]
        who = tuple(stay.index(it) for it in case.validators if it != gone)
        left = replace(case.taking(rows=stay), validators=who)
        yield left
        if len(case.reports) == n:  # everybody says something else
            yield replace(left, reports=tuple(case.reports[it] for it in stay))
        for heir in range(n - 1):
            yield left.holding({heir: left.stake[heir] + case.stake[gone]})


def _without_a_miner(case: Case) -> Iterator[Case]:
    _, m = case.shape
    for gone in range(m):
        if m == 1 or gone in case.miners:
            continue
        stay = [it for it in range(m) if it != gone]
        who = tuple(stay.index(it) for it in case.miners)
        left = replace(case.taking(columns=stay), miners=who)
        yield left
        for heir in range(m - 1):
            yield replace(
                left,
                weights=_inherited(left.weights, case.weights, heir, gone),
                reports=_inherited(left.reports, case.reports, heir, gone),
            )


def _inherited(left: Rows, whole: Rows, heir: int, gone: int) -> Rows:
    return tuple(
        tuple(it + (before[gone] if at == heir else 0) for at, it in enumerate(row))
        for row, before in zip(left, whole, strict=True)
    )


def _without_acts(case: Case) -> Iterator[Case]:
    for name in FIELDS:
        if getattr(case, name):
            emptied: dict[str, Any] = {name: (), **({"orders": ()} if name == "seats" else {})}
            yield replace(case, **emptied)
    if len(case.numbers) > 2:
        first, second, *rest = case.numbers
        yield replace(case, numbers=(first + second, *rest))


def _with_simpler_reports(case: Case) -> Iterator[Case]:
    m = case.shape[1]
    units: list[Row] = [tuple(int(it == miner) for it in range(m)) for miner in range(m)]
    simple = [(0,) * m, *units, *case.weights, *map(_halved, (*case.weights, *case.reports))]
    for who, row in enumerate(case.weights):
        yield from (case.saying({who: it}) for it in simple if it != row)
    for place, row in enumerate(case.reports):
        for it in (*simple, *_with_one_less(row)):
            if it != row:
                yield replace(case, reports=(*case.reports[:place], it, *case.reports[place + 1 :]))
    for row in dict.fromkeys(case.weights):
        alike = [who for who, it in enumerate(case.weights) if it == row]
        for it in (*simple, *_with_one_less(row)):
            yield case.saying(dict.fromkeys(alike, it))


def _with_one_less(row: Row) -> Iterator[Row]:
    """Yield reports of which one number is smaller."""
    for at, amount in enumerate(row):
        yield from ((*row[:at], less, *row[at + 1 :]) for less in _less(amount))


def _less(amount: float) -> Iterator[int]:
    """Yield numbers nearer to 0: 0, 1, 2, and less by every power of two."""
    if amount < 0:
        yield from (-it for it in _less(-amount))
    yield from (it for it in (0, 1, 2) if it < amount)
    if isinstance(amount, int) and amount > 3:
        yield from (amount - (1 << power) for power in reversed(range(amount.bit_length())))


def _halved(row: Row) -> Row:
    even = all(isinstance(it, int) and it % 2 == 0 for it in row)
    return tuple(int(it) // 2 for it in row) if even else row


def _with_smaller_stakes(case: Case) -> Iterator[Case]:
    n, _ = case.shape
    half = _halved(case.stake)
    yield replace(case, stake=half)
    yield replace(case, stake=half, numbers=_halved(case.numbers))
    for it in range(n):
        yield from (case.holding({it: amount}) for amount in _less(case.stake[it]))
    yield replace(case, stake=(1,) * n)
    for at, number in enumerate(case.numbers):
        for less in _less(number):
            yield replace(case, numbers=(*case.numbers[:at], less, *case.numbers[at + 1 :]))
    for who in case.validators:  # what is split may be the stake
        ones = (1,) * len(case.numbers)
        yield replace(case.holding({who: len(ones)}), numbers=ones)


_STEPS = (
    _without_a_validator,
    _without_a_miner,
    _without_acts,
    _with_simpler_reports,
    _with_smaller_stakes,
)
