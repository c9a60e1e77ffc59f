"""Write docs/study.schema.json: `python docs/regenerate.py schema`."""

from __future__ import annotations

import json
from pathlib import Path

from trilemma.study import schema

PAGE = Path(__file__).parent / "study.schema.json"


def written() -> str:
    """Return the schema as `trilemma run --schema` prints it."""
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    PAGE.write_text(written())
