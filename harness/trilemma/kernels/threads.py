"""Work that lets go of the interpreter, in parts and over threads.

Parts are cut by the data, never by the number of threads, and their results come back in order:
so no answer depends on how many threads there are, or on which of them is faster.
"""

from __future__ import annotations

import multiprocessing
import os
from bisect import bisect_left
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Part", "available", "in_threads", "parts"]

Job = TypeVar("Job")
Result = TypeVar("Result")
Part: TypeAlias = tuple[int, int]
"""The first column, and the one behind the last."""

MOST = 64  # parts: enough for threads that other programs hold up, few enough sums to add up
LEAST = 1 << 17  # entries a part: 0.1 to 1 ms
COLUMN = 8  # entries that take as long as a column itself does


def available() -> int:
    """Return how many threads a call may use: one for every processor.

    One in a process that somebody forked or spawned to fill a processor, as `compare` does.
    """
    return 1 if multiprocessing.parent_process() else os.cpu_count() or 1


def in_threads(
    work: Callable[[Job], Result], jobs: Sequence[Job], threads: int | None = None
) -> list[Result]:
    """Return what the work gives for every job, in the order of the jobs.

    Parameters
    ----------
    work : callable
        Mostly a compiled loop that holds no lock.
    jobs : sequence
        A thread that is done takes the next one.
    threads : int, optional
        Default: `available`.
    """
    crew = min(threads or available(), len(jobs))
    if crew <= 1:
        return [work(job) for job in jobs]
    with ThreadPoolExecutor(crew) as pool:
        return list(pool.map(work, jobs))


def parts(indptr: npt.NDArray[Any], rows: int) -> list[Part]:
    """Cut columns into parts of about equal work.

    Parameters
    ----------
    indptr : ndarray of int64, shape (m + 1,)
        Column j holds the entries `indptr[j]` to `indptr[j + 1]`.
    rows : int
        Of the matrix. Sums by row, one for every part, take no more space than the entries.
    """
    columns = indptr.size - 1
    work = int(indptr[-1]) + COLUMN * columns
    number = max(1, min(MOST, work // LEAST, int(indptr[-1]) // rows))
    ends = [
        bisect_left(range(columns), work * part // number, key=lambda j: indptr[j] + COLUMN * j)
        for part in range(1, number)
    ]
    return list(pairwise(np.unique([0, *ends, columns]).tolist()))
