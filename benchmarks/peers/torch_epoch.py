"""Epochs of version 3 in PyTorch, with its sort; the same steps as `numpy_epoch.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmarks.peers.numpy_epoch import FLUSH, Answer, Numbers

__all__ = ["epochs"]


def epochs(weights: Numbers, share: Numbers, units: Numbers, needed: int, alpha: float) -> Answer:
    """Return what epochs come to, from a fresh start; parameters as in `numpy_epoch.epochs`."""
    network, stake, steps = (torch.from_numpy(array) for array in (weights, share, units))
    spare = int(units.sum(dtype=np.int64)) - needed
    held = torch.zeros(weights.shape[1:], dtype=network.dtype)
    rows = []
    with torch.no_grad():
        for said in network:
            agreed = _consensus(said, steps, spare)
            clipped = torch.minimum(said, agreed)
            rank = stake @ clipped
            rows.append((agreed, _scaled(rank), _dividends(held, clipped, rank, stake, alpha)))
    consensus, incentive, dividends = (
        torch.stack(part).numpy() for part in zip(*rows, strict=True)
    )
    return Answer(consensus, incentive, dividends, held.numpy())


def _consensus(said: Any, units: Any, spare: int) -> Any:
    values, order = torch.sort(said.T.contiguous(), dim=1)
    below = torch.cumsum(units[order], dim=1)
    place = (below <= spare).sum(dim=1, keepdim=True)
    return values.gather(1, place)[:, 0]


def _dividends(held: Any, clipped: Any, rank: Any, stake: Any, alpha: float) -> Any:
    held.mul_(1 - alpha).add_(clipped, alpha=alpha).clamp_(max=1)
    held[held < FLUSH] = 0
    total = held.sum(dim=0)
    return _scaled(stake * (held @ (rank / torch.where(total > 0, total, 1))))


def _scaled(amounts: Any) -> Any:
    total = amounts.sum()
    return amounts / total if total > 0 else amounts
