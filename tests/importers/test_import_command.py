from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.data import ROOT
from tests.importers.made import FILES, metagraph
from trilemma.cli import app
from trilemma.importers import Network, facts, read, summary

PAGE = (ROOT / "docs/how-to/import.md").read_text()


def ran(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["import", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def test_what_a_file_holds_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    path = metagraph(tmp_path)
    assert ran(path).splitlines() == [
        "block.pt: subnet 1, 1 epoch, block 1234567",
        "3 validators, of which 2 set weights, 2 of these with stake",
        "3 miners, of which 2 have weight",
        "told beside stake and weights: bonds, permits, last updates, names, owners (2 of them)",
    ]
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_imported_is_what_was_read(tmp_path: Path) -> None:
    path, out = metagraph(tmp_path), tmp_path / "network.npz"
    assert ran(path, "-o", out).splitlines()[-1] == f"{out}: written"
    one, other = read([path]), read([out])
    for field in ("stake", "weights", "bonds", "permits", "blocks", "miner_owners"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
    assert summary(one)[1:] == summary(other)[1:]
    assert (one.netuid, one.miner_names) == (other.netuid, other.miner_names)


def test_a_file_is_replaced_only_by_force(tmp_path: Path) -> None:
    out = tmp_path / "network.npz"
    out.write_text("precious")
    message = ran(FILES / "simulation.pt", "-o", out, code=3)
    assert message == (
        f"trilemma: {out}: exists already; give --force to replace it, or another name\n"
    )
    assert out.read_text() == "precious"
    ran(FILES / "simulation.pt", "-o", out, "--force")
    assert read([out]).epochs == 2


def test_the_answer_as_json_is_what_was_found(tmp_path: Path) -> None:
    path = metagraph(tmp_path)
    assert json.loads(ran(path, "--json", "-")) == facts(read([path]))
    ran(path, "--json", tmp_path / "facts.json")
    assert json.loads((tmp_path / "facts.json").read_text()) == {
        "name": "block.pt",
        "netuid": 1,
        "blocks": [1234567, 1234567],
        "epochs": 1,
        "validators": 3,
        "setting": 2,
        "staked": 2,
        "miners": 3,
        "in_use": 2,
        "owners": 2,
        "parts": ["bonds", "permits", "last updates", "names", "owners"],
    }


def test_what_is_no_network_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x80\x02cos\nsystem\n)R.")
    message = ran(tmp_path / "a", "-o", tmp_path / "b", code=3)
    assert message.startswith("trilemma: a: refers to 'os.system', which no network needs")
    assert message.count("\n") == 1
    assert not (tmp_path / "b").exists()


def test_a_place_that_cannot_be_written_is_told_before_anything_is_read(tmp_path: Path) -> None:
    nowhere = tmp_path / "nothing" / "a.npz"
    assert "cannot write the network there" in ran(tmp_path / "x", "-o", nowhere, code=3)
    assert "a network is a file; name one instead of -" in ran(tmp_path / "x", "-o", "-", code=2)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device on this system")
def test_a_full_disk_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    message = ran(FILES / "simulation.pt", "-o", tmp_path / "a.npz", code=3)
    assert "cannot write the network (No space left on device)" in message


def test_a_network_that_tells_little_is_told_in_few_words() -> None:
    network = Network("x", np.array([[1, 0], [0, 0]]), np.array([[[1], [0]], [[0], [1]]]))
    assert summary(network) == [
        "x: 2 epochs",
        "2 validators, of which 2 set weights, 1 of these with stake",
        "1 miners, of which 1 have weight",
        "told beside stake and weights: nothing else",
    ]


def test_a_name_cannot_steer_the_terminal(tmp_path: Path) -> None:
    assert ran(metagraph(tmp_path, "a\x1b[31m\nb")).startswith("a?[31m?b: subnet 1")


def test_the_session_of_the_how_to_is_what_the_commands_print(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (session,) = re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    for part in session.split("$ ")[1:]:
        command, _, shown = part.partition("\n")
        verb, *arguments = command.split()
        if verb == "cat":
            Path(arguments[0]).write_text(shown)
        else:
            assert arguments[0] == "import"
            assert ran(*arguments[1:]) == shown
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    exec(compile(code, "import.md", "exec", dont_inherit=True), {})
    assert sorted(os.listdir()) == ["edges.csv", "network.npz", "stakes.csv"]


def test_the_how_to_names_every_field_of_an_archive() -> None:
    from trilemma.importers.npz import FIELDS

    assert set(FIELDS) <= set(re.findall(r"`(\w+)`", PAGE))
