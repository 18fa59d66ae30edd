"""Makes tests/golden/{mixtral,qwen3_moe,qwen3_5_moe,deepseek_…,gpt_oss}, models with routed experts, as
models.py makes the rest.

    python tools/goldens/sparse_models.py [NAME…]        (versions: tests/golden/requirements.txt)

transformers keeps a layer's experts in one tensor but saves them one by one (not gpt-oss's); the
gradients here are under the names of the file.
"""
import os
import sys

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import (DeepseekV2Config, DeepseekV2ForCausalLM, DeepseekV3Config,
                          DeepseekV3ForCausalLM, GptOssConfig, GptOssForCausalLM, MixtralConfig,
                          MixtralForCausalLM, Qwen3_5MoeForCausalLM, Qwen3_5MoeTextConfig,
                          Qwen3MoeConfig, Qwen3MoeForCausalLM)

import models as dense
from models import EOS, OUT, adamw_losses, golden, greedy

# Of latent attention: every width is another.
LATENT = dict(intermediate_size=32, moe_intermediate_size=12, first_k_dense_replace=1,
              qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=6, kv_lora_rank=10)
SMALL = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=4, vocab_size=64,
             max_position_embeddings=64, bos_token_id=1, eos_token_id=EOS,
             tie_word_embeddings=False)


def yarn(mscale):
    return dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, beta_fast=32.0, beta_slow=1.0,
                original_max_position_embeddings=16, mscale=mscale, mscale_all_dim=mscale)


def models():
    yield "mixtral", 30, MixtralForCausalLM(MixtralConfig(
        **SMALL, num_key_value_heads=2, intermediate_size=16, num_local_experts=4,
        num_experts_per_tok=2))
    yield "qwen3_moe", 31, Qwen3MoeForCausalLM(Qwen3MoeConfig(
        **SMALL, num_key_value_heads=2, head_dim=8, intermediate_size=32, moe_intermediate_size=12,
        num_experts=6, num_experts_per_tok=2, norm_topk_prob=True, mlp_only_layers=[0]))
    yield "qwen3_5_moe", 31, Qwen3_5MoeForCausalLM(Qwen3_5MoeTextConfig(
        **SMALL, num_key_value_heads=2, head_dim=8, moe_intermediate_size=12, num_experts=6,
        num_experts_per_tok=2, shared_expert_intermediate_size=10, linear_num_key_heads=2,
        linear_num_value_heads=2, linear_key_head_dim=6, linear_value_head_dim=8,
        linear_conv_kernel_dim=3, layer_types=["linear_attention", "full_attention"]))
    yield "deepseek_v2_lite", 32, DeepseekV2ForCausalLM(DeepseekV2Config(
        **SMALL, **LATENT, q_lora_rank=None, n_routed_experts=6, num_experts_per_tok=2,
        n_shared_experts=2))
    yield "deepseek_v2", 33, DeepseekV2ForCausalLM(DeepseekV2Config(
        **SMALL, **LATENT, q_lora_rank=14, n_routed_experts=6, num_experts_per_tok=3,
        n_shared_experts=1, topk_method="group_limited_greedy", n_group=3, topk_group=2,
        routed_scaling_factor=2.0, attention_bias=True, rope_parameters=yarn(0.707)))
    yield "deepseek_v3", 40, DeepseekV3ForCausalLM(DeepseekV3Config(
        **SMALL, **LATENT, num_key_value_heads=4, q_lora_rank=14, n_routed_experts=8,
        num_experts_per_tok=3, n_shared_experts=1, n_group=4, topk_group=2, norm_topk_prob=True,
        routed_scaling_factor=2.5, num_nextn_predict_layers=0, rope_parameters=yarn(1.0)))
    # With seed 35 a gate stands so near its bound that finite differences step over the kink.
    yield "gpt_oss", 36, GptOssForCausalLM(GptOssConfig(
        **SMALL, num_key_value_heads=2, head_dim=8, intermediate_size=16, num_local_experts=4,
        num_experts_per_tok=2, sliding_window=5, swiglu_limit=0.7,
        rope_parameters=dict(rope_type="yarn", rope_theta=150000.0, factor=4.0, beta_fast=32.0,
                             beta_slow=1.0, truncate=False, original_max_position_embeddings=16)))


def randomize(model, generator):
    dense.randomize(model, generator)
    for name, buffer in saved_buffers(model):
        buffer.copy_(0.3 * torch.randn(buffer.shape, generator=generator))


def saved_buffers(model):
    """What is in the file and learns nothing."""
    return [(name, buffer) for name, buffer in model.named_buffers()
            if name.endswith("e_score_correction_bias")]


def first_clear_seed(model, seed):
    """Randomizes the model by the first seed whose greedy answer is clear; returns its tokens."""
    while True:
        generator = torch.Generator().manual_seed(seed)
        randomize(model, generator)
        tokens = torch.randint(3, model.config.vocab_size, (2, 16), generator=generator)
        try:
            with torch.no_grad():
                greedy(model, tokens[0, :4], 12)
            return tokens
        except AssertionError:
            seed += 1


def by_file_name(tensors, file_names):
    """Splits the gradients of fused experts and renames Mixtral's."""
    result = {}
    for name, tensor in tensors.items():
        if ".block_sparse_moe.gate.weight" in "".join(file_names):
            gate, up, down = "w1", "w3", "w2"
            name = name.replace(".mlp.", ".block_sparse_moe.")
        else:
            gate, up, down = "gate_proj", "up_proj", "down_proj"
        base = name.rsplit(".", 1)[0]
        if name.removeprefix("grad.") in file_names:
            result[name] = tensor
        elif name.endswith("experts.gate_up_proj"):
            for e, expert in enumerate(tensor):
                result[f"{base}.{e}.{gate}.weight"], result[f"{base}.{e}.{up}.weight"] = (
                    expert.chunk(2))
        elif name.endswith("experts.down_proj"):
            for e, expert in enumerate(tensor):
                result[f"{base}.{e}.{down}.weight"] = expert
        else:
            result[name] = tensor
    return result


def main():
    torch.set_num_threads(1)
    for name, seed, model in models():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        model.set_attn_implementation("eager")
        model.set_experts_implementation("eager")
        model.eval()
        tokens = first_clear_seed(model, seed)
        folder = os.path.join(OUT, name)
        model.save_pretrained(folder)
        with safe_open(os.path.join(folder, "model.safetensors"), "pt") as file:
            file_names = list(file.keys())

        in_float32 = adamw_losses(type(model).from_pretrained(folder, dtype=torch.float32), tokens)
        tensors = by_file_name(golden(model.double(), tokens), file_names)
        gradients = {key[5:] for key in tensors if key.startswith("grad.")}
        learnt = set(file_names) - {name for name, _ in saved_buffers(model)}
        assert gradients == learnt, gradients ^ learnt
        idle = [key for key, value in tensors.items() if key.startswith("grad.") and not value.any()]
        assert not idle, f"experts without a token; take another seed: {idle}"
        drift = ((in_float32 - tensors["adamw_losses"]) / tensors["adamw_losses"]).abs().max()
        print(f"{name}: losses {tensors['adamw_losses'].tolist()}; float32 differs by {drift:.1e}")
        stored = {key: value.float() if value.is_floating_point() else value
                  for key, value in tensors.items()}
        save_file({"tokens": tokens} | {k: v.contiguous() for k, v in stored.items()},
                  os.path.join(folder, "golden.safetensors"))


if __name__ == "__main__":
    main()
