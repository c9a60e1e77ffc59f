"""What the harness adds: time over its calls, candidates on a base, the retention map."""

from __future__ import annotations

import time
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from benchmarks.measuring.clock import ROUNDS, interleaved
from benchmarks.measuring.data import weights
from benchmarks.measuring.goals import Answers, Found
from trilemma import Epoch, compare, load, retention_map
from trilemma.model import Rewards
from trilemma.shortcuts import ranker
from trilemma.sides import Experiment
from trilemma_mechanisms.yuma import Yuma

__all__ = ["Clocked", "harness", "retention", "search"]

ATTACKERS = 8
WORLDS = 16  # the default


class Clocked(Yuma):
    """Yuma that notes how long its calls take."""

    taken = 0.0  # of all instances: the harness copies them
    calls = 0

    def __call__(self, epoch: Epoch) -> Rewards:
        """Pay as Yuma does."""
        start = time.thread_time()
        rewards = super().__call__(epoch)
        Clocked.taken += time.thread_time() - start
        Clocked.calls += 1
        return rewards


def harness(_: bool = False) -> Answers:
    """Compare CPU time of a comparison with that of the calls in it."""
    rounds = [_compared() for _ in range(ROUNDS + 1)][1:]  # the first may compile
    ratios, calls = zip(*rounds, strict=True)
    detail = {"worlds": WORLDS, "calls": calls[0]}
    return {"harness": Found(median(ratios), len(ratios), detail)}


def _compared() -> tuple[float, int]:
    Clocked.taken, Clocked.calls = 0.0, 0
    start = time.process_time()
    compare([Clocked()], worlds=WORLDS, workers=1)
    return (time.process_time() - start) / Clocked.taken, Clocked.calls


def search(_: bool = False) -> Answers:
    """Compare the kernel on whole epochs with candidates on a shared base."""
    epoch = Epoch(np.random.default_rng(0).random(1024) ** 3, _said(0))
    rule, who = load("yuma"), np.arange(ATTACKERS)
    candidates = [_said(number)[:ATTACKERS] for number in range(1, 5)]
    shortcut, plain = ranker(rule, epoch, who), ranker(rule, epoch, who, shortcut=False)
    target = np.empty_like(epoch.weights)
    taken = interleaved(
        {
            "memcpy": partial(np.copyto, target, epoch.weights),
            "plain": partial(rule, epoch),
            "candidates": lambda: [shortcut(said) for said in candidates],
            "asked": lambda: plain(candidates[0]),
        }
    )
    each = len(candidates)
    detail = {
        "attackers": ATTACKERS,
        "copies of the weights": taken["candidates"].over(taken["memcpy"]) / each,
        "us a candidate": taken["candidates"].median() * 1e6 / each,
        "with the epoch put together and checked": taken["asked"].over(taken["candidates"]) * each,
    }
    return {
        "search_1024x1024": Found(taken["plain"].over(taken["candidates"]) * each, ROUNDS, detail)
    }


def _said(seed: int) -> Any:
    return weights("honest", (1, 1024, 1024), np.float64, seed)[0]


def retention(full: bool = False) -> Answers:
    """Compute the published retention map on one thread, beside copying its weights."""
    epoch = Experiment().sides(0.6, 0).epoch(0.7, 0.7)
    said, target = np.array(epoch.weights), np.empty(epoch.weights.shape)
    copies = 50

    def copying() -> None:
        for _ in range(copies):
            np.copyto(target, said)

    taken = interleaved(
        {
            "map": lambda: retention_map(["yuma"], workers=1),
            "memcpy": copying,
        },
        ROUNDS if full else 1,
    )
    epochs = Experiment().grid ** 2 * 11
    floor = taken["memcpy"].median() / copies * epochs
    seconds = taken["map"].median("wall")
    detail = {
        "epochs": epochs,
        "s to copy the weights": floor,
        "share of the time that copying them takes": floor / taken["map"].median(),
        "us an epoch": seconds * 1e6 / epochs,
    }
    return {"map": Found(seconds, len(taken["map"].wall), detail)}
