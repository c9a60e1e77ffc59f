from __future__ import annotations

import csv
import itertools
import math
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trilemma.errors import DataError
from trilemma.importers import Network, edges, limits, read

EDGES = "from,to,value\nann,x,2\nbob,y,0.5\nann,y,3\n"
STAKES = "id,stake\nbob,10\neve,0\nann,7\n"


def written(folder: Path, links: str | bytes = EDGES, stakes: str | bytes = STAKES) -> list[Path]:
    paths = [folder / "edges.csv", folder / "stakes.csv"]
    for path, content in zip(paths, (links, stakes), strict=True):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return paths


def refused(paths: list[Path]) -> str:
    """Return the message of the refusal, after checking what every refusal must be."""
    with pytest.raises(DataError) as caught:
        read(paths)
    message = str(caught.value)
    assert caught.value.exit_code == 3
    assert message.isprintable()
    assert message.startswith(tuple(path.name for path in paths))
    assert len(message) < 500
    return message


def check_small(network: Network) -> None:
    assert network.name == "edges.csv"
    assert network.stake.dtype == np.int64
    assert network.stake.tolist() == [[10, 0, 7]]
    assert network.weights.dtype == np.float64
    assert network.weights.flags.c_contiguous
    assert network.weights.tolist() == [[[0, 0.5], [0, 0], [2, 3]]]


def test_validators_keep_the_stakes_order_and_miners_that_of_first_appearance(
    tmp_path: Path,
) -> None:
    check_small(read(written(tmp_path)))


def test_files_come_in_any_order_under_any_name(tmp_path: Path) -> None:
    links, stakes = written(tmp_path)
    check_small(read([str(stakes), str(links)]))
    network = read([stakes.rename(tmp_path / "a.npz"), links.rename(tmp_path / "b")])
    assert network.name == "b"
    assert network.stake.tolist() == [[10, 0, 7]]


def test_columns_come_in_any_order(tmp_path: Path) -> None:
    turned = "value,from,to\n2,ann,x\n0.5,bob,y\n3,ann,y\n", "stake,id\n10,bob\n0,eve\n7,ann\n"
    check_small(read(written(tmp_path, *turned)))


def test_a_byte_order_mark_other_line_ends_and_blank_lines_change_nothing(tmp_path: Path) -> None:
    links = b"\xef\xbb\xbf" + EDGES.replace("\n", "\r\n\r\n").encode()
    stakes = b"\xef\xbb\xbf" + STAKES.rstrip("\n").encode()
    check_small(read(written(tmp_path, links, stakes)))


def test_only_the_start_of_a_file_has_a_byte_order_mark(tmp_path: Path) -> None:
    stakes = STAKES + "\ufeffann,4\n"
    assert read(written(tmp_path, stakes=stakes)).stake.tolist() == [[10, 0, 7, 4]]


def test_quoted_fields_are_read_as_csv_means_them(tmp_path: Path) -> None:
    links = '"from","to","value"\n"a,""b""\nc",x,"1"\n'
    stakes = '"id","stake"\n"a,""b""\nc","4"\n'
    assert read(written(tmp_path, links, stakes)).weights.tolist() == [[[1]]]


IDS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=5
)
AMOUNTS = st.one_of(
    st.floats(min_value=0, allow_infinity=False, allow_nan=False), st.integers(0, 2**63 - 1)
)


@st.composite
def sparse(
    draw: st.DrawFn,
) -> tuple[dict[str, float | int], dict[tuple[str, str], float | int]]:
    stakes = draw(st.dictionaries(IDS, AMOUNTS, min_size=1, max_size=5))
    pairs = st.tuples(st.sampled_from(list(stakes)), IDS)
    return stakes, draw(st.dictionaries(pairs, AMOUNTS, min_size=1, max_size=12))


