"""What the chain's rounding can amount to: steps of 2**-32, divided by something small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trilemma.kernels import ONE
from trilemma.model import AnyArray

__all__ = ["lost_by_rounding"]

STEP = 1 / ONE
STEPS = 8  # that products, quotients and sums on the way to a share may lose


def lost_by_rounding(
    case: Mapping[str, Any], stages: Mapping[str, AnyArray]
) -> dict[str, AnyArray]:
    """Return by field how far the chain's shares may be off for rounding alone.

    Parameters
    ----------
    case : mapping
        An epoch of an oracle.
    stages : mapping
        What floats make of it.
    """
    incentive = _divided(stages["rank"].size, stages["rank"].sum())
    bonds = _version_3(stages) if case["yuma3"] else _version_2(case, stages)
    dividends = 2 * float(stages["incentive"] @ bonds) + incentive
    if case["yuma3"]:
        dividends = _spread(dividends, stages)
    emission = np.asarray(incentive + dividends)
    return {
        "incentive": np.asarray(incentive),
        "dividends": np.asarray(dividends),
        "server_emission_norm": emission,
        "validator_emission_norm": emission,
        "combined_emission_norm": emission,
        "bonds_raw": np.zeros(1) if case["yuma3"] else bonds,
    }


def _divided(numbers: float, total: AnyArray | float) -> Any:
    """Return what so many roundings weigh once they are divided by a total, if there is one."""
    return np.where(total > 0, STEPS * STEP * numbers / np.maximum(total, STEP), 0.0)


def _version_2(case: Mapping[str, Any], stages: Mapping[str, AnyArray]) -> AnyArray:
    """Return what may be lost of bonds in each miner, as shares of all bonds in it.

    Purchases count in steps before they are scaled to sum 1, and once more when they enter the
    moving average.
    """
    beta = case["bonds_penalty"] / 65535
    bought = (1 - beta) * stages["prerank"] + beta * stages["rank"]
    fresh = 1 - case["bonds_moving_average"] / 10**6
    return np.asarray(_divided(1, bought) + _divided(1, fresh))


def _version_3(stages: Mapping[str, AnyArray]) -> AnyArray:
    """Return the same where bonds count in steps themselves."""
    return np.asarray(_divided(1, stages["bonds"].sum(axis=0)))


def _spread(lost: float, stages: Mapping[str, AnyArray]) -> float:
    """Return what is lost once dividends, which stake multiplies, are scaled to sum 1."""
    held = stages["bonds"].sum(axis=0)
    shares = stages["bonds"] / np.where(held > 0, held, 1)
    total = float(stages["active_stake"] @ (shares @ stages["incentive"]))
    return lost / max(total, STEP) if total > 0 else 0.0
