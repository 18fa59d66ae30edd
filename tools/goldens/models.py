"""Makes tests/golden/{llama,gpt2,qwen3,…}: small random models saved by transformers, each with
golden.safetensors, which is what transformers computes from it.

    python tools/goldens/models.py [NAME…]        (versions: tests/golden/requirements.txt)

The weights are float32; everything computed is computed in float64 from them and stored as float32,
so the golden is the exact answer and not another implementation's rounding. What the tensors are:
tests/golden/README.md.
"""
import os
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import (Gemma2Config, Gemma2ForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig,
                          Gemma4ForCausalLM, Gemma4TextConfig, GPT2Config, GPT2LMHeadModel,
                          GPTNeoXConfig, GPTNeoXForCausalLM,
                          LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM,
                          Olmo2Config, Olmo2ForCausalLM, Phi3Config, Phi3ForCausalLM, Qwen2Config,
                          Qwen2ForCausalLM, Qwen3_5ForCausalLM, Qwen3_5TextConfig, Qwen3Config,
                          Qwen3ForCausalLM, SmolLM3Config, SmolLM3ForCausalLM)

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden")
EOS = 2
SMALL_LLAMA = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                   num_key_value_heads=2, intermediate_size=48, vocab_size=64,
                   max_position_embeddings=64, rope_theta=10000.0, bos_token_id=1, eos_token_id=EOS)
SMALL = {key: value for key, value in SMALL_LLAMA.items() if key != "rope_theta"} | dict(
    pad_token_id=0)


def rope(**parameters):
    return dict(rope_parameters=dict(rope_theta=10000.0) | parameters)


def models():
    """Name, first seed (the first from there by which greedy decoding meets no near tie and no end
    token is taken), model."""
    yield "llama", 20, LlamaForCausalLM(
        LlamaConfig(**SMALL_LLAMA, tie_word_embeddings=False, rms_norm_eps=1e-5))
    yield "llama_tied", 20, LlamaForCausalLM(
        LlamaConfig(**SMALL_LLAMA, tie_word_embeddings=True, head_dim=12, attention_bias=True,
                    mlp_bias=True))
    yield "gpt2", 25, GPT2LMHeadModel(
        GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=64, n_positions=64, bos_token_id=1,
                   eos_token_id=EOS, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0))
    yield "llama3", 20, LlamaForCausalLM(LlamaConfig(**SMALL, **rope(
        rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=16)))
    yield "llama_yarn", 20, LlamaForCausalLM(LlamaConfig(**SMALL, **rope(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=16)))
    yield "mistral", 20, MistralForCausalLM(MistralConfig(**SMALL, head_dim=12, sliding_window=5))
    yield "qwen2", 20, Qwen2ForCausalLM(Qwen2Config(**SMALL, use_sliding_window=True,
                                                    sliding_window=5, max_window_layers=1))
    yield "qwen3", 20, Qwen3ForCausalLM(Qwen3Config(**SMALL, head_dim=12))
    yield "qwen3_5", 20, Qwen3_5ForCausalLM(Qwen3_5TextConfig(
        **SMALL, head_dim=16, linear_num_key_heads=2, linear_num_value_heads=4,
        linear_key_head_dim=6, linear_value_head_dim=8, linear_conv_kernel_dim=4,
        layer_types=["linear_attention", "full_attention"]))
    yield "smollm3", 20, SmolLM3ForCausalLM(SmolLM3Config(
        **SMALL, no_rope_layer_interval=2, use_sliding_window=True, sliding_window=5))
    yield "olmo2", 20, Olmo2ForCausalLM(Olmo2Config(**SMALL))
    yield "phi3", 20, Phi3ForCausalLM(Phi3Config(
        **SMALL, original_max_position_embeddings=32, sliding_window=7,
        **rope(rope_type="longrope", short_factor=[1.0, 1.2, 1.5, 2.0],
               long_factor=[2.0, 3.0, 4.0, 5.0])))
    yield "gemma2", 20, Gemma2ForCausalLM(Gemma2Config(
        **SMALL, head_dim=12, sliding_window=5, query_pre_attn_scalar=9,
        attn_logit_softcapping=2.0, final_logit_softcapping=6.0))
    yield "gemma3", 20, Gemma3ForCausalLM(Gemma3TextConfig(
        **SMALL, head_dim=12, sliding_window=5, query_pre_attn_scalar=9,
        layer_types=["sliding_attention", "full_attention"],
        rope_parameters=dict(
            sliding_attention=dict(rope_type="default", rope_theta=10000.0),
            full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1000000.0))))
    # Two layers of each type; the last two read the keys and values of the first two. With other
    # seeds a gate of the per-layer input is nearly shut, and its norm makes rounding large.
    yield "gemma4", 21, Gemma4ForCausalLM(Gemma4TextConfig(
        **SMALL | dict(hidden_size=24, num_hidden_layers=4, intermediate_size=16), head_dim=8,
        global_head_dim=12, sliding_window=5,
        layer_types=["sliding_attention", "full_attention"] * 2, num_kv_shared_layers=2,
        use_double_wide_mlp=True, hidden_size_per_layer_input=8,
        vocab_size_per_layer_input=64, final_logit_softcapping=6.0,
        rope_parameters=dict(
            sliding_attention=dict(rope_type="default", rope_theta=10000.0),
            full_attention=dict(rope_type="proportional", partial_rotary_factor=0.25,
                                rope_theta=1000000.0))))
    neox = {key: value for key, value in SMALL.items() if key != "num_key_value_heads"}
    yield "gpt_neox", 20, GPTNeoXForCausalLM(GPTNeoXConfig(**neox | dict(num_attention_heads=2),
        attention_dropout=0.0, hidden_dropout=0.0, rotary_pct=0.25))


