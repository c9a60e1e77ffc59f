"""The reference names all that is public; docstrings say what their signatures need."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import textwrap
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest
import typer
from markdown_it import MarkdownIt

import trilemma
import trilemma.testing
from docs import reference
from tests.data import ROOT
from trilemma import cutoff, power
from trilemma.cli import app
from trilemma.testing import strategies

PAGES = {path.stem: path.read_text() for path in sorted(reference.FOLDER.glob("*.md"))}
MODULES = {
    trilemma: "trilemma",
    trilemma.testing: "testing",
    strategies: "testing",
    cutoff: "cutoff",
    power: "cutoff",
}
NAMES = [(module, name) for module in MODULES for name in module.__all__]
HEADING = re.compile(r"^(#+) (?:class )?`(.+)`$", re.MULTILINE)
SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)

every_name = pytest.mark.parametrize(
    ("module", "name"), NAMES, ids=[f"{module.__name__}.{name}" for module, name in NAMES]
)


def sections(page: str) -> dict[str, str]:
    """Return by title all that stands below a heading."""
    heads, found = list(HEADING.finditer(page)), {}
    for place, head in enumerate(heads):
        ends = (it.start() for it in heads[place + 1 :] if len(it[1]) <= len(head[1]))
        found[head[2]] = flat(page[head.end() : next(ends, len(page))])
    return found


def flat(text: str) -> str:
    return " ".join(text.replace("\\|", "|").split())


SECTIONS = {page: sections(text) for page, text in PAGES.items()}


# --- what docstrings say -------------------------------------------------------------------------


def told(module: ModuleType, name: str) -> str:
    """Return the docstring of a class or callable, or the string below a constant."""
    thing = getattr(module, name)
    if callable(thing):
        return inspect.cleandoc(thing.__doc__ or "")
    body = ast.parse(inspect.getsource(module)).body
    for here, below in pairwise([*body, ast.Pass()]):
        if isinstance(here, ast.ImportFrom) and name in {it.name for it in here.names}:
            return told(import_module(str(here.module)), name)
        if re.match(rf"{name}\b", ast.unparse(here)):
            text = ast.get_docstring(ast.Module([below], []))  # read as if it began a module
            return text or ""
    raise AssertionError(f"{module.__name__} does not say where {name} comes from")


def parts(docstring: str) -> dict[str, str]:
    """Return the sections of a docstring; what stands before them has no name."""
    first, *others = SECTION.split(docstring)
    return {"": first, **dict(zip(others[::2], others[1::2], strict=True))}


def listed(docstring: str, section: str) -> set[str]:
    """Return the names that a section lists."""
    lines = parts(docstring).get(section, "").splitlines()
    heads = [line.split(" : ")[0] for line in lines if line and line[0] != " "]
    return {name for head in heads for name in head.split(", ")}


def sentences(docstring: str) -> list[str]:
    """Return the lines that a page repeats, without names, types and titles."""
    first, *others = parts(docstring).values()
    indented = [line for text in others for line in text.splitlines() if line[:1] == " "]
    return [*first.splitlines(), *indented]


# --- what code says ------------------------------------------------------------------------------


def taken(thing: Any) -> set[str]:
    """Return the parameters that need words; those of exceptions are Python's own."""
    if isinstance(thing, type) and issubclass(thing, Exception):
        return set()
    parameters = inspect.signature(thing).parameters.values()
    return {it.name for it in parameters if it.kind not in (it.VAR_POSITIONAL, it.VAR_KEYWORD)}


def raised(thing: Any) -> set[str]:
    """Return the errors that a function itself raises, or a class where an object is made."""
    makers = (thing.__name__, "__init__", "__post_init__")
    return {
        ast.unparse(node.exc.func)
        for maker in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(thing))))
        if isinstance(maker, ast.FunctionDef) and maker.name in makers
        for node in ast.walk(maker)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    }


def members(thing: Any) -> Iterator[tuple[str, str]]:
    """Yield the public methods and properties of a class, and what they say."""
    for name, member in vars(thing).items() if isinstance(thing, type) else ():
        is_field = name in getattr(thing, "__dataclass_fields__", {})
        if name[0] != "_" and hasattr(member, "__get__") and not is_field:
            yield f"{thing.__name__}.{name}", inspect.cleandoc(member.__doc__ or "")


