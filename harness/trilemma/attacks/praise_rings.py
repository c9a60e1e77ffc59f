"""Sybils that praise each other, each a different one."""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.moves import fake, praise_in_a_ring, sequence, split
from trilemma.model import Budget, Play


def praise_rings(budget: Budget) -> Iterator[Play]:
    """Let each of k validators give all its weight to the next of k miners."""
    for count in budget.identity_counts:
        ring = sequence(
            partial(split, parts=count),
            partial(fake, count=count - 1),
            partial(praise_in_a_ring, intensity=1.0),
        )
        yield Play("praise_rings", f"{count} validators and miners", ring, identities=count)
