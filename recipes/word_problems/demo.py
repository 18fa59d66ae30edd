#!/usr/bin/env python3
"""The demo: a student is fine-tuned, and distilled on-policy, for the same time; both are measured.

    make demo        (runs this with build/release/alambic)

Every figure is computed here; only the teacher and the starting student come with the repository.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Alambic:
    """The executable, with every command shown before it runs."""

    def __init__(self, executable):
        self.executable = executable

    def run(self, command, *words, **options):
        line = [str(self.executable), command, *words]
        for name, value in options.items():
            line += [f"--{name.replace('_', '-')}", str(value)]
        shown = " ".join(word.replace(str(HERE), "recipes/word_problems") for word in line[1:])
        print(f"\n$ alambic {shown}", flush=True)
        return subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout

    def accuracy(self, model, data, out):
        """Exact match on the test problems, and the answers by prompt."""
        figures = json.loads(
            self.run("eval", "--json", "--overwrite", model=model, data=data, max_new_tokens=80,
                     out=out)
        )
        rows = [json.loads(line) for line in Path(out).read_text().splitlines()]
        return figures["exact_match"], {row["prompt"]: row for row in rows}


def measure(alambic, stages, data, out):
    """Runs the stages in order; returns rows of results and each stage's answers."""
    rows, answers = [], {}
    for name, model, make in stages:
        started = time.time()
        if make:
            make()
        seconds = time.time() - started if make else None
        accuracy, answers[name] = alambic.accuracy(model, data, out / f"answers-{len(rows)}.jsonl")
        rows.append({"name": name, "accuracy": accuracy, "training seconds": seconds})
    return rows, answers


def print_table(rows):
    print(f"\n{'held-out problems answered correctly':<44}{'accuracy':>9}{'training':>11}")
    for row in rows:
        seconds = row["training seconds"]
        training = f"{seconds:.0f} s" if seconds is not None else ""
        print(f"  {row['name']:<42}{row['accuracy']:>8.1%}{training:>12}")


def print_samples(before, after, count=3):
    """Problems that the student could not solve before."""
    learned = [p for p in before if not before[p]["correct"] and after[p]["correct"]]
    for prompt in learned[:count]:
        print(f"\n  {prompt.strip()}")
        for name, answers in (("before", before), ("after", after)):
            text = answers[prompt]["completion"].strip().replace("\n", "  ")
            print(f"    {name:<7} {'✓' if answers[prompt]['correct'] else '✗'} {text}")


def gap_closed(rows):
    accuracy = {row["name"]: row["accuracy"] for row in rows}
    start, end = accuracy["student, before"], accuracy["teacher"]
    return (accuracy["student, distilled on-policy"] - start) / (end - start)


def add_test_samples(folder, before, after, count=8):
    """Puts before and after of test problems beside the run's own samples, for the report."""
    learned = [p for p in before if before[p]["correct"] != after[p]["correct"]][:count]
    with open(folder / "samples.jsonl", "w", encoding="utf-8") as file:
        for prompt in learned:
            for step, answers in ((0, before), (1, after)):
                row = {"step": step, **answers[prompt], "stage": ("before", "after")[step]}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--alambic", type=Path, required=True, help="the executable")
    parser.add_argument("--out", type=Path, default=Path("build/demo"))
    parser.add_argument("--seconds", type=float, default=160, help="most of each training")
    args = parser.parse_args()
    out = args.out.resolve()
    alambic = Alambic(args.alambic.resolve())
    data = out / "data"
    subprocess.run([sys.executable, HERE / "generate.py", "--out", data], check=True)

    student, teacher = HERE / "student", HERE / "teacher"
    tuned, distilled = out / "fine-tuned", out / "distilled"

    # As long as the distillation took: it stops after its steps, or after --seconds.
    def fine_tune():
        last = (distilled / "metrics.jsonl").read_text().splitlines()[-1]
        alambic.run("train", "--overwrite", config=HERE / "finetune.toml", model=student,
                    data=data / "finetune.jsonl", valid_data=data / "valid.jsonl",
                    max_seconds=json.loads(last)["seconds"], out=tuned)

    def distill():
        alambic.run("distill", "--overwrite", config=HERE / "distill.toml", student=student,
                    teacher=teacher, data=data / "prompts.jsonl", valid_data=data / "valid.jsonl",
                    max_seconds=args.seconds, out=distilled)

    stages = [
        ("student, before", student, None),
        ("student, distilled on-policy", distilled / "model", distill),
        ("student, fine-tuned", tuned / "model", fine_tune),
        ("teacher", teacher, None),
    ]
    rows, answers = measure(alambic, stages, data / "test.jsonl", out)
    before, after = answers["student, before"], answers["student, distilled on-policy"]
    add_test_samples(distilled, before, after)
    note = f"Distillation closed {gap_closed(rows):.0%} of the gap between student and teacher."
    results = {"columns": ["accuracy", "training seconds"], "rows": rows, "note": note,
               "highlight": "student, distilled on-policy"}
    (distilled / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    report = out / "report.html"
    alambic.run("report", "--overwrite", "--run", str(distilled), "--run", str(tuned), out=report,
                title="Word problems: distilled against fine-tuned")

    key, model = out / "maker", str(distilled / "model")
    if not key.exists():
        alambic.run("keygen", out=key)
    alambic.run("sign", model, "--overwrite", key=key)
    print(alambic.run("verify", model, key=f"{key}.pub"))
    print_samples(before, after)
    print_table(rows)
    print(f"\n{note}\nreport: {report}")


if __name__ == "__main__":
    main()
