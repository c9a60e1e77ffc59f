"""A subnet as a chain tells it, now or at a block: read through the bittensor SDK from 11.3.

This is the only file that knows the SDK. Of it, only the client and its generic reads are used;
what is read is named as the chain names it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple, Protocol

import numpy as np

from trilemma.errors import DataError, UsageError, one_line
from trilemma.importers import accounts
from trilemma.importers.limits import check_numbers
from trilemma.importers.network import Network
from trilemma.importers.paths import printable
from trilemma.model import AnyArray

__all__ = ["fetch"]

INSTALL = "pip install 'trilemma[bittensor]'"
OLDEST = (11, 3)  # of the SDK: 10 has other calls, 11.1 does not tell which block is final
NETWORK = "finney"
SECONDS = 120.0
SCHEMES = ("ws", "wss")
MOST_NETUIDS = 2**16
RAO = 1e9  # of a token
LONGEST = 300  # letters of what an SDK or a chain says

PALLET = "SubtensorModule"
GRAPH = ("SubnetInfoRuntimeApi", "get_metagraph")
ROWS = {
    "permits": ("validator_permit", np.bool_),
    "last_update": ("last_update", np.int64),
    "registered": ("block_at_registration", np.int64),
}

_Item = tuple[str, str]  # what a chain keeps: pallet and name, or interface and call
_Pairs = Sequence[tuple[Any, Any]]


class _View(Protocol):
    """What is asked of the SDK at one block."""

    async def runtime(self, method: _Item, params: list[Any]) -> Any:
        """Return what the chain's own code answers."""

    async def query(self, item: _Item, params: list[Any]) -> Any:
        """Return one value that is stored."""

    async def query_map(self, item: _Item, params: list[Any]) -> _Pairs:
        """Return all that is stored under a key, with what is left of each key."""

    async def query_batch(self, item: _Item, param_sets: list[list[Any]]) -> list[Any]:
        """Return the values of many keys."""


class _Told(NamedTuple):
    block: int
    graph: Mapping[str, Any]
    weights: _Pairs
    bonds: _Pairs


def fetch(
    netuid: int, block: int | None = None, endpoint: str | None = None, *, seconds: float = SECONDS
) -> Network:
    """Read one epoch of a subnet from a chain; nothing is signed, and no wallet is opened.

    Stake is in tokens, and counts what the chain counts for this subnet. Weights and bonds are
    as they are stored, uint16, rows of a validator's own scale; of several mechanisms in one
    subnet, those of the first. What is committed and not revealed yet is not among them.

    Parameters
    ----------
    netuid : int
        Number of the subnet, from 1; miners of the root network, 0, are no accounts.
    block : int, optional
        By default the last that is final.
    endpoint : str, optional
        A network that the SDK knows by name, by default finney, with what else the SDK asks when
        that one fails or lacks the block; or a `ws://` or `wss://` address, which alone is asked.
    seconds : float
        Time for everything.

    Returns
    -------
    Network
        Called as the endpoint, without credentials; its `blocks` say which block it is.

    Raises
    ------
    UsageError
        If the extra `bittensor` is not installed, the netuid, block or endpoint can be none, or
        an event loop runs already; there, `await asyncio.to_thread(fetch, netuid)`.
    DataError
        If the endpoint cannot be reached or does not answer in time, or there is no such subnet
        or block; one line, endpoint first.
    """
    place = NETWORK if endpoint is None else endpoint
    _check(netuid, block, place)
    client = _client(place)
    with _blamed(place, seconds):
        told = asyncio.run(_in_time(client, netuid, block, seconds))
        return _network(netuid, _shown(place), told)


def _check(netuid: int, block: int | None, place: str) -> None:
    if not 0 < netuid < MOST_NETUIDS:
        raise UsageError(
            f"netuid: expected a subnet's number, 1 to {MOST_NETUIDS - 1}; got {netuid}"
        )
    if block is not None and block < 0:
        raise UsageError(f"block: expected a block's number, 0 or more; got {block}")
    scheme, separator, rest = place.partition("://")
    if separator and (scheme not in SCHEMES or not rest):
        raise UsageError(
            f"endpoint: expected ws://HOST:PORT, wss://HOST or a name; got {_shown(place)}"
        )
    if _runs():
        raise UsageError("an event loop runs here; await asyncio.to_thread(fetch, netuid) in it")


def _runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _client(place: str) -> Any:
    """Return the SDK's client, which does not connect before it is entered."""
    _check_version()
    try:
        import bittensor
    except ImportError as error:
        raise UsageError(f"the bittensor SDK is broken ({one_line(error)}): {INSTALL}") from error
    # an address is asked for that address: nobody else answers in its place
    pools: dict[str, list[str]] = {}
    if "://" in place:
        pools = {"fallback_endpoints": [], "archive_endpoints": []}
    try:
        return bittensor.Subtensor(place, **pools)
    except ValueError as error:
        raise UsageError(printable(f"endpoint: {error}")[:LONGEST]) from error


