"""Loading a safetensors file of 500 MB against the safetensors library, side by side in one run.

Both sides load the model's tensors from a warm page cache in float32 and sum every number, on one
thread, in a fresh process each round; the sums must agree before a ratio is printed. "frozen" is how
a teacher is loaded, "trained" how a student is (its tensors may be written to). "model" is a file in
float32, "narrow" the same one in bfloat16. Memory is the peak's growth over float32 weights.

  cmake --preset release -DALAMBIC_BENCH=ON && ninja -C build/release load_bench alambic
  ORACLE/bin/python bench/load_speed.py [--rounds 7]
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from measure import ROOT, TOKENIZER, Records

SHAPE = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 1024,
         "intermediate_size": 3072, "num_hidden_layers": 9, "num_attention_heads": 16,
         "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "tie_word_embeddings": True,
         "eos_token_id": 0}

THEIRS = r"""
import json, re, sys, time, torch
from safetensors.torch import load_file
torch.set_num_threads(1)
peak = lambda: 1024 * int(re.search(r"VmHWM:\s*(\d+)", open("/proc/self/status").read())[1])
torch.ones(1024).sum().item()
before, start = peak(), time.perf_counter()
model = {name: t.float() for name, t in load_file(sys.argv[1]).items()}
total = sum(t.sum().item() for t in model.values())
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "grew": peak() - before, "sum": total}))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", help="file for the records")
    options = parser.parse_args()
    records = Records(options.json)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "config.json").write_text(json.dumps(SHAPE))
        subprocess.run([options.build / "alambic", "init", "--model-config", folder / "config.json",
                        "--tokenizer", TOKENIZER, "--out",
                        folder / "model"], check=True, capture_output=True)
        subprocess.run([options.build / "alambic", "convert", "--model", folder / "model", "--dtype",
                        "bfloat16", "--out", folder / "narrow"], check=True, capture_output=True)
        for part in "model", "narrow":
            compare(folder / part, options, records)
    records.write()


def compare(model, options, records):
    file = model / "model.safetensors"
    stored = file.read_bytes()  # the page cache is warm for all
    size = len(stored) * (2 if model.name == "narrow" else 1)  # in float32
    del stored
    sides = {"frozen": [options.build / "bench/load_bench", model, "frozen"],
             "trained": [options.build / "bench/load_bench", model, "trained"],
             "safetensors": [sys.executable, "-c", THEIRS, file]}
    runs = {side: [] for side in sides}
    for _ in range(options.rounds):
        for side, command in sides.items():
            runs[side].append(json.loads(subprocess.check_output(command)))
    sums = [run[0]["sum"] for run in runs.values()]
    assert max(sums) - min(sums) < 1e-3 * max(map(abs, sums)) + 1, f"sums differ: {sums}"
    for side in "frozen", "trained":
        ours, theirs = runs[side], runs["safetensors"]
        records.add(f"load, {model.name}, {side}", "safetensors", [run["seconds"] for run in ours],
                    [run["seconds"] for run in theirs], "sum of all numbers",
                    ours_memory=max(run["grew"] for run in ours) / size,
                    peer_memory=max(run["grew"] for run in theirs) / size)


main()
