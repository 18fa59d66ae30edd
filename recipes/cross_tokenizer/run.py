#!/usr/bin/env python3
"""A teacher that splits digits teaches students with tokenizers of their own; the same-tokenizer run beside.

    recipes/cross_tokenizer/run.py --alambic build/release/alambic [--steps 200] [--seeds 1 2 3]

Three students of one shape start half-taught, with about as many right completions: the built-in one with
the teacher's tokenizer, one whose tokenizer was made by `tokenizer-train` with single digits, and one whose
numbers are joined ("48" is one token where the teacher has "4" and "8"). Each is then distilled from the
built-in teacher by `span`, by `pieces` and by the teacher's completions; the student with the teacher's
tokenizer by the exact loss. Accuracy is exact match on held-out problems. Writes runs to --out and a
Markdown table to --out/table.md. Finished runs are kept and not repeated.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROBLEMS = HERE.parent / "word_problems"
TEACHER = PROBLEMS / "teacher"

# Students by what their tokenizer does with a number: the pattern of `tokenizer-train` and its size.
TOKENIZERS = {
    "the teacher's": None,
    "single digits": {"pattern": "qwen", "vocab_size": 400},
    "joined digits": {"pattern": "gpt2", "vocab_size": 700},
}
# Steps of references after which they are right as often as the built-in student.
STEPS = {"single digits": 660, "joined digits": 800}
# How each is taught. Policy gradients need smaller steps (recipes/objectives says why).
GIVEN = {"lmbda": 0, "completions_by": "teacher"}
METHODS = {
    "exact, forward KL": {"objective": "forward_kl"},
    "exact, reverse KL": {"objective": "reverse_kl"},
    "pieces, forward KL": {"objective": "forward_kl", "cross_tokenizer": "pieces",
                           "learning_rate": 5e-4},
    "pieces, reverse KL": {"objective": "reverse_kl", "cross_tokenizer": "pieces",
                           "learning_rate": 5e-4},
    "pieces, teacher's completions": {"objective": "forward_kl", "cross_tokenizer": "pieces", **GIVEN},
    "span, own completions": {"objective": "reverse_kl", "cross_tokenizer": "span",
                              "learning_rate": 2e-4},
    "span, teacher's completions": {"objective": "forward_kl", "cross_tokenizer": "span", **GIVEN},
    "sequence-level KD": {"objective": "cross_entropy", **GIVEN},
}


def words(options):
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        yield from [flag] if value is True else [flag, str(value)]


def alambic(args, command, **options):
    print(f"$ alambic {command} {' '.join(words(options))}", flush=True)
    subprocess.run([args.alambic, command, *words(options)], check=True, stdout=subprocess.DEVNULL)


def tokenizer(args, name):
    """The folder of a student's tokenizer."""
    made = TOKENIZERS[name]
    if not made:
        return PROBLEMS / "tokenizer"
    folder = args.out / f"tokenizer-{name.replace(' ', '-')}"
    if not folder.exists():
        alambic(args, "tokenizer-train", data=args.data / "train.jsonl", out=folder, **made)
    return folder


def slug(*names):
    return "-".join(str(name).replace(" ", "-").replace(",", "").replace("'", "") for name in names)


def start(args, name):
    """A student that has begun to understand, and makes many mistakes."""
    if TOKENIZERS[name] is None:
        return PROBLEMS / "student"
    out = args.out / slug("start", name)
    if not (out / "model").exists():
        alambic(args, "init", model_config=PROBLEMS / "student.json", seed=1, overwrite=True,
                tokenizer=tokenizer(args, name), out=args.out / slug("init", name))
        alambic(args, "train", config=PROBLEMS / "student.toml", seed=1, threads=args.threads,
                model=args.out / slug("init", name), data=args.data / "train.jsonl",
                valid_data=args.data / "valid.jsonl", max_steps=STEPS[name], out=out,
                overwrite=True)
    return out / "model"


def accuracy(args, model):
    """The share of the held-out problems that a model answers right; kept beside the model."""
    ours = args.out in Path(model).parents
    kept = Path(model).parent / "accuracy.json" if ours else args.out / f"{model.name}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    done = subprocess.run([args.alambic, "eval", "--json", "--model", model, "--data",
                           args.data / "test.jsonl", "--max-new-tokens", "80", "--threads",
                           str(args.threads)], check=True, stdout=subprocess.PIPE, text=True)
    figure = json.loads(done.stdout)["exact_match"]
    kept.write_text(json.dumps(figure))
    return figure


def taught(args, name, method, seed):
    """A student after a method; its last share of masked tokens with it."""
    out = args.out / slug(name, method, seed)
    if not (out / "model").exists():
        options = {"student": start(args, name), "teacher": TEACHER,
                   "data": args.data / "used.jsonl", "max_steps": args.steps, "batch_size": 64,
                   "learning_rate": 2e-3, "lr_schedule": "linear", "min_lr_ratio": 0.05,
                   "warmup_steps": 5, "adam_beta2": 0.98, "max_completion_length": 80,
                   "threads": args.threads, "seed": seed, "out": out, "overwrite": True}
        options |= METHODS[method]
        if options.get("completions_by"):
            options |= {"teacher_completions": args.out / f"teacher-completions-{seed}.jsonl"}
        alambic(args, "distill", **options)
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return accuracy(args, out / "model"), rows[-1].get("masked_share")


def fits(name, method):
    """The exact losses need the teacher's tokenizer, and the others another one."""
    own = TOKENIZERS[name] is not None
    return own != method.startswith("exact") or method == "sequence-level KD"


def table(args):
    teacher = accuracy(args, TEACHER)
    runs = [(name, method) for name in TOKENIZERS for method in args.methods if fits(name, method)]
    # Seed by seed, so that what is done can be compared at any time.
    after = {run: [] for run in runs}
    for seed in args.seeds:
        for run in runs:
            after[run].append(taught(args, *run, seed)[0])
    same = None
    yield ("| student's tokenizer | taught by | before | after, each seed | mean | of the gap to the "
           "teacher | of what the exact loss closes |")
    yield "|---|---|---:|---|---:|---:|---:|"
    for name, method in runs:
        before, each = accuracy(args, start(args, name)), after[name, method]
        closed = (statistics.mean(each) - before) / (teacher - before)
        same = same or (closed if method.startswith("exact") else None)
        share = f"{closed / same:.0%}" if same else ""
        yield (f"| {name} | {method} | {before:.1%} | {' '.join(f'{a:.1%}' for a in each)} | "
               f"{statistics.mean(each):.1%} | {closed:.0%} | {share} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--alambic", type=Path, required=True, help="the executable")
    parser.add_argument("--out", type=Path, default=Path("build/cross_tokenizer"))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    args.out, args.alambic = args.out.resolve(), args.alambic.resolve()
    args.data = args.out / "data"
    subprocess.run([sys.executable, PROBLEMS / "generate.py", "--out", args.data], check=True)
    rows = (args.data / "train.jsonl").read_text().splitlines(keepends=True)
    (args.data / "used.jsonl").write_text("".join(rows[: args.steps * 64]))
    lines = list(table(args))
    (args.out / "table.md").write_text("\n".join(lines) + "\n")
    print("\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
