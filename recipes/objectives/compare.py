#!/usr/bin/env python3
"""The objectives side by side on the word problems: accuracy against graded tokens and seconds.

    recipes/objectives/compare.py --alambic build/release/alambic [--steps 120] [--seeds 1 2 3]

Every method starts from the same student, sees the same prompts and takes the same number of steps
with its own seed; accuracy is exact match on held-out problems, during the run and at its end.
Writes runs to --out and a Markdown table to --out/table.md. Finished runs are kept and not repeated.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROBLEMS = HERE.parent / "word_problems"
# The known result stands beside the answer: three layers cannot solve a problem and then compare.
RUBRIC = "{answer}\n{reference}\nRight? "


def distill(**options):
    return {"command": "distill", **options}


# Learning from draws alone needs smaller steps: at the others' 2e-3 the student forgets how to end.
GENTLY = 2e-4

# What differs from the common options of `run`.
METHODS = {
    "fine-tuning on references": {"command": "train"},
    "sequence-level KD": distill(objective="cross_entropy", lmbda=0, completions_by="teacher"),
    "forward KL": distill(objective="forward_kl"),
    "reverse KL": distill(objective="reverse_kl"),
    "forward KL + 0.01 hidden states": distill(objective="forward_kl", hidden_weight=0.01),
    "JSD 0.5": distill(objective="jsd", beta=0.5),
    "JSD 0.5, top 16 + tail": distill(objective="jsd", beta=0.5, kd_topk=16),
    "sampled reverse KL": distill(objective="sampled_reverse_kl", learning_rate=GENTLY),
    "MiniLLM": distill(objective="minillm", teacher_mix=0.2),
    "GRPO, exact match": distill(objective="grpo", reward="number", num_generations=8,
                                 learning_rate=GENTLY),
    "GRPO, exact match + reverse KL": distill(objective="0.5*grpo+0.5*reverse_kl",
                                              reward="number", num_generations=8,
                                              learning_rate=GENTLY),
    "judge + reverse KL": distill(objective="0.5*grpo+0.5*reverse_kl", judge=True,
                                  num_generations=8, learning_rate=GENTLY),
}
JUDGED = 30000  # problems whose answers the judge learns from


def words(options):
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        values = value if isinstance(value, list) else [value]
        for each in values:
            yield from [flag] if each is True else [flag, str(each)]


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def make_judge(args):
    """The built-in teacher, taught to say whether an answer of the starting student is right, given
    the known result: it learns from drawn answers to problems that no run sees."""
    folder = args.out / "judge"
    if (folder / "model").exists():
        return folder / "model"
    problems = args.data / "judged.jsonl"
    write_rows(problems, rows_of(args.data / "train.jsonl")[-JUDGED:])
    answers = args.out / "judged-answers.jsonl"
    subprocess.run([args.alambic, "eval", "--model", PROBLEMS / "student", "--data", problems,
                    "--temperature", "1", "--max-new-tokens", "64", "--out", answers, "--overwrite"],
                   check=True)
    known = {row["prompt"]: row["answer"] for row in rows_of(problems)}
    marked = [{"prompt": RUBRIC.format(answer=row["completion"], reference=known[row["prompt"]]),
               "completion": str(int(row["correct"])), "answer": str(int(row["correct"]))}
              for row in rows_of(answers)]
    held_out = JUDGED // 30
    write_rows(args.out / "judge-valid.jsonl", marked[:held_out])
    write_rows(args.out / "judge-train.jsonl", marked[held_out:])
    subprocess.run([args.alambic, "train", "--model", PROBLEMS / "teacher",
                    "--data", args.out / "judge-train.jsonl",
                    "--valid-data", args.out / "judge-valid.jsonl", "--valid-every", "250",
                    "--batch-size", "64", "--max-steps", "1500", "--learning-rate", "1e-3",
                    "--warmup-steps", "50", "--adam-beta2", "0.98", "--seed", "1",
                    "--threads", str(args.threads), "--out", folder, "--overwrite"], check=True)
    return folder / "model"


def start_of(args, seed):
    """The model that a run begins with."""
    if args.start == "warm":
        return PROBLEMS / "student"
    if args.start == "cold":
        return args.out / "cold"
    first = argparse.Namespace(**{**vars(args), "start": "cold"})
    name = "sequence-level KD"
    return run(first, name, METHODS[name], seed) / "model"


def run(args, name, options, seed):
    """One run, unless it is there; returns its folder."""
    out = args.out / f"{name.replace(' ', '-').replace(',', '')}-{args.start}-{seed}"
    if (out / "model").exists():
        return out
    options = dict(options)
    command = options.pop("command")
    start = start_of(args, seed)
    if command == "distill":
        options |= {"student": start}
        if options["objective"] != "grpo":
            options |= {"teacher": PROBLEMS / "teacher"}
    else:
        options |= {"model": start}
    if options.get("completions_by"):
        options |= {"teacher_completions": args.out / f"teacher-completions-{seed}.jsonl"}
    if options.get("judge"):
        rubric = args.out / "rubric.txt"
        rubric.write_text(RUBRIC)
        options |= {"judge": make_judge(args), "judge_rubric": rubric, "judge_score": [0, 1]}
    batch = args.batch // int(options.get("num_generations", 1))
    common = {"data": args.data / "used.jsonl", "valid_data": args.data / "test.jsonl",
              "valid_samples": args.problems, "valid_every": max(1, args.steps // 8),
              "max_steps": args.steps, "batch_size": batch, "learning_rate": args.learning_rate,
              "warmup_steps": 5, "lr_schedule": "linear", "min_lr_ratio": 0.05,
              "adam_beta2": 0.98, "max_completion_length": 64, "threads": args.threads,
              "seed": seed, "out": out, "overwrite": True}
    options = common | options
    print(f"\n{name}, {args.start}, seed {seed}", flush=True)
    begin = time.monotonic()
    process = subprocess.Popen([args.alambic, command, *words(options)])
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{name}: failed, see above")
    times = {"wall": time.monotonic() - begin, "processor": usage.ru_utime + usage.ru_stime}
    (out / "times.json").write_text(json.dumps(times))
    return out


def curve(folder):
    """(tokens, processor seconds, accuracy) at each validation. The machine may be busy with other
    work, so wall time counts by the run's mean share of the processor; what comes before the first
    step (a teacher's writing of the answers) counts too."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    times = json.loads((folder / "times.json").read_text())
    before, share = times["wall"] - rows[-1]["seconds"], times["processor"] / times["wall"]
    tokens, points = 0, []
    for row in rows:
        tokens += row.get("tokens") or 0
        if row.get("valid_exact_match") is not None:
            points.append((tokens, share * (before + row["seconds"]), row["valid_exact_match"]))
    return points


def first_at(points, accuracy):
    """Tokens and seconds of the first validation at or above an accuracy, or None."""
    return next(((t, s) for t, s, a in points if a >= accuracy), None)


def mean_of_reached(reach, which):
    reached = [point[which] for point in reach if point]
    if not reach:
        return ""
    if len(reached) < len(reach):
        return f"{len(reached)} of {len(reach)} runs reach it"
    return f"{statistics.mean(reached):,.0f}"


def table(args, curves):
    base = next(iter(METHODS))
    goal = statistics.mean(points[-1][2] for points in curves[base]) if base in curves else None
    yield (f"| objective | accuracy, mean of {len(args.seeds)} seeds | each seed | graded tokens | "
           "processor seconds | tokens to fine-tuning's accuracy | seconds to it |")
    yield "|---|---:|---|---:|---:|---:|---:|"
    for name, runs in curves.items():
        final = [points[-1] for points in runs]
        reach = [first_at(points, goal) for points in runs] if goal is not None else []
        yield (f"| {name} | {statistics.mean(a for *_, a in final):.1%} | "
               f"{' '.join(f'{a:.1%}' for *_, a in final)} | "
               f"{statistics.mean(t for t, *_ in final):,.0f} | "
               f"{statistics.mean(s for _, s, _ in final):.0f} | {mean_of_reached(reach, 0)} | "
               f"{mean_of_reached(reach, 1)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--alambic", type=Path, required=True, help="the executable")
    parser.add_argument("--out", type=Path, default=Path("build/objectives"))
    parser.add_argument("--start", choices=("warm", "cold", "taught"), default="warm",
                        help="the half-taught student, random weights of its shape, or those after "
                             "as many steps of sequence-level KD")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--batch", type=int, default=64, help="answers a step")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--problems", type=int, default=200, help="held-out problems")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    args.out, args.alambic = args.out.resolve(), args.alambic.resolve()
    args.data = args.out / "data"
    subprocess.run([sys.executable, PROBLEMS / "generate.py", "--out", args.data], check=True)
    rows = (args.data / "train.jsonl").read_text().splitlines(keepends=True)
    (args.data / "used.jsonl").write_text("".join(rows[: args.steps * args.batch]))
    if args.start != "warm" and not (args.out / "cold").exists():
        subprocess.run([args.alambic, "init", "--model-config", PROBLEMS / "student.json",
                        "--tokenizer", PROBLEMS / "tokenizer", "--out", args.out / "cold"],
                       check=True)
    curves = {name: [curve(run(args, name, METHODS[name], seed)) for seed in args.seeds]
              for name in args.methods}
    lines = list(table(args, curves))
    (args.out / f"table-{args.start}.md").write_text("\n".join(lines) + "\n")
    print("\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
