"""A plug-in to start from: a package with one mechanism, its tests and a benchmark.

The folder `mechanism` beside this file is that package, with `my_mechanism`, `my-mechanism` and
`MyMechanism` where its names go.
"""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, version
from keyword import iskeyword
from pathlib import Path

from trilemma.entries import MECHANISMS, claimants, registered
from trilemma.errors import DataError, UsageError

__all__ = ["write_mechanism"]

TEMPLATE = Path(__file__).parent / "mechanism"
ENDING = ".template"  # keeps tools that look after this package away from what it writes
LONGEST = 40  # letters, so that no line of the package gets longer than 100
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def write_mechanism(name: str, into: Path) -> tuple[Path, list[Path]]:
    """Write a package with one mechanism, which passes its own tests.

    Parameters
    ----------
    name : str
        Of the mechanism and of the module that holds it, as in `my_rule`.
    into : Path
        An existing folder. The package goes into a new one in it, `my-rule`.

    Returns
    -------
    project : Path
        The new folder.
    files : list of Path
        What is in it, relative to it.

    Raises
    ------
    UsageError
        If the name cannot be one, or is taken.
    DataError
        If there is something already where the package would go, or it cannot be written.
    """
    _refuse_name(name)
    project, texts = into / _dashed(name), _texts(name)
    try:
        _refuse_place(project)
        for place, text in texts.items():
            _write(project / place, text)
    except OSError as error:
        raise DataError(f"{project}: cannot be written ({error.strerror})") from error
    return project, list(texts)


def _texts(name: str) -> dict[Path, str]:
    """Return what stands in each file of the package."""
    texts = {}
    for template in sorted(TEMPLATE.rglob(f"*{ENDING}")):
        place = template.relative_to(TEMPLATE).as_posix().removesuffix(ENDING)
        texts[Path(_filled(place, name))] = _filled(template.read_text(encoding="utf-8"), name)
    return texts


def _filled(text: str, name: str) -> str:
    dashed = text.replace("my-mechanism", _dashed(name))
    return dashed.replace("my_mechanism", name).replace("MyMechanism", _camel(name))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8", newline="\n") as file:  # x: never over another file
        file.write(text)


# --- names ---------------------------------------------------------------------------------------


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _refuse_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name: expected lower-case letters, digits and _ between "
            f"words; write {_meant(name)}"
        )
    if len(name) > LONGEST:
        raise UsageError(f"{name!r} has {len(name)} letters; take at most {LONGEST}")
    for trouble in _troubles(name):
        raise UsageError(f"{name!r} {trouble}; take another name, as in {name}_rule")


def _meant(name: str) -> str:
    """Return the name that comes closest to what was written."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    close = re.sub(r"[^a-z0-9]+", "_", words).strip("_")
    return close if _NAME.fullmatch(close) else "my_rule"


def _troubles(name: str) -> Iterator[str]:
    """Yield what is wrong with a name that is well written."""
    if iskeyword(name):
        yield "is a word of Python's own"
    if hasattr(builtins, _camel(name)):
        yield f"would name its class {_camel(name)}, which is Python's own"
    if entries := registered(MECHANISMS).get(name):
        yield f"is the name of a mechanism already ({' and '.join(claimants(entries))})"
    if place := _importable(name):
        yield f"is the name of a module already ({place}), and one would hide the other"
    if found := _installed(_dashed(name)):
        yield f"is installed already ({_dashed(name)} {found}), and would be replaced"


def _importable(name: str) -> str:
    """Return where a module comes from; a file in the current folder is not in the way."""
    if name in sys.stdlib_module_names:
        return "of Python's own"
    here = Path.cwd()
    elsewhere = [place for place in sys.path if Path(place).resolve() != here]
    found = PathFinder.find_spec(name, elsewhere)
    return "" if found is None else str(found.origin or found.submodule_search_locations)


def _installed(distribution: str) -> str:
    """Return the version in which a distribution is installed; nothing where it is not."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


# --- places --------------------------------------------------------------------------------------


def _refuse_place(project: Path) -> None:
    if not project.parent.is_dir():
        raise DataError(f"{project.parent}: there is no such folder; make it first")
    if project.is_dir() and any(project.iterdir()):
        raise DataError(
            f"{project}: is not empty, and nothing is overwritten; move it away, or name another "
            "folder with --into"
        )
