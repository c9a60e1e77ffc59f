"""A live fetch: what is made of a chain's answers, and the real SDK against a fake chain."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.data import ROOT
from tests.importers import fake_chain
from tests.importers.fake_chain import BONDS, HEAD, NETUID, WEIGHTS, Node, Refused, served
from trilemma.cli import app
from trilemma.errors import DataError, TrilemmaError, UsageError
from trilemma.importers import Network, live, read

URL = "ws://127.0.0.1:9944"
HOTKEYS, COLDKEYS = ["5Fa", "5Fb", "5Fc"], ["5Cx", "5Cy", "5Cx"]
GRAPH = {
    "hotkeys": HOTKEYS,
    "coldkeys": COLDKEYS,
    "total_stake": fake_chain.STAKES,
    "validator_permit": fake_chain.PERMITS,
    "last_update": fake_chain.UPDATES,
    "block_at_registration": fake_chain.SINCE,
}
MAPS: dict[str, dict[int, Any]] = {
    "Weights": WEIGHTS,
    "Bonds": BONDS,
    "Keys": dict(enumerate(HOTKEYS)),
    "BlockAtRegistration": dict(enumerate(fake_chain.SINCE)),
}
BATCHES: dict[str, list[Any]] = {"Owner": COLDKEYS, "TotalHotkeyStake": fake_chain.STAKES}
VALUES = {"ValidatorPermit": fake_chain.PERMITS, "LastUpdate": fake_chain.UPDATES}


class Chain:
    """The SDK's client, as far as it is used, without a chain: it knows the answers."""

    def __init__(self, graph: Any = GRAPH, **maps: dict[int, Any]) -> None:
        self.graph, self.maps = graph, {**MAPS, **maps}
        self.opened: list[tuple[Any, ...]] = []
        self.pinned: list[int] = []

    def __call__(self, network: str, **pools: Any) -> Chain:
        self.opened.append((network, pools))
        return self

    async def __aenter__(self) -> Chain:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def finalized_block(self) -> int:
        return HEAD

    async def at(self, block: int) -> Chain:
        self.pinned.append(block)
        return self

    async def runtime(self, _: Any, params: list[int]) -> Any:
        if isinstance(self.graph, Exception):
            raise self.graph
        return self.graph if params == [NETUID] else None

    async def query_map(self, item: tuple[str, str], params: list[int]) -> list[tuple[int, Any]]:
        if item[1] not in self.maps:
            raise ValueError(f"no {item[1]}")
        return list(self.maps[item[1]].items()) if params == [NETUID] else []

    async def query_batch(self, item: tuple[str, str], param_sets: list[list[str]]) -> list[Any]:
        assert param_sets == [[key] for key in HOTKEYS]
        return BATCHES[item[1]]

    async def query(self, item: tuple[str, str], _: list[int]) -> Any:
        return VALUES[item[1]]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return what puts something in the place of the SDK."""

    def put(chain: Any, release: str = "11.3.0") -> Any:
        monkeypatch.setitem(sys.modules, "bittensor", SimpleNamespace(Subtensor=chain))
        monkeypatch.setattr(live, "version", lambda _: release)
        return chain

    return put


def check(network: Network, *, keys: tuple[str, ...] = tuple(HOTKEYS)) -> None:
    assert network.netuid == NETUID
    assert network.stake.tolist() == [[30, 20, 1e-9]]
    assert network.weights.dtype == np.uint16
    assert network.weights.tolist() == [[[0, 16384, 65535], [0, 0, 65535], [0, 0, 0]]]
    assert network.validator_names == keys
    assert network.one_account
    for field, expected in (
        ("bonds", [[[0, 100, 0], [0, 0, 0], [0, 0, 0]]]),
        ("blocks", [HEAD]),
        ("permits", [[True, True, False]]),
        ("last_update", [[9, 8, 7]]),
        ("registered", [[1, 2, 3]]),
        ("validator_owners", [0, 1, 0]),
        ("miner_owners", [0, 1, 0]),
    ):
        assert getattr(network, field).tolist() == expected, field


def refused(kind: type[TrilemmaError], *arguments: Any, **given: Any) -> str:
    """Return the message of the refusal, after checking what every refusal must be."""
    with pytest.raises(kind) as caught:
        live.fetch(*arguments, **given)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 500
    del caught
    gc.collect()  # what a failed connection leaves is seen here, not in another test
    return message


# --- what is made of the answers -----------------------------------------------------------------


def test_what_a_chain_tells_becomes_a_network(install: Callable[..., Any]) -> None:
    install(Chain())
    check(live.fetch(NETUID))


def test_without_a_block_the_last_final_one_is_read_and_told(install: Callable[..., Any]) -> None:
    chain = install(Chain())
    assert live.fetch(NETUID).blocks == HEAD
    assert live.fetch(NETUID, 5).blocks == 5
    assert chain.pinned == [HEAD, 5]


def test_a_chain_without_stake_of_subnets_is_read_from_what_it_stores(
    install: Callable[..., Any],
) -> None:
    install(Chain(ValueError("no such call")))
    check(live.fetch(NETUID))
    assert "no subnet 5 at block 3600000" in refused(DataError, 5)


def test_a_chain_that_is_no_subtensor_is_told_by_the_first_thing_it_lacks(
    install: Callable[..., Any],
) -> None:
    chain = install(Chain(ValueError("no get_metagraph")))
    chain.maps.clear()
    assert "ValueError: no get_metagraph; try again, or another" in refused(DataError, NETUID)


def test_a_subnet_or_block_that_is_not_there_is_refused(install: Callable[..., Any]) -> None:
    install(Chain())
    assert refused(DataError, 5) == (
        "finney: no subnet 5 at block 3600000; give another netuid or block"
    )
    assert refused(DataError, NETUID, HEAD + 1) == (
        "finney: block 3600001 is not final yet; the last is 3600000; give it or an older"
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hotkeys": HOTKEYS[:2]}, "stake: expected shape (1, 2), got (1, 3)"),
        ({"total_stake": [1, 2]}, "stake: expected shape (1, 3), got (1, 2)"),
        ({"total_stake": [1, 2, 2**64]}, "OverflowError"),
        ({"total_stake": [1, 2, -3]}, "stake: expected finite, not negative"),
        ({"last_update": [1]}, "last_update: expected shape (1, 3), got (1, 1)"),
        ({"hotkeys": ["5F"] * 20_000}, "a subnet of 20,000 accounts is too large"),
        ({"hotkeys": []}, "weights: expected shape (epochs, n, m), none of them 0"),
    ],
)
def test_answers_that_do_not_fit_together_are_refused(
    install: Callable[..., Any], changes: dict[str, Any], reason: str
) -> None:
    install(Chain({**GRAPH, **changes}))
    message = refused(DataError, NETUID)
    assert message.startswith("finney: ")
    assert reason in message


def test_an_answer_that_lacks_a_part_is_refused(install: Callable[..., Any]) -> None:
    install(Chain({key: value for key, value in GRAPH.items() if key != "total_stake"}))
    assert "finney: KeyError: 'total_stake'" in refused(DataError, NETUID)


# --- whom it asks --------------------------------------------------------------------------------


def test_a_name_comes_with_the_pools_of_the_sdk_and_an_address_with_nobody_else(
    install: Callable[..., Any],
) -> None:
    chain = install(Chain())
    assert live.fetch(NETUID).name == "finney"
    assert live.fetch(NETUID, endpoint="archive").name == "archive"
    live.fetch(NETUID, endpoint=URL)
    alone: dict[str, list[str]] = {"fallback_endpoints": [], "archive_endpoints": []}
    assert chain.opened == [("finney", {}), ("archive", {}), (URL, alone)]


SECRET = "wss://me:hunter2@node.example:443/v1/hunter2?key=hunter2"


def test_secrets_in_an_address_are_told_nowhere(install: Callable[..., Any]) -> None:
    install(Chain())
    assert live.fetch(NETUID, endpoint=SECRET).name == "wss://node.example:443"
    install(Chain(OSError(f"cannot reach {SECRET}")))
    assert refused(DataError, NETUID, endpoint=SECRET).startswith(
        "wss://node.example:443: OSError: cannot reach wss://node.example:443; try again"
    )
    assert refused(UsageError, NETUID, endpoint="http" + SECRET[3:]).endswith(
        "; got http://node.example:443"
    )


def test_a_chain_that_hangs_is_left_in_time(install: Callable[..., Any]) -> None:
    class Hanging(Chain):
        async def finalized_block(self) -> int:
            await asyncio.sleep(60)
            return HEAD

    install(Hanging())
    assert refused(DataError, NETUID, seconds=0.05) == (
        "finney: no answer within 0.05 s; try again, or another endpoint"
    )


def test_what_an_endpoint_says_cannot_steer_the_terminal(install: Callable[..., Any]) -> None:
    install(Chain(RuntimeError("a\x1b[31m\nb" * 1000)))
    assert "finney: RuntimeError: a?[31m ba?[31m b" in refused(DataError, NETUID)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"netuid": 0}, "netuid: expected a subnet's number, 1 to 65535; got 0"),
        ({"netuid": 65536}, "netuid: expected a subnet's number, 1 to 65535; got 65536"),
        ({"netuid": 1, "block": -1}, "block: expected a block's number, 0 or more; got -1"),
        ({"netuid": 1, "endpoint": "http://a"}, "endpoint: expected ws://HOST:PORT, wss://HOST"),
        ({"netuid": 1, "endpoint": "ws://"}, "or a name; got ws://"),
    ],
)
def test_what_can_be_no_subnet_block_or_endpoint_is_refused_before_anybody_is_asked(
    install: Callable[..., Any], given: dict[str, Any], reason: str
) -> None:
    chain = install(Chain())
    assert reason in refused(UsageError, **given)
    assert not chain.opened


def test_in_an_event_loop_the_way_out_is_told_and_works(install: Callable[..., Any]) -> None:
    install(Chain())

    async def inside() -> Network:
        assert "await asyncio.to_thread(fetch, netuid)" in refused(UsageError, NETUID)
        return await asyncio.to_thread(live.fetch, NETUID)

    check(asyncio.run(inside()))


# --- the SDK itself ------------------------------------------------------------------------------


def test_a_missing_old_or_broken_sdk_is_told_with_what_to_install(
    install: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for release in ("10.5.0", "9.12.2", "11.1.0", "11.0.0rc1"):
        install(Chain(), release)
        message = refused(UsageError, NETUID)
        assert f"needs the bittensor SDK from version 11.3, and {release} is installed" in message
        assert "pip install 'trilemma[bittensor]'" in message
    monkeypatch.setattr(live, "version", lambda _: "12.0.0")
    monkeypatch.setitem(sys.modules, "bittensor", None)
    assert "the bittensor SDK is broken (ModuleNotFoundError" in refused(UsageError, NETUID)

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(live, "version", missing)
    assert refused(UsageError, NETUID) == (
        "a live fetch needs the bittensor SDK: pip install 'trilemma[bittensor]'"
    )


def test_the_extra_asks_for_what_the_code_asks_for() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    assert f'bittensor = ["bittensor>={live.OLDEST[0]}.{live.OLDEST[1]}"]' in project


# --- the command ---------------------------------------------------------------------------------


def ran(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["import", *arguments])
    assert result.exit_code == code, result.output
    return result.output


TOLD = """\
{name}: subnet 31, 1 epoch, block 3600000
3 validators, of which 2 set weights, 2 of these with stake
3 miners, of which 2 have weight
told beside stake and weights: bonds, permits, last updates, registrations, names, \
owners (2 of them)
"""


def test_the_command_tells_and_keeps_what_was_fetched(
    install: Callable[..., Any], tmp_path: Path
) -> None:
    chain, out = install(Chain()), str(tmp_path / "network.npz")
    printed = ran("--netuid", "31", "--endpoint", URL, "-o", out)
    assert printed == TOLD.format(name=URL) + f"{out}: written\n"
    check(read([out]))
    ran("--netuid", "31", "--block", "7")
    assert chain.pinned == [HEAD, 7]
    assert [network for network, _ in chain.opened] == [URL, "finney"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("a.csv", "--netuid", "31"), "a.csv and --netuid exclude each other; give files, or"),
        (("a.csv", "--block", "5"), "--block needs --netuid"),
        (("--endpoint", URL), "--endpoint needs --netuid"),
        ((), "network: no file given; expected an .npz"),
        (("--netuid", "0"), "netuid: expected a subnet's number, 1 to 65535; got 0"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: tuple[str, ...], reason: str) -> None:
    message = ran(*arguments, code=2)
    assert message.startswith(f"trilemma: {reason}")
    assert message.count("\n") == 1


def test_a_file_that_would_be_replaced_is_told_before_anybody_is_asked(
    install: Callable[..., Any], tmp_path: Path
) -> None:
    chain, out = install(Chain()), tmp_path / "network.npz"
    out.write_text("precious")
    assert "exists already" in ran("--netuid", "31", "-o", str(out), code=3)
    assert not chain.opened


# --- the fake chain, by what is known of real ones -----------------------------------------------


def test_the_keys_of_the_fake_are_those_of_real_chains() -> None:
    # prefixes that every explorer shows
    assert fake_chain.twox("System").hex() == "26aa394eea5630e07c48ae0c9558cef7"
    assert fake_chain.twox("Account").hex() == "b99d880ec681799c0cf30e8886371da9"
    assert fake_chain.twox("SubtensorModule").hex() == "658faa385070e074c85bf6b568cf0555"


# --- the real SDK over a real websocket ----------------------------------------------------------


def installed() -> bool:
    try:
        return tuple(map(int, re.findall(r"\d+", version("bittensor"))[:2])) >= live.OLDEST
    except PackageNotFoundError:
        return False


sdk = pytest.mark.skipif(
    not installed(), reason="needs the real SDK: pip install 'trilemma[bittensor]'"
)
# a connection that fails half way is left by the SDK to the garbage collector
leaves = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Let nothing but loopback be reached, and keep what the SDK keeps out of everybody's home."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        assert address[0] == "127.0.0.1", address
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setenv("BITTENSOR_RUNTIME_CACHE_DIR", str(tmp_path / "runtimes"))
    monkeypatch.setenv("BTCLI_TOKEN_SYMBOLS_CACHE", str(tmp_path / "symbols.json"))
    yield
    gc.collect()


ADDRESSES = (
    "5C62Ck4UrFPiBtoCmeSrgF7x9yv9mn38446dhCpsi2mLHiFT",
    "5C7LYpP2ZH3tpKbvVvwiVe54AapxErdPBbvkYhe6y9ZBkqWt",
    "5C8etthaGJi5SkQeEDSaK32ABBjkhwDeK9ksQCTLEGM3EH14",
)


@sdk
@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize("old", [False, True], ids=["now", "before-subnets-had-stake"])
def test_the_real_sdk_reads_the_fake_chain(old: bool) -> None:
    node = Node(old=old)
    with served(node) as url:
        check(live.fetch(NETUID, endpoint=url), keys=ADDRESSES)
    assert node.asked
    assert {method.partition("_")[0] for method, _ in node.asked} == {"chain", "state"}


@sdk
@pytest.mark.usefixtures("loopback")
def test_the_real_sdk_reads_everything_at_the_block_that_was_asked_for() -> None:
    node, block = Node(), 0xABCDEF // 64
    with served(node) as url:
        assert live.fetch(NETUID, block, url).blocks == block
    start = node.asked.index(("chain_getFinalizedHead", []))  # before it, it connects
    hashed = "0x" + block.to_bytes(32, "big").hex()
    parent = "0x" + (block - 1).to_bytes(32, "big").hex()  # whose runtime wrote the block
    at = [params[-1] for method, params in node.asked[start:] if method.startswith("state_")]
    assert len(at) > 4
    assert set(at) <= {hashed, parent}


@sdk
@pytest.mark.usefixtures("loopback")
def test_the_real_sdk_reads_more_rows_than_fit_in_one_answer() -> None:
    node = Node(gone=150)
    with served(node) as url:
        check(live.fetch(NETUID, endpoint=url), keys=ADDRESSES)
    assert len([method for method, _ in node.asked if method == "state_getKeysPaged"]) > 3


@sdk
@leaves
@pytest.mark.usefixtures("loopback")
def test_the_real_sdk_is_left_when_a_chain_hangs() -> None:
    released = threading.Event()
    with served(Node(state_queryStorageAt=lambda _: released.wait(30))) as url:
        try:
            message = refused(DataError, NETUID, endpoint=url, seconds=0.5)
        finally:
            released.set()
        assert message == f"{url}: no answer within 0.5 s; try again, or another endpoint"


@sdk
@leaves
@pytest.mark.usefixtures("loopback")
def test_an_endpoint_that_is_not_there_or_silent_is_told_in_one_line() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{nobody.getsockname()[1]}"
        message = refused(DataError, NETUID, endpoint=url)
        assert message.startswith(f"{url}: RpcConnectionError: could not connect to any endpoint")
        nobody.listen()
        assert "no answer within 0.3 s" in refused(DataError, NETUID, endpoint=url, seconds=0.3)


def discarded(_: list[Any]) -> Any:
    raise Refused("State already discarded for 0x12")


@sdk
@leaves
@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        # an address is asked alone, so no archive is, either
        ({"state_queryStorageAt": discarded}, "using an archive node"),
        ({"state_getRuntimeVersion": {}}, "KeyError: 'specVersion'"),
        ({"state_call": None, "state_getMetadata": None}, "RpcConnectionError: No metadata"),
        ({"state_call": "0x0110" + "00" * 4}, "must start with the 'meta' magic"),
        ({"state_call": "0x011c6d6574610f0102"}, "cannot decode runtime metadata"),
        ({"chain_getHeader": None}, "no header for"),
        ({"chain_getBlockHash": None}, "Error: "),
    ],
)
def test_answers_that_are_wrong_or_missing_are_told_in_one_line(
    answers: dict[str, Any], reason: str
) -> None:
    with served(Node(**answers)) as url:
        message = refused(DataError, NETUID, 5, url)
        assert message.startswith(f"{url}: ")
        assert reason in message


@sdk
@pytest.mark.usefixtures("loopback")
def test_a_metagraph_that_cannot_be_decoded_is_told_and_not_taken_from_elsewhere() -> None:
    node = Node()
    truth = node.state_call
    node.answers["state_call"] = lambda asked: truth(*asked) if "data" in asked[0] else "0x01ff"
    with served(node) as url:
        assert f"{url}: ValueError: compact value wider" in refused(DataError, NETUID, 5, url)


@sdk
@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize("old", [False, True])
def test_the_real_sdk_finds_no_subnet_and_no_block_where_there_is_none(old: bool) -> None:
    with served(Node(old=old)) as url:
        assert refused(DataError, 5, 9, url).startswith(f"{url}: no subnet 5 at block 9")
        message = refused(DataError, NETUID, HEAD + 1, url)
        assert message.startswith(f"{url}: block {HEAD + 1} is not final yet; the last is {HEAD}")


@sdk
@pytest.mark.usefixtures("loopback")
def test_a_network_that_the_sdk_does_not_know_is_told_with_those_it_knows() -> None:
    message = refused(UsageError, NETUID, endpoint="nowhere")
    assert message.startswith("endpoint: Unknown network 'nowhere'. Known networks: [")
    assert "'finney'" in message


WATCHED = """
import sys
home, seen = sys.argv.pop(1), []
sys.addaudithook(lambda event, given: event in ("open", "os.listdir", "os.scandir")
    and isinstance(given[0], str) and given[0].startswith(home) and seen.append(given[0]))
from trilemma.cli import main
try:
    main()
finally:
    print(*seen, sep="\\n", file=sys.stderr)
"""


@sdk
def test_the_command_opens_no_wallet_and_leaves_only_what_the_sdk_keeps_of_chains(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    (home / ".bittensor" / "wallets").mkdir(parents=True)
    kept = {"BITTENSOR_RUNTIME_CACHE_DIR", "BTCLI_TOKEN_SYMBOLS_CACHE"}
    environment = {key: value for key, value in os.environ.items() if key not in kept}
    with served(Node()) as url:
        asked = ("import", "--netuid", "31", "--endpoint", url, "-o", str(tmp_path / "network.npz"))
        done = subprocess.run(
            [sys.executable, "-c", WATCHED, str(home), *asked],
            env={**environment, "HOME": str(home)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout == TOLD.format(name=url) + f"{tmp_path}/network.npz: written\n"
    check(read([tmp_path / "network.npz"]), keys=ADDRESSES)
    opened = {Path(line).relative_to(home).parts[1] for line in done.stderr.split()}
    assert opened == {"runtime-cache", "btcli_token_symbols.json"}
    assert not list((home / ".bittensor" / "wallets").iterdir())
