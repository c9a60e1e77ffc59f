from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests import naive
from tests.data import ROOT
from trilemma.kernels import (
    SharedBase,
    consensus,
    consensus_on_base,
    earned_on_base,
    needed_support,
    normalised,
    shared_base,
    stake_units,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

patient = settings(deadline=None)  # the first call compiles

# Few values, so that attackers meet ties, and others to fall between them
SAID = st.sampled_from([0.0, -0.0, 5e-324, 0.1, 0.25, 0.5, 1.0]) | st.floats(0, 1)
HELD = st.sampled_from([0, 0, 1, 1, 2, 3]) | st.integers(0, 2**58)


class Question(NamedTuple):
    """An epoch in which some rows are the attackers'."""

    weights: FloatArray
    units: IntArray
    prior: FloatArray
    rows: IntArray
    needed: int

    @property
    def share(self) -> FloatArray:
        return normalised(self.units.astype(np.float64))

    @property
    def said(self) -> FloatArray:
        return self.weights[self.rows]

    def base(self) -> SharedBase:
        """Prepare it without a look at what the attackers say."""
        unsaid = self.weights.copy()
        unsaid[self.rows] = np.nan
        return shared_base(unsaid, self.units, self.share, self.prior, self.rows, self.needed)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Small, full of ties and of numbers at the edge."""
    n, m = draw(st.integers(1, 8)), draw(st.integers(1, 6))
    weights = draw(arrays(np.float64, (n, m), elements=SAID))
    units = draw(arrays(np.int64, n, elements=HELD))
    rows = draw(st.permutations(range(n)))[: draw(st.integers(1, min(4, n)))]
    needed = draw(st.integers(1, int(units.sum()) + 1))
    return Question(weights, units, np.zeros((n, m)), np.array(rows), needed)


@st.composite
def wide_questions(draw: st.DrawFn) -> Question:
    """More of everything, on a grid; a quarter of stakes and weights are zero."""
    n, m, q = draw(st.integers(5, 60)), draw(st.integers(1, 9)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    weights = rng.integers(0, rng.integers(2, 40), (n, m)) / 40
    weights[rng.random((n, m)) < 0.25] = 0
    units = rng.integers(0, 4, n) * rng.integers(1, 2**40)
    rows = rng.permutation(n)[:q]
    units[rows] *= rng.integers(1, 20)  # now and then most of the stake
    kappa = draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
    needed = needed_support(kappa, int(units.sum()))
    prior = rng.integers(0, 3, (n, m)) / 3 * rng.integers(0, 3, m).astype(bool)
    return Question(weights, units, prior, rows, needed)


# --- the consensus -------------------------------------------------------------------------------


@settings(patient, max_examples=150)
@given(questions() | wide_questions())
def test_the_consensus_is_that_of_the_whole_matrix(question: Question) -> None:
    found = consensus_on_base(question.base(), question.said)
    whole = question.weights, question.units, question.needed
    np.testing.assert_array_equal(found, consensus(*whole))
    np.testing.assert_array_equal(found, naive.consensus(*whole))
    assert not (np.copysign(1, found) < 0).any()


@patient
@given(wide_questions(), st.randoms(use_true_random=False))
def test_one_base_serves_all_candidates(question: Question, random: Any) -> None:
    base = question.base()
    for _ in range(5):
        said = np.array([[random.randrange(41) / 40 for _ in row] for row in question.said])
        whole = question.weights.copy()
        whole[question.rows] = said
        expected = consensus(whole, question.units, question.needed)
        np.testing.assert_array_equal(consensus_on_base(base, said), expected)


@pytest.mark.parametrize("kappa", [0, 0.25, 0.5, 0.75, 1])
@pytest.mark.parametrize("attackers", [[0], [3], [1, 2], [0, 1, 2], [0, 1, 2, 3]])
def test_a_support_of_exactly_kappa_is_enough(kappa: float, attackers: list[int]) -> None:
    units = stake_units(np.full(4, 0.1))
    weights = np.array([[1, 4, 0], [2, 3, 0], [3, 2, 1], [4, 1, 1]]) / 8
    needed = needed_support(kappa, int(units.sum()))
    asked = Question(weights, units, np.zeros((4, 3)), np.array(attackers), needed)
    best = 4 - max(1, round(4 * kappa)) + 1
    expected = [best / 8, best / 8, 0.125 * (kappa <= 0.5)]
    assert consensus_on_base(asked.base(), asked.said).tolist() == expected


def test_attackers_with_enough_stake_set_the_consensus_at_will() -> None:
    asked = Question(np.eye(3, 2), np.array([1, 1, 5]), np.zeros((3, 2)), np.array([2]), 4)
    for said in ([0.0, 0.0], [0.25, 0.75], [1.0, 0.0]):
        assert consensus_on_base(asked.base(), np.array([said])).tolist() == said


def test_only_places_that_attackers_can_move_the_consensus_to_are_kept() -> None:
    n, m = 100, 3
    weights = np.random.default_rng(0).random((n, m))
    asked = Question(weights, np.ones(n, np.int64), np.zeros((n, m)), np.array([4, 7]), 50)
    assert asked.base().places.size == 3 * m  # as many as attackers, and the one below
    assert asked._replace(weights=0 * weights).base().places.size == m


# --- what is earned ------------------------------------------------------------------------------


def by_twins(
    question: Question, version: int, beta: float, alpha: float
) -> tuple[FloatArray, FloatArray]:
    """Return incentive and the attackers' dividends by the slow twins of the kernels."""
    share, weights = question.share, question.weights
    agreed = naive.consensus(weights, question.units, question.needed)
    clipped, ranks, _ = naive.clip_and_rank(weights, agreed, share)
    incentive = naive.normalised(ranks)
    target = naive.interpolated(weights, clipped, beta)
    bind = naive.bonds_version_2 if version == 2 else naive.bonds_version_3
    _, dividends = bind(target, question.prior, share, incentive, alpha)
    return incentive, dividends[question.rows]


@settings(patient, max_examples=100)
@given(
    wide_questions(),
    st.sampled_from([2, 3]),
    st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.booleans(),
)
def test_what_is_earned_is_what_the_twins_pay(
    question: Question, version: int, beta: float, alpha: float, fresh: bool
) -> None:
    if fresh:
        question = question._replace(prior=np.zeros(question.prior.shape))
    found = earned_on_base(question.base(), question.said, version, beta, alpha)
    expected = by_twins(question, version, beta, alpha)
    assert found.doubt < 1e-20
    np.testing.assert_allclose(found.incentive, expected[0], rtol=1e-12)
    np.testing.assert_allclose(found.dividends, expected[1], rtol=1e-12, atol=1e-16)


def test_one_weight_far_above_the_consensus_takes_no_digits_from_what_is_left() -> None:
    weights = np.array([[1, 0], [1e-12, 1], [3e-12, 1], [2e-12, 1]])
    asked = Question(weights, np.array([3, 2, 2, 2]), np.zeros((4, 2)), np.array([3]), 5)
    found = earned_on_base(asked.base(), asked.said, 3, 1.0, 0.1)
    expected = by_twins(asked, 3, 1.0, 0.1)
    np.testing.assert_allclose(found.incentive, expected[0], rtol=1e-14)
    np.testing.assert_allclose(found.dividends, expected[1], rtol=1e-14)


def test_there_is_doubt_where_honest_bonds_are_so_small_that_they_may_count_as_none() -> None:
    weights = np.array([[1, 1e-29], [1, 2e-29], [0, 5e-29]])
    asked = Question(weights, np.array([1, 1, 1]), np.zeros((3, 2)), np.array([2]), 3)
    assert earned_on_base(asked.base(), asked.said, 3, 1.0, 0.1).doubt > 0.1
    assert earned_on_base(asked.base(), asked.said, 3, 0.0, 0.1).doubt > 0.1
    assert earned_on_base(asked.base(), np.ones((1, 2)), 3, 0.0, 0.1).doubt < 1e-28


@patient
@given(wide_questions())
def test_nothing_that_is_given_is_written_to(question: Question) -> None:
    base, said = question.base(), question.said
    before = [np.array(part).tobytes() for part in (*base, said)]
    said.setflags(write=False)
    for version in (2, 3):
        earned_on_base(base, said, version, 0.5, 0.1)
    assert [np.array(part).tobytes() for part in (*base, said)] == before


# --- what only a fresh process shows -------------------------------------------------------------

SCRIPT = """
import json
import sys
import numpy as np
from trilemma.kernels import earned_on_base, shared_base

for n, m, q in ((1, 1, 1), (2, 3, 2), (9, 5, 1), (30, 4, 4)):
    rng = np.random.default_rng(n)
    for scale in (1, 2, 50):
        weights = rng.integers(0, scale + 1, (n, m)) / scale
        units, rows = rng.integers(0, 5, n), rng.permutation(n)[:q]
        for needed in range(1, int(units.sum()) + 2):
            base = shared_base(weights, units, units / 99, weights, rows, needed)
            for version in (2, 3):
                earned_on_base(base, rng.random((q, m)), version, 0.5, 0.1)

modules = (sys.modules[it.__module__] for it in (shared_base, earned_on_base))
compiled = [it for module in modules for it in vars(module).values() if hasattr(it, "stats")]
print(json.dumps([[sum(getattr(it.stats, name).values()) for it in compiled]
                  for name in ("cache_misses", "cache_hits")]))
"""


def run(cache: Path, **extra: str) -> tuple[list[int], list[int]]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache), **extra},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    misses, hits = json.loads(done.stdout)
    return misses, hits


def test_no_loop_leaves_its_arrays_and_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    misses, hits = run(tmp_path, NUMBA_BOUNDSCHECK="1")
    assert min(misses) >= 1
    assert not any(hits)
    again, found = run(tmp_path)
    assert not any(again)
    assert sum(found) >= 6
