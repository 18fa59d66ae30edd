"""How the cost of a distillation step grows, and how its operations do.

One thing is varied at a time from a base shape (two random Llamas of 4 layers, width 256, vocabulary
8,192; 8 prompts of 64 tokens, 64 new tokens each, exact reverse KL, float32): parameters, the prompt's
length, the vocabulary, the number of prompts. Seconds of each phase are the medians of a run's steps
after the first. Both the seconds and the phase's floating-point operations, counted by formula, are
fitted by a power of what is varied: where the exponents differ, time goes to something else than the
products (reading weights at small batches, starting work) or products run at another speed.

  PYTHON bench/growth.py [--steps 4] [--threads 2] [--json FILE]
"""

import argparse
import json
import math
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile

from measure import ROOT, TOKENIZER

NEW_TOKENS = 64
BASE = {"width": 256, "layers": 4, "vocabulary": 8192, "prompts": 8, "prompt": 64}
# What is varied: the changes of the base, least first.
VARIED = {
    "parameters": [{"width": w, "layers": n} for w, n in ((128, 2), (192, 3), (256, 4), (384, 6), (512, 8))],
    "prompt tokens": [{"prompt": n} for n in (64, 128, 256, 512, 1024)],
    "vocabulary": [{"vocabulary": n} for n in (2048, 4096, 8192, 16384, 32768)],
    "prompts": [{"prompts": n} for n in (1, 2, 4, 8, 16, 32)],
}
PHASES = ("generate", "grade", "learn")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--steps", type=int, default=4, help="of a run; the first is warm-up")
    parser.add_argument("--points", type=int, default=6, help="of each curve at most, the cheapest")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", help="file for the curves")
    return parser.parse_args()


def intermediate(width):
    return 8 * width // 3 // 8 * 8


def parameters(s):
    matrices = s["layers"] * (4 * s["width"] ** 2 + 3 * s["width"] * intermediate(s["width"]))
    return matrices + s["vocabulary"] * s["width"]


def operations(s):
    """Floating-point operations of a step's phases. Multiplications with a head are the learning
    pass's: it makes the logits of both models chunk by chunk from their hidden states."""
    tokens = s["prompt"] + NEW_TOKENS
    layers = 2 * (parameters(s) - s["vocabulary"] * s["width"]) * tokens
    attention = 4 * s["width"] * s["layers"] * tokens * (tokens + 1) / 2
    head = 2 * s["vocabulary"] * s["width"] * NEW_TOKENS
    forward = layers + attention
    return {"generate": s["prompts"] * (forward + head), "grade": s["prompts"] * forward,
            "learn": s["prompts"] * (3 * forward + 4 * head)}


def exponent(xs, ys):
    """Slope of log y over log x by least squares."""
    return statistics.linear_regression(list(map(math.log, xs)), list(map(math.log, ys))).slope


class Runs:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.tokenizer = json.loads((TOKENIZER / "tokenizer.json").read_text())
        self.words = sorted(token.replace("Ġ", " ") for token in self.tokenizer["model"]["vocab"]
                            if token.startswith("Ġ") and token[1:].isalpha() and len(token) > 4)

    def alambic(self, *words):
        done = subprocess.run([self.options.build / "alambic", *map(str, words)], capture_output=True,
                              text=True)
        if done.returncode:
            sys.exit(f"error: alambic {words[0]} ended with {done.returncode}: {done.stderr}")

    def tokenizer_of(self, size):
        """The folder of a tokenizer of so many tokens: rows that none has are left out of products."""
        known = self.tokenizer["added_tokens"]
        first = len(self.tokenizer["model"]["vocab"])
        flags = {key: False for key in ("single_word", "lstrip", "rstrip", "normalized", "special")}
        more = [dict(id=i, content=f"<|{i}|>", **flags) for i in range(first, size)]
        shutil.copytree(TOKENIZER, self.folder / "tokenizer", dirs_exist_ok=True)
        (self.folder / "tokenizer/tokenizer.json").write_text(
            json.dumps(self.tokenizer | {"added_tokens": known + more}))
        return self.folder / "tokenizer"

    def model(self, name, seed, s):
        config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama",
                  "hidden_size": s["width"], "intermediate_size": intermediate(s["width"]),
                  "num_hidden_layers": s["layers"], "num_attention_heads": s["width"] // 64,
                  "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
                  "vocab_size": s["vocabulary"], "tie_word_embeddings": True}
        (self.folder / "config.json").write_text(json.dumps(config))
        self.alambic("init", "--model-config", self.folder / "config.json", "--tokenizer",
                     self.tokenizer_of(s["vocabulary"]), "--seed", seed, "--out", self.folder / name, "--overwrite")
        return self.folder / name

    def rows(self, count, tokens):
        """A file of so many prompts of so many tokens."""
        draw = random.Random(0)
        prompts = ["".join(draw.choices(self.words, k=tokens)) for _ in range(count)]
        data = self.folder / "rows.jsonl"
        data.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts))
        return data

    def seconds(self, s):
        """Median seconds of each phase of a step."""
        data = self.rows(s["prompts"], s["prompt"])
        out = self.folder / "run"
        self.alambic("distill", "--student", self.model("student", 1, s), "--teacher",
                     self.model("teacher", 2, s), "--data", data, "--batch-size", s["prompts"],
                     "--max-completion-length", NEW_TOKENS, "--max-steps", self.options.steps,
                     "--learning-rate", 1e-6, "--threads", self.options.threads, "--device", "cpu",
                     "--out", out, "--overwrite")
        steps = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()][1:]
        wanted = s["prompts"] * NEW_TOKENS
        if statistics.mean(step["tokens"] for step in steps) < 0.9 * wanted:
            sys.exit(f"error: completions ended early: {steps[-1]['tokens']} tokens, not {wanted}")
        return {phase: statistics.median(step[f"{phase}_seconds"] for step in steps)
                for phase in PHASES}


def curves(runs, varied, shapes):
    """The three phases' curves over one varied thing."""
    shapes = [BASE | change for change in shapes]
    xs = [{"parameters": parameters(s), "prompt tokens": s["prompt"], "prompts": s["prompts"],
           "vocabulary": s["vocabulary"]}[varied] for s in shapes]
    seconds = [runs.seconds(s) for s in shapes]
    for phase in PHASES:
        ys = [point[phase] for point in seconds]
        curve = dict(varied=varied, phase=phase, x=xs, seconds=ys, exponent=exponent(xs, ys),
                     operations_exponent=exponent(xs, [operations(s)[phase] for s in shapes]))
        print(f"{phase} over {varied}: seconds grow with the power {curve['exponent']:.2f}, "
              f"operations {curve['operations_exponent']:.2f}", flush=True)
        yield curve


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(options, pathlib.Path(folder))
        found = [curve for varied, shapes in VARIED.items()
                 for curve in curves(runs, varied, shapes[: options.points])]
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
