"""That the answer is a function of the epoch, in whatever way it is asked for."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from trilemma.contract import SLACK as BATCHED
from trilemma.contract import Pay, call_each, copied, takes_batches
from trilemma.errors import PluginError, one_line
from trilemma.model import Epoch, Sparse
from trilemma.testing.case import Case
from trilemma.testing.check import Fault, NotJudged, Subject, asked, moved
from trilemma.testing.laws.law import FIELDS, law, own, two_epochs
from trilemma.testing.words import lines, numbers

__all__ = [
    "BATCHES_AGREE",
    "CARRY_PICKLES",
    "INPUT_UNTOUCHED",
    "ONE_ANSWER",
    "SPARSE_AGREES",
    "STAGES_AGREE",
]

EPOCHS = 3  # that state is carried through
# How many of each validator and miner. Miners stand beside their like, in vectors that they do not
# fill alike: otherwise a fault in some lanes takes the same part of everybody's pay, and cancels.
CROWD = (9, 29)
_CROWD = f"of each validator {CROWD[0]}, of each miner {CROWD[1]}"
PRECISE = 1e-5  # as near as other code comes to the same: float32 has seven digits


def _input_untouched(subject: Subject, case: Case) -> Fault | None:
    epoch = case.epoch()
    shown = own(epoch)
    try:
        subject.raw(shown)
    except (Exception, SystemExit) as error:
        raise NotJudged(one_line(error)) from error
    for name in FIELDS:
        before, after = getattr(epoch, name), getattr(shown, name)
        if not np.array_equal(before, after):
            return Fault("", f"{name} is {numbers(after)} afterwards", "expected it as it was")
    return None


def _one_answer(subject: Subject, case: Case) -> Fault | None:
    """Ask one object about an epoch, that epoch after itself, another epoch, and both again."""
    mechanism, epoch = copied(subject.mechanism), case.epoch()
    other = case.saying(dict(enumerate(case.reports))).epoch()
    first = asked(mechanism, epoch)
    later = epoch.replace(carry=first.carry)
    try:
        second = asked(mechanism, later)
    except NotJudged as error:
        return Fault("asked about the epoch after itself", str(error), "expected pay as before")
    said = f"where all report {lines(case.reports)}"
    for before, again, done in (
        (asked(copied(subject.mechanism), other), asked(mechanism, other), f"asked first {said}"),
        (first, asked(mechanism, epoch), f"asked about this, then {said}, then again"),
        (
            second,
            asked(mechanism, later),
            f"asked about this once more, then {said}, then again",
        ),
    ):
        if change := moved(before, again, 0):
            return Fault(done, change, "expected the same answer: it is a function of the epoch")
    return None


def _carry_pickles(subject: Subject, case: Case) -> Fault | None:
    kept, travelled = None, None
    for _ in range(EPOCHS):
        try:
            travelled = pickle.loads(pickle.dumps(travelled))
        except Exception as error:
            return Fault("the carry is pickled", one_line(error), "expected it to travel")
        one, other = subject.pay(case, kept), subject.pay(case, travelled)
        if change := moved(one, other, 0):
            return Fault("the carry is pickled", change, "expected the same answer")
        kept, travelled = one.carry, other.carry
    return None


def _batches_agree(subject: Subject, case: Case) -> Fault | None:
    if not takes_batches("it", subject.mechanism):
        return None
    for epochs in _batches(case):
        if fault := _apart(subject, epochs):
            return fault
    return None


def _batches(case: Case) -> Iterator[list[Epoch]]:
    """Yield four epochs that have nothing in common, and such as share reports, or stake."""
    epochs = [it.epoch() for it in _company(case)]
    first = epochs[0]
    yield epochs
    yield [first.replace(stake=epoch.stake) for epoch in epochs]
    yield [first.trusting(weights=epoch.weights) for epoch in epochs]


def _apart(subject: Subject, epochs: list[Epoch]) -> Fault | None:
    alone = [asked(copied(subject.mechanism), epoch) for epoch in epochs]
    try:
        together = call_each("it", copied(subject.mechanism), epochs)
    except PluginError as error:
        return Fault("asked about four epochs at once", str(error), "expected pools by epoch")
    for one, other in zip(alone, together, strict=True):
        if change := moved(one, other, BATCHED):
            return Fault("asked alone, and among four epochs", change, "expected the same answer")
    return None


def _company(case: Case) -> tuple[Case, ...]:
    """Return a case and three that differ from it: in places, in stake, in who speaks."""
    n, m = case.shape
    once, twice, thrice = (
        case.taking(np.roll(range(n), turns), np.roll(range(m), turns)) for turns in (1, 2, 3)
    )
    return (
        case,
        once.saying({0: (0,) * m}),
        twice.holding({0: 2 * twice.stake[0]}),
        thrice.saying({0: thrice.weights[n - 1]}).holding({0: 0}),
    )


def _sparse_agrees(subject: Subject, case: Case) -> Fault | None:
    """Look at three epochs in a row; a rule that refuses sparse reports keeps the law."""
    try:
        subject.raw(_compressed(case.epoch()))
    except (Exception, SystemExit):
        return None
    kept, carry = None, None
    for when, told in _in_a_row(case):
        epoch, done = told.epoch(), "; ".join(filter(None, (when, "reports come as a Sparse")))
        one = asked(copied(subject.mechanism), epoch.replace(carry=kept))
        try:
            other = asked(copied(subject.mechanism), _compressed(epoch).replace(carry=carry))
        except NotJudged as error:
            return Fault(done, str(error), "expected pay as for dense ones")
        if change := moved(one, other, PRECISE):
            return Fault(done, change, "expected the same answer")
        kept, carry = one.carry, other.carry
    return None


def _compressed(epoch: Epoch) -> Epoch:
    return epoch.trusting(weights=Sparse.of(np.array(epoch.weights)))


def _in_a_row(case: Case) -> Iterator[tuple[str, Case]]:
    """Yield a case, one with other reports and stake, and the first again; and in words, when."""
    largest = max(range(len(case.stake)), key=case.stake.__getitem__)
    said = f"where {largest} has no stake and all report {lines(case.reports)}"
    yield "", case
    other = case.saying(dict(enumerate(case.reports))).holding({largest: 0})
    yield f"in a second epoch, {said}", other
    yield f"in a third epoch, after one {said}", case


# --- what explains an answer ---------------------------------------------------------------------


def _stages_agree(subject: Subject, case: Case) -> Fault | None:
    if not hasattr(subject.mechanism, "stages"):
        return None
    row = list(_in_a_row(case))
    crowd = [(f"{_CROWD}; {when}".rstrip("; "), _crowd(told)) for when, told in row]
    return _explained(subject, row) or _explained(subject, crowd)


def _crowd(case: Case) -> Case:
    """Return the case with so many of everybody that fast code has to take turns."""
    n, m = case.shape
    return case.taking([*range(n)] * CROWD[0], [it for it in range(m) for _ in range(CROWD[1])])


def _explained(subject: Subject, row: Iterable[tuple[str, Case]]) -> Fault | None:
    carry = None
    for when, told in row:
        epoch = told.epoch().replace(carry=carry)
        pay = asked(copied(subject.mechanism), epoch)
        carry = pay.carry
        if wrong := _unexplained(subject, epoch, pay):
            return Fault(when, wrong, "expected `stages` to tell what is paid")
    return None


def _unexplained(subject: Subject, epoch: Epoch, pay: Pay) -> str:
    explaining: Any = copied(subject.mechanism)
    try:
        stages = {name: np.asarray(value) for name, value in explaining.stages(epoch).items()}
    except (Exception, SystemExit) as error:
        return f"stages raises {one_line(error)}"
    # Where no miner is paid, validators may be paid for something else than dividends.
    pools = {"incentive": pay.miners} | ({"dividends": pay.validators} if pay.miners.any() else {})
    for name, paid in pools.items():
        told = stages.get(name, paid)
        if told.shape != paid.shape:
            return f"{name} has shape {told.shape}, and pay {paid.shape}"
        apart = np.abs(told - paid)
        if not apart.max() <= PRECISE:
            place = apart.argmax()
            return f"{name} of {place} is {told[place]:.4g}, and paid is {paid[place]:.4g}"
    return ""


# -------------------------------------------------------------------------------------------------

INPUT_UNTOUCHED = law("input_untouched", "the epoch is only read", _input_untouched)
ONE_ANSWER = law(
    "one_answer",
    "the answer depends on the epoch and its carry alone",
    _one_answer,
    two_epochs(),
)
CARRY_PICKLES = law("carry_pickles", "what is carried may travel between processes", _carry_pickles)
BATCHES_AGREE = law(
    "batches_agree", "several epochs at once are paid as each alone", _batches_agree
)
SPARSE_AGREES = law(
    "sparse_agrees", "sparse reports are paid as dense ones", _sparse_agrees, two_epochs()
)
STAGES_AGREE = law(
    "stages_agree",
    "`incentive` and `dividends` of `stages`, where there are such, are what is paid",
    _stages_agree,
    two_epochs(),
)
