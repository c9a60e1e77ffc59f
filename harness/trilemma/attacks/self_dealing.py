"""Validators that pay their own principal's miners."""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.moves import fake, praise_self, sequence, split
from trilemma.model import Budget, Play

INTENSITIES = (0.25, 0.5, 0.75, 1.0)


def self_dealing(budget: Budget) -> Iterator[Play]:
    """Praise the own miner by several degrees, alone and from (and with) many identities."""
    for part in INTENSITIES:
        yield Play(
            "self_dealing", f"{part:.0%} of the report", partial(praise_self, intensity=part)
        )
    praise = partial(praise_self, intensity=1.0)
    for count in budget.identity_counts:
        accounts = partial(split, parts=count)
        both = sequence(accounts, partial(fake, count=count - 1), praise)
        yield Play(
            "self_dealing", f"{count} validators", sequence(accounts, praise), identities=count
        )
        yield Play("self_dealing", f"{count} validators and miners", both, identities=count)
