"""What a network holds, in a few lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from trilemma.importers.network import Network
from trilemma.importers.paths import printable

__all__ = ["facts", "summary"]

PARTS = {
    "bonds": "bonds",
    "permits": "permits",
    "last_update": "last updates",
    "registered": "registrations",
    "validator_names": "names",
    "validator_owners": "owners",
}


def facts(network: Network) -> dict[str, Any]:
    """Return what a network holds, as counts.

    Returns
    -------
    dict
        `name`, `netuid`, `blocks` (the first and the last), `epochs`; `validators`, of them
        `setting` weights in some epoch, and of these `staked` with stake in some epoch;
        `miners`, of them `in_use`, with weight in some epoch; `parts`, what else is told.
    """
    setting = network.weights.any(axis=(0, 2))
    blocks = network.blocks
    return {
        "name": network.name,
        "netuid": network.netuid,
        "blocks": None if blocks is None else [int(blocks.min()), int(blocks.max())],
        "epochs": network.epochs,
        "validators": network.validators,
        "setting": int(setting.sum()),
        "staked": int((setting & network.stake.any(axis=0)).sum()),
        "miners": network.miners,
        "in_use": int(network.weights.any(axis=(0, 1)).sum()),
        "owners": _owners(network),
        "parts": [text for name, text in PARTS.items() if _told(getattr(network, name))],
    }


def summary(network: Network) -> list[str]:
    """Return what a network holds, in lines to read.

    Returns
    -------
    list of str
        Name, subnet, blocks and epochs; validators; miners; what else is told.
    """
    it = facts(network)
    parts = ", ".join(it["parts"]) or "nothing else"
    if it["owners"]:
        parts += f" ({it['owners']:,} of them)"
    return [
        f"{printable(it['name'])}: {_when(it)}",
        f"{it['validators']:,} validators, of which {it['setting']:,} set weights, "
        f"{it['staked']:,} of these with stake",
        f"{it['miners']:,} miners, of which {it['in_use']:,} have weight",
        f"told beside stake and weights: {parts}",
    ]


def _when(it: dict[str, Any]) -> str:
    parts = [] if it["netuid"] is None else [f"subnet {it['netuid']}"]
    parts.append("1 epoch" if it["epochs"] == 1 else f"{it['epochs']:,} epochs")
    if it["blocks"]:
        first, last = it["blocks"]
        parts.append(f"block {first}" if first == last else f"blocks {first} to {last}")
    return ", ".join(parts)


def _told(value: Any) -> bool:
    return value is not None and len(value) > 0


def _owners(network: Network) -> int | None:
    told = [it for it in (network.validator_owners, network.miner_owners) if it is not None]
    return len(np.unique(np.concatenate(told))) if told else None
