"""Stake that is there for one epoch only.

Source: Beanstalk, 17 April 2022, as reported by secondary sources: about 1 billion USD was borrowed
within one transaction and held two thirds of the votes for a single step.
"""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.censorship import EVERY_CHANNEL
from trilemma.attacks.moves import arrive, praise_self, sequence
from trilemma.model import Budget, Play

HELD = 1  # epochs; other plays hold their stake forever


def flash_stake(budget: Budget) -> Iterator[Play]:  # noqa: ARG001 - every budget affords it
    """Act with stake that has just come: as others do, in self-dealing, or against the target.

    What the loan costs is not counted.
    """
    fresh = partial(arrive, epochs=HELD)
    praise = partial(praise_self, intensity=1.0)
    yield Play("flash_stake", "fresh stake, honest report", fresh)
    yield Play("flash_stake", "fresh stake, self-dealing", sequence(fresh, praise))
    yield Play(
        "flash_stake", "fresh stake, every channel", sequence(fresh, *EVERY_CHANNEL), aim="twin"
    )
