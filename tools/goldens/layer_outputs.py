"""Makes tests/golden/layer_outputs.safetensors: of each golden model with one residual stream, what
transformers has behind every decoder layer but the last (whose entry of `hidden_states` has passed the
final norm), in float64: [layers - 1, 2 * 16], each position's hidden state multiplied by cos(0 … D - 1).

    python tools/goldens/layer_outputs.py        (versions: tests/golden/requirements.txt)
"""
import os

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from models import OUT

SEVERAL_STREAMS = ["deepseek_v4"]


def measure(name):
    folder = os.path.join(OUT, name)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64,
                                                 experts_implementation="eager").eval()
    tokens = load_file(os.path.join(folder, "golden.safetensors"))["tokens"]
    with torch.no_grad():
        states = torch.stack(model(tokens, output_hidden_states=True).hidden_states[1:-1])
    probe = torch.cos(torch.arange(states.shape[-1], dtype=torch.float64))
    return (states.double() @ probe).flatten(1).float()


def main():
    torch.set_num_threads(1)
    names = sorted(name for name in os.listdir(OUT)
                   if os.path.exists(os.path.join(OUT, name, "golden.safetensors"))
                   and name not in SEVERAL_STREAMS)
    save_file({name: measure(name) for name in names},
              os.path.join(OUT, "layer_outputs.safetensors"))


if __name__ == "__main__":
    main()
