"""How Hypothesis runs here."""

from __future__ import annotations

import os

from hypothesis import settings

if "CI" not in os.environ:  # there Hypothesis takes its own profile: no deadline, no chance
    settings.register_profile("dev", deadline=None)  # a first call compiles
    settings.load_profile("dev")
