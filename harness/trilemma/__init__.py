"""Compare reward mechanisms of decentralised networks.

>>> from trilemma import Budget, compare, load
>>> report = compare(["yuma", load("quadratic(power=0.5)")], worlds=2, seed=1)
>>> [row.label for row in report.rows]
['yuma', 'quadratic']
"""

from __future__ import annotations

from trilemma.chain import Chain, Csr
from trilemma.compare import compare
from trilemma.dynamics import simulate
from trilemma.errors import DataError, PluginError, TrilemmaError, UsageError
from trilemma.executor import Workers
from trilemma.frontier import frontier
from trilemma.importers import read
from trilemma.model import Budget, Epoch, Mechanism, Play, Rewards, World
from trilemma.registry import load, names
from trilemma.report import Report
from trilemma.retention import retention_map
from trilemma.sparse import Sparse
from trilemma.sweep import sweep
from trilemma.worlds import Imported, Preset

__all__ = [
    "PLUGIN_API",
    "Budget",
    "Chain",
    "Csr",
    "DataError",
    "Epoch",
    "Imported",
    "Mechanism",
    "Play",
    "PluginError",
    "Preset",
    "Report",
    "Rewards",
    "Sparse",
    "TrilemmaError",
    "UsageError",
    "Workers",
    "World",
    "compare",
    "frontier",
    "load",
    "names",
    "read",
    "retention_map",
    "simulate",
    "sweep",
]

PLUGIN_API = 1
"""Version of the contract between mechanisms and the harness."""
