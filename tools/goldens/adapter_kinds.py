"""Makes tests/golden/adapter_kinds/*: adapters of every kind that PEFT saves, each with
golden.safetensors: the logits of PeftModel.from_pretrained over the model as it was, and `base` in
kind.json, the golden model's folder. by_key: one adapter whose configuration is changed key by key
(cases.json), with PEFT's logits of the last token, or the fact that PEFT refuses it.

    python tools/goldens/adapter_kinds.py        (versions: tests/golden/requirements.txt)
    python tools/goldens/adapter_kinds.py fuzz BINARY SECONDS SEED

The second form changes several keys at once and compares `alambic logits --adapter` with PEFT:
either the same logits, or a refusal that names one of the changed keys. Computed in float32.
"""
import copy
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import warnings

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging

logging.disable_progress_bar()
logging.set_verbosity_error()
warnings.simplefilter("ignore")

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden")
KINDS = os.path.join(GOLDEN, "adapter_kinds")
TOKENS = [3, 11, 40, 7, 1, 5, 62, 0]

QV = ["q_proj", "v_proj"]
CASES = {  # name: (model, rows of the vocabulary or 0, options)
    "pissa": ("llama", 0, dict(r=2, lora_alpha=3, target_modules=QV, init_lora_weights="pissa")),
    "pissa_gpt2": ("gpt2", 0, dict(r=2, target_modules=["c_attn"], init_lora_weights="pissa",
                                   fan_in_fan_out=True)),
    "olora": ("llama", 0, dict(r=2, lora_alpha=3, target_modules=QV + ["up_proj"],
                               init_lora_weights="olora")),
    "patterns": ("llama", 0, dict(
        r=2, lora_alpha=3, target_modules=QV + ["up_proj"], use_rslora=True,
        rank_pattern={"layers.1.self_attn.q_proj": 3, ".*v_proj": 1},
        alpha_pattern={"[qv]_proj": 7, "model.layers.0.mlp.up_proj": 5, "proj": 11})),
    "saved_norms": ("llama", 0, dict(r=2, target_modules=QV, modules_to_save=["norm"])),
    "saved_mlp": ("llama", 0, dict(r=1, target_modules=["q_proj", "up_proj"],
                                   modules_to_save=["layers.0.mlp"])),
    "tied_saved_embedding": ("llama_tied", 0, dict(r=1, target_modules=["q_proj"],
                                                   modules_to_save=["embed_tokens"])),
    "tied_saved_both": ("llama_tied", 0, dict(r=1, target_modules=["q_proj"],
                                              modules_to_save=["lm_head", "embed_tokens"])),
    "tied_saved_tied": ("llama_tied", 0, dict(r=1, target_modules=["q_proj"],
                                              modules_to_save=["embed_tokens"],
                                              ensure_weight_tying=True)),
    "tied_targets": ("llama_tied", 0, dict(r=2, target_modules=["v_proj", "lm_head",
                                                               "embed_tokens"])),
    "dora_targets": ("llama", 0, dict(r=2, target_modules=["v_proj", "lm_head", "embed_tokens"],
                                      use_dora=True)),
    "gpt2_targets": ("gpt2", 0, dict(r=2, target_modules=["c_attn", "lm_head", "wte", "wpe"],
                                     fan_in_fan_out=True)),
    "biases": ("gpt2", 0, dict(r=1, target_modules=["c_attn"], bias="all", fan_in_fan_out=True)),
    "tokens": ("llama_tied", 0, dict(r=1, target_modules=["q_proj"],
                                     trainable_token_indices=[3, 40])),
    "new_tokens": ("llama_tied", 66, dict(r=1, target_modules=["q_proj"],
                                          trainable_token_indices=[64, 65])),
    "resized": ("llama", 66, dict(r=1, target_modules=["q_proj"])),
    "resized_saved": ("llama_tied", 66, dict(r=1, target_modules=["q_proj"],
                                             modules_to_save=["embed_tokens"])),
    "layers": ("llama", 0, dict(r=2, target_modules=["self_attn.q_proj", "down_proj"],
                                layers_to_transform=[1], layers_pattern="layers",
                                exclude_modules=".*mlp.*")),
}


def base(name, rows=0):
    model = AutoModelForCausalLM.from_pretrained(os.path.join(GOLDEN, name), dtype=torch.float32,
                                                 attn_implementation="eager")
    if rows:
        model.resize_token_embeddings(rows, mean_resizing=False)
    return model


def shake(model):
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.2 * torch.randn(parameter.shape)


def logits_of(name, folder, rows=0, tokens=TOKENS):
    with torch.no_grad():
        model = PeftModel.from_pretrained(base(name, rows), folder).eval()
        return model(torch.tensor([tokens])).logits[0].float()


