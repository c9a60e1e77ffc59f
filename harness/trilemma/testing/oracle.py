"""Replay epochs whose outputs the chain computed: `python -m trilemma.testing.oracle FILE`.

An oracle file is an `.npz` that holds many epochs one after the other: `s_NAME` one number per
epoch, `v_NAME` one number per uid, `m_NAME_{indptr,idx,val}` a CSR matrix per epoch.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal
from zipfile import BadZipFile

import numpy as np
import typer

from trilemma.chain import Chain, Csr
from trilemma.errors import DataError, TrilemmaError, UsageError
from trilemma.kernels import ONE, to_u16
from trilemma.model import AnyArray, Epoch, Mechanism
from trilemma.registry import load

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
ROUGH = {"extreme": 5e-5}  # by tag: stakes and weights at the ends of what fixed point can say
STEPS = 8  # of 2**-32 that products, quotients and sums on the way to a bond may lose
BOUNDARY = 2**-29  # of all stake: what rounding 256 shares to 2**-32 may move, twice over


class Oracle:
    """The epochs of a file, each a dict of inputs and outputs by name.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If the file cannot be read or is no oracle.
    """

    def __init__(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as file:
                self.arrays = dict(file)
            self.sizes = self.arrays["s_n"].reshape(-1).astype(np.int64)
        except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile) as error:
            raise DataError(f"{path}: not an oracle file ({error})") from error
        if self.sizes.size == 0:
            raise DataError(f"{path}: an oracle file without a single epoch")
        self._accounts = np.concatenate([[0], np.cumsum(self.sizes)])
        self._pointers = np.concatenate([[0], np.cumsum(self.sizes + 1)])
        self._entries = {name: self._starts(name) for name in self._matrices()}

    def __len__(self) -> int:
        return int(self.sizes.size)

    def __getitem__(self, number: int) -> dict[str, Any]:
        within = slice(*self._accounts[number : number + 2])
        case: dict[str, Any] = {}
        for key, array in self.arrays.items():
            if key.startswith("s_"):
                case[key[2:]] = int(array[number])
            elif key.startswith("v_"):
                case[key[2:]] = array[within]
        for name in self._entries:
            case[name] = self._matrix(name, number)
        case["tag_name"] = str(self.arrays["tag_names"][case["tag"]])
        return case

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[number] for number in range(len(self)))

    def _matrices(self) -> list[str]:
        return [key[2:-7] for key in self.arrays if key[:2] == "m_" and key.endswith("_indptr")]

    def _starts(self, name: str) -> AnyArray:
        sizes = self.arrays[f"m_{name}_indptr"][self._pointers[1:] - 1].astype(np.int64)
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])

    def _matrix(self, name: str, number: int) -> tuple[AnyArray, AnyArray, AnyArray]:
        pointers = slice(*self._pointers[number : number + 2])
        entries = slice(*self._entries[name][number : number + 2])
        indptr = self.arrays[f"m_{name}_indptr"][pointers]
        return indptr, self.arrays[f"m_{name}_idx"][entries], self.arrays[f"m_{name}_val"][entries]


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
        emission=case["rao_emission"],
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


def replay(oracle: Oracle, arithmetic: Arithmetic = "chain") -> dict[str, Any]:
    """Compute every epoch of an oracle again and count what differs.

    Parameters
    ----------
    oracle : Oracle
    arithmetic : {"chain", "float"}
        With `chain` everything must be equal. With `float` shares must agree within a
        tolerance, except where a column stands on the boundary of the consensus.

    Returns
    -------
    dict
        `cases`, `mismatches` by field, and for floats `largest_difference` by field and
        `ties`, the cases on a boundary that differ.
    """
    compare = _compare_exactly if arithmetic == "chain" else _compare_nearly
    mismatches: Counter[str] = Counter()
    largest: dict[str, float] = {}
    ties: list[dict[str, Any]] = []
    for number in range(len(oracle)):
        try:
            case = oracle[number]
            epoch, rule = epoch_of(case), rule_of(case, arithmetic)
            verdicts = compare(case, rule, epoch)
        except (KeyError, IndexError, ValueError) as error:
            raise DataError(f"epoch {number} of the oracle cannot be read: {error}") from error
        wrong = [name for name, (_, right) in verdicts.items() if not right]
        if wrong and arithmetic == "float" and _on_boundary(rule.stages(epoch), rule.kappa):
            ties.append({"case": number, "tag": case["tag_name"], "fields": wrong})
            continue
        mismatches.update({name: not right for name, (_, right) in verdicts.items()})
        for name, (distance, _) in verdicts.items():
            largest[name] = max(largest.get(name, 0.0), distance)
    report = {"arithmetic": arithmetic, "cases": len(oracle), "mismatches": dict(mismatches)}
    if arithmetic == "chain":
        return report
    return report | {"largest_difference": largest, "ties": ties}


Verdicts = dict[str, tuple[float, bool]]
"""By field: the largest difference, and whether it is within what is allowed."""


def _compare_exactly(case: Case, rule: Mechanism, epoch: Epoch) -> Verdicts:
    found = outputs(case, rule, epoch)
    return {name: (0.0, np.array_equal(_expected(case, name), got)) for name, got in found.items()}


def _compare_nearly(case: Case, rule: Mechanism, epoch: Epoch) -> Verdicts:
    stages = rule.stages(epoch)  # type: ignore[attr-defined]
    limit = ROUGH.get(case["tag_name"], TOLERANCE)
    verdicts = {}
    for name, stage in STAGES.items():
        expected, found, allowed = _expected(case, name), stages[stage], np.asarray(limit)
        if name == "bonds_raw" and not case["yuma3"]:
            expected, found = _by_column(expected), _by_column(found)
            allowed = limit + _lost(case, stages)
        away = np.abs(expected - found)
        verdicts[name] = (float(away.max(initial=0.0)), bool((away <= allowed).all()))
    return verdicts


def _lost(case: Case, stages: Mapping[str, AnyArray]) -> AnyArray:
    """Return what rounding may take from version 2's bonds in each miner.

    Purchases count in steps of 2**-32 before they are scaled to sum 1, and once more when they
    enter the moving average.
    """
    beta = case["bonds_penalty"] / 65535
    bought = (1 - beta) * stages["prerank"] + beta * stages["rank"]
    fresh = 1 - case["bonds_moving_average"] / 10**6
    least = 1 / ONE
    return np.asarray(STEPS * least * (1 / np.maximum(bought, least) + 1 / max(fresh, least)))


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
