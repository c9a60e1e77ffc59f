"""Study files: a whole comparison, and sweeps beside it, written down in TOML.

What reads one needs pydantic, which is imported when the first is read.
"""

from __future__ import annotations

from trilemma.study.keeping import is_study, resume_study
from trilemma.study.reading import read_study, schema
from trilemma.study.study import Outcome, Study, StudySweep

__all__ = [
    "Outcome",
    "Study",
    "StudySweep",
    "is_study",
    "read_study",
    "resume_study",
    "schema",
]
