"""Hypothesis strategies for tests of mechanisms and attacks: small epochs, worlds, budgets, plays.

Stakes and reports are whole numbers that sum to a power of two, as in `drawing`: shares, and sums
of products of shares, are exact in floats, so that a tie is a tie in whatever order a rule adds up.
The simplest epoch is one validator who reports the only miner. With the package installed,
`hypothesis.strategies.from_type` knows `Epoch`, `World`, `Budget` and `Play` as well.

>>> from hypothesis import given
>>> @given(epochs(max_validators=3, acts=False))
... def test_somebody_is_paid(epoch):
...     assert my_mechanism(epoch).any()
"""

from trilemma.testing.strategies.epochs import epochs, stakes, weights
from trilemma.testing.strategies.plays import budgets, identity_splits, plays
from trilemma.testing.strategies.worlds import worlds

__all__ = ["budgets", "epochs", "identity_splits", "plays", "stakes", "weights", "worlds"]
