"""The nouns: what a protocol sees, what it answers, what is true, what an attacker may do.

Shapes are stated here, once: n validators, m miners, k privileged seats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from operator import is_
from typing import Any, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from trilemma import fields
from trilemma.chain import NEVER, Chain, Csr
from trilemma.checks import real, whole
from trilemma.errors import UsageError
from trilemma.relabelling import FACTS, Order, labels
from trilemma.sparse import Compressible, Sparse, is_sparse
from trilemma.sparse import weights as sparse_weights

__all__ = [
    "AIMS",
    "NEVER",
    "Attack",
    "Budget",
    "Chain",
    "Csr",
    "Epoch",
    "Mechanism",
    "Play",
    "Rewards",
    "Sparse",
    "World",
]

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
AnyArray: TypeAlias = npt.NDArray[Any]

OVERPAYMENT = 1e-9  # rounding that a pool may exceed 1 by
AS_BEFORE: Any = object()


class Epoch:
    """Everything a protocol can see at one step. Immutable; arrays are read-only.

    Parameters
    ----------
    stake : array_like, shape (n,)
        Non-negative, any unit: only shares matter. Integers are kept as integers.
    weights : array_like, shape (n, m)
        What each validator says each miner deserves. Rows are scaled to sum 1; a row of zeros
        (the validator said nothing) stays zero. A `Sparse`, or a sparse matrix of scipy, is kept
        as a `Sparse`.
    votes : array_like, shape (n, m), optional
        Ballots on suspending a miner: +1 suspend, -1 against, 0 abstain (default).
    seats : array_like, shape (k,), optional
        Which validator holds each privileged seat. Default: no seat.
    orders : array_like, shape (k, m), optional
        What each seat orders: +1 suspend, -1 reinstate, 0 nothing (default).
    flows : array_like, shape (n, m), optional
        Tokens of miner (or subnet) j that validator i buys (+) or sells (-). Default 0.
    tenure : array_like, shape (n,), optional
        Epochs for which this stake has been in place. Default: forever (infinity).
    subnets : array_like, shape (m,), optional
        The subnet that each miner works in, by any whole number. Default: all in the same.
    chain : Chain, optional
        On-chain facts that only a chain-true mechanism needs; not with sparse weights.
    carry : object, optional
        What the mechanism returned last time; None at first.

    Raises
    ------
    UsageError
        If a shape does not fit or a value is NaN, infinite, negative or out of its set. The
        message names the field, the place and the value.
    """

    stake: AnyArray
    weights: FloatArray  # or a Sparse, for whom asks: most rules know dense weights only
    votes: AnyArray
    seats: IntArray
    orders: AnyArray
    flows: FloatArray
    tenure: FloatArray
    subnets: IntArray
    chain: Chain | None
    carry: Any

    def __init__(
        self,
        stake: npt.ArrayLike,
        weights: npt.ArrayLike | Sparse | Compressible,
        *,
        votes: npt.ArrayLike | None = None,
        seats: npt.ArrayLike | None = None,
        orders: npt.ArrayLike | None = None,
        flows: npt.ArrayLike | None = None,
        tenure: npt.ArrayLike | None = None,
        subnets: npt.ArrayLike | None = None,
        chain: Chain | None = None,
        carry: Any = None,
    ) -> None:
        held = fields.stake(stake)
        said = _weights(weights)
        n, m = said.shape
        sitting = fields.seats(seats, n)
        fields.same("stake", held.shape, (n,), f"weights has {n} rows")
        if chain is not None:
            if not isinstance(chain, Chain):
                raise UsageError(f"chain: expected a trilemma.Chain, not {type(chain).__name__}")
            if isinstance(said, Sparse):
                raise UsageError("chain: a record needs dense weights; give weights.dense()")
            chain.fit(n, m)
        given = {
            "votes": votes, "orders": orders, "flows": flows, "tenure": tenure, "subnets": subnets
        }  # fmt: skip
        checked = {it: fields.valid(it, given[it], n, m, sitting.size) for it in given}
        self._set(stake=held, weights=said, seats=sitting, chain=chain, carry=carry, **checked)

    def replace(self, *, stake: npt.ArrayLike | None = None, carry: Any = AS_BEFORE) -> Self:
        """Return this epoch with another stake or carry; nothing else is validated again."""
        values: dict[str, Any] = {} if carry is AS_BEFORE else {"carry": carry}
        if stake is not None:
            values["stake"] = fields.stake(stake)
            fields.same("stake", values["stake"].shape, self.stake.shape, "as before")
        return self.trusting(**values)

    def trusting(self, **values: Any) -> Self:
        """Return this epoch with fields that are known to be valid and frozen."""
        epoch = object.__new__(type(self))
        epoch.__dict__.update(self.__dict__, **values)
        return epoch

    def is_same(self, other: Self) -> bool:
        """Tell whether two epochs hold the very same objects."""
        return all(map(is_, self.__dict__.values(), map(other.__dict__.get, self.__dict__)))

    def _set(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"an Epoch is immutable: cannot set {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"an Epoch is immutable: cannot delete {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        # Arrays that travelled are writeable; the constructor freezes them again. One number seen
        # everywhere is a default: it would travel as a whole matrix.
        optional = {name: getattr(self, name) for name in _OPTIONAL}
        for name in ("votes", "orders", "flows", "tenure", "subnets"):
            if not any(optional[name].strides):
                optional[name] = None
        return partial(Epoch, **optional), (self.stake, self.weights)

    def __repr__(self) -> str:
        n, m = self.weights.shape
        return f"Epoch({n} validators, {m} miners, {self.seats.size} seats)"


def _weights(given: Any) -> Any:
    return sparse_weights(given) if is_sparse(given) else fields.weights(given)


_OPTIONAL = ("votes", "seats", "orders", "flows", "tenure", "subnets", "chain", "carry")


@dataclass(frozen=True, eq=False)
class Rewards:
    """What a mechanism pays: two pools, each summing to at most 1; what is missing is burnt.

    Parameters
    ----------
    miners : ndarray, shape (m,)
        Non-negative shares of the miners' pool.
    validators : ndarray, shape (n,), optional
        Non-negative shares of the validators' pool. None: in proportion to stake.
    carry : object, optional
        State for the next epoch (bonds, prices, locks).
    """

    miners: AnyArray
    validators: AnyArray | None = None
    carry: Any = None


@runtime_checkable
class Mechanism(Protocol):
    """A reward rule: a callable from an epoch to rewards, or to the miners' pool alone."""

    def __call__(self, epoch: Epoch, /) -> Rewards | AnyArray:
        """Return what the epoch's identities earn."""


