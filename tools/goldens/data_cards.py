"""Files that `datasets` takes by the `configs` in a data set's README.md: tests/golden/data/cards.json.

{"cases": [{"readme", "names", "wanted", "files"}]}: names of files below the folder, "" or
"CONFIGURATION/SPLIT" or "SPLIT", and the files in order; null where datasets refuses.

usage: python tools/goldens/data_cards.py
"""
import json
import logging
import pathlib
import tempfile

import datasets

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/data/cards.json"
NAMES = ["a.jsonl", "b.jsonl", "data/train-00000-of-00002.jsonl", "data/train-00001-of-00002.jsonl",
         "data/test.jsonl", "deep/x/one.jsonl", "deep/x/y/two.jsonl", "deep/z.jsonl", ".hidden/c.jsonl",
         "notes.md"]

HEADS = {
    "usual": """
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
  - split: test
    path: data/test.jsonl
""",
    "indented, commented, quoted": """
license: mit  # not read
tags: [a, 'b: c']
description: >
  configs: none
configs:
  - config_name: "one"     # first
    data_files: "a.jsonl"
  - config_name: 'two'
    default: true
    data_files:
      - "b.jsonl"
      - 'a.jsonl'
size_categories:
- n<1K
""",
    "lists of paths": """
configs:
- config_name: all
  data_files:
  - split: train
    path:
    - b.jsonl
    - data/train-00001-of-00002.jsonl
    - "a.jsonl"
  - split: validation
    path: ["data/test.jsonl", 'a.jsonl']
""",
    "in one line": """
configs: [{config_name: main, data_files: [{split: train, path: "deep/**"}, {split: test, path: "*.jsonl"}]}]
""",
    "patterns": """
configs:
- config_name: deep
  data_files: "deep/**/*.jsonl"
- config_name: flat
  data_files: "deep/*.jsonl"
- config_name: letters
  data_files: "[ab].json?"
- config_name: stars
  data_files: "**/t*.jsonl"
""",
    "folders": """
configs:
- config_name: default
  data_dir: data
- config_name: below
  data_dir: deep
  data_files: "x/*.jsonl"
""",
    "nothing matches": """
configs:
- config_name: default
  data_files: c.jsonl
""",
    "no configs": """
license: mit
dataset_info:
  features:
  - name: prompt
    dtype: string
""",
}
WANTED = {
    "usual": ["", "train", "test", "default/test", "validation"],
    "indented, commented, quoted": ["", "one/train", "two/train", "three/train"],
    "lists of paths": ["", "validation"],
    "in one line": ["", "test"],
    "patterns": ["", "deep/train", "flat/train", "letters/train", "stars/train"],
    "folders": ["", "test", "below/train"],
    "nothing matches": [""],
    "no configs": [""],
}


def files_of(folder, wanted):
    name, _, split = wanted.rpartition("/")
    try:
        builder = datasets.load_dataset_builder(str(folder), name=name or None)
        files = builder.config.data_files[split or "train"]
    except (ValueError, FileNotFoundError, KeyError, datasets.exceptions.DatasetNotFoundError):
        return None
    return [str(pathlib.Path(file).relative_to(folder)) for file in files]


def main():
    logging.disable(logging.CRITICAL)
    datasets.disable_progress_bars()
    cases = []
    for title, head in HEADS.items():
        for wanted in WANTED[title]:
            with tempfile.TemporaryDirectory() as name:
                folder = pathlib.Path(name).resolve()
                for file in NAMES:
                    (folder / file).parent.mkdir(parents=True, exist_ok=True)
                    (folder / file).write_text('{"prompt": "x"}\n')
                readme = f"---{head}---\n\n# A data set\n"
                (folder / "README.md").write_text(readme)
                cases.append({"title": title, "readme": readme, "wanted": wanted,
                              "files": files_of(folder, wanted)})
    OUT.write_text(json.dumps({"datasets": datasets.__version__, "names": NAMES, "cases": cases},
                              indent=1) + "\n")


if __name__ == "__main__":
    main()