@given(sparse())
@settings(deadline=None)
def test_a_sparse_network_that_csv_writes_is_read_back_equal(
    tmp_path_factory: pytest.TempPathFactory,
    network: tuple[dict[str, float | int], dict[tuple[str, str], float | int]],
) -> None:
    stakes, said = network
    folder = tmp_path_factory.mktemp("edges")
    links, held = folder / "edges.csv", folder / "stakes.csv"
    for path, header, rows in (
        (links, ("from", "to", "value"), [(*pair, value) for pair, value in said.items()]),
        (held, ("id", "stake"), list(stakes.items())),
    ):
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
    got = read([held, links])
    miners = list(dict.fromkeys(to for _, to in said))
    expected = [
        [float(said.get(pair, 0)) for pair in group]
        for group in ([(validator, miner) for miner in miners] for validator in stakes)
    ]
    assert got.weights.tolist() == [expected]
    assert got.stake.tolist() == [list(stakes.values())] or got.stake.dtype == np.float64
    np.testing.assert_array_equal(got.stake[0].astype(float), [float(s) for s in stakes.values()])


@pytest.mark.parametrize(
    ("texts", "expected", "dtype"),
    [
        (("9007199254740993", "1"), [9007199254740993, 1], np.int64),
        (("9223372036854775807", "0"), [2**63 - 1, 0], np.int64),
        (("9223372036854775808", "0"), [2.0**63, 0], np.float64),
        (("1e3", "5.0"), [1000, 5], np.int64),
        (("1e30", "5"), [1e30, 5], np.float64),
        (("2.5", "5"), [2.5, 5], np.float64),
        ((" 7 ", "+5"), [7, 5], np.int64),
        (("0" * 5000 + "8", "-0.0"), [8, 0], np.int64),
    ],
)
def test_stakes_stay_whole_when_all_of_them_are(
    tmp_path: Path, texts: tuple[str, str], expected: list[float], dtype: type
) -> None:
    stakes = f"id,stake\nann,{texts[0]}\nbob,{texts[1]}\n"
    got = read(written(tmp_path, stakes=stakes)).stake
    assert got.dtype == dtype
    assert got.tolist() == [expected]


def test_one_file_without_the_other_is_refused_with_the_way_to_pass_both(tmp_path: Path) -> None:
    links, stakes = written(tmp_path)
    both = "pass both: --network edges.csv --network stakes.csv"
    assert refused([links]) == f"edges.csv: the file of stakes (id,stake) is missing; {both}"
    assert refused([stakes]) == f"stakes.csv: the file of edges (from,to,value) is missing; {both}"


def test_a_third_file_is_refused(tmp_path: Path) -> None:
    links, stakes = written(tmp_path)
    assert refused([links, links]).startswith("edges.csv: a second file of edges, after edges.csv")
    assert refused([stakes, links, stakes]).startswith("stakes.csv: a second file of stakes")


def test_an_archive_among_the_files_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", stake=[1], weights=[[1]])
    links, _ = written(tmp_path)
    assert "an .npz is a whole network" in refused([tmp_path / "a.npz", links])


def test_local_trust_and_pre_trust_are_edges_and_stakes(tmp_path: Path) -> None:
    links = "i,j,v\nann,x,2\nbob,y,0.5\nann,y,3\n"
    check_small(read(written(tmp_path, links, "i,v\nbob,10\neve,0\nann,7\n")))
    check_small(read(written(tmp_path, links, STAKES)))


def test_who_has_no_pre_trust_has_no_stake(tmp_path: Path) -> None:
    links = "v,i,j\n2,ann,x\n1,zoe,x\n3,zoe,y\n"
    network = read(written(tmp_path, links, "i,v\nann,7\n"))
    assert network.validator_names == ("ann", "zoe")
    assert network.stake.tolist() == [[7, 0]]
    assert network.weights.tolist() == [[[2, 0], [1, 3]]]


def test_local_trust_alone_is_refused_with_the_way_to_pass_both(tmp_path: Path) -> None:
    links, stakes = written(tmp_path, "i,j,v\nann,x,2\n", "i,v\nann,2\n")
    assert "the file of stakes (id,stake) is missing" in refused([links])
    assert "the file of edges (from,to,value) is missing" in refused([stakes])


def test_a_few_lines_that_would_fill_the_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = written(tmp_path)
    monkeypatch.setattr(limits, "FREE_GROWTH", 8 * 6)
    check_small(read(paths))
    monkeypatch.setattr(limits, "FREE_GROWTH", 8 * 6 - 1)
    monkeypatch.setattr(limits, "MOST_GROWTH", 0)
    assert "3 validators by 2 miners: 68 bytes would unfold to 48, as those of a" in refused(paths)


def test_too_many_ids_are_refused_at_the_line_that_adds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edges, "MOST_IDS", 2)
    assert refused(written(tmp_path)).startswith("stakes.csv:4: too large; at most 2 ids")