@dataclass(frozen=True, eq=False)
class World:
    """The hidden truth behind an epoch, and the adversary who acts in it.

    Identities keep their places here; `relabelling` shuffles them on the way to a mechanism.
    Moves (`trilemma.attacks.moves`) only append identities, so those of the honest world stay
    first.

    Parameters
    ----------
    stake : ndarray, shape (n,)
    weights : ndarray, shape (n, m)
        Reports as published; honest ones until a move changes them. Rows sum to 1 or 0.
    quality : ndarray, shape (m,)
        What each miner truly deserves; sums to 1. A clone's quality stays with the original.
    validator_owner, miner_owner : ndarray of int, shapes (n,) and (m,)
        The principal behind each identity.
    seats : ndarray of int, shape (k,)
        The validator that holds each privileged seat.
    adversary : tuple of int
        The principals who play.
    twins : tuple of int
        The two miners of the twin test: the target, then the other. Empty outside it.
    sees_clones : ndarray of bool, shape (n,)
        Whether each validator sees through cloned work.
    seed : int
        Reproduces this world.
    votes, orders, flows : ndarray, shapes (n, m), (k, m), (n, m)
        As in `Epoch`; None: nobody acted.
    tenure : ndarray, shape (n,)
        As in `Epoch`; None: all stake has been in place forever.
    subnets : ndarray of int, shape (m,)
        As in `Epoch`; None: all miners work in the same.
    """

    stake: AnyArray
    weights: FloatArray
    quality: FloatArray
    validator_owner: IntArray
    miner_owner: IntArray
    seats: IntArray
    adversary: tuple[int, ...]
    twins: tuple[int, ...]
    sees_clones: BoolArray
    seed: int
    votes: AnyArray | None = None
    orders: AnyArray | None = None
    flows: FloatArray | None = None
    tenure: FloatArray | None = None
    subnets: IntArray | None = None

    @cached_property
    def own_validators(self) -> IntArray:
        """Places of the adversary's validators."""
        return self._owned(self.validator_owner)

    @cached_property
    def own_miners(self) -> IntArray:
        """Places of the adversary's miners."""
        return self._owned(self.miner_owner)

    def _owned(self, owner: IntArray) -> IntArray:
        if not self.adversary:
            return np.zeros(0, np.int64)
        # A table of principals: np.isin takes 35 us at 64, this 4, however many there are
        plays = np.zeros(int(max(owner.max(initial=0), *self.adversary)) + 1, np.bool_)
        plays[list(self.adversary)] = True
        return np.flatnonzero(plays[owner])

    def relabelling(self) -> tuple[IntArray, IntArray]:
        """Which validator and which miner stands at each place that a mechanism sees."""
        return labels(self.seed, *self.weights.shape)[:2]

    def places(self) -> tuple[IntArray, IntArray]:
        """At which place a mechanism sees each validator and each miner."""
        return labels(self.seed, *self.weights.shape)[2:]

    def epoch(self) -> Epoch:
        """Return what the protocol sees: the same facts, identities relabelled at random."""
        return shown(self, FACTS, _BLANK)


_BLANK: Epoch = object.__new__(Epoch).trusting(chain=None, carry=None)
_OWNED = {"adversary", "validator_owner", "miner_owner"}


