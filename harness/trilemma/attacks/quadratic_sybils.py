"""Many small accounts that show one work under many names.

Source: Gitcoin's quadratic funding, round 10, where an estimated 36.2 % of the contributors (95 %
interval 26.1 to 45.4) were Sybils and 8.9 % were flagged; and Arbitrum's airdrop of March 2023,
with clusters of 4.7 addresses on average.
"""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.moves import clone, praise_self, sequence, split
from trilemma.model import Budget, Play

COUNTS = (4, 32)  # a cluster below a detector's threshold; a third of all, beside 64 honest


def quadratic_sybils(budget: Budget) -> Iterator[Play]:
    """Split stake and work over 4 or 32 accounts each, reported honestly or praised.

    How many validators see through the copies is a fact of the world (`World.sees_clones`).
    """
    for count in COUNTS:
        if count <= budget.identities:
            accounts = sequence(partial(split, parts=count), partial(clone, count=count - 1))
            praised = sequence(accounts, partial(praise_self, intensity=1.0))
            label = f"{count} accounts and copies"
            yield Play("quadratic_sybils", label, accounts, identities=count)
            yield Play("quadratic_sybils", f"{label}, praised", praised, identities=count)
