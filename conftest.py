"""How Hypothesis runs here."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile(
    "ordinary",
    max_examples=30,
    deadline=None,  # a first call compiles
    derandomize="CI" in os.environ,
)
settings.register_profile("fuzz", max_examples=10_000, deadline=None)  # --hypothesis-profile=fuzz
settings.load_profile("ordinary")
