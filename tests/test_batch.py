from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from trilemma import Epoch, Rewards, load
from trilemma.batch import Batch
from trilemma.contract import Pay, call, call_each
from trilemma.entrant import Entrant
from trilemma.errors import PluginError
from trilemma.fields import freeze


def epochs(count: int, n: int = 6, m: int = 9, *, votes: bool = False) -> list[Epoch]:
    rng = np.random.default_rng(count)
    return [
        Epoch(
            rng.integers(0, 9, n) + 1,
            rng.random((n, m)),
            votes=rng.integers(-1, 2, (n, m)) if votes else None,
        )
        for _ in range(count)
    ]


def same_network(count: int) -> list[Epoch]:
    first, *_ = epochs(1)
    stakes = np.random.default_rng(0).random((count, first.stake.size))
    return [first.replace(stake=stake) for stake in stakes]


@dataclass(frozen=True)
class Linear:
    """Written in numpy with axes counted from the end, so that it takes one epoch or several."""

    batched: bool = True

    def __call__(self, epoch: Epoch) -> Any:
        support = np.einsum("...i,...ij->...j", epoch.stake, epoch.weights)
        return support / support.sum(axis=-1, keepdims=True)


class Counting(Linear):
    """Notes the shapes that it is asked about."""

    seen: list[tuple[int, ...]] = []  # noqa: RUF012

    def __call__(self, epoch: Epoch) -> Any:
        self.seen.append(epoch.weights.shape)
        return super().__call__(epoch)


def assert_same(found: list[Pay], expected: list[Pay], slack: float = 0) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.miners, other.miners, rtol=0, atol=slack)
        np.testing.assert_allclose(one.validators, other.validators, rtol=0, atol=slack)


SPECS = [
    "yuma",
    "yuma(version=2, bonds_penalty=0.5)",
    "yuma(liquid_alpha=True)",
    "yuma(arithmetic='float32')",
    "yuma(kappa=0.9)",
    "stake_capped",
    "stake_capped(cap=0.2)",
    "quadratic",
    "quadratic(power=1)",
    "dao_vote",
    "dao_vote(electorate='stake', quorum=0.1)",
]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("several", [epochs(5), epochs(4, votes=True), same_network(7)])
def test_a_batch_pays_what_its_epochs_pay_alone_to_the_last_bit(
    spec: str, several: list[Epoch]
) -> None:
    rule = load(spec)
    assert rule.batched  # type: ignore[attr-defined]
    alone = [call(spec, rule, epoch) for epoch in several]
    assert_same(call_each(spec, rule, several), alone)


@pytest.mark.parametrize(
    "spec", ["yuma(arithmetic='chain')", "yuma(max_validators=3)", "yuma(stake_threshold=2)"]
)
def test_rules_that_look_at_single_accounts_are_asked_epoch_by_epoch(spec: str) -> None:
    rule, several = load(spec), epochs(4)
    assert not rule.batched  # type: ignore[attr-defined]
    assert_same(call_each(spec, rule, several), [call(spec, rule, epoch) for epoch in several])


def test_a_numpy_mechanism_is_fed_chunks_that_stay_in_the_cache() -> None:
    several = epochs(9, 64, 512)  # 256 KiB of weights each
    Counting.seen.clear()
    found = call_each("linear", Counting(), several)
    assert [shape[0] for shape in Counting.seen] == [4, 4, 1]
    assert_same(found, [call("linear", Linear(), epoch) for epoch in several], 1e-15)


def test_epochs_of_other_shapes_or_with_a_past_are_asked_alone() -> None:
    Counting.seen.clear()
    mixed = [*epochs(3), *epochs(1, 5), epochs(1)[0].replace(carry="past")]
    call_each("linear", Counting(), mixed)
    assert [len(shape) for shape in Counting.seen] == [2, 2, 2, 2, 2]


def test_what_is_the_same_in_all_epochs_is_not_copied() -> None:
    several = same_network(8)
    batch = Batch(several)
    assert np.shares_memory(batch.weights, several[0].weights)
    assert batch.weights.shape == (8, 6, 9)
    assert batch.stake.shape == (8, 6)
    assert batch.votes.shape == (8, 6, 9)
    assert batch.carry is None


