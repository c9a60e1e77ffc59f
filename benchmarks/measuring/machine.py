"""The machine and the commit that numbers belong to: `python -m benchmarks.measuring.machine`."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from benchmarks.measuring.clock import ROOT

__all__ = ["told"]


def told() -> str:
    """Return machine, versions and commit in one line."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba"))
    return (
        f"{os.cpu_count()} cores of {_processor()}, {platform.system()}, "
        f"Python {platform.python_version()}, {packages}; commit {_commit()}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(line.split("\t: ", 1) for line in map(str.strip, lines) if "\t: " in line)
    name = facts.get("model name", platform.machine())
    numbers = [facts[key] for key in ("cpu family", "model") if key in facts]
    return f"{name} (family {', model '.join(numbers)})" if numbers else name


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return f"unknown, version {version('trilemma')}"
    return done.stdout.strip()


if __name__ == "__main__":
    print(told())
