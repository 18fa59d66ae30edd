"""One on-policy distillation step against TRL's DistillationTrainer, both in one run, alternating.

Random GPT-2 shapes in float32: student 19 M parameters (width 256, 8 layers), teacher 124 M, GPT-2's
vocabulary; 16 prompts of about 32 tokens, 64 new tokens each, exact reverse KL, AdamW. Both sides
start from the same weights and prompts; their losses must agree within 3 % before a speed is
printed (each draws its own answers). TRL runs without gradient checkpointing and without bf16, both of
which would slow it on a CPU.

  ORACLE/bin/python bench/distill_step.py --tokenizer gpt2/tokenizer.json [--rounds 3] [--threads 2]
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", default=ROOT / "build/release/alambic")
    parser.add_argument("--tokenizer", required=True, help="GPT-2's tokenizer.json")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3, help="of a round; the first is warm-up")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


options = arguments()
os.environ["OMP_NUM_THREADS"] = str(options.threads)
os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

import datasets  # noqa: E402  (reads OMP_NUM_THREADS when torch is loaded)
import torch  # noqa: E402
import transformers  # noqa: E402
import trl  # noqa: E402

PROMPTS, PROMPT_TOKENS, NEW_TOKENS, LEARNING_RATE = 16, 32, 64, 1e-6


def make_model(folder, seed, tokenizer, **shape):
    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        vocab_size=50257, n_positions=256, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, **shape
    )
    model = transformers.GPT2LMHeadModel(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model.num_parameters()


def make_prompts(tokenizer):
    draw = random.Random(1)
    words = [t for t in tokenizer.get_vocab() if t.startswith("Ġ") and t[1:].isalpha()]
    words.sort()
    return ["".join(draw.choices(words, k=PROMPT_TOKENS)).replace("Ġ", " ") for _ in range(PROMPTS)]


def ours(folder):
    out = folder / "ours"
    command = [options.binary, "distill", "--student", folder / "student"]
    command += ["--teacher", folder / "teacher", "--data", folder / "prompts.jsonl"]
    command += ["--out", out, "--overwrite", "--batch-size", PROMPTS]
    command += ["--max-completion-length", NEW_TOKENS, "--max-steps", options.steps]
    command += ["--learning-rate", LEARNING_RATE, "--threads", options.threads]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    phases = ["generate", "grade", "learn", "update"]
    per_step = [{p: row[f"{p}_seconds"] for p in phases} for row in rows[1:]]
    return [sum(step.values()) for step in per_step], rows[0]["loss"], per_step


class Clock(transformers.TrainerCallback):
    def __init__(self):
        self.seconds = []

    def on_step_begin(self, args, state, control, **_):
        self.start = time.perf_counter()

    def on_step_end(self, args, state, control, **_):
        self.seconds.append(time.perf_counter() - self.start)


def theirs(folder, prompts, tokenizer):
    clock = Clock()
    config = trl.DistillationConfig(
        output_dir=str(folder / "trl"),
        per_device_train_batch_size=PROMPTS,
        max_completion_length=NEW_TOKENS,
        max_steps=options.steps,
        learning_rate=LEARNING_RATE,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = trl.DistillationTrainer(
        model=transformers.AutoModelForCausalLM.from_pretrained(folder / "student"),
        teacher_model=transformers.AutoModelForCausalLM.from_pretrained(folder / "teacher"),
        args=config,
        train_dataset=datasets.Dataset.from_list([{"prompt": p} for p in prompts] * options.steps),
        processing_class=tokenizer,
        callbacks=[clock],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    return clock.seconds[1:], losses[0]


def main():
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=options.tokenizer, eos_token="<|endoftext|>", padding_side="left"
    )
    tokenizer.pad_token = tokenizer.eos_token
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        student = make_model(folder / "student", 0, tokenizer, n_embd=256, n_layer=8, n_head=8)
        teacher = make_model(folder / "teacher", 1, tokenizer, n_embd=768, n_layer=12, n_head=12)
        prompts = make_prompts(tokenizer)
        (folder / "prompts.jsonl").write_text("".join(json.dumps({"prompt": p}) + "\n" for p in prompts))
        print(
            f"student {student / 1e6:.1f} M, teacher {teacher / 1e6:.1f} M parameters, float32, "
            f"{options.threads} threads, trl {trl.__version__}, torch {torch.__version__}, "
            f"load average {os.getloadavg()[0]:.1f}",
            flush=True,
        )
        all_ours, all_theirs = [], []
        for number in range(options.rounds):
            seconds, loss, phases = ours(folder)
            their_seconds, their_loss = theirs(folder, prompts, tokenizer)
            assert abs(loss - their_loss) < 0.03 * their_loss, (loss, their_loss)
            all_ours += seconds
            all_theirs += their_seconds
            print(
                f"round {number + 1}: ours {statistics.median(seconds):.2f} s "
                f"({', '.join(f'{p} {s:.2f}' for p, s in phases[-1].items())}; loss {loss:.4f}), "
                f"TRL {statistics.median(their_seconds):.2f} s (loss {their_loss:.4f})",
                flush=True,
            )
        mine, trl_median = statistics.median(all_ours), statistics.median(all_theirs)
        print(
            f"a step: ours {mine:.2f} s (best {min(all_ours):.2f}), TRL {trl_median:.2f} s "
            f"(best {min(all_theirs):.2f}), ratio of medians {trl_median / mine:.2f}, "
            f"of bests {min(all_theirs) / min(all_ours):.2f}"
        )


main()
