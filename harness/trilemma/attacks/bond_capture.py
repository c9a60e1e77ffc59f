"""Reports chosen for the dividends that they bring, not for what miners deserve.

Source: Yuma's dividends, which pay a validator by its part in each miner's support
(opentensor/subtensor, ``docs/consensus.md``). Here all start afresh, which stands for a report
that is kept up; committing before others do takes many epochs, and `trilemma.dynamics` plays that.
"""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.moves import keep_best, level
from trilemma.model import Budget, Play


def bond_capture(budget: Budget) -> Iterator[Play]:  # noqa: ARG001 - every budget affords it
    """Support only the best miners, for a large part in each, or the small ones, which is cheap."""
    yield Play("bond_capture", "the best miner only", partial(keep_best, count=1))
    yield Play("bond_capture", "the eight best miners only", partial(keep_best, count=8))
    yield Play("bond_capture", "all miners alike", level)