FAULTY_EDGES = {
    "empty": ("", ": an empty file; expected an .npz"),
    "only a header": ("from,to,value\n", ": no rows; expected an edge from,to,value"),
    "no header": ("ann,x,2\n", ": an unknown format; expected an .npz with the arrays"),
    "semicolons": ("from;to;value\nann;x;2\n", ": an unknown format; expected"),
    "column missing": (
        "from,to\nann,x\n",
        ":1: expected the columns from,to,value, got ['from', 'to']",
    ),
    "column renamed": ("from,to,weight\nann,x,2\n", ":1: expected the columns from,to,value, got"),
    "column added": ("from,to,value,block\n", ":1: expected the columns from,to,value, got"),
    "column twice": ("from,from,to,value\n", ":1: expected the columns from,to,value, got"),
    "field missing": ("from,to,value\nann,x\n", ":2: expected from,to,value, none empty, got"),
    "field added": ("from,to,value\nann,x,2,3\n", ":2: expected from,to,value, none empty"),
    "fields added": ("from,to,value\nann" + ",x" * 9999, ":2: expected from,to,value, none"),
    "from empty": ("from,to,value\n,x,2\n", ":2: expected from,to,value, none empty, got ['',"),
    "to empty": ("from,to,value\nann,,2\n", ":2: expected from,to,value, none empty"),
    "value empty": ("from,to,value\nann,x,\n", ":2: expected from,to,value, none empty"),
    "unknown validator": (
        EDGES + "zoe,x,1\n",
        ":5: from 'zoe' has no row in stakes.csv; add its stake",
    ),
    "blank is not the same id": ("from,to,value\n ann,x,2\n", ":2: from ' ann' has no row in"),
    "edge twice": (EDGES + "ann,x,2\n", ":5: edge from 'ann' to 'x' a second time; keep one row"),
    "zero twice": ("from,to,value\nann,x,0\nann,x,0\n", ":3: edge from 'ann' to 'x' a second"),
    "nan": ("from,to,value\nann,x,nan\n", ":2: expected a finite number, not negative, got 'nan'"),
    "infinity": ("from,to,value\nann,x,Infinity\n", ":2: expected a finite number, not negative"),
    "overflow": ("from,to,value\nann,x,1e999\n", ":2: expected a finite number, not negative"),
    "negative": (EDGES + "eve,x,-0.1\n", ":5: expected a finite number, not negative, got '-0.1'"),
    "word": ("from,to,value\nann,x,much\n", ":2: expected a finite number, not negative, got 'm"),
    "hex": ("from,to,value\nann,x,0x10\n", ":2: expected a finite number, not negative, got '0x"),
    "underscore": ("from,to,value\nann,x,1_0\n", ":2: expected a finite number, not negative"),
    "formula": ("from,to,value\nann,x,=1+1\n", ":2: expected a finite number, not negative"),
    "long number": (f"from,to,value\nann,x,{'9' * 5000}\n", ":2: expected a finite number, not"),
    "escapes": ("from,to,value\n\x1b[2Jann,x,1\n", ":2: from '\\x1b[2Jann' has no row in"),
    "id over lines": ('from,to,value\n"a\nb",x,1\n', ":3: from 'a\\nb' has no row in stakes.csv"),
    "long id": (f"from,to,value\n{'a' * 60_000},x,1\n", ":2: from 'aaaaaaaaaaaaaaa"),
    "long line": (f"from,to,value\n{'a' * 70_000},x,1\n", ":2: a line longer than 65,536 bytes"),
    "long header": ("from,to,value" + "," * 70_000, ":1: a line longer than 65,536 bytes"),
    "open quote": ('from,to,value\n"ann,x,1\n', ":2: unexpected end of data"),
    "open quote far on": (
        'from,to,value\n"' + ("a" * 1000 + "\n") * 200,
        ": field larger than field limit (131072)",
    ),
    "odd quote": ('from,to,value\n"ann"?,x,1\n', ":2: ',' expected after '\"'"),
    "old line ends": ("from,to,value\rann,x,1\r", ":1: new-line character seen in unquoted field"),
    "NUL": (EDGES + "ann,\0,1\n", ":5: a NUL byte; expected text in UTF-8"),
    "latin-1": (EDGES.encode() + b"ann,\xe9,1\n", ":5: invalid continuation byte; expected text"),
    "utf-16": (EDGES.encode("utf-16"), ": an unknown format; expected an .npz"),
    "junk": (bytes(range(256)) * 20, ": an unknown format; expected an .npz"),
    "junk below": (
        b"from,to,value\n\xff\x9d\x81",
        ":2: invalid start byte; expected text in UTF-8",
    ),
}
FAULTY_STAKES = {
    "empty": ("", ": an empty file; expected an .npz"),
    "only a header": ("id,stake", ": no rows; expected a validator's id,stake on each"),
    "column missing": ("id\nann\n", ":1: expected the columns id,stake, got ['id']"),
    "column added": ("id,stake,name\n", ":1: expected the columns id,stake, got"),
    "id twice": (STAKES + "bob,10\n", ":5: id 'bob' a second time; keep one row"),
    "id empty": ("id,stake\n,1\n", ":2: expected id,stake, none empty, got ['', '1']"),
    "field added": ("id,stake\nann,1,000\n", ":2: expected id,stake, none empty, got ['ann', '1'"),
    "nan": ("id,stake\nann,NaN\n", ":2: expected a finite number, not negative, got 'NaN'"),
    "negative": ("id,stake\nann,-1\n", ":2: expected a finite number, not negative, got '-1'"),
    "word": ("id,stake\nann,1 TAO\n", ":2: expected a finite number, not negative, got '1 TAO'"),
    "NUL": ("id,stake\nann,1\0\n", ":2: a NUL byte; expected text in UTF-8"),
    "bad encoding": (b"id,stake\n\xfc,1\n", ":2: invalid start byte; expected text in UTF-8"),
}


