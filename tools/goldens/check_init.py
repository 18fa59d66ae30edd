"""Checks that transformers loads what `alambic init` makes of each golden model's configuration, with
no tensor missing or left over, and computes the logits that `alambic logits` gives. Of equal scores an
indexer's topk takes any, ours the first, so here the reference does too.

    python tools/goldens/check_init.py ALAMBIC
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest.mock

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden")
TOKENS = [list(range(3, 23))]
TOPK = torch.Tensor.topk


def first_of_equals(scores, k, *rest, **named):
    if scores.dim() != 3:  # not [batch, position, position]
        return TOPK(scores, k, *rest, **named)
    best = scores.sort(stable=True, dim=-1, descending=True)
    return torch.return_types.topk((best.values[..., :k], best.indices[..., :k]))


def check(alambic, name, folder):
    model, tokens, out = (os.path.join(folder, x) for x in (name, "tokens.json", name + ".logits"))
    with open(tokens, "w", encoding="utf-8") as file:
        json.dump(TOKENS, file)
    subprocess.run([alambic, "init", "--model-config", os.path.join(GOLDEN, name), "--out", model,
                    "--seed", "5"], check=True, capture_output=True)
    subprocess.run([alambic, "logits", "--model", model, "--tokens", tokens, "--out", out],
                   check=True, capture_output=True)
    reference, info = AutoModelForCausalLM.from_pretrained(
        model, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    with torch.no_grad(), unittest.mock.patch.object(torch.Tensor, "topk", first_of_equals):
        expected = reference(torch.tensor(TOKENS)).logits[0]
    return (load_file(out)["logits.0"] - expected).abs().max().item()


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name in sorted(os.listdir(GOLDEN)):
            if os.path.exists(os.path.join(GOLDEN, name, "golden.safetensors")):
                print(f"{name}: {check(sys.argv[1], name, folder):.1e}")


if __name__ == "__main__":
    main()
