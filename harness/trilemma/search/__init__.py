"""The adaptive adversary: it sees the honest epoch, and searches for what harms most."""

from trilemma.search.adversary import SEARCHED, Adversary, Witnessed
from trilemma.search.evolution import Found, Search, Start, take_turns
from trilemma.search.goals import Cut, Gain, Goal, Value
from trilemma.search.plan import Plan
from trilemma.search.starts import Scripted, starts
from trilemma.search.structure import Structure
from trilemma.search.worst_play import worst_play

__all__ = [
    "SEARCHED",
    "Adversary",
    "Cut",
    "Found",
    "Gain",
    "Goal",
    "Plan",
    "Scripted",
    "Search",
    "Start",
    "Structure",
    "Value",
    "Witnessed",
    "starts",
    "take_turns",
    "worst_play",
]
