#!/usr/bin/env python3
"""Step time of a teacher behind `alambic serve` on this machine against the same teacher in a folder.

usage: bench/remote_teacher.py [ALAMBIC] [--threads 2] [--rounds 3] [--steps 12] [--width 96]
Prints median seconds of a step (64 prompts, completions of up to 64 tokens, update included) and of its grading,
for hidden states and for 20 candidates a token, and their ratios; random weights, both processes on the same
cores, the sides in turn.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import tempfile

from measure import ROOT, TOKENIZER, in_turn


def model_config(width, layers):
    return {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": width,
            "intermediate_size": 3 * width, "num_hidden_layers": layers, "num_attention_heads": 4,
            "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "tie_word_embeddings": True,
            "eos_token_id": 0}


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        for model, layers in (("student", 4), ("teacher", 8)):
            (folder / "config.json").write_text(json.dumps(model_config(options.width, layers)))
            self.alambic("init", "--model-config", folder / "config.json", "--tokenizer", TOKENIZER, "--out",
                         folder / model)
        rows = [{"prompt": f"Tom has {i} apples and {i + 2} pears."} for i in range(64)]
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def alambic(self, *words):
        subprocess.run([self.options.alambic, *map(str, words)], check=True, capture_output=True)

    def serve(self):
        server = subprocess.Popen(
            [self.options.alambic, "serve", "--model", f"teacher={self.folder / 'teacher'}", "--port", "0", "--threads",
             self.options.threads], stderr=subprocess.PIPE, text=True)
        for line in server.stderr:
            if found := re.search(r"(http://127.0.0.1:\d+) answers", line):
                return server, found.group(1) + "/v1"
        raise SystemExit("`alambic serve` does not start")

    def steps(self, side):
        """Median seconds of a step and of its grading."""
        teacher, extra = side
        self.alambic("distill", "--student", self.folder / "student", "--teacher", teacher, "--data",
                     self.folder / "rows.jsonl", "--out", self.folder / "run", "--overwrite", "--batch-size", 64,
                     "--max-completion-length", 64, "--max-steps", self.options.steps, "--device", "cpu", "--threads",
                     self.options.threads, *extra)
        rows = [json.loads(line) for line in (self.folder / "run/metrics.jsonl").read_text().splitlines()][2:]
        phases = ("generate", "grade", "learn", "update")
        return (statistics.median(sum(row[phase + "_seconds"] for phase in phases) for row in rows),
                statistics.median(row["grade_seconds"] for row in rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("alambic", nargs="?", default=str(ROOT / "build/release/alambic"))
    parser.add_argument("--threads", default="2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--width", type=int, default=96)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(options, pathlib.Path(name))
        server, address = bench.serve()
        try:
            sides = {}
            for kind, extra in (("exact", []), ("top 20", ["--kd-topk", 20])):
                sides[kind, "folder"] = (bench.folder / "teacher", extra)
                sides[kind, "served"] = (address, extra)
            times = in_turn(sides, options.rounds, lambda side, _: bench.steps(side))
        finally:
            server.terminate()
            server.wait()
    for kind in ("exact", "top 20"):
        here, far = ([statistics.median(both) for both in zip(*times[kind, side])] for side in ("folder", "served"))
        print(f"{kind}: a step takes {here[0]:.3f} s with the folder, {far[0]:.3f} s served, {far[0] / here[0]:.2f} times; "
              f"grading {here[1]:.4f} and {far[1]:.4f} s")


if __name__ == "__main__":
    main()
