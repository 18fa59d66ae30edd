"""Training steps against TRL and transformers, in one run, in turn.

Random GPT-2 shapes in float32, GPT-2's vocabulary size, AdamW, the same weights and rows on both sides:
  distill   student 19 M parameters, teacher 124 M; 16 prompts of 32 tokens, 64 new tokens each,
            exact reverse KL                                             TRL's DistillationTrainer
  sft       the student; 16 completions of 64 tokens to the same prompts  TRL's SFTTrainer
  grpo      the student; 8 prompts, 8 completions of 64 tokens to each    TRL's GRPOTrainer
  pretrain  the student; 16 windows of 128 tokens                        transformers' Trainer
The losses of the first step must agree before a time is counted (of distill within 3 %: each draws its
own completions; of pretrain within 2 %: each cuts its own windows; of grpo the numbers of tokens are the
same, since next to nothing ends a completion). TRL runs without gradient checkpointing and, on a CPU,
without bf16, both of which would slow it there. In bfloat16 both sides have float32 masters: TRL's student
is float32 under autocast, its teacher bfloat16. A peer that fails is said, beside our own figures, and
ends this with 4.

  PYTHON bench/training_step.py [--tasks distill sft] [--rounds 3] [--threads 2]
  PYTHON bench/training_step.py --tasks distill --device cuda --dtype bfloat16 --shape qwen3
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

from measure import ROOT, PeerFailed, Records


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--tasks", nargs="+", default=["distill", "sft", "grpo", "pretrain"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3, help="of a round; the first is warm-up")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shape", choices=("small", "gpt2", "qwen3"), default="gpt2",
                        help="small: 2 M and 5 M parameters, a trial; qwen3: Qwen3-0.6B and 1.7B, for a card")
    parser.add_argument("--small", dest="shape", action="store_const", const="small")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
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

WINDOW, LEARNING_RATE, EOS = 128, 1e-6, "<|endoftext|>"


def gpt2(width, layers, heads):
    return transformers.GPT2Config(
        vocab_size=VOCABULARY, n_positions=256, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        bos_token_id=0, eos_token_id=0, n_embd=width, n_layer=layers, n_head=heads)


def qwen3(width):
    return transformers.Qwen3Config(
        vocab_size=VOCABULARY, hidden_size=width, intermediate_size=3 * width, num_hidden_layers=28,
        num_attention_heads=16, num_key_value_heads=8, head_dim=128, max_position_embeddings=1024,
        tie_word_embeddings=True, bos_token_id=0, eos_token_id=0)


# Vocabulary, prompts, tokens of each and of a completion; configurations of student and teacher.
VOCABULARY, PROMPTS, PROMPT_TOKENS, NEW_TOKENS = {
    "small": (4096, 16, 32, 64), "gpt2": (50257, 16, 32, 64), "qwen3": (151936, 32, 32, 128),
}[options.shape]
CONFIGS = {"small": lambda: (gpt2(128, 2, 4), gpt2(192, 4, 6)),
           "gpt2": lambda: (gpt2(256, 8, 8), gpt2(768, 12, 12)),
           "qwen3": lambda: (qwen3(1024), qwen3(2048))}[options.shape]()


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


def make_model(folder, seed, tokenizer, config):
    torch.manual_seed(seed)
    with torch.device(options.device):
        model = transformers.AutoModelForCausalLM.from_config(config)
    model.to(getattr(torch, options.dtype)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model.num_parameters()


def make_texts(tokenizer, count, length, seed):
    draw = random.Random(seed)
    words = sorted(t for t in tokenizer.get_vocab() if t.startswith("Ġ") and len(t) > 3)
    return ["".join(draw.choices(words, k=length)).replace("Ġ", " ") for _ in range(count)]


def trl():
    """The peer, when it is its turn: where it cannot be loaded our own side is measured all the same."""
    import trl as library

    return library


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
                      for name, seed, shape in zip(("student", "teacher"), (0, 1), CONFIGS)]
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
                    max_steps=options.steps, learning_rate=LEARNING_RATE,
                    bf16=options.dtype == "bfloat16", use_cpu=options.device == "cpu",
                    gradient_checkpointing=False, logging_steps=1, save_strategy="no",
                    report_to="none", disable_tqdm=True, **more)

    def model(self, name="student"):
        dtype = torch.float32 if name == "student" else getattr(torch, options.dtype)
        return transformers.AutoModelForCausalLM.from_pretrained(self.folder / name, dtype=dtype)

    def data(self, rows, more):
        return datasets.Dataset.from_list(rows * (options.steps * more))

    def distill(self):
        command = ["distill", "--student", self.folder / "student", "--teacher",
                   self.folder / "teacher", "--data", self.folder / "rows.jsonl", "--batch-size",
                   PROMPTS, "--max-completion-length", NEW_TOKENS]
        return command, lambda: trl().DistillationTrainer(
            model=self.model(), teacher_model=self.model("teacher"),
            args=self.common(trl().DistillationConfig, PROMPTS, max_completion_length=NEW_TOKENS),
            train_dataset=self.data([{"prompt": p} for p in self.prompts], 1),
            processing_class=self.tokenizer)

    def sft(self):
        rows = [{"prompt": p, "completion": c} for p, c in zip(self.prompts, self.completions)]
        command = ["train", "--model", self.folder / "student", "--data", self.folder / "rows.jsonl",
                   "--batch-size", PROMPTS]
        return command, lambda: trl().SFTTrainer(
            model=self.model(), args=self.common(trl().SFTConfig, PROMPTS, max_length=None),
            train_dataset=self.data(rows, 1), processing_class=self.tokenizer)

    def grpo(self):
        command = ["distill", "--student", self.folder / "student", "--data",
                   self.folder / "few.jsonl", "--objective", "grpo", "--reward", "regex:[a-m]$",
                   "--batch-size", 8, "--num-generations", 8, "--max-completion-length", NEW_TOKENS]

        def score(completions, **_):
            return [float("a" <= text[-1] <= "m") for text in completions]

        return command, lambda: trl().GRPOTrainer(
            model=self.model(), reward_funcs=score,
            args=self.common(trl().GRPOConfig, 64, num_generations=8, beta=0.0,
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
                 "--device", options.device, "--dtype", options.dtype]
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"alambic {command[0]}: {done.stderr.strip()}")
        rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        phases = ("generate", "grade", "learn", "update")
        return Side([sum(row.get(f"{phase}_seconds", 0) for phase in phases) for row in rows[1:]],
                    rows[0]["loss"], max(row.get("device_peak_memory_bytes", 0) for row in rows))

    def theirs(self, make_trainer):
        if options.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        trainer, clock = make_trainer(), Clock()
        trainer.add_callback(clock)
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
        losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
        peak = torch.cuda.max_memory_allocated() if options.device == "cuda" else 0
        return Side(clock.seconds[1:], losses[0], peak)


class Side:
    """Seconds of the steps after the first, its loss, and most bytes of a device's tensors."""

    def __init__(self, seconds, loss, peak):
        self.seconds, self.loss, self.peak = seconds, loss, peak


