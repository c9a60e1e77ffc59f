"""The kernel that takes whole plays of Yuma against the twins of the single steps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import naive
from tests.data import shared
from trilemma import kernels
from trilemma.kernels import Outcome, Settings

Numbers = npt.NDArray[Any]

patient = settings(deadline=None)
PLAIN = Settings(3, 1.0, 0.1, False, 0.7, 0.9, 10.0)
RULES = st.builds(
    Settings,
    st.sampled_from([2, 3]),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.booleans(),
    st.just(0.2),
    st.sampled_from([0.2, 0.9]),
    st.sampled_from([-3.0, 10.0]),
).map(lambda rule: rule._replace(liquid=rule.liquid and rule.version == 3))


class Plays(NamedTuple):
    weights: Numbers
    stake: Numbers
    prior: Numbers

    def run(
        self, rule: Settings, guess: Numbers | None = None, parts: Any = None, workers: int = 0
    ) -> Outcome:
        kind, weights = self.weights.dtype, self.weights.view()
        weights.setflags(write=kind == np.float32)  # as epochs have them: compiled once
        n, m = weights.shape[2:]
        count, epochs = max(len(weights), len(self.stake)), weights.shape[1]
        bits = 30 if kind == np.float32 else 62
        units = np.apply_along_axis(kernels.stake_units, -1, self.stake, bits)
        total = units.sum(axis=-1, dtype=np.int64)
        needed = np.vectorize(kernels.needed_support, otypes=[units.dtype])(0.5, total)
        share = (self.stake / np.maximum(self.stake.sum(-1, keepdims=True), 1e-300)).astype(kind)
        outcome = Outcome(
            np.full((count, epochs, m), np.nan, kind),
            np.full((count, epochs, m), np.nan, kind),
            np.full((count, epochs, n), np.nan, kind),
            np.zeros((count, n, m), kind),
        )
        start = np.zeros(0, kind) if guess is None else guess
        given_ = (weights, share, units, needed, self.prior, start, rule)
        parts = [(0, count)] if parts is None else parts
        compute: Any = kernels.plays
        if workers:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(lambda part: compute(*given_, *part, outcome), parts))
        else:
            for part in parts:
                compute(*given_, *part, outcome)
        return outcome


def synthetic(
    seed: int, plays: int, epochs: int, n: int, m: int, kind: Any, *, carried: bool, ties: bool
) -> Plays:
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 4, (plays, epochs, n, m)) / 3.0
    if not ties:
        weights *= rng.random(weights.shape)
    weights[rng.random(weights.shape) < 0.1] = -0.0
    weights /= np.maximum(weights.sum(-1, keepdims=True), 1e-9)
    stake = rng.integers(0, 5, (plays, 1, n)) * rng.integers(1, 9, (plays, 1, n))
    stake = np.repeat(stake, epochs, axis=1).astype(np.int64)
    prior = rng.random((plays, n, m)) * (rng.random((plays, n, m)) < 0.7)
    return Plays(weights.astype(kind), stake, (prior if carried else prior[:0]).astype(kind))


@st.composite
def drawn(draw: st.DrawFn, kind: Any = np.float64) -> Plays:
    return synthetic(
        draw(st.integers(0, 2**32)),
        draw(st.integers(1, 3)),
        draw(st.integers(1, 3)),
        draw(st.integers(1, 19)),
        draw(st.sampled_from([1, 2, 15, 16, 17, 127, 128, 129, 260])),
        kind,
        carried=draw(st.booleans()),
        ties=draw(st.booleans()),
    )


def by_steps(plays: Plays, rule: Settings) -> list[tuple[Numbers, Numbers, Numbers, Numbers]]:
    """Consensus, incentive, dividends of every epoch and the last bonds, play by play."""
    return [
        _play(plays.weights[play], plays.stake[play], prior, rule)
        for play, prior in enumerate(
            plays.prior if len(plays.prior) else np.zeros_like(plays.weights[:, 0])
        )
    ]


def _play(weights: Numbers, stakes: Numbers, bonds: Numbers, rule: Settings) -> Any:
    every = []
    for said, stake in zip(weights.astype(np.float64), stakes, strict=True):
        units = kernels.stake_units(stake)
        share = stake / max(1, stake.sum())
        heard = np.where(share[:, None] > 0, said, 0) + 0.0
        agreed = naive.argsort_consensus(
            heard, units, kernels.needed_support(0.5, int(units.sum()))
        )
        clipped, ranks, _ = naive.clip_and_rank(heard, agreed, share)
        incentive = naive.normalised(ranks)
        target = naive.interpolated(heard, clipped, rule.beta)
        alpha: Any = rule.alpha
        if rule.liquid and agreed.any():
            alpha = naive.liquid_alpha(target, bonds, agreed, rule.low, rule.high, rule.steepness)
        bind = naive.bonds_version_2 if rule.version == 2 else naive.bonds_version_3
        bonds, dividends = bind(target, bonds, share, incentive, alpha)
        every.append((agreed, incentive, dividends))
    return *(np.array(part) for part in zip(*every, strict=True)), bonds


def assert_close(found: Outcome, plays: Plays, rule: Settings, slack: float) -> None:
    for play, (agreed, incentive, dividends, bonds) in enumerate(by_steps(plays, rule)):
        np.testing.assert_array_equal(found.consensus[play], agreed.astype(plays.weights.dtype))
        np.testing.assert_allclose(found.incentive[play], incentive, atol=slack)
        np.testing.assert_allclose(found.dividends[play], dividends, atol=slack)
        np.testing.assert_allclose(found.bonds[play], bonds, atol=slack)


@patient
@given(drawn(), RULES)
def test_whole_plays_come_to_what_the_single_steps_come_to(plays: Plays, rule: Settings) -> None:
    assert_close(plays.run(rule), plays, rule, 1e-12)


@patient
@given(drawn(np.float32), RULES)
def test_float32_agrees_to_its_own_precision_and_its_consensus_is_exact(
    plays: Plays, rule: Settings
) -> None:
    assert_close(plays.run(rule), plays, rule, 3e-5)


@patient
@given(drawn() | drawn(np.float32), RULES, st.integers(0, 3), st.data())
def test_where_a_search_starts_changes_no_bit(
    plays: Plays, rule: Settings, workers: int, data: st.DataObject
) -> None:
    m = plays.weights.shape[3]
    guess: Numbers = np.array(
        data.draw(st.lists(st.floats(0, 2, width=32), min_size=m, max_size=m)), plays.weights.dtype
    )
    assert_same(plays.run(rule), plays.run(rule, guess=guess, workers=workers))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_order_and_threads_change_no_bit(kind: Any, workers: int) -> None:
    plays = synthetic(3, 7, 2, 40, 200, kind, carried=True, ties=False)
    parts = [(play, play + 1) for play in reversed(range(7))]
    assert_same(plays.run(PLAIN), plays.run(PLAIN, parts=parts, workers=workers))


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_one_network_may_serve_plays_with_other_stakes(kind: Any) -> None:
    plays = synthetic(4, 5, 1, 30, 140, kind, carried=False, ties=False)
    once = plays._replace(weights=plays.weights[:1])
    each = plays._replace(weights=np.repeat(plays.weights[:1], 5, axis=0))
    assert_same(once.run(PLAIN, guess=np.zeros(140, kind)), each.run(PLAIN))


def test_without_stake_everything_is_zero() -> None:
    plays = synthetic(5, 2, 2, 6, 20, np.float64, carried=False, ties=True)
    found = plays._replace(stake=np.zeros_like(plays.stake)).run(PLAIN)
    assert not any(array.any() for array in found)


@pytest.mark.parametrize("epoch", [0, 99])
def test_a_real_subnet_comes_to_the_same_by_steps(epoch: int) -> None:
    with np.load(shared("networks/bittensor-sn31/sn31_dense.npz")) as file:
        weights, stake = file["weights"][epoch].astype(np.float64), file["stake"]
    weights /= np.maximum(weights.sum(1, keepdims=True), 1)
    plays = Plays(weights[None, None], stake[None, None], np.zeros((0, *weights.shape)))
    assert_close(plays.run(PLAIN), plays, PLAIN, 1e-12)


def assert_same(first: Outcome, second: Outcome) -> None:
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@given(drawn())
def test_the_ufunc_broadcasts_over_leading_axes(plays: Plays) -> None:
    weights, stake = plays.weights, plays.stake[:, 0]
    found = kernels.agreed(weights, stake[:, None])
    assert found.shape == (*weights.shape[:2], weights.shape[3])
    for play, epoch in np.ndindex(*weights.shape[:2]):
        alone = kernels.agreed(np.asfortranarray(weights[play, epoch]), stake[play])
        np.testing.assert_array_equal(found[play, epoch], alone)
        units = kernels.stake_units(stake[play])
        needed = kernels.needed_support(0.5, int(units.sum()))
        expected = naive.argsort_consensus(weights[play, epoch] + 0.0, units, needed)
        np.testing.assert_array_equal(alone, expected)
