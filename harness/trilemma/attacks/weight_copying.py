"""Free riding on other validators' work."""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.moves import copy_peers, sequence, split
from trilemma.model import Budget, Play


def weight_copying(budget: Budget) -> Iterator[Play]:
    """Report the mean of everybody else's reports, from one validator or from many."""
    yield Play("weight_copying", "the peers' mean", copy_peers)
    for count in budget.identity_counts:
        copied = sequence(partial(split, parts=count), copy_peers)
        yield Play(
            "weight_copying", f"the peers' mean, {count} validators", copied, identities=count
        )
