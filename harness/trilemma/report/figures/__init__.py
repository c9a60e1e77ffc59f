"""Figures, drawn by Matplotlib (`pip install 'trilemma[plot]'`); nothing else imports it."""

from trilemma.report.figures.comparison import draw_comparison
from trilemma.report.figures.drawing import check
from trilemma.report.figures.lines import draw_dividends, draw_map
from trilemma.report.figures.scores import draw_frontier, draw_sweep
from trilemma.report.figures.shares import draw_shares

__all__ = [
    "check",
    "draw_comparison",
    "draw_dividends",
    "draw_frontier",
    "draw_map",
    "draw_shares",
    "draw_sweep",
]
