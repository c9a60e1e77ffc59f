"""The chain's own test vectors: which cases there are, and a subnet in which to relive epochs."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trilemma.chain import NEVER, Chain, Csr
from trilemma.model import Epoch
from trilemma.testing.oracle import outputs
from trilemma_mechanisms.yuma import State, Yuma

Array = npt.NDArray[Any]
Facts = Mapping[str, Any]

ONE = 2**32
U16 = 65535
ENDS = {"I32F32::MAX": 2**63 - 1, "I32F32::MIN": -(2**63)}

UNITS = {"kappa": U16, "bonds_penalty": U16, "bonds_moving_average": 10**6, "steepness": 100}
UNITS |= {"alpha_low": U16, "alpha_high": U16}  # in which the chain counts hyperparameters


@dataclass(frozen=True)
class Vector:
    """One case of the file, or one epoch of a scenario.

    `what` names the function or scenario, `group` is all that the file says of it, and `case` the
    part that this is about, which stands at `place`.
    """

    id: str
    what: str
    group: Facts
    case: Facts
    place: int


def read(path: Path) -> list[Vector]:
    """Return all cases of a file; those of one name are counted through."""
    vectors = []
    for section in ("unit", "epoch", "epoch_logs", "subnet_level"):
        seen: Counter[str] = Counter()
        for group in json.loads(path.read_text())[section]:
            name = f"{section}/{slug(group['name'])}"
            for place, case in parts(group):
                it = name if place is None else f"{name}/{place + seen[name]}"
                what = group.get("function", slug(group["name"]))
                vectors.append(Vector(it, f"{section}/{what}", group, case, place or 0))
            seen[name] += len(group.get("cases", ()))
    return vectors


def slug(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_")


def parts(group: Facts) -> Iterator[tuple[int | None, Facts]]:
    """Yield cases, or the epochs of which something is expected, or all as one."""
    lists = [group.get(key) for key in ("cases", "entries", "steps", "expected")]
    listed = next((each for each in lists if isinstance(each, list)), None)
    if listed is None:
        yield None, group
    else:
        every = "steps" not in group
        yield from ((k, case) for k, case in enumerate(listed) if every or "expected" in case)


# --- numbers -------------------------------------------------------------------------------------


def raw(value: Any) -> Any:
    """Return literals in steps of 2**-32, rounded to the nearest; lists become arrays."""
    if isinstance(value, list):
        return np.array([raw(each) for each in value], np.int64)
    return ENDS[value] if isinstance(value, str) else round(value * ONE)


def single(value: Any) -> Any:
    """Round literals, in lists of any depth, to what float32 can say."""
    if isinstance(value, list):
        return [single(each) for each in value]
    return value if isinstance(value, str) else float(np.float32(value))


def matrix(rows: Sequence[Sequence[Any]]) -> Array:
    """Return a matrix in steps of 2**-32, two-dimensional even if nothing is in it."""
    return np.reshape(raw(rows), (len(rows), len(rows[0]) if rows else 0))


def shares(amounts: Any) -> Array:
    """Return amounts as shares of the sum of the last axis, in steps of 2**-32 rounded down."""
    whole = np.asarray(amounts, np.int64)
    return np.asarray((whole << 32) // np.maximum(whole.sum(axis=-1, keepdims=True), 1))


def steps(values: Array) -> Array:
    """Return floats that are whole steps of 2**-32 as these steps."""
    counted = np.asarray(values * ONE)
    assert (counted == np.floor(counted)).all()
    return counted.astype(np.int64)


# --- epochs --------------------------------------------------------------------------------------


def chain_yuma(params: Facts | None = None, version: int = 2, **settings: Any) -> Yuma:
    """Return Yuma as a scenario sets it, in chain arithmetic and with the chain's kappa."""
    chosen: dict[str, Any] = {"kappa": 32767 / U16, "max_validators": 64}
    for name, value in (params or {}).items():
        ours = name.removesuffix("_u16").removeprefix("alpha_sigmoid_")
        if ours in Yuma.__dataclass_fields__:
            chosen[ours] = value / UNITS[ours] if ours in UNITS else value
    return Yuma(version=version, arithmetic="chain", **chosen | settings)


