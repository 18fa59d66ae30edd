"""Makes tests/golden/{llama,llama_tied,gpt2}: small random models saved by transformers, each with
golden.safetensors, which is what transformers computes from it.

    python tools/goldens/models.py        (versions: tests/golden/requirements.txt)

The weights are float32; everything computed is computed in float64 from them and stored as float32,
so the golden is the exact answer and not another implementation's rounding. What the tensors are:
tests/golden/README.md.
"""
import os

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden")
EOS = 2
SMALL_LLAMA = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                   num_key_value_heads=2, intermediate_size=48, vocab_size=64,
                   max_position_embeddings=64, rope_theta=10000.0, bos_token_id=1, eos_token_id=EOS)


def models():
    """Name, seed (by which greedy decoding meets no near tie and no end token), model."""
    yield "llama", 20, LlamaForCausalLM(
        LlamaConfig(**SMALL_LLAMA, tie_word_embeddings=False, rms_norm_eps=1e-5))
    yield "llama_tied", 20, LlamaForCausalLM(
        LlamaConfig(**SMALL_LLAMA, tie_word_embeddings=True, head_dim=12, attention_bias=True,
                    mlp_bias=True))
    yield "gpt2", 25, GPT2LMHeadModel(
        GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=64, n_positions=64, bos_token_id=1,
                   eos_token_id=EOS, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0))


def randomize(model, generator):
    """Nothing is left at a value (0, 1, tiny) behind which a mistake could hide."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 2:
            parameter.data = 0.3 * noise
        elif name.endswith("bias"):
            parameter.data = 0.2 * noise
        else:
            parameter.data = 1 + 0.3 * noise


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
        result["grad." + name] = parameter.grad.clone()
    result["adamw_losses"] = adamw_losses(model, tokens)
    return result


def main():
    torch.set_num_threads(1)
    for name, seed, model in models():
        generator = torch.Generator().manual_seed(seed)
        model.set_attn_implementation("eager")
        model.eval()
        randomize(model, generator)
        folder = os.path.join(OUT, name)
        model.save_pretrained(folder)
        tokens = torch.randint(3, model.config.vocab_size, (2, 16), generator=generator)

        in_float32 = adamw_losses(type(model).from_pretrained(folder, dtype=torch.float32), tokens)
        tensors = golden(model.double(), tokens)
        drift = ((in_float32 - tensors["adamw_losses"]) / tensors["adamw_losses"]).abs().max()
        print(f"{name}: losses {tensors['adamw_losses'].tolist()}; float32 differs by {drift:.1e}")
        stored = {key: value.float() if value.is_floating_point() else value
                  for key, value in tensors.items()}
        save_file({"tokens": tokens} | {k: v.contiguous() for k, v in stored.items()},
                  os.path.join(folder, "golden.safetensors"))


if __name__ == "__main__":
    main()
