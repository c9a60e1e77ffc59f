"""The page of a comparison: one HTML file, drawn from a document and nothing else.

Everything is in the file: styles, script, drawings and the numbers themselves. It asks nothing of
any network, and its content security policy forbids it to.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from trilemma.report.page.drawings import bars, curves, matrix, plane, shown
from trilemma.report.page.properties import properties
from trilemma.report.page.wording import WORDS, facts, filters, place

__all__ = ["fragment", "render"]

HERE = "trilemma.report.page"


def render(document: Mapping[str, Any], told: Mapping[str, Any] | None = None) -> str:
    """Return the page of a comparison.

    Parameters
    ----------
    document : mapping
        As `trilemma.report.document.document` makes it.
    told : mapping, optional
        Of properties, as `trilemma check --json` writes them.

    Returns
    -------
    str
        HTML. What comes from plug-ins and files is text in it, whatever it holds.
    """
    style, script = _part("page.css"), _part("page.js")
    return _template("page.html").render(
        document=document,
        properties=None if told is None else properties(told),
        facts=facts(document),
        place=place(document),
        plane=plane(document),
        curves=curves(document),
        matrices=[matrix(document, side) for side in ("free", "verified")],
        bars=bars(document),
        style=style,
        script=script,
        policy=_policy(script),
    )


def fragment(document: Mapping[str, Any]) -> str:
    """Return the table alone, as a notebook shows it."""
    return _template("notebook.html").render(document=document)


def _policy(script: str) -> str:
    """Return the content security policy: this script and these styles, and nothing from afar."""
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _part(name: str) -> str:
    return files(HERE).joinpath(name).read_text(encoding="utf-8")


@lru_cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader(HERE, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters(), shown=shown)
    environment.globals["words"] = WORDS
    return environment.get_template(name)
