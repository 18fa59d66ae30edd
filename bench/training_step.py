"""Training steps against TRL and transformers, in one run, in turn.

Random GPT-2 shapes in float32, GPT-2's vocabulary size, AdamW, the same weights and rows on both sides:
  distill   student 19 M parameters, teacher 124 M; 16 prompts of 32 tokens, 64 new tokens each,
            exact reverse KL                                             TRL's DistillationTrainer
  sft       the student; 16 completions of 64 tokens to the same prompts  TRL's SFTTrainer
  grpo      the student; 8 prompts, 8 completions of 64 tokens to each    TRL's GRPOTrainer
  pretrain  the student; 16 windows of 128 tokens                        transformers' Trainer
The losses of the first step must agree before a time is counted (of distill within 3 %: each draws its
own completions; of pretrain within 2 %: each cuts its own windows; of grpo the numbers of tokens are the
same, since next to nothing ends a completion). TRL runs
without gradient checkpointing and without bf16, both of which would slow it on a CPU.

  PYTHON bench/training_step.py [--tasks distill sft] [--rounds 3] [--threads 2]
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import tempfile
import time

from measure import ROOT, Records


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--tasks", nargs="+", default=["distill", "sft", "grpo", "pretrain"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3, help="of a round; the first is warm-up")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="2 M and 5 M parameters: a trial")
    parser.add_argument("--json", help="file for the records")
    return parser.parse_args()


options = arguments()
os.environ["OMP_NUM_THREADS"] = str(options.threads)
os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import datasets  # noqa: E402  (reads OMP_NUM_THREADS when torch is loaded)
import tokenizers  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
import trl  # noqa: E402

PROMPTS, PROMPT_TOKENS, NEW_TOKENS, WINDOW, LEARNING_RATE = 16, 32, 64, 128, 1e-6
VOCABULARY, EOS = (4096 if options.small else 50257), "<|endoftext|>"
STUDENT = dict(n_embd=128, n_layer=2, n_head=4) if options.small else dict(
    n_embd=256, n_layer=8, n_head=8)
TEACHER = dict(n_embd=192, n_layer=4, n_head=6) if options.small else dict(
    n_embd=768, n_layer=12, n_head=12)


def make_tokenizer():
    """A byte-level BPE of VOCABULARY tokens: words that grow letter by letter, drawn."""
    draw = random.Random(0)
    vocabulary = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    known, merges, growing = set(vocabulary), [], ["Ġ"]
    while len(vocabulary) < VOCABULARY - 1:
        head, letter = draw.choice(growing), draw.choice("abcdefghijklmnopqrstuvwxyz")
        word = head + letter
        if word in known:
            continue
        merges.append((head, letter))
        vocabulary.append(word)
        known.add(word)
        if len(word) <= 9:
            growing.append(word)
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(
        vocab={token: i for i, token in enumerate([EOS] + vocabulary)}, merges=merges))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens([EOS])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=EOS, pad_token=EOS, padding_side="left")


def make_model(folder, seed, tokenizer, shape):
    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        vocab_size=VOCABULARY, n_positions=256, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        bos_token_id=0, eos_token_id=0, **shape)
    model = transformers.GPT2LMHeadModel(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model.num_parameters()


def make_texts(tokenizer, count, length, seed):
    draw = random.Random(seed)
    words = sorted(t for t in tokenizer.get_vocab() if t.startswith("Ġ") and len(t) > 3)
    return ["".join(draw.choices(words, k=length)).replace("Ġ", " ") for _ in range(count)]


class Clock(transformers.TrainerCallback):
    def __init__(self):
        self.seconds = []

    def on_step_begin(self, args, state, control, **_):
        self.start = time.perf_counter()

    def on_step_end(self, args, state, control, **_):
        self.seconds.append(time.perf_counter() - self.start)


class Bench:
    """The models, the rows, and a method for each task: its command line, and its trainer."""

    def __init__(self, folder):
        self.folder, self.tokenizer = folder, make_tokenizer()
        self.sizes = [make_model(folder / name, seed, self.tokenizer, shape)
                      for name, seed, shape in (("student", 0, STUDENT), ("teacher", 1, TEACHER))]
        self.prompts = make_texts(self.tokenizer, PROMPTS, PROMPT_TOKENS, 1)
        self.completions = make_texts(self.tokenizer, PROMPTS, NEW_TOKENS, 2)
        self.windows = make_texts(self.tokenizer, PROMPTS, WINDOW - 1, 3)
        rows = [{"prompt": p, "completion": c, "answer": "x"}
                for p, c in zip(self.prompts, self.completions)]
        self.write("rows.jsonl", rows)
        self.write("few.jsonl", rows[:8])
        self.write("windows.jsonl", [{"text": text} for text in self.windows])

    def write(self, name, rows):
        (self.folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    def common(self, kind, batch, **more):
        return kind(output_dir=str(self.folder / "peer"), per_device_train_batch_size=batch,
                    max_steps=options.steps, learning_rate=LEARNING_RATE, bf16=False, use_cpu=True,
                    gradient_checkpointing=False, logging_steps=1, save_strategy="no",
                    report_to="none", disable_tqdm=True, **more)

    def model(self, name="student"):
        return transformers.AutoModelForCausalLM.from_pretrained(self.folder / name)

    def data(self, rows, more):
        return datasets.Dataset.from_list(rows * (options.steps * more))

    def distill(self):
        command = ["distill", "--student", self.folder / "student", "--teacher",
                   self.folder / "teacher", "--data", self.folder / "rows.jsonl", "--batch-size",
                   PROMPTS, "--max-completion-length", NEW_TOKENS]
        return command, lambda: trl.DistillationTrainer(
            model=self.model(), teacher_model=self.model("teacher"),
            args=self.common(trl.DistillationConfig, PROMPTS, max_completion_length=NEW_TOKENS),
            train_dataset=self.data([{"prompt": p} for p in self.prompts], 1),
            processing_class=self.tokenizer)

    def sft(self):
        rows = [{"prompt": p, "completion": c} for p, c in zip(self.prompts, self.completions)]
        command = ["train", "--model", self.folder / "student", "--data", self.folder / "rows.jsonl",
                   "--batch-size", PROMPTS]
        return command, lambda: trl.SFTTrainer(
            model=self.model(), args=self.common(trl.SFTConfig, PROMPTS, max_length=None),
            train_dataset=self.data(rows, 1), processing_class=self.tokenizer)

    def grpo(self):
        command = ["distill", "--student", self.folder / "student", "--data",
                   self.folder / "few.jsonl", "--objective", "grpo", "--reward", "regex:[a-m]$",
                   "--batch-size", 8, "--num-generations", 8, "--max-completion-length", NEW_TOKENS]

        def score(completions, **_):
            return [float("a" <= text[-1] <= "m") for text in completions]

        return command, lambda: trl.GRPOTrainer(
            model=self.model(), reward_funcs=score,
            args=self.common(trl.GRPOConfig, 64, num_generations=8, beta=0.0,
                             max_completion_length=NEW_TOKENS),
            train_dataset=self.data([{"prompt": p} for p in self.prompts[:8]], 1),
            processing_class=self.tokenizer)

    def pretrain(self):
        command = ["train", "--model", self.folder / "student", "--data",
                   self.folder / "windows.jsonl", "--sequence-length", WINDOW, "--batch-size", PROMPTS]
        windows = [ids + [self.tokenizer.eos_token_id]
                   for ids in self.tokenizer(self.windows)["input_ids"]]
        rows = [{"input_ids": ids, "labels": ids} for ids in windows]
        return command, lambda: transformers.Trainer(
            model=self.model(), args=self.common(transformers.TrainingArguments, PROMPTS),
            train_dataset=self.data(rows, 1), data_collator=transformers.default_data_collator)

    def ours(self, command):
        out = self.folder / "ours"
        words = [options.build / "alambic", *command, "--out", out, "--overwrite", "--max-steps",
                 options.steps, "--learning-rate", LEARNING_RATE, "--threads", options.threads,
                 "--device", "cpu"]
        subprocess.run([str(word) for word in words], check=True, capture_output=True)
        rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        phases = ("generate", "grade", "learn", "update")
        seconds = [sum(row.get(f"{phase}_seconds", 0) for phase in phases) for row in rows[1:]]
        return seconds, rows[0]["loss"]

    def theirs(self, make_trainer):
        trainer, clock = make_trainer(), Clock()
        trainer.add_callback(clock)
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
        losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
        return clock.seconds[1:], losses[0]


# Name of the peer, and by how much the first losses may differ; nothing: they say nothing.
TASKS = {
    "distill": (f"trl {trl.__version__}", 0.03),
    "sft": (f"trl {trl.__version__}", 0.005),
    "grpo": (f"trl {trl.__version__}", None),
    "pretrain": (f"transformers {transformers.__version__}", 0.02),
}


def measure(bench, records, task):
    peer, tolerance = TASKS[task]
    command, make_trainer = getattr(bench, task)()
    ours, theirs = [], []
    for number in range(options.rounds):
        sides = [lambda: (ours, bench.ours(command)), lambda: (theirs, bench.theirs(make_trainer))]
        losses = []
        for side in sides if number % 2 == 0 else sides[::-1]:
            seconds, (taken, loss) = side()
            seconds += taken
            losses.append(loss)
        assert tolerance is None or abs(losses[0] - losses[1]) < tolerance * max(losses), (task, losses)
    equal = "tokens" if tolerance is None else f"first loss within {100 * tolerance:g} %"
    records.add(f"{task}, a step", peer, ours, theirs, equal)


def main():
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    records = Records(options.json)
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(pathlib.Path(name))
        print("student {:.1f} M, teacher {:.1f} M parameters".format(*(n / 1e6 for n in bench.sizes)))
        for task in options.tasks:
            measure(bench, records, task)
    records.write()


main()
