"""Two principals become one: pays wherever large stake earns more than its share."""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.moves import split
from trilemma.model import Budget, Play, unchanged


def merges(budget: Budget) -> Iterator[Play]:  # noqa: ARG001 - every budget affords it
    """Join two validators of half the stake; judged against the sum of what the two earn."""
    yield Play("merges", "two validators become one", unchanged, baseline=partial(split, parts=2))
