"""A minority that praises its own miners grows against an honest majority.

Sources: opentensor/subtensor, docs/consensus.md and its retention experiment [P].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from trilemma.checks import NOTHING
from trilemma.contract import Pay, call_each
from trilemma.incidents.asking import each
from trilemma.incidents.incident import Fact, Incident, Table
from trilemma.model import FloatArray, Mechanism
from trilemma.report.retention import Line, line_of
from trilemma.sides import Experiment, Sides

__all__ = ["EXPERIMENT", "FACTS", "SIGMAS", "ask"]

DOCS = "opentensor/subtensor, docs/consensus.md"
FACTS = (
    Fact(
        "with weights that scatter by .4, a cabal with 40 % of the stake whose work is worth 30 % "
        "can grow against the honest 60 %",
        "P",
        DOCS,
    ),
    Fact(
        "honest 60 % of the stake must be worth .60, .67 and .73 in honest work to keep their "
        "share, where weights scatter by 0, .2 and .4",
        "P",
        f"{DOCS}, figures of September 2023, of Yuma in version 2",
    ),
)

USUAL = ("yuma(version=2)", "yuma", "stake_weighted", "stake_capped", "quadratic", "dao_vote")
HONEST = 0.6  # of the stake
SIGMAS = (0.0, 0.2, 0.4)
EXPERIMENT = Experiment(validators=32, miners=224, grid=21)  # the published one has 64, 448, 51


def ask(mechanisms: Iterable[str | Mechanism] | None, seed: int) -> Incident:
    """Return what keeps a majority's share; parameters and errors as `trilemma.incidents.ask`."""
    drawn = [replace(EXPERIMENT, sigma=sigma).sides(HONEST, seed) for sigma in SIGMAS]
    answers, failures = each(
        mechanisms, USUAL, lambda label, it: tuple(_line(label, it, sides) for sides in drawn)
    )
    return Incident(
        "cabal",
        "a self-dealing minority",
        f"What must {HONEST:.0%} of the stake be worth in honest work to keep its share of all "
        f"pay, whatever a cabal with {1 - HONEST:.0%} says of its own miners? Here in a network of "
        f"{EXPERIMENT.validators} validators and {EXPERIMENT.miners} miners, on a grid of "
        f"{EXPERIMENT.grid} by {EXPERIMENT.grid}; `trilemma map` asks the published one.",
        FACTS,
        (_table(answers),),
        tuple(_findings(answers)),
        tuple(_entry(label, lines) for label, lines in answers.items()),
        failures,
    )


def _line(label: str, mechanism: Mechanism, sides: Sides) -> Line:
    parts = np.linspace(0, 1, EXPERIMENT.grid)
    share = partial(_honest_share, sides)

    def shares(cabal: float) -> list[float]:
        epochs = [sides.epoch(honest, cabal) for honest in parts]
        return [*map(share, call_each(label, mechanism, epochs))]

    surface: FloatArray = np.array([shares(cabal) for cabal in parts])
    return line_of(HONEST, [surface])


def _honest_share(sides: Sides, pay: Pay) -> float:
    xi = EXPERIMENT.validator_share
    honest = xi * pay.validators[: sides.validators].sum()
    honest += (1 - xi) * pay.miners[: sides.miners].sum()
    total = pay.total(xi)
    return float(honest / total) if total > 0 else 0.0


Lines = Mapping[str, tuple[Line, ...]]
"""By label, one per scatter of weights."""


def _table(answers: Lines) -> Table:
    rows = [
        (label, tuple(cell for it in lines for cell in (it.required_honest_utility, _work(it))))
        for label, lines in answers.items()
    ]
    return Table(
        f"What {HONEST:.0%} honest stake must be worth in honest work to keep its share (-: not "
        f"even all work is enough), and the work with which a cabal of {1 - HONEST:.0%} grows, "
        "by how much weights scatter:",
        tuple(
            name for sigma in SIGMAS for name in (f"honest, sigma {sigma:g}", f"cabal, {sigma:g}")
        ),
        tuple(rows),
    )


def _work(line: Line) -> float | None:
    required = line.required_honest_utility
    if required is None:
        return None
    return 1 - required if required < 1 - NOTHING else 0.0


def _findings(answers: Lines) -> Iterator[str]:
    for label, lines in answers.items():
        last, work = lines[-1], _work(lines[-1])
        where = f"{label}, sigma {SIGMAS[-1]:g}:"
        if work is None:
            yield f"{where} a cabal of {1 - HONEST:.0%} grows even where it does no work at all."
        elif work == 0:
            yield f"{where} a cabal of {1 - HONEST:.0%} grows with any work, however little."
        else:
            yield (
                f"{where} {1 - HONEST:.0%} of the stake and work worth {work:.1%} are enough to "
                f"grow, at a part W_C = {last.at_cabal_weight:.2f} of the weights for own miners."
            )


def _entry(label: str, lines: tuple[Line, ...]) -> dict[str, object]:
    required = [
        {
            "sigma": sigma,
            "required_honest_utility": it.required_honest_utility,
            "enough_for_the_cabal": _work(it),
            "at_cabal_weight": it.at_cabal_weight,
        }
        for sigma, it in zip(SIGMAS, lines, strict=True)
    ]
    return {"label": label, "honest_stake": HONEST, "required": required}
