"""Established validators whose rows leave a newcomer out, without standing out themselves.

Source: rules that follow a consensus of reports, where who agrees with it elsewhere loses nothing
by leaving one miner out. No incident is asserted.
"""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.moves import copy_peers, keep_best, sequence, shun
from trilemma.model import Budget, Play

KNOWN = 10


def newcomer_suppression(budget: Budget) -> Iterator[Play]:  # noqa: ARG001 - every budget affords it
    """Leave the target out: of the others' mean, or of a list of the ten best-known miners."""
    yield Play(
        "newcomer_suppression",
        "the peers' mean without the target",
        sequence(copy_peers, shun),
        aim="twin",
    )
    yield Play(
        "newcomer_suppression",
        "ten known miners without the target",
        sequence(shun, partial(keep_best, count=KNOWN)),
        aim="twin",
    )
