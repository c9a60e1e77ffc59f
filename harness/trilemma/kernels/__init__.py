"""Loops compiled by numba: arrays in, arrays out; no validation, no objects.

Every kernel has a slow and obvious twin in ``tests/naive.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trilemma.kernels import cache  # noqa: F401 - before any kernel is defined
from trilemma.kernels.arithmetic import ONE, fixed, to_u16
from trilemma.kernels.candidates import Earned, consensus_on_base, earned_on_base
from trilemma.kernels.consensus import consensus, least_beyond, needed_support, stake_units
from trilemma.kernels.epochs import Outcome, Settings, plays
from trilemma.kernels.shared_base import SharedBase, shared_base
from trilemma.kernels.start import ready
from trilemma.kernels.yuma import (
    bonds_version_2,
    bonds_version_3,
    clip_and_rank,
    columns_upscaled,
    interpolated,
    liquid_alpha,
    normalised,
)

if TYPE_CHECKING:
    from trilemma.kernels.ufunc import agreed

__all__ = [
    "ONE",
    "Earned",
    "Outcome",
    "Settings",
    "SharedBase",
    "agreed",
    "bonds_version_2",
    "bonds_version_3",
    "clip_and_rank",
    "columns_upscaled",
    "consensus",
    "consensus_on_base",
    "earned_on_base",
    "fixed",
    "interpolated",
    "least_beyond",
    "liquid_alpha",
    "needed_support",
    "normalised",
    "plays",
    "ready",
    "shared_base",
    "stake_units",
    "to_u16",
]


def __getattr__(name: str) -> Any:
    """Import the ufunc when it is asked for: it takes half a second where nothing is compiled."""
    if name == "agreed":
        from trilemma.kernels.ufunc import agreed

        return agreed
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
