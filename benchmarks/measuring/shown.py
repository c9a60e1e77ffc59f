"""Numbers and tables as docs/capacity.md shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

__all__ = ["cells", "digits", "mib", "seconds", "size", "table"]

MIB = 2**20
SECONDS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "days": 86400, "years": 365 * 86400}
BYTES = {unit: 1000**power for power, unit in enumerate(("B", "kB", "MB", "GB", "TB", "PB"))}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as Markdown, numbers to the right."""
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def digits(value: float) -> str:
    """Return a number to two digits, or to three from 100 on."""
    rounded = float(f"{value:.3g}" if abs(value) >= 100 else f"{value:.2g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 10 else f"{rounded:g}"


def seconds(value: float) -> str:
    """Return a time."""
    long = {unit: each * (1.5 if each > 1 else 1) for unit, each in SECONDS.items()}
    return _quantity(value, long, SECONDS)


def size(value: float) -> str:
    """Return bytes."""
    return _quantity(value, BYTES, BYTES)


def mib(value: float) -> str:
    """Return bytes, given as MiB."""
    return size(value * MIB)


def cells(value: float | None) -> str:
    """Return a number of cells to one digit; None is never reached."""
    if value is None:
        return "never"
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa} x 10^{int(exponent)}"


def _quantity(value: float, begins: Mapping[str, float], units: Mapping[str, float]) -> str:
    """Return a number in the last unit that begins before it."""
    if not value:
        return "-"
    reached = [unit for unit, begin in begins.items() if abs(value) >= begin]
    unit = reached[-1] if reached else next(iter(begins))
    return f"{digits(value / units[unit])} {unit}"
