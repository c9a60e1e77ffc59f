"""The chain's own test vectors, each run against what this project has in its place.

Numbers are compared in steps of 2**-32, as the chain counts them. A case that has no counterpart
here stands in `NOT_APPLICABLE`, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from math import ceil
from typing import Any

import numpy as np
import pytest
from numba import njit

from tests import vectors
from tests.data import shared
from tests.vectors import ONE, Array, Checks, Facts, Vector, chain_yuma, raw, shares, single
from trilemma import kernels
from trilemma.chain import Chain, Csr
from trilemma.kernels import arithmetic
from trilemma.model import Epoch
from trilemma_mechanisms.yuma.entries import Entries
from trilemma_mechanisms.yuma.numbers import NUMBERS

try:
    FILE = shared("subtensor/vectors.json")
except pytest.skip.Exception as absent:
    pytest.skip(str(absent), allow_module_level=True)

VECTORS = vectors.read(FILE)
CHAIN = NUMBERS["chain"]
HIGH = 2**62  # no weight reaches it

NEGATIVE = "amounts of an epoch are never negative; a negative stake is refused"
EMPTY = "an epoch without miners is refused"
PLAIN = "an arithmetical helper of the chain's library, which here is a plain numpy operation"
OTHER_NUMBERS = "a conversion that does not occur here: amounts are Python integers"
OTHER_SUBNETS = "emission between subnets is not what a mechanism decides"
TAKEOVER = "locks and the owner's replacement are not modelled"

NOT_APPLICABLE = {
    "unit/test_vec_max_upscale_to_u16/0": EMPTY,
    "unit/test_vec_u16_max_upscale_to_u16/0": EMPTY,
    "unit/test_check_vec_max_limited/*": "no limit to a single weight: on chain it is inactive",
    "unit/test_math_is_topk/0": EMPTY,
    "unit/test_math_is_topk/1": "at least one permit is given out: max_validators is 1 or more",
    "unit/test_math_sum/*": PLAIN,
    "unit/test_math_normalize/2": NEGATIVE,
    "unit/test_math_inplace_normalize/1": NEGATIVE,
    "unit/test_math_inplace_normalize_64/1": NEGATIVE,
    "unit/test_math_vec_mask_sparse_matrix/[02]": "blocks are compared by <, as on chain, not by =",
    "unit/test_math_vec_mul/*": PLAIN,
    "unit/test_math_mat_vec_mul/*": PLAIN,
    "unit/test_math_mat_vec_mul_sparse/*": PLAIN,
    "unit/test_mat_ema_alpha/4": "matrices of one epoch always have the same shape",
    "unit/test_math_fixed_to_u16_etc/[0-2]": "whole numbers are not stored as u16 here",
    "unit/test_math_fixed_to_u16_etc/[3-8]": OTHER_NUMBERS,
    "unit/test_math_fixed_to_u16_etc/1[1-4]": "sums are Python integers, which do not overflow",
    "epoch/test_get_set_alpha/1": "a mechanism's parameters may be set whether or not used",
    "epoch/test_get_set_alpha/3": "the least alpha_low is a rule for owners, not of the epoch",
    "epoch/test_last_update_size_mismatch": "a record whose lengths do not fit is refused",
    "subnet_level/get_shares*": OTHER_SUBNETS,
    "subnet_level/test_coinbase_*": OTHER_SUBNETS,
    "subnet_level/inplace_pow_normalize_*": OTHER_SUBNETS,
    "subnet_level/moving_price_*": "prices of subnets are not modelled",
    "subnet_level/conviction_*": TAKEOVER,
    "subnet_level/ownership_change_gate/*": TAKEOVER,
}

Answer = tuple[Any, Any]
"""What was found, and what the file expects in the same unit."""

Run = Callable[[Facts, Any], Answer]
UNIT: dict[str, Run] = {}


def of(*functions: str) -> Callable[[Run], Run]:
    """Register what runs the cases of these functions of the chain."""

    def register(run: Run) -> Run:
        UNIT.update({f"unit/{name}": run for name in functions})
        return run

    return register


# --- numbers -------------------------------------------------------------------------------------


@njit
def exponential(x: Any) -> Any:
    return arithmetic.exponential(x)


@njit
def sigmoid(x: Any) -> Any:
    return arithmetic.inverse(arithmetic.one(x) + arithmetic.exponential(x))


@njit
def quotient(amount: Any, total: Any) -> Any:
    return arithmetic.scaled(amount, total)


def saturated(value: int) -> int:
    return max(-(2**63), min(value, 2**63 - 1))


@of("exp_safe")
def exp_safe(inputs: Facts, _: bool) -> Answer:
    """The file tells relations; e has 23 bits behind the point."""
    relation = inputs["relation"]
    if "x<=-20" in relation:
        arguments, expected = [-(2**63), -21 * ONE], exponential(-20 * ONE)
    elif "x>=20" in relation:
        arguments, expected = [2**63 - 1, 21 * ONE], exponential(20 * ONE)
    else:
        one = "exp(1)" in relation
        arguments, expected = [one * ONE], int(np.e * 2**23) << 9 if one else ONE
    return [exponential(x) for x in arguments], [expected] * len(arguments)


@of("sigmoid_safe")
def sigmoid_safe(inputs: Facts, expected: float) -> Answer:
    """Liquid alpha has a sigmoid around 1/2 of what lies in 0 to 1; with rho 40 x is float32."""
    x, rho, kappa = (raw(inputs[name]) for name in ("input", "rho", "kappa"))
    x = raw(single(inputs["input"])) if rho == 40 * ONE else x
    if 0 <= x <= ONE and kappa == ONE // 2:
        target, zero = np.array([[x]]), np.zeros(1, np.int64)
        found = kernels.liquid_alpha(target, zero[:, None], zero, 0, ONE, rho)[0, 0]
    else:
        found = sigmoid(saturated(saturated(-rho) * saturated(x - kappa) >> 32))
    return found, raw(expected)


@of("vecdiv")
def vecdiv(inputs: Facts, expected: list[Any]) -> Answer:
    pairs = zip(raw(inputs["x"]), raw(inputs["y"]), strict=True)
    wanted = [ONE // 3 if each == "fixed(1)/fixed(3)" else raw(each) for each in expected]
    return [quotient(x, y) for x, y in pairs], wanted


@of("conversions")
def conversions(inputs: Facts, expected: int) -> Answer:
    assert inputs["f"] == "proportion->u16"
    return kernels.to_u16(np.array([inputs["x"] * ONE])), [expected]


@of("bonds moving average -> alpha")
def moving_average(inputs: Facts, expected: float) -> Answer:
    """The first bond of version 3 is alpha itself."""
    rule = chain_yuma(inputs, version=3)
    return vectors.steps(rule.stages(Epoch([1], [[1]]))["bonds"]), [[raw(expected)]]


# --- stake and permits ---------------------------------------------------------------------------


def of_stake(stage: str, stake: Any, record: Chain | None = None, **settings: Any) -> Array:
    epoch = Epoch(stake, np.zeros((len(stake), 1)), chain=record)
    return chain_yuma(**settings).stages(epoch)[stage]


@of("stake normalisation precision")
def stake_share(inputs: Facts, expected: Facts) -> Answer:
    """Here a share goes straight to 32 bits behind the point; the 64 are not kept."""
    part = inputs["stake_rao"]
    found = of_stake("stake", [part, inputs["total_rao"] - part])
    return vectors.steps(found)[0], raw(expected["as_I32F32"])


@of("inplace_mask_vector")
def mask_vector(inputs: Facts, expected: list[float]) -> Answer:
    """Masked are the stakes of who is inactive."""
    record = Chain(block=9, last_update=np.where(inputs["mask"], 1, 9))
    found = of_stake("active_stake", inputs["vector"], record, activity_cutoff=1)
    return vectors.steps(found), shares(expected)


@of("is_topk")
def is_topk(inputs: Facts, expected: list[bool]) -> Answer:
    """A permit wants some stake as well, so that all get one more."""
    stake = np.array(inputs["vector"]) + 1
    return of_stake("next_permits", stake, max_validators=inputs["k"]), expected


# --- weights that count --------------------------------------------------------------------------


@of("vec_max_upscale_to_u16", "vec_u16_max_upscale_to_u16")
def max_upscale(inputs: Facts, expected: list[int]) -> Answer:
    vector = [raw(each) / ONE for each in inputs["vector"]]
    return CHAIN.set_weights(Epoch([1], [vector]).weights)[0], expected


def heard(rows: Any, sparse: bool = False, **record: Any) -> Array:
    """Return the weights that count, of validators with equal stake."""
    said = np.array(rows, np.int64)
    stored = Csr.of(said)
    if sparse:
        sizes = np.concatenate([[0], (said > 0).sum(axis=1).cumsum()])
        stored = Csr(sizes, np.nonzero(said)[1], said[said > 0])
    epoch = Epoch(np.ones(len(said), int), said, chain=Chain(weights=stored, **record))
    return vectors.steps(chain_yuma().stages(epoch)["weights"])


def beside(rows: Any, sparse: bool = False, **record: Any) -> Array:
    """Return them with one more miner, so that validators and miners are not the same."""
    return heard(np.pad(rows, ((0, 0), (0, 1))), sparse, **record)[:, :-1]


@of("inplace_mask_matrix")
def mask_matrix(inputs: Facts, expected: Any) -> Answer:
    """Masked is a validator's own weight, or all that is older than the miners."""
    mask = np.array(inputs["mask"])
    if (mask == np.eye(3, dtype=bool)).all():
        return heard(inputs["matrix"]), shares(expected)
    assert mask.all() or not mask.any()
    updated = [int(not mask.all())] * 3
    found = beside(inputs["matrix"], last_update=updated, registered=[0] * 4)
    return found, shares(expected)


