"""Small files of every format, made here; what is in them is known."""

from __future__ import annotations

import json
import pickle
import sys
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest

from tests.data import ROOT
from trilemma.errors import DataError
from trilemma.importers import read

FILES = ROOT / "tests/importers/files"
AXONS = "bittensor.core.chain_data.axon_info"
KEYS = ("5Fa", "5Fb", "5Fc")
OWNERS = ("5Cx", "5Cy", "5Cx")
WEIGHTS = [[0, 0.25, 0.75], [0, 0, 1], [0, 0, 0]]


def refused(paths: Iterable[Path] | Path) -> str:
    """Return the message of the refusal, after checking what every refusal must be."""
    given = [paths] if isinstance(paths, Path) else list(paths)
    with pytest.raises(DataError) as caught:
        read(given)
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(tuple(it for path in given for it in (path.name, str(path))))
    assert len(message) < 500
    return message


AxonInfo = type("AxonInfo", (), {"__module__": AXONS})


def axon(hotkey: str, coldkey: str) -> Any:
    """Return what stands in a metagraph for an account: an object of a class that is not there."""
    made = AxonInfo()
    made.__dict__ |= {"ip": "0.0.0.0", "port": 0, "hotkey": hotkey, "coldkey": coldkey}
    return made


def state(**changes: Any) -> dict[str, Any]:
    """Return the state of a metagraph of three accounts, as version 10 of the SDK keeps it."""
    stake = np.array([30, 20, 10], np.float32)
    return {
        "netuid": 1,
        "network": "finney",
        "version": np.array([10005000]),
        "n": np.array([3]),
        "block": np.array([1234567]),
        "last_update": np.array([9, 8, 7]),
        "validator_permit": np.array([True, True, False]),
        "weights": np.array(WEIGHTS, np.float32),
        "bonds": np.array(WEIGHTS, np.float32) / 2,
        "uids": np.arange(3),
        "axons": [axon(*pair) for pair in zip(KEYS, OWNERS, strict=True)],
        "neurons": [],
        "alpha_stake": stake,
        "tao_stake": stake,
        "stake": 2 * stake,
        **changes,
    }


def pickled(value: Any, protocol: int = 4) -> bytes:
    """Return a pickle; for as long as it is made, the SDK's module seems to be there."""
    parts = AXONS.split(".")
    names = [".".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setitem(sys.modules, name, types.ModuleType(name))
        vars(sys.modules[AXONS])["AxonInfo"] = AxonInfo
        return pickle.dumps(value, protocol)


def metagraph(folder: Path, name: str = "block.pt", protocol: int = 4, **changes: Any) -> Path:
    path = folder / name
    path.write_bytes(pickled(state(**changes), protocol))
    return path


def document(folder: Path, name: str, held: Any) -> Path:
    path = folder / name
    path.write_text(json.dumps(held, indent=2))
    return path


def rows(matrix: Any) -> dict[str, dict[str, float]]:
    """Return a matrix as `btcli` prints it: what is 0 is left out."""
    return {
        str(uid): {str(target): value for target, value in enumerate(row) if value}
        for uid, row in enumerate(matrix)
    }


def graph(**changes: Any) -> dict[str, Any]:
    """Return what `btcli --json query metagraph` prints, as far as it is read."""
    return {
        "netuid": 31,
        "name": "τest",
        "block": 3600000,
        "hotkeys": list(KEYS),
        "coldkeys": list(OWNERS),
        "validator_permit": [True, True, False],
        "last_update": [9, 8, 7],
        "block_at_registration": [1, 2, 3],
        "total_stake": [30_000_000_000, 20_000_000_000, 1],
        **changes,
    }


def table(**changes: Any) -> dict[str, Any]:
    """Return what `btcli subnets metagraph --json-output` of version 9 prints, likewise."""
    uids = [
        {"uid": uid, "stake": 30.0 / (uid + 1), "hotkey": hotkey, "coldkey": coldkey}
        for uid, (hotkey, coldkey) in enumerate(zip(KEYS, OWNERS, strict=True))
    ]
    return {"netuid": 31, "mechanism_id": 0, "name": "test", "uids": uids[::-1], **changes}


def backtest(**changes: Any) -> dict[str, Any]:
    """Return a backtest of three accounts and two blocks."""
    row = {"1": [[0, 1], [2, 3]], "0": [[1, 65535]], "2": []}
    return {
        "stake": {"2": 5, "0": 3_000_000_000, "1": 0},
        "weights": {"720": {"31": row}, "360": {"31": {"0": [[2, 9]]}}},
        "last_update": {block: {"0": 1, "1": 2, "2": 3} for block in ("360", "720", "1080")},
        "registration_blocks": {"360": {"0": 1, "1": 2, "2": 3}},
        "validator_permits": {b: {"0": True, "1": False, "2": False} for b in ("720", "360")},
        **changes,
    }


def packed(folder: Path, held: Any, name: str = "backtest.msgpack") -> Path:
    path = folder / name
    path.write_bytes(msgpack.packb(held))
    return path
