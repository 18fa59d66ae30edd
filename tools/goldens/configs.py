"""Makes tests/golden/configs.json: what transformers' configuration classes make of every key that
Alambic reads, of every family, left out, null and of other types, and of every spelling of RoPE.

    python tools/goldens/configs.py        (transformers 5.23; about five minutes)

For each family a base (tests/golden/FAMILY/config.json without its settings of RoPE), then outcomes of
edits: 0 where transformers fails, to read it or to compute with it; 1 where all is as for the base;
n from 2: outcomes[n - 2] has the values that differ, "rope" being [frequencies, factor of cos and
sin] of each kind of layers, and "parameters" the number of numbers in the model. Lists of factors in "rope_edits" are of MOST_PAIRS;
a family's have as many as its "pairs".
"""

import contextlib
import json
import logging
import os
import re
import sys
import warnings

import torch
from transformers import AutoModelForCausalLM, CONFIG_MAPPING

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "..", "tests", "golden")
KEYS = os.path.join(HERE, "..", "..", "alambic", "io", "config", "family_keys.def")
FOLDERS = {"gemma3_text": "gemma3", "gemma4_text": "gemma4", "qwen3_5_text": "qwen3_5",
           "qwen3_5_moe_text": "qwen3_5_moe"}  # fmt: skip
ROPE_KEYS = ["rope_parameters", "rope_scaling", "rope_theta", "partial_rotary_factor",
             "rotary_emb_base", "rotary_pct", "rope_local_base_freq"]  # fmt: skip
MOST_PAIRS = 6  # of a head that turn, in the golden models
LINEAR = {"rope_type": "linear", "factor": 2.0}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 16}  # fmt: skip
BOTH = {"full_attention": {"rope_type": "default", "rope_theta": 5e5},
        "sliding_attention": {"rope_type": "default", "rope_theta": 2e4}}  # fmt: skip


def without(rope: dict, *keys: str) -> dict:
    return {key: value for key, value in rope.items() if key not in keys}