@of("vec_mask_sparse_matrix")
def mask_later(inputs: Facts, expected: Any) -> Answer:
    """What was committed before a miner came does not count for it."""
    registered = [*inputs["second"], 0]
    found = beside(inputs["matrix"], commits=inputs["first"], registered=registered)
    return found, shares(expected)


# --- consensus, clipping, ranks ------------------------------------------------------------------


@of("weighted_median")
def median(inputs: Facts, expected: float) -> Answer:
    stake, score, majority = (raw(single(inputs[k])) for k in ("stake", "score", "majority"))
    needed = max(1, int(stake.sum()) - (ONE - majority))
    return kernels.consensus(score[:, None], stake, needed), [raw(single(expected))]


@of("weighted_median (property)")
def median_property(inputs: Facts, _: str) -> Answer:
    rng, found = np.random.default_rng(0), []
    for majority in raw(single(inputs["majority_values"])):
        for equal in inputs["allow_equal"]:
            stake, score = np.ones(inputs["n"], np.int64), np.arange(inputs["n"])
            if equal:
                stake, score = rng.integers(0, 2, (2, inputs["n"]))
            units, score = kernels.normalised(stake * ONE), score.cumsum() if equal else score
            needed = min(int(units.sum()), int(majority))
            allowed = acceptable(score, units, int(units.sum()) - needed)
            for order in [rng.permutation(inputs["n"]) for _ in range(10)]:
                median = kernels.consensus(score[order, None], units[order], max(1, needed))
                found.append(median[0] in allowed)
    return found, [True] * len(found)


