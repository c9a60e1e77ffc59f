"""Rows as Parquet, row group by row group."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO, get_type_hints

import pyarrow
from pyarrow.parquet import ParquetWriter

__all__ = ["send_parquet"]

ROWS, BATCHES = 4096, 16  # that are objects of Python at a time; of as many rows, in a group
TYPES = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}


def send_parquet(kind: Any, rows: Iterator[Any], file: BinaryIO) -> None:
    """Write rows of one `NamedTuple` to what takes bytes."""
    schema = pyarrow.schema([_field(name, hint) for name, hint in get_type_hints(kind).items()])
    batches = _batches(schema, rows)
    with ParquetWriter(file, schema) as writer:
        while group := list(islice(batches, BATCHES)):
            writer.write_table(pyarrow.Table.from_batches(group))


def _field(name: str, hint: Any) -> pyarrow.Field:
    [(kind, nullable)] = [(it, hint != it) for it in TYPES if hint in (it, it | None)]
    return pyarrow.field(name, TYPES[kind], nullable)


def _batches(schema: pyarrow.Schema, rows: Iterator[Any]) -> Iterator[pyarrow.RecordBatch]:
    while some := list(islice(rows, ROWS)):
        columns = zip(schema, zip(*some, strict=True), strict=True)
        arrays = [pyarrow.array(values, field.type) for field, values in columns]
        yield pyarrow.record_batch(arrays, schema=schema)
