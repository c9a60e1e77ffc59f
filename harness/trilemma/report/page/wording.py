"""How the page says numbers, and what its words mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["WORDS", "amount", "facts", "filters", "half", "place"]

WORDS = {
    "sybil_resistance": (
        "SR",
        "Sybil resistance",
        "1: extra identities and self-praise never pay. 0: an attacker can take everything.",
    ),
    "neutrality": (
        "CN",
        "credible neutrality",
        "1: no insider can starve one of two equal miners. 0: one insider can.",
    ),
    "quality_attacked": (
        "Q",
        "quality under attack",
        "1: pay follows merit even under the worst play tried. 0: it follows it no more than "
        "equal pay does.",
    ),
}


def amount(value: float, digits: int = 2) -> str:
    """Return a number as the page shows it: never a minus before a zero."""
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def harm(value: float) -> str:
    """Return what a play does, to three digits."""
    return "less than 0.001" if 0 < value < 0.0005 else amount(value, 3)


def half(score: Mapping[str, float]) -> str:
    """Return the larger half of an interval, `±0.01`."""
    return f"±{max(score['high'] - score['value'], score['value'] - score['low']):.2f}"


def range_(score: Mapping[str, float]) -> str:
    """Return a score with its interval."""
    return f"{amount(score['value'], 3)} ({amount(score['low'], 3)} to {amount(score['high'], 3)})"


def facts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what was asked, name and value, for people."""
    world, budget = document["world"], document["budget"]
    return [
        *((name.replace("_", " "), _said(value)) for name, value in world.items()),
        ("attacker's stake, at most", _said(budget["stake"])),
        ("identities per role, K", _said(budget["identities"])),
        ("price of an identity", _said(budget["identity_cost"])),
        ("coalitions judged", _said(budget["insiders"])),
        ("epochs of a play", _said(budget["epochs"])),
        ("evaluations of each search", _said(budget["evaluations"])),
        ("scripted plays in each world", _said(document["plays"])),
        ("seed", _said(document["seed"])),
        *((f"{name} version", value) for name, value in document["versions"].items()),
        ("attacks", ", ".join(document["attacks"])),
    ]


def place(document: Mapping[str, Any]) -> str:
    """Return in what kind of worlds the comparison was made."""
    world = document["world"]
    said = f"{world['worlds']} worlds"
    if "network" in world:
        said += f" built on {world['network']}"
    if "validators" in world and "miners" in world:
        said += f", {world['validators']} validators and {world['miners']} miners"
    return f"{said}, {world['stake']} stake" if "stake" in world else said


def filters() -> dict[str, Callable[..., str]]:
    """Return what templates call."""
    return {"amount": amount, "half": half, "harm": harm, "interval": range_}


def _said(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value))
    return f"{value:g}" if isinstance(value, float) else f"{value}"
