"""One epoch of Yuma, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, NamedTuple

import numpy as np

from trilemma import kernels
from trilemma.model import NEVER, AnyArray, BoolArray, Epoch, IntArray, Rewards
from trilemma_mechanisms.yuma import fused, shortcuts, sparse
from trilemma_mechanisms.yuma.accounts import Accounts
from trilemma_mechanisms.yuma.claims import claims_of, expected_failures_of
from trilemma_mechanisms.yuma.entries import Entries, bonds_of, weights_of
from trilemma_mechanisms.yuma.numbers import FLOATS, NUMBERS, Float, Numbers

__all__ = ["State", "Yuma"]


class State(NamedTuple):
    """What an epoch leaves to the next.

    Parameters
    ----------
    bonds : ndarray, shape (n, m)
        As they are stored; a `Sparse` if the weights were one.
    permits : ndarray of bool, shape (n,), optional
        Who may validate then. None: everybody.
    places : ndarray of int, shape (n, m), optional
        In which order liquid alpha stores bonds. None: in the order of miners.
    consensus : ndarray, shape (m,), optional
        Where the next search for it starts. It changes no answer.
    """

    bonds: AnyArray
    permits: BoolArray | None = None
    places: IntArray | None = None
    consensus: AnyArray | None = None


@dataclass(frozen=True)
class Yuma:
    """Weights above what stake agrees on are cut; validators hold bonds in the miners.

    The consensus on a miner is the largest weight that validators with at least a share `kappa`
    of the stake give it. Miners are paid by their clipped, stake-weighted support; validators
    by the bonds they hold in miners that are paid.

    Parameters
    ----------
    kappa : float
        Share of stake that carries the consensus, in [0, 1]; exactly that much is enough. The
        chain's own is 32767/65535.
    bonds_penalty : float
        How far a bond counts the clipped (1) instead of the published (0) weight, in [0, 1].
    bonds_moving_average : float
        Weight of the old bonds in the bonds' moving average, in [0, 1].
    version : {2, 3}
        2: bonds are stake times weight, normalised by miner. 3: bonds are weights, and stake
        counts when dividends are paid.
    liquid_alpha : bool
        Whether the weight of new bonds varies by bond (version 3 only), from `alpha_low` at the
        consensus to `alpha_high` far from it.
    alpha_low, alpha_high : float
        In [0, 1], the low one first.
    steepness : float
        Of the sigmoid between the two.
    max_validators : int, optional
        Permits, which go to the largest stakes. None: one for everybody with stake.
    stake_threshold : float
        Stakes below it, in units of the epoch's stake, count nothing.
    activity_cutoff : int, optional
        Blocks without new weights after which a validator counts as inactive. None: 13.889
        tempos.
    commit_reveal : bool
        Whether a commit that is still hidden keeps weights from miners registered after it.
    bonds_reset : bool
        Whether a miner may have all bonds in it deleted.
    arithmetic : {"float", "float32", "chain"}
        Float64, float32, or the chain's fixed point, with weights and bonds stored as u16.

    Notes
    -----
    Whatever the epoch's chain record says is used. Without one there is no owner, everybody is
    active, and nobody is new; validators and miners are different accounts; permits are those
    that this epoch's stake grants.

    State: bonds and permits travel in `carry`; without them bonds start from nothing, and the
    first epoch's dividends equal those of endless repetition. When nobody supports anybody,
    validators are paid by stake and the miners' pool is burnt. When nobody earns dividends,
    the validators' pool is burnt; the chain gives it to the miners, as `stages` tells.
    """

    ranges: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "kappa": (0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.67, 0.75)
    }
    published: ClassVar[Mapping[str, Mapping[str, float]]] = {"majority of stake": {"kappa": 0.5}}

    kappa: float = 0.5
    bonds_penalty: float = 1.0
    bonds_moving_average: float = 0.9
    version: int = 3
    liquid_alpha: bool = False
    alpha_low: float = 0.7
    alpha_high: float = 0.9
    steepness: float = 10.0
    max_validators: int | None = None
    stake_threshold: float = 0
    activity_cutoff: int | None = None
    commit_reveal: bool = True
    bonds_reset: bool = False
    arithmetic: Literal["float", "float32", "chain"] = "float"

    def __post_init__(self) -> None:
        shares = ("kappa", "bonds_penalty", "bonds_moving_average", "alpha_low", "alpha_high")
        for name in shares:
            self._require(name, 0 <= getattr(self, name) <= 1, "in [0, 1]")
        self._require("alpha_low", self.alpha_low <= self.alpha_high, "at most alpha_high")
        self._require("version", self.version in (2, 3), "2 or 3")
        self._require("steepness", abs(self.steepness) < 1000, "in (-1000, 1000)")
        self._require("stake_threshold", 0 <= self.stake_threshold < np.inf, "0 or more")
        for name in ("max_validators", "activity_cutoff"):
            value = getattr(self, name)
            counts = isinstance(value, int | np.integer) and value >= 1
            self._require(name, value is None or bool(counts), "a whole number, 1 or more, or None")
        self._require(
            "arithmetic", self.arithmetic in tuple(NUMBERS), "'float', 'float32' or 'chain'"
        )

    def _require(self, name: str, held: bool, expected: str) -> None:
        if not held:
            raise ValueError(f"{name} must be {expected}, not {getattr(self, name)!r}")

    @property
    def batched(self) -> bool:
        """Whether it takes several first epochs at once."""
        return (
            self.arithmetic in FLOATS and self.max_validators is None and self.stake_threshold == 0
        )

    @property
    def claims(self) -> frozenset[str]:
        """What it claims, at these parameters."""
        return claims_of(self)

    @property
    def expected_failures(self) -> dict[str, str]:
        """Which laws and claims it is known to break, and why."""
        return expected_failures_of(self)

    @cached_property
    def settings(self) -> kernels.Settings:
        """The parameters as the kernel takes them."""
        return kernels.Settings(
            int(self.version),
            float(self.bonds_penalty),
            1.0 - float(self.bonds_moving_average),
            bool(self.liquid_alpha) and self.version == 3,
            float(self.alpha_low),
            float(self.alpha_high),
            float(self.steepness),
        )

    def __call__(self, epoch: Epoch) -> Rewards:
        if self.arithmetic in FLOATS:
            numbers = FLOATS[self.arithmetic]
            kernels.ready(numbers.kind.__name__)
            if epoch.stake.ndim == 2:
                return fused.pay_batch(self, epoch, numbers)
            _check_carry(epoch)
            if not sparse.is_dense(epoch):
                miners, validators, bonds, permits = sparse.pay(self, epoch)
                return Rewards(miners, validators, State(bonds, permits))
            accounts = Accounts.of(epoch, self, numbers)
            if fused.serves(epoch, accounts):
                return self._fused(epoch, accounts, numbers)
        it, pool = self._epoch(epoch), NUMBERS[self.arithmetic].pool
        return Rewards(pool(it.incentive), pool(it.pay), it.state(self))

    def _fused(self, epoch: Epoch, accounts: Accounts, numbers: Float) -> Rewards:
        incentive, dividends, bonds, consensus = fused.pay(self, epoch, accounts, numbers)
        pay = dividends if np.count_nonzero(incentive) else accounts.by_stake()
        state = State(bonds, accounts.next_permits, None, consensus)
        return Rewards(numbers.pool(incentive), numbers.pool(pay), state)

    def stages(self, epoch: Epoch) -> dict[str, AnyArray]:
        """Return the intermediate quantities by name.

        Parameters
        ----------
        epoch : Epoch

        Returns
        -------
        dict
            Floats: `stake`, `active_stake`, `trust`, `dividends` and, summing to 1 over both
            pools, `validator_emission`, all (n,); `consensus`, `prerank`, `rank`, `incentive`
            and `miner_emission` (m,); `weights`, `clipped` and `bonds` (n, m), the last as they
            are about to be stored; `account_emission` (n,) where n == m, by account over both
            pools. Booleans: `active`, `permits` and `next_permits` (n,).
        """
        it, numbers = self._epoch(epoch), NUMBERS[self.arithmetic]
        nobody_cuts = np.full(it.consensus.shape, numbers.one)
        _, prerank, _ = kernels.clip_and_rank(it.weights.numbers, nobody_cuts, it.accounts.counted)
        miners, validators, accounts = it.emission()
        plain = {
            "stake": it.accounts.share,
            "active_stake": it.accounts.counted,
            "weights": it.weights.numbers,
            "consensus": it.consensus,
            "clipped": it.clipped,
            "prerank": prerank,
            "rank": it.rank,
            "trust": it.trust,
            "incentive": it.incentive,
            "bonds": kernels.columns_upscaled(it.bonds) if self.version == 2 else it.bonds,
            "dividends": it.dividends,
            "miner_emission": miners,
            "validator_emission": validators,
        }
        if accounts is not None:
            plain["account_emission"] = accounts
        shares = {name: numbers.plain(value) for name, value in plain.items()}
        return shares | it.accounts.flags()

    def _epoch(self, epoch: Epoch) -> _Outcome:
        """Who counts; what is heard; what stake agrees on; who is paid; what bonds earn."""
        _check_carry(epoch)
        sparse.require_dense(epoch)
        numbers = NUMBERS[self.arithmetic]
        accounts = Accounts.of(epoch, self, numbers)
        counted = accounts.counted
        weights = weights_of(epoch, self, accounts, numbers)
        consensus = numbers.consensus(weights.numbers, accounts.stake, counted, self.kappa)
        clipped, rank, trust = kernels.clip_and_rank(weights.numbers, consensus, counted)
        incentive = kernels.normalised(rank)
        target = self._target(weights, clipped, consensus, numbers)
        prior = bonds_of(epoch, self, numbers)
        alpha = numbers.one - numbers.of(self.bonds_moving_average)
        places = None
        if self.version == 3 and self.liquid_alpha and consensus.any():
            alpha = self._speed(target, prior, consensus, numbers)
            places = target.places
            if target.held is not None:
                prior = prior.within(target.held)
        bind = kernels.bonds_version_2 if self.version == 2 else kernels.bonds_version_3
        bonds, dividends = bind(target.numbers, prior.numbers, counted, incentive, alpha)
        return _Outcome(
            accounts, weights, consensus, clipped, rank, trust, incentive, bonds, dividends, places
        )

    def _target(
        self, weights: Entries, clipped: AnyArray, consensus: AnyArray, numbers: Numbers
    ) -> Entries:
        """Return what bonds follow: weights, clipped as far as the penalty says."""
        beta, held = numbers.of(self.bonds_penalty), weights.held
        if beta == 0:
            return weights
        if beta == numbers.one:
            cut = weights._replace(numbers=clipped)
            if held is None:
                return cut
            return cut.within((consensus > 0) | (weights.numbers == 0))  # the others are gone
        mixed = kernels.interpolated(weights.numbers, clipped, beta)
        return Entries(mixed, None if held is None else mixed > 0)

    def _speed(
        self, target: Entries, prior: Entries, consensus: AnyArray, numbers: Numbers
    ) -> AnyArray:
        """Return the weight of each new bond (n, m)."""
        low, high, steepness = map(numbers.of, (self.alpha_low, self.alpha_high, self.steepness))
        return kernels.liquid_alpha(
            target.in_walk(), prior.in_walk(), consensus, low, high, steepness
        )

    def on_base(self, epoch: Epoch, rows: IntArray) -> shortcuts.Estimator | None:
        """Return a function from the weights of a few validators (q, m) to what they lead to.

        See `shortcuts.on_base`.
        """
        _check_carry(epoch)
        return shortcuts.on_base(self, epoch, rows)

    def after(self, epoch: Epoch, epochs: int) -> State | None:
        """Return the carry of the last of some epochs that are all alike; see `shortcuts.after`."""
        _check_carry(epoch)
        return shortcuts.after(self, epoch, epochs)


class _Outcome(NamedTuple):  # as frozen dataclasses, the three that an epoch makes cost 1.3 us more
    """What an epoch comes to, in the numbers of its arithmetic."""

    accounts: Accounts
    weights: Entries
    consensus: AnyArray
    clipped: AnyArray
    rank: AnyArray
    trust: AnyArray
    incentive: AnyArray
    bonds: AnyArray
    dividends: AnyArray
    places: IntArray | None

    @property
    def pay(self) -> AnyArray:
        """The validators' pool: dividends, or stake where no miner is paid."""
        return self.dividends if np.count_nonzero(self.incentive) else self.accounts.by_stake()

    def state(self, rule: Yuma) -> State:
        """Return what the next epoch needs; who loses the permit loses its bonds."""
        permits = self.accounts.next_permits
        stored = NUMBERS[rule.arithmetic].store(self.bonds, rule.version)
        places = None if self.places is None else np.where(self.bonds > 0, self.places, NEVER)
        return State(stored if permits is None else stored * permits[:, None], permits, places)

    def emission(self) -> tuple[AnyArray, AnyArray, AnyArray | None]:
        """Return the shares of all that is paid: of miners, of validators, and of accounts.

        The last where validators and miners are as many, so that they may be the same accounts.
        """
        miners, validators = self.incentive, self.dividends
        square = miners.size == validators.size
        if not (miners.any() or validators.any()):
            fallen = self.accounts.by_stake()
            return miners, fallen, fallen if square else None
        shares = kernels.normalised(np.concatenate([miners, validators]))
        both = kernels.normalised(miners + validators) if square else None
        return shares[: miners.size], shares[miners.size :], both


def _check_carry(epoch: Epoch) -> None:
    carry, shape = epoch.carry, epoch.weights.shape
    if carry is None:
        return
    if not isinstance(carry, State):
        raise ValueError(f"carry must be what Yuma returned, not {type(carry).__name__}")
    if np.shape(carry.bonds) != shape:
        raise ValueError(
            f"carry holds bonds of shape {np.shape(carry.bonds)}, but weights have shape {shape}"
        )
    if carry.permits is not None and np.shape(carry.permits) != shape[:1]:
        raise ValueError(
            f"carry holds permits of shape {np.shape(carry.permits)} for {shape[0]} validators"
        )
