"""Decoding speed against transformers.generate, both in one run, interleaved.

A random Llama of 15 M parameters (hidden 288, 6 layers, 6 heads, intermediate 768, vocabulary
32,000, tied head) in float32; prompts of 32 tokens, 128 new tokens, no end-of-text token. Greedy
tokens must be equal before a speed is printed.

  cmake --preset release -DALAMBIC_BENCH=ON && ninja -C build/release decode_bench
  ORACLE/bin/python bench/decode.py [--rounds 10] [--threads 2] [--batches 1 16]
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
    parser.add_argument("--binary", default=ROOT / "build/release/bench/decode_bench")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--prompt", type=int, default=32)
    parser.add_argument("--new-tokens", type=int, default=128)
    return parser.parse_args()


options = arguments()
os.environ["OMP_NUM_THREADS"] = str(options.threads)

import torch  # noqa: E402  (reads OMP_NUM_THREADS when it is loaded)
import transformers  # noqa: E402


class Ours:
    def __init__(self, folder):
        command = [options.binary, folder, str(options.threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def generate(self, prompts, temperature, seed):
        order = dict(
            prompts=prompts,
            new_tokens=options.new_tokens,
            temperature=temperature,
            seed=seed,
        )
        print(json.dumps(order), file=self.process.stdin, flush=True)
        reply = json.loads(self.process.stdout.readline())
        return reply["seconds"], reply["tokens"]


class Theirs:
    def __init__(self, folder):
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32
        )

    @torch.inference_mode()
    def generate(self, prompts, temperature, seed):
        torch.manual_seed(seed)
        ids = torch.tensor(prompts)
        sampling = dict(do_sample=False)
        if temperature:
            sampling = dict(do_sample=True, temperature=temperature, top_k=0)
        start = time.perf_counter()
        out = self.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=options.new_tokens,
            eos_token_id=None,
            pad_token_id=0,
            **sampling,
        )
        seconds = time.perf_counter() - start
        return seconds, out[:, ids.shape[1] :].tolist()


def make_model(folder):
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=32000,
        hidden_size=288,
        intermediate_size=768,
        num_hidden_layers=6,
        num_attention_heads=6,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        initializer_range=0.06,
        eos_token_id=None,
        bos_token_id=None,
    )
    model = transformers.LlamaForCausalLM(config)
    model.save_pretrained(folder)
    return model.num_parameters()


def interval(ours, theirs):
    """95 % bootstrap interval of the ratio of medians."""
    draw = random.Random(0)
    ratios = sorted(
        statistics.median(draw.choices(theirs, k=len(theirs)))
        / statistics.median(draw.choices(ours, k=len(ours)))
        for _ in range(2000)
    )
    return ratios[50], ratios[1949]


def main():
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        parameters = make_model(folder)
        sides = dict(ours=Ours(folder), theirs=Theirs(folder))
        print(
            f"{parameters / 1e6:.1f} M parameters, float32, {options.threads} threads, "
            f"transformers {transformers.__version__}, torch {torch.__version__}, "
            f"load average {os.getloadavg()[0]:.1f}"
        )
        for batch in options.batches:
            for temperature in (0.0, 1.0):
                measure(sides, batch, temperature)


def measure(sides, batch, temperature):
    draw = random.Random(batch)
    prompts = [[draw.randrange(32000) for _ in range(options.prompt)] for _ in range(batch)]
    # Warm-up, and the gate: the same greedy tokens for 64 steps.
    first = {name: side.generate(prompts, 0.0, 0)[1] for name, side in sides.items()}
    for ours, theirs in zip(first["ours"], first["theirs"]):
        assert ours[:64] == theirs[:64], "greedy tokens differ: no speed to report"
    seconds = dict(ours=[], theirs=[])
    for round in range(options.rounds):
        for name in random.sample(sorted(sides), 2):
            seconds[name].append(sides[name].generate(prompts, temperature, round)[0])
            time.sleep(0.05)  # let the other side's threads stop spinning
    tokens = batch * options.new_tokens
    median = {name: statistics.median(s) for name, s in seconds.items()}
    least = {name: min(s) for name, s in seconds.items()}
    low, high = interval(seconds["ours"], seconds["theirs"])
    print(
        f"batch {batch:3d}, {'greedy' if temperature == 0 else 'T=1   '}: "
        f"ours {tokens / median['ours']:7.0f} tokens/s (best {tokens / least['ours']:7.0f}), "
        f"transformers {tokens / median['theirs']:7.0f} (best {tokens / least['theirs']:7.0f}), "
        f"ratio of medians {median['theirs'] / median['ours']:.2f} [{low:.2f}, {high:.2f}], "
        f"of bests {least['theirs'] / least['ours']:.2f}",
        flush=True,
    )


main()
