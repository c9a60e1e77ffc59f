"""How many principals it takes to cut a miner off, through which channel, and for how long."""

from __future__ import annotations

from trilemma.cutoff.channels import CHANNELS, MIX, Channel
from trilemma.cutoff.question import Cut, Cutoff, Terms, cutoff

__all__ = ["CHANNELS", "MIX", "Channel", "Cut", "Cutoff", "Terms", "cutoff"]
