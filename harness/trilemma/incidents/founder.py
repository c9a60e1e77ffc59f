"""What one founder could still do, by its share of the stake."""

from __future__ import annotations

from collections.abc import Mapping

from trilemma.cutoff import Terms
from trilemma.cutoff.question import harm
from trilemma.incidents.incident import Table
from trilemma.model import Mechanism, World

__all__ = ["SHARES", "lost_by_share"]

SHARES = tuple(step / 20 for step in range(1, 13))


def lost_by_share(
    named: Mapping[str, Mechanism], worlds: Mapping[float, World], terms: Terms, founder: int
) -> Table:
    """Return the share of its pay that a founder alone takes from a subnet, at its best.

    Parameters
    ----------
    named : mapping of str to Mechanism
    worlds : mapping of float to World
        By the founder's share of the stake.
    terms : Terms
    founder : int
        The principal.
    """

    def lost(mechanism: Mechanism, world: World) -> float:
        return harm(mechanism, [world], (founder,), terms).lost

    rows = [
        (name, tuple(lost(mechanism, world) for world in worlds.values()))
        for name, mechanism in named.items()
    ]
    return Table(
        "What a founder with all three keys and so much of the stake takes from a subnet alone, in "
        "30 days, through whatever serves it best (1: everything):",
        tuple(f"{share:.0%}" for share in worlds),
        tuple(rows),
        head="rule",
        across="the founder's share of the stake",
        caption=f"What a founder with all keys takes from a subnet alone, in {terms.epochs} days",
    )
