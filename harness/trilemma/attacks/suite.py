"""Which attacks there are, and the plays they make within a budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from trilemma import registry
from trilemma.attacks.checks import check
from trilemma.checks import whole
from trilemma.errors import PluginError, TrilemmaError, UsageError, blaming
from trilemma.model import Attack, Budget, Play, World
from trilemma.specs import write

__all__ = ["attacks_beside", "enumerated", "plays"]

MOST_PLAYS = 1000  # of one attack: each costs calls of every mechanism in every world


def attacks_beside(
    given: Sequence[str | Attack] | None = None,
) -> tuple[dict[str, Attack], dict[str, TrilemmaError]]:
    """Load the registered attacks and those that were given.

    Returns
    -------
    attacks : dict
        Label to attack.
    failures : dict
        Spec to what is wrong with that plug-in.

    Raises
    ------
    UsageError, DataError
        As `trilemma.registry.load_attacks` for those that were given.
    """
    registered, broken = registry.load_attacks()
    added, faulty = registry.load_attacks(given or [])
    return {**registered, **added}, {**broken, **faulty}


def plays(
    attacks: Mapping[str, Attack], budget: Budget, worlds: Mapping[str, World]
) -> tuple[dict[str, list[Play]], dict[str, TrilemmaError]]:
    """Return the plays of each attack; one that breaks the rules has none, and a failure.

    Parameters
    ----------
    attacks : mapping of label to Attack
    budget : Budget
    worlds : mapping of aim to World
        In which every play is tried: one with an attacker for `"pay"`, one with a coalition for
        `"twin"`. Plays with an aim that has no world are left out.
    """
    made: dict[str, list[Play]] = {}
    failures: dict[str, TrilemmaError] = {}
    takers: dict[tuple[str, str], str] = {}
    for label, attack in attacks.items():
        try:
            found = [play for play in enumerated(label, attack, budget) if play.aim in worlds]
            names = [(play.attack, play.label) for play in found]
            _refuse_taken(label, names, takers)
            for play in found:
                check(label, play, worlds[play.aim])
        except PluginError as error:
            failures[label] = error
            continue
        takers.update(dict.fromkeys(names, label))
        made[label] = [replace(play, act=partial(_act, label, play)) for play in found]
    return made, failures


def enumerated(label: str, attack: Attack, budget: Budget) -> list[Play]:
    """Return the plays of one attack, none of them made yet.

    Raises
    ------
    PluginError
        If it fails, or yields what is no play.
    """
    with blaming(f"{label} fails to enumerate its plays"):
        found = list(islice(attack(budget), MOST_PLAYS + 1))
    if len(found) > MOST_PLAYS:
        raise PluginError(f"{label} makes more than {MOST_PLAYS} plays; each costs everybody calls")
    for play in found:
        if fault := _fault(play, budget):
            raise PluginError(f"{label} {fault}")
    return found


def _fault(play: Any, budget: Budget) -> str | None:
    """Say what is wrong with a play before it is made, if anything is."""
    if not isinstance(play, Play):
        return f"yields {write(play)[:40]}; expected a trilemma.Play"
    names: tuple[Any, ...] = (play.attack, play.label)
    if not all(isinstance(name, str) and name.isprintable() for name in names):
        return f"names a play {names!r}; expected two texts of one line"
    said = f"makes the play {play.attack}: {play.label}"
    for part in ("act", "baseline"):
        if not (callable(getattr(play, part)) and isinstance(getattr(play, part), Hashable)):
            return f"{said} with {part} {write(getattr(play, part))}; expected a function of worlds"
    try:
        whole("identities", play.identities, 1, budget.identities)
    except UsageError as error:
        return f"{said}, whose {error}, as the budget has it"
    return None


def _refuse_taken(
    label: str, names: Sequence[tuple[str, str]], takers: Mapping[tuple[str, str], str]
) -> None:
    for name, times in Counter(names).items():
        taker = label if times > 1 else takers.get(name)
        if taker is not None:
            raise PluginError(
                f"{label}: the name {': '.join(name)} is taken by another play of {taker}; "
                "expected every play to have a name of its own"
            )


def _act(label: str, play: Play, world: World) -> World:
    """Make a play that was found to keep the rules in one world; it may still fail in another."""
    with blaming(
        f"{label}: the play {play.attack}: {play.label} fails in the world of seed {world.seed}; "
        "leave this attack out"
    ):
        return play.act(world)