def randomize(model, generator):
    """Nothing is left at a value (0, 1, tiny) behind which a mistake could hide."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() >= 2:
            parameter.data = 0.3 * noise
        elif name.endswith("A_log"):  # e^-2: what is forgotten is still there after some positions
            parameter.data = 0.3 * noise - 2
        elif name.endswith("bias"):
            parameter.data = 0.2 * noise
        else:  # norms of Gemma 2, 3 and Qwen3.5 multiply by 1 + weight, except in linear attention
            kind = model.config.model_type
            from_one = kind in ("gemma2", "gemma3_text") or kind.startswith("qwen3_5")
            center = 0 if from_one and ".linear_attn." not in name else 1
            parameter.data = center + 0.3 * noise
    for name, buffer in saved_buffers(model):
        if name.endswith("tid2eid"):  # experts of each token
            experts = model.config.n_routed_experts
            buffer.copy_(torch.stack([torch.randperm(experts, generator=generator)[:buffer.shape[1]]
                                      for _ in buffer]))
            continue
        noise = 0.3 * torch.randn(buffer.shape, generator=generator)
        buffer.copy_(1 + noise if name.endswith("layer_scalar") else noise)


def saved_buffers(model):
    """What is in the file and learns nothing."""
    return [(name, buffer) for name, buffer in model.named_buffers()
            if name.endswith(("e_score_correction_bias", "layer_scalar", "tid2eid"))]


def mean_loss(model, tokens):
    logits = model(tokens).logits
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())


def greedy(model, prompt, count):
    tokens = prompt.clone()
    for _ in range(count):
        best = model(tokens[None]).logits[0, -1].topk(2)
        assert best.values[0] - best.values[1] > 1e-2, "a near tie; take another seed"
        tokens = torch.cat([tokens, best.indices[:1]])
    continuation = tokens[len(prompt):]
    assert EOS not in continuation, "the end token; take another seed"
    return continuation


def adamw_losses(model, tokens, steps=10):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, betas=(0.9, 0.95), eps=1e-8,
                                  weight_decay=0.1)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = mean_loss(model, tokens)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses, dtype=torch.float64)


def golden(model, tokens):
    """`model` is trained by the last of these, so it is of no use afterwards."""
    backbone = getattr(model, model.base_model_prefix)
    result = {}
    with torch.no_grad():
        result["logits"] = model(tokens).logits
        result["hidden"] = backbone(tokens).last_hidden_state
        result["greedy"] = greedy(model, tokens[0, :4], 12)
    loss = mean_loss(model, tokens)
    loss.backward()
    result["loss"] = loss.detach()
    for name, parameter in model.named_parameters():
        if model.config.model_type == "gpt_neox":  # another name in memory than on disk
            name = name.replace("lm_head", "embed_out")
        if parameter.grad is not None:
            result["grad." + name] = parameter.grad.clone()
    result["adamw_losses"] = adamw_losses(model, tokens)
    return result


def make(name, seed, model):
    generator = torch.Generator().manual_seed(seed)
    model.set_attn_implementation("eager")
    model.eval()
    randomize(model, generator)
    folder = os.path.join(OUT, name)
    model.save_pretrained(folder)
    tokens = torch.randint(3, model.config.vocab_size, (2, 16), generator=generator)

    in_float32 = adamw_losses(type(model).from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"), tokens)
    tensors = golden(model.double(), tokens)
    drift = ((in_float32 - tensors["adamw_losses"]) / tensors["adamw_losses"]).abs().max()
    print(f"{name}: seed {seed}, losses {tensors['adamw_losses'].tolist()}; "
          f"float32 differs by {drift:.1e}")
    stored = {key: value.float() if value.is_floating_point() else value
              for key, value in tensors.items()}
    save_file({"tokens": tokens} | {k: v.contiguous() for k, v in stored.items()},
              os.path.join(folder, "golden.safetensors"))


def main():
    torch.set_num_threads(1)
    for name, first, model in models():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        for seed in range(first, first + 50):
            try:
                make(name, seed, model.float())
                break
            except AssertionError as error:
                print(f"{name}: seed {seed}: {error}")


if __name__ == "__main__":
    main()