def clean(folder, name):
    """Halves the file and takes out of the configuration what changes from run to run."""
    os.remove(os.path.join(folder, "README.md"))
    weights = os.path.join(folder, "adapter_model.safetensors")
    if os.path.exists(weights):
        save_file({key: tensor.half() for key, tensor in load_file(weights).items()}, weights)
    path = os.path.join(folder, "adapter_config.json")
    config = json.load(open(path))
    config["base_model_name_or_path"] = name
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    json.dump(config, open(path, "w"), indent=1, sort_keys=True)
    return config


def make(case, name, rows, options):
    torch.manual_seed(11)
    folder = os.path.join(KINDS, case)
    shutil.rmtree(folder, ignore_errors=True)
    model = get_peft_model(base(name, rows), LoraConfig(task_type="CAUSAL_LM", **options))
    shake(model)
    model.save_pretrained(folder, safe_serialization=case != "pissa_gpt2")
    clean(folder, name)
    json.dump({"base": name}, open(os.path.join(folder, "kind.json"), "w"))
    tokens = TOKENS[:-2] + [64, 65] if rows else TOKENS
    save_file({"logits": logits_of(name, folder, rows, tokens),
               "tokens": torch.tensor(tokens)}, os.path.join(folder, "golden.safetensors"))


ABSENT = "<absent>"
EDITS = {
    "r": [2, 3, 1, 0, -1, "2", None, ABSENT],
    "lora_alpha": [1, 0.5, 7, 0, -2, None, ABSENT, "3"],
    "use_rslora": [True, None, ABSENT],
    "use_dora": [True, None],
    "alpha_pattern": [{"q_proj": 9}, {".*v_proj": 3, "v_proj": 5}, {"layers.0.self_attn.q_proj": 5},
                      {"model.layers.1": 3}, {"^model.layers.0.mlp.down_proj": 2}, {"proj": 4},
                      {"[qv]_proj": 6}, {"q_proj|v_proj": 6}, {"(": 1}, {"lm_head": 3},
                      {"q_proj": None}, "x"],
    "rank_pattern": [{"q_proj": 2}, {"v_proj": 1}, {"nothing": 5}, {"q_proj": 0}],
    "target_modules": ["all-linear", "ALL-LINEAR", ["q_proj"], ["q_proj", "nothing"], ["nothing"],
                       ".*q_proj", "q_proj", r".*\.(q|v)_proj$",
                       r".*layers\.0\..*(q_proj|down_proj)", None, ABSENT, ["lm_head"], "lm_head",
                       ["model.layers.0.self_attn.q_proj"], ["self_attn.q_proj", "mlp.down_proj"],
                       ["q_proj", "k_proj"], ["proj"], "(", r".*[13]\.self_attn.*q_proj"],
    "exclude_modules": [["q_proj"], ".*v_proj", "lm_head", ["model.layers.0.mlp.down_proj"], [],
                        None, ".*"],
    "layers_to_transform": [0, 1, [0], [1], [0, 1], [], [5], None],
    "layers_pattern": ["layers", ["layers"], "h", [], None],
    "modules_to_save": [None, [], ["norm"], ["model.norm"], ["lm_head"], ["mlp"],
                        ["model.norm", "nothing"], ["score"]],
    "bias": ["none", "all", "lora_only", None],
    "init_lora_weights": [True, False, None, "gaussian", "pissa", "pissa_niter_4", "olora", "OLoRA",
                          "eva", "orthogonal", "mica", "corda", "loftq", "lora_ga", "x", "PiSSA",
                          ABSENT],
    "fan_in_fan_out": [True], "lora_dropout": [0.5, ABSENT], "inference_mode": [False, ABSENT],
    "task_type": ["SEQ_CLS", "FEATURE_EXTRACTION", None, ABSENT],
    "peft_type": ["IA3", "lora", "ADALORA", ABSENT],
    "base_model_name_or_path": ["other", None], "revision": ["main"], "auto_mapping": [{"a": "b"}],
    "megatron_core": ["x"], "megatron_config": [{"a": 1}],
    "loftq_config": [{"loftq_bits": 4, "loftq_iter": 1}], "eva_config": [{"rho": 2.0}],
    "corda_config": [{"verbose": False}], "lora_ga_config": [{"scale": "stable"}],
    "qalora_group_size": [8], "use_qalora": [True], "layer_replication": [[[0, 2], [1, 2]]],
    "alora_invocation_tokens": [[1, 5]], "arrow_config": [{"top_k": 1}],
    "kasa_config": [{"beta": 0.1}], "velora_config": [{"num_groups": 4}],
    "monteclora_config": [{"num_samples": 2}], "lora_bias": [True],
    "target_parameters": [["mlp.down_proj.weight"], []], "trainable_token_indices": [[1], None],
    "use_bdlora": [{"nblocks": 2, "match_strict": False}], "ensure_weight_tying": [True],
    "runtime_config": [{"ephemeral_gpu_offload": False}], "peft_version": ["0.9.0", ABSENT],
    "future_key": [3, None], "enable_lora": [[True, False]], "merge_weights": [False],
}


