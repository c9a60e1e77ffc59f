"""What every play came to in every world against every mechanism: as rows, or as columns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from trilemma.codes import key_of
from trilemma.errors import DataError, UsageError
from trilemma.export.blocks import Block, CellRow
from trilemma.export.plays import plays_of
from trilemma.kept import Arrays, Kept
from trilemma.model import AIMS, AnyArray, Budget, IntArray, Play
from trilemma.specs import meant
from trilemma.store import ASKED, asked_in
from trilemma.twins import Coalition

__all__ = ["Cells", "cells"]


PAY = {
    "pay": "sybil_pay",
    "rest": "sybil_rest",
    "fair": "sybil_fair",
    "distance": "sybil_distance",
    "uniform": "sybil_uniform",
    "extra": "sybil_extra",
}
TWIN = {
    "twins": "twin_pay",
    "fair": "coalition_fair",
    "twin": "twin_fair",
    "paid": "twin_paid",
    "paid_honest": "paid",
    "extra": "twin_extra",
}
MEASURED = dict(zip(AIMS, (PAY, TWIN), strict=True))


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of a run, read one by one while somebody goes through the rows.

    Parameters
    ----------
    folder : Path
        Of the run.
    there : dict of str to (str, list of int)
        By label, what is kept of a mechanism: its key, and the worlds that are finished.
    missing : int
        Cells that were asked for and are not there, because the run is not finished or a mechanism
        failed.
    stakes : tuple of float
    plays : dict of str to sequence of Play
        All that were tried, by aim.
    attack : str, or None
        The one whose plays are wanted.
    """

    row: ClassVar = CellRow
    folder: Path
    there: Mapping[str, tuple[str, Sequence[int]]]
    missing: int
    stakes: tuple[float, ...]
    plays: Mapping[str, Sequence[Play]]
    attack: str | None = None

    def __iter__(self) -> Iterator[CellRow]:
        return chain.from_iterable(block.rows() for block in self.blocks())

    def blocks(self, *aims: str) -> Iterator[Block]:
        """Yield the rows as columns, which is faster where all are wanted.

        Parameters
        ----------
        *aims : {"pay", "twin"}
            Default: both.

        Raises
        ------
        DataError
            If a cell is damaged, or of other plays.
        """
        wanted = {aim: at for aim in aims or AIMS if (at := self._places(aim)).size}
        with Kept(self.folder) as kept:
            for label, (key, worlds) in self.there.items():
                coalitions = kept.load_coalitions(key) or []
                heads = {aim: self._head(aim, coalitions, at) for aim, at in wanted.items()}
                for number in worlds:
                    arrays = self._arrays(kept, label, number, coalitions, wanted)
                    for aim, at in wanted.items():
                        columns = heads[aim] | _measured(aim, arrays, at)
                        yield Block(label, number, aim, columns)

    def _places(self, aim: str) -> IntArray:
        """Return which plays are wanted."""
        every = enumerate(self.plays[aim])
        return np.array([at for at, play in every if self.attack in (None, play.attack)], np.int64)

    def _head(
        self, aim: str, coalitions: Sequence[Coalition], places: IntArray
    ) -> dict[str, AnyArray]:
        """Return the columns that are the same in every world."""
        plays = [self.plays[aim][at] for at in places]
        told = {
            "attack": _texts(play.attack for play in plays),
            "play": _texts(play.label for play in plays),
            "identities": np.array([play.identities for play in plays]),
        }
        if aim == "pay":
            head = {name: np.repeat(it, len(self.stakes)) for name, it in told.items()}
            return head | {"stake": np.tile(self.stakes, len(plays))}
        names = (", ".join(str(rank + 1) for rank in coalition) for coalition in coalitions)
        sizes = np.array([len(coalition) for coalition in coalitions])
        return {name: np.tile(it, len(coalitions)) for name, it in told.items()} | {
            "coalition": np.repeat(_texts(names), len(plays)),
            "insiders": np.repeat(sizes, len(plays)),
        }

    def _arrays(
        self,
        kept: Kept,
        label: str,
        number: int,
        coalitions: Sequence[Coalition],
        aims: Iterable[str],
    ) -> Arrays:
        """Return what was measured in one cell, having seen that it is of these plays."""
        names = {name for aim in aims for name in MEASURED[aim].values()}
        key, _ = self.there[label]
        arrays = kept.find(key, str(number), names)
        if arrays is None or not coalitions:
            raise DataError(
                f"{self.folder}: the cell of {label} in world {number} is damaged; trilemma resume "
                f"{self.folder} computes it again"
            )
        shapes = {
            "sybil_pay": (len(self.plays["pay"]), len(self.stakes)),
            "twin_paid": (len(coalitions), len(self.plays["twin"])),
        }
        for name in names & shapes.keys():
            if arrays[name].shape != shapes[name]:
                raise DataError(
                    f"{self.folder}: the cell of {label} in world {number} is of other plays than "
                    f"its attacks make now ({name} is {arrays[name].shape}, expected "
                    f"{shapes[name]}); export it with the code it was made with"
                )
        return arrays


