from __future__ import annotations

import math
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trilemma import registry
from trilemma.entries import MECHANISMS
from trilemma.errors import DataError, PluginError, TrilemmaError, UsageError
from trilemma.registry import label, load, load_each, names, origin, parameters

Install = Callable[..., Path]

RULES = """
from __future__ import annotations
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
if TYPE_CHECKING:
    from trilemma.model import Mechanism

@dataclass(frozen=True)
class Even:
    def __call__(self, epoch): return epoch

@dataclass(frozen=True)
class Share:
    kappa: float = 0.5
    rounds: int = 3
    strict: bool = False
    tie: Literal["low", "high"] = "low"
    cut: float | None = None
    steps: tuple[float, ...] = (0.5, 1)
    note: str = ""
    def __post_init__(self):
        if not 0 <= self.kappa <= 1:
            raise ValueError(f"kappa must be in [0, 1],\\nnot {self.kappa}")
        1 / self.rounds
    def __call__(self, epoch): return epoch

@dataclass(frozen=True)
class Capped:
    cap: float = 0.1
    inner: Mechanism = field(default_factory=Even)
    def __call__(self, epoch): return self.inner(epoch)

@dataclass(frozen=True)
class Needy:
    inner: Mechanism
    cap: float = 1.0
    def __call__(self, epoch): return epoch

class Plain:
    def __init__(self, size=1): self.size = size
    def __call__(self, epoch): return epoch

class Tuned(Share):
    def __init__(self, by=0.1): super().__init__(kappa=0.6 + by)

class Mute:
    pass

class Picky(Even):
    def __init__(self): raise ValueError("never happy")

class Lost(Even):
    def __init__(self, way=1): raise RuntimeError("no way")

class Quitter(Even):
    def __init__(self): raise SystemExit(3)

def flat(epoch): return epoch

class Outer:
    flat = staticmethod(flat)

ready = Plain(7)
number = 5
"""
ENTRIES = {
    "even": "rules:Even",
    "share": "rules:Share",
    "capped": "rules:Capped",
    "flat": "rules:flat",
    "ready": "rules:ready",
}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Write a distribution with its modules into a new folder at the front of the path."""
    monkeypatch.setattr(registry, "_found", {})

    def write(distribution: str, entries: dict[str, str] | str, **sources: str) -> Path:
        site = tmp_path / f"site{len(list(tmp_path.iterdir()))}"
        metadata = site / f"{distribution}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        )
        lines = (
            entries
            if isinstance(entries, str)
            else "\n".join(f"{k} = {v}" for k, v in entries.items())
        )
        (metadata / "entry_points.txt").write_text(f"[{MECHANISMS.entry_points}]\n{lines}\n")
        for module, source in sources.items():
            (site / f"{module}.py").write_text(source)
        monkeypatch.syspath_prepend(site)
        return site

    yield write
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def rules(install: Install) -> Path:
    return install("my-rules", ENTRIES, rules=RULES)


def refusal(kind: type[TrilemmaError], action: Callable[[], object]) -> str:
    """Return the one line with which an action is refused."""
    with pytest.raises(kind) as caught:
        action()
    assert type(caught.value) is kind
    assert caught.value.exit_code == (2 if kind is UsageError else 3)
    message = str(caught.value)
    assert message.splitlines() == [message]
    return message


# --- names ---------------------------------------------------------------------------------------


def test_names_are_sorted_and_nothing_is_imported() -> None:
    assert set(ENTRIES) <= set(names())
    assert names() == sorted(names())
    assert "rules" not in sys.modules


def test_importing_the_registry_imports_no_numpy() -> None:
    package = Path(registry.__file__).parent
    code = (
        "import sys, types; it = types.ModuleType('trilemma'); "
        f"it.__path__ = [{str(package)!r}]; sys.modules['trilemma'] = it; "
        "import trilemma.registry; sys.exit(bool({'numpy', 'numba'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- loading -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "written"),
    [
        ("even", "even"),
        ("  even ( ) ", "even"),
        ("share(kappa=0.6)", "share(kappa=0.6)"),
        ("share(kappa=0.5)", "share"),
        ("share(kappa=1)", "share(kappa=1)"),
        ("share(kappa=1.0)", "share(kappa=1)"),
        ("share(note='a:b(', cut=-2.50, strict=True)", "share(strict=True, cut=-2.5, note='a:b(')"),
        ("share(tie='high', cut=None)", "share(tie='high')"),
        ("share(cut=inf)", "share(cut=inf)"),
        ("share(cut=-inf)", "share(cut=-inf)"),
        ("share(cut=nan)", "share(cut=nan)"),
        ("share(cut=1e999)", "share(cut=inf)"),
        ("share(steps=(1, 2.5))", "share(steps=(1, 2.5))"),
        ("share(steps=(-1,))", "share(steps=(-1,))"),
        ("share(steps=())", "share(steps=())"),
        ("capped(inner=even)", "capped"),
        ("capped(inner=share(kappa=.25), cap=1)", "capped(cap=1, inner=share(kappa=0.25))"),
        ("capped(inner=capped(inner=flat))", "capped(inner=capped(inner=flat))"),
        ("capped(inner='rules:Even')", "capped"),
        ("capped(inner='rules:Needy(inner=even)')", "capped(inner='rules:Needy(inner=even)')"),
        ("flat", "flat"),
        ("ready", "ready"),
        ("rules:Share", "share"),
        ("rules:Needy(inner=flat)", "rules:Needy(inner=flat)"),
        ("rules:Outer.flat", "flat"),
        ("rules:Plain", "rules:Plain"),
        ("rules:Tuned(by=0)", "rules:Tuned"),
    ],
)
def test_a_spec_has_one_canonical_form(spec: str, written: str) -> None:
    mechanism = load(spec)
    assert label(mechanism) == written
    assert label(load(written)) == written
    assert mechanism("epoch") == "epoch"  # type: ignore[arg-type]


def test_a_nested_spec_fills_the_parameters() -> None:
    outer = parameters(load("capped(cap=1, inner=share(steps=(1, -2.0), cut=3))"))
    inner = parameters(outer["inner"])
    assert outer["cap"] == 1
    assert (inner["steps"], inner["cut"], inner["kappa"]) == ((1, -2.0), 3, 0.5)
    assert list(inner) == ["kappa", "rounds", "strict", "tie", "cut", "steps", "note"]
    assert parameters(load("flat")) == parameters(load("even")) == {}


def test_an_ordinary_class_takes_the_keywords_of_its_constructor() -> None:
    assert vars(load("rules:Plain(size='big')")) == {"size": "big"}
    assert "it takes size=1" in refusal(UsageError, lambda: load("rules:Plain(sise=2)"))


def test_origin_is_the_distribution_the_file_or_the_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(RULES)
    monkeypatch.chdir(tmp_path)
    assert origin(load("share(kappa=1)")) == "my-rules 1.0"
    assert origin(load("flat")) == origin(load("ready")) == "my-rules 1.0"
    assert origin(load("rules:Plain")) == "rules"
    assert origin(load("./mine.py:Share")) == "./mine.py"
    assert origin(load("mine.py:ready")) == "mine.py"
    assert origin(lambda epoch: epoch) == __name__


def test_a_class_registered_under_another_module_keeps_its_name(install: Install) -> None:
    install("facade", {"calm": "facade:Needy"}, facade="from rules import Needy")
    assert label(load("calm(inner=even)")) == "calm(inner=even)"
    assert origin(load("rules:Needy(inner=even)")) == "facade 1.0"


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["mine.py", "./mine.py", "a (copy)/it's a=b.py", "x(1)/y.py:z/mine.py", "d.py/mine.py"],
)
@pytest.mark.parametrize("call", ["", "(kappa=1)", "(note='./x.py:Y(z=1)')"])
def test_a_file_may_have_any_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, call: str
) -> None:
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(RULES)
    monkeypatch.chdir(tmp_path)
    spec = f"{path}:Share{call}"
    mechanism = load(spec)
    assert label(mechanism) == spec
    assert load(spec) == mechanism
    assert pickle.loads(pickle.dumps(mechanism)) == mechanism
    nested = f"{path}:Capped(inner={spec!r})"
    assert label(load(nested)) == nested
    assert label(load(f"{tmp_path / path}:Share{call}")) == spec


def test_functions_and_objects_of_a_file_keep_their_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(RULES)
    monkeypatch.chdir(tmp_path)
    for spec in ("mine.py:flat", "mine.py:ready", "mine.py:Plain"):
        assert label(load(spec)) == spec
        assert origin(load(spec)) == "mine.py"


def test_files_of_one_spelling_in_two_folders_are_not_confused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(RULES)
    monkeypatch.chdir(tmp_path / "one")
    one = load("mine.py:Even")
    monkeypatch.chdir(tmp_path / "two")
    two = load("mine.py:Even")
    assert type(one) is not type(two)
    assert label(one) != label(two)
    assert load(label(two)) == two


def test_a_class_of_a_file_that_nobody_asked_for_can_be_loaded_by_its_label(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(RULES + "\nready = Needy(inner=Share(kappa=1))")
    inner = parameters(load(f"{file}:ready"))["inner"]
    assert label(inner) == f"{file}:Share(kappa=1)"
    assert load(label(inner)) == inner


def test_a_file_that_raises_leaves_no_module_behind(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("1 / 0")
    before = set(sys.modules)
    message = refusal(PluginError, lambda: load(f"{file}:Rule"))
    assert message == f"{file} fails to import: ZeroDivisionError: division by zero"
    assert set(sys.modules) == before
    file.write_text("def Rule(epoch): return epoch  # mended")
    assert label(load(f"{file}:Rule")) == f"{file}:Rule"


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("shar", "no mechanism is called 'shar'; did you mean 'share'?; see: trilemma list"),
        ("qqqqq", "no mechanism is called 'qqqqq'; see: trilemma list"),
        ("capped(inner=evn)", "no mechanism is called 'evn'; did you mean 'even'?"),
        (
            "share(kapa=1)",
            "share has no parameter 'kapa'; did you mean 'kappa'?; it takes kappa=0.5, ",
        ),
        ("capped(x=1)", "capped has no parameter 'x'; it takes cap=0.1, inner=Even()"),
        ("even(x=1)", "even has no parameter 'x'; it takes none"),
        ("capped(inner=share(kapa=1))", "share has no parameter 'kapa'"),
        ("rules:Needy", "rules:Needy needs inner; it takes inner, cap=1"),
        ("share(kappa=2)", "share(kappa=2): kappa must be in [0, 1], not 2"),
        ("capped(inner=share(kappa=2))", "share(kappa=2): kappa must be in [0, 1], not 2"),
        ("share(rounds=0)", "share(rounds=0): division by zero"),
        ("share(kappa='0.6')", "share: kappa must be float, not '0.6'"),
        ("share(kappa=True)", "share: kappa must be float, not True"),
        ("share(kappa=None)", "share: kappa must be float, not None"),
        ("share(kappa=high)", "share: kappa must be float, not high"),
        ("share(rounds=3.0)", "share: rounds must be int, not 3"),
        ("share(rounds=False)", "share: rounds must be int, not False"),
        ("share(strict=1)", "share: strict must be bool, not 1"),
        ("share(note=1)", "share: note must be str, not 1"),
        ("share(tie='mid')", "share: tie must be Literal['low', 'high'], not 'mid'"),
        ("share(cut='x')", "share: cut must be float | None, not 'x'"),
        ("share(steps=1)", "share: steps must be tuple[float, ...], not 1"),
        ("share(steps=(1, 'x'))", "share: steps must be tuple[float, ...], not (1, 'x')"),
        ("capped(inner=3)", "capped: inner must be Callable, not 3"),
        ("capped(inner=None)", "capped: inner must be Callable, not None"),
        ("capped(inner='x y')", "'x y' names no plug-in"),
        ("flat(x=1)", "flat is no class and takes no parameters; write flat"),
        ("ready(size=1)", "ready is no class and takes no parameters; write ready"),
        ("rules:Evn", "rules has no 'Evn'; did you mean 'Even'?"),
        ("rules:Outer.sharp", "rules has no 'Outer.sharp'"),
        ("no_such_module:X", "no module is called 'no_such_module'"),
        ("rules.deeper:X", "no module is called 'rules.deeper'"),
    ],
)
def test_what_the_user_got_wrong_is_said_in_one_line(spec: str, said: str) -> None:
    assert refusal(UsageError, lambda: load(spec)).startswith(said)


@pytest.mark.parametrize(
    "spec",
    [
        "__import__('os').system('x')",
        "share(kappa=__import__('os').system('x'))",
        "share(kappa=even.__class__())",
        "share(kappa=lambda: 1)",
        "share(kappa=" + "(" * 10_000 + "1" + ")" * 10_000 + ")",
        "capped(inner=" * 90 + "even" + ")" * 90,
    ],
)
def test_malicious_text_is_refused_before_anything_is_imported(
    monkeypatch: pytest.MonkeyPatch, spec: str
) -> None:
    monkeypatch.setattr("os.system", lambda _: pytest.fail("ran"))
    refusal(UsageError, lambda: load(spec))
    assert "rules" not in sys.modules


def test_a_missing_file_is_a_data_error(tmp_path: Path) -> None:
    said = refusal(DataError, lambda: load("./nowhere.py:Rule(x=1)"))
    assert said == "'./nowhere.py': there is no such file"
    (tmp_path / "folder.py").mkdir()
    refusal(DataError, lambda: load(f"{tmp_path}/folder.py:Rule"))
    refusal(DataError, lambda: load(f"{'x' * 1000}.py:Rule"))


# --- plug-ins that break -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("raise SystemExit(4)", "SystemExit: 4"),
        ("raise AssertionError", "AssertionError"),
        ("import not_there", "ModuleNotFoundError: No module named 'not_there'"),
        ("def (", "SyntaxError: invalid syntax (bad.py, line 1)"),
        ("from trilemma.errors import UsageError\nraise UsageError('mine')", "UsageError: mine"),
        ("Other = 1", "AttributeError: module 'bad' has no attribute 'Rule'"),
    ],
)
def test_a_plugin_that_fails_to_import_is_named_with_its_distribution(
    install: Install, source: str, said: str
) -> None:
    install("bad-dist", {"bad": "bad:Rule"}, bad=source)
    message = refusal(PluginError, lambda: load("bad"))
    assert message == f"bad (from bad-dist 1.0) fails to import: {said}"
    assert "bad" in names()


def test_a_module_that_fails_to_import_is_named(install: Install) -> None:
    install(
        "bad-dist", {}, bad="import not_there", lazy="def __getattr__(name): raise OSError(name)"
    )
    assert refusal(PluginError, lambda: load("bad:X")) == (
        "bad fails to import: ModuleNotFoundError: No module named 'not_there'"
    )
    assert refusal(PluginError, lambda: load("lazy:X")) == "lazy:X fails to import: OSError: X"


def test_an_interrupt_at_import_is_not_swallowed(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("raise KeyboardInterrupt")
    before = set(sys.modules)
    with pytest.raises(KeyboardInterrupt):
        load(f"{tmp_path}/slow.py:Rule")
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("rules:Mute", "rules:Mute cannot be called with an epoch: it is <rules.Mute object"),
        ("rules:number", "rules:number cannot be called with an epoch: it is 5"),
        ("rules:number(x=1)", "rules:number cannot be called with an epoch: it is 5"),
        ("rules:Picky", "rules:Picky cannot be made: ValueError: never happy"),
        ("rules:Lost(way=2)", "rules:Lost(way=2) cannot be made: RuntimeError: no way"),
        ("rules:Quitter", "rules:Quitter cannot be made: SystemExit: 3"),
    ],
)
def test_what_the_plugin_got_wrong_is_a_plugin_error(spec: str, said: str) -> None:
    assert refusal(PluginError, lambda: load(spec)).startswith(said)


@pytest.mark.parametrize("value", ["no value!", "rules", ":", ""])
def test_a_malformed_entry_point_breaks_only_itself(install: Install, value: str) -> None:
    install("odd", {"odd": value, "a b": "rules:Needy"})
    refusal(PluginError, lambda: load("odd"))
    assert label(load("even")) == "even"
    assert {"odd", "a b"} <= set(load_each()[1])


def test_a_name_of_two_distributions_is_an_error_that_names_both(install: Install) -> None:
    install("rival", {"even": "rival:Even", "calm": "rival:Even"}, rival=RULES)
    assert names().count("even") == 1
    message = refusal(PluginError, lambda: load("capped(inner=even)"))
    assert "rules:Even of my-rules 1.0" in message
    assert "rival:Even of rival 1.0" in message
    assert label(load("calm")) == "calm"
    assert label(load("rules:Even")) == "rules:Even"
    assert "even" in load_each(None)[1]


def test_a_name_registered_twice_by_one_distribution_is_an_error(install: Install) -> None:
    install("twice", "both = rules:Even\nboth = rules:Share")
    assert refusal(PluginError, lambda: load("both")) == (
        "'both' is claimed by rules:Even of twice 1.0 and rules:Share of twice 1.0; "
        "uninstall one, or write module:Name"
    )


def test_a_distribution_found_at_two_places_is_no_clash(install: Install) -> None:
    install("my-rules", ENTRIES, rules=RULES)
    assert label(load("even")) == "even"


def test_a_distribution_without_metadata_can_be_used(rules: Path) -> None:
    (rules / "my-rules-1.0.dist-info" / "METADATA").unlink()
    assert origin(load("even")) == "a distribution without metadata"


# --- many ----------------------------------------------------------------------------------------


def test_a_broken_plugin_does_not_take_the_others_down(install: Install) -> None:
    install("bad-dist", {"bad": "bad:Rule", "needy": "rules:Needy"}, bad="1 / 0")
    everything, failures = load_each()
    assert set(ENTRIES) <= set(everything)
    assert {"bad", "needy"} <= set(failures)
    assert isinstance(failures["bad"], PluginError)
    some, failures = load_each(["share", "bad", "even()", "share", "share(kappa=0.5)"])
    assert list(some) == ["share", "even"]
    assert list(failures) == ["bad"]


@pytest.mark.parametrize("spec", ["shar", "share(kapa=1)", "share(kappa=2)", "rules:Needy"])
def test_a_mistake_of_the_user_is_said_at_once(spec: str) -> None:
    refusal(UsageError, lambda: load_each(["even", spec]))
    refusal(DataError, lambda: load_each(["even", "./nowhere.py:Rule"]))


def test_objects_are_taken_as_they_are() -> None:
    def rule(epoch: Any) -> Any:
        return epoch

    mechanisms, failures = load_each([rule, "even", Local(size=2), rule, Local(size=2)])
    assert mechanisms == {
        "rule": rule,
        "even": load("even"),
        f"{HERE}:Local(size=2)": Local(size=2),
    }
    assert not failures
    assert label(partial(rule)) == "functools:partial"


@pytest.mark.parametrize("thing", [5, None, object()])
def test_objects_that_cannot_be_called_are_refused(thing: Any) -> None:
    assert "is no mechanism" in refusal(UsageError, lambda: load_each([thing]))


def test_a_class_is_no_mechanism_before_it_is_made() -> None:
    assert (
        refusal(UsageError, lambda: load_each([cast(Any, Local)]))
        == "Local is a class; write Local()"
    )


def test_a_single_string_is_no_list() -> None:
    assert refusal(UsageError, lambda: load_each("even")).endswith("write ['even']")


def test_two_mechanisms_of_one_label_are_refused() -> None:
    data = np.arange(2000)
    pairs: list[list[Any]] = [
        ["rules:Plain(size=1)", "rules:Plain(size=2)"],
        [lambda epoch: epoch, lambda epoch: -epoch],
        [Local(data=data), Local(data=np.where(data == 1000, 0, data))],
    ]
    for pair in pairs:
        assert "two different mechanisms" in refusal(UsageError, partial(load_each, pair))
    assert len(load_each(["rules:Plain(size=1)"] * 2)[0]) == 1


# --- labels --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Local:
    size: float = 0.5
    count: int = 0
    name: str = "x"
    on: bool = True
    kind: Literal[1, "one"] = 1
    maybe: float | None = None
    pair: tuple[float, str] = (0, "")
    many: tuple[tuple[int, ...], ...] = ()
    data: Any = 0
    inner: Callable[[Any], Any] | None = None

    def __call__(self, epoch: Any) -> Any:
        return epoch


HERE = Local.__module__
numbers = st.floats() | st.integers(-(10**30), 10**30)
scalars = numbers | st.booleans() | st.none() | st.text()
local: st.SearchStrategy[Local] = st.deferred(
    lambda: st.builds(
        Local,
        size=numbers | st.floats().map(np.float64),
        count=st.integers() | st.integers(-100, 100).map(np.int64),
        name=st.text(),
        on=st.booleans(),
        kind=st.sampled_from([1, "one"]),
        maybe=st.none() | numbers,
        pair=st.tuples(numbers, st.text()),
        many=st.lists(st.lists(st.integers()).map(tuple)).map(tuple),
        data=st.recursive(scalars, lambda inside: st.lists(inside).map(tuple), max_leaves=5),
        inner=st.none() | st.just(math.sqrt) | local,
    )
)


@given(local)
@example(Local(size=-0.0))
@example(Local(name="\ud800'\"\n\\"))
@example(Local(inner=Local(inner=math.sqrt)))
def test_a_label_loads_what_has_that_label(mechanism: Local) -> None:
    written = label(mechanism)
    if len(written) > 2000:
        return
    again = load(written)
    assert label(again) == written
    assert again == mechanism or "nan" in written
    assert written.splitlines() == [written]


def test_a_label_shows_what_no_spec_can_say_on_one_line() -> None:
    assert label(Local(data=np.eye(2))) == f"{HERE}:Local(data=array([[1., 0.], [0., 1.]]))"
    refusal(UsageError, lambda: load(label(Local(data={}))))
