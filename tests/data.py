"""What several tests compare with: real data, too large to be kept beside them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def shared(path: str) -> Path:
    """Return a file of the shared data; skip the test where it is absent."""
    file = Path(os.environ.get("TRILEMMA_DATA", ROOT.parent / "shared" / "data")) / path
    if not file.exists():
        pytest.skip(f"no {file}: set TRILEMMA_DATA to the folder of the shared data")
    return file
