"""Turn the tables of a study file into what they ask for, and note what is wrong on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from trilemma import registry
from trilemma.axes import Setting, grid, varied
from trilemma.checks import real, whole
from trilemma.errors import TrilemmaError, UsageError, one_line
from trilemma.importers import read
from trilemma.model import Budget, Mechanism
from trilemma.specs import Spec, parse
from trilemma.study.places import KeyPath
from trilemma.study.study import Study, StudySweep
from trilemma.sweep import chosen, target_of
from trilemma.worlds import Imported, Preset, Source

__all__ = ["Asked"]

NAMED = re.compile(r"(?:budget|world): (\w+) (must .*)", re.DOTALL)
BOTH = "[world] and [network] exclude each other: a network has its own sizes and stakes"
NO_FILES = "missing; name the network's files, as in files = ['net.npz']"
Made = TypeVar("Made")


class Asked:
    """What a file asks for; what is wrong with it, `faults`, grows while it is looked at.

    Parameters
    ----------
    document : dict
        The whole file.
    folder : Path
        That relative paths start from.
    """

    def __init__(self, document: dict[str, Any], folder: Path) -> None:
        from trilemma.study.shape import misfits  # here, because pydantic takes its time

        self.folder = folder
        self.document = document
        self.faults: list[tuple[KeyPath, TrilemmaError]] = [
            (path, UsageError(said)) for path, said in misfits(document)
        ]
        self._misfits = {path[:n] for path, _ in self.faults for n in range(1, len(path) + 1)}

    def study(self, source: bytes) -> Study | None:
        """Return the study, or None if there are faults."""
        top = self._sound(())
        mechanisms = self._mechanisms(())
        attacks = self._specs(("attacks",), registry.load_attacks)
        world = self._world((), Preset())
        budget = self._budget((), Budget())
        study = Study(
            mechanisms=mechanisms,
            attacks=attacks or (),
            world=world or Preset(),
            worlds=self._checked(partial(whole, low=1), top, "worlds", Study.worlds),
            budget=budget,
            xi=self._checked(partial(real, low=0, high=1), top, "xi", Study.xi),
            seed=self._checked(partial(whole, low=0), top, "seed", Study.seed),
            out=self._folder_of_run(top),
            sweeps=self._sweeps(mechanisms, world, budget),
            source=source,
            folder=self.folder,
        )
        return None if self.faults else study

    # --- what is there ---------------------------------------------------------------------------

    def _at(self, path: KeyPath) -> Any:
        """Return what stands at a path; None where nothing does."""
        found: Any = self.document
        for part in path:
            if isinstance(found, dict):
                found = found.get(str(part))
            else:
                found = found[part] if isinstance(found, list) and isinstance(part, int) else None
        return found

    def _sound(self, path: KeyPath) -> dict[str, Any]:
        """Return the entries of a table that fit its shape."""
        table = self._at(path)
        entries = table.items() if isinstance(table, dict) else ()
        return {key: it for key, it in entries if (*path, key) not in self._misfits}

    def _is_faulty(self, path: KeyPath) -> bool:
        return any(found[: len(path)] == path for found, _ in self.faults)

    def _add(self, path: KeyPath, error: TrilemmaError) -> None:
        self.faults.append((path, error))

    def _checked(
        self, check: Callable[[str, Any], Made], table: Mapping[str, Any], key: str, usual: Made
    ) -> Made:
        try:
            return check(key, table.get(key, usual))
        except UsageError as error:
            self._add((key,), UsageError(str(error).removeprefix(f"{key} ")))
            return usual

    def _folder_of_run(self, top: Mapping[str, Any]) -> Path | None:
        out = top.get("out")
        if out is not None and not out.isprintable():
            self._add(("out",), UsageError("no folder is called so; expected printable letters"))
        return None if out is None else self.folder / out

    # --- plug-ins --------------------------------------------------------------------------------

    def _mechanisms(self, path: KeyPath) -> tuple[str, ...] | None:
        return self._specs((*path, "mechanisms"), registry.load_each)

    def _specs(
        self, path: KeyPath, load: Callable[[list[str]], tuple[dict[str, Any], Any]]
    ) -> tuple[str, ...] | None:
        """Return specs that can be loaded, or whose plug-in fails; None where none is given."""
        table = self._sound(path[:-1])
        given = table.get(str(path[-1]))
        kept: dict[str, str] = {}
        for at, text in enumerate(given or ()):
            try:
                spec = _placed(text, self.folder)
                label = next(iter(load([spec])[0]), spec)
            except TrilemmaError as error:
                self._add((*path, at), error)
                continue
            if label in kept:
                self._add((*path, at), UsageError(f"{label} a second time; keep one"))
            kept.setdefault(label, spec)
        return tuple(kept.values()) if kept else None

    # --- the world and the budget ----------------------------------------------------------------

    def _budget(self, path: KeyPath, base: Budget) -> Budget:
        path = (*path, "budget")
        return self._made(partial(replace, base), self._sound(path), path) or base

    def _world(self, path: KeyPath, base: Source | None) -> Source | None:
        """Return where worlds come from: the base, with what is asked of it; None if unknown."""
        table = self._at(path)
        if "world" in table and "network" in table:
            self._add((*path, "network"), UsageError(BOTH))
            return None
        if "network" in table:
            return self._network((*path, "network"), base)
        if "world" not in table:
            return base
        path = (*path, "world")
        start = base if isinstance(base, Preset) else Preset()
        return self._made(partial(replace, start), self._sound(path), path)

    def _network(self, path: KeyPath, base: Source | None) -> Source | None:
        given = self._sound(path)
        files = given.pop("files", None)
        if files is None:
            if isinstance(base, Imported):
                return self._made(partial(replace, base), given, path)
            if base is not None and (*path, "files") not in self._misfits:
                self._add((*path, "files"), UsageError(NO_FILES))
            return None
        try:
            network = read([self.folder / file for file in files])
        except (TrilemmaError, ValueError) as error:
            self._add((*path, "files"), _trilemma(error))
            return None
        if isinstance(base, Imported):
            return self._made(partial(replace, base, network=network), given, path)
        return self._made(partial(Imported, network), given, path)

    def _made(self, make: Callable[..., Made], given: dict[str, Any], path: KeyPath) -> Made | None:
        """Return what can be made of values, without those that are refused."""
        given = dict(given)
        while True:
            try:
                return make(**given)
            except TrilemmaError as error:
                known = NAMED.fullmatch(str(error))
                if known is None or known[1] not in given:
                    # the one thing that a preset's size and stake say together
                    key = next((it for it in ("stake", "validators", "files") if it in given), None)
                    self._add(path if key is None else (*path, key), error)
                    return None
                self._add((*path, known[1]), UsageError(known[2]))
                del given[known[1]]

    # --- sweeps ----------------------------------------------------------------------------------

    def _sweeps(
        self, mechanisms: tuple[str, ...] | None, world: Source | None, budget: Budget
    ) -> tuple[StudySweep, ...]:
        tables = self._at(("sweeps",))
        found = []
        for at, table in enumerate(tables if isinstance(tables, list) else ()):
            path = ("sweeps", at)
            if not isinstance(table, dict):
                continue
            own = self._mechanisms(path)
            source = self._world(path, world)
            spent = self._budget(path, budget)
            given = self._sound(path)
            self._target(path, given)
            if source is None or not {"over", "values"} <= given.keys():
                continue
            values = given["values"]
            sweep = StudySweep(
                over=_from_here(given["over"], self.folder),
                values=values if isinstance(values, str) else tuple(values),
                until=given.get("until"),
                mechanisms=own if "mechanisms" in table else mechanisms,
                world=source,
                budget=spent,
            )
            if not self._is_faulty((*path, "mechanisms") if own else ("mechanisms",)):
                self._range(path, sweep)
            found.append(sweep)
        return tuple(found)

    def _target(self, path: KeyPath, given: Mapping[str, Any]) -> None:
        try:
            if "until" in given:
                target_of(given["until"])
        except UsageError as error:
            self._add((*path, "until"), error)

    def _range(self, path: KeyPath, sweep: StudySweep) -> None:
        """Note what is wrong with the parameter of a sweep, or else with its values."""
        key = "over"
        try:
            base = Setting(_loaded(sweep), sweep.world, sweep.budget)
            grid(base, sweep.over, (0, 1))  # values that nothing is wrong with
            key = "values"
            for value in grid(base, sweep.over, sweep.values):
                varied(base, sweep.over, value)
        except UsageError as error:
            self._add((*path, key), error)


def _loaded(sweep: StudySweep) -> dict[str, Mechanism]:
    return registry.load_each(chosen(sweep.mechanisms, sweep.over))[0]


def _placed(text: str, folder: Path) -> str:
    """Return a spec whose relative files start from the working directory, not from a folder."""
    spec = parse(text)
    moved = _moved(spec, folder)
    return text if moved == spec else str(moved)


def _moved(spec: Spec, folder: Path) -> Spec:
    inside = tuple((key, _inner(it, folder)) for key, it in spec.arguments)
    return Spec(_from_here(spec.head, folder), inside)


def _from_here(name: str, folder: Path) -> str:
    """Return what begins with a file as it is called in the working directory."""
    place, sign, rest = name.rpartition(".py:")
    if not sign or folder == Path():
        return name
    path = folder / f"{place}.py"
    plain = path.is_absolute() or path.parts[0] == ".."
    return f"{path if plain else f'./{path}'}:{rest}"


def _inner(value: object, folder: Path) -> object:
    """Return a value of a spec; a mechanism inside another may be quoted."""
    if isinstance(value, Spec):
        return _moved(value, folder)
    if isinstance(value, str) and ".py:" in value:
        return _placed(value, folder)
    return value


def _trilemma(error: Exception) -> TrilemmaError:
    return error if isinstance(error, TrilemmaError) else UsageError(one_line(error))
