"""Replay epochs whose outputs the chain computed: `python -m trilemma.testing.oracle FILE`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer

from trilemma.chain import Chain, Csr
from trilemma.errors import DataError, TrilemmaError, UsageError
from trilemma.kernels import ONE, to_u16
from trilemma.model import AnyArray, Epoch, Mechanism
from trilemma.registry import load
from trilemma.testing.archive import Oracle
from trilemma.testing.rounding import lost_by_rounding

__all__ = ["Oracle", "epoch_of", "outputs", "replay", "rule_of"]

Case = Mapping[str, Any]
Arithmetic = Literal["float", "chain"]

STAGES = {
    "stake_norm": "stake",
    "active_stake": "active_stake",
    "consensus": "consensus",
    "validator_trust": "trust",
    "incentive": "incentive",
    "dividends": "dividends",
    "server_emission_norm": "miner_emission",
    "validator_emission_norm": "validator_emission",
    "combined_emission_norm": "account_emission",
    "prerank": "prerank",
    "rank": "rank",
    "bonds_raw": "bonds",
}
STORED = {
    "stake_weight_u16": "stake",
    "consensus_u16": "consensus",
    "validator_trust_u16": "trust",
    "incentive_u16": "incentive",
    "dividends_u16": "dividends",
}
FLAGS = {"active": "active", "new_validator_permit": "next_permits"}
AMOUNTS = {
    "server_emission": "miner_emission",
    "validator_emission": "validator_emission",
    "emission": "account_emission",
}

TOLERANCE = 2e-6  # of floats, where no column stands on the boundary of the consensus
BOUNDARY = 2**-29  # of all stake: what rounding 256 shares to 2**-32 may move, twice over


def rule_of(case: Case, arithmetic: Arithmetic) -> Any:
    """Return the registered Yuma with a case's hyperparameters."""
    return replace(
        load("yuma"),  # type: ignore[type-var]
        version=3 if case["yuma3"] else 2,
        kappa=case["kappa"] / 65535,
        bonds_penalty=case["bonds_penalty"] / 65535,
        bonds_moving_average=case["bonds_moving_average"] / 10**6,
        liquid_alpha=bool(case["liquid_alpha"]),
        alpha_low=case["alpha_low"] / 65535,
        alpha_high=case["alpha_high"] / 65535,
        steepness=case["alpha_sigmoid_steepness"] / 100,
        max_validators=case["max_allowed_validators"],
        stake_threshold=case["stake_threshold"],
        activity_cutoff=case["activity_cutoff"],
        commit_reveal=bool(case["commit_reveal"]),
        arithmetic=arithmetic,
    )


def epoch_of(case: Case) -> Epoch:
    """Return the epoch that a case describes, with its chain record."""
    weights, bonds = Csr(*case["weights"]), Csr(*case["bonds_in"])
    record = Chain(
        block=case["current_block"],
        tempo=case["tempo"],
        last_step=case["last_mechanism_step_block"],
        last_update=case["last_update"],
        registered=case["block_at_registration"],
        permits=case["validator_permit"],
        commits=case["commit_block"],
        owner=None if case["owner_uid"] < 0 else case["owner_uid"],
        weights=weights,
        bonds=bonds,
    )
    return Epoch(case["stake"], weights.dense(case["n"]), chain=record)


def outputs(case: Case, mechanism: Mechanism, epoch: Epoch) -> dict[str, AnyArray]:
    """Return what a mechanism makes of a case, under the names of the chain."""
    stages = mechanism.stages(epoch)  # type: ignore[attr-defined]
    raw = {name: _fixed(values) for name, values in stages.items() if values.dtype.kind == "f"}
    found = {name: stages[stage] for name, stage in (STAGES | FLAGS).items()}
    found |= {name: to_u16(raw[stage]) for name, stage in STORED.items()}
    amount = case["rao_emission"]
    for name, stage in AMOUNTS.items():
        found[name] = np.array([(int(s) * amount) >> 32 for s in raw[stage]], np.uint64)
    found["bonds_u16"] = to_u16(raw["bonds"]) * stages["next_permits"][:, None]
    found["trust"] = _ratio(raw["rank"], raw["prerank"])
    found["trust_u16"] = to_u16(_fixed(found["trust"]))
    return found


