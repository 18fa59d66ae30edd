"""Fuzz of config.json by key: changes the golden models' configurations at random and compares what
`alambic logits` computes with transformers, and with the model's GGUF file.

    python tools/goldens/check_configs.py --alambic build/release/alambic [--seconds 3600] [--seed 1]

Edits are those of tools/goldens/configs.py, one to three at once, whose configuration keeps every
tensor's shape. Right is: the same logits, or a sentence (exit code 2) that names one of the keys.
Where transformers fails, ours may compute, but must not end otherwise. Prints a line for each that is
wrong, and ends with 1 then.
"""

import argparse
import json
import logging
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import warnings

import torch
from configs import CONFIG_MAPPING, FOLDERS, GOLDEN, ROPE_KEYS, families, other_edits, rope_edits, type_edits
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

# In this order no entry that DeepSeek-V4's indexer could choose has the score of another: of equal
# ones we take the earlier, torch.topk any.
TOKENS = [[12, 13, 10, 8, 11, 7, 9, 6, 4, 5, 2, 1, 3]]
LIBRARY = ("json.exception", "type must be", "parse error", "terminate called", "Traceback")


def edits_of(model_type: str, spellings: dict, keys: list, config: dict) -> list[dict]:
    pairs = max(1, config.get("qk_rope_head_dim", config.get("head_dim") or 8) // 2)
    edits = rope_edits(pairs) + other_edits(config)
    for name, kind in keys:
        edits += [{name: value} for value in type_edits(kind, config.get(name))] + [{name: ...}]
    for other, name in spellings.items():
        edits += [{other: config.get(name)}, {other: config.get(name), name: ...}, {other: None}]
    return edits


def edited(config: dict, edit: dict) -> dict:
    result = json.loads(json.dumps(config))
    for key, value in edit.items():
        if value is ...:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def reference(folder: str, config: dict, model_type: str) -> torch.Tensor | str:
    """Logits, or why there are none; "shapes": the weights are not of this configuration."""
    try:
        made = CONFIG_MAPPING[model_type](**json.loads(json.dumps(config)))
        made.allow_global_per_layer_attribute_access = True
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(made)
        if sum(p.numel() for p in model.parameters()) > 3_000_000:
            return "shapes"
        model, info = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, attn_implementation="eager")
        if info["missing_keys"] or info["mismatched_keys"] or info["unexpected_keys"]:
            return "shapes"
        with torch.no_grad():
            return model(torch.tensor(TOKENS)).logits[0].float()
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200].replace("\n", " ")


class Alambic:
    def __init__(self, program: str, scratch: str):
        self.program, self.scratch = program, scratch
        self.tokens = os.path.join(scratch, "tokens.json")
        with open(self.tokens, "w") as file:
            json.dump(TOKENS, file)

    def run(self, *words: str) -> tuple[int, str]:
        done = subprocess.run([self.program, *words], capture_output=True, text=True, timeout=300)
        return done.returncode, done.stderr + done.stdout

    def logits(self, model: str) -> tuple[int, str, torch.Tensor | None]:
        out = os.path.join(self.scratch, "logits.safetensors")
        if os.path.exists(out):
            os.remove(out)
        code, text = self.run("logits", "--model", model, "--tokens", self.tokens, "--out", out, "--threads", "1")
        return code, text, load_file(out)["logits.0"] if code == 0 else None


def names_in(edit: dict) -> list[str]:
    names = []
    for key, value in edit.items():
        names += [key] + (names_in(value) if isinstance(value, dict) else [])
    return names


def sigma(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found - expected).abs().max() / expected.std().clamp_min(1e-9)).item()


def wrong_exit(code: int, text: str, names: list[str]) -> str:
    if any(words in text for words in LIBRARY):
        return "a library's words: " + text
    if code not in (0, 2):
        return f"exit code {code}: {text}"
    if code == 2 and not any(name in text for name in names + ["layers", "heads", "tensor"]):
        return "names no key: " + text
    return ""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--alambic", required=True)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rng = random.Random(options.seed)
    tables = list(families())
    counts = dict.fromkeys(("same", "refused", "both refuse", "read", "gguf same", "gguf refused", "wrong"), 0)
    end = time.time() + options.seconds
    with tempfile.TemporaryDirectory() as scratch:
        alambic = Alambic(options.alambic, scratch)
        while time.time() < end:
            model_type, spellings, keys = rng.choice(tables)
            source = os.path.join(GOLDEN, FOLDERS.get(model_type, model_type))
            with open(os.path.join(source, "config.json")) as file:
                config = {key: value for key, value in json.load(file).items() if key not in ROPE_KEYS}
            edit = {}
            for _ in range(rng.choice((1, 1, 2, 3))):
                edit |= rng.choice(edits_of(model_type, spellings, keys, config))
            changed = edited(config, edit)
            folder = os.path.join(scratch, "model")
            shutil.rmtree(folder, ignore_errors=True)
            os.mkdir(folder)
            shutil.copy(os.path.join(source, "model.safetensors"), folder)
            with open(os.path.join(folder, "config.json"), "w") as file:
                json.dump(changed, file)
            expected = reference(folder, changed, model_type)
            code, text, found = alambic.logits(folder)
            names = names_in(edit)
            problem = wrong_exit(code, text, names)
            if isinstance(expected, str):
                counts["both refuse" if code else "read"] += 1
            elif found is None:
                counts["refused"] += 1
            elif (distance := sigma(found, expected)) > 1e-3:
                problem = problem or f"{distance:.3g} σ from transformers"
            else:
                counts["same"] += 1
            if found is not None and not problem:
                path = os.path.join(scratch, "model.gguf")
                code, text = alambic.run("convert", "--model", folder, "--out", path, "--type", "f32", "--overwrite")
                problem = wrong_exit(code, text, names + ["GGUF", "llama.cpp"])
                counts["gguf refused"] += code != 0
                if code == 0:
                    code, text, again = alambic.logits(path)
                    if again is None:
                        problem = f"its GGUF file: exit code {code}: {text}"
                    elif (distance := sigma(again, found)) > 1e-3:
                        problem = f"its GGUF file is {distance:.3g} σ from it"
                    counts["gguf same"] += not problem
            if problem:
                counts["wrong"] += 1
                shown = {key: "(left out)" if value is ... else value for key, value in edit.items()}
                print(f"{model_type} {json.dumps(shown)}: {problem.strip()[:600]}", flush=True)
    print(counts)
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