def changed(world: World, **values: Any) -> World:
    """Return a world with other values, as `dataclasses.replace` does: 1 us instead of 7.

    Who is the adversary's is not looked up again where that stays.
    """
    after = object.__new__(World)
    after.__dict__.update(world.__dict__, **values)
    if not _OWNED.isdisjoint(values):
        for known in ("own_validators", "own_miners"):
            after.__dict__.pop(known, None)
    return after


def shown(world: World, names: Iterable[str], epoch: Epoch) -> Epoch:
    """Return an epoch that shows these facts of a world, and for the rest what another shows."""
    n, m = world.weights.shape
    order = Order.of(world.seed, n, m, world.seats.size)
    return epoch.trusting(**{name: order.shown(name, getattr(world, name)) for name in names})


def unchanged(world: World) -> World:
    """Return the world as it is: the honest play."""
    return world


AIMS = ("pay", "twin")


@dataclass(frozen=True)
class Play:
    """One concrete thing an attacker does, fixed before the world is drawn.

    Parameters
    ----------
    attack : str
        The family it belongs to.
    label : str
        What it does, in words for a table.
    act : callable
        Turns the honest world into the attacked one.
    identities : int
        Identities a principal needs per role, at most.
    baseline : callable
        Turns the honest world into the one that the play is judged against.
    aim : {"pay", "twin"}
        What it is after: the attacker's own pay (Sybil resistance; one attacker, no twins), or
        to cut off the first of two equal miners (neutrality; a coalition, and `World.twins`).

    Raises
    ------
    UsageError
        If it aims at anything else.
    """

    attack: str
    label: str
    act: Callable[[World], World]
    identities: int = 1
    baseline: Callable[[World], World] = unchanged
    aim: str = "pay"

    def __post_init__(self) -> None:
        if self.aim not in AIMS:
            raise UsageError(
                f"play {self.attack}: {self.label}: aim must be {' or '.join(map(repr, AIMS))}, "
                f"not {self.aim!r}"
            )


STAKE_STEPS = 20  # attackers' stake shares are multiples of 1/20, so that budgets nest
MOST_IDENTITIES = 1024
MOST_EVALUATIONS = 10**7


@dataclass(frozen=True)
class Budget:
    """What an attacker may spend.

    Parameters
    ----------
    stake : float
        The largest stake share the attacker may hold, 0 <= stake < 1. Plays try the multiples
        of 1/20 up to it.
    identities : int
        Identities a principal may use in total per role, 1 to 1024. Plays try the powers of 2
        up to it.
    identity_cost : float
        Price of each identity beyond the first of a role, in units of one epoch's reward.
    insiders : tuple of int
        Coalition sizes that neutrality averages over, each 1 to 10.
    epochs : int
        Length of a play. Only 1 so far: a play is judged in one epoch from a fresh start.
    evaluations : int
        Mechanism calls that the adaptive search spends in each world for each score, with
        identities verified and again with identities free. 0: scripted plays only.

    Raises
    ------
    UsageError
        If any of it is out of its range.
    """

    stake: float = 0.45
    identities: int = 64
    identity_cost: float = 0.0
    insiders: tuple[int, ...] = (1, 3, 5)
    epochs: int = 1
    evaluations: int = 500

    def __post_init__(self) -> None:
        given: Any = self.insiders
        if not isinstance(given, tuple | list) or not given:
            raise UsageError(
                "budget: insiders must be one or more coalition sizes in 1..10, as in (1, 3, 5), "
                f"not {given!r}"
            )
        sizes = tuple(whole("budget: insiders", size, 1, 10) for size in given)
        for name, value in {
            "stake": real("budget: stake", self.stake, 0, 1, open_end=True),
            "identities": whole("budget: identities", self.identities, 1, MOST_IDENTITIES),
            "identity_cost": real(
                "budget: identity_cost", self.identity_cost, 0, np.inf, open_end=True
            ),
            "insiders": sizes,
            "epochs": whole("budget: epochs (longer plays are not there yet)", self.epochs, 1, 1),
            "evaluations": whole("budget: evaluations", self.evaluations, 0, MOST_EVALUATIONS),
        }.items():
            object.__setattr__(self, name, value)

    @property
    def stakes(self) -> tuple[float, ...]:
        """The grid of stake shares within the budget: 0, .05, .1, ..."""
        steps = int(self.stake * STAKE_STEPS + 1e-9)
        return tuple(step / STAKE_STEPS for step in range(steps + 1))

    @property
    def identity_counts(self) -> tuple[int, ...]:
        """The grid of identity counts above one within the budget: 2, 4, 8, ..."""
        return tuple(2**power for power in range(1, int(self.identities).bit_length()))


Attack: TypeAlias = Callable[[Budget], Iterable[Play]]
"""A family of plays: the plug-in that enumerates them within a budget. A larger budget only adds
plays, so that it never raises a score."""
