"""An object on its way to processes elsewhere, with all code that they cannot import."""

from __future__ import annotations

import os
import pickle
import platform
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import EntryPoint, distributions, version
from threading import Lock
from types import ModuleType
from typing import Any
from zlib import crc32

import numpy as np

from trilemma import registry
from trilemma.entries import ATTACKS, MECHANISMS, PARTS, distribution, registered
from trilemma.errors import PluginError, UsageError, one_line

__all__ = ["opened", "packed"]

DOORS = (MECHANISMS, PARTS, ATTACKS)
DECISIVE = ("numpy", "numba")  # what else decides about the last bit of a number
PRODUCTS = "matrix products"  # whose last bit is the processor's: BLAS has code for each kind
ALIKE = "its processor is of another kind; start all with OPENBLAS_CORETYPE=Haswell, this one, too"


def packed(shared: object) -> bytes:
    """Return an object as bytes, for `opened`.

    Modules that no distribution brings travel by value: nobody else can be expected to have them.

    Raises
    ------
    PluginError
        If something in it cannot be pickled.
    """
    import cloudpickle

    loose = list(_loose())
    for module in loose:
        cloudpickle.register_pickle_by_value(module)
    try:
        return pickle.dumps((_versions(), cloudpickle.dumps((shared, _named(loose)))))
    except Exception as error:  # of any plug-in's making
        raise PluginError(
            f"{_heavy(shared)} cannot be sent to other machines ({one_line(error)}); expected "
            "something that can be pickled; leave it out, or go on without a cluster"
        ) from error
    finally:
        for module in loose:
            cloudpickle.unregister_pickle_by_value(module)


def _named(modules: list[ModuleType]) -> dict[str, object]:
    """Return what modules hold that somebody named, by that name: labels must be the same there."""
    places = {module.__name__ for module in modules}
    named = registry.heads().items()
    return {head: it for head, it in named if getattr(it, "__module__", None) in places}


def _heavy(shared: Any) -> str:
    """Name the first mechanism that cannot be pickled; it may be an attack, too."""
    import cloudpickle

    for label, mechanism in getattr(shared, "mechanisms", {}).items():
        try:
            cloudpickle.dumps(mechanism)
        except Exception:
            return str(label)
    return "an attack"


def _loose() -> Iterator[ModuleType]:
    """Yield imported modules that no distribution brings, those of named files among them."""
    installed = tuple(f"{folder}{os.sep}" for folder in _installed())
    known = {entry.module.split(".")[0] for entries in _entries() for entry in entries}
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None) or ""
        of_file = name.startswith(registry.FILE)
        of_nobody = place and not place.startswith(installed) and name.split(".")[0] not in known
        if (of_file or of_nobody) and module.__name__ == name:  # and not a second name of it
            yield module


def _installed() -> set[str]:
    """Return the folders that distributions are in, and Python's own modules."""
    own = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    return own | {os.path.abspath(str(dist.locate_file(""))) for dist in distributions()}


def _entries() -> Iterator[list[EntryPoint]]:
    for group in DOORS:
        yield from registered(group).values()


def _versions() -> dict[str, str]:
    """Return the versions of whatever brings plug-ins or decides about numbers."""
    python = ".".join(platform.python_version_tuple()[:2])  # code by value fits no other
    brought = {distribution(entry) for entries in _entries() for entry in entries}
    plugins = dict(it.rsplit(" ", 1) for it in brought)
    numbers = {name: version(name) for name in DECISIVE}
    return {"Python": python, PRODUCTS: _product(), **numbers, **plugins}


def _product() -> str:
    """Return a checksum of a product that no two kinds of processors are likely to share."""
    draw = np.random.default_rng(0)
    return f"{crc32((draw.random(64) @ draw.random((64, 128))).tobytes()):08x}"


# --- in the worker -------------------------------------------------------------------------------

_opening = Lock()  # a worker may have several threads


def opened(data: bytes, by: str) -> Any:
    """Return the object of `packed`: the same one for the same bytes.

    Parameters
    ----------
    data : bytes
    by : str
        Who opens it, for messages.

    Raises
    ------
    UsageError
        If something is missing here, or of another version than where it was packed.
    """
    with _opening:
        return _opened(data, by)


@lru_cache(maxsize=2)  # two, so that two runs at a time do not unpickle again and again
def _opened(data: bytes, by: str) -> Any:
    versions, inner = pickle.loads(data)
    _refuse_other_versions(versions, by)
    return _unpickled(inner, by)


def _refuse_other_versions(wanted: dict[str, str], by: str) -> None:
    here = _versions()
    for name in sorted(wanted):
        if (found := here.get(name)) != wanted[name]:
            raise UsageError(
                f"{by} has {f'{name} {found}' if found else f'no {name}'}; expected {wanted[name]} "
                f"as here; {ALIKE if name == PRODUCTS else 'install the same there'}"
            )


def _unpickled(data: bytes, by: str) -> Any:
    import cloudpickle

    try:
        shared, named = cloudpickle.loads(data)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"{by} lacks what a plug-in needs ({one_line(error)}); install it there"
        ) from error
    registry.learn(named)
    return shared
