"""Makes tests/golden/fp8: the deepseek_v3 golden with the matrices of its layers in FP8, a scale to a
tile, and expected.safetensors: logits of transformers with the weights multiplied out.

    python tools/goldens/fp8.py        (versions: tests/golden/requirements.txt; after models)

Tiles of [10, 16] leave partial ones at both edges, which transformers' own Fp8Dequantize refuses, so
they are multiplied out here, as weight_dequant of DeepSeek's inference/kernel.py does. Routers, norms, embedding and head stay as they
are, as in the published checkpoints.
"""
import json
import os
import shutil
import tempfile

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from models import OUT

ROWS, COLUMNS = 10, 16


def each_tile(matrix):
    for i in range(0, matrix.shape[0], ROWS):
        for j in range(0, matrix.shape[1], COLUMNS):
            yield i // ROWS, j // COLUMNS, slice(i, i + ROWS), slice(j, j + COLUMNS)


def quantize(matrix):
    stored = torch.empty(matrix.shape, dtype=torch.float8_e4m3fn)
    scales = torch.empty(-(-matrix.shape[0] // ROWS), -(-matrix.shape[1] // COLUMNS))
    for i, j, rows, columns in each_tile(matrix):
        scales[i, j] = matrix[rows, columns].abs().max() / 448
        stored[rows, columns] = (matrix[rows, columns] / scales[i, j]).to(torch.float8_e4m3fn)
    return stored, scales


def dequantize(stored, scales):
    result = stored.float()
    for i, j, rows, columns in each_tile(result):
        result[rows, columns] *= scales[i, j]
    return result


def main():
    source, folder = os.path.join(OUT, "deepseek_v3"), os.path.join(OUT, "fp8")
    os.makedirs(folder, exist_ok=True)
    shutil.copy(os.path.join(source, "generation_config.json"), folder)
    with open(os.path.join(source, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    config["quantization_config"] = dict(activation_scheme="dynamic", fmt="e4m3",
                                         quant_method="fp8", weight_block_size=[ROWS, COLUMNS])
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        file.write(json.dumps(config, indent=2) + "\n")

    tensors, whole = {}, {}
    for name, tensor in load_file(os.path.join(source, "model.safetensors")).items():
        if tensor.dim() == 2 and "_proj" in name:
            tensors[name], tensors[name + "_scale_inv"] = quantize(tensor)
            whole[name] = dequantize(tensors[name], tensors[name + "_scale_inv"])
        else:
            tensors[name] = whole[name] = tensor
    save_file(tensors, os.path.join(folder, "model.safetensors"), {"format": "pt"})

    with tempfile.TemporaryDirectory() as plain:
        shutil.copy(os.path.join(source, "config.json"), plain)
        save_file(whole, os.path.join(plain, "model.safetensors"), {"format": "pt"})
        model = AutoModelForCausalLM.from_pretrained(plain, dtype=torch.float32,
                                                     attn_implementation="eager")
    model.set_experts_implementation("eager")
    golden = load_file(os.path.join(source, "golden.safetensors"))
    with torch.no_grad():
        logits = model.double()(golden["tokens"]).logits.float()
    print("logits differ from the unquantized ones by", (logits - golden["logits"]).abs().max().item())
    matrix = "model.layers.0.self_attn.kv_b_proj.weight"
    save_file({"logits": logits.contiguous(), matrix: whole[matrix]},
              os.path.join(folder, "expected.safetensors"))


if __name__ == "__main__":
    main()
