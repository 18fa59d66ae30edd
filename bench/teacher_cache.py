#!/usr/bin/env python3
"""Step time of a cached teacher against a live one of six times the student's size, in one run.

usage: bench/teacher_cache.py [ALAMBIC] [--threads N]
Prints median seconds per step (update included) of both and their ratio; random weights, given
completions of 60 words, batch 16.
"""
import argparse
import json
import pathlib
import random
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).parents[1]
TOKENIZER = ROOT / "recipes/word_problems/tokenizer"


def model_config(width, layers):
    return {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": width,
            "intermediate_size": 3 * width, "num_hidden_layers": layers, "num_attention_heads": 4,
            "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "tie_word_embeddings": True,
            "eos_token_id": 0}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("alambic", nargs="?", default=str(ROOT / "build/release/alambic"))
    arguments.add_argument("--threads", default="1")
    options = arguments.parse_args()

    def alambic(*words):
        subprocess.run([options.alambic, *map(str, words)], check=True, capture_output=True)

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for model, layers in (("student", 4), ("teacher", 24)):
            (folder / "config.json").write_text(json.dumps(model_config(192, layers)))
            alambic("init", "--model-config", folder / "config.json", "--tokenizer", TOKENIZER,
                    "--out", folder / model)
        draw = random.Random(1)
        rows = [{"prompt": f"{i} + 1 =",
                 "completion": "".join(f" {draw.randrange(10)}" for _ in range(60))}
                for i in range(64)]
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        medians = {}
        for kind, extra in (("live", []), ("cached", ["--teacher-cache", folder / "cache"]),
                            ("live", []),
                            ("cached", ["--teacher-cache", folder / "cache"])):
            alambic("distill", "--student", folder / "student", "--teacher", folder / "teacher",
                    "--data", folder / "rows.jsonl", "--out", folder / "run", "--overwrite",
                    "--lmbda", 0, "--max-steps", 12, "--device", "cpu",
                    "--threads", options.threads, *extra)
            lines = (folder / "run/metrics.jsonl").read_text().splitlines()
            steps = [json.loads(line) for line in lines][2:]
            median = statistics.median(
                sum(row[phase + "_seconds"] for phase in ("grade", "learn", "update"))
                for row in steps)
            medians[kind] = min(median, medians.get(kind, median))
            print(f"{kind:10} {1000 * median:8.1f} ms a step")
        print(f"live over cached: {medians['live'] / medians['cached']:.2f}")


if __name__ == "__main__":
    main()
