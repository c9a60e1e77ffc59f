"""A witness: one play in one world that shows a bad number, kept so that anybody can replay it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, is_zipfile

import numpy as np

from trilemma import registry
from trilemma.contract import Pay, call
from trilemma.errors import DataError, UsageError
from trilemma.model import Mechanism, World
from trilemma.scene import Scene
from trilemma.search import Cut, Gain, Goal
from trilemma.search.goals import epochs_at
from trilemma.twins import TwinTest

__all__ = ["FORMAT", "Replay", "Witness"]

FORMAT = 1
UNREADABLE = (
    AttributeError,
    BadZipFile,
    EOFError,
    IndexError,
    KeyError,
    OSError,
    TypeError,
    UsageError,
    ValueError,
)
TUPLES = ("adversary", "twins")  # of a world, kept as arrays


@dataclass(frozen=True, eq=False)
class Replay:
    """What a mechanism makes of a witness.

    Parameters
    ----------
    harm : float
        The share of the others' pay that the attacker takes once its identities are paid for, or
        the part of its due that the target loses; minus infinity where the coalition cannot pay.
    honest, attacked : tuple of Scene
        By world.
    before, after : tuple of Pay
        What it pays in each.
    """

    harm: float
    honest: tuple[Scene, ...]
    attacked: tuple[Scene, ...]
    before: tuple[Pay, ...]
    after: tuple[Pay, ...]


@dataclass(frozen=True, eq=False)
class Witness:
    """One play in one world, or in an exchanged pair of worlds, and the harm it does.

    Parameters
    ----------
    mechanism : str
        Label of the one it accuses.
    score : str
        `sybil_resistance` or `neutrality`.
    play : str
        What is done.
    harm : float
        As in `Replay`.
    identities : int
        That a principal might use per role.
    price, xi : float
        Of an identity; the validators' part of all pay.
    share : float or None
        The attacker's share of all stake; None: what the adversary holds in the worlds.
    honest, attacked : tuple of World
        Before the play and after it.
    source : dict
        Where the worlds came from: seed, number and parameters, as JSON values.
    """

    mechanism: str
    score: str
    play: str
    harm: float
    identities: int
    price: float
    xi: float
    share: float | None
    honest: tuple[World, ...]
    attacked: tuple[World, ...]
    source: dict[str, Any]

    @property
    def name(self) -> str:
        """A name for its files."""
        rule = "".join(it if it.isalnum() or it in "._-" else "_" for it in self.mechanism)
        return f"{rule[:60]}-{self.score}-K{self.identities}"

    def replay(self, mechanism: Mechanism | None = None) -> Replay:
        """Make the play again.

        Parameters
        ----------
        mechanism : Mechanism, optional
            Default: the one it accuses.

        Raises
        ------
        PluginError
            If the mechanism breaks the contract.
        """
        rule = registry.load(self.mechanism) if mechanism is None else mechanism
        label = registry.label(rule)
        honest, attacked = (tuple(map(Scene.of, worlds)) for worlds in (self.honest, self.attacked))
        before, after = (
            tuple(call(label, rule, epochs_at(scene, (self.share,))[0]) for scene in scenes)
            for scenes in (honest, attacked)
        )
        goal = self.goal(before)
        harm = goal.worth(goal.value(attacked, after, 0))
        return Replay(harm, honest, attacked, before, after)

    def goal(self, before: tuple[Pay, ...]) -> Goal:
        """Return what plays are judged by here, from what the honest worlds pay."""
        if len(self.honest) == 1:
            return Gain.of(self.honest[0], (self.share,), before, self.price, self.xi)
        one, other = self.honest
        return Cut.of(TwinTest((one, other)), before, self.price, self.xi)

    def save(self, folder: Path, name: str | None = None) -> Path:
        """Write NAME.json, the story, and NAME.npz, the arrays; return the first.

        Raises
        ------
        DataError
            If they cannot be written.
        """
        path = folder / f"{name or self.name}.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".npz").write_bytes(self.arrays())
            path.write_text(json.dumps(self.story(), indent=2) + "\n")
        except OSError as error:
            raise DataError(f"{path}: cannot write the witness ({error.strerror})") from error
        return path

    def story(self) -> dict[str, Any]:
        """Return all but the worlds, as JSON values."""
        told = (field.name for field in fields(self) if field.name not in ("honest", "attacked"))
        return {"format": FORMAT, **{name: getattr(self, name) for name in told}}

    def arrays(self) -> bytes:
        """Return the worlds as the bytes of an npz file."""
        file = BytesIO()
        worlds = {"honest": self.honest, "attacked": self.attacked}
        named: dict[str, Any] = {
            f"{when}.{number}.{name}": np.asarray(value)
            for when, both in worlds.items()
            for number, world in enumerate(both)
            for name, value in _facts(world).items()
        }
        np.savez_compressed(file, **named)
        return file.getvalue()

    @classmethod
    def load(cls, path: Path) -> Witness:
        """Read a witness from either of its two files.

        Raises
        ------
        DataError
            If a file is missing, torn, or of another format.
        """
        story, arrays = path.with_suffix(".json"), path.with_suffix(".npz")
        for file in (story, arrays):
            if not file.is_file():
                raise DataError(f"{file}: no such file; a witness is a .json beside a .npz")
        try:
            witness = cls.read(json.loads(story.read_text()), arrays.read_bytes())
            for world in (*witness.honest, *witness.attacked):
                Scene.of(world)
        except UNREADABLE as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{story}: not a witness of this program ({reason})") from error
        return witness

    @classmethod
    def read(cls, story: dict[str, Any], arrays: bytes) -> Witness:
        """Return the witness of a story and the bytes of an npz file."""
        told = dict(story)
        if told.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        if not is_zipfile(BytesIO(arrays)):
            raise ValueError("its arrays are no npz file")
        with np.load(BytesIO(arrays), allow_pickle=False) as found:
            worlds = _worlds(dict(found))
        return cls(**told, honest=worlds["honest"], attacked=worlds["attacked"])


def _facts(world: World) -> dict[str, Any]:
    known = {field.name: getattr(world, field.name) for field in fields(World)}
    return {name: value for name, value in known.items() if value is not None}


def _worlds(arrays: dict[str, Any]) -> dict[str, tuple[World, ...]]:
    found: dict[str, dict[int, dict[str, Any]]] = {"honest": {}, "attacked": {}}
    for key, array in arrays.items():
        when, number, name = key.split(".")
        found[when].setdefault(int(number), {})[name] = _fact(name, array)
    return {
        when: tuple(World(**numbered[number]) for number in sorted(numbered))
        for when, numbered in found.items()
    }


def _fact(name: str, array: Any) -> Any:
    if name in TUPLES:
        return tuple(map(int, array))
    return int(array) if name == "seed" else array
