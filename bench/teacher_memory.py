"""Peak memory of a teacher in Q4_K, as a share of its GGUF file, beside its float32 folder.

A random Llama is written as GGUF and run by `alambic logits` on a few tokens; a tiny model's run is
taken off, which is the program and libtorch.

  python3 bench/teacher_memory.py [--alambic build/release/alambic]
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def shape(width, layers):
    return {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": width,
            "intermediate_size": 3 * width, "num_hidden_layers": layers, "num_attention_heads": 16,
            "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "tie_word_embeddings": True,
            "eos_token_id": 0}


def peak_bytes(command):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return 1024 * usage.ru_maxrss


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--alambic", type=pathlib.Path, default=ROOT / "build/release/alambic")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)

        def alambic(*words):
            subprocess.run([options.alambic, *map(str, words)], check=True, capture_output=True)

        def model(name, width, layers):
            (folder / "config.json").write_text(json.dumps(shape(width, layers)))
            alambic("init", "--model-config", folder / "config.json", "--tokenizer",
                    ROOT / "recipes/word_problems/tokenizer", "--out", folder / name)
            return folder / name

        def run(path):
            (folder / "tokens.json").write_text(json.dumps([list(range(1, 33))]))
            return peak_bytes([options.alambic, "logits", "--model", path, "--tokens",
                               folder / "tokens.json", "--out", folder / "logits.safetensors",
                               "--overwrite"])

        program = run(model("tiny", 64, 1))
        large = model("large", 2048, 12)
        gguf = folder / "large.gguf"
        alambic("convert", "--model", large, "--out", gguf, "--type", "q4_k")
        for path, size in ((gguf, gguf.stat().st_size),
                           (large, (large / "model.safetensors").stat().st_size)):
            grown = run(path) - program
            print(f"{path.name:12} file {size / 1e6:7.1f} MB, memory beyond the program's "
                  f"{grown / 1e6:7.1f} MB, {grown / size:.2f} of the file")


main()
