"""Reports turned upside down: gains nothing, ruins quality."""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.moves import reverse, sequence, split
from trilemma.model import Budget, Play


def misreporting(budget: Budget) -> Iterator[Play]:
    """Give the best miner the worst report, from one validator or from many."""
    yield Play("misreporting", "reversed report", reverse)
    for count in budget.identity_counts:
        reversed_report = sequence(partial(split, parts=count), reverse)
        yield Play(
            "misreporting",
            f"reversed report, {count} validators",
            reversed_report,
            identities=count,
        )
