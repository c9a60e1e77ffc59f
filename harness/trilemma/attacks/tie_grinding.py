"""Reports that stand exactly at, or a hair beside, what the others agree on.

Source: rules with a threshold (Yuma's consensus, `kappa` of the stake), which may decide a tie for
whoever makes it.
"""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.moves import match_peers
from trilemma.model import Budget, Play

EPSILON = 1e-6


def tie_grinding(budget: Budget) -> Iterator[Play]:  # noqa: ARG001 - every budget affords it
    """Report the others' weighted medians, exactly or just beside; the own miner gets the rest."""
    for label, margin in (("at", 0.0), ("just above", EPSILON), ("just below", -EPSILON)):
        yield Play(
            "tie_grinding", f"{label} the peers' medians", partial(match_peers, margin=margin)
        )
