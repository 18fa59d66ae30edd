"""Small Parquet and Arrow files as `datasets` and pyarrow write them, and their rows as JSON:
tests/golden/data/tables.

Rows are pyarrow's to_pylist; nulls inside of lists and structs are left out there (of a field
`content` they stay), as trl.trainer.utils.remove_none_values leaves them out.

usage: python tools/goldens/data_tables.py
"""
import datetime
import decimal
import json
import logging
import pathlib

import datasets
import numpy
import pyarrow as pa
import pyarrow.parquet as pq

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/data/tables"

CHATS = [
    {"messages": [{"role": "user", "content": "q"},
                  {"role": "assistant", "content": None,
                   "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}]},
                  {"role": "tool", "content": "1", "name": "f"}],
     "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": {"type": "int"}}}},
               {"type": "function", "function": {"name": "g", "parameters": {"b": {"type": "str"}}}}],
     "answer": "7"},
    {"messages": [{"role": "user", "content": "ä \"b\"\n😀"}], "tools": None, "answer": None},
]


def without_nulls(value):
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None or k == "content"}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def plain(value):
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    return value


def rows_of(table):
    return [{name: plain(without_nulls(value)) for name, value in row.items()} for row in table.to_pylist()]


def types():
    return pa.table({
        "prompt": pa.array(["a", None, "c"]),
        "large": pa.array(["x", "y", None], pa.large_string()),
        "dictionary": pa.array(["u", "v", "u"]).dictionary_encode(),
        "flag": pa.array([True, False, None]),
        "i8": pa.array([-128, 127, None], pa.int8()), "u8": pa.array([0, 255, None], pa.uint8()),
        "i64": pa.array([-2**63, 2**63 - 1, 0]), "u64": pa.array([2**64 - 1, 0, None], pa.uint64()),
        "f32": pa.array([0.1, -1.5, None], pa.float32()), "f64": pa.array([0.1, 1e300, -0.0]),
        "list": pa.array([[1, 2], [], None]), "fixed": pa.array([[1, 2], [3, 4], None], pa.list_(pa.int64(), 2)),
        "nested": pa.array([[[1], [2, 3]], [[]], None]),
        "struct": pa.array([{"a": 1, "b": None}, {"a": None, "b": "x"}, None]),
        "map": pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int64())),
        "bytes": pa.array([b"text", b"\xff", None]),
        "nothing": pa.nulls(3),
    })


def rare():
    """Types that Parquet does not have, of Arrow files alone."""
    turns = [[{"role": "user", "content": "q"}], [], None]
    turn = pa.struct([("role", pa.string()), ("content", pa.string())])
    return pa.table({
        "runs": pa.RunEndEncodedArray.from_arrays([2, 3], pa.array(["a", None])),
        "run_of_lists": pa.RunEndEncodedArray.from_arrays(pa.array([1, 3], pa.int16()), pa.array([[1], [2, None]])),
        "list_view": pa.array(turns, pa.list_view(turn)), "large_list_view": pa.array(turns, pa.large_list_view(turn)),
        "string_view": pa.array(["x", None, "longer than twelve bytes"], pa.string_view()),
        "binary_view": pa.array([b"x", b"\xff", None], pa.binary_view()),
        "fixed": pa.array([b"ab", b"\xff\xfe", None], pa.binary(2)),
        "half": pa.array(numpy.array([1.5, 0.1, -2], dtype=numpy.float16)),
        "dense": pa.UnionArray.from_dense(pa.array([0, 1, 0], pa.int8()), pa.array([0, 0, 1], pa.int32()),
                                          [pa.array([7, None]), pa.array(["u"])]),
        "sparse": pa.UnionArray.from_sparse(pa.array([1, 0, 1], pa.int8()),
                                            [pa.array([1, 2, 3]), pa.array(["a", "b", None])]),
    })


def main():
    logging.disable(logging.CRITICAL)
    datasets.disable_progress_bars()
    OUT.mkdir(parents=True, exist_ok=True)
    tables = {}
    chats = datasets.Dataset.from_list(CHATS)
    chats.to_parquet(str(OUT / "chats.parquet"))
    tables["chats.parquet"] = rows_of(pq.read_table(OUT / "chats.parquet"))
    every = types()
    for name, options in {"types_snappy.parquet": {"compression": "snappy"},
                          "types_zstd.parquet": {"compression": "zstd", "data_page_version": "2.0"},
                          "types_groups.parquet": {"compression": "gzip", "row_group_size": 1}}.items():
        pq.write_table(every, OUT / name, **options)
        tables[name] = rows_of(every)
    with pa.OSFile(str(OUT / "types_stream.arrow"), "wb") as sink, pa.ipc.new_stream(sink, every.schema) as writer:
        writer.write_table(every, max_chunksize=2)
    tables["types_stream.arrow"] = rows_of(every)
    with pa.OSFile(str(OUT / "types_file.arrow"), "wb") as sink, pa.ipc.new_file(
            sink, every.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(every)
    tables["types_file.arrow"] = rows_of(every)
    few = rare()
    with pa.OSFile(str(OUT / "rare_stream.arrow"), "wb") as sink, pa.ipc.new_stream(sink, few.schema) as writer:
        writer.write_table(few.slice(1))  # whose runs begin in the middle of one
    tables["rare_stream.arrow"] = rows_of(few.slice(1))
    with pa.OSFile(str(OUT / "rare_file.arrow"), "wb") as sink, pa.ipc.new_file(sink, few.schema) as writer:
        writer.write_table(few)
    tables["rare_file.arrow"] = rows_of(few)
    mixed = datasets.Dataset.from_list(
        [{"prompt": "q", "more": {"k": [1, "a", None]}}], on_mixed_types="use_json")
    mixed.to_parquet(str(OUT / "json.parquet"))
    tables["json.parquet"] = [{"prompt": "q", "more": {"k": [1, "a", None]}}]
    other = pa.table({"when": pa.array([datetime.datetime(2026, 1, 2, 3, 4, 5)], pa.timestamp("us")),
                      "day": pa.array([datetime.date(2026, 1, 2)]),
                      "exact": pa.array([decimal.Decimal("1.50")])})
    pq.write_table(other, OUT / "other.parquet")
    tables["other.parquet"] = [{"when": "2026-01-02 03:04:05.000000", "day": "2026-01-02", "exact": "1.50"}]
    (OUT / "rows.json").write_text(json.dumps(
        {"pyarrow": pa.__version__, "datasets": datasets.__version__, "tables": tables}, indent=1) + "\n")


if __name__ == "__main__":
    main()
