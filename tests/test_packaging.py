"""What is built and installed: our wheel, a stranger's plug-in, and who imports whom."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data import ROOT

SOURCES = {"trilemma": ROOT / "harness", "trilemma_mechanisms": ROOT / "mechanisms"}
SMALL = ("--stake=equal", "--validators=4", "--miners=5", "--worlds=2", "--identities=2")

PLURALITY = '''
from dataclasses import dataclass


@dataclass(frozen=True)
class Plurality:
    """The miners with the most stake behind them share everything."""

    def __call__(self, epoch):
        support = epoch.stake @ epoch.weights
        winners = support == support.max()
        return winners / winners.sum()
'''
PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "plurality-rule"
version = "3.1.4"

[project.entry-points."trilemma.mechanisms"]
plurality = "plurality_rule:Plurality"
"""


def ran(*command: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def built(project: Path, target: Path) -> Path:
    """Build a wheel without a network."""
    ran("-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), ".", cwd=project)
    [wheel] = target.glob("*.whl")
    return wheel


# --- our wheel -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(built(ROOT, tmp_path_factory.mktemp("wheel"))) as archive:
        yield archive


def test_the_wheel_holds_the_two_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    expected = {
        path.relative_to(source).as_posix()
        for package, source in SOURCES.items()
        for path in (source / package).rglob("*")
        if path.suffix in (".py", ".template", ".html", ".css", ".js") or path.name == "py.typed"
    }
    assert names == expected
    assert {"trilemma/py.typed", "trilemma_mechanisms/py.typed"} <= names


def test_the_wheel_says_who_it_is_and_under_which_licence(wheel: zipfile.ZipFile) -> None:
    [folder] = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert folder == f"trilemma-{project['version']}.dist-info"
    assert wheel.read(f"{folder}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    metadata = wheel.read(f"{folder}/METADATA").decode()
    for line in ("Name: trilemma", "License-Expression: Apache-2.0", "Requires-Python: >=3.11"):
        assert f"{line}\n" in metadata
    entries = wheel.read(f"{folder}/entry_points.txt").decode()
    assert "[console_scripts]\ntrilemma = trilemma.cli:main\n" in entries
    for name, value in project["entry-points"]["trilemma.mechanisms"].items():
        assert f"{name} = {value}\n" in entries


# --- strangers' plug-ins -------------------------------------------------------------------------


def test_an_installed_plugin_is_listed_with_its_distribution_and_scored(tmp_path: Path) -> None:
    project, site = tmp_path / "project", tmp_path / "site"
    project.mkdir()
    (project / "pyproject.toml").write_text(PYPROJECT)
    (project / "plurality_rule.py").write_text(PLURALITY)
    wheel = built(project, tmp_path / "dist")
    pip = ("-m", "pip", "install", "--no-deps", "--no-index", "--no-compile", "--quiet")
    ran(*pip, "--target", str(site), str(wheel), cwd=tmp_path)
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    listed = ran("-m", "trilemma", "list", cwd=tmp_path, PYTHONPATH=path).splitlines()
    [line] = [line for line in listed if line.startswith("plurality ")]
    assert line.split(maxsplit=3)[1:3] == ["plurality-rule", "3.1.4"]
    assert line.endswith("The miners with the most stake behind them share everything.")
    assert len(listed) > 8
    question = ("-m", "trilemma", "compare", "plurality", "uniform", *SMALL, "--json", "-")
    report = json.loads(ran(*question, cwd=tmp_path, PYTHONPATH=path))
    assert [(row["name"], row["distribution"].split()[0]) for row in report["mechanisms"]] == [
        ("plurality", "plurality-rule"),
        ("uniform", "trilemma"),
    ]


def test_a_plugin_in_one_file_of_ten_lines_takes_part(tmp_path: Path) -> None:
    assert len([line for line in PLURALITY.splitlines() if line]) <= 10
    (tmp_path / "plurality.py").write_text(PLURALITY)
    question = ("compare", "./plurality.py:Plurality", "uniform", *SMALL, "--json", "-")
    report = json.loads(ran("-m", "trilemma", *question, cwd=tmp_path))
    assert [row["label"] for row in report["mechanisms"]] == ["./plurality.py:Plurality", "uniform"]
    assert report["mechanisms"][0]["distribution"] == "./plurality.py"
    assert report["mechanisms"][0]["free"]["quality"]["value"] < 1


# --- who imports whom ----------------------------------------------------------------------------

# A room may import what stands in the rows below its own, and what is in the same room.
LAYERS = [
    {"__main__", "pytest_plugin", "hypothesis_hook"},
    {"cli"},
    {"testing", "study"},
    {"resume", "sweep", "frontier", "incidents"},
    {"curves"},
    {"compare", "diff", "export", "retention", "dynamics", "cutoff", "whatif"},
    {"run"},
    {"tasks"},
    {"report"},
    {"costs", "witness"},
    {"scores", "store", "executor", "axes"},
    {"kept", "lock", "codes", "cluster", "processes", "patience", "resampled"},
    {"cells", "parcel", "replays"},
    {"search"},
    {"twins"},
    {
        "worlds",
        "scene",
        "sides",
        "attacks",
        "entrant",
        "shortcuts",
        "thresholds",
        "concentration",
    },
    {"importers", "contract", "statistics", "power", "registry", "scaffold"},
    {"batch"},
    {"model", "profiles"},
    {"specs", "entries"},
    {"chain", "sparse", "relabelling"},
    {"fields", "checks", "forks", "limits", "printing"},
    {"errors", "kernels"},
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
FACADE = "__init__"  # of trilemma: names the public things, and may take them from anywhere


def modules(package: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((SOURCES[package] / package).rglob("*.py")):
        yield path.relative_to(SOURCES[package] / package).with_suffix("").as_posix(), path


def imports(path: Path) -> set[str]:
    """Return every module that a file imports, also late or for type checkers only."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def ours(path: Path) -> set[str]:
    return {name for name in imports(path) if name.split(".")[0] in SOURCES}


def room(name: str) -> str:
    """Return the file or folder of `trilemma` that an import reaches into."""
    part = name.split(".")[1]
    return part if part in LEVEL else FACADE


HARNESS = dict(modules("trilemma"))


def test_every_room_of_the_house_has_its_place() -> None:
    assert {name.split("/")[0] for name in HARNESS} - {FACADE} <= set(LEVEL)


@pytest.mark.parametrize("name", sorted(set(HARNESS) - {FACADE}))
def test_imports_point_one_way(name: str) -> None:
    here = name.split("/")[0]
    for imported in ours(HARNESS[name]):
        assert imported.startswith("trilemma."), imported
        there = room(imported)
        assert there == here or LEVEL.get(there, -1) > LEVEL[here], f"{name} imports {imported}"


def test_kernels_import_nothing_of_ours() -> None:
    for name, path in HARNESS.items():
        if name.startswith("kernels/"):
            assert all(it.startswith("trilemma.kernels.") for it in ours(path)), name


def test_the_harness_never_imports_the_built_in_mechanisms() -> None:
    for name, path in HARNESS.items():
        assert "trilemma_mechanisms" not in {it.split(".")[0] for it in imports(path)}, name


def test_built_in_mechanisms_need_only_the_model_and_the_kernels() -> None:
    allowed = ("trilemma.model.", "trilemma.kernels", "trilemma_mechanisms.")
    for name, path in modules("trilemma_mechanisms"):
        assert all(it.startswith(allowed) for it in ours(path)), name


OF_EXTRAS = {
    "report/figures/": {"matplotlib"},
    "search/second_opinion": {"cma"},
    "importers/live": {"bittensor"},
    "export/parquet": {"pyarrow"},
    "cluster": {"dask", "distributed"},
    "parcel": {"cloudpickle"},
}


def test_no_file_imports_what_it_does_not_declare() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    everybody = {name.split(">=")[0].replace("-", "_") for name in project["dependencies"]}
    for package in SOURCES:
        for name, path in modules(package):
            extra = (names for start, names in OF_EXTRAS.items() if name.startswith(start))
            declared = everybody.union(*extra)
            roots = {it.split(".")[0] for it in imports(path)} - set(SOURCES)
            assert roots <= sys.stdlib_module_names | declared, name