def rope_edits(pairs: int) -> list[dict]:
    """Edits of a configuration without settings of RoPE; `pairs` turn in each head."""
    long = {"rope_type": "longrope", "short_factor": [1 + i / 8 for i in range(pairs)],
            "long_factor": [2.0] * pairs, "original_max_position_embeddings": 16}  # fmt: skip
    dicts = [
        LINEAR, YARN, LLAMA3, long,
        {"type": "linear", "factor": 2.0}, {"type": "yarn", "rope_type": "linear", "factor": 2.0},
        {"rope_type": "dynamic", "factor": 2.0}, {"type": "dynamic"}, without(LINEAR, "factor"),
        LINEAR | {"factor": None}, LINEAR | {"factor": "2"}, LINEAR | {"factor": 2},
        LINEAR | {"rope_theta": 5e5}, LINEAR | {"rope_theta": None},
        without(YARN, "factor"), YARN | {"factor": None},
        without(YARN, "original_max_position_embeddings"),
        YARN | {"original_max_position_embeddings": None},
        YARN | {"original_max_position_embeddings": 16.0},
        YARN | {"attention_factor": 1.5}, YARN | {"attention_factor": None},
        YARN | {"mscale": 1.0, "mscale_all_dim": 0.5}, YARN | {"mscale": 0.5},
        YARN | {"mscale": None, "mscale_all_dim": None},
        YARN | {"beta_fast": 20.0, "beta_slow": 2.0}, YARN | {"beta_fast": 0, "beta_slow": None},
        YARN | {"truncate": False}, YARN | {"truncate": None}, YARN | {"rope_theta": 5e5},
        without(LLAMA3, "low_freq_factor"), without(LLAMA3, "original_max_position_embeddings"),
        LLAMA3 | {"high_freq_factor": None}, LLAMA3 | {"factor": True},
        without(long, "long_factor"), without(long, "original_max_position_embeddings"),
        long | {"factor": 3.0}, long | {"type": "su"}, long | {"short_factor": [1.0]},
        without(long, "rope_type") | {"type": "su"}, without(long, "rope_type") | {"type": "yarn"},
        {"rope_type": None, "factor": 2.0}, {"rope_type": "other"}, {"rope_type": 3}, {},
        {"rope_type": "default", "rope_theta": 5e5}, {"rope_theta": 5e5}, {"rope_theta": 500000},
        {"rope_type": "default", "partial_rotary_factor": 0.5},
        {"rope_type": "default", "partial_rotary_factor": None}, {"factor": 2.0},
        {"rope_type": "proportional", "partial_rotary_factor": 0.5}, BOTH,
        {"full_attention": BOTH["full_attention"]}, {"full_attention": YARN | {"rope_theta": 5e5}},
        BOTH | {"full_attention": LINEAR}, BOTH | {"full_attention": YARN | {"truncate": False}},
        BOTH | {"full_attention": None}, BOTH | {"rope_theta": 7e4},
    ]  # fmt: skip
    edits = [{key: rope} for rope in dicts for key in ("rope_parameters", "rope_scaling")]
    default = {"rope_type": "default", "rope_theta": 5e5}
    for one, other in [(default, YARN), (default, LINEAR | {"rope_theta": 3e4}), (YARN, LINEAR),
                       (default, {}), (default, None), (None, LINEAR), (BOTH, LINEAR),
                       (BOTH, {"type": "linear", "factor": 2.0}), (YARN, {"rope_type": "default"})]:  # fmt: skip
        for theta in ({}, {"rope_theta": 3e5}):
            edits.append({"rope_parameters": one, "rope_scaling": other} | theta)
    edits += [{"rope_theta": value} for value in (5e5, 500000, None, "1e6", True)]
    edits += [{"rope_theta": 5e5, "rope_parameters": {"rope_theta": 3e4}}]
    edits += [{"partial_rotary_factor": value} for value in (0.5, 1.0, 1, None, "x")]
    edits += [{"rope_scaling": value} for value in ("linear", [], 0, 2, True)]
    edits += [{"rope_parameters": value} for value in ("linear", [], None)]
    edits += [{"rope_local_base_freq": 2e4}, {"rope_local_base_freq": 2e4, "rope_theta": 5e5},
              {"rope_local_base_freq": None}, {"rotary_pct": 0.5}, {"rotary_emb_base": 5e5},
              {"rotary_pct": None}, {"rotary_pct": 0.5, "partial_rotary_factor": 1.0},
              {"rotary_pct": 0.5, "rope_parameters": {"partial_rotary_factor": 1.0}}]  # fmt: skip
    for value in (8, 8.0, None):
        edits.append({"original_max_position_embeddings": value, "rope_scaling": YARN})
        edits.append({"original_max_position_embeddings": value, "rope_scaling": long})
    return edits


