from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trilemma.errors import UsageError
from trilemma.specs import Spec, bind, parameters, parse, signature, write

if TYPE_CHECKING:
    from trilemma.model import Mechanism

REFUSED = r"""
()
share(
share)
share()()
share(1)
share(*x)
share(**{'kappa': 1})
share(kappa=1, kappa=1)
share(kappa=)
share(kappa=1).real
share(kappa=1) or even
share kappa=1
share(kappa=1+1)
share(kappa=not 1)
share(kappa=--1)
share(kappa=-True)
share(kappa=-'1')
share(kappa=-even)
share(kappa=1j)
share(kappa=b'1')
share(kappa=...)
share(kappa=f'{1}')
share(kappa=[1])
share(kappa={})
share(kappa=(even,))
share(kappa=(*x,))
share(kappa=[x for x in (1,)])
share(kappa=(x := 1))
share(kappa=lambda: 1)
share(kappa=math.pi)
share(kappa=().__class__)
share(kappa=even.__class__())
share(kappa=even(1))
share(kappa=__import__('os').system('x'))
__import__('os').system('x')
lambda: 0
./file.py
./file.py:
./file.py:1x
./file.py:X(1)
:X
a..b:X
../x:Y
""".strip().splitlines()
LONG = [
    "(" * 10_000,
    "share(kappa=" + "(" * 10_000 + "1" + ")" * 10_000 + ")",
    "share(kappa=" + "(" * 900 + ")" * 900 + ")",
    "share(kappa=" + "(" * 150 + "1" + ",)" * 150 + ")",
    "share(kappa=" + "-" * 1900 + "1)",
    "share(kappa=" + "not " * 400 + "1)",
    "share(kappa=x" + ".x" * 900 + ")",
    "share(kappa=" + "lambda:" * 250 + "1)",
    "share(kappa=" + "9" * 1900 + "e)",
    "capped(inner=" * 90 + "even" + ")" * 90,
]
ODD: list[Any] = [
    "",
    " ",
    "share(kappa=1)\nimport os",
    "share(kappa=\0)",
    "share(kappa=\udc80)",
    "nul\0l.py:Rule",
    "two\nlines.py:Rule",
    5,
    None,
    b"even",
    ["even"],
]


@pytest.mark.parametrize("text", REFUSED + LONG + ODD)
def test_text_that_is_no_spec_is_refused_on_one_line(text: Any) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert str(caught.value).isprintable()


@given(st.text(alphabet="ab.py:(=)', -1\"\\\n\0é") | st.text())
def test_any_text_is_a_spec_or_refused_on_one_line(text: str) -> None:
    try:
        said = parse(text).head
    except UsageError as error:
        said = str(error)
    assert said.isprintable()


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("yuma", Spec("yuma")),
        (" my-rule.2 ( ) ", Spec("my-rule.2")),
        ("a.b:C.d(x=-1)", Spec("a.b:C.d", (("x", -1),))),
        ("./a b.py:C(x=(1, 'y', (None,)))", Spec("./a b.py:C", (("x", (1, "y", (None,))),))),
        ("old(1)/a.py:C", Spec("old(1)/a.py:C")),
        ("old(x=1)/a.py:C(x=1)", Spec("old(x=1)/a.py:C", (("x", 1),))),
        ("a.py:b/c.py:D", Spec("a.py:b/c.py:D")),
        ("f(x='./a.py:C(y=1)')", Spec("f", (("x", "./a.py:C(y=1)"),))),
        ("f(x=g, y=h(z=True))", Spec("f", (("x", Spec("g")), ("y", Spec("h", (("z", True),)))))),
        ("f(\n  x=1,\n  y=-inf,\n)", Spec("f", (("x", 1), ("y", -math.inf)))),
        (r"f(x='\d')", Spec("f", (("x", r"\d"),))),
    ],
)
def test_a_spec_is_read(text: str, spec: Spec) -> None:
    assert parse(text) == spec


def test_mechanisms_may_be_nested_twenty_deep() -> None:
    assert str(parse("f(x=" * 20 + "g" + ")" * 20)).count("f(") == 20
    with pytest.raises(UsageError, match="more than 20 deep"):
        parse("f(x=" * 21 + "g" + ")" * 21)


scalars = st.floats() | st.integers() | st.booleans() | st.none() | st.text()
values = st.recursive(scalars, lambda inside: st.lists(inside).map(tuple), max_leaves=5)
heads = st.from_regex(r"[a-z.-]{1,8}|[a-z]:[A-Z]|[ -~]{0,8}\.py:[A-Z]", fullmatch=True)
specs: st.SearchStrategy[Spec] = st.deferred(
    lambda: st.builds(
        Spec,
        heads.filter(lambda head: head == head.strip()),
        st.dictionaries(st.sampled_from("abc"), values | specs, max_size=3).map(
            lambda given: tuple(given.items())
        ),
    )
)


@given(specs)
def test_what_is_written_reads_back_to_what_is_written_alike(spec: Spec) -> None:
    text = str(spec)
    assert len(text) > 2000 or text.isprintable()
    assert len(text) > 2000 or str(parse(text)) == text


def test_equal_numbers_are_written_alike() -> None:
    assert {write(value) for value in (1, 1.0)} == {"1"}
    assert {write(value) for value in (0, 0.0, -0.0)} == {"0"}
    assert [write(value) for value in (True, "1", (1,))] == ["True", "'1'", "(1,)"]


@dataclass
class Base:
    number: float
    whole: int = 0


@dataclass
class Derived(Base):
    tie: Literal["low", "high"] = "low"
    cut: Optional[float] = None  # noqa: UP045 (the old spelling must work as well)
    pair: tuple[int, str] = (0, "")
    loose: tuple = ()  # type: ignore[type-arg]
    inner: Mechanism | None = None
    other: Callable[..., Any] = print
    anything: Any = field(default_factory=list)
    derived: int = field(default=0, init=False)
    at_start: InitVar[int] = 0


def bound(text: str) -> dict[str, object]:
    return bind(parse(f"rule({text})"), signature(Derived), lambda spec: lambda: spec)


def test_the_signature_of_a_dataclass_has_what_its_constructor_takes() -> None:
    known = signature(Derived)
    assert list(known)[:2] == ["number", "whole"]
    assert not {"derived", "at_start"} & set(known)
    assert known["number"].default is known["number"].empty
    assert known["anything"].default == []
    assert list(parameters(Derived(1.0))) == list(known)


def test_classes_that_do_not_tell_have_no_parameters() -> None:
    assert signature(type) == {}
    assert parameters(len) == {}


@pytest.mark.parametrize(
    "text",
    [
        "whole=-3",
        "tie='high'",
        "cut=None",
        "cut=1",
        "pair=(1, 'x')",
        "loose=(1, ('x',))",
        "inner=g(x=1)",
        "inner='./a.py:G'",
        "other=g",
        "anything=g",
        "anything='g'",
        "anything=(1,)",
    ],
)
def test_a_value_of_the_declared_type_is_taken(text: str) -> None:
    bound(f"number=1, {text}")


@pytest.mark.parametrize(
    "text",
    [
        "number='1'",
        "number=True",
        "number=None",
        "number=g",
        "whole=1.0",
        "whole=False",
        "tie='mid'",
        "tie=g",
        "cut=False",
        "pair=(1,)",
        "pair=('x', 1)",
        "pair=1",
        "loose=1",
        "inner=1",
        "inner=True",
        "inner=(1,)",
        "other=None",
        "derived=1",
        "unknown=1",
    ],
)
def test_a_value_of_another_type_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        bound(text if text.startswith("number") else f"number=1, {text}")
