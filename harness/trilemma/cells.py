"""One world, every play: what each mechanism paid. The measurements that scores are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np

from trilemma.concentration import concentration
from trilemma.contract import Pay
from trilemma.entrant import Entrant
from trilemma.model import Budget, FloatArray, Play, World, changed
from trilemma.scene import Scene
from trilemma.search import SEARCHED, Adversary, Value, Witnessed
from trilemma.statistics import kendall_tau
from trilemma.twins import Coalition, TwinTest, by_stake, outcome, outcome_of
from trilemma.worlds import Source

__all__ = ["CLONE_DETECTION", "Cell", "Suite", "measure", "stack"]

CLONE_DETECTION = (0.0, 0.5)
CLONINGS = ("cloned_miners", "quadratic_sybils")  # attacks that show one work under many names


@dataclass(frozen=True)
class Suite:
    """The plays that cells are measured with: `sybil` (p), `neutrality` (q)."""

    sybil: tuple[Play, ...]
    neutrality: tuple[Play, ...]

    @property
    def clonings(self) -> list[int]:
        """Places in `sybil` of the plays of each cloning attack that use the most names."""
        counts = {
            attack: [play.identities for play in self.sybil if play.attack == attack]
            for attack in CLONINGS
        }
        return [
            place
            for place, play in enumerate(self.sybil)
            if play.identities == max(counts.get(play.attack, ()), default=0)
        ]


@dataclass(frozen=True, eq=False)
class Cell:
    """What one mechanism did in one world: p plays, s stake shares, c coalitions, q their plays.

    Parameters
    ----------
    sybil_pay, sybil_fair, sybil_rest : ndarray, shape (p, s)
        The attacker's pay; its pay when it is honest; everybody else's pay then.
    sybil_distance : ndarray, shape (p, s)
        Distance between the miners' pay and quality (total variation).
    sybil_extra : ndarray, shape (p,)
        Identities used beyond the first of each role.
    clone_pay : ndarray, shape (2, largest clonings, s)
        The attacker's pay for the plays of `Suite.clonings` where honest validators see through
        clones with each of the chances of `CLONE_DETECTION`.
    twin_pay : ndarray, shape (c, q, 2)
        Pay of the target and of the other twin, over the exchanged pair.
    twin_paid : ndarray, shape (c, q)
        Share of the pay that is paid out.
    twin_extra : ndarray, shape (c, q)
        Identities used beyond the coalition's first ones.
    coalition_fair : ndarray, shape (c,)
        The coalition's pay when it is honest.
    concentration : ndarray, shape (4,)
        Of all pay over principals when all are honest: the fields of `Concentration`.
    twin_fair, paid, distance, tau, unstaked, relabelled : ndarray, shape ()
        When all are honest: what a twin gets over the pair; the share of the pay that is paid
        out; distance from quality; Kendall's tau-b with quality; distance of the validators'
        pay from stake; how far other labels for the same identities change their pay.
    equal_pay, equal_paid, equal_fair, equal_honest
        As `twin_pay`, `twin_paid`, `twin_fair` and `paid`, in the same world with stake equal:
        coalitions of 1 to 10, plays with one identity each.
    sybil_uniform, twin_uniform : ndarray, shape ()
        Distance of equal pay from quality, in the attacker's world and in the twins'.
    found_identities : ndarray, shape (f,)
        Identities that the f searches might use; f is 0 where nothing was searched.
    found : ndarray, shape (f, 4, 4)
        What the search found: for pay, and against a twin by coalitions of the sizes `SEARCHED`;
        the harm, identities beyond the first ones, their means (see `trilemma.search.Value`), and
        what the last tenth of the evaluations gained.
    """

    sybil_pay: FloatArray
    sybil_fair: FloatArray
    sybil_rest: FloatArray
    sybil_distance: FloatArray
    sybil_extra: FloatArray
    clone_pay: FloatArray
    twin_pay: FloatArray
    twin_paid: FloatArray
    twin_extra: FloatArray
    coalition_fair: FloatArray
    concentration: FloatArray
    twin_fair: FloatArray
    paid: FloatArray
    distance: FloatArray
    tau: FloatArray
    unstaked: FloatArray
    relabelled: FloatArray
    equal_pay: FloatArray
    equal_paid: FloatArray
    equal_fair: FloatArray
    equal_honest: FloatArray
    sybil_uniform: FloatArray
    twin_uniform: FloatArray
    found_identities: FloatArray
    found: FloatArray


def stack(cells: Sequence[Cell]) -> Cell:
    """Join cells of one mechanism along a new leading axis of worlds."""
    return Cell(**{f.name: np.stack([getattr(c, f.name) for c in cells]) for f in fields(Cell)})


Part = dict[str, FloatArray]
Entrants = Mapping[str, tuple[Entrant, Sequence[Coalition]]]


def measure(
    source: Source,
    seed: int,
    suite: Suite,
    budget: Budget,
    xi: float,
    entrants: Mapping[str, tuple[Entrant, Sequence[Coalition]]],
) -> dict[str, tuple[Cell, list[Witnessed]]]:
    """Make every play of the suite in one world against every mechanism, then search for worse.

    Parameters
    ----------
    source : Source
    seed : int
        Of the world.
    suite : Suite
    budget : Budget
        Gives the attacker's stake shares, and what the search may spend.
    xi : float
        The validators' part of all pay.
    entrants : mapping of label to (Entrant, coalitions)

    Returns
    -------
    dict of str to (Cell, list of Witnessed)
        By label, with what the search found. A mechanism that failed is missing, and its entrant
        says why.
    """
    sybil, twin = source.sybil(seed), source.twin(seed)
    attacked = _measure_sybil(sybil, suite.sybil, budget, xi, entrants)
    cloned = _measure_clones(sybil, suite, budget, xi, entrants)
    test = TwinTest.of(twin)
    cut = _measure_twins(test, suite.neutrality, xi, entrants)
    equal = _measure_equal(twin, suite.neutrality, xi, entrants)
    adversary = Adversary(sybil, test, suite.sybil, suite.neutrality, budget, xi)
    found = _search(adversary, entrants, attacked, cut)
    for entrant, _ in entrants.values():
        entrant.confirm()
    through = [label for label, (entrant, _) in entrants.items() if entrant.failure is None]
    uniform = {"sybil_uniform": _uniform(sybil), "twin_uniform": _uniform(twin)}
    cells = {
        label: Cell(
            **attacked[label],
            clone_pay=cloned[label],
            **cut[label],
            **equal[label],
            **uniform,
            **_tabled(found[label]),
        )
        for label in through
    }
    return {label: (cell, found[label]) for label, cell in cells.items()}


def _search(
    adversary: Adversary, entrants: Entrants, attacked: Mapping[str, Part], cut: Mapping[str, Part]
) -> dict[str, list[Witnessed]]:
    if adversary.budget.evaluations == 0:
        return {label: [] for label in entrants}
    return {
        label: adversary.against(entrant, coalitions, {**attacked[label], **cut[label]})
        for label, (entrant, coalitions) in entrants.items()
        if entrant.failure is None
    }


def _tabled(found: Sequence[Witnessed]) -> Part:
    rows = [[*one.found.value, one.found.late] for one in found]
    aims = 1 + len(SEARCHED)
    return {
        "found": np.array(rows, np.float64).reshape(-1, aims, len(Value._fields) + 1),
        "found_identities": np.array([one.identities for one in found[::aims]], np.float64),
    }


EQUAL = {
    "equal_pay": "twin_pay",
    "equal_paid": "twin_paid",
    "equal_fair": "twin_fair",
    "equal_honest": "paid",
}


def _measure_equal(
    world: World, plays: Sequence[Play], xi: float, entrants: Entrants
) -> dict[str, Part]:
    """Repeat the twin test with verified identities and stake equal."""
    test = TwinTest.of(changed(world, stake=np.full(world.stake.size, 1 / world.stake.size)))
    alone = [play for play in plays if play.identities == 1]
    largest = {label: (entrant, by_stake()) for label, (entrant, _) in entrants.items()}
    found = _measure_twins(test, alone, xi, largest)
    return {
        label: {name: part[source] for name, source in EQUAL.items()}
        for label, part in found.items()
    }


def _measure_sybil(
    world: World,
    plays: Sequence[Play],
    budget: Budget,
    xi: float,
    entrants: Entrants,
) -> dict[str, Part]:
    shape = (len(plays), len(budget.stakes))
    parts: dict[str, Part] = {label: {} for label in entrants}
    for part in parts.values():
        part.update(
            {f"sybil_{name}": np.zeros(shape) for name in ("pay", "fair", "rest", "distance")}
        )
        part["sybil_extra"] = np.zeros(len(plays))
    for baseline in dict.fromkeys(play.baseline for play in plays):
        scene = Scene.of(baseline(world))
        judged = [p for p, play in enumerate(plays) if play.baseline is baseline]
        epochs = scene.at(budget.stakes)
        for label, (entrant, _) in entrants.items():
            if pays := entrant.pays(epochs, twice=True):
                pay = Pay.together(pays)
                parts[label]["sybil_fair"][judged] = fair = scene.own(pay, xi)
                parts[label]["sybil_rest"][judged] = pay.total(xi) - fair
    for p, play in enumerate(plays):
        attacked = play.act(world)
        extra = _extra(world, attacked)
        scene = Scene.of(attacked)
        epochs = scene.at(budget.stakes)
        for label, (entrant, _) in entrants.items():
            if pays := entrant.pays(epochs):
                pay = Pay.together(pays)
                parts[label]["sybil_pay"][p] = scene.own(pay, xi)
                parts[label]["sybil_distance"][p] = scene.distance(pay)
                parts[label]["sybil_extra"][p] = extra
    return parts


def _measure_clones(
    world: World, suite: Suite, budget: Budget, xi: float, entrants: Entrants
) -> dict[str, FloatArray]:
    """Repeat the largest clonings where validators see through fewer of them."""
    plays = [suite.sybil[place] for place in suite.clonings]
    shape = (len(CLONE_DETECTION), len(plays), len(budget.stakes))
    pays = {label: np.zeros(shape) for label in entrants}
    draw = np.random.default_rng([world.seed, 2]).random(world.stake.size)
    for d, chance in enumerate(CLONE_DETECTION):
        blinder = changed(world, sees_clones=draw < chance)
        for k, play in enumerate(plays):
            scene = Scene.of(play.act(blinder))
            epochs = scene.at(budget.stakes)
            for label, (entrant, _) in entrants.items():
                if paid := entrant.pays(epochs):
                    pays[label][d, k] = scene.own(Pay.together(paid), xi)
    return pays


def _measure_twins(
    test: TwinTest,
    plays: Sequence[Play],
    xi: float,
    entrants: Entrants,
) -> dict[str, Part]:
    scenes = test.honest()
    parts: dict[str, Part] = {}
    for label, (entrant, coalitions) in entrants.items():
        if pays := entrant.pays([scene.epoch for scene in scenes], twice=True):
            parts[label] = _when_honest(test, scenes, pays, entrant, coalitions, xi)
            parts[label].update(_blank(len(coalitions), len(plays)))
    for coalition in dict.fromkeys(c for _, coalitions in entrants.values() for c in coalitions):
        insiders = test.by(coalition)
        for q, play in enumerate(plays):
            attacked = insiders.attacked(play)
            extra = attacked[0].epoch.stake.size - scenes[0].epoch.stake.size
            for label, (entrant, coalitions) in entrants.items():
                if coalition in coalitions and (done := outcome(entrant, attacked, xi)):
                    at = coalitions.index(coalition), q
                    parts[label]["twin_pay"][at] = done.twins
                    parts[label]["twin_paid"][at] = done.paid
                    parts[label]["twin_extra"][at] = extra
    return parts


def _blank(coalitions: int, plays: int) -> Part:
    shape = (coalitions, plays)
    blank = {f"twin_{name}": np.zeros(shape) for name in ("paid", "extra")}
    return {**blank, "twin_pay": np.zeros((*shape, 2))}


def _when_honest(
    test: TwinTest,
    scenes: Sequence[Scene],
    pays: Sequence[Pay],
    entrant: Entrant,
    coalitions: Sequence[Coalition],
    xi: float,
) -> Part:
    world, scene, pay = test.pair[0], scenes[0], pays[0]
    done = outcome_of(pays, scenes, xi)
    stake = scene.epoch.stake / scene.epoch.stake.sum()
    insiders = [test.by(c).pair[0].own_validators for c in coalitions]
    fair = [
        xi
        * np.mean(
            [p.validators[s.validators[own]].sum() for p, s in zip(pays, scenes, strict=True)]
        )
        for own in insiders
    ]
    return {
        "coalition_fair": np.array(fair),
        "concentration": np.array(astuple(concentration(_by_principal(world, scene, pay, xi)))),
        "twin_fair": done.twins.mean(),
        "paid": done.paid,
        "distance": np.mean([s.distance(p) for p, s in zip(pays, scenes, strict=True)]),
        "tau": np.asarray(kendall_tau(pay.miners, scene.quality)),
        "unstaked": np.asarray(0.5 * np.abs(pay.validators - stake).sum()),
        "relabelled": np.asarray(_label_effect(world, scene, pay, entrant)),
    }


def _by_principal(world: World, scene: Scene, pay: Pay, xi: float) -> FloatArray:
    """Return what each principal earns in both pools."""
    parts = (
        (world.validator_owner, xi * pay.validators[scene.validators]),
        (world.miner_owner, (1 - xi) * pay.miners[scene.miners]),
    )
    count = 1 + max(int(owner.max()) for owner, _ in parts)
    earned_by = [np.bincount(owner, earned, count) for owner, earned in parts]
    return np.asarray(earned_by[0] + earned_by[1])


def _label_effect(world: World, scene: Scene, pay: Pay, entrant: Entrant) -> float:
    other = Scene.of(changed(world, seed=world.seed + 1))
    again = entrant.pay(other.epoch)
    if again is None:
        return 0.0
    validators = pay.validators[scene.validators] - again.validators[other.validators]
    miners = pay.miners[scene.miners] - again.miners[other.miners]
    return float(max(np.abs(validators).max(), np.abs(miners).max()))


def _extra(before: World, after: World) -> int:
    n, m = before.weights.shape
    validators, miners = after.weights.shape
    return int(validators - n + miners - m)


def _uniform(world: World) -> FloatArray:
    return np.asarray(0.5 * np.abs(1 / world.quality.size - world.quality).sum())
