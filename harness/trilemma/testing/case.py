"""A case: an epoch in whole numbers, and what somebody does in it; small enough for a pencil."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import inf
from typing import Any, TypeAlias

import numpy as np

from trilemma.errors import DataError, UsageError
from trilemma.model import Epoch
from trilemma.testing.words import line, lines

__all__ = ["Case", "Row", "Rows"]

Row: TypeAlias = tuple[float, ...]  # whole numbers, but where floats are what is tried
Rows: TypeAlias = tuple[Row, ...]
Places: TypeAlias = tuple[int, ...]

_ROWS = ("stake", "seats", "tenure", "subnets", "validators", "miners", "numbers")
LARGEST = 256  # validators or miners that a case in a file may have


@dataclass(frozen=True)
class Case:
    """An epoch of n validators and m miners in whole numbers, and an act in it.

    Which act it is, a check says; the fields say who acts and how much.

    Parameters
    ----------
    stake : tuple, length n
    weights : tuple of n tuples, length m
        In any scale by row.
    votes, flows : tuple of n tuples, length m
        Empty: nobody acts.
    seats : tuple of int
    orders : tuple of tuples, one by seat, length m
    tenure : tuple, length n
        Empty: forever.
    subnets : tuple of int, length m
        Empty: all miners work in the same.
    validators, miners : tuple of int
        Places of those who act, or are looked at.
    reports : tuple of tuples, length m
        What those who act say then.
    numbers : tuple
        Anything else: how much, how many.
    """

    stake: Row
    weights: Rows
    votes: Rows = ()
    seats: Places = ()
    orders: Rows = ()
    flows: Rows = ()
    tenure: Row = ()
    subnets: Places = ()
    validators: Places = ()
    miners: Places = ()
    reports: Rows = ()
    numbers: Row = ()

    @property
    def shape(self) -> tuple[int, int]:
        """How many validators and how many miners there are."""
        return len(self.stake), len(self.weights[0])

    def epoch(self) -> Epoch:
        """Return what a mechanism sees."""
        return Epoch(
            _stake(self.stake),
            self.weights,
            votes=self.votes or None,
            seats=self.seats or None,
            orders=self.orders or None,
            flows=self.flows or None,
            tenure=self.tenure or None,
            subnets=self.subnets or None,
        )

    def taking(
        self, rows: Iterable[int] | None = None, columns: Iterable[int] | None = None
    ) -> Case:
        """Return the case with these validators and miners only, in this order.

        A place that comes twice is there twice; the first one keeps the seat. Who acts stays.
        """
        n, m = self.shape
        up = list(range(n)) if rows is None else list(rows)
        across = list(range(m)) if columns is None else list(columns)
        held = [it for it, seat in enumerate(self.seats) if seat in up]
        return replace(
            self,
            stake=_at(self.stake, up),
            weights=_part(self.weights, up, across),
            votes=_part(self.votes, up, across),
            seats=tuple(up.index(self.seats[it]) for it in held),
            orders=_part(self.orders, held, across),
            flows=_part(self.flows, up, across),
            tenure=_at(self.tenure, up),
            subnets=_at(self.subnets, across),
            reports=tuple(_at(row, across) for row in self.reports),
        )

    def saying(self, reports: dict[int, Row]) -> Case:
        """Return the case in which these validators report this."""
        weights = (reports.get(it, row) for it, row in enumerate(self.weights))
        return replace(self, weights=tuple(weights))

    def holding(self, stakes: dict[int, float]) -> Case:
        """Return the case in which these validators hold this stake."""
        held = (stakes.get(it, amount) for it, amount in enumerate(self.stake))
        return replace(self, stake=tuple(held))

    def share(self, *validators: int) -> float:
        """Return the share of all stake that some validators hold; 0 without stake."""
        total = sum(self.stake)
        return sum(self.stake[it] for it in validators) / total if total else 0.0

    def words(self) -> str:
        """Return the epoch on one line."""
        told = [f"stake {line(self.stake)}", f"reports {lines(self.weights)}"]
        for name in ("votes", "seats", "orders", "flows", "tenure", "subnets"):
            value: Any = getattr(self, name)
            if value:
                told.append(f"{name} {line(value) if name in _ROWS else lines(value)}")
        return "; ".join(told)

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are not empty, as JSON values."""
        return {name: value for name, value in asdict(self).items() if value != ()}

    @classmethod
    def read(cls, told: Any) -> Case:
        """Return the case that JSON values tell.

        Raises
        ------
        DataError
            If they tell none.
        """
        known = {field.name for field in fields(cls)}
        if not isinstance(told, dict) or not {"stake", "weights"} <= set(told) <= known:
            raise DataError(f"a case has stake, weights, and of {sorted(known)} what it needs")
        for name, value in told.items():
            depth = 1 if name in _ROWS else 2
            _require(_numbers(value, depth), f"{name} that are no numbers in {depth} dimensions")
        case = cls(**{name: _frozen(value) for name, value in told.items()})
        try:
            n, m = case.epoch().weights.shape
        except (UsageError, TypeError, IndexError, OverflowError) as error:
            raise DataError(f"a case that is no epoch: {error}") from error
        _require(max(n, m) <= LARGEST, f"{n} validators and {m} miners; at most {LARGEST}")
        _require(_within(case.validators, n), f"validators {case.validators} of {n}")
        _require(_within(case.miners, m), f"miners {case.miners} of {m}")
        _require(all(_row(it, m) for it in case.reports), f"reports that are not {m} long")
        _require(all(abs(it) < inf for it in case.numbers), f"numbers {case.numbers}")
        return case


def _stake(stake: Row) -> Any:
    whole = all(isinstance(it, int) for it in stake)
    return np.array(stake, np.int64 if whole and sum(stake) < 2**63 else np.float64)


def _at(row: Sequence[Any], places: Sequence[int]) -> tuple[Any, ...]:
    return tuple(row[it] for it in places) if row else ()


def _part(rows: Rows, up: Sequence[int], across: Sequence[int]) -> Rows:
    return tuple(_at(rows[it], across) for it in up) if rows else ()


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _numbers(value: Any, depth: int) -> bool:
    if depth == 0:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, list | tuple) and all(_numbers(it, depth - 1) for it in value)


def _require(held: bool, found: str) -> None:
    if not held:
        raise DataError(f"a case with {found}")


def _within(places: Any, size: int) -> bool:
    return isinstance(places, tuple) and all(
        isinstance(it, int) and 0 <= it < size for it in places
    )


def _row(row: Any, size: int) -> bool:
    return (
        isinstance(row, tuple)
        and len(row) == size
        and all(isinstance(it, int | float) and 0 <= it < inf for it in row)
    )
