"""Miners that do no work: worth something only where identities themselves are paid."""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.moves import fake, praise_self, sequence
from trilemma.model import Budget, Play


def fake_miners(budget: Budget) -> Iterator[Play]:
    """Register 1, 3, 7, ... idle miners beside the true one, reported honestly or praised."""
    for count in budget.identity_counts:
        register = partial(fake, count=count - 1)
        praised = sequence(register, partial(praise_self, intensity=1.0))
        yield Play("fake_miners", f"{count - 1} idle miners", register, identities=count)
        yield Play("fake_miners", f"{count - 1} idle miners, praised", praised, identities=count)
