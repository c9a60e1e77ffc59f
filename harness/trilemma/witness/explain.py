"""A witness in words and numbers: who gained where, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from trilemma import registry
from trilemma.contract import asked, copied
from trilemma.errors import PluginError
from trilemma.model import AnyArray, Epoch, FloatArray, Mechanism
from trilemma.scene import Scene
from trilemma.search.goals import epochs_at
from trilemma.witness.witness import Replay, Witness

__all__ = ["Explanation", "Line", "explain", "explained", "stages_of", "text"]

Stages = Callable[[Epoch], Mapping[str, AnyArray]]


@dataclass(frozen=True)
class Line:
    """What a group of identities has of a quantity, mean over the worlds.

    Parameters
    ----------
    stage : str
        Of the mechanism's calculation; `reward` for the pay itself.
    group : str
    honest, attacked : float
        Before the play and after it: sums over the group.
    """

    stage: str
    group: str
    honest: float
    attacked: float


@dataclass(frozen=True)
class Explanation:
    """A witness told: who the adversary is, and what each stage gives to whom.

    Parameters
    ----------
    adversary : tuple of str
    lines : tuple of Line
    fault : str
        Why there are no lines: the mechanism's `stages` fail; else empty.
    """

    adversary: tuple[str, ...]
    lines: tuple[Line, ...]
    fault: str = ""


def explained(witness: Witness, mechanism: Mechanism) -> Explanation:
    """Return what `explain` says of a witness that has been replayed; `stages` may fail."""
    who = tuple(_adversary(witness))
    try:
        return Explanation(who, tuple(explain(witness, mechanism)[1]))
    except PluginError as error:
        return Explanation(who, (), str(error))


def explain(witness: Witness, mechanism: Mechanism | None = None) -> tuple[Replay, list[Line]]:
    """Replay a witness and say what each stage gives to whom.

    Parameters
    ----------
    witness : Witness
    mechanism : Mechanism, optional
        Default: the one it accuses. Where it offers no `stages`, the rewards are all there is.

    Raises
    ------
    PluginError
        If the mechanism breaks the contract, or its `stages` fail.
    """
    rule = registry.load(witness.mechanism) if mechanism is None else mechanism
    replay = witness.replay(copied(rule))
    lines = [*_staged(witness, rule, replay), *_rewarded(witness, replay)]
    return replay, lines


def stages_of(mechanism: Mechanism, epoch: Epoch) -> Mapping[str, AnyArray]:
    """Return what a mechanism says of its stages; nothing where it offers none."""
    offered: Stages | None = getattr(mechanism, "stages", None)
    if offered is None:
        return {}

    def told(epoch: Epoch) -> Mapping[str, AnyArray]:
        return {name: np.asarray(value) for name, value in offered(epoch).items()}

    return asked(f"{registry.label(mechanism)}.stages", told, epoch)


def text(witness: Witness, replay: Replay, lines: list[Line]) -> str:
    """Return the explanation to print."""
    what = (
        f"takes {replay.harm:.4f} of what the others earn"
        if witness.score == "sybil_resistance"
        else f"cuts {replay.harm:.4f} of its due off the target"
    )
    width = max(len(line.stage) for line in lines)
    who = max(len(line.group) for line in lines)
    head = [
        f"{witness.play}",
        f"{what}, in world {witness.source.get('number')} of seed {witness.source.get('seed')}",
        *_adversary(witness),
        "",
        f"{'stage':{width}}  {'of whom':{who}}  {'honest':>9}  {'attacked':>9}  {'change':>9}",
    ]
    rows = (
        f"{'' if repeated else line.stage:{width}}  {line.group:{who}}  {line.honest:9.5f}  "
        f"{line.attacked:9.5f}  {line.attacked - line.honest:+9.5f}"
        for line, repeated in _marked(lines)
    )
    return "\n".join([*head, *rows])


def _marked(lines: list[Line]) -> Iterator[tuple[Line, bool]]:
    for number, line in enumerate(lines):
        yield line, number > 0 and lines[number - 1].stage == line.stage


def _adversary(witness: Witness) -> Iterator[str]:
    before, after = witness.honest[0], witness.attacked[0]
    held = after.stake[after.own_validators].sum() / after.stake.sum()
    share = held if witness.share is None else witness.share
    yield (
        f"the adversary: {share:.1%} of the stake, {len(after.adversary)} principals, "
        f"{before.own_validators.size} validators made {after.own_validators.size}, "
        f"{before.own_miners.size} miners made {after.own_miners.size}"
    )
    said = [
        name
        for name in ("votes", "orders", "flows", "tenure")
        if not np.array_equal(getattr(before, name), getattr(after, name))
    ]
    if said:
        yield f"it acts through {', '.join(said)} as well"


def _rewarded(witness: Witness, replay: Replay) -> Iterator[Line]:
    xi = witness.xi
    both = [
        list(zip(scenes, pays, strict=True))
        for scenes, pays in ((replay.honest, replay.before), (replay.attacked, replay.after))
    ]
    for pool, part in (("validators", xi), ("miners", 1 - xi)):
        before, after = (
            [_grouped(scene, pool, part * getattr(pay, pool)) for scene, pay in when]
            for when in both
        )
        yield from _lines("reward", before, after)
    burnt = [float(np.mean([1 - pay.total(xi) for _, pay in when])) for when in both]
    yield Line("reward", "burnt", *burnt)


def _staged(witness: Witness, rule: Mechanism, replay: Replay) -> Iterator[Line]:
    before, after = (
        [
            (scene, stages_of(copied(rule), epochs_at(scene, (witness.share,))[0]))
            for scene in scenes
        ]
        for scenes in (replay.honest, replay.attacked)
    )
    scenes = (*before, *after)
    # as many validators as miners are taken for accounts: there may be stages of these only there
    for stage in (it for it in before[0][1] if all(it in found for _, found in scenes)):
        seen = [(scene, found[stage]) for scene, found in scenes]
        if any(value.dtype.kind not in "iuf" for _, value in seen):
            continue
        for pool in ("validators", "miners"):
            # and only the attacked epoch may tell whose a stage is
            if all(_along(scene, pool, value) is not None for scene, value in seen):
                grouped = [_grouped(scene, pool, value) for scene, value in seen]
                yield from _lines(stage, grouped[: len(before)], grouped[len(before) :])


def _along(scene: Scene, pool: str, values: AnyArray) -> AnyArray | None:
    """Return a quantity by identity of a pool; None where it is not one of the pool's.

    What validators say of, or hold of, each miner counts as the miners'.
    """
    n, m = scene.epoch.weights.shape
    if values.shape == (n, m):
        return np.asarray(values.sum(axis=0)) if pool == "miners" else None
    return values if values.shape == ((n,) if pool == "validators" else (m,)) else None


def _grouped(scene: Scene, pool: str, values: AnyArray) -> dict[str, float]:
    """Return sums over the groups of a pool."""
    by_identity = _along(scene, pool, values)
    if by_identity is None:
        return {}
    amounts: FloatArray = by_identity.astype(np.float64)
    own = scene.own_validators if pool == "validators" else scene.own_miners
    groups = {f"own {pool}": own} if own.size else {}
    if pool == "miners" and scene.twins.size:
        groups |= {"the target": scene.twins[:1], "the other twin": scene.twins[1:]}
    sums = {name: float(amounts[places].sum()) for name, places in groups.items()}
    rest = float(amounts.sum()) - sum(sums.values())
    return {**sums, f"other {pool}": rest}


def _lines(
    stage: str, honest: list[dict[str, float]], attacked: list[dict[str, float]]
) -> Iterator[Line]:
    for group in honest[0]:
        before, after = (
            float(np.mean([sums[group] for sums in both])) for both in (honest, attacked)
        )
        yield Line(stage, group, before, after)
