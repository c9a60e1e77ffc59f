"""Sybils that praise each other, each a different one."""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.moves import fake, praise_in_a_ring, sequence, split
from trilemma.model import Budget, Play


def praise_rings(budget: Budget) -> Iterator[Play]:
    """Let each of k validators praise the next of k miners, by half and in full."""
    for count in budget.identity_counts:
        for part in (0.5, 1.0):
            yield Play(
                "praise_rings",
                f"{count} validators in a ring, {part:.0%} of the report",
                sequence(
                    partial(split, parts=count),
                    partial(fake, count=count - 1),
                    partial(praise_in_a_ring, intensity=part),
                ),
                identities=count,
            )
