"""Makes tests/golden/bfloat16.json: how far transformers' own bfloat16 is from the golden logits of each
model, as the norm of the difference over theirs.

    python tools/goldens/bfloat16.py        (versions: tests/golden/requirements.txt)
"""
import json
import os

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from models import OUT


def measure(name):
    folder = os.path.join(OUT, name)
    # torch's grouped product of experts wants strides of 16 bytes: eager has none.
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16,
                                                 experts_implementation="eager").eval()
    golden = load_file(os.path.join(folder, "golden.safetensors"))
    with torch.no_grad():
        logits = model(golden["tokens"]).logits.float()
    return ((logits - golden["logits"]).norm() / golden["logits"].norm()).item()


def main():
    torch.set_num_threads(1)
    names = sorted(name for name in os.listdir(OUT)
                   if os.path.exists(os.path.join(OUT, name, "golden.safetensors")))
    values = {name: float(f"{measure(name):.1e}") for name in names}
    with open(os.path.join(OUT, "bfloat16.json"), "w", encoding="utf-8") as file:
        json.dump(values, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
