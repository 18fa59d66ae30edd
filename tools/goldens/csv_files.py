"""Tables of text and the rows that `datasets` reads from them: tests/golden/data/csv.json.

The hand-made ones go through datasets.load_dataset("csv"); the drawn ones through the call of pandas
that it makes, with dtype=str: the tables' fields are read as texts here, whatever a whole column
looks like. Rows are null where the file must be refused: pandas fails, or takes a field too many for
the row's name.

Line ends are drawn as LF and CRLF only: after a CR alone pandas loses a row that begins with a
separator.

usage: python tools/goldens/csv_files.py [CASES [SEED [OUT]]]
"""
import base64
import io
import json
import logging
import pathlib
import random
import sys
import tempfile

import datasets
import pandas

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/data/csv.json"

FILES = {
    "plain.csv": "prompt,completion\nq,a\n",
    "line_ends.csv": 'prompt,completion\r\n"q\r\nr\ns",a\r\n',
    "cr.csv": "prompt,completion\rq,a\rq2,a2",
    "quotes.csv": 'prompt,completion\n"a ""x"", b",say "hi"\n"x"y"z,"\'"\n',
    "missing.csv": 'prompt,completion\nNA,None\nx,""\nnull,n/a\n Na,nil\nshort\n',
    "blank.csv": "\n\nprompt,completion\n\na,b\n  \n,\n",
    "twice.csv": "p,p,p.1,p\na,b,c,d\n",
    "unnamed.csv": ",p,\nax,bx,cx\n",
    "mark.csv": "\ufeffprompt,c\nax,b\n",
    "mark_quoted.csv": '\ufeff"p,q",c\nax,b\n',
    "spaces.csv": " p , c\n a , b \n",
    "escapes.csv": 'p,c\na\\nb,\u00e9 \U0001f600 \u2028 \x0c\n',
    "too_many.csv": "p,c\na,b\na,b,c\n",
    "open_quote.csv": 'p,c\n"a,b\n',
    "names_of_rows.csv": "p,c\na,b,c\nd,e,f\n",
    "tabs.tsv": 'p\tc\na,b\t"d\te"\n',
}
PIECES = ["a", "b,", ",", '"', '""', "\n", "\r\n", " ", "NA", "x y", "null", "\t", "1", "\u00e9",
          '"q",', ',"r\ns"', ',""', "'", "\n\n"]


def by_pandas(data, separator):
    try:
        table = pandas.read_csv(io.BytesIO(data), sep=separator, dtype=str)
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, ValueError):
        return None
    if not isinstance(table.index, pandas.RangeIndex):
        return None
    return [{k: None if pandas.isna(v) else v for k, v in zip(table.columns, row)}
            for row in table.itertuples(index=False, name=None)]


def by_datasets(name, data, folder):
    (folder / name).mkdir()
    path = folder / name / name
    path.write_bytes(data)
    try:
        rows = datasets.load_dataset(str(folder / name), split="train",
                                     cache_dir=str(folder / "cache" / name)).to_list()
    except (datasets.exceptions.DatasetGenerationError, ValueError):
        return None
    return None if rows and "__index_level_0__" in rows[0] else rows


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    draw = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    out = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else OUT
    logging.disable(logging.CRITICAL)
    datasets.disable_progress_bars()
    cases = []
    with tempfile.TemporaryDirectory() as name:
        for file, text in FILES.items():
            data = text.encode()
            rows = by_datasets(file, data, pathlib.Path(name))
            own = by_pandas(data, "\t" if file.endswith(".tsv") else ",")
            assert rows == own, (file, rows, own)
            cases.append((file, data, rows))
    for i in range(count):
        columns = draw.randint(1, 3)
        text = ",".join(f"c{j}" for j in range(columns)) + draw.choice(["\n", "\r\n"])
        text += "".join(draw.choice(PIECES) for _ in range(draw.randint(1, 12)))
        data = text.encode()
        cases.append((f"drawn_{i}.csv", data, by_pandas(data, ",")))
    written = [{"file": file, "bytes": base64.b64encode(data).decode(), "rows": rows}
               for file, data, rows in cases]
    out.write_text(json.dumps({"datasets": datasets.__version__, "pandas": pandas.__version__,
                               "cases": written}, indent=1) + "\n")


if __name__ == "__main__":
    main()