# The peer, and by how much the first losses may differ; nothing: they say nothing.
TASKS = {"distill": ("trl", 0.03), "sft": ("trl", 0.005), "grpo": ("trl", None),
         "pretrain": ("transformers", 0.02)}


def tried(bench, make_trainer):
    try:
        return bench.theirs(make_trainer)
    except Exception as error:
        raise PeerFailed(f"{type(error).__name__}: {error}".splitlines()[0][:200]) from error
    finally:
        if options.device == "cuda":
            torch.cuda.empty_cache()  # for the other side, which is another process


def measure(bench, records, task):
    library, tolerance = TASKS[task]
    name, peer = f"{task}, a step", f"{library} {importlib.metadata.version(library)}"
    command, make_trainer = getattr(bench, task)()
    ours, theirs, broken = [], [], None
    for number in range(options.rounds):
        sides = [(ours, lambda: bench.ours(command)), (theirs, lambda: tried(bench, make_trainer))]
        for found, side in sides if number % 2 == 0 else sides[::-1]:
            try:
                if found is ours or not broken:
                    found.append(side())
            except PeerFailed as error:
                broken = error
        losses = [ours[-1].loss, theirs[-1].loss] if not broken else []
        assert tolerance is None or broken or abs(losses[0] - losses[1]) < tolerance * max(losses), (task, losses)
    mine = [seconds for side in ours for seconds in side.seconds]
    memory = {f"{whose}_megabytes": max(side.peak for side in found) / 2**20
              for whose, found in (("ours", ours), ("peer", theirs)) if found and found[0].peak}
    if broken:
        return records.add_failed(name, peer, mine, broken, **memory)
    equal = "tokens" if tolerance is None else f"first loss within {100 * tolerance:g} %"
    records.add(name, peer, mine, [seconds for side in theirs for seconds in side.seconds], equal, **memory)


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
    return records.code()


sys.exit(main())
