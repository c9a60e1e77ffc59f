"""One principal, many validators: the stake is split, everything else stays honest."""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.moves import split
from trilemma.model import Budget, Play


def stake_splitting(budget: Budget) -> Iterator[Play]:
    """Split the stake over 2, 4, 8, ... validators."""
    for count in budget.identity_counts:
        yield Play(
            "stake_splitting", f"{count} validators", partial(split, parts=count), identities=count
        )
