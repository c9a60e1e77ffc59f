"""Find mechanisms: by entry point, in a module or in a file; and say how one is written.

A plug-in is registered in its distribution's metadata, group `trilemma.mechanisms`; the built-in
ones come through the same door. Nothing is imported before it is asked for.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from trilemma.errors import DataError, PluginError, TrilemmaError, UsageError
from trilemma.specs import Spec, bind, meant, parameters, parse, signature, write

if TYPE_CHECKING:
    from trilemma.model import Mechanism

__all__ = [
    "GROUP",
    "label",
    "load",
    "load_each",
    "name",
    "names",
    "origin",
    "parameters",
]

GROUP = "trilemma.mechanisms"

_FILE = "trilemma_file_"  # then a hash of the path: one module, however the path is spelt
_found: dict[str, object] = {}  # what came out of a file or module, by the head first written


def names() -> list[str]:
    """Return the names of all registered mechanisms, sorted; imports none of them."""
    return list(_entries())


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
    return _build(parse(spec))


def load_each(
    specs: Sequence[str | Mechanism] | None = None,
) -> tuple[dict[str, Mechanism], dict[str, TrilemmaError]]:
    """Load many mechanisms; a broken plug-in does not take the others down.

    Parameters
    ----------
    specs : sequence of (str or callable), optional
        What to load; callables are taken as they are. None: every registered mechanism with its
        default parameters.

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
    if isinstance(specs, str):
        raise UsageError(f"expected a list of mechanisms; write [{specs!r}]")
    asked = names() if specs is None else specs
    # where nobody asked for anything, whatever goes wrong is the plug-in's doing
    tolerated = TrilemmaError if specs is None else PluginError
    loaded: dict[str, Mechanism] = {}
    failed: dict[str, TrilemmaError] = {}
    for spec in {(it if isinstance(it, str) else id(it)): it for it in asked}.values():
        try:
            mechanism = load(spec) if isinstance(spec, str) else _taken(spec)
        except tolerated as error:
            failed[str(spec)] = error
            continue
        key = label(mechanism)
        if not _same(loaded.setdefault(key, mechanism), mechanism):
            raise UsageError(f"two different mechanisms are both written {key}; keep one of them")
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


def _entries() -> dict[str, list[EntryPoint]]:
    return _scan(tuple(sys.path))


@lru_cache(maxsize=1)  # 2 ms for 30 distributions, and one label asks several times
def _scan(_: tuple[str, ...]) -> dict[str, list[EntryPoint]]:
    grouped: dict[str, list[EntryPoint]] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        grouped.setdefault(entry.name, []).append(entry)
    return grouped


def _claims(entries: Iterable[EntryPoint]) -> list[str]:
    """Return who claims a name, each once: one distribution may be found in two places."""
    return list(dict.fromkeys(f"{entry.value} of {_distribution(entry)}" for entry in entries))


def _distribution(entry: EntryPoint) -> str:
    with suppress(Exception):  # its metadata can be missing or broken in many ways
        if entry.dist and entry.dist.name:
            return f"{entry.dist.name} {entry.dist.version}"
    return "a distribution without metadata"


def _find(head: str) -> object:
    """Return what a head names, imported."""
    place, _, name = head.rpartition(":")
    if not place:
        return _registered(head)
    module = _file(place) if place.endswith(".py") else _module(place)
    with _blaming(f"{head} fails to import"):
        thing: object = module
        for part in name.split("."):
            thing = getattr(thing, part, None)
    if thing is None:
        public = [it for it, held in vars(module).items() if callable(held) and it[0] != "_"]
        raise UsageError(f"{place} has no {name!r}{meant(name, public)}")
    _found.setdefault(head, thing)
    return thing


def _registered(name: str) -> object:
    entries = _entries()
    if name not in entries:
        raise UsageError(
            f"no mechanism is called {name!r}{meant(name, entries)}; see: trilemma list"
        )
    claims = _claims(entries[name])
    if len(claims) > 1:
        raise PluginError(
            f"{name!r} is claimed by {' and '.join(claims)}; uninstall one, or write module:Name"
        )
    entry = entries[name][0]
    with _blaming(f"{name} (from {_distribution(entry)}) fails to import"):
        return entry.load()


def _module(name: str) -> ModuleType:
    with _blaming(f"{name} fails to import"):
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
    name = _FILE + sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:16]
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None  # the path ends in .py
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            with _blaming(f"{path} fails to import"):
                spec.loader.exec_module(sys.modules[name])
        except BaseException:
            sys.modules.pop(name, None)
            raise
    return sys.modules[name]


@contextmanager
def _blaming(trouble: str) -> Iterator[None]:
    """Turn whatever a plug-in's code raises into one line about the plug-in."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise PluginError(f"{trouble}: {_line(error)}") from error


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".removesuffix(": ").split())


def _build(spec: Spec) -> Mechanism:
    found = _find(spec.head)
    if isinstance(found, type):
        found = _instance(found, spec)
    elif callable(found) and spec.arguments:
        raise UsageError(f"{spec.head} is no class and takes no parameters; write {spec.head}")
    if not callable(found):
        raise PluginError(f"{spec.head} cannot be called with an epoch: it is {write(found)}")
    return cast("Mechanism", found)


def _instance(kind: type, spec: Spec) -> object:
    with _blaming(f"{spec.head} cannot be made"):
        known = signature(kind)
    given = bind(spec, known, _build)
    try:
        return kind(**given)
    except (Exception, SystemExit) as error:
        if given and isinstance(error, (ValueError, TypeError, ArithmeticError)):
            said = " ".join(str(error).split()) or type(error).__name__
            raise UsageError(f"{spec}: {said}") from error
        raise PluginError(f"{spec} cannot be made: {_line(error)}") from error


def _same(one: object, other: object) -> bool:
    try:
        return one is other or bool(one == other)
    except ValueError:  # arrays do not answer with one truth value
        return False


def _taken(mechanism: object) -> Mechanism:
    """Return a mechanism that came as an object."""
    if isinstance(mechanism, type):
        raise UsageError(f"{mechanism.__name__} is a class; write {mechanism.__name__}()")
    if not callable(mechanism):
        raise UsageError(f"{write(mechanism)} is no mechanism: it cannot be called with an epoch")
    return cast("Mechanism", mechanism)


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
    for name, entries in _entries().items():
        place, _, path = entries[0].value.partition(":")
        if _held(place, path) is thing and len(_claims(entries)) == 1:
            return name, _distribution(entries[0])
    head = next((head for head, found in _found.items() if found is thing), "")
    place, path = (str(getattr(thing, it, "")) for it in ("__module__", "__qualname__"))
    if _held(place, path) is thing:
        if not place.startswith(_FILE):
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