def other_edits(base: dict) -> list[dict]:
    """Edits of more than one key, and of lists."""
    layers = base.get("num_hidden_layers", 2)
    full, sliding = "full_attention", "sliding_attention"
    linear = "linear_attention"
    lists = [[full] * layers, [sliding] * layers, [sliding, full] * 4, [full] * (layers + 1), [],
             ["attention"] * layers, ["mamba"] * (layers - 1) + ["attention"],
             ["deepseek_sparse_attention"] * layers, ["other"] * layers, [full, 3],
             [linear] * (layers - 1) + [full], [linear] * layers,
             ["sliding_attention"] + ["heavily_compressed_attention"] * layers]  # fmt: skip
    edits = [{"layer_types": types} for types in lists]
    for window in (None, 3):
        for use in (True, False):
            edits.append({"sliding_window": window, "use_sliding_window": use, "layer_types": None})
            edits.append({"sliding_window": window, "use_sliding_window": use,
                          "layer_types": [sliding] * (layers - 1) + [full]})  # fmt: skip
    edits += [{"layer_types": None, "sliding_window_pattern": value} for value in (2, 2.0, None, 0, "2")]
    edits += [{"layer_types": None, "full_attention_interval": value} for value in (2, 2.0, None, 0, "2")]
    edits += [{"layer_types": None, "max_window_layers": 1, "use_sliding_window": True, "sliding_window": 3}]
    edits += [{"no_rope_layers": value} for value in ([0] * layers, [1] * (layers + 1), [1], [], [True] * layers)]
    edits += [{"no_rope_layers": None, "no_rope_layer_interval": value} for value in (1, 2, 0)]
    edits += [{"mlp_only_layers": value} for value in ([], [0], [7], ["0"])]
    edits += [{"decoder_sparse_step": value} for value in (1, 2, 0)]
    edits += [{"mlp_layer_types": value} for value in (["dense"] * layers, ["sparse"] * layers, ["moe"] * layers, ["sparse"])]
    edits += [{"mlp_layer_types": None, "first_k_dense_replace": value} for value in (0, 1, layers, layers + 1)]
    edits += [{"mlp_layer_types": None, "num_hash_layers": value} for value in (0, 1, 9)]
    edits += [{"layer_types": None, "compress_ratios": value} for value in ([0, 4, 128, 4], [0, 4], [4, 5, 0])]
    edits += [{"compress_rate_csa": 3}, {"compress_rates": None, "compress_rate_hca": 6},
              {"compress_rates": {"compressed_sparse_attention": 3}}, {"compress_rates": {}}]  # fmt: skip
    edits += [{"partial_rotary_factor": None, "qk_rope_head_dim": 2}]
    edits += [{"head_dim": None, "num_key_value_heads": None},
              {"per_layer_config": {}}, {"per_layer_config": None},
              {"per_layer_config": {"00": {"head_dim": 8}}}, {"per_layer_config": {"9": {"head_dim": 8}}},
              {"per_layer_config": None, "global_head_dim": 16},
              {"attention_k_eq_v": True, "num_global_key_value_heads": 1}]  # fmt: skip
    return edits


def type_edits(kind: str, value: object) -> list[object]:
    """Other values for a key of this kind: tests/io/config/golden_test.cpp has the same."""
    if kind in ("int", "whole"):
        number = value if isinstance(value, int) else 4
        return [None, float(number), number + 0.5, True, str(number), [number]]
    if kind == "real":
        return [None, 1, 0.25, True, "0.5", [0.5]]
    if kind == "flag":
        return [None, True, False, 0, 1, "true"]
    if kind == "text":
        return [None, "other", 3, True]
    return [None, 3, "x", {}, [3], ["x"]]


def families() -> list[tuple[str, dict[str, str], list[tuple[str, str]]]]:
    text = open(KEYS).read()
    pattern = r'FAMILY_KEYS\("(\w+)", "\w+", \S+ R"\((.*?)\)", R"\((.*?)\)"\)'
    for model_type, spellings, keys in re.findall(pattern, text, re.S):
        names = [tuple(name.rstrip("?").split(":")) for name in json.loads(keys)]
        yield model_type, json.loads(spellings), names


def seven_digits(value: object) -> object:
    return float(f"{value:.7g}") if isinstance(value, float) else value


def ropes_of(model: torch.nn.Module, model_type: str) -> list:
    for module in model.modules():
        if not type(module).__name__.endswith("RotaryEmbedding"):
            continue
        made = type(module)(config=module.config)
        kinds = {"gemma3_text": ["full_attention_", "sliding_attention_"],
                 "gemma4_text": ["full_attention_", "sliding_attention_"],
                 "deepseek_v4": ["main_", "compress_"]}.get(model_type, [""])  # fmt: skip
        return [
            [[seven_digits(float(x)) for x in getattr(made, kind + "inv_freq")],
             seven_digits(float(getattr(made, kind + "attention_scaling")))]
            for kind in kinds if hasattr(made, kind + "inv_freq")
        ]  # fmt: skip
    return []


