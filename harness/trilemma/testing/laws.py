"""What binds every mechanism, whatever it claims."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st

from trilemma.contract import SLACK as BATCHED
from trilemma.contract import Pay, call_each, copied, takes_batches
from trilemma.errors import PluginError, one_line
from trilemma.model import OVERPAYMENT, AnyArray, Epoch, Rewards
from trilemma.testing.case import Case
from trilemma.testing.check import Check, Fault, NotJudged, Subject, asked, moved
from trilemma.testing.drawing import cases, places, reports
from trilemma.testing.words import line, lines, numbers

__all__ = ["LAWS"]

CONTRACT = "the plug-in contract"
FIELDS = ("stake", "weights", "votes", "seats", "orders", "flows", "tenure")
ANY = cases(trades=True)
EPOCHS = 3  # that state is carried through
POWERS = (1, 2, 5, 10, -1, -5, -10)  # of 4: the square roots of such factors are exact as well


# --- one answer ----------------------------------------------------------------------------------


def _own(epoch: Epoch) -> Epoch:
    """Return an epoch that may be written to."""
    return epoch.trusting(**{name: np.array(getattr(epoch, name)) for name in FIELDS})


def _answer(subject: Subject, epoch: Epoch) -> Rewards:
    try:
        return subject.raw(_own(epoch))
    except (Exception, SystemExit) as error:
        raise NotJudged(one_line(error)) from error


def _answers(subject: Subject, case: Case) -> Fault | None:
    try:
        subject.raw(_own(case.epoch()))
    except (Exception, SystemExit) as error:
        return Fault("", f"it raises {one_line(error)}", "expected an answer to every epoch")
    return None


def _pools(subject: Subject, case: Case) -> dict[str, tuple[Any, int]]:
    """Return by name what is paid, and for how many accounts."""
    answer, (n, m) = _answer(subject, case.epoch()), case.shape
    pools = {"miners": (answer.miners, m), "validators": (answer.validators, n)}
    return {name: pool for name, pool in pools.items() if pool[0] is not None or name == "miners"}


def _shapes(subject: Subject, case: Case) -> Fault | None:
    for name, (pool, size) in _pools(subject, case).items():
        found = _array(pool)
        if found is None or found.shape != (size,):
            shown = "no numbers" if found is None else f"shape {found.shape}"
            return Fault("", f"{name} are paid {shown}", f"expected one number each: ({size},)")
    return None


def _array(pool: Any) -> AnyArray | None:
    try:
        found = np.asarray(pool)
        return found.astype(np.float64) if found.dtype.kind in "biufO" else None
    except (TypeError, ValueError, OverflowError):
        return None


def _holds_of_pools(
    holds: Callable[[AnyArray], bool], expected: str
) -> Callable[[Subject, Case], Fault | None]:
    def look(subject: Subject, case: Case) -> Fault | None:
        for name, (pool, size) in _pools(subject, case).items():
            paid = _array(pool)
            if paid is None or paid.shape != (size,):
                raise NotJudged("shapes")
            if not holds(paid):
                return Fault("", f"{name} are paid {numbers(paid)}", expected)
        return None

    return look


_finite = _holds_of_pools(lambda paid: bool(np.isfinite(paid).all()), "expected finite numbers")
_non_negative = _holds_of_pools(lambda paid: not (paid < 0).any(), "expected 0 or more")
_at_most_all = _holds_of_pools(
    lambda paid: not paid.sum() > 1 + OVERPAYMENT, "expected a sum of 1 at most"
)


def _degenerate(subject: Subject, case: Case) -> Fault | None:
    try:
        subject.pay(case)
    except NotJudged as error:
        return Fault("", str(error), "expected pay as in any other epoch")
    return None


@st.composite
def _degenerates(draw: st.DrawFn) -> Case:
    case = draw(cases())
    n, m = case.shape
    kinds = (0, 0.0, 5e-324, 1e-310, 1e300, 2**62 // n)
    extremes = st.lists(st.sampled_from(kinds), min_size=n, max_size=n).map(tuple)
    alike = st.sampled_from(kinds).map(lambda amount: (amount,) * n)
    silence = st.just(((0,) * m,) * n)
    dust = st.tuples(*[st.tuples(*[st.sampled_from((0, 1, 1e-300, 1e-16))] * m)] * n)
    stake = draw(alike | extremes)
    if isinstance(sum(stake), float):
        stake = tuple(map(float, stake))
    return replace(case, stake=stake, weights=draw(silence | st.just(case.weights) | dust))


# --- the same answer -----------------------------------------------------------------------------


def _input_untouched(subject: Subject, case: Case) -> Fault | None:
    epoch = case.epoch()
    shown = _own(epoch)
    try:
        subject.raw(shown)
    except (Exception, SystemExit) as error:
        raise NotJudged(one_line(error)) from error
    for name in FIELDS:
        before, after = getattr(epoch, name), getattr(shown, name)
        if not np.array_equal(before, after):
            return Fault("", f"{name} is {numbers(after)} afterwards", "expected it as it was")
    return None


@st.composite
def _two_epochs(draw: st.DrawFn) -> Case:
    """Draw a case and, as reports, all that is said in another epoch."""
    case = draw(cases())
    return replace(case, reports=draw(reports(*case.shape)))


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
    epochs = [it.epoch() for it in _company(case)]
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


# --- labels and units ----------------------------------------------------------------------------


@st.composite
def _swaps(draw: st.DrawFn, of: Literal["validators", "miners"]) -> Case:
    """Draw a case with two places that change; every relabelling is a row of such swaps."""
    case = draw(cases(validators=2, miners=2, trades=True))
    if of == "validators":
        return replace(case, validators=draw(places(case.shape[0], 2, 2)))
    return replace(case, miners=draw(places(case.shape[1], 2, 2)))


def _swapped(size: int, pair: tuple[int, ...]) -> list[int]:
    if len(pair) != 2 or pair[0] == pair[1]:
        raise NotJudged("no two places to change")
    order = list(range(size))
    here, there = pair
    order[here], order[there] = there, here
    return order


def _validators_equivariant(subject: Subject, case: Case) -> Fault | None:
    order = _swapped(case.shape[0], case.validators)
    after = (Pay(it.miners, it.validators[order]) for it in _epochs(subject, case.taking(order)))
    return _relabelled(subject, case, after, f"validators {line(case.validators)} change places")


def _miners_equivariant(subject: Subject, case: Case) -> Fault | None:
    order = _swapped(case.shape[1], case.miners)
    swapped = case.taking(columns=order)
    after = (Pay(it.miners[order], it.validators) for it in _epochs(subject, swapped))
    return _relabelled(subject, case, after, f"miners {line(case.miners)} change places")


def _epochs(subject: Subject, case: Case) -> Iterator[Pay]:
    """Yield what is paid, and, if anything is carried, in the same epoch once more."""
    first = subject.pay(case)
    yield first
    if first.carry is not None:
        yield subject.pay(case, first.carry)


def _relabelled(subject: Subject, case: Case, after: Iterator[Pay], done: str) -> Fault | None:
    pairs = zip(_epochs(subject, case), after, ("", ", in a second epoch"), strict=False)
    for was, now, when in pairs:
        if change := moved(was, now):
            return Fault(done + when, change, "expected everybody's pay to follow its account")
    return None


@st.composite
def _rescaled(draw: st.DrawFn) -> Case:
    return replace(draw(cases()), numbers=(draw(st.sampled_from(POWERS)),))


def _scale_free(subject: Subject, case: Case) -> Fault | None:
    if len(case.numbers) != 1 or abs(case.numbers[0]) > max(POWERS):
        raise NotJudged("no factor")
    factor = 4.0 ** case.numbers[0]
    scaled = replace(case, stake=tuple(amount * factor for amount in case.stake))
    change = moved(subject.pay(case), subject.pay(scaled))
    done = f"stake is counted in other units: times {factor:g}"
    return Fault(done, change, "expected the same pay: only shares matter") if change else None


# -------------------------------------------------------------------------------------------------


def _law(name: str, formula: str, look: Any, tried: st.SearchStrategy[Case] = ANY) -> Check:
    return Check(name, "law", formula, CONTRACT, tried, look)


LAWS = (
    _law("answers", "every epoch has an answer", _answers),
    _law("shapes", "one number for every miner, and for every validator or none", _shapes),
    _law("finite", "no NaN, no infinity", _finite),
    _law("non_negative", "nobody pays in", _non_negative),
    _law("no_overpayment", "each pool sums to 1 at most", _at_most_all),
    _law(
        "degenerate",
        "without stake, without reports, with extreme numbers: pay as in any epoch",
        _degenerate,
        _degenerates(),
    ),
    _law("input_untouched", "the epoch is only read", _input_untouched),
    _law(
        "one_answer",
        "the answer depends on the epoch and its carry alone",
        _one_answer,
        _two_epochs(),
    ),
    _law("carry_pickles", "what is carried may travel between processes", _carry_pickles),
    _law("batches_agree", "several epochs at once are paid as each alone", _batches_agree),
    _law(
        "validators_equivariant",
        "other labels for the same validators change nobody's pay",
        _validators_equivariant,
        _swaps("validators"),
    ),
    _law(
        "miners_equivariant",
        "other labels for the same miners change nobody's pay",
        _miners_equivariant,
        _swaps("miners"),
    ),
    _law("scale_free", "the unit of stake does not matter", _scale_free, _rescaled()),
)
"""What binds every mechanism; each is a `Check`."""
