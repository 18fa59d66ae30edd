"""Small data files and the rows that `datasets` reads from them: tests/golden/data/files.json.

Where Python's json (of a repeated name the last value counts) and datasets (which refuses the
file) differ, the rows are Python's; such cases say so.

usage: python tools/goldens/data_files.py
"""
import base64
import gzip
import json
import logging
import pathlib
import tempfile

import datasets

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/data/files.json"

FILES = {
    "lines.jsonl": b'{"prompt": "x"}\n{"prompt": "y"}\n',
    "no_last_newline.jsonl": b'{"prompt": "x"}\n{"prompt": "y"}',
    "crlf.jsonl": b'{"prompt": "x"}\r\n{"prompt": "y"}\r\n',
    "cr.jsonl": b'{"prompt": "x"}\r{"prompt": "y"}\r',
    "blank_lines.jsonl": b'\n{"prompt": "x"}\n\n \n{"prompt": "y"}\n\n',
    "mark.jsonl": b'\xef\xbb\xbf{"prompt": "x"}\n',
    "nan.jsonl": b'{"prompt": "x", "score": NaN}\n{"prompt": "y", "score": 1}\n',
    "infinity.jsonl": b'{"prompt": "x", "score": -Infinity}\n{"prompt": "Infinity NaN", "score": Infinity}\n',
    "nan_in_text.jsonl": b'{"prompt": "NaN", "score": NaN}\n',
    "wide.jsonl": b'{"prompt": "x", "id": 123456789012345678901234567890}\n',
    "two_in_a_line.jsonl": b'{"prompt": "x"} {"prompt": "y"}\n{"prompt": "} {"}\n',
    "joined.jsonl": b'{"prompt": "x"}{"prompt": "y"}\n',
    "list.json": b'[{"prompt": "x"}, {"prompt": "y"}]',
    "list_a_row_a_line.json": b'[{"prompt": "x"},\n{"prompt": "y"}]\n',
    "list_laid_out.json": b'[\n  {\n    "prompt": "x",\n    "tags": ["a", "]", {"k": [1]}]\n  },\n  {\n    "prompt": "y",\n    "tags": []\n  }\n]\n',
    "list_with_mark.json": b'\xef\xbb\xbf[{"prompt": "x"}]\n',
    "list_after_space.json": b'\n  [{"prompt": "x"}]\n',
    "list_crlf.json": b'[\r\n{"prompt": "x"},\r\n{"prompt": "y"}\r\n]\r\n',
    "list_in_a_jsonl.jsonl": b'[{"prompt": "x"}]\n',
    "strings.json": b'["x", "y \\u00e9"]',
    "laid_out.json": b'{\n  "prompt": "x"\n}\n{\n  "prompt": "y"\n}\n',
    "laid_out_list_inside.json": b'{"prompt": "x", "tags": [\n1,\n2]}\n{"prompt": "y", "tags": []}\n',
    "one_object.json": b'{\n  "prompt": "x"\n}\n',
    "escapes.jsonl": '{"prompt": "a\\n\\"b\\" \\\\ \\ud83d\\ude00 \u2028 \u0085 \u00e9"}\n{"prompt": "z"}\n'.encode(),
    "zero.jsonl": b'{"prompt": "a\\u0000b"}\n',
    "packed.jsonl.gz": gzip.compress(b'{"prompt": "x"}\n{"prompt": "y"}\n', mtime=0),
    "packed_list.json.gz": gzip.compress(b'[{"prompt": "x"}]', mtime=0),
}
# A list that datasets takes apart only when nothing stands before it, and names that are twice there.
PYTHON = {
    "twice.jsonl": b'{"prompt": "x", "prompt": "y"}\n{"prompt": "z"}\n',
    "twice_inside.jsonl": b'{"prompt": "x", "more": {"a": 1, "a": 2}}\n',
    "twice_by_escape.jsonl": b'{"prompt": "x", "pr\\u006fmpt": "y"}\n',
}


def by_datasets(name, data, folder):
    path = folder / name
    path.write_bytes(data)
    rows = datasets.load_dataset("json", data_files=str(path), split="train",
                                 cache_dir=str(folder / "cache" / name))
    return [row.get("prompt", row.get("text")) for row in rows.to_list()]


def main():
    logging.disable(logging.CRITICAL)
    datasets.disable_progress_bars()
    cases = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for file, data in FILES.items():
            rows = by_datasets(file, data, folder)
            cases.append({"file": file, "bytes": base64.b64encode(data).decode(), "rows": rows})
    for file, data in PYTHON.items():
        rows = [json.loads(line)["prompt"] for line in data.decode().splitlines()]
        cases.append({"file": file, "bytes": base64.b64encode(data).decode(), "rows": rows,
                      "by": "json"})
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"datasets": datasets.__version__, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
