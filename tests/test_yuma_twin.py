"""Yuma in chain arithmetic against a slow twin that counts entry by entry, on random records."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests import naive_chain
from trilemma.testing.oracle import epoch_of, outputs, rule_of

ONE = 2**32
U16 = 65535
NEVER = 2**64 - 1
Array = npt.NDArray[Any]
Case = dict[str, Any]
Draw = st.DrawFn

# The first call compiles. To explain a failure, instead of shrinking it only, takes minutes.
patient = settings(deadline=None, phases=[it for it in Phase if it != Phase.explain])

u16s = st.sampled_from([0, 0, 1, 2, 32767, 65534, U16, U16]) | st.integers(0, U16)
stakes = st.sampled_from([0, 1, 1, 5, 10**9, 10**9 + 1, 2**40, 2**54]) | st.integers(0, 10**6)
blocks = st.integers(97, 103)
registrations = st.sampled_from([0, 0, 1, 96]) | blocks  # so that most of a matrix counts
mostly = st.sampled_from([1, 1, 0])
alphas = st.tuples(u16s, u16s).map(sorted)
owners = st.integers(-1, 6)
UNSAID = st.none()


class Matrix(NamedTuple):
    """A sparse matrix as a chain stores it; a row need not be in the order of uids."""

    indptr: Array
    idx: Array
    val: Array


def uids(n: int, each: st.SearchStrategy[Any], kind: type = np.uint64) -> st.SearchStrategy[Array]:
    return st.lists(each, min_size=n, max_size=n).map(lambda drawn: np.array(drawn, kind))


def matrix_of(rows: naive_chain.Rows) -> Matrix:
    entries = [entry for row in rows for entry in row]
    sizes = np.cumsum([0, *map(len, rows)])
    columns, values = (np.array([e[k] for e in entries], np.int64) for k in (0, 1))
    return Matrix(sizes, columns, values)


@st.composite
def matrices(draw: Draw, n: int) -> Matrix:
    """Draw rows with zeros, with gaps, and now and then out of order."""
    rows = []
    for _ in range(n):
        values = draw(st.lists(UNSAID | u16s, min_size=n, max_size=n))
        order = draw(st.just(range(n)) | st.permutations(range(n)))
        rows.append([(j, v) for j in order if (v := values[j]) is not None])
    return matrix_of(rows)


@st.composite
def rules(draw: Draw) -> Case:
    """Draw hyperparameters."""
    low, high = draw(alphas)
    settled: Case = draw(
        st.fixed_dictionaries(
            {
                "yuma3": mostly,
                "liquid_alpha": mostly,
                "kappa": st.sampled_from([0, 32767, U16]) | u16s,
                "bonds_penalty": st.sampled_from([0, U16]) | st.integers(1, U16 - 1),
                "bonds_moving_average": st.sampled_from([900_000, 0, 10**6, 975_000])
                | st.integers(0, 10**6),
                "alpha_sigmoid_steepness": st.sampled_from([1000, 200, 200, -200, 0, 5000, 32767])
                | st.integers(-32768, 32767),
                "activity_cutoff": st.integers(1, 12),
                "tempo": st.integers(1, 8),
                "max_allowed_validators": st.integers(1, 8),
                "stake_threshold": st.sampled_from([0, 0, 1, 2, 10**9]),
                "commit_reveal": st.integers(0, 1),
                "rao_emission": st.sampled_from([10**9, 0, 1, 2**63]),
            }
        )
    )
    return settled | {"alpha_low": low, "alpha_high": high}


@st.composite
def records(draw: Draw, n: int, owner: int) -> Case:
    """Draw what a chain knows of n uids, but for its bonds and permits."""
    stored: Case = draw(
        st.fixed_dictionaries(
            {
                "stake": uids(n, stakes),
                "last_update": uids(n, blocks),
                "block_at_registration": uids(n, registrations),
                "commit_block": uids(n, st.just(NEVER) | blocks),
                "current_block": st.integers(99, 106),
                "last_mechanism_step_block": st.just(0) | blocks,
                "weights": matrices(n),
            }
        )
    )
    return stored | {"n": n, "owner_uid": owner if owner < n else -1}


@st.composite
def cases(draw: Draw) -> Case:
    """Draw all that an epoch depends on."""
    n = draw(st.sampled_from([5, 6, 7, 4, 3, 2, 1]))
    permits = draw(uids(n, st.integers(0, 3).map(bool), bool))
    case = draw(rules()) | draw(records(n, draw(owners)))
    return case | {"validator_permit": permits, "bonds_in": draw(matrices(n))}


@st.composite
def sequences(draw: Draw) -> list[Case]:
    """Draw cases of one subnet; bonds and permits of all but the first are still to come."""
    first = draw(cases())
    n, owner = first["n"], first["owner_uid"]
    return [first, *(first | draw(records(n, owner)) for _ in range(draw(st.integers(1, 4))))]


@st.composite
def splits(draw: Draw) -> Case:
    """Draw a case in which those who give a miner the most hold exactly kappa of the stake.

    They divide 65535 units and rows sum to 65535, so that only rounding may tip the balance.
    """
    case, n = draw(rules()), draw(st.integers(4, 7))
    cuts = sorted(
        {0, U16, *draw(st.lists(st.integers(1, U16 - 1), min_size=n - 3, max_size=n - 3))}
    )
    stake = [*np.diff(cuts).tolist(), *[0] * n][:n]
    given_one = draw(st.lists(u16s, min_size=n - 2, max_size=n - 2))
    rows = [[(n - 2, U16 - w), (n - 1, w)] for w in given_one]
    least = draw(st.sampled_from(given_one))
    kappa = sum(s for s, w in zip(stake, given_one, strict=False) if w >= least)
    blocks_of = {"last_update": 9, "block_at_registration": 0, "commit_block": NEVER}
    case |= {name: np.full(n, block, np.uint64) for name, block in blocks_of.items()}
    case |= {"n": n, "owner_uid": -1, "current_block": 9, "last_mechanism_step_block": 0}
    case |= {"kappa": kappa, "stake": np.array(stake, np.uint64), "stake_threshold": 0}
    case |= {"weights": matrix_of([*rows, [], []]), "bonds_in": matrix_of([[]] * n)}
    return case | {"validator_permit": np.ones(n, np.bool_)}


def dense(rows: naive_chain.Rows) -> Array:
    matrix = np.zeros((len(rows), len(rows)), np.int64)
    for i, row in enumerate(rows):
        for j, value in row:
            matrix[i, j] = value
    return matrix


def assert_equal(found: dict[str, Array], twin: dict[str, Any]) -> None:
    """Shares must be the very multiples of 2**-32 that the twin counts, all else the same."""
    assert found.keys() == twin.keys()
    for name, array in found.items():
        expected = dense(twin[name]) if name.startswith("bonds") else np.array(twin[name])
        if array.dtype.kind == "f":
            expected = expected / ONE
        np.testing.assert_array_equal(array, expected, err_msg=name)


@settings(patient, max_examples=150)
@given(cases())
def test_an_epoch_equals_its_twin_in_every_output(case: Case) -> None:
    found = outputs(case, rule_of(case, "chain"), epoch_of(case))
    assert_equal(found, naive_chain.epoch(case))


@settings(patient)
@given(splits())
def test_support_of_exactly_kappa_is_weighed_as_by_the_twin(case: Case) -> None:
    found = outputs(case, rule_of(case, "chain"), epoch_of(case))
    assert_equal(found, naive_chain.epoch(case))


@settings(patient, max_examples=60)
@given(sequences())
def test_epochs_in_a_row_equal_those_of_a_twin_that_stores_its_bonds_and_permits(
    sequence: list[Case],
) -> None:
    """So does the order in which bonds are stored."""
    carry, stored = None, {name: sequence[0][name] for name in ("validator_permit", "bonds_in")}
    for case in sequence:
        epoch, rule = epoch_of(case).replace(carry=carry), rule_of(case, "chain")
        twin = naive_chain.epoch(case | stored)
        assert_equal(outputs(case, rule, epoch), twin)
        carry = rule(epoch).carry
        bonds = matrix_of(twin["bonds_u16"])
        np.testing.assert_array_equal(carry.bonds, dense(twin["bonds_u16"]))
        stored = {"validator_permit": np.array(twin["new_validator_permit"]), "bonds_in": bonds}
