"""Makes tests/golden/distillation_step: one optimizer step of TRL's GKDTrainer on given completions.

    python tools/goldens/distillation_step.py      (versions: tests/golden/requirements.txt)

Students and teacher are golden models (models.py); the tokenizer made here has a word for each of
their 64 ids. `expected.json` has, for each student and beta, the loss and the norm of its gradient
over all parameters, from TRL's own compute_loss in float64 on the right-padded batch, divided by
the batch's graded tokens (num_items_in_batch). The script checks that micro-batches give the same
in TRL. Tokens are encoded by transformers, the end of text is appended as TRL's SFT does.
"""
import json
import os
from types import SimpleNamespace

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from trl.experimental.gkd import GKDTrainer

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden")
OUT = os.path.join(GOLDEN, "distillation_step")
# Micro-batches in which TRL computes, in rows; all give the same. One row for Gemma 2: padding
# beyond its window has no key to see, and transformers' attention makes that NaN for all.
STUDENTS = {"llama_tied": (4, 2, 1), "gemma2": (1,)}
TEACHER = "qwen3"
BETAS = {"forward_kl": 0, "reverse_kl": 1, "jsd": 0.5}
VOCABULARY, PAD, EOS = 64, 0, 2
# Rows of different lengths: words of the prompt and of the completion.
LENGTHS = ((1, 6), (7, 1), (3, 3), (5, 9))


def make_tokenizer():
    words = ["<pad>", "<s>", "</s>"] + [f"w{i}" for i in range(3, VOCABULARY)]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>",
                                   eos_token="</s>")
    fast.save_pretrained(OUT)
    return fast


def make_rows():
    generator = torch.Generator().manual_seed(5)

    def words(count):
        ids = torch.randint(3, VOCABULARY, (count,), generator=generator)
        return " ".join(f"w{i}" for i in ids.tolist())

    rows = [{"prompt": words(p), "completion": words(c)} for p, c in LENGTHS]
    with open(os.path.join(OUT, "rows.jsonl"), "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return rows


def batch_of(rows, tokenizer):
    """As TRL's collators make it: right-padded, labels −100 outside the completion."""
    encoded = [(tokenizer(row["prompt"])["input_ids"],
                tokenizer(row["completion"], add_special_tokens=False)["input_ids"] + [EOS])
               for row in rows]
    width = max(len(p) + len(c) for p, c in encoded)
    pad = [width - len(p) - len(c) for p, c in encoded]
    return {
        "input_ids": torch.tensor([p + c + [PAD] * n for (p, c), n in zip(encoded, pad)]),
        "attention_mask": torch.tensor([[1] * (width - n) + [0] * n for n in pad]),
        "labels": torch.tensor([[-100] * len(p) + c + [-100] * n
                                for (p, c), n in zip(encoded, pad)]),
    }


def load(name):
    return AutoModelForCausalLM.from_pretrained(os.path.join(GOLDEN, name), dtype=torch.float32,
                                                attn_implementation="eager").double().eval()


def step(student, teacher, beta, batches):
    """Loss and norm of the accumulated gradient, each batch divided by all batches' tokens."""
    student.zero_grad()
    trainer = SimpleNamespace(teacher_model=teacher, beta=beta,
                              generalized_jsd_loss=GKDTrainer.generalized_jsd_loss)
    tokens = sum(int((batch["labels"] != -100).sum()) for batch in batches)
    total = 0
    for batch in batches:
        loss = GKDTrainer.compute_loss(trainer, student, batch, num_items_in_batch=tokens)
        loss.backward()
        total += loss.item()
    norm = torch.nn.utils.get_total_norm([p.grad for p in student.parameters()]).item()
    return {"loss": total, "grad_norm": norm, "tokens": tokens}


def main():
    torch.set_num_threads(1)
    os.makedirs(OUT, exist_ok=True)
    tokenizer = make_tokenizer()
    rows = make_rows()
    teacher = load(TEACHER)
    expected = {}
    for name, sizes in STUDENTS.items():
        student = load(name)
        for objective, beta in BETAS.items():
            found = [step(student, teacher, beta,
                          [batch_of(rows[i:i + size], tokenizer)
                           for i in range(0, len(rows), size)]) for size in sizes]
            for other in found:  # its eager attention has a float32 softmax
                assert all(abs(other[k] - found[0][k]) <= 1e-7 * found[0][k] for k in other), found
            expected.setdefault(name, {})[objective] = found[0]
            print(name, objective, found[0])
    with open(os.path.join(OUT, "expected.json"), "w") as file:
        json.dump({"teacher": TEACHER, "students": expected}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
