"""How concentrated amounts are: in how few hands, and how far from equal parts.

Amounts are non-negative, one per holder, in any unit: only shares matter. Holders should be
principals, not identities, wherever these are known. Nothing at all is in nobody's hands: every
measure of it is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from trilemma.checks import NOTHING
from trilemma.errors import UsageError
from trilemma.fields import numbers
from trilemma.model import FloatArray
from trilemma.power import nakamoto_of

__all__ = ["Concentration", "concentration", "entropy", "gini", "hhi", "nakamoto"]

# Equal amounts that were added up in another order differ by less than this share of all
HALF = Fraction(1, 2) + Fraction(1, 10**12)


@dataclass(frozen=True)
class Concentration:
    """How concentrated amounts are, by four measures; all of them 0 where there is nothing.

    Parameters
    ----------
    hhi : float
        Herfindahl-Hirschman index: the sum of squared shares, 1/n for n equal holders and 1 for
        a single one.
    nakamoto : int
        The fewest holders who have more than half of all.
    entropy : float
        Shannon entropy of the shares over its largest value, in [0, 1]: 1 for equal holders, 0
        for a single one. Holders of less than 1e-9 of all do not count. Holders of little do,
        and lower it.
    gini : float
        Gini coefficient over all holders given, in [0, 1): 0 for equal ones. It depends on who
        is given: holders of nothing drive it to 1, and change none of the others.
    """

    hhi: float
    nakamoto: int
    entropy: float
    gini: float


def concentration(amounts: npt.ArrayLike) -> Concentration:
    """Return how concentrated amounts are.

    Parameters
    ----------
    amounts : array_like, shape (n,)
        What each holder has; finite, not negative, any unit.

    Returns
    -------
    Concentration

    Raises
    ------
    UsageError
        If these are no such amounts.
    """
    return Concentration(hhi(amounts), nakamoto(amounts), entropy(amounts), gini(amounts))


def hhi(amounts: npt.ArrayLike) -> float:
    """Return the sum of squared shares; see `Concentration`. Source: Herfindahl 1950.

    Parameters
    ----------
    amounts : array_like, shape (n,)
    """
    return float(np.square(_shares(amounts)).sum())


def nakamoto(amounts: npt.ArrayLike) -> int:
    """Return how few holders have more than half of all; see `Concentration`.

    Half is exceeded by more than 1e-12 of all, so that it does not depend on rounding whether two
    equal holders are needed or one. Source: Srinivasan and Lee 2017.

    Parameters
    ----------
    amounts : array_like, shape (n,)
    """
    shares = _shares(amounts)
    return nakamoto_of(shares[shares > 0].tolist(), HALF) if shares.any() else 0


def entropy(amounts: npt.ArrayLike) -> float:
    """Return the entropy of shares over the logarithm of how many count; see `Concentration`.

    Source: Shannon 1948; Pielou 1966 (evenness).

    Parameters
    ----------
    amounts : array_like, shape (n,)
    """
    shares = _shares(amounts)
    held = shares[shares > NOTHING]
    if held.size < 2:
        return 0.0
    return float(min(1.0, -(held * np.log(held)).sum() / np.log(held.size)))


def gini(amounts: npt.ArrayLike) -> float:
    """Return the Gini coefficient; see `Concentration`. Source: Gini 1912.

    Parameters
    ----------
    amounts : array_like, shape (n,)
    """
    shares = np.sort(_shares(amounts))
    if not shares.any():
        return 0.0
    n = shares.size
    ahead = np.arange(1, n + 1) * 2 - n - 1
    return float(max(0.0, (ahead * shares).sum() / n))


def _shares(amounts: npt.ArrayLike) -> FloatArray:
    """Return amounts as shares of all, or zeros."""
    held = numbers("amounts", amounts)
    if held.ndim != 1:
        raise UsageError(f"amounts: expected one per holder, shape (n,), got {held.shape}")
    held = held.astype(np.float64)
    fault = np.flatnonzero(~((held >= 0) & (held < np.inf)))  # written so that NaN is one
    if fault.size:
        raise UsageError(
            f"amounts: expected finite, not negative; got {held[fault[0]]} at {fault[0]}"
        )
    largest = held.max(initial=0.0)
    if largest == 0:
        return np.zeros(held.shape)
    held = held / largest  # so that the sum is finite
    return np.asarray(held / held.sum())
