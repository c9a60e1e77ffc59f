"""Slow twin of the Bittensor chain's epoch: sparse Yuma consensus in the chain's own numbers.

One number at a time, in the order in which the chain computes; "1.2 step 5" and the like are the
steps of its specification. A share is an I32F32 number held as an integer, the value times 2**32,
and products and quotients lose what the chain loses. Nothing saturates: from settings in their
documented ranges no number of an epoch reaches the ends of I32F32.

A row is the list of its (uid, value) entries in stored order, each uid at most once, because the
chain tells an entry that is zero from one that is absent and in one place goes by the order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate, pairwise
from typing import Any

Case = Mapping[str, Any]
Vector = list[int]
Row = list[tuple[int, int]]
Rows = list[Row]

ONE = 2**32
STAKE_ONE = 2**64
U16 = 65535
E_TO_23_BITS = 22802600 * 2**9
STORED = ("stake_weight", "consensus", "validator_trust", "incentive", "dividends", "trust")
EMISSIONS = (
    *("server_emission_norm", "validator_emission_norm", "combined_emission_norm"),
    *("server_emission", "validator_emission", "emission"),
)


# 1.0: numbers
def times(a: int, b: int) -> int:
    """Round down, also below zero."""
    return a * b // ONE


def over(a: int, b: int) -> int:
    """Round towards zero; a quotient by zero is zero."""
    size = abs(a) * ONE // abs(b) if b else 0
    return size if (a < 0) == (b < 0) else -size


def u16(value: int) -> int:
    return min(value * U16 // ONE, U16)


def clamp(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def exp(x: int) -> int:
    """Sum the series; only for an exponent of exactly 1, not -1, the chain has a short constant."""
    if x == ONE:
        return E_TO_23_BITS
    total, term = ONE + abs(x), abs(x)
    for i in range(2, 32):
        term = times(term, abs(x)) // i
        total += term
    return total if x >= 0 else over(ONE, total)


# Vectors and rows
def ints(values: Iterable[Any]) -> Vector:
    return [int(value) for value in values]


def normalised(vector: Vector) -> Vector:
    total = sum(vector)
    return [over(value, total) for value in vector]


def stored_rows(matrix: Any) -> Rows:
    entries = list(zip(ints(matrix.idx), ints(matrix.val), strict=True))
    return [entries[start:end] for start, end in pairwise(ints(matrix.indptr))]


def entrywise(rows: Rows, change: Callable[[int, int, int], int]) -> Rows:
    return [[(j, change(i, j, v)) for j, v in row] for i, row in enumerate(rows)]


def kept(rows: Rows, keep: Callable[[int, int, int], bool]) -> Rows:
    return [[(j, v) for j, v in row if keep(i, j, v)] for i, row in enumerate(rows)]


def columns(rows: Rows) -> list[Vector]:
    values: list[Vector] = [[] for _ in rows]
    for row in rows:
        for j, v in row:
            values[j].append(v)
    return values


def columns_divided(rows: Rows, by: Callable[[Vector], int]) -> Rows:
    divisors = [by(values or [0]) for values in columns(rows)]
    return entrywise(rows, lambda _, j, v: over(v, divisors[j]))


def staked(stake: Vector, rows: Rows) -> Rows:
    return entrywise(rows, lambda i, _, v: times(stake[i], v))


def received(stake: Vector, rows: Rows) -> Vector:
    return [sum(values) for values in columns(staked(stake, rows))]


def blend(new: Rows, old: Rows, mix: Callable[[int, int], int]) -> Rows:
    """Mix two matrices; what comes out is in uid order and without zeros."""
    pairs = [(dict(one), dict(other)) for one, other in zip(new, old, strict=True)]
    mixed = [[(j, mix(a.get(j, 0), b.get(j, 0))) for j in range(len(new))] for a, b in pairs]
    return kept(mixed, lambda _i, _j, v: v > 0)


# 1.2 steps 1 to 4: stake and permits
def is_active(case: Case) -> list[bool]:
    cutoff, now = case["activity_cutoff"], case["current_block"]
    return [block + cutoff >= now for block in ints(case["last_update"])]


def stake_shares(case: Case) -> Vector:
    """Take the shares in 64 fractional bits, then cut them to 32."""
    owner, threshold = case["owner_uid"], case["stake_threshold"]
    stake = ints(case["stake"])
    stake = [s if i == owner or s >= threshold else 0 for i, s in enumerate(stake)]
    total = sum(stake) or 1
    return [s * STAKE_ONE // total * ONE // STAKE_ONE for s in stake]


def permits(case: Case) -> list[bool]:
    return [bool(one) or i == case["owner_uid"] for i, one in enumerate(case["validator_permit"])]


def new_permits(case: Case, shares: Vector) -> list[bool]:
    """Drop the lowest, so that of equal stakes the higher uid keeps its permit."""
    uids = range(len(shares))
    dropped = max(0, len(shares) - case["max_allowed_validators"])
    top = sorted(uids, key=lambda i: shares[i])[dropped:]
    return [i == case["owner_uid"] or (i in top and shares[i] > 0) for i in uids]


# 1.2 steps 5 and 11: weights and old bonds, masked
def valid_weights(case: Case, permit: list[bool]) -> Rows:
    registered = ints(case["block_at_registration"])
    updated, committed = ints(case["last_update"]), ints(case["commit_block"])

    def counts(i: int, j: int, _: int) -> bool:
        to_itself = i == j and i != case["owner_uid"]
        committed_before = case["commit_reveal"] and committed[i] < registered[j]
        return permit[i] and updated[i] > registered[j] and not (to_itself or committed_before)

    rows = kept(stored_rows(case["weights"]), counts)
    sums = [sum(w for _, w in row) for row in rows]
    return entrywise(rows, lambda i, _, w: over(w, sums[i]))


def valid_bonds(case: Case) -> Rows:
    registered = ints(case["block_at_registration"])
    step = case["last_mechanism_step_block"]
    last_tempo = step + 1 if step else max(0, case["current_block"] - case["tempo"])
    return kept(stored_rows(case["bonds_in"]), lambda _i, j, _b: registered[j] < last_tempo)


# 1.2 steps 6, 7 and 10: consensus (1.3), clipped weights, weights for bonds
def weighted_median(stake: Vector, scores: Vector, minority: int) -> int:
    """Find the least score up to which there is more stake than the minority, or the greatest."""
    order = sorted(zip(scores, stake, strict=True))
    reached = accumulate(s for _, s in order)
    beyond = (v for (v, _), total in zip(order, reached, strict=True) if total > minority)
    return next(beyond, max(scores, default=0))


def consensus(case: Case, stake: Vector, weights: Rows) -> Vector:
    """Let all who have stake vote; an absent weight is a vote for zero."""
    voters = [i for i, s in enumerate(stake) if s > 0]
    shares = normalised([stake[i] for i in voters])
    minority = sum(shares) - over(case["kappa"], U16)
    votes = [dict(weights[i]) for i in voters]
    uids = range(len(stake))
    return [weighted_median(shares, [v.get(j, 0) for v in votes], minority) for j in uids]


def clipped(weights: Rows, limit: Vector) -> Rows:
    """Remove an entry that is cut down to zero, but not one that was zero."""
    staying = kept(weights, lambda _, j, v: v == 0 or limit[j] > 0)
    return entrywise(staying, lambda _, j, v: min(v, limit[j]))


def weights_for_bonds(case: Case, weights: Rows, clip: Rows) -> Rows:
    penalty = over(case["bonds_penalty"], U16)
    if penalty in (0, ONE):
        return clip if penalty else weights
    return blend(clip, weights, lambda low, high: high + times(penalty, low - high))


# 1.2 step 12: bonds and dividends (1.4, 1.5), liquid alpha (1.6)
def moving_average(case: Case, new: Rows, old: Rows) -> Rows:
    alpha = ONE - over(case["bonds_moving_average"], 10**6)
    return blend(new, old, lambda a, b: times(alpha, a) + times(ONE - alpha, b))


def yuma2_bonds(case: Case, stake: Vector, weights: Rows) -> Rows:
    bought = columns_divided(staked(stake, weights), sum)
    bonds = moving_average(case, bought, columns_divided(valid_bonds(case), sum))
    return columns_divided(bonds, sum)


def yuma3_bonds(case: Case, limit: Vector, weights: Rows) -> Rows:
    old = entrywise(valid_bonds(case), lambda _i, _j, b: over(b, U16))
    if case["liquid_alpha"] and any(limit):
        return [liquid_row(case, limit, w, b) for w, b in zip(weights, old, strict=True)]
    return moving_average(case, weights, old)


def liquid_row(case: Case, limit: Vector, weights: Row, bonds: Row) -> Row:
    """Keep a bond only where the new weights have an entry, be it zero."""
    seen_w, seen_b, old = in_walk(weights), in_walk(bonds), dict(bonds)
    row = []
    for j, w in weights:
        alpha = liquid_alpha(case, limit[j], seen_w.get(j, 0), seen_b.get(j, 0))
        bond = times(ONE - alpha, old.get(j, 0)) + times(alpha, w)
        row.append((j, min(bond, ONE)))
    return [(j, bond) for j, bond in row if bond > 0]


def in_walk(row: Row) -> dict[int, int]:
    """Walk once through the row while the uids count up: a uid behind a greater one is missed."""
    greatest = accumulate((j for j, _ in row), max)
    return {j: v for (j, v), top in zip(row, greatest, strict=True) if j == top}


def liquid_alpha(case: Case, limit: int, weight: int, bond: int) -> int:
    """Learn a purchase by its height over the consensus, a sale by its size."""
    low, high = over(case["alpha_low"], U16), over(case["alpha_high"], U16)
    steepness = over(case["alpha_sigmoid_steepness"], 100)
    distance = clamp(weight - limit if weight >= bond else bond - weight, 0, ONE)
    exponent = times(-steepness, distance - ONE // 2)
    sigmoid = over(ONE, ONE + exp(clamp(exponent, -20 * ONE, 20 * ONE)))
    return clamp(low + times(sigmoid, high - low), low, high)


def earned(bonds: Rows, incentive: Vector) -> Vector:
    return [sum(times(b, incentive[j]) for j, b in row) for row in bonds]


def bonds_and_dividends(
    case: Case, stake: Vector, limit: Vector, weights: Rows, incentive: Vector
) -> tuple[Rows, Vector]:
    """Yuma 2 buys bonds with stake and stores them upscaled, Yuma 3 pays by stake."""
    if not case["yuma3"]:
        bonds = yuma2_bonds(case, stake, weights)
        return columns_divided(bonds, max), normalised(earned(bonds, incentive))
    bonds = yuma3_bonds(case, limit, weights)
    pay = earned(columns_divided(bonds, sum), incentive)
    return bonds, normalised([times(s, d) for s, d in zip(stake, pay, strict=True)])


# 1.2 steps 13 to 16: emission, and everything under its name
def emissions(case: Case, fallback: Vector, incentive: Vector, dividends: Vector) -> dict[str, Any]:
    both = [i + d for i, d in zip(incentive, dividends, strict=True)]
    total = sum(both)
    shares = [[over(v, total) for v in part] for part in (incentive, dividends, both)]
    if total == 0:
        shares[1:] = [fallback, fallback]
    rao = [[v * case["rao_emission"] // ONE for v in part] for part in shares]
    return dict(zip(EMISSIONS, shares + rao, strict=True))


def epoch(case: Case) -> dict[str, Any]:
    """Compute all that the chain stores and pays; shares and raw bonds are times 2**32."""
    active, permit, shares = is_active(case), permits(case), stake_shares(case)
    permit_next, voters = new_permits(case, shares), zip(shares, active, permit, strict=True)
    stake = normalised([s if a and p else 0 for s, a, p in voters])
    weights = valid_weights(case, permit)
    limit = consensus(case, stake, weights)
    clip = clipped(weights, limit)
    prerank, rank = received(stake, weights), received(stake, clip)
    incentive = normalised(rank)
    for_bonds = weights_for_bonds(case, weights, clip)
    bonds, dividends = bonds_and_dividends(case, stake, limit, for_bonds, incentive)
    raw = {
        "stake_norm": shares,
        "active_stake": stake,
        "consensus": limit,
        "validator_trust": [sum(v for _, v in row) for row in clip],
        "incentive": incentive,
        "dividends": dividends,
        "prerank": prerank,
        "rank": rank,
        "trust": [over(r, p) for r, p in zip(rank, prerank, strict=True)],
    }
    parts = raw | {"stake_weight": shares}
    stored = {f"{name}_u16": [u16(v) for v in parts[name]] for name in STORED}
    small = kept(entrywise(bonds, lambda _i, _j, b: u16(b)), lambda i, _j, _b: permit_next[i])
    flags = {"active": active, "new_validator_permit": permit_next}
    paid = emissions(case, stake if any(stake) else shares, incentive, dividends)
    return raw | stored | flags | paid | {"bonds_raw": bonds, "bonds_u16": small}
