"""The same work shown under many names."""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.moves import clone, praise_self, sequence
from trilemma.model import Budget, Play


def cloned_miners(budget: Budget) -> Iterator[Play]:
    """Show one piece of work 2, 4, 8, ... times, reported honestly or praised."""
    for count in budget.identity_counts:
        copies = partial(clone, count=count - 1)
        praised = sequence(copies, partial(praise_self, intensity=1.0))
        yield Play("cloned_miners", f"{count} copies", copies, identities=count)
        yield Play("cloned_miners", f"{count} copies, praised", praised, identities=count)
