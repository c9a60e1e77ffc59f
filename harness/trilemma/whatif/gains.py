"""Who gains and who loses where another rule pays: by identity, by group, by rank."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil
from typing import NamedTuple

import numpy as np

from trilemma.checks import NOTHING
from trilemma.concentration import Concentration, concentration
from trilemma.importers import Network
from trilemma.model import AnyArray, BoolArray, FloatArray, IntArray
from trilemma.report.outcomes import Change, Group, Identity, Order, Outcome
from trilemma.statistics import kendall_tau
from trilemma.whatif.record import Record

__all__ = ["Pools", "change_of", "identities_of", "outcome_of"]

DIGITS = 12  # pay that differs by less is a tie: sums in another order differ there
MOST_COMPARED = 5000  # whose order has a tau: it compares every two, 1 GB at 5000
FIFTHS = ("first", "second", "third", "fourth", "last")


class Pools(NamedTuple):
    """What a rule paid in an epoch, mean over epochs, as shares of either pool: (n,) and (m,)."""

    validators: FloatArray
    miners: FloatArray


def identities_of(record: Record, pools: Sequence[Pools]) -> tuple[Identity, ...]:
    """Return the identities of a network, in the order of their pay in outcomes."""
    network = record.network
    n, m = network.validators, network.miners
    owners, births = _owners(network)
    if not network.one_account:
        return (
            *_named(network.validator_names, ["validator"] * n, owners, record.stake),
            *_named(network.miner_names, ["miner"] * m, births, np.zeros(m)),
        )
    validates = record.counting.any(axis=0) | _paid(it.validators for it in pools)
    mines = _paid(it.miners for it in pools)
    roles = [_role(*both) for both in zip(validates.tolist(), mines.tolist(), strict=True)]
    return tuple(_named(network.validator_names, roles, owners, record.stake))


def outcome_of(label: str, pools: Pools, network: Network, xi: float) -> Outcome:
    """Return what a rule paid: to whom, how concentrated, and what it burnt."""
    validators, miners = xi * pools.validators, (1 - xi) * pools.miners
    pay = _joined(network, validators, miners)
    apart = (pay,) if network.one_account else (validators, miners)
    owners = _owners(network)
    return Outcome(
        label=label,
        pay=pay,
        validators=validators,
        miners=miners,
        ranks=np.concatenate([_ranks(it) for it in apart]),
        burnt=float(1 - validators.sum() - miners.sum()),
        identities=concentration(pay),
        principals=_by_principals(owners, (validators, miners)),
    )


def change_of(stake: FloatArray, before: Outcome, after: Outcome) -> Change:
    """Return who gains and who loses between two outcomes; stake is that of validators, (n,)."""
    differences = after.pay - before.pay
    return Change(
        outcome=after,
        differences=differences,
        gained=float(differences.clip(min=0).sum()),
        lost=float(-differences.clip(max=0).sum()),
        groups=(*_by_stake(stake, before, after), *_by_pay(before, after)),
        orders=(
            _order("validators", before.validators, after.validators),
            _order("miners", before.miners, after.miners),
        ),
    )


# --- identities and principals -------------------------------------------------------------------


def _named(
    names: Sequence[str], roles: Sequence[str | None], owners: IntArray | None, stake: FloatArray
) -> Iterator[Identity]:
    for place, (role, share) in enumerate(zip(roles, stake.tolist(), strict=True)):
        owner = None if owners is None else int(owners[place])
        yield Identity(names[place] if names else str(place), place, role, owner, share)


def _role(validates: bool, mines: bool) -> str | None:
    if validates and mines:
        return "both"
    return "validator" if validates else "miner" if mines else None


def _paid(pools: Iterable[FloatArray]) -> BoolArray:
    return np.asarray(np.max(list(pools), axis=0) > NOTHING)


def _joined(network: Network, validators: FloatArray, miners: FloatArray) -> FloatArray:
    """Return pay by identity: an account's in both roles, or validators and then miners."""
    return validators + miners if network.one_account else np.concatenate([validators, miners])


def _owners(network: Network) -> tuple[IntArray | None, IntArray | None]:
    """Return the principals behind validators and miners; of one account, one is known of both."""
    validators, miners = network.validator_owners, network.miner_owners
    if network.one_account:
        validators = miners if validators is None else validators
        miners = validators if miners is None else miners
    return validators, miners


# --- what identities come to ---------------------------------------------------------------------


def _by_principals(
    owners: tuple[IntArray | None, IntArray | None], pools: tuple[FloatArray, FloatArray]
) -> Concentration | None:
    """Return how concentrated pay is over principals, if everybody's is known."""
    if owners[0] is None or owners[1] is None:
        return None
    _, places = np.unique(np.concatenate([owners[0], owners[1]]), return_inverse=True)
    return concentration(np.bincount(places, np.concatenate(pools)))


def _by_stake(stake: FloatArray, before: Outcome, after: Outcome) -> Iterator[Group]:
    order = np.argsort(-stake, kind="stable")[: np.count_nonzero(stake)]
    rest = np.flatnonzero(stake == 0)
    for name, places in (*_parts("largest", order), ("who never count", rest)):
        pools = before.validators[places], after.validators[places]
        if name.startswith("who") and not any((it > NOTHING).any() for it in pools):
            continue
        yield _group("validators", name, places, float(stake[places].sum()), pools)


def _by_pay(before: Outcome, after: Outcome) -> Iterator[Group]:
    paid = before.miners > NOTHING
    order = np.argsort(-before.miners, kind="stable")[: np.count_nonzero(paid)]
    unpaid = np.flatnonzero(~paid)
    for name, places in (*_parts("best paid", order), ("not paid", unpaid)):
        pools = before.miners[places], after.miners[places]
        if places.size:
            yield _group("miners", name, places, None, pools)


def _group(
    role: str,
    name: str,
    places: IntArray,
    stake: float | None,
    pools: tuple[FloatArray, FloatArray],
) -> Group:
    before, after = (float(it.sum()) for it in pools)
    return Group(role, name, int(places.size), stake, before, after)


def _parts(superlative: str, order: IntArray) -> Iterator[tuple[str, IntArray]]:
    """Name the first hundredth and tenth of an order, rounded up, and its fifths."""
    counts = {part: ceil(order.size / part) for part in (100, 10)}
    if counts[100] < counts[10]:
        yield f"{superlative} 1 %", order[: counts[100]]
    if order.size > 1:
        yield f"{superlative} 10 %", order[: counts[10]]
    for name, places in zip(FIFTHS, np.array_split(order, len(FIFTHS)), strict=True):
        if places.size:
            yield f"{name} fifth", places


# --- ranks ---------------------------------------------------------------------------------------


def _order(role: str, before: FloatArray, after: FloatArray) -> Order:
    paid = (before > NOTHING) | (after > NOTHING)
    first, second = before[paid].round(DIGITS), after[paid].round(DIGITS)
    moves = np.abs(_ranks(first) - _ranks(second))
    ordered = first.size <= MOST_COMPARED and all(np.unique(it).size > 1 for it in (first, second))
    return Order(
        role=role,
        paid=int(first.size),
        tau=kendall_tau(first, second) if ordered else None,
        median=float(np.median(moves)) if moves.size else 0.0,
        farthest=int(moves.max(initial=0)),
    )


def _ranks(pay: AnyArray) -> IntArray:
    """Return ranks, 1 the highest; ties share the best."""
    told = pay.round(DIGITS)
    return np.asarray(1 + told.size - np.searchsorted(np.sort(told), told, side="right"))
