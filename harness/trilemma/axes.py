"""What may be varied: a parameter of the budget, of the world or of a mechanism; and its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeAlias, cast, get_args

import numpy as np

from trilemma import registry
from trilemma.checks import whole
from trilemma.errors import UsageError
from trilemma.model import MOST_IDENTITIES, STAKE_STEPS, Budget, Mechanism
from trilemma.specs import meant, signature
from trilemma.worlds import Source

__all__ = ["BUDGET", "PRICE", "Setting", "grid", "varied"]

PRICE = "identity_cost"
BUDGET = ("stake", "identities", PRICE, "insiders")
FINE, COARSE = 101, 11  # points of a range, where nothing is measured again and where it is
MOST_POINTS = 1001
MOST = 1e12  # of any parameter: beyond 2**53 there are gaps between whole numbers
EXAMPLE = "0..0.1, 0..0.1:21 (21 points) or 0,0.01,0.05"


@dataclass(frozen=True, eq=False)
class Setting:
    """What a comparison is about.

    Parameters
    ----------
    mechanisms : mapping of str to Mechanism
        By the name of their curve.
    world : Source
    budget : Budget
    """

    mechanisms: Mapping[str, Mechanism]
    world: Source
    budget: Budget


def varied(setting: Setting, parameter: str, value: float) -> Setting:
    """Return the setting with one parameter changed.

    Parameters
    ----------
    setting : Setting
    parameter : str
        Of the budget (`stake`, `identities`, `identity_cost`, `insiders`: a coalition's size), of
        the world (`noise`, `clone_detection`, ...), or of the mechanisms of one name, as in
        `yuma.kappa` or, of a mechanism inside another, `stake_capped.inner.kappa`.
    value : float

    Raises
    ------
    UsageError
        If there is no such parameter or it refuses the value.
    """
    if parameter in BUDGET:
        given: Any = (value,) if parameter == "insiders" else value  # checked by the budget
        return replace(setting, budget=replace(setting.budget, **{parameter: given}))
    if parameter in _of_world(setting.world):
        world: Any = setting.world
        return replace(setting, world=replace(world, **{parameter: value}))
    changed = {
        curve: _changed(setting.mechanisms[curve], path, value)
        for curve, path in _owners(setting, parameter).items()
    }
    return replace(setting, mechanisms={**setting.mechanisms, **changed})


def grid(setting: Setting, parameter: str, values: str | Iterable[float]) -> tuple[float, ...]:
    """Return the values that a parameter takes, in order.

    Parameters
    ----------
    setting : Setting
    parameter : str
        As for `varied`.
    values : str or iterable of float
        `"LOW..HIGH"`, `"LOW..HIGH:POINTS"` or `"A,B,C"`; or the values themselves. A range of
        stakes takes the multiples of 1/20 in it, one of identities the powers of 2, one of
        anything else that is counted whole numbers; otherwise points are equally far apart.

    Raises
    ------
    UsageError
        If the values cannot be read, or are fewer than two different ones.
    """
    counted, between, points = _kind(setting, parameter)
    if not isinstance(values, str):
        values = tuple(values)
        found = _numbers(parameter, str(values), values)
    elif ".." in values:
        found = _range(parameter, values, between, points)
    else:
        found = _numbers(parameter, values, values.split(","))
    distinct = sorted({_whole(parameter, it) if counted else float(it) for it in found})
    if len(distinct) < 2:
        raise UsageError(f"{parameter}: {values} holds {len(distinct)} values; expected {EXAMPLE}")
    return tuple(distinct)


Between: TypeAlias = Callable[[float, float], Sequence[float]]
"""Gives all values that lie between two ends, where they are so few that they can be listed."""


def _range(parameter: str, text: str, between: Between | None, points: int) -> list[float]:
    ends, _, count = text.partition(":")
    low, high = _numbers(parameter, text, ends.split("..", 1))
    if low >= high:
        raise UsageError(f"{parameter}: the range {text} is empty; expected {EXAMPLE}")
    if count and not (count.isdecimal() and len(count) < 10):
        raise UsageError(f"{parameter}: cannot read {text!r}; expected {EXAMPLE}")
    if count:
        points = whole(f"{parameter}: points", int(count), 2, MOST_POINTS)
    if between is None:
        # labels say 0.3, not 0.30000000000000004
        return [float(f"{step:.12g}") for step in np.linspace(low, high, points)]
    there = between(low, high)
    if count and points > len(there):
        raise UsageError(f"{parameter}: {text}: only {len(there)} values lie in that range")
    places = np.linspace(0, len(there) - 1, min(points, len(there)))
    return [there[round(place)] for place in places]


def _numbers(parameter: str, text: str, parts: Sequence[str | float]) -> list[float]:
    try:
        numbers = [float(part) for part in parts]
    except (ValueError, TypeError):
        numbers = []
    if not numbers or not np.isfinite(numbers).all():
        raise UsageError(f"{parameter}: cannot read {text!r}; expected {EXAMPLE}")
    if np.abs(numbers).max() > MOST:
        raise UsageError(f"{parameter}: {text}: expected no number beyond {MOST:g}")
    return numbers


def _whole(parameter: str, value: float) -> int:
    if value != int(value):
        raise UsageError(f"{parameter} is counted in whole numbers, not {value:g}")
    return int(value)


def _kind(setting: Setting, parameter: str) -> tuple[bool, Between | None, int]:
    """Return whether a parameter is counted, which values a range of it holds, and how many."""
    if parameter in BUDGET:
        between = {"stake": _shares, "identities": _powers, "insiders": _integers}.get(parameter)
        return parameter in ("identities", "insiders"), between, FINE
    if parameter in (kinds := _of_world(setting.world)):
        counted = kinds[parameter] is int
    else:
        owners = _owners(setting, parameter).items()
        counted = all(_is_counted(setting.mechanisms[curve], path) for curve, path in owners)
    return counted, _integers if counted else None, COARSE


def _shares(low: float, high: float) -> list[float]:
    shares = [step / STAKE_STEPS for step in range(STAKE_STEPS)]
    return [share for share in shares if low <= share <= high]


def _powers(low: float, high: float) -> list[float]:
    counts = [2**power for power in range(MOST_IDENTITIES.bit_length())]
    return [count for count in counts if low <= count <= high]


def _integers(low: float, high: float) -> Sequence[float]:
    return range(int(np.ceil(low)), int(np.floor(high)) + 1)


# --- whose parameter it is -----------------------------------------------------------------------


def _of_world(world: Source) -> dict[str, type]:
    """Return the parameters of a world that are numbers, with their types."""
    source: Any = world
    known = fields(source) if is_dataclass(source) else ()
    given = {it.name: type(getattr(source, it.name)) for it in known if it.init}
    return {name: kind for name, kind in given.items() if kind in (int, float)}


def _owners(setting: Setting, parameter: str) -> dict[str, str]:
    """Return the curves whose mechanism has a parameter, and its name there."""
    found = {}
    for curve, mechanism in setting.mechanisms.items():
        start = f"{registry.name(mechanism)}."
        if parameter.startswith(start):
            found[curve] = parameter.removeprefix(start)
            _is_counted(mechanism, found[curve])  # unknown or no number: said before the work
    if not found:
        known = [*BUDGET, *_of_world(setting.world)]
        heads = dict.fromkeys(map(registry.name, setting.mechanisms.values()))
        raise UsageError(
            f"no parameter is called {parameter!r}{meant(parameter, known)}; there are "
            f"{', '.join(known)}, and those of {', '.join(heads)}, as in NAME.PARAMETER"
        )
    return found


def _is_counted(mechanism: Mechanism, path: str) -> bool:
    """Tell whether a mechanism's parameter is a whole number; else it is a real one."""
    name, _, rest = path.partition(".")
    known, label = signature(type(mechanism)), registry.label(mechanism)
    if name not in registry.parameters(mechanism):
        raise UsageError(
            f"{label} has no parameter {name!r}{meant(name, known)}; it takes "
            f"{', '.join(known) or 'none'}"
        )
    if rest:
        return _is_counted(cast("Mechanism", registry.parameters(mechanism)[name]), rest)
    kinds = get_args(known[name].annotation) or (known[name].annotation,)
    if not {int, float, Any}.intersection(kinds):
        raise UsageError(f"{label}: {name} is no number, so it has no range")
    return int in kinds and float not in kinds


def _changed(mechanism: Any, path: str, value: object) -> Any:
    """Return a mechanism with one parameter changed, its own or that of one inside it."""
    name, _, rest = path.partition(".")
    new = _changed(getattr(mechanism, name), rest, value) if rest else value
    try:
        return replace(mechanism, **{name: new})
    except (ValueError, TypeError) as error:
        raise UsageError(f"{registry.label(mechanism)}: {error}") from error
