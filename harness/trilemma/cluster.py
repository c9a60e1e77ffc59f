"""Workers of a Dask cluster: they are sent what they need, and never see the run's folder.

Source: https://distributed.dask.org, `Client.get_executor`.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from importlib.metadata import version
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from trilemma.errors import DataError, DeadWorkerError, UsageError, one_line
from trilemma.parcel import opened, packed

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["answer", "connected"]

PATIENCE = 10.0  # seconds until a scheduler has to answer
PULSE = 1.0  # seconds from one look for workers to the next
ALONE = 600.0  # seconds to wait for workers where Dask's configuration does not say how long
TIMEOUT = "distributed.scheduler.no-workers-timeout"
GONE = "the scheduler is gone, or has forgotten this run; start it again, and go on"


@contextmanager
def connected(shared: object, address: str) -> Iterator[_Cluster]:
    """Give the workers of a cluster that have an object as it is now.

    Parameters
    ----------
    shared : object
    address : str
        Of the scheduler, `host:port`.

    Raises
    ------
    UsageError
        If Dask is not installed, no scheduler answers, or a worker lacks something or has it in
        another version.
    PluginError
        If the object cannot be sent.
    DeadWorkerError
        If a job has ended several workers.
    DataError
        If the scheduler is gone, or there are no workers for a long time.
    """
    with _client(address) as client:
        cluster = _Cluster(client, f"dask://{address}", packed(shared))
        with _translated(cluster), _watched(cluster):
            yield cluster


class _Cluster:
    def __init__(self, client: Client, address: str, sent: bytes) -> None:
        self.client, self.address = client, address
        self.executor = client.get_executor(pure=False)
        self.complaint = GONE
        with _any_size():
            # a result, and not scattered: Dask makes it again where all that held it have died
            self.sent = client.submit(bytes, sent, pure=False)

    def width(self) -> int:
        with _asking(self):
            threads: dict[str, int] = self.client.nthreads()  # workers come and go
        return max(1, sum(threads.values()))

    def submit(self, method: str, job: tuple[Any, ...]) -> Future[Any]:
        asked = pickle.dumps((method, job))  # bytes, so that Dask looks for nothing in them
        with _asking(self), _any_size():
            future: Future[Any] = self.executor.submit(_errand(), self.sent, asked)
        return future

    def dismiss(self) -> None:
        """Do nothing: what a worker has begun cannot be stopped, only forgotten."""


@contextmanager
def _client(address: str) -> Iterator[Client]:
    try:
        from distributed import Client
        from distributed.utils import LoopRunner
    except ImportError as error:
        raise UsageError("a cluster needs Dask: pip install 'trilemma[cluster]'") from error
    try:
        LoopRunner().run_sync(_greet, f"tcp://{address}")
        client = Client(f"tcp://{address}", timeout=PATIENCE, set_as_default=False)
    except Warning:  # of other versions of Dask, where somebody made them errors
        raise
    except Exception as error:  # whoever listens there may say anything, the dashboard for one
        raise UsageError(
            f"dask://{address}: no scheduler answers ({one_line(error)}); expected its host and "
            "port, as dask scheduler says them"
        ) from error
    with client:
        yield client


async def _greet(address: str) -> None:
    """Raise if nobody answers in time: a client would wait for ever once something listens."""
    from distributed.comm import connect

    comm = await asyncio.wait_for(connect(address, timeout=PATIENCE), PATIENCE)
    comm.abort()


@contextmanager
def _any_size() -> Iterator[None]:
    """Let large arguments pass: Dask warns of them, because somebody may send them repeatedly."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
        yield


@contextmanager
def _asking(cluster: _Cluster) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise DataError(f"{cluster.address}: {cluster.complaint} ({one_line(error)})") from error


@contextmanager
def _translated(cluster: _Cluster) -> Iterator[None]:
    """Turn what Dask says of a job into an error of ours."""
    from distributed import KilledWorker

    try:
        yield
    except KilledWorker as error:
        raise DeadWorkerError("the processes of several workers died with it") from error
    except CancelledError as error:
        raise DataError(f"{cluster.address}: {cluster.complaint}") from error
    except ImportError as error:
        if error.name != "trilemma":
            raise
        wanted = f"trilemma[cluster]=={version('trilemma')}"
        raise UsageError(
            f"{cluster.address}: {one_line(error)}; install {wanted} on every worker"
        ) from error
    except Exception as error:
        if not type(error).__module__.startswith("distributed."):
            raise
        raise DataError(
            f"{cluster.address}: {one_line(error)}; go on once that is mended"
        ) from error


@contextmanager
def _watched(cluster: _Cluster) -> Iterator[None]:
    """Give up where there have been no workers for long: Dask itself would wait for ever."""
    done = Event()
    watch = Thread(target=_watch, args=(cluster, done), name="trilemma-watch", daemon=True)
    watch.start()
    try:
        yield
    finally:
        done.set()
        watch.join(PULSE)  # it may be waiting for a scheduler that hangs


def _watch(cluster: _Cluster, done: Event) -> None:
    most, since = _longest(), 0.0
    while not done.wait(PULSE):
        try:
            alone = not cluster.client.nthreads()
        except Exception:  # the scheduler is gone, or nobody waits any more; a job says so itself
            return
        if not alone:
            since = 0.0
        elif not since:
            since = monotonic()
            print(f"{cluster.address}: no workers; waiting {most:g} s for some", file=sys.stderr)
        elif monotonic() - since > most:
            cluster.complaint = _alone(most)
            cluster.executor.shutdown(wait=False)
            return


def _longest() -> float:
    import dask
    from dask.utils import parse_timedelta

    known = dask.config.get(TIMEOUT, None)
    return ALONE if known is None else float(parse_timedelta(known))


def _alone(most: float) -> str:
    return (
        f"no workers for {most:g} s; start some (dask worker) and go on, or go on without a "
        "cluster. If they ended by themselves, a mechanism may have ended them: with nannies, "
        "so without --no-nanny, they are started again, and it is named"
    )


def _errand() -> Callable[[bytes, bytes], Any]:
    """Return what workers do: a local function, because they get that by value.

    A worker ends itself where it is sent something that it cannot import.
    """

    def job(sent: bytes, asked: bytes) -> Any:
        from distributed import get_worker

        worker = f"worker {get_worker().address}"
        try:
            from trilemma.cluster import answer
        except ImportError as error:
            raise ImportError(f"{worker}: {error}", name="trilemma") from error
        return answer(sent, asked, worker)

    return job


def answer(sent: bytes, asked: bytes, worker: str) -> Any:
    """Do one job, in a worker."""
    method, job = pickle.loads(asked)
    shared = opened(sent, worker)
    try:
        return getattr(shared, method)(*job)
    except MemoryError as error:
        raise DeadWorkerError("ran out of memory") from error
