"""Weight that is for sale.

Source: markets for votes on emissions (Curve, Votium), as reported by secondary sources: votes cost
less than the emission that they directed.
"""

from collections.abc import Iterator

from trilemma.attacks.moves import favour, order, sequence, vote
from trilemma.model import Budget, Play


def bribery(budget: Budget) -> Iterator[Play]:  # noqa: ARG001 - every budget affords it
    """Give the briber, the other twin, everything that a coalition of the bribed can give.

    Everybody acts for identities of their own only, so the bribed are the coalition; what they
    are paid is not counted.
    """
    yield Play("bribery", "weights", favour, aim="twin")
    yield Play("bribery", "weights, votes and orders", sequence(favour, vote, order), aim="twin")
