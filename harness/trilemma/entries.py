"""The doors for plug-ins: groups of entry points in the metadata of what is installed."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint, entry_points

__all__ = ["ATTACKS", "MECHANISMS", "PARTS", "Group", "claimants", "distribution", "registered"]


@dataclass(frozen=True)
class Group:
    """A kind of plug-ins: its entry points, and how messages speak of it."""

    entry_points: str
    noun: str
    given: str
    listing: str


MECHANISMS = Group("trilemma.mechanisms", "mechanism", "an epoch", "trilemma list")
PARTS = Group("trilemma.parts", "part", "an epoch", "trilemma list --parts")
ATTACKS = Group("trilemma.attacks", "attack", "a budget", "trilemma list --attacks")


def registered(group: Group) -> dict[str, list[EntryPoint]]:
    """Return the entry points of a group by name, sorted."""
    return _scan(group.entry_points, tuple(sys.path))


@lru_cache(maxsize=3)  # 2 ms for 30 distributions, and one label asks several times
def _scan(group: str, _: tuple[str, ...]) -> dict[str, list[EntryPoint]]:
    grouped: dict[str, list[EntryPoint]] = {}
    for entry in sorted(entry_points(group=group), key=lambda entry: (entry.name, entry.value)):
        grouped.setdefault(entry.name, []).append(entry)
    return grouped


def claimants(entries: Iterable[EntryPoint]) -> list[str]:
    """Return who claims a name, each once: one distribution may be found in two places."""
    return list(dict.fromkeys(f"{entry.value} of {distribution(entry)}" for entry in entries))


def distribution(entry: EntryPoint) -> str:
    """Return the distribution that an entry point comes from, with its version."""
    with suppress(Exception):  # its metadata can be missing or broken in many ways
        if entry.dist and (told := _told(entry.dist)):
            return told
    return "a distribution without metadata"


@lru_cache  # each look parses a file: a label of composed parts took 38 ms
def _told(dist: Distribution) -> str:
    return f"{dist.name} {dist.version}" if dist.name else ""
