"""Makes tests/golden/{mixtral,qwen3_moe,qwen3_5_moe,deepseek_…,gpt_oss}, models with routed experts, as
models.py makes the rest.

    python tools/goldens/sparse_models.py [NAME…]        (versions: tests/golden/requirements.txt)

transformers keeps a layer's experts in one tensor but saves them one by one (not gpt-oss's); the
gradients here are under the names of the file.
"""
import contextlib
import os
import sys
import tempfile
import unittest.mock

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import (DeepseekV2Config, DeepseekV2ForCausalLM, DeepseekV3Config,
                          DeepseekV3ForCausalLM, DeepseekV32Config, DeepseekV32ForCausalLM,
                          DeepseekV4Config, DeepseekV4ForCausalLM, Gemma4ForCausalLM,
                          Gemma4TextConfig, GptOssConfig, GptOssForCausalLM, MixtralConfig,
                          MixtralForCausalLM, Qwen3_5MoeForCausalLM, Qwen3_5MoeTextConfig,
                          Qwen3MoeConfig, Qwen3MoeForCausalLM)

from models import EOS, OUT, adamw_losses, golden, greedy, randomize, saved_buffers

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
    yield "deepseek_v32", 53, DeepseekV32ForCausalLM(DeepseekV32Config(
        **SMALL, **LATENT, num_key_value_heads=4, q_lora_rank=14, n_routed_experts=8,
        num_experts_per_tok=3, n_shared_experts=1, n_group=4, topk_group=2, norm_topk_prob=True,
        routed_scaling_factor=2.5, index_topk=5, index_n_heads=6, index_head_dim=9,
        rope_parameters=yarn(1.0)))
    # Windows of 2 and 4 tokens and 3 of their own: in 16 tokens there are entries of all kinds, more
    # of the first than are chosen.
    yield "deepseek_v4", 60, DeepseekV4ForCausalLM(DeepseekV4Config(
        **SMALL | dict(hidden_size=16, num_hidden_layers=3), num_key_value_heads=1, head_dim=8,
        partial_rotary_factor=0.5, q_lora_rank=10, o_groups=2, o_lora_rank=6, sliding_window=3,
        layer_types=["sliding_attention", "compressed_sparse_attention",
                     "heavily_compressed_attention"],
        compress_rates=dict(compressed_sparse_attention=2, heavily_compressed_attention=4),
        index_n_heads=5, index_head_dim=6, index_topk=2, hc_mult=3, hc_sinkhorn_iters=4,
        mlp_layer_types=["hash_moe", "moe", "moe"], moe_intermediate_size=12, n_routed_experts=4,
        num_experts_per_tok=2, n_shared_experts=1, swiglu_limit=0.7, num_nextn_predict_layers=0,
        rope_theta=10000.0, compress_rope_theta=1600.0,
        rope_parameters=dict(rope_type="yarn", factor=4.0, beta_fast=32.0, beta_slow=1.0,
                             original_max_position_embeddings=16)))
    # With seed 35 a gate stands so near its bound that finite differences step over the kink.
    yield "gpt_oss", 36, GptOssForCausalLM(GptOssConfig(
        **SMALL, num_key_value_heads=2, head_dim=8, intermediate_size=16, num_local_experts=4,
        num_experts_per_tok=2, sliding_window=5, swiglu_limit=0.7,
        rope_parameters=dict(rope_type="yarn", rope_theta=150000.0, factor=4.0, beta_fast=32.0,
                             beta_slow=1.0, truncate=False, original_max_position_embeddings=16)))
    yield "gemma4_moe", 38, Gemma4ForCausalLM(Gemma4TextConfig(
        **SMALL | dict(tie_word_embeddings=True), num_key_value_heads=2, head_dim=8,
        global_head_dim=12, attention_k_eq_v=True, num_global_key_value_heads=1,
        intermediate_size=16, layer_types=["sliding_attention", "full_attention"],
        sliding_window=5, hidden_size_per_layer_input=0, enable_moe_block=True, num_experts=4,
        top_k_experts=2, moe_intermediate_size=12, pad_token_id=0))


@contextlib.contextmanager
def clear_choices():
    """Refuses an indexer's choice between two positions of almost the same score: rounding, or the
    order of equals, would decide."""
    topk = torch.Tensor.topk

    def checked(scores, k, *rest, **named):
        if scores.dim() == 3 and k < scores.shape[-1]:  # [batch, position, position]
            best = topk(scores, k + 1, -1).values
            gap = (best[..., -2] - best[..., -1])[best[..., -1] > -1e30]
            assert gap.numel() == 0 or gap.min() > 1e-3, "the indexer's choice is not clear"
        return topk(scores, k, *rest, **named)

    with unittest.mock.patch.object(torch.Tensor, "topk", checked):
        yield


def first_clear_seed(model, seed):
    """Randomizes the model by the first seed whose greedy answer and whose choices are clear; returns
    its tokens."""
    while True:
        generator = torch.Generator().manual_seed(seed)
        randomize(model, generator)
        tokens = torch.randint(3, model.config.vocab_size, (2, 16), generator=generator)
        try:
            with torch.no_grad(), clear_choices():
                greedy(model, tokens[0, :4], 12)
                model(tokens)
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


def saved_gradients(model, tensors):
    """The same for DeepSeek-V4, whose names differ all over: gradients are saved as if they were the
    weights. Of no use is the model afterwards."""
    for name, parameter in model.named_parameters():
        parameter.data = tensors.pop("grad." + name, torch.zeros_like(parameter))
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        gradients = load_file(os.path.join(folder, "model.safetensors"))
    fixed = (".gate.bias", ".gate.tid2eid")
    return tensors | {"grad." + name: gradient for name, gradient in gradients.items()
                      if ".indexer." not in name and not name.endswith(fixed)}


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
        tensors = golden(model.double(), tokens)
        if name == "deepseek_v4":
            tensors = saved_gradients(model, tensors)
        else:
            tensors = by_file_name(tensors, file_names)
        gradients = {key[5:] for key in tensors if key.startswith("grad.")}
        learned = {name for name in file_names if ".indexer." not in name}
        learned -= {name for name, _ in saved_buffers(model)}
        learned = {name for name in learned if not name.endswith((".gate.bias", ".gate.tid2eid"))}
        assert gradients == learned, gradients ^ learned
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