def csr(rows: Mapping[int, Mapping[int, int]], n: int) -> Csr:
    """Return stored rows by uid: explicit zeros stay."""
    listed = [list(rows.get(i, {}).items()) for i in range(n)]
    entries = np.array([entry for row in listed for entry in row], np.int64).reshape(-1, 2)
    return Csr(np.cumsum([0, *map(len, listed)]), entries[:, 0], entries[:, 1])


def upscaled(values: Sequence[int]) -> list[int]:
    """Return values as `set_weights` of the chain stores them: the largest becomes 65535."""
    largest = max(values)
    return [(2 * U16 * value + largest) // (2 * largest) if largest else 0 for value in values]


class Subnet:
    """Uids that set weights and live through epochs; bonds and permits travel in the carry.

    Without `permits` nobody has one in the first epoch; `facts` are those of a chain record.
    """

    def __init__(
        self, stake: Sequence[int], rule: Yuma, permits: Sequence[bool] | None = None, **facts: Any
    ) -> None:
        self.n, self.stake, self.rule = len(stake), list(stake), rule
        self.rows: dict[int, dict[int, int]] = {}
        self.carry: State | None = None
        self.facts: dict[str, Any] = {
            "block": 1,
            "registered": np.zeros(self.n, np.int64),
            "last_update": np.zeros(self.n, np.int64),
            "commits": np.full(self.n, NEVER),
            "permits": np.zeros(self.n, np.bool_) if permits is None else np.array(permits),
            **facts,
        }

    def set_weights(self, uid: int, uids: Iterable[int], values: Sequence[int]) -> None:
        """Store the weights that a uid sends in this block."""
        self.rows[uid] = dict(zip(uids, upscaled(values), strict=True))
        self.facts["last_update"][uid] = self.facts["block"]

    def weigh(self, sent: Mapping[str, Facts]) -> None:
        """Store weights of several uids, as the file lists them."""
        for uid, row in sent.items():
            self.set_weights(int(uid), row["uids"], row["values"])

    def epoch(self, emission: int = 10**9) -> dict[str, Array]:
        """Live through an epoch and return what the chain stores and pays, by its names."""
        weights = csr(self.rows, self.n)
        record = Chain(weights=weights, **self.facts)
        epoch = Epoch(self.stake, weights.dense(self.n), chain=record, carry=self.carry)
        found = outputs({"rao_emission": emission}, self.rule, epoch)
        self.carry = self.rule(epoch).carry
        assert self.carry is not None
        weights_used = self.rule.stages(epoch)["weights"]
        return found | {"stored_bonds_u16": self.carry.bonds, "weights": weights_used}


# --- scenarios: an epoch's outputs, what the file expects, and how near that must be -------------

Check = tuple[Any, Any, float]
Checks = Iterator[Check]
VARIED = ("bonds_penalty", "interleave", "server_self_weight")
SERVED = ("consensus_u16", "incentive_u16", "dividends_u16", "emission")


def listed(found: Facts, expected: Facts, within: float = 0) -> Checks:
    for name, values in expected.items():
        yield found[name], values, within


def itself_only(vector: Vector) -> Checks:
    params, before = vector.group["params"], vector.group["steps"][: vector.place]
    stake, registered = params.get("stake", [10**9]), params.get("registered_block", 1)
    subnet = Subnet(stake, chain_yuma(params), tempo=params["tempo"])
    subnet.facts["registered"] += registered
    for step in before:
        subnet.weigh(step.get("set_weights", {}))
    yield from listed(subnet.epoch(vector.case["epoch"]), vector.case["expected"])


def interleaved(n: int, validators: int, order: int) -> tuple[Array, Array]:
    """Return the uids of validators and of servers: in blocks, in turns, or at random."""
    uids = np.arange(n)
    if order == 2:
        uids = np.random.default_rng(n).permutation(n)
    chosen = uids[:: n // validators] if order == 1 else uids[:validators]
    return np.sort(chosen), np.setdiff1d(uids, chosen)


def graph(stake: int, rule: Yuma, uids: tuple[Array, Array], rows: Array, itself: bool) -> Subnet:
    """Return a subnet whose validators have their permits and send these weights of servers."""
    validators, servers = uids
    held = np.zeros(validators.size + servers.size, np.int64)
    held[validators] = stake
    subnet = Subnet(held.tolist(), rule, tempo=U16 - 1)
    subnet.epoch()
    for uid, row in zip(validators.tolist(), rows.tolist(), strict=True):
        subnet.set_weights(uid, servers.tolist(), row)
    for uid in servers.tolist() if itself else ():
        subnet.set_weights(uid, [uid], [U16])
    return subnet


def uids_512(vector: Vector) -> Checks:
    params, expected = vector.group["params"], vector.case["expected"]
    for order, itself in product(map(int, params["interleave"]), params["server_self_weight"]):
        uids = interleaved(params["n"], params["validators"], order)
        rows = np.full((uids[0].size, uids[1].size), 127)
        subnet = graph(params["stake_per_validator"], chain_yuma(params), uids, rows, itself)
        for _ in range(vector.case["repeat"]):
            found = subnet.epoch(vector.case["epoch"])
            for kind, members in zip(("validators", "servers"), uids, strict=True):
                for name in SERVED:
                    yield found[name][members], [expected[kind][name]] * members.size, 0
                for other, group in zip(("validator", "server"), uids, strict=True):
                    held = found["stored_bonds_u16"][members, group[0]]
                    yield held, [expected[kind][f"bond_to_first_{other}_u16"]] * members.size, 0


def uids_512_at_random(vector: Vector) -> Checks:
    """A record as the chain keeps it, and a plain epoch with the same weights, pay the same."""
    params = vector.group["params"]
    for penalty, order, itself in product(*map(params.get, VARIED)):
        uids = interleaved(params["n"], params["validators"], order)
        rows = np.random.default_rng(penalty + order).integers(0, 147, (64, uids[1].size))
        rule = chain_yuma(bonds_penalty=penalty / U16)
        subnet = graph(params["stake_per_validator"], rule, uids, rows, itself)
        found = subnet.epoch()
        dense = Epoch(subnet.stake, csr(subnet.rows, subnet.n).dense(subnet.n))
        plain = outputs({"rao_emission": 10**9}, rule, dense)
        for name in (*SERVED[1:], "bonds_u16"):
            yield found[name], plain[name], 0


def large_graph(vector: Vector) -> Checks:
    """As validators and miners that are different accounts: a tenth of the matrix.

    What was paid by an older rule stands beside the exact amount, which is met but for rounding.
    """
    n, validators = vector.case["n"], vector.case["validators"]
    shape = (validators, n - validators)
    stages = chain_yuma(max_validators=None).stages(Epoch(np.ones(validators), np.ones(shape)))
    paid = {"servers": "miner_emission", "validators_expected": "validator_emission"}
    for kind, pool in paid.items():
        expected = vector.case[kind]
        for name in ("consensus", "incentive", "dividends"):
            if f"{name}_u16" in expected:
                yield np.unique(stages[name] * U16 // 1), [expected[f"{name}_u16"]], 0
        amount = expected.get("exact_real_value", expected["emission"])
        yield np.unique(stages[pool] * 10**9 // 1), [amount], "exact_real_value" in expected


def bonds_in_a_row(vector: Vector) -> Checks:
    params = vector.group["params"]
    subnet = Subnet(params["stake"], chain_yuma(params), tempo=params["tempo"])
    subnet.facts["registered"] += params["registered_block"]
    for step in vector.group["steps"][: vector.place + 1]:
        subnet.facts["block"] = step.get("block_of_epoch", 1)
        subnet.weigh(step.get("set_weights", {}))
        found = subnet.epoch(step["epoch"])
    if stored := vector.case["expected"].get("stored_bonds_u16"):
        yield found["stored_bonds_u16"][:4, stored["column"]], stored["rows_0_to_3"], 0
    traced = vector.case["trace_comment_values"]
    yield found["emission"], traced["emission"], 0
    yield steps(found["dividends"][:4]), raw(traced["dividends_validators"]), 0
    # the file repeats an epoch's values for the next two; the chain's are one step higher there
    yield steps(found["incentive"][4:]), raw(traced["incentive_servers"]), 1


def zero_weights(vector: Vector) -> Checks:
    params = vector.group["params"]
    subnet = Subnet(params["stake"], chain_yuma(params), tempo=params["tempo"])
    for place, step in enumerate(vector.group["steps"][: vector.place + 1]):
        if place == 3:
            subnet.facts["block"] += 1
        subnet.weigh(step.get("set_weights", {}))
        if place == 2:
            subnet.facts["registered"][1] = subnet.facts["block"]
        found = subnet.epoch(step["epoch"])
    yield from listed(found, vector.case["expected"])


def deregistered(vector: Vector) -> Checks:  # noqa: ARG001 - the file tells it in words
    subnet = Subnet([1, 1, 1, 1], chain_yuma(), [True] * 4, tempo=2)
    held = []
    for block in (3, 4):
        subnet.facts["block"] = block
        for uid in (0, 1):
            subnet.set_weights(uid, [2, 3], [2 * 21845, 21845])
        held.append(subnet.epoch()["stored_bonds_u16"][0])
        subnet.facts["registered"][3] = block
    yield held[1][2] >= held[0][2] > 0, True, 0
    yield held[1][3] <= held[0][3], True, 0


def permits(vector: Vector) -> Checks:
    case = vector.case
    pairs = {"stake": "expected_permits", "stake_after_server_topup": "expected_permits_after"}
    for stake, granted in pairs.items():
        found = Subnet(case[stake], chain_yuma(case)).epoch()
        yield found["new_validator_permit"], case[granted], 0


def alphas(vector: Vector) -> Checks:
    case = vector.case
    try:
        chain_yuma(alpha_low=case["alpha_low"] / U16, alpha_high=case["alpha_high"] / U16)
    except ValueError:
        yield case["ok"], False, 0
    else:
        yield case["ok"], True, 0


def owner(vector: Vector) -> Checks:
    params = vector.group["params"]
    subnet = Subnet(params["stake"], chain_yuma(), params["permit"], owner=0, block=2)
    subnet.set_weights(0, [0, 1], list(params["weights"]["0"].values()))
    paid = subnet.epoch(params["emission"])["server_emission"]
    yield paid[0] > 0, True, 0
    yield paid[0], paid[1], 0


def committed(stake: Sequence[int], registered: list[int], block: int, **settings: Any) -> Subnet:
    """Return a subnet in which uid 0 weighs all others and has a commit of this block open."""
    subnet = Subnet(stake, chain_yuma(**settings), [True] + [False] * (len(stake) - 1), block=20)
    subnet.facts["registered"] = np.array(registered)
    subnet.facts["commits"][0] = block
    subnet.set_weights(0, range(1, len(stake)), [21845] * (len(stake) - 1))
    return subnet


def sniped(vector: Vector) -> Checks:
    revealing = vector.group["params"]["commit_reveal"]
    subnet = committed([10**4, 0], [0, 6], 5, commit_reveal=revealing)
    yield subnet.epoch()["incentive"], [0, 0], 0
    subnet.facts["commits"][0] = NEVER
    yield subnet.epoch()["incentive"], [0, 1], 1e-9


def unmasked(vector: Vector) -> Checks:  # noqa: ARG001 - the file tells it in words
    subnet = committed([10**4, 0], [0, 6], 5, commit_reveal=False)
    yield subnet.epoch()["incentive"], [0, 1], 1e-9


def window(vector: Vector) -> Checks:
    params, expected = vector.group["params"], vector.group["expected"]["incentive"]
    found = committed(params["stake"], [0, 4, 6, 7], 5).epoch()["incentive"]
    yield found[1] > 0, expected["1"] == ">0", 0
    yield found[2:], [expected["2"], expected["3"]], 0


def version_3(vector: Vector) -> Checks:
    params, case = vector.group["params"], vector.case
    subnet = Subnet(params["stake"], chain_yuma(params, 3), tempo=params["tempo"])
    subnet.epoch()
    for epoch in range(vector.place + 1):
        for uid, row in enumerate(vector.group["weights_by_epoch"].get(str(epoch), [])):
            subnet.set_weights(uid, row["uids"], row["values"])
        subnet.facts["block"] += 1
        found = subnet.epoch(params["emission"])
    within, servers = vector.group["tolerance"], params["servers"]
    held = found["stored_bonds_u16"][np.ix_(params["validators"], servers)]
    yield held / U16, case["bonds"], within
    yield found["dividends_u16"] / U16, case["dividends"], within


# --- scenarios that tell stages of one epoch ------------------------------------------------------

LOGGED = {
    "normalised_stake": "stake_norm",
    "combined_emission": "emission",
    "normalised_combined_emission": "combined_emission_norm",
    "normalised_validator_emission": "validator_emission_norm",
    "new_validator_permits": "new_validator_permit",
}


def logged(vector: Vector) -> Checks:
    """Compare what has the same name here or is in `LOGGED`; the rest is compared in words."""
    inputs, expected = vector.group["inputs"], vector.group["expected"]
    granted = inputs.get("permit", [True] * len(inputs["stake"]))
    subnet = Subnet(inputs["stake"], chain_yuma(inputs), granted, block=inputs["block"])
    if "last_update" in inputs:
        subnet.facts["last_update"] = np.array(inputs["last_update"])
    for uid, row in inputs.get("weights_u16", {}).items():
        subnet.set_weights(int(uid), map(int, row), list(row.values()))
    found = subnet.epoch(inputs.get("emission", 10**9))
    held = found["bonds_raw"] / np.maximum(found["bonds_raw"].sum(axis=0), 1 / ONE)
    for name, values in expected.items():
        if name == "weights_normalised_row_2":
            yield [found["weights"][2, int(j)] for j in values], [*values.values()], 0
        elif name == "bond_delta_col_normalised":
            for uid, row in values.items():
                yield [held[int(uid), int(j)] for j in row], [*row.values()], 0
        elif name == "normalised_stake_0_starts_with":
            yield found["stake_norm"][0] // 1e-3, values // 1e-3, 0
        else:
            yield found[LOGGED.get(name, name)], values, 0


def three_mechanisms(vector: Vector) -> Checks:
    """Weights are told in words; a subnet here has one mechanism, so these are three."""
    stake, expected = vector.group["inputs"]["stake"], vector.group["expected"]
    for name, servers in {"mech0": [2], "mech1": [2, 3], "mech2": [3]}.items():
        subnet = Subnet(stake, chain_yuma(), [True, True, False, False])
        for uid in (0, 1):
            subnet.set_weights(uid, servers, [U16] * len(servers))
        yield subnet.epoch()["combined_emission_norm"], expected[f"{name}_nce"], 0


SCENARIOS: dict[str, Callable[[Vector], Checks]] = {
    "epoch/test_1_graph": itself_only,
    "epoch/test_10_graph": itself_only,
    "epoch/test_512_graph": uids_512,
    "epoch/test_512_graph_random_weights": uids_512_at_random,
    "epoch/commented_out_large_graphs_*": large_graph,
    "epoch/test_bonds": bonds_in_a_row,
    "epoch/test_zero_weights": zero_weights,
    "epoch/test_deregistered_miner_bonds": deregistered,
    "epoch/test_validator_permits": permits,
    "epoch/test_get_set_alpha": alphas,
    "epoch/test_can_set_self_weight_as_subnet_owner": owner,
    "epoch/test_epoch_masks_incoming_to_sniped_uid_*": sniped,
    "epoch/test_epoch_no_mask_when_commit_reveal_disabled": unmasked,
    "epoch/test_epoch_does_not_mask_outside_window_*": window,
    "epoch/test_yuma_3_*": version_3,
    "epoch_logs/test_*": logged,
    "epoch_logs/yuma_emergency_mode": logged,
    "epoch_logs/epoch_topk_validator_permits": logged,
    "epoch_logs/epoch_mechanism_three_mechanisms_*": three_mechanisms,
}
