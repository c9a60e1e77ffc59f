"""What several tests compare with: real data, too large to be kept beside them, and a long run."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from trilemma import Report, compare

ROOT = Path(__file__).parents[1]


def shared(path: str) -> Path:
    """Return a file of the shared data; skip the test where it is absent."""
    file = Path(os.environ.get("TRILEMMA_DATA", ROOT.parent / "shared" / "data")) / path
    if not file.exists():
        pytest.skip(f"no {file}: set TRILEMMA_DATA to the folder of the shared data")
    return file


@cache
def default_comparison() -> Report:
    """Return what `compare()` finds: half a minute of work, whoever asks first."""
    return compare()
