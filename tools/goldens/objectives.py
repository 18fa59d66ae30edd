"""Makes tests/golden/objectives.safetensors: TRL's generalized JSD on small random hidden states
and heads, and its gradients.

    python tools/goldens/objectives.py        (versions: tests/golden/requirements.txt)

Inputs are float32, computed with in float64 from there; results are stored as float64. What the
tensors are, and how TRL normalizes: tests/golden/README.md.
"""
import os

import torch
from safetensors.torch import save_file
from trl.experimental.gkd import GKDTrainer

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden")
M, V, STUDENT_D, TEACHER_D = 9, 37, 12, 20
BETAS = (0, 0.1, 0.5, 0.9, 1)
TEMPERATURES = (1, 2)


def main():
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(7)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    inputs = {
        "student.hidden": normal(M, STUDENT_D),
        "student.head": 0.6 * normal(V, STUDENT_D),
        "teacher.hidden": normal(M, TEACHER_D),
        "teacher.head": 0.6 * normal(V, TEACHER_D),
    }
    results = dict(inputs)
    teacher_logits = inputs["teacher.hidden"].double() @ inputs["teacher.head"].double().T
    for beta in BETAS:
        for temperature in TEMPERATURES:
            hidden = inputs["student.hidden"].double().requires_grad_()
            head = inputs["student.head"].double().requires_grad_()
            value = GKDTrainer.generalized_jsd_loss(hidden @ head.T, teacher_logits, beta=beta,
                                                    temperature=temperature)
            value.backward()
            case = f"beta{beta}.temperature{temperature}"
            results[f"{case}.value"] = value.detach()
            results[f"{case}.grad.hidden"] = hidden.grad
            results[f"{case}.grad.head"] = head.grad
            print(case, value.item())
    save_file(results, os.path.join(OUT, "objectives.safetensors"))


if __name__ == "__main__":
    main()
