from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.mutation.kept import Kept
from benchmarks.mutation.kill import IMPORT, STILLBORN
from benchmarks.mutation.mutants import mutants
from benchmarks.mutation.page import Page, Reason, reasons
from benchmarks.mutation.running import ENDLESS, Kit
from benchmarks.mutation.scope import ROOT, SCOPE, mutants_of
from trilemma.profiles import Profile

SOURCE = '''
LIMIT = 1

def share(amounts, floor=0):
    """Return 1 share each."""
    if floor < 0 or not amounts:
        raise ValueError(f"{floor + 1} of {amounts}")
    total = min(sum(amounts), LIMIT)
    total -= amounts[floor + 1] if floor == 1 else 0
    return [it * total for it in amounts], amounts[0]
'''
TEXTS = [
    "floor < 0 or not amounts -> floor < 0 and (not amounts)",
    "floor < 0 -> floor <= 0",
    "not amounts -> amounts",
    "min(sum(amounts), LIMIT) -> max(sum(amounts), LIMIT)",
    "total -= amounts[floor + 1] if floor == 1 else 0"
    " -> total += amounts[floor + 1] if floor == 1 else 0",
    "floor == 1 -> floor != 1",
    "it * total -> it / total",
]
CONTROLS = SCOPE[0]
SOUND = (ROOT / CONTROLS.path).read_text()


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    return Kit(tmp_path_factory.mktemp("kit"), [CONTROLS], Profile(20, same=True), seconds=2)


def test_every_operator_of_a_function_is_changed_once_and_in_order() -> None:
    found = [it.text for it in mutants("it.py", SOURCE)]
    assert found == [f"it.py, share: {text}" for text in TEXTS]


def test_a_mutant_differs_from_the_source_where_it_says() -> None:
    for mutant in mutants("it.py", SOURCE):
        pairs = enumerate(zip(SOURCE.splitlines(), mutant.source.splitlines(), strict=True), 1)
        [(line, (before, after))] = [(line, pair) for line, pair in pairs if pair[0] != pair[1]]
        assert line == mutant.line
        assert mutant.before in before
        assert mutant.after in after


def test_a_mutant_computes_something_else() -> None:
    answers = []
    for mutant in mutants("it.py", SOURCE):
        room: dict[str, object] = {}
        exec(mutant.source, room)
        answers.append(eval("share([0.25, 0.5])", room) if mutant.after.startswith("max") else None)
    assert [it for it in answers if it] == [([0.25, 0.5], 0.25)]


def test_functions_that_are_spared_have_no_mutants() -> None:
    assert list(mutants("it.py", SOURCE, ("share",))) == []


def test_no_two_mutants_that_are_tried_have_the_same_text() -> None:
    texts = [mutant.text for _, mutant in mutants_of()]
    assert len(set(texts)) == len(texts) >= 60


def test_the_kit_spares_a_source_without_fault(kit: Kit) -> None:
    assert kit.kills(CONTROLS, SOUND) is None


def fault(before: str, after: str) -> str:
    assert SOUND.count(before) == 1
    return SOUND.replace(before, after)


@pytest.mark.parametrize(
    ("before", "after", "killer"),
    [
        ("1 / miners)", "1 * miners)", "no_overpayment of uniform"),
        ("epoch.stake @", "epoch.stake**2 @", "degenerate of stake_weighted"),
        ("BY_STAKE = frozenset(", "BY_STAKE = int(", IMPORT),
        ("miners = epoch.weights.shape[1]", "while True: pass", ENDLESS),
    ],
)  # fmt: skip
def test_the_kit_kills_a_faulty_source(kit: Kit, before: str, after: str, killer: str) -> None:
    assert kit.kills(CONTROLS, fault(before, after)) == killer


def test_what_was_found_is_kept_until_the_sources_change(tmp_path: Path) -> None:
    place = tmp_path / "new" / "kept.json"
    for text, outcome in (("one", None), ("two", "unanimity of it")):
        Kept(place)[text] = outcome
    assert Kept(place) == {"one": None, "two": "unanimity of it"}
    place.write_text(place.read_text().replace('"code": "', '"code": "0'))
    assert Kept(place) == {}


# --- the page ------------------------------------------------------------------------------------

FOUND = list(mutants("it.py", SOURCE))
KILLED, ALIVE, UNBORN = FOUND[:3]


def page(explained: dict[str, Reason]) -> Page:
    return Page([(KILLED, "unanimity of it"), (ALIVE, None), (UNBORN, STILLBORN)], explained)


def test_the_page_names_what_kills_a_mutant_and_why_another_survives() -> None:
    text = str(page({ALIVE.text: Reason("equivalent", "Nothing is below 0.")}))
    assert "| 6 | `share` | `floor < 0 or not amounts` → `floor < 0 and (not amounts)` |" in text
    assert "| unanimity of it |" in text
    assert (
        "| all | 2 | 1 | 50% | 1 | 0 | 0 | 100% |" in text
    )  # what does not compile is not counted
    assert "changes no answer. Nothing is below 0." in text


def test_a_survivor_without_explanation_is_complained_about_and_marked() -> None:
    assert page({}).complaints == [f"not explained: {ALIVE.text}"]
    assert "**Not explained.**" in str(page({}))


def test_an_explanation_of_what_does_not_survive_is_complained_about() -> None:
    why = Reason("hole", "Nobody looks.")
    found = page({ALIVE.text: why, KILLED.text: why, "it.py, gone: 0 -> 1": why}).complaints
    assert found == [
        f"explained, but killed: {KILLED.text}",
        "explained, but not tried: it.py, gone: 0 -> 1",
    ]


def test_every_explanation_is_of_a_mutant_that_is_tried() -> None:
    assert set(reasons()) <= {mutant.text for _, mutant in mutants_of()}


def test_a_mutant_that_is_explained_twice_is_refused(tmp_path: Path) -> None:
    entry = '[[survivor]]\nkind = "hole"\nbecause = "So."\nmutants = ["it"]\n'
    file = tmp_path / "survivors.toml"
    file.write_text(entry * 2)
    with pytest.raises(ValueError, match="explained twice: it"):
        reasons(file)
