"""Makes tests/golden/distillation_losses.safetensors: what the loss functions of TRL's trainers say
about one set of small random tensors, with gradients.

    python tools/goldens/distillation_losses.py TRL_1_11_WHEEL   (other versions: requirements.txt)

TRL 1.16 has no MiniLLM trainer any more: that one function is read from the wheel of 1.11
(`pip download --no-deps trl==1.11.0`). Inputs are float32 and computed with in float64, but for
DistillationTrainer's chunked loss, which is float32 inside. What the tensors are:
tests/golden/README.md.
"""
import ast
import os
import sys
import textwrap
import zipfile

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from trl.experimental.gold.gold_trainer import GOLDTrainer, ULDLoss
from trl.experimental.server_distillation.server_distillation_trainer import (_add_tail_bucket,
                                                                              _jsd_divergence)
from trl.trainer.distillation_trainer import _chunked_divergence_loss

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden")
LENGTHS, V, STUDENT_D, TEACHER_D = (2, 6, 1), 37, 12, 20
M, ITEMS, K = sum(LENGTHS), 23, 6
BETAS = (0, 0.3, 1)
PLAIN = {}
SHAPED = dict(student_logit_scale=0.7, teacher_logit_scale=1.3, student_final_logit_softcapping=3.0,
              teacher_final_logit_softcapping=4.0, temperature=2.0)


def minillm_single_step(wheel):
    """The method alone: its module needs the rest of TRL 1.11."""
    source = zipfile.ZipFile(wheel).read("trl/experimental/minillm/minillm_trainer.py").decode()
    method = next(node for node in ast.walk(ast.parse(source))
                  if getattr(node, "name", "") == "_single_step_decomposition_loss")
    scope = {"torch": torch, "F": F}
    exec(textwrap.dedent(ast.get_source_segment(source, method, padded=True)), scope)
    return scope[method.name]


def padded(rows_MD, noise):
    """[M, D] as [sequences, longest, D], and its mask; what is masked is not zero."""
    result = noise(len(LENGTHS), max(LENGTHS), rows_MD.size(1)).to(rows_MD.dtype)
    mask = torch.zeros(len(LENGTHS), max(LENGTHS), dtype=torch.long)
    begin = 0
    for s, length in enumerate(LENGTHS):
        result[s, :length] = rows_MD[begin:begin + length]
        mask[s, :length] = 1
        begin += length
    return result, mask


def main():
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(11)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    inputs = {
        "student.hidden": normal(M, STUDENT_D),
        "student.head": 0.6 * normal(V, STUDENT_D),
        "student.bias": normal(V),
        "teacher.hidden": normal(M, TEACHER_D),
        "teacher.head": 0.6 * normal(V, TEACHER_D),
        "teacher.bias": normal(V),
    }
    results = dict(inputs)

    def record(case, dtype, loss_of):
        """loss_of(student hidden, head, bias, teacher's same) -> value, and sums to keep."""
        tensors = [tensor.to(dtype) for tensor in inputs.values()]
        student = [tensor.clone().requires_grad_() for tensor in tensors[:3]]
        value, kept = loss_of(*student, *tensors[3:])
        value.backward()
        results[f"{case}.value"] = value.detach().double()
        for name, tensor in zip(("hidden", "head", "bias"), student):
            if tensor.grad is not None:
                results[f"{case}.grad.{name}"] = tensor.grad.float()
        for name, tensor in kept.items():
            results[f"{case}.{name}"] = tensor.detach().double()
        print(case, value.item())

    def chunked(beta, shape):
        def loss(hidden, head, bias, t_hidden, t_head, t_bias):
            student, mask = padded(hidden, normal)
            teacher, _ = padded(t_hidden, normal)
            value, entropy, count = _chunked_divergence_loss(
                student, teacher, head, t_head, mask, beta, num_items_in_batch=ITEMS,
                student_lm_head_bias=bias, teacher_lm_head_bias=t_bias, **shape)
            assert count == M
            return value, {"student_entropy": entropy}
        return loss

    def logits(function):
        def loss(hidden, head, bias, t_hidden, t_head, t_bias):
            return function(hidden @ head.T + bias, t_hidden @ t_head.T + t_bias), {}
        return loss

    def gold(beta, temperature):
        def loss(student, teacher):
            labels = padded(torch.ones(M, 1), normal)[1] - 1  # 0 inside, −1 outside
            labels[labels < 0] = -100
            return GOLDTrainer.generalized_jsd_loss(
                padded(student, normal)[0], padded(teacher, normal)[0], labels=labels, beta=beta,
                temperature=temperature, num_items_in_batch=ITEMS)
        return loss

    def gold_matched(beta):
        """GOLD's term for tokens that both vocabularies have, where they have all of them."""
        uld = ULDLoss.__new__(ULDLoss)
        torch.nn.Module.__init__(uld)
        uld.beta = beta
        return lambda student, teacher: uld._compute_jsd_loss_for_matched_tokens(
            student.softmax(-1), teacher.softmax(-1))

    def tail(beta):
        def loss(student, teacher):
            token = teacher.topk(K, -1).indices
            valid = torch.ones_like(token, dtype=torch.bool)
            q, mask = _add_tail_bucket(student.log_softmax(-1).gather(-1, token), valid)
            p, _ = _add_tail_bucket(teacher.log_softmax(-1).gather(-1, token), valid)
            return _jsd_divergence(q, p, beta, mask).sum() / ITEMS
        return loss

    single_step = minillm_single_step(sys.argv[1])

    def minillm(temperature):
        return lambda student, teacher: single_step(
            None, (student / temperature).log_softmax(-1), (teacher / temperature).log_softmax(-1),
            mask=torch.ones(M, dtype=torch.bool))

    for beta in BETAS:
        record(f"distillation_trainer.beta{beta}", torch.float32, chunked(beta, PLAIN))
        record(f"distillation_trainer_shaped.beta{beta}", torch.float32, chunked(beta, SHAPED))
        record(f"gold.beta{beta}", torch.float64, logits(gold(beta, 2)))
        record(f"gold_matched.beta{beta}", torch.float64, logits(gold_matched(beta)))
        record(f"tail.beta{beta}", torch.float64, logits(tail(beta)))
    record("minillm", torch.float64, logits(minillm(2)))
    save_file({name: tensor.contiguous() for name, tensor in results.items()},
              os.path.join(OUT, "distillation_losses.safetensors"))


if __name__ == "__main__":
    main()