def small(config: object) -> bool:
    """Whether a model is made, and computes."""
    wide = ("hidden_size", "intermediate_size", "vocab_size", "moe_intermediate_size",
            "head_dim", "vocab_size_per_layer_input", "n_inner", "kv_lora_rank", "q_lora_rank",
            "n_routed_experts", "num_experts", "num_local_experts", "n_positions")  # fmt: skip
    config.allow_global_per_layer_attribute_access = True
    sizes = [getattr(config, key, 0) or 0 for key in wide]
    return max(sizes) <= 1100 and config.num_hidden_layers <= 9


def outcome(model_type: str, config: dict, names: list[str]) -> dict | int:
    try:
        made = CONFIG_MAPPING[model_type](**json.loads(json.dumps(config)))
        with contextlib.nullcontext() if small(made) else torch.device("meta"):
            model = AutoModelForCausalLM.from_config(made)
        parameters = sum(p.numel() for p in model.parameters())
        values = {"rope": ropes_of(model, model_type), "parameters": parameters}
        if small(made):
            model(torch.tensor([[3, 1, 2, 5, 4, 6]]))
        made.allow_global_per_layer_attribute_access = True
        for name in names:
            values[name] = seven_digits(getattr(made, name, None))
        return values
    except Exception as error:
        if os.environ.get("WHY"):
            print(config, type(error), str(error)[:200], file=sys.stderr)
        return 0


def difference(values: dict | int, base: dict, outcomes: list[dict]) -> int:
    if values == 0:
        return 0
    differing = {key: value for key, value in values.items() if value != base[key]}
    if not differing:
        return 1
    if differing not in outcomes:
        outcomes.append(differing)
    return outcomes.index(differing) + 2


def main() -> None:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    golden = []
    only = sys.argv[1:]
    for model_type, spellings, keys in families():
        if only and model_type not in only:
            continue
        with open(os.path.join(GOLDEN, FOLDERS.get(model_type, model_type), "config.json")) as file:
            config = {key: value for key, value in json.load(file).items() if key not in ROPE_KEYS}
        names = [name for name, _ in keys]
        base = outcome(model_type, config, names)
        outcomes = []
        run = lambda edited: difference(outcome(model_type, edited, names), base, outcomes)
        types, spelled = {}, {}
        for name, kind in keys:
            rest = without(config, name)
            types[name] = [run(rest)] + [run(config | {name: value}) for value in type_edits(kind, config.get(name))]
        for other, name in spellings.items():
            value = config.get(name, 1)
            spelled[other] = [run(without(config, name) | {other: value}), run(config | {other: value + 1}),
                              run(config | {other: None}), run(config | {other: float(value)})]  # fmt: skip
        pairs = (len(base["rope"][0][0]) if base["rope"] else 4)
        ropes = [run(config | edit) for edit in (rope_edits(pairs) if base["rope"] else [])]
        known = set(names) | {"per_layer_config"}
        edits = [edit for edit in other_edits(config) if known & set(edit)]
        golden.append({"model_type": model_type, "base": base, "types": types, "spelled": spelled,
                       "pairs": pairs, "outcomes": outcomes, "ropes": ropes, "edits": [[edit, run(config | edit)] for edit in edits]})  # fmt: skip
        print(model_type, len(types), len(edits), file=sys.stderr)
    path = os.path.join(GOLDEN, "configs.json") if not only else "/dev/stdout"
    with open(path, "w") as file:
        file.write(json.dumps({"rope_edits": rope_edits(MOST_PAIRS), "families": golden}, separators=(",", ":")).replace('{"model_type"', '\n{"model_type"'))
        file.write("\n")


if __name__ == "__main__":
    main()
