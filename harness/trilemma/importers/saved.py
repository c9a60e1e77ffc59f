"""Files called `.pt`: pickles and what `torch.save` writes, of metagraphs and of simulations."""

from __future__ import annotations

from pathlib import Path

from trilemma.errors import DataError
from trilemma.importers import metagraph, paths, pickles, simulation, tensors
from trilemma.importers.network import Network

__all__ = ["WHAT", "read", "recognises"]

WHAT = "a .pt"


def recognises(head: bytes) -> bool:
    """Tell whether a file with these first bytes is a pickle, alone or in torch's zip."""
    return pickles.is_pickle(head) or tensors.is_saved(head)


def read(path: Path) -> Network:
    """Read a metagraph or a simulation.

    Raises
    ------
    DataError
        If the file is broken, does anything but hold values, or holds neither.
    """
    held = _loaded(path)
    if isinstance(held, dict):
        if metagraph.recognises(held):
            return metagraph.read(path.name, held)
        if simulation.recognises(held):
            return simulation.read(path.name, held, path.stat().st_size)
    keys = [str(key)[:20] for key in list(held)[:9]] if isinstance(held, dict) else None
    found = type(held).__name__ if keys is None else f"a dict of {keys}"
    raise DataError(
        f"neither a metagraph of the bittensor SDK nor a dict of S and W; found {found}"
    )


def _loaded(path: Path) -> object:
    head = paths.head(path)
    if tensors.is_saved(head):
        return tensors.load(path)
    if head.startswith(tensors.LEGACY):
        raise DataError("the format of torch before 1.6; load it and save it with torch >= 1.6")
    return pickles.load(paths.content(path))
