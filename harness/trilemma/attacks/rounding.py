"""Shares too small for the numbers in which a chain keeps them.

Source: opentensor/subtensor stores weights as 16-bit integers, so that a unit is 1/65535 of a row's
largest weight.
"""

from collections.abc import Iterator
from functools import partial

from trilemma.attacks.moves import dust, slight
from trilemma.model import Budget, Play

UNIT = 1 / 65535


def rounding(budget: Budget) -> Iterator[Play]:  # noqa: ARG001 - every budget affords it
    """Mention miners by shares that round to nothing, or to more than what was given."""
    yield Play("rounding", "0.4 units for everybody else", partial(dust, share=0.4 * UNIT))
    yield Play("rounding", "0.6 units for everybody else", partial(dust, share=0.6 * UNIT))
    yield Play(
        "rounding", "0.4 units for the target", partial(slight, share=0.4 * UNIT), aim="twin"
    )