def acceptable(score: Array, units: Array, minority: int) -> set[int]:
    """Return the scores at which stake reaches the minority; one more if it is no more than it."""
    reached = units.cumsum()
    level = reached[np.argmax(reached >= minority)]
    last = score.size - int(np.argmax(reached[::-1] == level))
    return set(score[reached == level].tolist()) | set(score[last : last + (level == minority)])


@of("weighted_median_col")
def median_col(inputs: Facts, expected: list[float]) -> Answer:
    stake = raw(inputs["stake"])
    weights = vectors.matrix(inputs["weights"])[: stake.size]
    return CHAIN.consensus(weights, stake, stake, inputs["majority"]), raw(expected)


def ranked(inputs: Facts) -> tuple[Array, Array, Array]:
    """Clip, rank and trust a matrix; without thresholds nothing is clipped."""
    rows = vectors.matrix(inputs["matrix"])
    limit = raw(inputs["thresholds"]) if "thresholds" in inputs else np.full(rows.shape[1], HIGH)
    stake = raw(inputs["vector"]) if "vector" in inputs else np.zeros(rows.shape[0], np.int64)
    clipped, ranks, trust = kernels.clip_and_rank(rows, limit, stake)
    return clipped, ranks, trust


# --- bonds and dividends -------------------------------------------------------------------------


