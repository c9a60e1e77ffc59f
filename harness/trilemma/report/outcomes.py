"""What rules pay the identities of a network, and what changes between two of them."""

from __future__ import annotations

from dataclasses import dataclass

from trilemma.concentration import Concentration
from trilemma.model import FloatArray, IntArray

__all__ = ["Change", "Group", "Identity", "Order", "Outcome"]


@dataclass(frozen=True)
class Identity:
    """An account of the network: in both roles where validator i and miner i are one.

    Parameters
    ----------
    name : str
        As the file says, or its place.
    place : int
        In the file, among its role.
    role : str or None
        `validator`, `miner` or `both`; None where it neither counts nor is paid by any rule.
    owner : int or None
        The principal, if it is known.
    stake : float
        Share of the stake that counts, mean over epochs.
    """

    name: str
    place: int
    role: str | None
    owner: int | None
    stake: float


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a rule pays in an epoch, mean over epochs; the unit is all emission of an epoch.

    Parameters
    ----------
    label : str
        Of the rule.
    pay : ndarray, shape (k,)
        By identity, over both roles.
    validators, miners : ndarray, shapes (n,) and (m,)
        By role; they sum to at most xi and 1 - xi.
    ranks : ndarray of int, shape (k,)
        By pay, 1 the highest; among all accounts, or among those of one role.
    burnt : float
    identities : Concentration
        Of pay.
    principals : Concentration or None
        Likewise, if the file tells who owns what.
    """

    label: str
    pay: FloatArray
    validators: FloatArray
    miners: FloatArray
    ranks: IntArray
    burnt: float
    identities: Concentration
    principals: Concentration | None


@dataclass(frozen=True)
class Group:
    """What becomes of validators of similar stake, or of miners of similar pay.

    Parameters
    ----------
    role : {"validators", "miners"}
    name : str
    size : int
    stake : float or None
        Share of the stake that counts; None for miners.
    before, after : float
        Pay of all of them in this role.
    """

    role: str
    name: str
    size: int
    stake: float | None
    before: float
    after: float


@dataclass(frozen=True)
class Order:
    """How far the order by pay changes, among those paid in a role before or after.

    Parameters
    ----------
    role : {"validators", "miners"}
    paid : int
        How many these are.
    tau : float or None
        Kendall's tau-b of the two orders; None where either has no order, or there are more than
        5,000.
    median, farthest : float, int
        Ranks that they move.
    """

    role: str
    paid: int
    tau: float | None
    median: float
    farthest: int


@dataclass(frozen=True, eq=False)
class Change:
    """What another rule changes.

    Parameters
    ----------
    outcome : Outcome
        Under it.
    differences : ndarray, shape (k,)
        Pay under it less pay before, by identity.
    gained, lost : float
        What gains come to, and losses.
    groups : tuple of Group
    orders : tuple of Order
    """

    outcome: Outcome
    differences: FloatArray
    gained: float
    lost: float
    groups: tuple[Group, ...]
    orders: tuple[Order, ...]
