"""Find plug-ins: by entry point, in a module or in a file; and say how one is written.

A plug-in is registered in its distribution's metadata, group `trilemma.mechanisms` or
`trilemma.attacks`; the built-in ones come through the same doors. What mechanisms are made of, and
mechanisms that are compared only where somebody names them, are in `trilemma.parts`. Nothing is
imported before it is asked for.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from trilemma.entries import ATTACKS, MECHANISMS, PARTS, Group, claimants, distribution, registered
from trilemma.errors import (
    DataError,
    PluginError,
    TrilemmaError,
    UsageError,
    blaming,
    one_line,
)
from trilemma.specs import Spec, bind, meant, parameters, parse, signature, write

if TYPE_CHECKING:
    from trilemma.model import Attack, Mechanism

__all__ = [
    "FILE",
    "heads",
    "label",
    "learn",
    "load",
    "load_attacks",
    "load_each",
    "load_parts",
    "name",
    "names",
    "origin",
    "parameters",
]

FILE = "trilemma_file_"  # then a hash of the path: one module, however the path is spelt
_found: dict[str, object] = {}  # what came out of a file or module, by the head first written


def names() -> list[str]:
    """Return the names of all registered mechanisms, sorted; imports none of them."""
    return list(registered(MECHANISMS))


def load(spec: str) -> Mechanism:
    """Return the mechanism that a spec names.

    Parameters
    ----------
    spec : str
        An entry-point name, `module:Name` or `./file.py:Name`, then perhaps parameters by name:
        `yuma(kappa=0.6)`, `stake_capped(inner=quadratic(power=0.3))`. A mechanism inside another
        is quoted if it is no plain name: `stake_capped(inner="./plurality.py:Plurality")`.
        A class is instantiated; any other callable is used as it is.

    Raises
    ------
    UsageError
        If the spec cannot be read, nothing has that name, or a parameter is unknown, missing or
        refused.
    DataError
        If there is no such file.
    PluginError
        If the plug-in fails to import or with its default parameters, cannot be called, or shares
        its name with another one.
    """
    return cast("Mechanism", _build(parse(spec), MECHANISMS))


def load_each(
    specs: Sequence[str | Mechanism] | None = None,
) -> tuple[dict[str, Mechanism], dict[str, TrilemmaError]]:
    """Load many mechanisms; a broken plug-in does not take the others down.

    Parameters
    ----------
    specs : sequence of (str or callable), optional
        What to load; callables are taken as they are. None: every registered mechanism with its
        default parameters, without parts.

    Returns
    -------
    mechanisms : dict
        Label to mechanism, in the order asked; what is asked for twice is kept once.
    failures : dict
        Spec to what is wrong with that plug-in.

    Raises
    ------
    UsageError, DataError
        As `load`; also if two different mechanisms have one label, or an object is no mechanism.
    """
    return _load_each(specs, MECHANISMS)


def load_parts() -> tuple[dict[str, object], dict[str, TrilemmaError]]:
    """Load every registered part as `load_each` loads mechanisms."""
    return _load_each(None, PARTS)


def load_attacks(
    specs: Sequence[str | Attack] | None = None,
) -> tuple[dict[str, Attack], dict[str, TrilemmaError]]:
    """Load many attacks as `load_each` loads mechanisms; None: every registered one."""
    return _load_each(specs, ATTACKS)


def _load_each(
    specs: Sequence[Any] | None, group: Group
) -> tuple[dict[str, Any], dict[str, TrilemmaError]]:
    if isinstance(specs, str):
        raise UsageError(f"expected a list of {group.noun}s; write [{specs!r}]")
    asked = list(registered(group)) if specs is None else specs
    # where nobody asked for anything, whatever goes wrong is the plug-in's doing
    tolerated = TrilemmaError if specs is None else PluginError
    loaded: dict[str, Any] = {}
    failed: dict[str, TrilemmaError] = {}
    for spec in {(it if isinstance(it, str) else id(it)): it for it in asked}.values():
        try:
            found = _build(parse(spec), group) if isinstance(spec, str) else _taken(spec, group)
        except tolerated as error:
            failed[str(spec)] = error
            continue
        key = label(found)
        if not _same(loaded.setdefault(key, found), found):
            raise UsageError(f"two different {group.noun}s are both written {key}; keep one")
    return loaded, failed


def label(mechanism: object) -> str:
    """Return the canonical spec: the name, and the parameters that are not at their default.

    `load(label(m))` has the same label, unless no spec can say what a parameter holds, or the
    mechanism was made where no name reaches it.
    """
    return str(_spec(mechanism))


def name(mechanism: object) -> str:
    """Return the canonical spec without parameters."""
    return _spec(mechanism).head


def origin(mechanism: object) -> str:
    """Return where a mechanism comes from: distribution and version, file, or module."""
    known = _identify(mechanism) or _identify(type(mechanism))
    return known[1] if known else str(getattr(mechanism, "__module__", "unknown"))


def heads() -> dict[str, object]:
    """Return what came out of files and modules, by the head first written."""
    return dict(_found)


def learn(elsewhere: Mapping[str, object]) -> None:
    """Call things as they are called in the process that found them."""
    _found.update(elsewhere)


def _find(head: str, group: Group) -> object:
    """Return what a head names, imported."""
    place, _, name = head.rpartition(":")
    if not place:
        return _entered(head, group)
    module = _file(place) if place.endswith(".py") else _module(place)
    with blaming(f"{head} fails to import"):
        thing: object = module
        for part in name.split("."):
            thing = getattr(thing, part, None)
    if thing is None:
        public = [it for it, held in vars(module).items() if callable(held) and it[0] != "_"]
        raise UsageError(f"{place} has no {name!r}{meant(name, public)}")
    _found.setdefault(head, thing)
    return thing


def _entered(name: str, group: Group) -> object:
    entries = registered(group)
    if group is MECHANISMS:
        entries = registered(PARTS) | entries
    if name not in entries:
        raise UsageError(
            f"no {group.noun} is called {name!r}{meant(name, entries)}; see: {group.listing}"
        )
    claims = claimants(entries[name])
    if len(claims) > 1:
        raise PluginError(
            f"{name!r} is claimed by {' and '.join(claims)}; uninstall one, or write module:Name"
        )
    entry = entries[name][0]
    with blaming(f"{name} (from {distribution(entry)}) fails to import"):
        return entry.load()


def _module(name: str) -> ModuleType:
    with blaming(f"{name} fails to import"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            missing = error.name
            if missing is None or not f"{name}.".startswith(f"{missing}."):
                raise
    raise UsageError(f"no module is called {missing!r}; a file is written ./file.py:Name")


def _file(path: str) -> ModuleType:
    """Import a file, once per process, under a name by which its classes can be pickled."""
    if not os.path.isfile(path):
        raise DataError(f"{path!r}: there is no such file")
    name = FILE + sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:16]
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None  # the path ends in .py
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            with blaming(f"{path} fails to import"):
                spec.loader.exec_module(sys.modules[name])
        except BaseException:
            sys.modules.pop(name, None)
            raise
    return sys.modules[name]


def _build(spec: Spec, group: Group) -> Any:
    found = _find(spec.head, group)
    if isinstance(found, type):
        found = _instance(found, spec, group)
    elif callable(found) and spec.arguments:
        raise UsageError(f"{spec.head} is no class and takes no parameters; write {spec.head}")
    if not callable(found):
        raise PluginError(f"{spec.head} cannot be called with {group.given}: it is {write(found)}")
    return found


def _instance(kind: type, spec: Spec, group: Group) -> object:
    with blaming(f"{spec.head} cannot be made"):
        known = signature(kind)
    given = bind(spec, known, partial(_build, group=group))
    try:
        return kind(**given)
    except (Exception, SystemExit) as error:
        if given and isinstance(error, (ValueError, TypeError, ArithmeticError)):
            said = " ".join(str(error).split()) or type(error).__name__
            raise UsageError(f"{spec}: {said}") from error
        raise PluginError(f"{spec} cannot be made: {one_line(error)}") from error


def _same(one: object, other: object) -> bool:
    try:
        return one is other or bool(one == other)
    except ValueError:  # arrays do not answer with one truth value
        return False


def _taken(thing: object, group: Group) -> object:
    """Return a plug-in that came as an object."""
    if isinstance(thing, type):
        raise UsageError(f"{thing.__name__} is a class; write {thing.__name__}()")
    if not callable(thing):
        raise UsageError(
            f"{write(thing)} is no {group.noun}: it cannot be called with {group.given}"
        )
    return thing


def _spec(thing: Any) -> Spec:
    """Return the canonical spec of a mechanism or of a class."""
    known = _identify(thing)
    if known or hasattr(thing, "__name__"):
        return Spec(known[0] if known else thing.__name__)
    given = {name: _plain(value) for name, value in parameters(thing).items()}
    usual = signature(type(thing)) if given else {}
    changed = [it for it in given.items() if write(it[1]) != write(_plain(usual[it[0]].default))]
    return Spec(_spec(type(thing)).head, tuple(changed))


def _plain(value: object) -> object:
    return _spec(value) if callable(value) else value


def _identify(thing: object) -> tuple[str, str] | None:
    """Return the head that names a class or callable, and its origin, if anything names it."""
    doors = (it for group in (MECHANISMS, PARTS, ATTACKS) for it in registered(group).items())
    for name, entries in doors:
        place, _, path = entries[0].value.partition(":")
        if _held(place, path) is thing and len(claimants(entries)) == 1:
            return name, distribution(entries[0])
    head = next((head for head, found in _found.items() if found is thing), "")
    place, path = (str(getattr(thing, it, "")) for it in ("__module__", "__qualname__"))
    if _held(place, path) is thing:
        if not place.startswith(FILE):
            head = f"{place}:{path}"
        elif not head:  # a file that nobody asked for by this head
            head = f"{sys.modules[place].__file__}:{path}"
    return (head, head.rpartition(":")[0]) if head else None


def _held(place: str, path: str) -> object:
    """Return what an already imported module holds under a dotted name, without running code."""
    held: object = sys.modules.get(place)
    for part in path.split("."):
        held = getattr(held, "__dict__", {}).get(part)
    return held