@of("interpolate", "interpolate_sparse")
def interpolate(inputs: Facts, expected: Any) -> Answer:
    """Where equality is asked for, literals are float32."""
    exact = inputs["ratio"] != 0.9
    low, high, ratio, wanted = (
        single(each) if exact else each
        for each in (inputs["mat1"], inputs["mat2"], inputs["ratio"], expected)
    )
    found = kernels.interpolated(vectors.matrix(low), vectors.matrix(high), raw(ratio))
    return found, vectors.matrix(wanted)


def bought(target: Array, share: Array) -> Array:
    """Return bonds of version 2 that nobody held before."""
    none, idle = np.zeros(target.shape, np.int64), np.zeros(target.shape[1], np.int64)
    bonds: Array = kernels.bonds_version_2(target, none, share, idle, ONE)[0]
    return bonds


@of("inplace_col_normalize", "inplace_col_normalize_sparse")
def col_normalize(inputs: Facts, expected: Any) -> Answer:
    rows = vectors.matrix(inputs["matrix"])
    return bought(rows, np.full(len(rows), ONE)), vectors.matrix(expected)


@of("row_hadamard", "row_hadamard_sparse")
def row_hadamard(inputs: Facts, expected: Any) -> Answer:
    """Bonds are bought with stake times weight, and scaled to sum 1 by miner."""
    found = bought(vectors.matrix(inputs["matrix"]), raw(inputs["vector"]))
    return found, shares(np.transpose(expected)).T


@of("matmul_transpose", "matmul_transpose_sparse")
def matmul_transpose(inputs: Facts, expected: list[float]) -> Answer:
    """Dividends of version 3, if miners earn in proportion to the bonds that are in them."""
    rows = vectors.matrix(inputs["matrix"]) // 16  # bonds are at most 1
    incentive = rows.sum(axis=0) * inputs["vector"]
    stake, none = np.full(len(rows), ONE), np.zeros(rows.shape, np.int64)
    return kernels.bonds_version_3(rows, none, stake, incentive, ONE)[1], shares(expected)


def moved(new: Array, old: Array, alpha: Any) -> Array:
    stake, idle = np.full(len(new), ONE), np.zeros(new.shape[1], np.int64)
    bonds: Array = kernels.bonds_version_3(new, old, stake, idle, alpha)[0]
    return bonds


@of("mat_ema_alpha")
def ema(inputs: Facts, expected: Any) -> Answer:
    new, old, alpha = (vectors.matrix(inputs[name]) for name in ("new", "old", "alpha"))
    return moved(new, old, alpha), vectors.matrix(expected)


@of("mat_ema_alpha_sparse")
def ema_sparse(inputs: Facts, expected: Any) -> Answer:
    """An old bond is dropped where the new weights have no entry."""
    new, old, alpha = (vectors.matrix(inputs[name]) for name in ("new", "old", "alpha"))
    return moved(new, Entries(old).within(new > 0).numbers, alpha), vectors.matrix(expected)


@of("compute_bonds (liquid alpha on == off when alpha_low==alpha_high)")
def liquid_and_not(inputs: Facts, _: str) -> Answer:
    new, old = (vectors.matrix(inputs[name]) for name in ("weights", "bonds"))
    low, high = (CHAIN.of(inputs[f"alpha_{end}_u16"] / 65535) for end in ("low", "high"))
    limit, steepness = raw(inputs["consensus"])[: new.shape[1]], CHAIN.of(inputs["steepness"] / 100)
    liquid = kernels.liquid_alpha(new, old, limit, low, high, steepness)
    plain = CHAIN.one - CHAIN.of(inputs["bonds_moving_average"] / 10**6)
    return moved(new, old, liquid), moved(new, old, plain)


# --- in short: what is found, where it is compared with the literals, or with their shares -------

