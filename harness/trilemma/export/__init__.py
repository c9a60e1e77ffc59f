"""A run's numbers as rows, for other tools: the scores, and what came out of every play.

>>> from trilemma.export import cells, scores, write
>>> write(scores("runs/0001"), "scores.csv")  # doctest: +SKIP
"""

from trilemma.export.blocks import Block, CellRow
from trilemma.export.cells import Cells, cells
from trilemma.export.scores import ScoreRow, Scores, scores
from trilemma.export.writing import FORMATS, Table, format_of, send, write

__all__ = [
    "FORMATS",
    "Block",
    "CellRow",
    "Cells",
    "ScoreRow",
    "Scores",
    "Table",
    "cells",
    "format_of",
    "scores",
    "send",
    "write",
]
