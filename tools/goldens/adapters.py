"""Makes tests/golden/adapters/*: low-rank adapters as PEFT saves them for the golden models, each
with golden.safetensors: what PEFT computes with them, and the adapted matrices that its
merge_and_unload leaves.

    python tools/goldens/adapters.py        (versions: tests/golden/requirements.txt)
    python tools/goldens/adapters.py check MODEL ADAPTER TOKENS.json LOGITS.safetensors
    python tools/goldens/adapters.py trained [PROGRAM]

The second form loads an adapter in PEFT and prints the largest difference from the logits that
`alambic logits --adapter` wrote; above 1e-5 it fails. Computed in float64 from float32 weights.
The third one trains some with the program (build/release/alambic), whole modules beside the low ranks
among them, and checks each.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

import torch
import torch.nn.functional as F
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden")
CASES = {
    "llama_rslora": ("llama", dict(r=2, lora_alpha=3, target_modules="all-linear",
                                   use_rslora=True)),
    "llama_tied_ranks": ("llama_tied", dict(r=3, lora_alpha=6, rank_pattern={"down_proj": 2},
                                            target_modules=["q_proj", "v_proj", "down_proj"])),
    "gpt2_dora": ("gpt2", dict(r=2, lora_alpha=4, target_modules=["c_attn", "mlp.c_proj"],
                               use_dora=True, fan_in_fan_out=True)),
    "llama_dora": ("llama", dict(r=2, lora_alpha=4, target_modules=["k_proj", "up_proj"],
                                 use_dora=True)),
}


def base(name):
    return AutoModelForCausalLM.from_pretrained(name, attn_implementation="eager",
                                                dtype=torch.float32)


def make(case, name, options):
    torch.manual_seed(7)
    folder = os.path.join(GOLDEN, "adapters", case)
    shutil.rmtree(folder, ignore_errors=True)
    model = get_peft_model(base(os.path.join(GOLDEN, name)),
                           LoraConfig(task_type="CAUSAL_LM", **options))
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.dim() == 2:
            parameter.data = 0.3 * torch.randn(parameter.shape)
        elif parameter.requires_grad:  # DoRA's norms
            parameter.data *= 1 + 0.2 * torch.rand(parameter.shape)
    model.save_pretrained(folder)
    os.remove(os.path.join(folder, "README.md"))
    config_file = os.path.join(folder, "adapter_config.json")
    config = json.load(open(config_file))
    config["base_model_name_or_path"] = name
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    json.dump(config, open(config_file, "w"), indent=2, sort_keys=True)
    model = model.double().eval()
    tokens = load_file(os.path.join(GOLDEN, name, "golden.safetensors"))["tokens"]
    logits = model(tokens).logits
    loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    result = {"logits": logits.detach()}
    for key, parameter in model.named_parameters():
        if parameter.requires_grad:
            key = key.replace(".default", "").removeprefix("base_model.model.")
            result["grad." + key.replace("magnitude_vector.weight", "magnitude_vector")] = parameter.grad
    adapted = {k.split(".lora_")[0] for k in result if ".lora_" in k}
    for key, tensor in model.merge_and_unload().state_dict().items():
        if "grad." + key.removesuffix(".weight") in adapted:
            result["merged." + key] = tensor.detach()
    save_file({k: v.float().contiguous() for k, v in result.items()},
              os.path.join(folder, "golden.safetensors"))


def check(name, adapter, tokens, logits):
    model = PeftModel.from_pretrained(base(name), adapter).eval()
    found = load_file(logits)
    worst = 0.0
    with torch.no_grad():
        for i, sequence in enumerate(json.load(open(tokens))):
            expected = model(torch.tensor([sequence])).logits[0]
            worst = max(worst, (expected - found[f"logits.{i}"]).abs().max().item())
    print(f"{adapter}: largest difference {worst:.1e}")
    assert worst < 1e-5


# Options of `alambic train`, and whether the model's head is its embedding.
TRAINED = {
    "low ranks": ("--lora-targets q_proj --lora-targets v_proj", False),
    "dora": ("--dora", False),
    "whole head": ("--lora-modules-to-save lm_head", False),
    "whole embedding, norm and head": (
        "--lora-modules-to-save embed_tokens --lora-modules-to-save norm --lora-modules-to-save lm_head", False),
    "whole down_proj beside others": ("--lora-targets q_proj --lora-modules-to-save down_proj",
                                      False),
    "whole embedding, tied": ("--lora-modules-to-save embed_tokens", True),
}


def trained(program):
    tokenizer = os.path.join(GOLDEN, "../../recipes/word_problems/tokenizer")

    def run(*words):
        subprocess.run([program, *words, "--device", "cpu"] if words[0] != "init" else [program, *words],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    with tempfile.TemporaryDirectory() as folder:
        at = lambda *names: os.path.join(folder, *names)
        with open(at("rows.jsonl"), "w") as rows:
            for i in range(8):
                rows.write(json.dumps({"prompt": f"{i} + 1 =", "completion": f" {i + 1}"}) + "\n")
        with open(at("tokens.json"), "w") as tokens:
            json.dump([[5, 9, 40, 7], [3, 3, 11]], tokens)
        for tied in (False, True):
            config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 16,
                      "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
                      "max_position_embeddings": 64, "tie_word_embeddings": tied, "eos_token_id": 0}
            with open(at("config.json"), "w") as file:
                json.dump(config, file)
            run("init", "--model-config", at("config.json"), "--tokenizer", tokenizer, "--out", at(f"base{tied}"))
        for i, (title, (options, tied)) in enumerate(TRAINED.items()):
            run("train", "--model", at(f"base{tied}"), "--data", at("rows.jsonl"), "--out", at(f"run{i}"), "--max-steps",
                "5", "--batch-size", "4", "--learning-rate", "0.05", "--lora-rank", "2", *options.split())
            logits = at(f"logits{i}.safetensors")
            run("logits", "--model", at(f"base{tied}"), "--adapter", at(f"run{i}", "adapter"), "--tokens",
                at("tokens.json"), "--out", logits)
            print(title, end=": ")
            check(at(f"base{tied}"), at(f"run{i}", "adapter"), at("tokens.json"), logits)


if sys.argv[1:2] == ["check"]:
    check(*sys.argv[2:])
elif sys.argv[1:2] == ["trained"]:
    trained(sys.argv[2] if len(sys.argv) > 2 else os.path.join(GOLDEN, "../../build/release/alambic"))
else:
    for case, (name, options) in CASES.items():
        make(case, name, options)
