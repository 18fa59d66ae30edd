"""Makes tests/golden/mxfp4: a small gpt-oss whose experts are in MXFP4, as the published files, and
expected.safetensors, which is what transformers makes of it.

    python tools/goldens/mxfp4.py        (versions: tests/golden/requirements.txt)
"""
import json
import os

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GptOssConfig, GptOssForCausalLM, Mxfp4Config

from models import OUT, randomize

TOKENS = torch.arange(3, 19)[None]


def main():
    folder = os.path.join(OUT, "mxfp4")
    generator = torch.Generator().manual_seed(1)
    model = GptOssForCausalLM(GptOssConfig(
        hidden_size=64, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, head_dim=8,
        intermediate_size=32, num_local_experts=2, num_experts_per_tok=1, vocab_size=24,
        max_position_embeddings=64, sliding_window=5))
    randomize(model, generator)
    model.save_pretrained(folder)
    tensors = {}
    for name, tensor in load_file(os.path.join(folder, "model.safetensors")).items():
        if name.endswith(("gate_up_proj", "down_proj")):  # [E, in, out] to blocks of [E, out, in]
            experts, rows, columns = tensor.shape
            tensors[name + "_blocks"] = torch.randint(
                0, 256, (experts, columns, rows // 32, 16), dtype=torch.uint8, generator=generator)
            tensors[name + "_scales"] = torch.randint(
                122, 127, (experts, columns, rows // 32), dtype=torch.uint8, generator=generator)
        else:
            tensors[name] = tensor
    save_file(tensors, os.path.join(folder, "model.safetensors"), {"format": "pt"})
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    config["quantization_config"] = dict(modules_to_not_convert=["model.layers.*.self_attn"],
                                         quant_method="mxfp4")
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        file.write(json.dumps(config, indent=2) + "\n")

    whole = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager",
        quantization_config=Mxfp4Config(dequantize=True))
    whole.set_experts_implementation("eager")
    experts = whole.model.layers[0].mlp.experts
    print(experts.down_proj.dtype, experts.down_proj.shape, experts.down_proj.abs().max())
    with torch.no_grad():
        logits = whole.double()(TOKENS).logits[0].float()
    save_file({"tokens": TOKENS[0].contiguous(), "logits": logits.contiguous(),
               "down_proj": experts.down_proj.detach().float().contiguous()},
              os.path.join(folder, "expected.safetensors"))


if __name__ == "__main__":
    main()
