"""The question of `trilemma whatif`: pay all epochs again, by one rule and by others."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from trilemma import registry
from trilemma.checks import real
from trilemma.contract import call
from trilemma.errors import PluginError, UsageError
from trilemma.importers import Network
from trilemma.model import Mechanism
from trilemma.report.whatif import WhatIf
from trilemma.whatif.gains import Pools, change_of, identities_of, outcome_of
from trilemma.whatif.record import Record

__all__ = ["whatif"]


def whatif(
    network: Network,
    before: str | Mechanism = "yuma",
    after: Iterable[str | Mechanism] = (),
    *,
    xi: float = 0.5,
    plain: bool = False,
) -> WhatIf:
    """Pay all epochs of a network again, by the rule it has and by others, and tell who gains.

    Every rule is shown the same epochs, in the order of the file, and what it returned in the one
    before (bonds). Reports are as they were: under another rule validators might have reported
    otherwise, and others might have had a permit. That is not asked here.

    Parameters
    ----------
    network : Network
        As read by `trilemma.read`.
    before : str or Mechanism
        The rule to start from.
    after : iterable of str or Mechanism
        The rules to compare it with, one or more.
    xi : float
        The validators' part of all pay.
    plain : bool
        Whether rules are shown stake and weights as they are, and nothing else. If not, what the
        file knows is used as a chain uses it, and for every rule alike. A validator counts in
        an epoch if it has stake, holds a permit (where the file tells) and reports on somebody;
        in one in which it does not it is shown without stake and reports, as a chain leaves out
        who is inactive; and who never counts is not shown at all. Otherwise silent accounts,
        most of those of a subnet, would be the majority wherever heads are counted. Where
        validator i and miner i are one account, its report on itself is not heard; nor is a
        report older than its miner's registration. Blocks, updates, registrations and the bonds
        that the file tells of its first epoch (if they are u16) are in the epoch's `chain`, for
        rules that ask.

    Returns
    -------
    WhatIf

    Raises
    ------
    UsageError
        For an unknown mechanism or parameter, no rule to compare with, or `xi` out of range.
    DataError
        If no validator counts in any epoch.
    PluginError
        If the rule to start from breaks the contract. Others that do are left out, and named.
    """
    part, record = real("xi", xi, 0, 1), Record(network, plain)
    others, broken = registry.load_each(after if isinstance(after, str) else list(after))
    if not (others or broken):
        raise UsageError("no rule to compare with; give one or more, as in after=['quadratic']")
    label, rule = _loaded(before)
    first = _paid(label, rule, record)
    failures = {spec: str(error) for spec, error in broken.items()}
    found: dict[str, Pools] = {}
    for name, other in others.items():
        try:
            found[name] = _paid(name, other, record)
        except PluginError as error:
            failures[name] = str(error)
    identities = identities_of(record, [first, *found.values()])
    start = outcome_of(label, first, network, part)
    return WhatIf(
        network=network.name,
        epochs=network.epochs,
        validators=network.validators,
        miners=network.miners,
        counted=record.counted,
        xi=part,
        facts=record.facts,
        identities=identities,
        before=start,
        after=tuple(
            change_of(record.stake, start, outcome_of(name, pools, network, part))
            for name, pools in found.items()
        ),
        failures=failures,
    )


def _loaded(spec: str | Mechanism) -> tuple[str, Mechanism]:
    loaded, broken = registry.load_each([spec])
    for error in broken.values():
        raise error
    return next(iter(loaded.items()))


def _paid(label: str, mechanism: Mechanism, record: Record) -> Pools:
    """Return what a rule pays in an epoch, mean over all; the carry goes from each to the next."""
    validators, miners = np.zeros(record.network.validators), np.zeros(record.network.miners)
    carry = None
    for epoch in record:
        pay = call(label, mechanism, epoch.replace(carry=carry))
        validators[record.members] += pay.validators
        miners += pay.miners
        carry = pay.carry
    return Pools(validators / record.network.epochs, miners / record.network.epochs)
