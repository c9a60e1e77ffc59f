"""A coalition cuts off one of two equals, through every channel the protocol has."""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.moves import abstain, order, sell, sequence, shun, split, vote
from trilemma.model import Budget, Play

WITHOUT_STAKE = (shun, vote, order)
EVERY_CHANNEL = (*WITHOUT_STAKE, sell)


def censorship(budget: Budget) -> Iterator[Play]:
    """Starve the target by weights, by votes, by orders, by all at once, or by silence."""
    yield Play("censorship", "weights", shun, aim="twin")
    yield Play("censorship", "votes", vote, aim="twin")
    yield Play("censorship", "orders", order, aim="twin")
    yield Play("censorship", "silence", abstain, aim="twin")
    yield Play("censorship", "every channel", sequence(*EVERY_CHANNEL), aim="twin")
    for count in budget.identity_counts:
        yield Play(
            "censorship",
            f"every channel, {count} identities each",
            # accounts act like the one they are split from, but for what they sell
            sequence(*WITHOUT_STAKE, partial(split, parts=count), sell),
            identities=count,
            aim="twin",
        )
