from __future__ import annotations

from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest

from tests.data import shared
from tests.importers.made import backtest, packed, refused
from trilemma.importers import limits, read


def test_a_backtest_is_read_in_the_order_of_its_blocks(tmp_path: Path) -> None:
    network = read([packed(tmp_path, backtest())])
    assert network.netuid == 31
    assert network.blocks is not None
    assert network.blocks.tolist() == [360, 720]
    assert network.stake.tolist() == [[3, 0, 5e-9]] * 2
    assert network.weights.dtype == np.uint16
    assert network.weights.tolist() == [
        [[0, 0, 9], [0, 0, 0], [0, 0, 0]],
        [[0, 65535, 0], [1, 0, 3], [0, 0, 0]],
    ]
    assert network.permits is not None
    assert network.permits.tolist() == [[True, False, False]] * 2
    assert network.last_update is not None
    assert network.last_update.tolist() == [[1, 2, 3]] * 2
    assert network.validator_names == network.miner_names == ("0", "1", "2")


def test_what_is_not_told_for_every_block_is_left_out(tmp_path: Path) -> None:
    assert read([packed(tmp_path, backtest())]).registered is None
    some = {block: {"0": 1, "1": 2} for block in ("360", "720")}
    assert read([packed(tmp_path, backtest(last_update=some))]).last_update is None


def test_the_real_backtest_equals_its_archive() -> None:
    network = read([shared("networks/bittensor-sn31/sn31_sim.msgpack")])
    dense = read([shared("networks/bittensor-sn31/sn31_dense.npz")])
    for field in ("stake", "weights", "blocks", "permits"):
        one, other = getattr(network, field), getattr(dense, field)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    assert network.netuid == 31
    assert network.last_update is not None
    assert network.last_update[0, 0] == 2725467
    assert network.registered is not None
    assert network.registered[0, 0] == 3160743
    assert network.one_account


def test_keys_may_be_numbers_and_other_entries_are_skipped(tmp_path: Path) -> None:
    def numbered(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {int(k) if k.isdecimal() else k: numbered(it) for k, it in value.items()}

    held = {"comment": [1, {"a": b""[:0].decode()}], **numbered(backtest())}
    network = read([packed(tmp_path, held)])
    np.testing.assert_array_equal(
        network.weights, read([packed(tmp_path, backtest(), "other")]).weights
    )


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 255], np.uint8),
        ([1, 256], np.uint16),
        ([1, 2**16], np.uint32),
        ([1, 2**32], np.uint64),
        ([1, 0.5], np.float64),
        ([1.0, 2.0], np.float64),
    ],
)
def test_weights_keep_the_smallest_type_they_fit_in(
    tmp_path: Path, values: list[Any], dtype: type
) -> None:
    held = backtest(weights={"1": {"31": {"0": [[1, values[0]], [2, values[1]]]}}})
    network = read([packed(tmp_path, held)])
    assert network.weights.dtype == dtype
    assert network.weights[0, 0].tolist() == [0, *values]