@pytest.mark.parametrize(("content", "reason"), FAULTY_EDGES.values(), ids=FAULTY_EDGES)
def test_faulty_edges_are_refused_with_file_and_line(
    tmp_path: Path, content: str | bytes, reason: str
) -> None:
    message = refused(written(tmp_path, links=content))
    assert message.startswith("edges.csv:")
    assert reason in message


@pytest.mark.parametrize(("content", "reason"), FAULTY_STAKES.values(), ids=FAULTY_STAKES)
def test_faulty_stakes_are_refused_with_file_and_line(
    tmp_path: Path, content: str | bytes, reason: str
) -> None:
    message = refused(written(tmp_path, stakes=content))
    assert message.startswith("stakes.csv" + reason)


@given(st.binary(max_size=200), st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_under_good_headers_are_read_or_refused_but_never_crash(
    tmp_path_factory: pytest.TempPathFactory, links: bytes, stakes: bytes
) -> None:
    folder = tmp_path_factory.mktemp("edges")
    paths = written(folder, b"from,to,value\n" + links, b"id,stake\n" + stakes)
    try:
        read(paths)
    except DataError:
        refused(paths)


def test_more_pairs_than_memory_should_hold_are_refused_at_the_line_that_adds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = written(tmp_path)
    monkeypatch.setattr(edges, "MOST_NUMBERS", 6)
    check_small(read(paths))
    monkeypatch.setattr(edges, "MOST_NUMBERS", 5)
    assert refused(paths).startswith("edges.csv:3: too large; at most 5 pairs of validator and")


@pytest.mark.parametrize("start", [b"", b"from,to,value\n", b'from,to,value\n"'])
def test_a_file_that_is_one_long_line_is_refused_fast_and_in_little_memory(
    tmp_path: Path, start: bytes
) -> None:
    paths = written(tmp_path, start + b"," * 2**24)
    begin = time.perf_counter()
    tracemalloc.start()
    refused(paths)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6
    assert time.perf_counter() - begin < 2


def test_a_dense_network_of_256_by_256_is_read_back_equal(tmp_path: Path) -> None:
    said = (f"v{i},m{j},{i + j}" for i, j in itertools.product(range(256), repeat=2))
    links = "from,to,value\n" + "\n".join(said)
    stakes = "id,stake\n" + "\n".join(f"v{i},{i}" for i in range(256))
    network = read(written(tmp_path, links, stakes))
    np.testing.assert_array_equal(network.weights[0], np.add.outer(np.arange(256), np.arange(256)))
    assert math.fsum(network.stake[0]) == 255 * 128
