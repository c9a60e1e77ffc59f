"""What can go wrong, by who can mend it; the command line turns each into its exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "DataError",
    "DeadWorkerError",
    "PluginError",
    "TrilemmaError",
    "UsageError",
    "blaming",
    "one_line",
    "words",
]


class TrilemmaError(ValueError):
    """Root of everything this package raises on purpose."""

    exit_code = 2


class UsageError(TrilemmaError):
    """What was asked for does not exist or lies out of range."""


class DataError(TrilemmaError):
    """A file is missing, broken, or not what it says."""

    exit_code = 3


class PluginError(TrilemmaError):
    """A plug-in cannot be loaded or breaks the contract."""

    exit_code = 3


class DeadWorkerError(PluginError):
    """A process ended without a word, perhaps at the hand of a plug-in."""


@contextmanager
def blaming(trouble: str) -> Iterator[None]:
    """Turn whatever a plug-in's code raises into one line about the plug-in, a `PluginError`."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise PluginError(f"{trouble}: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """Return the kind of an exception and what it says, without line breaks."""
    return f"{type(error).__name__}: {words(error)}".removesuffix(": ")


def words(error: BaseException) -> str:
    """Return what an exception says, without line breaks; nothing where that fails as well."""
    try:
        return " ".join(str(error).split())
    except Exception:
        return ""