def _check_version() -> None:
    # before it is imported: older ones read the command line and write folders when they are
    try:
        found = version("bittensor")
    except PackageNotFoundError as error:
        raise UsageError(f"a live fetch needs the bittensor SDK: {INSTALL}") from error
    if tuple(int(part) for part in re.findall(r"\d+", found)[:2]) < OLDEST:
        raise UsageError(
            f"a live fetch needs the bittensor SDK from version {OLDEST[0]}.{OLDEST[1]}, and "
            f"{found} is installed: {INSTALL}, or import files that {found} writes"
        )


@contextmanager
def _blamed(place: str, seconds: float) -> Iterator[None]:
    """Turn whatever goes wrong between here and the chain into one line about the endpoint."""
    shown = _shown(place)
    try:
        yield
    except TimeoutError as error:
        raise DataError(
            f"{shown}: no answer within {seconds:g} s; try again, or another endpoint"
        ) from error
    except DataError as error:
        raise DataError(f"{shown}: {error}") from error
    except Exception as error:  # the SDK has no root of all it raises
        said = printable(one_line(error).replace(place, shown))[:LONGEST]
        raise DataError(
            f"{shown}: {said}; try again, or another endpoint (for an old block: archive)"
        ) from error


def _shown(place: str) -> str:
    """Return an endpoint without what may be a secret: name, password, path and query."""
    scheme, separator, rest = place.partition("://")
    host = rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
    return printable(scheme + separator + host)[:80]


async def _in_time(client: Any, netuid: int, block: int | None, seconds: float) -> _Told:
    async with asyncio.timeout(seconds), client as chain:
        block = _block(await chain.finalized_block(), block)
        view: _View = await chain.at(block)
        graph = await _graph(view, netuid)
        if not graph:
            raise DataError(f"no subnet {netuid} at block {block}; give another netuid or block")
        # as they are stored: a chain sums these, not the fractions that the SDK makes of them
        weights = await view.query_map((PALLET, "Weights"), [netuid])
        bonds = await view.query_map((PALLET, "Bonds"), [netuid])
        return _Told(block, graph, weights, bonds)


def _block(last: int, asked: int | None) -> int:
    # a block that is not final may be another one tomorrow
    if asked is not None and asked > last:
        raise DataError(f"block {asked} is not final yet; the last is {last}; give it or an older")
    return last if asked is None else asked


async def _graph(view: _View, netuid: int) -> Mapping[str, Any] | None:
    """Return what is known of a subnet's accounts, a list by uid under each name."""
    try:
        graph: Mapping[str, Any] | None = await view.runtime(GRAPH, [netuid])
    except ValueError as error:  # a chain that has no such call, or whose answer is none
        try:
            return await _stored(view, netuid)
        except ValueError:
            raise error from None
    return graph


async def _stored(view: _View, netuid: int) -> dict[str, Any] | None:
    """Return the same of the chain before February 2025, when stake was of no subnet."""
    keys = dict(await view.query_map((PALLET, "Keys"), [netuid]))
    if not keys:
        return None
    since = dict(await view.query_map((PALLET, "BlockAtRegistration"), [netuid]))
    hotkeys = [keys[uid] for uid in range(len(keys))]
    each = [[key] for key in hotkeys]
    return {
        "hotkeys": hotkeys,
        "coldkeys": await view.query_batch((PALLET, "Owner"), each),
        "total_stake": await view.query_batch((PALLET, "TotalHotkeyStake"), each),
        "validator_permit": await view.query((PALLET, "ValidatorPermit"), [netuid]),
        "last_update": await view.query((PALLET, "LastUpdate"), [netuid]),
        "block_at_registration": [since[uid] for uid in range(len(keys))],
    }


def _network(netuid: int, name: str, told: _Told) -> Network:
    hotkeys = told.graph["hotkeys"]
    n = len(hotkeys)
    check_numbers(f"a subnet of {n:,} accounts", n * n)
    rows: dict[str, Any] = {
        field: np.array([told.graph[key]], kind) for field, (key, kind) in ROWS.items()
    }
    return Network(
        name,
        np.array([told.graph["total_stake"]], np.int64) / RAO,
        _matrix(told.weights, n),
        netuid=netuid,
        blocks=np.array([told.block], np.int64),
        bonds=_matrix(told.bonds, n),
        **rows,
        **accounts.of_chain(hotkeys, told.graph["coldkeys"], n),
    )


def _matrix(rows: _Pairs, n: int) -> AnyArray:
    """Return what validators say of miners, shape (1, n, n); what no row says is 0."""
    matrix = np.zeros((1, n, n), np.uint16)
    for uid, row in rows:
        for target, value in row:
            # accounts that are gone leave rows and entries, which the chain passes over, too
            if uid < n and target < n:
                matrix[0, uid, target] = value
    return matrix
