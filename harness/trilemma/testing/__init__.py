"""For authors of mechanisms: laws, claims, and counterexamples where they break.

>>> from trilemma.testing import check_mechanism
>>> check_mechanism("stake_weighted")
"""

from trilemma.profiles import PROFILES, Profile, load_profile
from trilemma.testing.claims import CLAIMS
from trilemma.testing.counterexample import Counterexample
from trilemma.testing.laws import LAWS
from trilemma.testing.matrix import Matrix, matrix
from trilemma.testing.parametrize import parametrize_with_checks
from trilemma.testing.verdict import Violated, check_mechanism

__all__ = [
    "CLAIMS",
    "LAWS",
    "PROFILES",
    "Counterexample",
    "Matrix",
    "Profile",
    "Violated",
    "check_mechanism",
    "load_profile",
    "matrix",
    "parametrize_with_checks",
]
