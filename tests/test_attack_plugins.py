"""Strangers' attacks: how they come in, what they may do, and what becomes of those that cheat."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.data import ROOT
from tests.test_packaging import SMALL, built, ran
from trilemma import Budget, Play, PluginError, Preset, Report, UsageError, World, compare, registry
from trilemma.attacks import moves
from trilemma.cli import app
from trilemma.model import Attack, Epoch, FloatArray
from trilemma.twins import scripted
from trilemma.worlds import world_seed

PAGE = (ROOT / "docs/how-to/attack.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
WORLD = Preset("pareto(1.2)", validators=5, miners=6)
BUDGET = Budget(stake=0.05, identities=2, evaluations=0)
PAIR = ("stake_weighted", "uniform")

Act = Callable[[World], Any]


def small(*attacks: str | Attack, **asked: Any) -> Report:
    known = {"world": WORLD, "worlds": 1, "budget": BUDGET, "workers": 1}
    return compare(PAIR, attacks=attacks, **{**known, **asked})


@pytest.fixture(scope="module")
def alone() -> Report:
    return small()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_found", {})
    (tmp_path / "flattery.py").write_text(CODE[0])
    (tmp_path / "crowds.py").write_text(CODE[1])
    return tmp_path


def command(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


# --- how they come in ----------------------------------------------------------------------------


def test_the_page_begins_with_a_whole_plugin_whose_plays_are_tried(alone: Report) -> None:
    specs = ("./flattery.py:flattery", "./crowds.py:crowds")
    report = small(*specs)
    assert not report.failures
    assert report.attacks == (*alone.attacks, *specs)
    assert json.loads(report.to_json())["attacks"] == list(report.attacks)
    coalitions = len(scripted(WORLD.twin(world_seed(0, 0))))
    assert report.plays == alone.plays + 2 * len(BUDGET.stakes) + coalitions


def test_the_command_line_takes_attacks_as_often_as_they_are_given() -> None:
    flags = ("--attack", "./flattery.py:flattery", "--attack", "./crowds.py:crowds")
    code, out, err = command("compare", "yuma", *SMALL, *flags, "--json", "-")
    assert (code, err) == (0, "")
    assert json.loads(out)["attacks"][-2:] == list(flags[1::2])


def test_a_rule_that_only_a_strangers_play_can_farm_is_farmed_and_the_play_named() -> None:
    def bought(epoch: Epoch) -> FloatArray:
        """Pay those whose tokens are bought, or else everybody alike."""
        price = (
            epoch.flows.clip(0).sum(axis=0) if epoch.flows.any() else np.ones(epoch.flows.shape[1])
        )
        return np.asarray(price / price.sum() if price.any() else price)

    def buy(world: World) -> World:
        flows = np.zeros(world.weights.shape)
        flows[np.ix_(world.own_validators, world.own_miners)] = 1
        return replace(world, flows=flows)

    def shopping(_: Budget) -> Iterator[Play]:
        yield Play("shopping", "own tokens", buy)

    asked: dict[str, Any] = {"world": WORLD, "worlds": 2, "budget": Budget(0, 1, evaluations=0)}
    [before], [after] = (
        compare([bought], attacks=given, **asked).rows for given in (None, [shopping])
    )
    assert before.free.sybil_resistance.value == 1
    assert after.free.sybil_resistance.value == pytest.approx(1 - (1 - 1 / 6) / (2 - 1 / 6))
    assert after.free.worst_sybil_play == "shopping: own tokens, stake 0.00"


def test_every_registered_attack_is_listed_with_its_distribution() -> None:
    code, out, err = command("list", "--attacks")
    assert (code, err) == (0, "")
    lines = [line.split(maxsplit=3) for line in out.splitlines()]
    assert [line[0] for line in lines] == sorted(registry.load_attacks()[0])
    assert all(line[1] == "trilemma" and line[2][0].isdigit() and line[3] for line in lines)


def test_an_installed_attack_takes_part_by_default(tmp_path: Path) -> None:
    [pyproject] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    project, site = tmp_path / "project", tmp_path / "site"
    project.mkdir()
    (project / "pyproject.toml").write_text(pyproject)
    (tmp_path / "flattery.py").rename(project / "flattery.py")
    wheel = built(project, tmp_path / "dist")
    pip = ("-m", "pip", "install", "--no-deps", "--no-index", "--no-compile", "--quiet")
    ran(*pip, "--target", str(site), str(wheel), cwd=tmp_path)
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    listed = ran("-m", "trilemma", "list", "--attacks", cwd=tmp_path, PYTHONPATH=path)
    [line] = [line for line in listed.splitlines() if line.startswith("flattery ")]
    assert line.split(maxsplit=3)[1:3] == ["flattery", "1.0"]
    assert line.endswith("Self-dealing that hides behind praise for the best miner.")
    question = ("-m", "trilemma", "compare", "uniform", *SMALL, "--json", "-")
    report = json.loads(ran(*question, cwd=tmp_path, PYTHONPATH=path))
    assert "flattery" in report["attacks"]


def test_what_is_registered_and_given_is_tried_once(alone: Report) -> None:
    report = small("merges", "trilemma.attacks.merges:merges")
    assert report.attacks == alone.attacks
    assert report.to_json() == alone.to_json()


def test_an_attack_may_have_parameters() -> None:
    Path("tuned.py").write_text(
        "from dataclasses import dataclass\nfrom trilemma import Play\n"
        "from trilemma.attacks.moves import reverse\n\n@dataclass(frozen=True)\nclass Tuned:\n"
        "    name: str = 'one'\n    def __call__(self, budget):\n"
        "        yield Play('tuned', self.name, reverse)\n"
    )
    report = small("./tuned.py:Tuned", "./tuned.py:Tuned(name='two')")
    assert report.attacks[-2:] == ("./tuned.py:Tuned", "./tuned.py:Tuned(name='two')")
    assert not report.failures


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("mergs", "no attack is called 'mergs'; did you mean 'merges'?; see: trilemma list --att"),
        ("yuma", "no attack is called 'yuma'"),
        ("./flattery.py:flatery", "./flattery.py has no 'flatery'; did you mean 'flattery'?"),
    ],
)
def test_a_name_that_is_wrong_is_said_at_once(spec: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        small(spec)
    assert str(caught.value).startswith(said)
    assert command("compare", *SMALL, "--attack", spec)[0] == 2


def test_one_attack_is_no_list() -> None:
    with pytest.raises(UsageError, match="write \\['merges'\\]"):
        compare(PAIR, attacks="merges")


# --- adding can only lower -----------------------------------------------------------------------


@pytest.mark.parametrize("identities", [1, 5])
def test_more_attacks_never_raise_a_score(identities: int) -> None:
    def crowd(budget: Budget) -> Iterator[Play]:
        count = budget.identities  # 5: more than any built-in play of this budget uses
        copies = partial(moves.clone, count=count - 1)
        yield Play("crowd", "copies", copies, identities=count)
        yield Play("crowd", "accounts", partial(moves.split, parts=count), identities=count)

    budget = Budget(stake=0.2, identities=identities, evaluations=0)
    few, many = small(budget=budget), small("./flattery.py:flattery", crowd, budget=budget)
    assert len(many.attacks) == len(few.attacks) + 2
    for before, after in zip(few.rows, many.rows, strict=True):
        for side in ("verified", "free"):
            was, now = getattr(before, side), getattr(after, side)
            for score in ("sybil_resistance", "neutrality", "quality_attacked", "minimum"):
                assert getattr(now, score).value <= getattr(was, score).value + 1e-12, score
        swept = zip(after.clone_sweep, before.clone_sweep, strict=True)
        assert all(now <= was + 1e-12 for (_, now), (_, was) in swept)


# --- plays that break the rules ------------------------------------------------------------------


def changed(name: str, change: Callable[[World, Any], Any]) -> Act:
    """Return the play that changes a copy of one field; there are zeros where nobody acted."""

    def act(world: World) -> World:
        found = getattr(world, name)
        n, m = world.weights.shape
        blank = {"orders": (world.seats.size, m), "tenure": (n,)}.get(name, (n, m))
        array = np.zeros(blank) if found is None else np.array(found, float)
        return replace(world, **{name: change(world, array)})

    return act


def at(place: Any, value: float) -> Callable[[World, Any], Any]:
    def change(_: World, array: Any) -> Any:
        array[place] = value
        return array

    return change


def own(value: float) -> Callable[[World, Any], Any]:
    def change(world: World, array: Any) -> Any:
        array[world.own_validators] = value
        return array

    return change


def fails(_: World) -> World:
    raise KeyError("two\nlines")


def leaves(_: World) -> World:
    raise SystemExit(0)


def writes(world: World) -> World:
    world.weights[world.own_validators] = 0
    return world


def reordered(world: World) -> World:
    back = np.arange(world.stake.size)[::-1]
    parts = ("stake", "weights", "validator_owner", "sees_clones")
    return replace(world, **{name: getattr(world, name)[back] for name in parts})


def for_somebody_else(world: World) -> World:
    after = moves.fake(world, 1)
    return replace(after, miner_owner=np.append(world.miner_owner, 0))


def praised_by_all(world: World) -> World:
    everybody = replace(world, adversary=tuple(world.validator_owner))
    return replace(moves.praise_self(everybody, 0.5), adversary=world.adversary)


def seen_by_nobody(world: World) -> World:
    blind = replace(world, sees_clones=np.zeros_like(world.sees_clones))
    return replace(moves.clone(blind, 1), sees_clones=world.sees_clones)


def drawn(world: World) -> World:
    return moves.praise_self(world, np.random.default_rng().random())


CHEATS: dict[str, tuple[Act, str]] = {
    "raises": (fails, r"fails: KeyError: 'two\\nlines'"),
    "leaves": (leaves, "fails: SystemExit: 0"),
    "returns nothing": (lambda _: None, "returns NoneType; expected a World"),
    "returns an epoch": (World.epoch, "returns Epoch; expected a World"),
    "writes": (writes, "writes to the world it is given; expected another one"),
    "draws": (drawn, "gives two answers for one world"),
    "a row": (changed("weights", lambda _, it: it[0]), r"gives weights the shape \(6,\)"),
    "fewer miners": (changed("weights", lambda _, it: it[:, 1:]), r"the shape \(5, 5\); expected"),
    "a list": (changed("stake", lambda _, it: list(it)), "gives stake as list; expected an array"),
    "more stakes": (changed("stake", lambda _, it: np.append(it, 1)), r"gives stake the shape \(6"),
    "words": (changed("tenure", lambda _, it: it.astype(str)), "gives tenure as ndarray"),
    "NaN": (changed("weights", own(np.nan)), "shows what no protocol can: weights: expected fin"),
    "negative": (changed("weights", own(-1)), "weights: expected finite numbers, not negative"),
    "half a vote": (changed("votes", own(0.5)), "votes: expected -1, 0 or 1, got 0.5"),
    "before the first": (changed("tenure", own(-1)), "changes tenure of others"),
    "no quality": (changed("quality", at(0, np.nan)), "changes quality"),
    "better work": (changed("quality", at(-1, 1)), "changes quality"),
    "silences": (changed("weights", at(0, 0)), "changes weights of others"),
    "rewrites": (changed("weights", lambda _, it: it[:, ::-1]), "changes weights of others"),
    "is praised": (praised_by_all, "changes weights of others"),
    "fools all": (seen_by_nobody, "changes weights of others"),
    "blinds": (changed("sees_clones", lambda _, it: 0 * it), "changes sees_clones of others"),
    "robs": (changed("stake", at(0, 0)), "changes stake of others"),
    "prints money": (changed("stake", own(3)), "changes how much stake the adversary has"),
    "votes for others": (changed("votes", at(0, 1)), "changes votes of others"),
    "sells for others": (changed("flows", at(0, -1)), "changes flows of others"),
    "orders for others": (changed("orders", at(0, 1)), "changes orders of others"),
    "ages others": (changed("tenure", lambda _, it: it + 1), "changes tenure of others"),
    "takes seats": (lambda world: replace(world, seats=world.seats * 0 + 4), "changes seats"),
    "is everybody": (lambda world: replace(world, adversary=(0, 1, 4)), "changes adversary"),
    "picks twins": (lambda world: replace(world, twins=(0, 1)), "changes twins"),
    "picks the seed": (lambda world: replace(world, seed=1), "changes seed"),
    "reorders": (reordered, "changes validator_owner of who was there"),
    "for another": (for_somebody_else, "changes miner_owner to somebody else"),
    "is too many": (partial(moves.split, parts=2), r"uses 2 identities .* expected Play\(identit"),
}


@dataclass(frozen=True)
class Cheat:
    """An attack of these plays, or whatever it is instead; a text tells it from others."""

    told: str
    plays: Callable[[Budget], Any]

    def __call__(self, budget: Budget) -> Any:
        return self.plays(budget)


def one(act: Act, **given: Any) -> Callable[[Budget], Any]:
    return lambda _: [Play("cheat", "this", act, **given)]


def refused(alone: Report, attacks: Mapping[str, Callable[[Budget], Any]]) -> dict[str, str]:
    """Return why each of several attacks was left out, having seen that nothing else changed."""
    cheats = {name: Cheat(name, plays) for name, plays in attacks.items()}
    report = small(*cheats.values())
    assert report.to_json() == alone.to_json()
    found = {failure.label: failure.reason for failure in report.failures}
    assert len(found) == len(cheats)
    for label, reason in found.items():
        assert reason.startswith(label)
        assert reason.isprintable()
        assert f"{label} is missing: {reason}" in str(report)
    return {name: found[registry.label(cheat)] for name, cheat in cheats.items()}


@pytest.fixture(scope="module")
def told_to_one(alone: Report) -> dict[str, str]:
    return refused(alone, {name: one(act) for name, (act, _) in CHEATS.items()})


@pytest.mark.parametrize("name", CHEATS)
def test_a_play_that_breaks_a_rule_costs_its_attack_alone_and_is_told_why(
    told_to_one: dict[str, str], name: str
) -> None:
    reason = told_to_one[name]
    assert " the play cheat: this " in reason
    assert re.search(CHEATS[name][1], reason), reason


# The largest three of five are in the coalition.
JOINT = {"silences": changed("weights", at(-1, 0)), "robs": changed("stake", at(-1, 0))}
JOINT |= {name: CHEATS[name][0] for name in ("prints money", "takes seats", "writes")}


@pytest.fixture(scope="module")
def told_to_coalitions(alone: Report) -> dict[str, str]:
    return refused(alone, {name: one(act, aim="twin") for name, act in JOINT.items()})


@pytest.mark.parametrize("name", JOINT)
def test_a_coalition_is_bound_by_the_same_rules(
    told_to_coalitions: dict[str, str], name: str
) -> None:
    assert re.search(CHEATS[name][1], told_to_coalitions[name])


def test_what_a_play_is_judged_against_is_bound_too(alone: Report) -> None:
    given = one(moves.reverse, baseline=changed("stake", at(0, 0)))
    assert "this, baseline changes stake of others" in refused(alone, {"it": given})["it"]


def endless(_: Budget) -> Iterator[Play]:
    while True:
        yield Play("cheat", "this", moves.reverse)


FAMILIES: dict[str, tuple[Callable[[Budget], Any], str]] = {
    "nothing": (
        lambda _: None,
        "fails to enumerate its plays: TypeError: 'NoneType' object",
    ),
    "raises": (lambda _: 1 / 0, "fails to enumerate its plays: ZeroDivisionError"),
    "no plays": (lambda _: [moves.reverse], "yields reverse; expected a trilemma.Play"),
    "aims high": (
        lambda _: [Play("it", "aims", moves.reverse, aim="both")],
        "UsageError: play it: aims: aim must be 'pay' or 'twin', not 'both'",
    ),
    "endless": (endless, "makes more than 1000 plays"),
    "beyond": (
        lambda _: [Play("it", "is", moves.reverse, identities=3)],
        "whose identities must be in 1..2, not 3, as the budget has it",
    ),
    "nobody": (lambda _: [Play("it", "is", moves.reverse, 0)], "must be in 1..2, not 0"),
    "no act": (lambda _: [Play("it", "is", 5)], "with act 5; expected a function of worlds"),  # type: ignore[arg-type]
    "no text": (lambda _: [Play("it", 5, moves.reverse)], "expected two texts"),  # type: ignore[arg-type]
    "twice": (
        lambda _: [Play("it", "is", moves.reverse)] * 2,
        "it: is is taken by another",
    ),
    "taken": (
        lambda _: [Play("misreporting", "reversed report", moves.reverse)],
        "the name misreporting: reversed report is taken by another play of misreporting",
    ),
}


@pytest.fixture(scope="module")
def told_to_families(alone: Report) -> dict[str, str]:
    return refused(alone, {name: family for name, (family, _) in FAMILIES.items()})


@pytest.mark.parametrize("name", FAMILIES)
def test_an_attack_whose_plays_cannot_be_used_is_told_why(
    told_to_families: dict[str, str], name: str
) -> None:
    assert FAMILIES[name][1] in told_to_families[name]


def test_others_may_use_the_name_of_a_play_that_was_refused() -> None:
    def fair(_: Budget) -> Iterator[Play]:
        yield Play("cheat", "this", moves.reverse)

    cheat = Cheat("it", one(fails))
    report = small(cheat, fair)
    assert [failure.label for failure in report.failures] == [registry.label(cheat)]
    assert report.attacks[-1] == "fair"


def test_a_broken_attack_costs_the_exit_code_and_nobody_elses_numbers() -> None:
    question = ("compare", "uniform", *SMALL, "--json", "-")
    alone = command(*question)[1]
    Path("broken.py").write_text("import not_there\n")
    Path("rude.py").write_text("def rude(budget): return 5\n")
    for name in ("broken", "rude"):
        code, out, err = command(*question, "--attack", f"./{name}.py:{name}")
        assert (code, out) == (3, alone)
        assert err.startswith(f"trilemma: ./{name}.py")
        assert err.count("\n") == 1


def test_an_installed_attack_that_breaks_is_named_and_left_out(
    alone: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / "site/bad_dist-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-dist\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[trilemma.attacks]\nbad = bad_attack:bad\n")
    (tmp_path / "site/bad_attack.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path / "site")
    report = small()
    assert report.to_json() == alone.to_json()
    [failure] = report.failures
    assert failure.reason == (
        "bad (from bad-dist 1.0) fails to import: ZeroDivisionError: division by zero"
    )
    assert command("list", "--attacks")[0] == 3


def test_without_attacks_of_its_own_nothing_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load_attacks", lambda _=None: ({}, {}))
    with pytest.raises(PluginError, match=r"expected entry points in the group trilemma\.attacks"):
        small()


@dataclass(frozen=True)
class Late:
    """Fails in every world but the first."""

    seed: int

    def __call__(self, _: Budget) -> Iterator[Play]:
        yield Play("late", "now", self.act)

    def act(self, world: World) -> World:
        if world.seed != self.seed:
            raise ArithmeticError("of all places, here")
        return world


@pytest.mark.parametrize("workers", [1, 2])
def test_a_play_that_fails_in_a_later_world_ends_the_run_with_that_worlds_seed(
    workers: int,
) -> None:
    first, second = (world_seed(0, number) for number in range(2))
    with pytest.raises(PluginError) as caught:
        small(Late(first), worlds=2, workers=workers)
    assert re.search(
        rf"Late.*: the play late: now fails in the world of seed {second}; leave this attack out: "
        "ArithmeticError: of all places, here",
        str(caught.value),
    )


# --- folders -------------------------------------------------------------------------------------


def test_a_folder_says_which_attacks_it_was_made_with_and_is_not_mixed(tmp_path: Path) -> None:
    spec = "./flattery.py:flattery"
    small(out=tmp_path / "run")
    attacks = json.loads((tmp_path / "run/run.json").read_text())["attacks"]
    assert set(attacks) == set(registry.load_attacks()[0])
    with pytest.raises(UsageError, match=r"with attacks \{\}, not \{'\./flattery\.py:flattery'"):
        small(spec, out=tmp_path / "run")
    first = small(spec, out=tmp_path / "other")
    again = small(spec, out=tmp_path / "other")
    assert first.to_json() == again.to_json()
    assert again.calls == 0


def test_a_folder_is_not_continued_with_an_attack_that_was_changed(tmp_path: Path) -> None:
    small("./flattery.py:flattery", out=tmp_path / "run")
    (tmp_path / "flattery.py").write_text(CODE[0] + "\n# changed\n")
    with pytest.raises(UsageError, match=r"attacks \{'\./flattery.*\}, not \{'\./flattery.*\}; "):
        small("./flattery.py:flattery", out=tmp_path / "run")
