"""Makes tests/golden/load_balance.json: of each golden model with experts for which transformers has an
auxiliary loss, its value on the golden tokens, and the most that one expert got of a layer's tokens.

    python tools/goldens/load_balance.py        (versions: tests/golden/requirements.txt)
"""
import json
import os

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from models import OUT


def measure(name):
    folder = os.path.join(OUT, name)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokens = load_file(os.path.join(folder, "golden.safetensors"))["tokens"]
    with torch.no_grad():
        result = model(tokens, output_router_logits=True)
    shares = []
    for logits in result.router_logits:
        chosen = logits.reshape(-1, logits.shape[-1]).topk(model.config.num_experts_per_tok).indices
        shares.append(chosen.flatten().bincount().max().item() / chosen.shape[0])
    return dict(load_balance=result.aux_loss.item(), largest_expert_share=max(shares))


def main():
    values = {name: measure(name) for name in ["mixtral", "qwen3_moe", "gpt_oss"]}
    with open(os.path.join(OUT, "load_balance.json"), "w", encoding="utf-8") as file:
        json.dump(values, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
