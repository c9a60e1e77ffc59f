"""What the plays of a run are called: its attacks know."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, chdir
from pathlib import Path

from trilemma import registry
from trilemma.attacks import enumerated
from trilemma.codes import code_of
from trilemma.entries import ATTACKS, registered
from trilemma.errors import DataError, PluginError, TrilemmaError
from trilemma.model import AIMS, Attack, Budget, Play

__all__ = ["plays_of"]


def plays_of(
    folder: Path, attacks: Mapping[str, str], place: Path, budget: Budget
) -> dict[str, list[Play]]:
    """Return the plays of a run by aim, in the order of its cells.

    Only what they are called is wanted, so none is made, and worlds are not needed.
    """
    every: list[Play] = []
    with ExitStack() as there:
        if place.is_dir() and not attacks.keys() <= registered(ATTACKS).keys():
            there.enter_context(chdir(place))  # where ./file.py:name was meant
        for label, code in attacks.items():
            every += enumerated(label, _attack(folder, label, code), budget)
    return {aim: [play for play in every if play.aim == aim] for aim in AIMS}


def _attack(folder: Path, label: str, code: str) -> Attack:
    """Load an attack of a run, having seen that it is as it was."""
    try:
        loaded, broken = registry.load_attacks([label])
    except TrilemmaError as error:
        broken = {label: error}
    if broken:
        raise PluginError(
            f"{folder}: its attack {label} cannot be loaded ({broken[label]}), and nothing else "
            "knows what its plays are called; bring it back"
        ) from broken[label]
    [attack] = loaded.values()
    if code_of(attack) != code:
        raise DataError(
            f"{folder}: the code of its attack {label} has changed since, so that its plays may "
            "be called otherwise; export with the code it was made with"
        )
    return attack
