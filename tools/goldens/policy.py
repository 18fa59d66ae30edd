"""Makes tests/golden/policy.safetensors: TRL's GRPO loss and its gradients on small random answers.

    python tools/goldens/policy.py        (versions: tests/golden/requirements.txt)

The loss is GRPOTrainer._compute_loss itself, called without a trainer: per-token log-probabilities
come from random hidden states and a head. Advantages are TRL's lines with TRL's nanstd. Inputs are
float32, computed with in float64; results are float64. What the tensors are: tests/golden/README.md.
"""
import os
from types import SimpleNamespace
from unittest.mock import MagicMock

import torch
from safetensors.torch import save_file
from trl import GRPOTrainer
from trl.trainer.utils import nanstd

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden")
GROUPS, SIZE, T, V, D = 3, 4, 5, 37, 12
LENGTHS = (5, 2, 3, 1, 4, 4, 5, 2, 3, 5, 1, 2)
REWARDS = (1, 0, 0.5, 2, 0, 1, float("nan"), 0, 1, 1, 1, 1)  # one is missing; one group is all alike
TEMPERATURE, CLIP = 0.8, 0.2


def advantages(rewards, scale):
    mean = torch.nanmean(rewards.view(-1, SIZE), dim=1).repeat_interleave(SIZE)
    std = nanstd(rewards.view(-1, SIZE), dim=1).repeat_interleave(SIZE)
    result = rewards - mean
    return torch.nan_to_num(result / (std + 1e-4) if scale else result, nan=0.0)


def trl_loss(inputs, advantage, loss_type, beta):
    """Value and gradients with regard to hidden states and head."""
    hidden = inputs["hidden"].double().requires_grad_()
    head = inputs["head"].double().requires_grad_()
    logp = torch.log_softmax(hidden @ head.T / TEMPERATURE, -1)
    token_logp = logp.gather(-1, inputs["tokens"].unsqueeze(-1)).squeeze(-1)
    entropy = -(logp.exp() * logp).sum(-1).detach()
    mask = inputs["mask"].double()
    accelerator = MagicMock(num_processes=1)
    accelerator.gather = lambda x: x
    accelerator.reduce = lambda x, reduction: x
    trainer = MagicMock(
        beta=beta, loss_type=loss_type, epsilon_low=CLIP, epsilon_high=CLIP, use_vllm=False,
        top_entropy_quantile=1.0, off_policy_mask_threshold=None, importance_sampling_level="token",
        max_completion_length=T, _entropy_bonus_enabled=False, aux_loss_enabled=False,
        accelerator=accelerator, model=SimpleNamespace(training=False),
        args=SimpleNamespace(use_bias_correction_kl=True, delta=None))
    trainer._get_per_token_logps_and_entropies = lambda *a, **k: (token_logp, entropy, None)
    empty = torch.zeros(len(LENGTHS), 0, dtype=torch.long)
    value = GRPOTrainer._compute_loss(
        trainer, trainer.model,
        {"prompt_ids": empty, "prompt_mask": empty, "completion_ids": inputs["tokens"],
         "completion_mask": mask, "advantages": advantage,
         "old_per_token_logps": inputs["sampler_logp"].double(),
         "ref_per_token_logps": inputs["reference_logp"].double(),
         "num_items_in_batch": mask.sum()})
    value.backward()
    return value.detach(), hidden.grad, head.grad


def main():
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(11)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    B = GROUPS * SIZE
    inputs = {
        "hidden": normal(B, T, D),
        "head": 0.6 * normal(V, D),
        "tokens": torch.randint(V, (B, T), generator=generator),
        "mask": (torch.arange(T) < torch.tensor(LENGTHS).unsqueeze(1)).long(),
        "rewards": torch.tensor(REWARDS),
    }
    logp = torch.log_softmax(inputs["hidden"] @ inputs["head"].T / TEMPERATURE, -1)
    logp = logp.gather(-1, inputs["tokens"].unsqueeze(-1)).squeeze(-1)
    inputs["sampler_logp"] = logp + 0.3 * normal(B, T)
    inputs["reference_logp"] = logp + 0.5 * normal(B, T)
    results = dict(inputs)
    for name, scale, loss_type, beta in (("grpo", True, "dapo", 0.0), ("grpo.kl", True, "dapo", 0.3),
                                         ("dr_grpo", False, "dr_grpo", 0.0)):
        advantage = advantages(inputs["rewards"].double(), scale)
        value, hidden, head = trl_loss(inputs, advantage, loss_type, beta)
        results |= {f"{name}.advantage": advantage, f"{name}.value": value,
                    f"{name}.grad.hidden": hidden, f"{name}.grad.head": head}
        print(name, value.item())
    save_file(results, os.path.join(OUT, "policy.safetensors"))


if __name__ == "__main__":
    main()
