from __future__ import annotations

import pickle
import pickletools
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from tests.importers.hostile import DTYPE, RECONSTRUCT, name, text
from tests.importers.made import axon, pickled
from trilemma.errors import DataError
from trilemma.importers import instructions, pickles
from trilemma.importers.numeric import array_of

PROTOCOLS = st.integers(2, pickle.HIGHEST_PROTOCOL)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False)
    | st.text()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(-(2**30), 2**30), inner)
        | st.lists(inner, max_size=4).map(tuple)
    ),
    max_leaves=20,
)
DTYPES = (
    stn.boolean_dtypes()
    | stn.integer_dtypes(endianness="?")
    | stn.unsigned_integer_dtypes(endianness="?")
    | stn.floating_dtypes(endianness="?", sizes=(16, 32, 64))
    | stn.unicode_string_dtypes(endianness="?", min_len=1, max_len=9)
)


@given(VALUES, PROTOCOLS)
@settings(deadline=None)
def test_plain_values_are_what_pickle_says_they_are(value: Any, protocol: int) -> None:
    read = pickles.load(pickle.dumps(value, protocol))
    assert read == value
    assert repr(read) == repr(value)


@given(stn.arrays(DTYPES, stn.array_shapes(min_dims=0, min_side=0)), st.booleans(), PROTOCOLS)
@settings(deadline=None)
def test_arrays_are_what_pickle_says_they_are(array: Any, turned: bool, protocol: int) -> None:
    array = array.T if turned else array
    read = array_of(pickles.load(pickle.dumps(array, protocol)))
    assert read is not None
    assert read.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(read, array)


@given(DTYPES.flatmap(lambda dtype: stn.arrays(dtype, 1)), PROTOCOLS)
@settings(deadline=None)
def test_single_numbers_of_numpy_become_plain_ones(array: Any, protocol: int) -> None:
    assume(array[0] != "")  # which numpy keeps in no bytes at all
    read = pickles.load(pickle.dumps(array[0], protocol))
    assert type(read) in (bool, int, float, str)
    assert read == array[0] or array[0] != array[0]


def test_bytes_and_bytearrays_are_read() -> None:
    for protocol in range(3, pickle.HIGHEST_PROTOCOL + 1):
        assert pickles.load(pickle.dumps([b"ab", b"x" * 300], protocol)) == [b"ab", b"x" * 300]
    assert pickles.load(pickle.dumps(bytearray(b"ab"), 5)) == bytearray(b"ab")


def test_what_stands_twice_in_a_value_is_read_once() -> None:
    row = [1]
    held: Any = pickles.load(pickle.dumps([row, row]))
    assert held[0] is held[1]


def test_an_object_of_the_sdk_is_its_name_and_its_state() -> None:
    held: Any = pickles.load(pickled(axon("5Fa", "5Cx")))
    assert type(held) is pickles.Foreign
    assert held.name == "bittensor.core.chain_data.axon_info.AxonInfo"
    assert held.get("hotkey") == "5Fa"
    assert held.get("nothing") is None


def test_an_object_with_slots_has_the_state_of_both() -> None:
    slots = b"\x80\x04" + name("bittensor.x", "Y") + b")\x81}" + text("a") + b"K\x01s}"
    held: Any = pickles.load(slots + text("b") + b"K\x02s\x86b.")
    assert (held.get("a"), held.get("b")) == (1, 2)