def test_stakes_that_are_no_whole_numbers_are_tokens_already(tmp_path: Path) -> None:
    stake = {"0": 1.5, "1": 2, "2": 0}
    assert read([packed(tmp_path, backtest(stake=stake))]).stake[0].tolist() == [1.5, 2, 0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"stake": {}}, "no stake; expected stake and weights"),
        ({"stake": {"0": "1"}}, "stake: expected numbers"),
        ({"stake": {"0": True}}, "stake: expected numbers"),
        ({"stake": {"0": 2**63}}, "stake: expected numbers, none of them 2**63 or more"),
        (
            {"stake": {"0": float("nan"), "1": 1, "2": 2}},
            "stake: expected finite, not negative; got nan",
        ),
        ({"stake": {"-1": 1}}, "key '-1'; expected a whole number"),
        ({"stake": {-1: 1}}, "key '-1'; expected a whole number"),
        ({"stake": {"²": 1}}, "key '²'; expected a whole number"),
        ({"stake": {"9" * 30: 1}}, "expected a whole number"),
        ({"stake": {"20000": 1}}, "uid 20,000; expected less than 16,384"),
        ({"stake": {"0": 1, "1": 1}}, "block 360: weights by or of a uid without a stake"),
        ({"stake": {None: 1}}, "key 'None' a second time, or no short text or number"),
        ({"stake": [1, 2]}, "broken MessagePack (ValueError: "),
        ({"weights": {}}, "weights of subnets []; expected one"),
        ({"weights": {"1": {}}}, "weights of subnets []; expected one"),
        ({"weights": {"1": {"3": {}, "31": {}}}}, "weights of subnets [3, 31]; expected one, so"),
        ({"weights": {"1": {"31": {"0": [[0, 1], [0, 2]]}}}}, "a row that names a uid twice"),
        ({"weights": {"1": {"31": {"0": [[0, "1"]]}}}}, "uid 0: expected a row of [uid, value]"),
        ({"weights": {"1": {"31": {"0": [["0", 1]]}}}}, "uid 0: expected a row of [uid, value]"),
        ({"weights": {"1": {"31": {"0": [[0, 1, 2]]}}}}, "broken MessagePack (ValueError: "),
        ({"weights": {"1": {"31": {"0": [0, 1]}}}}, "broken MessagePack (TypeError: "),
        ({"weights": {"1": {"31": {"0": [[-1, 1]]}}}}, "uid 0, -1, value 1; expected uids below"),
        ({"weights": {"1": {"31": {"0": [[99999, 1]]}}}}, "uid 0, 99999, value 1; expected uids"),
        ({"weights": {"1": {"31": {"99999": [[0, 1]]}}}}, "uid 99999, 0, value 1; expected uids"),
        ({"weights": {"1": {"31": {"0": [[0, 2**53]]}}}}, "numbers below 2**53"),
        ({"weights": {"1": {"31": {"0": [[0, float("nan")]]}}}}, "numbers below 2**53"),
        ({"weights": {"1": {"31": {"0": [[0, -1]]}}}}, "weights: expected finite, not negative"),
        ({"last_update": {"360": {"0": "1"}}}, "last_update: expected values of type int"),
        ({"validator_permits": {"360": {"0": 1}}}, "validator_permits: expected values of type b"),
        ({"last_update": {"360": {"0": 1, 0: 1}}}, ""),
    ],
)
def test_a_backtest_that_does_not_fit_together_is_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    path = packed(tmp_path, backtest(**changes))
    if not reason:  # one uid, told twice in two ways: told for not everybody
        assert read([path]).last_update is None
        return
    assert reason in refused(path)


def test_a_backtest_that_ends_too_early_or_too_late_is_refused(tmp_path: Path) -> None:
    content = msgpack.packb(backtest())
    for part in (content[:-1], content[:30], content[:6]):
        (tmp_path / "a").write_bytes(part)
        assert "broken MessagePack (OutOfData" in refused(tmp_path / "a")
    (tmp_path / "a").write_bytes(content + b"\0")
    assert "goes on after its end" in refused(tmp_path / "a")


def test_a_key_twice_is_refused(tmp_path: Path) -> None:
    content = msgpack.packb(backtest())
    twice = bytes([content[0] + 1]) + content[1:] + msgpack.packb("stake") + msgpack.packb({})
    (tmp_path / "a").write_bytes(twice)
    assert "key 'stake' a second time" in refused(tmp_path / "a")


def test_a_few_bytes_that_would_fill_the_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {"360": {"31": {"0": [[1, 256]]}}}
    path = packed(tmp_path, backtest(stake={"16383": 1}, weights=weights))
    assert "bytes would unfold to 536,870,912, as those of a bomb do" in refused(path)
    monkeypatch.setattr(limits, "MOST_NUMBERS", 17)
    assert "weights of 2 epochs by 3 uids is too large; at most 17" in refused(
        packed(tmp_path, backtest())
    )
