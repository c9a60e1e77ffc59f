"""An attacker has everybody else suspended and takes what they were paid."""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.moves import oust, sequence, split
from trilemma.model import Budget, Play


def ousting(budget: Budget) -> Iterator[Play]:
    """Vote to suspend all miners but own ones, with one account or with many."""
    yield Play("ousting", "votes against all others", oust)
    for count in budget.identity_counts:
        yield Play(
            "ousting",
            f"votes of {count} accounts against all others",
            sequence(partial(split, parts=count), oust),
            identities=count,
        )
