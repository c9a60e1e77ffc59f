"""Workers of a Dask cluster: they are sent what they need, and never see the run's folder.

Source: https://distributed.dask.org, `Client.get_executor`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from trilemma.entries import ATTACKS, MECHANISMS, registered
from trilemma.errors import DataError, DeadWorkerError, UsageError, one_line
from trilemma.registry import FILE

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["connected"]

PATIENCE = 10  # seconds until a scheduler has to answer


@dataclass(frozen=True)
class _Cluster:
    client: Any
    executor: Executor
    shared: Any  # a Dask future of the pickled object: every worker holds its bytes
    token: str

    def width(self) -> int:
        threads: dict[str, int] = self.client.nthreads()  # workers come and go
        return max(1, sum(threads.values()))

    def submit(self, method: str, job: tuple[Any, ...]) -> Future[Any]:
        return self.executor.submit(_call, self.token, self.shared, method, job)

    def dismiss(self) -> None:
        """Do nothing: whoever closes the client forgets what is under way."""


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
        If Dask is not installed, no scheduler answers, or a worker has other versions of what
        decides about numbers.
    DeadWorkerError
        If a job has ended several workers.
    DataError
        If the scheduler is gone.
    """
    try:
        from distributed import CancelledError, Client, KilledWorker
    except ImportError as error:
        raise UsageError("a cluster needs Dask: pip install 'trilemma[cluster]'") from error
    try:
        client = Client(f"tcp://{address}", timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"dask://{address}: no scheduler answers ({one_line(error)}); start one: dask scheduler"
        ) from error
    with client:
        _refuse_other_versions(client, address)
        executor = client.get_executor(pure=False)
        held = client.scatter(_pickled(shared), broadcast=True, hash=False)
        try:
            yield _Cluster(client, executor, held, uuid4().hex)
        except KilledWorker as error:
            raise DeadWorkerError("the processes of several workers died with it") from error
        except CancelledError as error:
            raise DataError(f"dask://{address}: the scheduler is gone; start it again") from error
        finally:
            executor.shutdown(wait=False)


def _refuse_other_versions(client: Client, address: str) -> None:
    """Refuse workers whose plug-ins, or this package, are of another version than here."""
    here = _versions()
    known = client.run(_versions)
    if not known:
        raise UsageError(f"dask://{address}: it has no workers; start some: dask worker {address}")
    for worker, there in sorted(known.items()):
        for name in sorted(here):
            if (found := there.get(name)) != here[name]:
                raise UsageError(
                    f"dask://{address}: worker {worker} has {name} {found}, not {here[name]}; "
                    "install the same there"
                )


def _versions() -> dict[str, str]:
    """Return the versions of what decides about numbers: numpy, and whatever brings plug-ins."""
    named = [known for group in (MECHANISMS, ATTACKS) for known in registered(group).values()]
    brought = [entry.dist for known in named for entry in known if entry.dist]
    found = {dist.name: dist.version for dist in brought}
    return {"numpy": version("numpy"), **found}


def _pickled(shared: object) -> bytes:
    """Return an object with all code that no worker can import."""
    import cloudpickle

    files = [module for name, module in sys.modules.items() if name.startswith(FILE)]
    for module in files:
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(shared))
    finally:
        for module in files:
            cloudpickle.unregister_pickle_by_value(module)


# --- in the worker -------------------------------------------------------------------------------

_adopted: dict[str, Any] = {}
_adopting = Lock()


def _call(token: str, data: bytes, method: str, job: tuple[Any, ...]) -> Any:
    return getattr(_shared(token, data), method)(*job)


def _shared(token: str, data: bytes) -> Any:
    """Return the object, unpickled once in a worker; it holds one at a time."""
    import cloudpickle

    with _adopting:
        if token not in _adopted:
            _adopted.clear()
            _adopted[token] = cloudpickle.loads(data)
        return _adopted[token]
