"""Keys of config.json by family, with the types and defaults of transformers' configuration classes.

    python tools/goldens/config_keys.py > alambic/io/config/family_keys.def

Needs transformers 5.23. Left out: what neither changes a model's numbers nor is read by Alambic.
"""

import dataclasses
import json
import sys
import types
import typing

from transformers import CONFIG_MAPPING, PreTrainedConfig

# model_type, architecture, keys that the class reads without declaring them.
HEAD_DIM = {"head_dim:int?": None}
FAMILIES = {
    "deepseek_v2": ("DeepseekV2ForCausalLM", {}),
    "deepseek_v3": ("DeepseekV3ForCausalLM", HEAD_DIM),
    "deepseek_v32": ("DeepseekV32ForCausalLM", {}),
    "deepseek_v4": (
        "DeepseekV4ForCausalLM",
        {
            "compress_ratios:ints?": None,
            "compress_rate_csa:int?": None,
            "compress_rate_hca:int?": None,
            "num_hash_layers:int?": None,
            "qk_rope_head_dim:int?": None,
        },
    ),
    "gemma2": ("Gemma2ForCausalLM", {}),
    "gemma3_text": ("Gemma3ForCausalLM", {"sliding_window_pattern:whole": 6}),
    "gemma4_text": (
        "Gemma4ForCausalLM",
        {"global_head_dim": 512, "num_global_key_value_heads:int?": None},
    ),
    "gpt2": ("GPT2LMHeadModel", {}),
    "gpt_neox": ("GPTNeoXForCausalLM", HEAD_DIM),
    "gpt_oss": ("GptOssForCausalLM", {}),
    "llama": ("LlamaForCausalLM", {}),
    "mistral": ("MistralForCausalLM", {}),
    "mixtral": ("MixtralForCausalLM", {}),
    "olmo2": ("Olmo2ForCausalLM", HEAD_DIM),
    "phi3": ("Phi3ForCausalLM", HEAD_DIM),
    "qwen2": ("Qwen2ForCausalLM", HEAD_DIM),
    "qwen3": ("Qwen3ForCausalLM", {}),
    "qwen3_5_text": ("Qwen3_5ForCausalLM", {"full_attention_interval:whole": 4}),
    "qwen3_5_moe_text": ("Qwen3_5MoeForCausalLM", {"full_attention_interval:whole": 4}),
    "qwen3_moe": ("Qwen3MoeForCausalLM", HEAD_DIM),
    "smollm3": ("SmolLM3ForCausalLM", HEAD_DIM),
}
LEFT_OUT = {
    "add_cross_attention", "attn_pdrop", "bos_token_id", "classifier_dropout", "embd_pdrop",
    "eos_token_id", "is_decoder", "output_router_logits", "pad_token_id", "pretraining_tp",
    "reorder_and_upcast_attn", "resid_pdrop", "rope_parameters", "router_aux_loss_coef",
    "router_jitter_noise", "use_cache",
}  # fmt: skip
KINDS = {int: "int", float: "real", bool: "flag", str: "text", dict: "object"}


def kind_of(hint: object) -> str:
    """Name of a type for the table; the last letter is ? where null is one of its values."""
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union else (hint,)
    named = [option for option in options if option is not type(None)]
    optional = "?" if type(None) in options else ""
    if float in named:
        return "real" + optional
    (one,) = named
    if typing.get_origin(one) is list:
        return {str: "texts", int: "ints"}[typing.get_args(one)[0]] + optional
    if typing.get_origin(one) is typing.Literal:
        return "text" + optional
    return KINDS[one] + optional


def keys_of(config_class: type) -> dict[str, object]:
    base = {field.name for field in dataclasses.fields(PreTrainedConfig)}
    keys = {}
    for field in dataclasses.fields(config_class):
        name = field.name
        if name in base - {"tie_word_embeddings"} or name in LEFT_OUT or "dropout" in name or name.startswith("summary_"):
            continue
        keys[f"{name}:{kind_of(field.type)}"] = field.default
    return keys


def main() -> None:
    print("// Made by tools/goldens/config_keys.py from transformers' configuration classes:")
    print("// FAMILY_KEYS(model_type, architecture, default base of the angles, JSON of other spellings")
    print("// of keys, which win where both are there, JSON of keys with their defaults)")
    print("//   \"key:kind\", with ? where null is a value of its own; a whole may be written as a float")
    for model_type, (architecture, undeclared) in FAMILIES.items():
        config_class = CONFIG_MAPPING[model_type]
        keys = keys_of(config_class) | {
            name if ":" in name else f"{name}:int": default for name, default in undeclared.items()
        }
        declared = {name.split(":")[0] for name in keys}
        spellings = {}
        for one, other in config_class.attribute_map.items():
            if one in declared:
                spellings[other] = one
            elif other in declared:
                spellings[one] = other
        theta = config_class.default_theta
        theta = theta if isinstance(theta, float) else theta["global"]
        lines, line = [], "   "
        for name, default in keys.items():
            text = f" {json.dumps(name)}: {json.dumps(default)},"
            if len(line) + len(text) > 99:
                lines.append(line)
                line = "   "
            line += text
        lines.append(line.rstrip(","))
        print(f'FAMILY_KEYS("{model_type}", "{architecture}", {theta:g}, R"({json.dumps(spellings)})", R"({{')
        print("\n".join(lines) + '})")')


if __name__ == "__main__":
    sys.exit(main())