def edited(config, edit):
    config = copy.deepcopy(config)
    for key, value in edit.items():
        if value == ABSENT:
            config.pop(key, None)
        else:
            config[key] = value
    return config


def peft_on(name, folder, config):
    """Logits of the last token; None: PEFT refuses; "random": they differ from load to load."""
    json.dump(config, open(os.path.join(folder, "adapter_config.json"), "w"))
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        try:
            results.append(logits_of(name, folder)[-1])
        except Exception:
            return None
    return results[0] if torch.allclose(*results, atol=1e-4) else "random"


def make_by_key():
    torch.manual_seed(13)
    folder = os.path.join(KINDS, "by_key")
    shutil.rmtree(folder, ignore_errors=True)
    model = get_peft_model(base("llama"), LoraConfig(
        task_type="CAUSAL_LM", r=2, lora_alpha=5, modules_to_save=["model.norm"],
        target_modules=["q_proj", "v_proj", "down_proj", "lm_head"]))
    shake(model)
    model.save_pretrained(folder)
    config = clean(folder, "llama")
    edits = [{}] + [{key: value} for key, values in EDITS.items() for value in values]
    draw = random.Random(17)
    for _ in range(60):
        keys = draw.sample(list(EDITS), 2)
        edits.append({key: draw.choice(EDITS[key]) for key in keys})
    cases, logits = [], []
    with tempfile.TemporaryDirectory() as other:
        shutil.copytree(folder, other, dirs_exist_ok=True)
        for edit in edits:
            found = peft_on("llama", other, edited(config, edit))
            if isinstance(found, str):
                continue
            case = {"edit": edit}
            if found is None:
                case["refused"] = True
            else:
                row = next((i for i, one in enumerate(logits)
                            if torch.allclose(one, found, atol=1e-6)), None)
                if row is None:
                    row = len(logits)
                    logits.append(found)
                case["row"] = row
            cases.append(case)
    with open(os.path.join(folder, "cases.json"), "w") as file:
        file.write("[" + ",\n".join(json.dumps(case) for case in cases) + "]\n")
    save_file({"logits": torch.stack(logits)}, os.path.join(folder, "golden.safetensors"))
    refused = sum("refused" in case for case in cases)
    print(f"by_key: {len(cases)} cases, {refused} refused, {len(logits)} different logits")


def fuzz(binary, seconds, seed):
    draw, end, counts = random.Random(seed), time.time() + seconds, {}
    folder = os.path.join(KINDS, "by_key")
    config = json.load(open(os.path.join(folder, "adapter_config.json")))
    with tempfile.TemporaryDirectory() as other:
        shutil.copytree(folder, other, dirs_exist_ok=True)
        json.dump([TOKENS], open(os.path.join(other, "tokens.json"), "w"))
        out = os.path.join(other, "out.safetensors")
        while time.time() < end:
            edit = {key: draw.choice(EDITS[key])
                    for key in draw.sample(list(EDITS), draw.randint(1, 4))}
            expected = peft_on("llama", other, edited(config, edit))
            if os.path.exists(out):
                os.remove(out)
            run = subprocess.run(
                [binary, "logits", "--model", os.path.join(GOLDEN, "llama"), "--adapter", other,
                 "--tokens", os.path.join(other, "tokens.json"), "--out", out],
                capture_output=True, text=True)
            if run.returncode == 0 and isinstance(expected, torch.Tensor):
                found = load_file(out)["logits.0"][-1]
                kind = "same" if (found - expected).abs().max() < 1e-4 else "DIFFERENT"
            elif run.returncode == 2:
                named = any(key in run.stderr for key in edit) or expected is None
                kind = "refused by both" if expected is None else "refused by us"
                kind = kind if named else "REFUSED WITHOUT A NAME"
            else:
                kind = {None: "READ WHERE PEFT REFUSES"}.get(expected, "RANDOM IN PEFT")
                kind = kind if run.returncode == 0 else f"EXIT {run.returncode}"
            counts[kind] = counts.get(kind, 0) + 1
            if kind.isupper() or kind.startswith("EXIT"):
                print(kind, json.dumps(edit), run.stderr.strip()[-300:], flush=True)
    print(counts)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        fuzz(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
    else:
        for case, (name, rows, options) in CASES.items():
            make(case, name, rows, options)
        make_by_key()
