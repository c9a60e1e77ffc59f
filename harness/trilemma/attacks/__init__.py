"""The adversarial suite: one attack family a file, each a function from a budget to plays."""

from collections.abc import Callable, Iterator

from trilemma.attacks.censorship import censorship
from trilemma.attacks.cloned_miners import cloned_miners
from trilemma.attacks.fake_miners import fake_miners
from trilemma.attacks.merges import merges
from trilemma.attacks.misreporting import misreporting
from trilemma.attacks.praise_rings import praise_rings
from trilemma.attacks.promotion import promotion
from trilemma.attacks.self_dealing import self_dealing
from trilemma.attacks.stake_splitting import stake_splitting
from trilemma.attacks.weight_copying import weight_copying
from trilemma.model import Budget, Play

__all__ = ["NEUTRALITY", "SYBIL", "plays"]

Family = Callable[[Budget], Iterator[Play]]

SYBIL: tuple[Family, ...] = (
    stake_splitting,
    fake_miners,
    cloned_miners,
    self_dealing,
    praise_rings,
    merges,
    weight_copying,
    misreporting,
)
NEUTRALITY: tuple[Family, ...] = (censorship, promotion)


def plays(families: tuple[Family, ...], budget: Budget) -> list[Play]:
    """Return every play of these families within the budget."""
    return [play for family in families for play in family(budget)]