def test_nobody_can_write_to_a_batch() -> None:
    batch = Batch(epochs(3))
    for array in (batch.weights, batch.stake, batch.votes, batch.replace(stake=batch.stake).stake):
        assert not array.flags.writeable
    with pytest.raises(AttributeError, match="immutable"):
        batch.stake = 1
    with pytest.raises(AttributeError, match="no 'stakes'"):
        _ = batch.stakes


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda _: np.ones(9) / 9, r"shape \(9,\), not \(4, 9\)"),
        (lambda _: np.full((4, 9), [[1 / 9], [0.2], [1 / 9], [0]]), "sum to 1.8"),
        (lambda _: np.full((4, 9), [[0], [np.nan], [0], [0]]), "hold nan at 0"),
        (lambda _: Rewards(np.zeros((4, 9)), np.full((4, 6), -1)), "validators hold -1"),
        (lambda _: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_wrong_batch_is_refused_as_a_wrong_answer_is(answer: Any, said: str) -> None:
    @dataclass(frozen=True)
    class Wrong:
        batched: bool = True

        def __call__(self, epoch: Epoch) -> Any:
            return answer(epoch)

    with pytest.raises(PluginError, match=said):
        call_each("wrong", Wrong(), epochs(4))


def test_a_mechanism_that_reaches_into_the_epochs_of_a_batch_is_refused() -> None:
    class Reaching(Linear):
        def __call__(self, epoch: Any) -> Any:
            if epoch.stake.ndim == 2:
                epoch.epochs[1].__dict__["votes"] = np.ones((6, 9))
            return super().__call__(epoch)

    several = epochs(4)
    with pytest.raises(PluginError, match="wrote to an epoch of its batch"):
        call_each("reaching", Reaching(), several)
    assert not several[1].votes.any()


def test_a_batch_is_the_sequence_of_its_epochs_with_the_fields_that_it_was_given() -> None:
    (epoch,) = epochs(1)
    stakes = freeze(np.arange(1.0, 31).reshape(5, 6))
    batch = Batch([epoch] * 5, {"stake": stakes})
    assert [list(it.stake) for it in batch] == stakes.tolist()
    assert [list(it.stake) for it in batch[1:3]] == stakes[1:3].tolist()
    assert all(it.weights is epoch.weights for it in batch)
    assert not batch[0].stake.flags.writeable
    assert_same(call_each("linear", Linear(), batch), call_each("linear", Linear(), [*batch]))


def test_a_mechanism_that_reaches_into_what_a_batch_was_given_changes_nobody_elses() -> None:
    class Reaching(Linear):
        def __call__(self, epoch: Any) -> Any:
            if epoch.stake.ndim == 2:
                epoch.given["stake"] = np.ones((5, 6))
                epoch.__dict__["stake"] = np.ones((5, 6))
            return super().__call__(epoch)

    (epoch,) = epochs(1)
    stakes = freeze(np.arange(1.0, 31).reshape(5, 6))
    batch = Batch([epoch] * 5, {"stake": stakes})
    call_each("reaching", Reaching(), batch)
    assert batch.stake is stakes
    assert [list(it.stake) for it in batch] == stakes.tolist()


@pytest.mark.parametrize("liar", range(10))
def test_one_wrong_place_in_every_batch_is_found_out(liar: int) -> None:
    class Lying(Linear):
        def __call__(self, epoch: Epoch) -> Any:
            pay = np.array(super().__call__(epoch))
            if epoch.stake.ndim == 2:
                pay[liar] = pay[liar, ::-1]
            return pay

    entrant = Entrant("lying", Lying())
    for number in range(200):
        # some calls of other sizes in between, as a comparison makes them
        assert entrant.pays(epochs(10))
        assert entrant.pays(epochs(1 + number % 3))
    entrant.confirm()
    assert "two answers" in str(entrant.failure)


def test_a_batch_that_differs_from_its_epochs_is_found_out() -> None:
    @dataclass(frozen=True)
    class TwoFaced(Linear):
        def __call__(self, epoch: Epoch) -> Any:
            pay = super().__call__(epoch)
            return pay if epoch.stake.ndim == 1 else pay[:, ::-1]

    entrant = Entrant("two-faced", TwoFaced())
    assert entrant.pays(epochs(4))
    entrant.confirm()
    assert "two answers" in str(entrant.failure)
