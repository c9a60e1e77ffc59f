"""Tells Hypothesis which strategies draw our types, for `strategies.from_type(Epoch)`.

Hypothesis calls `register` when it is imported. The strategies are imported when one is drawn.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Any

from trilemma.model import Budget, Epoch, Play, World

__all__ = ["register"]

STRATEGIES = {Budget: "budgets", Epoch: "epochs", Play: "plays", World: "worlds"}


def register() -> None:
    """Register a strategy for each of our types."""
    from hypothesis import strategies as st

    for kind, name in STRATEGIES.items():
        st.register_type_strategy(kind, partial(_drawn, name))


def _drawn(name: str, _: type) -> Any:
    return getattr(import_module("trilemma.testing.strategies"), name)()
