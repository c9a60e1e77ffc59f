"""What is mutated, and which mechanisms are made of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from benchmarks.mutation.mutants import Mutant, mutants

__all__ = ["ROOT", "SCOPE", "File", "mutants_of"]

ROOT = Path(__file__).parents[2]

SPARED = (
    *("__post_init__", "_require", "_check_carry"),  # refuse what the kit never gives
    *("claims", "claims_by_influence", "expected_failures"),  # to claim less breaks nothing
    *(
        "stages_by_influence",
        "emission",
        "flags",
        "_total",
    ),  # explain what no pool is compared with
    *("on_base", "after"),  # rank candidates, and pay nobody
    *("batched", "serves"),  # choose one of two ways to the same answer
    *(
        "Keys",
        "require_seats",
        "Both",
        "Override",
        "_pair",
    ),  # no built-in mechanism is made of these
    *("_guess", "_spread"),  # change how the search goes, not where it ends
    *("Fixed", "Float.read", "Float.rows", "_owned", "_active"),  # what only a chain has
)
RECORDS = re.compile(r"\b(chain|held|stored|U16)\b")  # what only a chain keeps
ROOMS = ("rule.py", "accounts.py", "numbers.py")  # of which records are a part


@dataclass(frozen=True)
class File:
    """A file that is mutated.

    Parameters
    ----------
    path : str
        From the root.
    specs : tuple of str
        Mechanisms that the kit looks at; those that are told apart soonest first.
    every : int
        Of how many mutants one is tried. Kernels are long, and unrolled: their lines repeat.
    anew : bool
        Whether all kernels are compiled anew: compiled functions, its own or of other files, hold
        this file's code.
    """

    path: str
    specs: tuple[str, ...]
    every: int = 1
    anew: bool = False

    @property
    def module(self) -> str:
        """Its name for Python."""
        return self.path.removesuffix(".py").partition("/")[2].replace("/", ".")

    def mutants(self) -> Iterator[Mutant]:
        """Yield those that are tried."""
        source, rooms = (ROOT / self.path).read_text(), self.path.endswith(ROOMS)
        found = mutants(self.path, source, SPARED)
        asked = (it for it in found if not (rooms and RECORDS.search(it.before)))
        # By what it reads, so that an edit elsewhere in the file chooses no others.
        yield from (it for it in asked if crc32(it.text.encode()) % self.every == 0)


def _with_weighted(*heads: str) -> tuple[str, ...]:
    return tuple(head.format("inner=stake_weighted") for head in heads)


CONTROLS = ("stake_weighted", "uniform", "stake_proportional", "dictator")
CAPPED = _with_weighted("stake_capped({})", "stake_capped(cap=0.25, {})")
QUADRATIC = _with_weighted("quadratic({})", "quadratic(power=1, {})", "quadratic(power=0, {})")
DAO_VOTE = _with_weighted("dao_vote({})", "dao_vote(electorate='stake', {})")
FUSED = ("yuma", "yuma(version=2)", "yuma(bonds_penalty=0.5)", "yuma(liquid_alpha=True)")
PUBLISHED = "yuma(liquid_alpha=True, bonds_penalty=0)"  # where bonds outlast the consensus
SOFTER = "yuma(version=2, bonds_penalty=0.5)"  # version 3 clips in another loop
LIMITED = ("yuma(max_validators=2)", "yuma(stake_threshold=2)")
SINGLE = "yuma(arithmetic='float32')"
KERNELS, MECHANISMS = "harness/trilemma/kernels", "mechanisms/trilemma_mechanisms"

SCOPE = (
    File(f"{MECHANISMS}/controls.py", CONTROLS),
    File(f"{MECHANISMS}/influence.py", (CAPPED[0], *DAO_VOTE, "stake_weighted", "dao_vote")),
    File(f"{MECHANISMS}/stake_capped.py", (*CAPPED, "stake_capped")),
    File(f"{MECHANISMS}/quadratic.py", (*QUADRATIC, "quadratic")),
    File(f"{MECHANISMS}/dao_vote.py", (*DAO_VOTE, "dao_vote")),
    File(f"{MECHANISMS}/governance/bodies.py", (*DAO_VOTE, "dao_vote")),
    File(f"{MECHANISMS}/yuma/accounts.py", ("yuma", *LIMITED)),
    File(f"{MECHANISMS}/yuma/numbers.py", ("yuma", "yuma(version=2)", SINGLE)),
    File(f"{MECHANISMS}/yuma/rule.py", FUSED),
    File(f"{MECHANISMS}/yuma/fused.py", (*FUSED[:2], LIMITED[0])),
    File(f"{KERNELS}/consensus.py", ("yuma", "yuma(kappa=0.6)", SINGLE, DAO_VOTE[1])),
    File(f"{KERNELS}/tiles.py", ("yuma", "yuma(kappa=1)"), every=4, anew=True),
    File(f"{KERNELS}/bounds.py", ("yuma", "yuma(kappa=1)"), every=4, anew=True),
    File(f"{KERNELS}/epochs.py", (*FUSED, PUBLISHED), every=4, anew=True),
    File(f"{KERNELS}/lanes.py", (*FUSED, SOFTER), every=4, anew=True),
    File(f"{KERNELS}/yuma.py", FUSED, every=2, anew=True),
)


def mutants_of(files: Iterable[File] = SCOPE) -> list[tuple[File, Mutant]]:
    """Return everything that is tried, with the file it is made of."""
    return [(file, mutant) for file in files for mutant in file.mutants()]
