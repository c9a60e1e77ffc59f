"""What can go wrong, by who can mend it; the command line turns each into its exit code."""

from __future__ import annotations

__all__ = ["DataError", "DeadWorkerError", "PluginError", "TrilemmaError", "UsageError"]


class TrilemmaError(ValueError):
    """Root of everything this package raises on purpose."""

    exit_code = 2


class UsageError(TrilemmaError):
    """What was asked for does not exist or lies out of range."""


class DataError(TrilemmaError):
    """A file is missing, broken, or not what it says."""

    exit_code = 3


class PluginError(TrilemmaError):
    """A mechanism plug-in cannot be loaded or breaks the contract."""

    exit_code = 3


class DeadWorkerError(PluginError):
    """A process ended without a word, perhaps at the hand of a plug-in."""