def replay(oracle: Sequence[Case] | Oracle, arithmetic: Arithmetic = "chain") -> dict[str, Any]:
    """Compute every epoch of an oracle again and count what differs.

    Parameters
    ----------
    oracle : Oracle, or sequence of its epochs
    arithmetic : {"chain", "float"}
        With `chain` everything must be equal. With `float` shares must agree within 2e-6,
        except where a column stands on the boundary of the consensus, or where what the chain
        loses in steps of 2**-32 amounts to more.

    Returns
    -------
    dict
        `cases`, `mismatches` by field, and for floats `largest_difference` by field, and the
        cases of both exceptions: `ties` and `rounded`.
    """
    mismatches: Counter[str] = Counter()
    largest: dict[str, float] = {}
    ties, rounded = [], []
    for number in range(len(oracle)):
        try:
            found = _compared(oracle[number], arithmetic)
        except (KeyError, IndexError, ValueError) as error:
            raise DataError(f"epoch {number} of the oracle cannot be read: {error}") from error
        if found.wrong and found.on_boundary:
            ties.append({"case": number, "tag": found.tag, "fields": sorted(found.wrong)})
            continue
        if found.rounded:
            rounded.append({"case": number, "tag": found.tag, "fields": sorted(found.rounded)})
        mismatches.update({name: name in found.wrong for name in found.distances})
        for name, distance in found.distances.items():
            largest[name] = max(largest.get(name, 0.0), distance)
    report = {"arithmetic": arithmetic, "cases": len(oracle), "mismatches": dict(mismatches)}
    if arithmetic == "chain":
        return report
    return report | {"largest_difference": largest, "ties": ties, "rounded": rounded}


@dataclass(frozen=True)
class _Compared:
    """How an epoch compares: differences by field, and which fields differ by too much.

    `rounded` are beyond the tolerance, but not beyond what the chain's rounding explains.
    """

    tag: str
    distances: Mapping[str, float]
    wrong: Set[str]
    rounded: Set[str] = frozenset()
    on_boundary: bool = False


def _compared(case: Case, arithmetic: Arithmetic) -> _Compared:
    epoch, rule = epoch_of(case), rule_of(case, arithmetic)
    if arithmetic == "float":
        return _compared_nearly(case, rule.stages(epoch), rule.kappa)
    found = outputs(case, rule, epoch)
    wrong = {name for name, it in found.items() if not np.array_equal(_expected(case, name), it)}
    return _Compared(case["tag_name"], dict.fromkeys(found, 0.0), wrong)


def _compared_nearly(case: Case, stages: Mapping[str, AnyArray], kappa: float) -> _Compared:
    lost, distances = lost_by_rounding(case, stages), {}
    wrong, rounded = set(), set()
    for name, stage in STAGES.items():
        expected, found = _expected(case, name), stages[stage]
        if name == "bonds_raw" and not case["yuma3"]:
            expected, found = _by_column(expected), _by_column(found)
        away = np.abs(expected - found)
        distances[name] = float(away.max(initial=0.0))
        if (away > TOLERANCE + lost.get(name, 0.0)).any():
            wrong.add(name)
        elif distances[name] > TOLERANCE:
            rounded.add(name)
    on_boundary = bool(wrong) and _on_boundary(stages, kappa)
    return _Compared(case["tag_name"], distances, wrong, rounded, on_boundary)


def _fixed(shares: AnyArray) -> AnyArray:
    """Return shares in steps of 2**-32; those of chain arithmetic are whole steps."""
    whole: AnyArray = np.floor(shares * ONE).astype(np.int64)
    return whole


def _ratio(parts: AnyArray, wholes: AnyArray) -> AnyArray:
    pairs = zip(parts.tolist(), wholes.tolist(), strict=True)
    return np.array([(part << 32) // (whole or 1) / ONE for part, whole in pairs])


def _expected(case: Case, name: str) -> AnyArray:
    expected = case[name]
    return _dense(expected, case["n"]) if isinstance(expected, tuple) else np.asarray(expected)


def _dense(csr: tuple[AnyArray, AnyArray, AnyArray], n: int) -> AnyArray:
    indptr, columns, values = csr
    matrix = np.zeros((n, n), values.dtype)
    rows = np.repeat(np.arange(n), [int(size) for size in np.diff(indptr.astype(np.int64))])
    matrix[rows, columns] = values
    return matrix


def _by_column(bonds: AnyArray) -> AnyArray:
    totals = bonds.sum(axis=0)
    return np.asarray(bonds / np.where(totals > 0, totals, 1))


def _on_boundary(stages: Mapping[str, AnyArray], kappa: float) -> bool:
    """Tell whether the support of some weight is kappa, as far as shares in fixed point can say."""
    weights, stake = stages["weights"], stages["active_stake"]
    order = np.argsort(-weights, axis=0)
    support = np.cumsum(stake[order], axis=0)[:-1]
    apart = np.diff(np.take_along_axis(weights, order, axis=0), axis=0) != 0
    return bool((apart & (np.abs(support - kappa) < BOUNDARY)).any())


def main(
    file: Annotated[Path, typer.Argument(help="An oracle file, .npz.")],
    arithmetic: Annotated[str, typer.Option(help="chain or float.")] = "chain",
) -> None:
    """Compute every epoch of an oracle file again; exit 1 if anything differs."""
    try:
        if arithmetic not in ("chain", "float"):
            raise UsageError(f"--arithmetic must be chain or float, not {arithmetic!r}")
        report = replay(Oracle(file), "chain" if arithmetic == "chain" else "float")
    except TrilemmaError as error:
        typer.echo(f"trilemma: {error}", err=True)
        raise typer.Exit(error.exit_code) from error
    typer.echo(json.dumps({"file": file.name, **report}))
    raise typer.Exit(int(any(report["mismatches"].values())))


if __name__ == "__main__":
    typer.run(main)
