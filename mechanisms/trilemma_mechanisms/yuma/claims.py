"""What Yuma claims for itself, by its parameters, and where the numbers of the chain fall short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trilemma_mechanisms.yuma.numbers import FLOATS

if TYPE_CHECKING:
    from trilemma_mechanisms.yuma.rule import Yuma

__all__ = ["claims_of", "expected_failures_of"]

ALWAYS = frozenset({"anonymous", "support_monotone", "unreported_unpaid", "zero_stake_ignored"})
OF_ALL_STAKE = frozenset({"clone_proof", "paid_by_stake_when_agreed", "unanimity"})
OF_VERSION_2 = frozenset({"merge_proof", "split_proof"})  # bonds are bought with stake

ROUNDING = "weights and bonds are stored in 16 bits, shares in steps of 2**-32"
TIES = "of equal stakes the lower account gets the last permit"
THRESHOLD = "the threshold is an amount of stake"
ROUNDED = ("carried_by", "clone_proof", "no_veto_below", "unanimity")
ROUNDED_IN_VERSION_2 = (*ROUNDED, "merge_proof", "paid_by_stake_when_agreed")


def claims_of(rule: Yuma) -> frozenset[str]:
    """Return what the kit may try to break."""
    if rule.max_validators is not None or rule.stake_threshold > 0:
        return ALWAYS
    if rule.arithmetic == "float32":  # the others compare pay in nine digits
        return ALWAYS | _thresholds(rule.kappa)
    claims = ALWAYS | OF_ALL_STAKE | _thresholds(rule.kappa)
    return claims | OF_VERSION_2 if rule.version == 2 else claims


def _thresholds(kappa: float) -> frozenset[str]:
    """Return what holds on either side of kappa; below 0 there is nobody to speak of."""
    below = {"no_boost_below": kappa, "no_veto_below": 1 - kappa}
    claims = (f"{name}({share})" for name, share in below.items() if share > 0)
    return frozenset({f"carried_by({kappa})", *claims})


def expected_failures_of(rule: Yuma) -> dict[str, str]:
    """Return the laws and claims that are broken, and why."""
    found = {}
    if rule.max_validators is not None:
        found["validators_equivariant"] = TIES
    if rule.stake_threshold > 0:
        found["scale_free"] = THRESHOLD
    if rule.arithmetic not in FLOATS:
        rounded = ROUNDED if rule.version == 3 else ROUNDED_IN_VERSION_2
        heads = {claim.partition("(")[0] for claim in claims_of(rule)}
        found |= {name: ROUNDING for name in rounded if name in heads}
    return found
