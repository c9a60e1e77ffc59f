"""The shape of a study file: its keys and the types of their values, not which values are in range.

What is in range is known where it is used, by `Budget`, `Preset` and so on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
)

from trilemma.model import Budget
from trilemma.specs import meant
from trilemma.worlds import Imported, Preset

__all__ = ["SHAPES", "StudyShape", "misfits", "schema"]

KeyPath: TypeAlias = tuple[str | int, ...]

TEXT, ARRAY = "text", "array"  # what the values of a sweep may be
VALUES = "expected a range as in '0..0.1', or an array of numbers"
EXPECTED = {  # by what pydantic calls it
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "string_type": "expected a string",
    "list_type": "expected an array",
    "model_type": "expected a table",
    "value_error": "expected a whole number of at most 64 bits",
}
EMPTY = "empty; give one at least, or leave the key out"
LONGEST = 60  # letters of a value or key that are repeated


def _kind(values: object) -> str | None:
    return TEXT if isinstance(values, str) else ARRAY if isinstance(values, list) else None


def _of_64_bits(number: int) -> int:
    """Refuse what TOML has no room for: Python takes it, and then cannot write it."""
    if not -(2**63) <= number < 2**63:
        raise ValueError
    return number


Whole = Annotated[int, AfterValidator(_of_64_bits)]
Mechanisms = Annotated[
    list[str],
    Field(
        default_factory=list,
        min_length=1,
        description="Names, module:Name or ./file.py:Name, with parameters as in "
        "yuma(kappa=0.6). Without it: every registered mechanism.",
    ),
]
Files = Annotated[
    list[str],
    Field(min_length=1, description="The network's file, or files that make up one network."),
]
Noise = Annotated[float, Field(description="Standard deviation of the log of an honest report.")]
Detection = Annotated[
    float, Field(description="Chance that an honest validator sees through cloned work.")
]
Values = Annotated[
    Annotated[str, Tag(TEXT)] | Annotated[list[float], Tag(ARRAY)],
    Discriminator(_kind, custom_error_type="values_type", custom_error_message=VALUES),
]


class Shape(BaseModel):
    """A table of which no key is unknown and no value is of another type than is asked for."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True
    )


class WorldShape(Shape):
    """A synthetic honest network."""

    stake: str = Preset.stake
    """root-2024, equal or pareto(ALPHA)."""
    validators: Whole = Preset.validators
    """The attacker's included."""
    miners: Whole = Preset.miners
    """The attacker's included."""
    noise: Noise = Preset.noise
    spread: float = Preset.spread
    """Standard deviation of the log of quality."""
    clone_detection: Detection = Preset.clone_detection
    attacker_work: float = Preset.attacker_work
    """Quality of the attacker's miner, in medians."""
    subnets: Whole = Preset.subnets
    """Subnets that miners work in, for layered rules."""


class OtherNetworkShape(Shape):
    """A real network; for a sweep, what of the study's is changed."""

    files: Annotated[Files, Field(default_factory=list)]
    noise: Noise = Imported.noise
    clone_detection: Detection = Imported.clone_detection
    distrusted: Whole = Imported.distrusted
    """How many of the largest validators are not believed to report honestly."""


class NetworkShape(OtherNetworkShape):
    """A real network."""

    files: Files


class BudgetShape(Shape):
    """What an attacker may spend."""

    stake: float = Budget.stake
    """The largest share of stake it may hold."""
    identities: Whole = Budget.identities
    """Identities a principal may use per role; plays try powers of 2."""
    identity_cost: float = Budget.identity_cost
    """Price of each identity beyond the first of a role, in rewards of an epoch."""
    insiders: list[Whole] = list(Budget.insiders)
    """Coalition sizes that neutrality averages over."""
    evaluations: Whole = Budget.evaluations
    """Mechanism calls of the search, by world and score; 0: scripted plays only."""


class SweepShape(Shape):
    """A sweep beside the comparison; what it does not say is the study's."""

    over: str
    """A parameter of the budget, of the world, or of a mechanism: yuma.kappa."""
    values: Values
    """LOW..HIGH, LOW..HIGH:POINTS or A,B,C; or an array of numbers."""
    until: Annotated[str, Field(default_factory=str, min_length=1)]
    """A target, as in minimum >= 0.5: the smallest value that meets it is looked for."""
    mechanisms: Mechanisms
    world: Annotated[WorldShape, Field(default_factory=WorldShape)]
    network: Annotated[OtherNetworkShape, Field(default_factory=OtherNetworkShape)]
    budget: Annotated[BudgetShape, Field(default_factory=BudgetShape)]

    model_config = ConfigDict(json_schema_extra={"not": {"required": ["world", "network"]}})


