from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data import shared
from tests.importers.made import document, refused
from trilemma.importers import documents, paths, read


def test_every_voter_has_the_same_stake_and_gives_nothing_to_what_it_does_not_name(
    tmp_path: Path,
) -> None:
    votes = {
        "ann": {"allocations": {"x": 70, "y": 30}, "os_multiplier": 2},
        "bob": {"allocations": {}},
        "eve": {"allocations": {"y": 0.5, "z": 1}},
    }
    network = read([document(tmp_path, "votes.json", votes)])
    assert network.stake.tolist() == [[1, 1, 1]]
    assert network.stake.dtype == np.int64
    assert network.weights.tolist() == [[[70, 30, 0], [0, 0, 0], [0, 0.5, 1]]]
    assert network.validator_names == ("ann", "bob", "eve")
    assert network.miner_names == ("x", "y", "z")


def test_the_real_round_is_read_as_it_was_voted() -> None:
    path = shared("networks/optimism-rf4/rf4_votes.json")
    network = read([path])
    assert network.weights.shape == (1, 108, 16)
    np.testing.assert_allclose(network.weights.sum(axis=2), 100, atol=0.5)
    for voter, vote in json.loads(path.read_text()).items():
        row = network.weights[0, network.validator_names.index(voter)]
        for item, number in vote["allocations"].items():
            assert row[network.miner_names.index(item)] == number


@pytest.mark.parametrize(
    ("votes", "reason"),
    [
        ({"ann": {"allocations": {}}}, "no voter allocates anything"),
        ({"ann": {"allocations": {"x": 1}}, "bob": {}}, "voter 'bob' has no allocations; expected"),
        ({"ann": {"allocations": {"x": 1}}, "bob": 3}, "voter 'bob' has no allocations; expected"),
        ({"ann": {"allocations": [1]}}, "voter 'ann' has no allocations; expected an object"),
        ({"ann": {"allocations": {"x": "1"}}}, "voter 'ann' allocates str to 'x'; expected a num"),
        ({"ann": {"allocations": {"x": True}}}, "voter 'ann' allocates bool to 'x'"),
        ({"ann": {"allocations": {"x": None}}}, "voter 'ann' allocates NoneType to 'x'"),
        ({"ann": {"allocations": {"x": -1}}}, "weights: expected finite, not negative; got -1.0"),
    ],
)
def test_votes_that_are_none_are_refused(tmp_path: Path, votes: Any, reason: str) -> None:
    assert reason in refused(document(tmp_path, "votes.json", votes))


# --- JSON of any kind -----------------------------------------------------------------------------

VOTES = '{"ann": {"allocations": {"x": %s}}}'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (VOTES % "NaN", "NaN is no number of JSON; expected finite numbers"),
        (VOTES % "-Infinity", "-Infinity is no number of JSON"),
        (VOTES % "1e999", "weights: expected finite, not negative; got inf"),
        (VOTES % ("9" * 5000), "99999999999999999999... is 2**63 or more"),
        (VOTES % ("9" * 400), "99999999999999999999... is 2**63 or more; expected smaller"),
        (VOTES % str(-(2**63)), "-9223372036854775808... is 2**63 or more"),
        (VOTES % '1, "x": 2', "key 'x' a second time in one object; keep one"),
        (VOTES % "1" + "x", "broken JSON (Extra data: "),
        (VOTES % "", "broken JSON (Expecting value: "),
        (VOTES[:-2], "broken JSON ("),
        (VOTES % ("[" * 100_000), "nested too deeply; no network is"),
        (VOTES % ('{"a":' * 100_000), "nested too deeply; no network is"),
    ],
)
def test_json_that_is_broken_or_hostile_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "votes.json").write_text(text)
    assert reason in refused(tmp_path / "votes.json")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b'{"\xff": {"allocations": {}}}')
    assert "broken JSON ('utf-8' codec can't decode byte 0xff" in refused(tmp_path / "a")


def test_a_byte_order_mark_and_blanks_are_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbf \r\n" + (VOTES % "1").encode())
    assert read([tmp_path / "a"]).weights.tolist() == [[[1]]]


def test_more_values_than_memory_should_hold_are_refused_before_they_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text(VOTES % "1")
    monkeypatch.setattr(documents, "MOST_MEMORY", 3 * documents.VALUE + len(VOTES % "1"))
    assert read([tmp_path / "a"]).miners == 1
    (tmp_path / "a").write_text(VOTES % "12")
    assert "3 values in 35 bytes of JSON would take more than" in refused(tmp_path / "a")
    (tmp_path / "a").write_text((VOTES % "1").replace("ann", "łuk"))
    assert "would take more than" in refused(tmp_path / "a")


def test_a_large_file_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "LARGEST_FILE", 5)
    (tmp_path / "a").write_text(VOTES % "1")
    assert refused(tmp_path / "a") == (
        "a: 34 bytes; of this format at most 5 are read, so save fewer epochs, or an .npz"
    )
