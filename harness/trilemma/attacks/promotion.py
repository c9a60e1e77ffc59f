"""A coalition lifts one of two equals over the other."""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.moves import order, promote, sequence, split, vote
from trilemma.model import Budget, Play


def promotion(budget: Budget) -> Iterator[Play]:
    """Give the target's weight to its twin, by weights alone or with votes and orders."""
    yield Play("promotion", "weights", promote, aim="twin")
    yield Play("promotion", "weights, votes and orders", sequence(promote, vote, order), aim="twin")
    for count in budget.identity_counts:
        yield Play(
            "promotion",
            f"weights, votes and orders, {count} identities each",
            sequence(promote, vote, order, partial(split, parts=count)),
            identities=count,
            aim="twin",
        )
