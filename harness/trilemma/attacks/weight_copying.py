"""Free riding on other validators' work."""

from collections.abc import Iterator

from trilemma.attacks.moves import copy_peers
from trilemma.model import Budget, Play


def weight_copying(budget: Budget) -> Iterator[Play]:  # noqa: ARG001 - every budget affords it
    """Report the mean of everybody else's reports."""
    yield Play("weight_copying", "the peers' mean", copy_peers)
