#!/usr/bin/env python3
"""Two specialists into one student: who only adds, and who multiplies, teach the same weights.

    recipes/specialists/run.py --alambic build/release/alambic [--out build/specialists]

Word problems are parted by their calculations: `sums` have only + and -, `products` have a * or a /.
A teacher is trained on each part alone, from random weights. One student then answers problems of
both parts on-policy, each graded by the specialist that the row's `teacher` field names. The table
is exact match on held-out problems of each part.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROBLEMS = HERE.parent / "word_problems"
KINDS = ("sums", "products")


def kind_of(row):
    return "products" if any(sign in row["completion"] for sign in "*/") else "sums"


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path, items):
    path.write_text("".join(json.dumps(item) + "\n" for item in items))


def make_data(data, prompts):
    """train-KIND, valid-KIND and test-KIND; prompts.jsonl names each row's teacher."""
    subprocess.run([sys.executable, PROBLEMS / "generate.py", "--out", data], check=True)
    for split in ("train", "valid", "test"):
        for kind in KINDS:
            write(data / f"{split}-{kind}.jsonl",
                  [row for row in rows(data / f"{split}.jsonl") if kind_of(row) == kind])
    tagged = {split: [{**row, "teacher": kind_of(row)} for row in rows(data / f"{split}.jsonl")]
              for split in ("train", "valid")}
    write(data / "prompts.jsonl", tagged["train"][:prompts])
    write(data / "valid-tagged.jsonl", tagged["valid"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--alambic", type=Path, required=True, help="the executable")
    parser.add_argument("--out", type=Path, default=Path("build/specialists"))
    parser.add_argument("--teacher-steps", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=1000, help="of the distillation")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    out, alambic = args.out.resolve(), args.alambic.resolve()
    data = out / "data"
    make_data(data, prompts=20000)

    def call(*words):
        print("\n$ alambic", *words, flush=True)
        return subprocess.run([alambic, *map(str, words)], check=True, stdout=subprocess.PIPE,
                              text=True).stdout

    def accuracy(model, kind):
        figures = call("eval", "--json", "--model", model, "--data", data / f"test-{kind}.jsonl",
                       "--max-new-tokens", 80, "--threads", args.threads)
        return json.loads(figures)["exact_match"]

    teachers = {}
    for kind in KINDS:
        teachers[kind] = out / kind / "model"
        if teachers[kind].exists():
            continue
        call("init", "--model-config", PROBLEMS / "teacher.json", "--tokenizer",
             PROBLEMS / "tokenizer", "--out", out / f"{kind}-init", "--overwrite")
        call("train", "--config", PROBLEMS / "teacher.toml", "--model", out / f"{kind}-init",
             "--data", data / f"train-{kind}.jsonl", "--valid-data", data / f"valid-{kind}.jsonl",
             "--max-steps", args.teacher_steps, "--threads", args.threads, "--overwrite",
             "--out", out / kind)

    student = out / "student"
    call("distill", "--config", HERE.parent / "word_problems/distill.toml", "--student",
         PROBLEMS / "student", *(w for k in KINDS for w in ("--teacher", f"{k}={teachers[k]}")),
         "--data", data / "prompts.jsonl", "--valid-data", data / "valid-tagged.jsonl",
         "--max-steps", args.steps, "--threads", args.threads, "--overwrite", "--out", student)

    models = {"student, before": PROBLEMS / "student", "student, taught by both": student / "model",
              **{f"specialist in {kind}": teachers[kind] for kind in KINDS}}
    table = {name: {kind: accuracy(model, kind) for kind in KINDS} for name, model in models.items()}
    lines = ["| model | " + " | ".join(KINDS) + " |", "|---|" + "---:|" * len(KINDS)]
    lines += [f"| {name} | " + " | ".join(f"{row[k]:.1%}" for k in KINDS) + " |"
              for name, row in table.items()]
    after = table["student, taught by both"]
    shares = {kind: after[kind] / table[f"specialist in {kind}"][kind] for kind in KINDS}
    lines += ["", "Of its specialist's accuracy the student has " +
              " and ".join(f"{share:.1%} in {kind}" for kind, share in shares.items()) + "."]
    (out / "table.md").write_text("\n".join(lines) + "\n")
    print("\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