LITERAL: dict[str, Callable[[Facts], Array]] = {
    "normalize": lambda it: kernels.normalised(raw(it["x"])),
    "inplace_normalize": lambda it: kernels.normalised(raw(it["x"])),
    "inplace_normalize_64": lambda it: vectors.steps(of_stake("stake", it["x"])),
    "inplace_row_normalize": lambda it: beside(it["matrix"]),
    "inplace_row_normalize_sparse": lambda it: beside(it["matrix"], sparse=True),
    "inplace_col_clip": lambda it: ranked(it)[0],
    "col_clip_sparse": lambda it: ranked(it)[0],
    "matmul": lambda it: ranked(it)[1],
    "matmul_sparse": lambda it: ranked(it)[1],
    "row_sum": lambda it: ranked(it)[2],
    "row_sum_sparse": lambda it: ranked(it)[2],
    "inplace_col_max_upscale": lambda it: kernels.columns_upscaled(vectors.matrix(it["matrix"])),
    "inplace_col_max_upscale_sparse": lambda it: kernels.columns_upscaled(
        vectors.matrix(it["matrix"])
    ),
}
MASKED: dict[str, Callable[[Facts], Array]] = {
    "inplace_mask_rows": lambda it: beside(it["matrix"], permits=~np.array(it["mask"])),
    "mask_rows_sparse": lambda it: beside(it["matrix"], True, permits=~np.array(it["mask"])),
    "inplace_mask_diag": lambda it: heard(it["matrix"]),
    "inplace_mask_diag_except_index": lambda it: heard(it["matrix"], owner=it["except_index"]),
    "mask_diag_sparse": lambda it: heard(it["matrix"], True),
    "mask_diag_sparse_except_index": lambda it: heard(it["matrix"], True, owner=it["except_index"]),
}


def in_short(find: Callable[[Facts], Array], unit: Callable[[Any], Array]) -> Run:
    return lambda inputs, expected: (find(inputs), unit(expected))


UNIT |= {f"unit/{name}": in_short(find, raw) for name, find in LITERAL.items()}
UNIT |= {f"unit/{name}": in_short(find, shares) for name, find in MASKED.items()}


# --- the tests -----------------------------------------------------------------------------------

SLACK = {"row_hadamard": 2, "matmul_transpose": 8, "mat_ema_alpha": 4}  # steps lost in rounding
NEAREST = 1e-4  # one case allows a tenth, which would not tell whether a bond was dropped


def matching(patterns: Iterable[str], name: str) -> list[str]:
    return [pattern for pattern in patterns if fnmatchcase(name, pattern)]


def checks_of(vector: Vector) -> Checks:
    """Yield what was found, what was expected, and how far they may be apart."""
    for pattern in matching(vectors.SCENARIOS, vector.what):
        yield from vectors.SCENARIOS[pattern](vector)
    if vector.what in UNIT:
        found, expected = UNIT[vector.what](vector.case["inputs"], vector.case["expected"])
        slack = SLACK.get(vector.what.removeprefix("unit/").removesuffix("_sparse"), 0)
        yield found, expected, ceil(min(vector.case["tolerance"], NEAREST) * ONE) + slack


APPLICABLE = [vector for vector in VECTORS if not matching(NOT_APPLICABLE, vector.id)]


@pytest.mark.parametrize("vector", APPLICABLE, ids=[vector.id for vector in APPLICABLE])
def test_a_vector_of_the_chain_holds(vector: Vector) -> None:
    checks = list(checks_of(vector))
    assert checks
    for found, expected, within in checks:
        arrays = np.asarray(found), np.asarray(expected)
        assert arrays[0].size == arrays[1].size
        kind = float if "f" in {array.dtype.kind for array in arrays} else int
        one, other = (array.astype(kind).ravel() for array in arrays)
        assert (np.abs(one - other) <= within).all(), (found, expected)


def test_every_case_of_the_file_is_run_or_said_not_to_apply() -> None:
    """Each by one runner or by one reason; and no runner and no reason is without a case."""
    runners = [*UNIT, *vectors.SCENARIOS]
    run = {v.id: matching(runners, v.what) for v in APPLICABLE}
    left_out = {v.id: matching(NOT_APPLICABLE, v.id) for v in VECTORS if v.id not in run}
    assert len(run) + len(left_out) == len(VECTORS)
    for found, known in ((run, runners), (left_out, NOT_APPLICABLE)):
        assert {len(names) for names in found.values()} == {1}
        assert {name for names in found.values() for name in names} == {*known}
