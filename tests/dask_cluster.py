"""A real Dask cluster: a scheduler and workers in processes of their own, on loopback."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import IO, Any

from trilemma.executor import Workers

__all__ = ["Cluster", "cluster"]

SCHEDULER = ("distributed.cli.dask_scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard")
WORKER = ("distributed.cli.dask_worker", "--host=127.0.0.1", "--no-dashboard")
READY = re.compile(r"Scheduler at: *tcp://(\S+)")
# a job that ends two workers is given up, and the cluster itself should nobody end it
SETTINGS = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
IDLE = "--idle-timeout=10 minutes"


class Cluster:
    """A scheduler, and what is said to it."""

    def __init__(self, process: subprocess.Popen[str], place: Path, address: str) -> None:
        self.process, self.place, self.address = process, place, address
        self.nannies: list[subprocess.Popen[str]] = []

    @property
    def workers(self) -> Workers:
        return Workers(executor=f"dask://{self.address}")

    def client(self) -> Any:
        from distributed import Client

        return Client(f"tcp://{self.address}", timeout=30, set_as_default=False)

    def pids(self) -> list[int]:
        """Return the processes that do the work."""
        with self.client() as client:
            return sorted(client.run(os.getpid).values())

    def start(self, count: int, *options: str, **environment: str) -> None:
        """Start workers, each in a folder of its own, where nothing of ours can be imported."""
        for _ in range(count):
            folder = self.place / f"worker-{len(self.nannies)}"
            folder.mkdir()
            command = (*WORKER, f"tcp://{self.address}", f"--local-directory={folder}", *options)
            with (folder / "stderr").open("w") as said:
                self.nannies.append(_started(command, folder, said, **environment))

    def join(self) -> None:
        """Wait until all that were started are there."""
        if self.nannies:
            with self.client() as client:
                client.wait_for_workers(len(self.nannies), timeout=120)

    def end(self) -> None:
        """End all workers."""
        for nanny in self.nannies:
            _end(nanny)


@contextmanager
def cluster(count: int, *options: str) -> Iterator[Cluster]:
    """Give a cluster of as many workers; it ends with the block, whatever happens in there."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
        scheduler = _started((*SCHEDULER, IDLE), place, subprocess.PIPE, **SETTINGS)
        stack.callback(_end, scheduler)
        made = Cluster(scheduler, place, _address(scheduler))
        stack.callback(made.end)
        made.start(count, *(options or ("--nthreads=1",)))
        made.join()
        yield made


def _started(
    command: tuple[str, ...], folder: Path, said: IO[str] | int, **environment: str
) -> subprocess.Popen[str]:
    known = {name: it for name, it in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**known, **environment},
        stdout=subprocess.DEVNULL,
        stderr=said,
        text=True,
        start_new_session=True,  # its own children end with it, and Ctrl-C is not for it
    )


def _address(scheduler: subprocess.Popen[str]) -> str:
    """Return where a scheduler listens, once it says so."""
    assert scheduler.stderr is not None
    said = []
    for line in scheduler.stderr:
        said.append(line)
        if found := READY.search(line):
            Thread(target=_read_on, args=(scheduler.stderr,), daemon=True).start()
            return found[1]
    raise RuntimeError("".join(said))


def _read_on(said: IO[str]) -> None:
    """Read what a process says until it ends; it would stop itself once the pipe is full."""
    with said:
        said.read()


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):  # somebody else has killed it
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