def test_an_object_that_is_made_by_a_call_drops_its_arguments() -> None:
    held: Any = pickles.load(b"\x80\x04" + name("bittensor.x", "Y") + b"K\x01\x85R.")
    assert (held.name, held.states) == ("bittensor.x.Y", ())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x80\x02cos\nsystem\n.", "refers to 'os.system', which no network needs; it was not"),
        (b"\x80\x02(ios\nsystem\n.", "byte 3: the instruction INST, which no network needs; noth"),
        (b"\x80\x02\xff.", "byte 2: the instruction 0xff, which no network needs"),
        (b"\x80\x02N0.", "byte 3: the instruction POP, which no network needs; nothing was run"),
        (b"\x80\x02N", "a broken pickle (no end); save it again"),
        (b"\x80\x02J\x00", "a broken pickle (byte 2: too few bytes); save it again"),
        (b"\x80\x02X\xff\xff\xff\xff", "a broken pickle (byte 2: too few bytes)"),
        (b"\x80\x02X\x01", "a broken pickle (byte 2: too few bytes)"),
        (b"\x80\x02cos\n", "a broken pickle (byte 2: too few bytes)"),
        (b"\x80\x04\x95\xff\xff\xff\xff\x00\x00\x00\x00N.", "a broken pickle (byte 2: too few"),
        (b"\x80\x02NN.", "a broken pickle (not one value); save it again"),
        (b"\x80\x02(N.", "a broken pickle (not one value)"),
        (b"\x80\x02N.N", "a broken pickle (not one value)"),
        (b"\x80\x02.", "a broken pickle (not one value)"),
        (b"\x80\x02a.", "a broken pickle (an empty stack)"),
        (b"\x80\x02N(\x85.", "a broken pickle (an empty stack)"),
        (b"\x80\x02t.", "a broken pickle (IndexError: "),
        (b"\x80\x02h\x00.", "a broken pickle (KeyError: "),
        (b"\x80\x02NNa.", "a broken pickle (a value of another type)"),
        (b"\x80\x02}(Nu.", "a broken pickle (ValueError: "),
        (b"\x80\x02})Ns.", "a dict's key is neither text nor a small number"),
        (b"\x80\x02}NNs.", "a dict's key is neither text nor a small number"),
        (b"\x80\x02]}b.", "gives a state to a value that has none; nothing was run"),
        (b"\x80\x02N)R.", "calls what is no name; nothing was run"),
        (b"\x80\x02NNR.", "a broken pickle (arguments that are no short tuple)"),
        (b"\x80\x02NN\x93.", "a broken pickle (a name that is not text)"),
        (b"\x80\x02NQ.", "refers to a storage beside it, and there is none; nothing was run"),
        (b"\x80\x02X\x02\x00\x00\x00\xff\xff.", "a broken pickle (UnicodeDecodeError: "),
        (b"\x80\x04" + DTYPE + b"K\x01\x85R.", "an array of type int; expected numbers or text"),
        (b"\x80\x04" + DTYPE + text("c16") + b"\x85R.", "an array of type 'c16'; expected num"),
        (b"\x80\x04" + RECONSTRUCT + b")R.", "a broken pickle (TypeError: "),
        (
            b"\x80\x04" + name("_codecs", "encode") + text("a") + text("rot13") + b"\x86R.",
            "text that is encoded otherwise than bytes are; nothing was run",
        ),
    ],
)
def test_what_is_no_pickle_of_plain_values_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(DataError) as caught:
        pickles.load(content)
    assert reason in str(caught.value)


def test_records_objects_and_complex_numbers_are_refused() -> None:
    for array in (np.array([{}]), np.zeros(2, "f8,f8"), np.zeros(2, complex), np.zeros(2, "M8[s]")):
        with pytest.raises(DataError, match=r"expected numbers or text"):
            pickles.load(pickle.dumps(array))


def test_the_arguments_of_instructions_are_those_that_pickletools_reads() -> None:
    value = [1, 2**9, 2**17, 2**99, 0.5, "a", "b" * 300, b"c", b"d" * 300, {"e": (1, 2, 3, 4)}]
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        content = pickle.dumps([value, np.arange(9)], protocol)
        ours = list(instructions.read(content))
        theirs = list(pickletools.genops(content))
        assert [place for _, _, place in ours] == [place for _, _, place in theirs]
        for (code, argument, _), (known, other, _) in zip(ours, theirs, strict=True):
            assert chr(code) == known.code
            if known.name == "GLOBAL":
                assert argument == str(other).replace(" ", ".")
            else:
                assert known.name == "FRAME" or argument == other
