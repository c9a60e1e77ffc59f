"""What a mechanism does over time: bonds that last, stake that grows, attackers who wait."""

from __future__ import annotations

from trilemma.dynamics.questions import Dynamics, dynamics
from trilemma.dynamics.simulation import History, Step, simulate

__all__ = ["Dynamics", "History", "Step", "dynamics", "simulate"]
