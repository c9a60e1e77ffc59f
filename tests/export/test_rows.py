"""Rows of a run for other tools: they are the run's own numbers, and lazy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.export.reading import ATTACK, BUDGET, LABELS, QUESTION, WORLD, WORLDS, damage, edited
from tests.kept_cells import changed
from trilemma.compare import compare
from trilemma.errors import DataError, PluginError, UsageError
from trilemma.export import (
    CellRow,
    cells,
    scores,
)
from trilemma.kept import Kept, packed, unpacked
from trilemma.model import World
from trilemma.report import Report
from trilemma.report.model import Row, Side
from trilemma.resume import status
from trilemma.retention import retention_map
from trilemma.sides import Experiment
from trilemma.store import Store

# --- the scores are the report's -----------------------------------------------------------------


def sides(report: Report) -> Iterator[tuple[Row, str, Side]]:
    for row, side in product(report.rows, ("verified", "free")):
        yield row, side, getattr(row, side)


def test_every_score_is_the_reports_with_its_interval(asked: tuple[Path, Report]) -> None:
    run, report = asked
    names = ("sybil_resistance", "neutrality", "quality", "quality_attacked", "minimum")
    expected = [
        (row.label, side, told.identities, name, it.value, it.low, it.high)
        for row, side, told in sides(report)
        for name in names
        for it in [getattr(told, name)]
    ]
    assert [row[:-1] for row in scores(run)] == expected
    assert len(expected) == 3 * 2 * 5


def test_the_worst_plays_are_the_reports(asked: tuple[Path, Report]) -> None:
    run, report = asked
    worst = [row.worst_play for row in scores(run) if row.worst_play is not None]
    assert worst == [play for _, _, told in sides(report) for play in told.worst_plays]


def test_scores_are_those_of_report_json(finished: Path) -> None:
    told = {
        it["label"]: it for it in json.loads((finished / "report.json").read_text())["mechanisms"]
    }
    for row in scores(finished):
        found = told[row.mechanism][row.side][row.score]
        assert row.value == (found if row.score == "minimum" else found["value"])


# --- the cells are what scores are made of -------------------------------------------------------


def test_there_is_a_row_for_every_mechanism_world_play_and_share_or_coalition(
    asked: tuple[Path, Report],
) -> None:
    run, report = asked
    rows = list(cells(run))
    pay = {(row.attack, row.play) for row in rows if row.aim == "pay"}
    twin = {(row.attack, row.play) for row in rows if row.aim == "twin"}
    with Kept(run) as kept:
        keys = [key for key, _ in cells(run).there.values()]
        coalitions = [len(kept.load_coalitions(key) or ()) for key in keys]
    tried = [len(pay) * len(BUDGET.stakes) + len(twin) * it for it in coalitions]
    assert len(rows) == WORLDS * sum(tried)
    assert len({row[:10] for row in rows}) == len(rows)
    assert {row.mechanism for row in rows} == {row.label for row in report.rows}
    assert {row.world for row in rows} == set(range(WORLDS))
    assert cells(run).missing == 0


def test_every_number_is_that_of_the_cell(finished: Path) -> None:
    label, world = "quadratic(power=0.25)", 2
    [key] = [key for it, (key, _) in cells(finished).there.items() if it == label]
    with Kept(finished) as kept:
        cell = kept.load(key, world)
    assert cell is not None
    rows = iter(cells(finished, mechanism=label, world=world))

    def number(name: str, *place: int) -> float:
        return float(getattr(cell, name)[place])

    for at in np.ndindex(cell.sybil_pay.shape):
        row = next(rows)
        for name in ("pay", "fair", "rest", "distance"):
            assert getattr(row, name) == number(f"sybil_{name}", *at)
        assert row.extra == number("sybil_extra", at[0])
        assert row.uniform == number("sybil_uniform")
    for at in np.ndindex(cell.twin_paid.shape):
        row = next(rows)
        assert row.target == number("twin_pay", *at, 0)
        assert row.other == number("twin_pay", *at, 1)
        assert row.twin == number("twin_fair")
        assert row.fair == number("coalition_fair", at[0])
        assert row.paid == number("twin_paid", *at)
        assert row.paid_honest == number("paid")
        assert row.extra == number("twin_extra", *at)
    assert next(rows, None) is None


def mean(rows: Sequence[CellRow], name: str, by: str) -> dict[tuple[Any, ...], float]:
    """Return the mean over worlds of one number, by play and stake share or coalition."""
    sums: dict[tuple[Any, ...], float] = {}
    for row in rows:
        at = row.attack, row.play, getattr(row, by)
        sums[at] = sums.get(at, 0.0) + getattr(row, name) / WORLDS
    return sums


def chosen(rows: Sequence[CellRow], label: str, aim: str, identities: int) -> list[CellRow]:
    return [
        row
        for row in rows
        if (row.mechanism, row.aim) == (label, aim) and row.identities <= identities
    ]


def test_sybil_resistance_and_its_worst_play_follow_from_the_rows(
    asked: tuple[Path, Report],
) -> None:
    run, report = asked
    every = list(cells(run))
    for row, _, told in sides(report):
        rows = chosen(every, row.label, "pay", told.identities)
        pay, fair, rest = (mean(rows, name, "stake") for name in ("pay", "fair", "rest"))
        taken = {at: (pay[at] - fair[at]) / rest[at] for at in pay if rest[at] > 0}
        most = max(taken, key=lambda at: taken[at])
        assert told.sybil_resistance.value == pytest.approx(1 - min(max(taken[most], 0), 1))
        if told.worst_sybil_play != "none":
            name = "{}: {}, stake {:.2f}".format(*most)
            assert taken[most] == pytest.approx(max(taken.values()))
            assert told.worst_sybil_play == name


def test_the_quality_under_attack_follows_from_the_rows(asked: tuple[Path, Report]) -> None:
    run, report = asked
    every = list(cells(run))
    for row, _, told in sides(report):
        rows = chosen(every, row.label, "pay", told.identities)
        distance, uniform = (mean(rows, name, "stake") for name in ("distance", "uniform"))
        lowest = min(1 - min(distance[at] / uniform[at], 1) for at in distance)
        expected = min(told.quality.value, lowest)
        assert told.quality_attacked.value == pytest.approx(expected, abs=1e-12)


def test_how_far_a_coalition_cuts_off_follows_from_the_rows(asked: tuple[Path, Report]) -> None:
    run, report = asked
    every = list(cells(run))
    for row, _, told in sides(report):
        rows = chosen(every, row.label, "twin", told.identities)
        lost = [it._replace(other=loss(it)) for it in rows]
        cut, paid, honest = (mean(lost, it, "coalition") for it in ("other", "paid", "paid_honest"))
        size = {it.coalition: it.insiders for it in rows}
        harm = {at: min(max(cut[at], 1 - paid[at] / honest[at], 0), 1) for at in cut}
        for most, worst in told.cutoff:
            within = [harm[at] for at in harm if (size[at[2]] or 0) <= most]
            assert worst == pytest.approx(max(within), abs=1e-12)


def loss(row: CellRow) -> float:
    """Return what the target loses against its twin."""
    assert row.target is not None
    assert row.other is not None
    assert row.twin is not None
    reference = min(row.other, row.twin)
    return min(max(1 - row.target / reference, 0), 1) if reference > 0 else 0.0


def test_ranks_are_counted_from_one_as_in_the_report(finished: Path) -> None:
    row = next(row for row in cells(finished) if row.insiders == 3)
    assert row.coalition == "1, 2, 3"


@pytest.mark.parametrize(
    "wanted",
    [
        {"mechanism": "dictator"},
        {"world": 1},
        {"attack": "misreporting"},
        {"attack": "censorship"},
        {"mechanism": "stake_weighted", "world": 2, "attack": "fake_miners"},
    ],
    ids=str,
)
def test_what_is_chosen_is_what_the_others_leave(finished: Path, wanted: dict[str, Any]) -> None:
    expected = [
        row
        for row in cells(finished)
        if all(getattr(row, name) == it for name, it in wanted.items())
    ]
    assert list(cells(finished, **wanted)) == expected
    assert expected


def test_columns_are_the_rows(finished: Path) -> None:
    table = cells(finished)
    assert [row for it in table.blocks() for row in it.rows()] == list(table)
    assert [it.aim for it in table.blocks("twin")] == ["twin"] * len(LABELS) * WORLDS
    for it in table.blocks("pay"):
        assert {len(column) for column in it.columns.values()} == {len(list(it.rows()))}


def test_row_i_of_a_block_is_the_same_play_in_every_world(finished: Path) -> None:
    for label, aim in product(LABELS, ("pay", "twin")):
        found = list(cells(finished, mechanism=label).blocks(aim))
        plays = [[(row.attack, row.play, row[7:10]) for row in it.rows()] for it in found]
        assert plays[0] == plays[1] == plays[2]


def test_worlds_of_a_program_of_its_own_have_cells_too(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Own:
        knows_quality = True
        clone_detection = 0.9

        def sybil(self, seed: int) -> World:
            return WORLD.sybil(seed)

        def twin(self, seed: int) -> World:
            return WORLD.twin(seed)

        def describe(self) -> dict[str, object]:
            return {"of": "my own"}

    compare(["uniform"], out=tmp_path / "own", **{**QUESTION, "world": Own()})
    compare(["uniform"], out=tmp_path / "preset", **QUESTION)
    assert list(cells(tmp_path / "own")) == list(cells(tmp_path / "preset"))


# --- rows are lazy -------------------------------------------------------------------------------


def test_a_cell_is_read_when_its_rows_are_asked_for(run: Path) -> None:
    damage(run, "dictator", WORLDS - 1)
    rows = iter(cells(run))
    assert next(rows).mechanism == LABELS[0]
    with pytest.raises(DataError, match=r"damaged; trilemma resume .* computes it again"):
        list(rows)
    assert len(list(cells(run, mechanism=LABELS[1]))) > 0


def test_lost_coalitions_are_damage_as_well(run: Path) -> None:
    with changed(run) as database:
        database.execute("DELETE FROM kept WHERE name = 'coalitions'")
    with pytest.raises(DataError, match="damaged"):
        list(cells(run))


# --- runs that are not finished, or not to be written to -----------------------------------------


def test_an_unfinished_run_has_cells_and_no_scores(run: Path) -> None:
    every = list(cells(run))
    for name in ("report.json", "report.html"):
        (run / name).unlink()
    with changed(run) as database:
        database.execute("DELETE FROM kept WHERE mechanism LIKE 'dictator %' AND name = '1'")
    assert status(run).state == "stopped"
    table = cells(run)
    assert list(table) == [row for row in every if (row.mechanism, row.world) != ("dictator", 1)]
    assert table.missing == 1
    assert cells(run, world=1).missing == 1
    assert cells(run, world=0).missing == 0
    assert cells(run, mechanism="stake_weighted").missing == 0
    with pytest.raises(DataError, match=r"not finished, .* trilemma resume"):
        scores(run)


def test_cells_are_those_that_were_there_when_it_was_asked(run: Path) -> None:
    asked = json.loads((run / "run.json").read_text())
    del asked["format"]
    before = cells(run)
    expected = list(before)
    store = Store(run, {**asked, "worlds": 4}, ())
    try:
        key, _ = before.there["dictator"]
        cell = store.load(key, 0)
        assert cell is not None
        store._database.execute("BEGIN IMMEDIATE")  # as in the midst of a commit
        assert list(before) == expected
        store._database.rollback()
        store.save(WORLDS, {key: (cell, ())})
        assert list(before) == expected
        now = cells(run)
        assert len(list(now)) - len(expected) == sum(row[:2] == ("dictator", 0) for row in expected)
        assert now.missing == 2
    finally:
        store.close()


def test_where_nothing_can_be_written_rows_are_read(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, before = list(cells(run)), sorted(run.rglob("*"))
    monkeypatch.setattr("os.access", lambda *_: False)
    assert list(cells(run)) == expected
    assert sorted(run.rglob("*")) == before


# --- what is no such run -------------------------------------------------------------------------


@pytest.mark.parametrize("read", [scores, cells])
def test_a_folder_without_a_run_is_said(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match=r"no run\.json in it; expected the folder of a run"):
            read(folder)


def test_an_older_run_says_the_way_out_and_still_has_scores(run: Path) -> None:
    expected = list(scores(run))
    edited(run, format=1)
    with pytest.raises(DataError, match="kept in format 1, and this program reads 2"):
        cells(run)
    assert list(scores(run)) == expected


def test_the_run_of_a_map_has_no_cells_of_plays(tmp_path: Path) -> None:
    experiment = Experiment(validators=6, miners=8)
    retention_map(["uniform"], experiment=experiment, seeds=1, out=tmp_path)
    with pytest.raises(
        DataError, match="not of a comparison; expected the folder of trilemma comp"
    ):
        cells(tmp_path)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"mechanism": "dictater"}, r"no mechanism is called 'dictater'; did you mean 'dictator'"),
        ({"mechanism": "yuma"}, r"in this run are stake_weighted, quadratic\(power=0.25\), dict"),
        ({"attack": "censor"}, r"no attack is called 'censor'; did you mean 'censorship'"),
        ({"world": 3}, "no world is 3; this run has 0 to 2"),
        ({"world": -1}, "no world is -1; this run has 0 to 2"),
    ],
    ids=str,
)
def test_what_is_not_in_the_run_is_refused(
    finished: Path, wanted: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        cells(finished, **wanted)


@pytest.mark.parametrize("spoil", ["[]", "{}", '{"mechanisms": [{}]}', '{"mechanisms": 3}'])
def test_a_report_that_is_none_is_said(run: Path, spoil: str) -> None:
    (run / "report.json").write_text(spoil)
    with pytest.raises(DataError, match=r"report\.json"):
        scores(run)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "a", [1]])
def test_a_score_that_is_no_number_is_refused(run: Path, value: Any) -> None:
    told = json.loads((run / "report.json").read_text())
    told["mechanisms"][0]["free"]["quality"]["low"] = value
    (run / "report.json").write_text(json.dumps(told))
    with pytest.raises(DataError, match=r"report\.json is not of this program"):
        scores(run)


# --- attacks know what plays are called ----------------------------------------------------------


def test_an_attack_of_ones_own_is_found_where_it_was_asked_for(own: Path) -> None:
    rows = list(cells(own, attack="quiet"))
    assert [(row.play, row.stake) for row in rows] == [("at all", it) for it in BUDGET.stakes]
    assert Path.cwd().name == "elsewhere"


def test_an_attack_that_is_gone_is_said(own: Path) -> None:
    edited(own, attacks={"./gone.py:quiet": "0"})
    with pytest.raises(PluginError, match=r"its attack \./gone\.py:quiet cannot be loaded .*gone"):
        cells(own)


def test_an_attack_that_has_changed_is_refused(own: Path) -> None:
    (own.parent / "mine.py").write_text(ATTACK.format("another"))
    with pytest.raises(DataError, match=r"the code of its attack \./mine\.py:quiet has changed"):
        cells(own)


def test_cells_of_other_plays_are_refused(run: Path) -> None:
    told = json.loads((run / "run.json").read_text())["attacks"]
    del told["fake_miners"]
    edited(run, attacks=told)
    with pytest.raises(DataError, match="is of other plays than its attacks make now"):
        list(cells(run))


# --- what is kept is unpacked --------------------------------------------------------------------


def test_arrays_come_back_as_they_were_all_or_some() -> None:
    arrays = {
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "nothing": np.zeros((0, 4)),
        "text": np.array("ü"),
        "number": np.array(3),
    }
    found = unpacked(packed(arrays))
    assert found is not None
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)
    assert unpacked(packed(arrays), ["number"]) == {"number": 3}
    assert unpacked(packed(arrays), ["number", "gone"]) is None


@pytest.mark.parametrize("kind", [object, [("a", object), ("b", float)]], ids=str)
def test_what_would_be_addresses_is_not_unpacked(kind: Any) -> None:
    assert unpacked(packed({"a": np.zeros(2, kind)})) is None
