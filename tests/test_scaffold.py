"""A new package passes its own tests and lint, and is at home wherever it is installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from tests.data import ROOT
from tests.test_cli import asked, complaint, folder
from tests.test_packaging import SMALL, built, ran
from trilemma.scaffold import LONGEST, write_mechanism

__all__ = ["folder"]  # a fixture that every test here takes

FILES = [
    ".github/workflows/ci.yml",
    ".gitignore",
    "README.md",
    "benchmarks/bench_my_rule.py",
    "pyproject.toml",
    "src/my_rule/__init__.py",
    "tests/test_my_rule.py",
]
NAMES = ["m", "my_rule", "a" * LONGEST]


def written(folder: Path) -> list[str]:
    """Return all files in a folder."""
    return sorted(it.relative_to(folder).as_posix() for it in folder.rglob("*") if it.is_file())


# --- what is written -----------------------------------------------------------------------------


def test_it_prints_what_it_wrote_and_the_next_three_commands() -> None:
    code, out, err = asked("new", "mechanism", "my_rule")
    assert (code, err) == (0, "")
    assert written(Path("my-rule")) == FILES
    tree, commands = out.split("\n\n")
    assert tree.splitlines() == ["my-rule/", *(f"  {it}" for it in FILES)]
    assert commands.splitlines() == [
        "pip install -e './my-rule[test]'",
        "pytest my-rule",
        "trilemma compare my_rule stake_weighted",
    ]


def test_commands_for_a_folder_elsewhere_can_be_pasted(tmp_path: Path) -> None:
    place = tmp_path / "all plug-ins"
    place.mkdir()
    _, out, _ = asked("new", "mechanism", "my_rule", "--into", str(place))
    assert f"pip install -e '{place}/my-rule[test]'\npytest '{place}/my-rule'\n" in out
    assert written(place / "my-rule") == FILES


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_linted_formatted_and_without_blanks(name: str, tmp_path: Path) -> None:
    project, files = write_mechanism(name, tmp_path)
    assert [it.as_posix() for it in files] == written(project)
    for file in files:
        assert not re.search("my.?mechanism", f"{file}\n{(project / file).read_text()}", re.I), file
    ran("-m", "ruff", "check", ".", cwd=project)
    ran("-m", "ruff", "format", "--check", ".", cwd=project)


@pytest.mark.slow
def test_its_own_tests_pass_as_they_are(tmp_path: Path) -> None:
    project, _ = write_mechanism("my_rule", tmp_path)
    ran("-m", "pytest", "-W", "error", cwd=project)


@pytest.mark.slow
def test_its_own_tests_fail_where_the_rule_is_wrong(tmp_path: Path) -> None:
    project, _ = write_mechanism("my_rule", tmp_path)
    code = project / "src/my_rule/__init__.py"
    wrong = code.read_text().replace("** self.power", "** (1 / self.power)")
    code.write_text(wrong.replace("self.power >= 1", "self.power >= 0"))
    tests = "clone_proof or worked_by_hand or a_higher_power or below_one"
    command = [sys.executable, "-m", "pytest", "-k", tests]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    assert "4 failed" in done.stdout


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("my-rule", "letters, digits and _ between words; write my_rule"),
        ("MyRule", "; write my_rule"),
        ("2nd", "; write my_rule"),
        ("a__b", "; write a_b"),
        ("../escape", "; write escape"),
        ("r\u00e8gle", "; write r_gle"),
        ("", "; write my_rule"),
        ("a" * (LONGEST + 1), f"has {LONGEST + 1} letters; take at most {LONGEST}"),
        ("class", "'class' is a word of Python's own; take another name, as in class_rule"),
        ("value_error", "would name its class ValueError, which is Python's own"),
        ("none", "would name its class None"),
        ("yuma", "a mechanism already (trilemma_mechanisms.yuma:Yuma of trilemma "),
        ("json", "a module already (of Python's own), and one would hide the other"),
        ("numpy", "numpy/__init__.py), and one would hide the other"),
        ("trilemma", "a module already ("),
    ],
)
def test_a_name_that_cannot_be_one_is_refused_before_anything_is_written(
    name: str, said: str, folder: Path
) -> None:
    assert said in complaint(2, "new", "mechanism", "--", name)
    assert written(folder) == ["rules.py"]


def test_a_module_or_distribution_elsewhere_is_not_hidden_or_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    metadata = site / "other_name-1.0.dist-info/METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: other-name\nVersion: 1.0\n")
    (site / "rival.py").touch()
    monkeypatch.syspath_prepend(site)
    assert f"({site / 'rival.py'})" in complaint(2, "new", "mechanism", "rival")
    said = complaint(2, "new", "mechanism", "other_name")
    assert "is installed already (other-name 1.0), and would be replaced" in said


def test_a_file_of_that_name_in_the_current_folder_may_become_a_package(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(folder)  # as `python -m trilemma` does
    (folder / "my_rule.py").touch()
    assert asked("new", "mechanism", "my_rule")[0] == 0


def test_a_folder_with_anything_in_it_stays_as_it_is(folder: Path) -> None:
    (folder / "my-rule").mkdir()
    (folder / "my-rule/notes.txt").write_text("mine")
    said = complaint(3, "new", "mechanism", "my_rule")
    assert "my-rule: is not empty, and nothing is overwritten; move it away" in said
    assert written(folder / "my-rule") == ["notes.txt"]
    assert (folder / "my-rule/notes.txt").read_text() == "mine"


def test_a_file_in_the_place_of_the_folder_stays_as_it_is(folder: Path) -> None:
    (folder / "my-rule").write_text("mine")
    assert "my-rule: cannot be written (" in complaint(3, "new", "mechanism", "my_rule")
    assert (folder / "my-rule").read_text() == "mine"


def test_a_folder_that_does_not_exist_is_not_made_up(folder: Path) -> None:
    said = complaint(3, "new", "mechanism", "my_rule", "--into", "nowhere")
    assert "nowhere: there is no such folder; make it first" in said
    assert not (folder / "nowhere").exists()


def test_an_empty_folder_is_filled(folder: Path) -> None:
    (folder / "my-rule").mkdir()
    assert asked("new", "mechanism", "my_rule")[0] == 0
    assert written(folder / "my-rule") == FILES


# --- from a wheel to the table -------------------------------------------------------------------


def needed(name: str, seen: dict[str, None]) -> dict[str, None]:
    """Return the installed distributions that one needs, and those that they need."""
    for line in distribution(name).requires or ():
        found = re.match(r"[\w.-]+", line)
        if found is None or "extra ==" in line or found[0] in seen:
            continue
        try:
            distribution(found[0])
        except PackageNotFoundError:  # of another system or an older Python
            continue
        seen[found[0]] = None
        needed(found[0], seen)
    return seen


def linked(name: str, site: Path) -> None:
    """Make an installed distribution importable from another folder, by links."""
    here = distribution(name)
    for top in {file.parts[0] for file in here.files or ()} - {"..", "__pycache__"}:
        (site / top).symlink_to(str(here.locate_file(top)))


def environment(folder: Path, wheels: list[Path]) -> Path:
    """Return the Python of a new environment with these wheels, and what ours needs besides."""
    ran("-m", "venv", "--without-pip", str(folder), cwd=folder.parent)
    [site] = folder.glob("lib/python*/site-packages")
    for name in needed("trilemma", {}):
        linked(name, site)
    python = folder / "bin/python"
    pip = ("-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", "--quiet")
    ran(*pip, "--no-compile", *map(str, wheels), cwd=folder.parent)
    return python


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_from_our_wheel_a_new_package_is_installed_listed_checked_and_compared(
    tmp_path: Path,
) -> None:
    project, _ = write_mechanism("my_rule", tmp_path)
    wheels = [built(it, tmp_path / it.name / "dist") for it in (ROOT, project)]
    trilemma = environment(tmp_path / "environment", wheels).with_name("trilemma")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def said(*arguments: str) -> str:
        done = subprocess.run(
            [trilemma, *arguments], cwd=tmp_path, env=clean, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert re.search(r"^my_rule +my-rule 0\.1\.0  Miners share the pool", said("list"), re.M)
    checked = json.loads(said("check", "my_rule", "--json", "-"))
    assert checked["passes"]
    assert {"clone_proof", "scale_free"} <= {
        it["check"] for it in checked["mechanisms"][0]["properties"] if it["verdict"] == "holds"
    }
    report = json.loads(said("compare", "my_rule", "uniform", *SMALL, "--json", "-"))
    assert [row["name"] for row in report["mechanisms"]] == ["my_rule", "uniform"]
    assert report["mechanisms"][0]["distribution"] == "my-rule 0.1.0"
    assert said("new", "mechanism", "another_rule").startswith("another-rule/\n")