def faults(thing: Any, docstring: str) -> list[str]:
    """Return what is wrong with the docstring of a class or callable."""
    described, named = listed(docstring, "Parameters"), listed(docstring, "Raises")
    found = [f"{it}: not described" for it in sorted(taken(thing) - described)]
    found += [f"{it}: no parameter" for it in sorted(described - taken(thing))]
    found += [f"{it}: raised, not named" for it in sorted(raised(thing) - named)]
    places = (builtins, trilemma, trilemma.testing)
    found += [f"{it}: no error" for it in named if not any(hasattr(at, it) for at in places)]
    if not isinstance(thing, type) and "Returns" not in parts(docstring):
        answer = inspect.signature(thing).return_annotation
        if answer not in (None, "None") and not docstring.startswith("Return "):
            found.append(f"{answer}: returned, not described")
    return found


# --- the modules ---------------------------------------------------------------------------------


@every_name
def test_every_public_name_has_a_docstring_with_what_its_signature_needs(
    module: ModuleType, name: str
) -> None:
    thing, docstring = getattr(module, name), told(module, name)
    assert docstring
    assert [member for member, said in members(thing) if not said] == []
    if callable(thing):
        assert faults(thing, docstring) == []


@every_name
def test_every_public_name_has_a_section_that_says_what_its_docstring_does(
    module: ModuleType, name: str
) -> None:
    thing, section = getattr(module, name), SECTIONS[MODULES[module]][name]
    said = [told(module, name), *(docstring for _, docstring in members(thing))]
    lines = [flat(line) for docstring in said for line in sentences(docstring)]
    assert [line for line in lines if line not in section] == []
    assert [it for it in listed(said[0], "Parameters") if f"`{it}`" not in section] == []


def test_what_a_docstring_lacks_is_noticed() -> None:
    def asked(one: int, *, other: int) -> int:
        if one > other:
            raise KeyError(one)
        return one

    text = """Ask.

    Parameters
    ----------
    one, another : int
        Words.

    Raises
    ------
    NoError
        Never.
    """
    assert faults(asked, inspect.cleandoc(text)) == [
        "other: not described",
        "another: no parameter",
        "KeyError: raised, not named",
        "NoError: no error",
        "int: returned, not described",
    ]


# --- the command line ----------------------------------------------------------------------------


def commands(command: Any, name: str = "trilemma") -> Iterator[tuple[str, Any]]:
    yield name, command
    for it in getattr(command, "commands", {}).values():
        if not it.hidden:
            yield from commands(it, f"{name} {it.name}")


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_section_with_all_its_options(name: str) -> None:
    section, command = SECTIONS["command-line"][name], COMMANDS[name]
    assert flat(command.help) in section
    shown = [it for it in command.params if not getattr(it, "hidden", False)]
    options = [option for it in shown for option in it.opts if option.startswith("-")]
    told = {it for line in section.split("| `")[1:] for it in line.partition("`")[0].split()}
    assert [it for it in options if it not in {name.rstrip(",") for name in told}] == []
    helps = [flat(it.help) for it in shown if getattr(it, "help", None)]
    assert [it for it in helps if it not in section] == []


def test_no_other_command_has_a_section() -> None:
    assert list(SECTIONS["command-line"]) == list(COMMANDS)


# --- the pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_plain_markdown_and_tell_nothing_of_a_machine(page: str) -> None:
    text = PAGES[page]
    blocks = MarkdownIt().enable("table").parse(text)
    within = [it for block in blocks for it in block.children or ()]
    markup = [it.content for it in (*blocks, *within) if it.type in ("html_block", "html_inline")]
    assert markup == [f"{reference.GENERATED}\n"]
    assert "em_open" not in {it.type for it in within}
    assert [it for it in (ROOT.as_posix(), "/home/", "/tmp/", " at 0x") if it in text] == []


def test_the_pages_are_what_the_command_writes() -> None:
    extra = "needs the extra `docs`: pip install 'trilemma[docs]'"
    pytest.importorskip("griffe", reason=extra)
    pytest.importorskip("typer", "0.29", reason=extra)
    fresh = reference.pages()
    assert set(PAGES) == set(fresh)
    for page, text in fresh.items():
        assert PAGES[page] == text, "write it again: python docs/regenerate.py reference"