def _measured(aim: str, arrays: Arrays, places: IntArray) -> dict[str, AnyArray]:
    """Return the numbers of a cell, one a row: (plays, stakes), or (coalitions, plays)."""
    found = {name: arrays[source] for name, source in MEASURED[aim].items()}
    if aim == "pay":
        found["extra"] = found["extra"][:, None]
        shape = found["pay"].shape
        chosen: Any = places
    else:
        twins = found.pop("twins")
        found |= {"target": twins[..., 0], "other": twins[..., 1], "fair": found["fair"][:, None]}
        shape = found["paid"].shape
        chosen = np.s_[:, places]
    flat = {name: np.broadcast_to(it, shape)[chosen].ravel() for name, it in found.items()}
    return flat | {"extra": flat["extra"].astype(np.int64)}


def _texts(texts: Iterable[str]) -> AnyArray:
    return np.array(list(texts), np.object_)


def cells(
    run: str | os.PathLike[str],
    *,
    mechanism: str | None = None,
    world: int | None = None,
    attack: str | None = None,
) -> Cells:
    """Return what every play came to, of those mechanisms, worlds and plays that a run asked for.

    Rows are read while somebody goes through them, one cell of the run in memory at a time, also
    while the run goes on; those are there that were finished when this was called.

    Parameters
    ----------
    run : path
        Folder of a `compare(out=...)`, finished or not.
    mechanism : str, optional
        Label of the only one that is wanted.
    world : int, optional
        Number of the only one that is wanted.
    attack : str, optional
        Name of the only attack that is wanted.

    Raises
    ------
    DataError
        If the folder holds no run, or one of another version, or the attacks have changed since.
    PluginError
        If an attack of the run cannot be loaded: only attacks know what plays are called.
    UsageError
        For a mechanism, world or attack that is not in the run.
    """
    folder = Path(run)
    asked = asked_in(folder)
    try:
        budget = Budget(**{**asked["budget"], "insiders": tuple(asked["budget"]["insiders"])})
        codes, numbers = dict(asked["codes"]), range(asked["worlds"])
        attacks, place = dict(asked["attacks"]), Path(asked["asked_in"])
        "".join(codes).encode()  # a surrogate is no text
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{folder / ASKED}: not of a comparison; expected the folder of trilemma compare"
        ) from error
    codes = {it: codes[it] for it in _chosen(folder, "mechanism", mechanism, codes)}
    numbers = _world(folder, world, numbers)
    plays = plays_of(folder, attacks, place, budget)
    names = dict.fromkeys(play.attack for aim in AIMS for play in plays[aim])
    _chosen(folder, "attack", attack, names)
    with Kept(folder) as kept:
        keys = {label: key_of(label, code) for label, code in codes.items()}
        done = {label: kept.worlds(key) & set(numbers) for label, key in keys.items()}
    there = {label: (key, sorted(done[label])) for label, key in keys.items()}
    missing = len(keys) * len(numbers) - sum(map(len, done.values()))
    return Cells(folder, there, missing, budget.stakes, plays, attack)


def _chosen(folder: Path, what: str, word: str | None, known: Iterable[str]) -> list[str]:
    """Return the one that is wanted, or all."""
    there = list(known)
    if word is None:
        return there
    if word not in there:
        raise UsageError(
            f"{folder}: no {what} is called {word!r}{meant(word, there)}; in this run are "
            f"{', '.join(there)}"
        )
    return [word]


def _world(folder: Path, number: int | None, numbers: range) -> range:
    if number is None:
        return numbers
    if number not in numbers:
        raise UsageError(f"{folder}: no world is {number}; this run has 0 to {numbers[-1]}")
    return range(number, number + 1)
