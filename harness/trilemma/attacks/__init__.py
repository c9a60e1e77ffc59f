"""The adversarial suite: one attack a file, each a function from a budget to plays.

The built-in ones come through the entry-point group `trilemma.attacks`, like anybody's.
"""

from trilemma.attacks.suite import attacks_beside, enumerated, plays

__all__ = ["attacks_beside", "enumerated", "plays"]