class StudyShape(Shape):
    """A comparison of mechanisms, and sweeps beside it: trilemma run STUDY.toml."""

    mechanisms: Mechanisms
    attacks: Annotated[list[str], Field(default_factory=list)]
    """Attacks beside every registered one: names, module:family or ./file.py:family."""
    worlds: Whole = 16
    """Worlds drawn."""
    seed: Whole = 0
    """Same seed, same numbers."""
    xi: float = 0.5
    """The validators' part of all pay."""
    out: Annotated[str, Field(default_factory=str, min_length=1)]
    """Folder of the run: finished cells, witnesses, the page, and a copy of this file."""
    world: Annotated[WorldShape, Field(default_factory=WorldShape)]
    network: Annotated[NetworkShape, Field(default_factory=NetworkShape.model_construct)]
    budget: Annotated[BudgetShape, Field(default_factory=BudgetShape)]
    sweeps: Annotated[list[SweepShape], Field(default_factory=list)]

    model_config = ConfigDict(json_schema_extra={"not": {"required": ["world", "network"]}})


SHAPES: dict[tuple[str, ...], type[Shape]] = {  # by the path of their table, without places
    (): StudyShape,
    ("world",): WorldShape,
    ("network",): NetworkShape,
    ("budget",): BudgetShape,
    ("sweeps",): SweepShape,
    ("sweeps", "world"): WorldShape,
    ("sweeps", "network"): OtherNetworkShape,
    ("sweeps", "budget"): BudgetShape,
}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a study file."""
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, "title": "Study", **_untitled(StudyShape.model_json_schema())}


def _untitled(part: Any) -> Any:
    """Return a part of the schema without titles: they are the keys again."""
    if isinstance(part, list):
        return [_untitled(it) for it in part]
    if not isinstance(part, dict):
        return part
    return {key: _untitled(it) for key, it in part.items() if key != "title"}


def misfits(document: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Yield the path of everything that does not fit the shape, and what is wrong with it."""
    try:
        StudyShape.model_validate(document)
    except ValidationError as error:
        for it in error.errors(include_url=False, include_context=False):
            path = _untagged(it["loc"])
            yield path, _said(it["type"], path, it["input"], it["msg"])


def _untagged(path: KeyPath) -> KeyPath:
    """Return a path without what the values of a sweep were taken for."""
    tagged = path[2:3] == ("values",)
    return path[:3] + path[4:] if tagged else path


def _said(kind: str, path: KeyPath, value: object, message: str) -> str:
    match kind:
        case "extra_forbidden":
            return _unknown(path)
        case "missing":
            return f"missing; every [[{path[0]}]] needs it" if len(path) > 2 else "missing"
        case "too_short" | "string_too_short":
            return EMPTY
        case _:
            return f"{EXPECTED.get(kind, message)}, got {shown(value)}"


def _unknown(path: KeyPath) -> str:
    table = tuple(part for part in path[:-1] if isinstance(part, str))
    key, known = str(path[-1]), SHAPES[table].model_fields
    said = meant(key[:LONGEST], known)
    homes = [it for it, shape in SHAPES.items() if key in shape.model_fields and len(it) < 2]
    if not said and homes:
        said = f"; it belongs {_home(homes[0])}"
    return f"unknown key{said or '; there are ' + ', '.join(known)}"


def _home(table: tuple[str, ...]) -> str:
    return f"under [{table[0]}]" if table else "at the top, before the first [table]"


def shown(value: object) -> str:
    """Return a value of a TOML file as a message may repeat it."""
    match value:
        case bool():
            return repr(value).lower()
        case dict():
            return "a table"
        case list():
            return "an array"
        case int() if abs(value) >= 2**63:  # Python refuses to write very large ones
            return f"a whole number of {value.bit_length()} bits"
        case int() | float() | str():
            said = repr(value)
            return said if len(said) <= LONGEST else f"{said[:LONGEST]}..."
        case _:
            return f"the date or time {value}"
