"""Decoding and prefill against transformers.generate and llama.cpp, in one run, in turn.

A random Llama of 110 M parameters (hidden 768, 12 layers, 12 heads, intermediate 2,048, vocabulary
32,000, tied head); prompts of 32 tokens, 128 new tokens, no end of text. Against transformers in
float32 the greedy tokens must be equal before a speed is printed; llama.cpp rounds activations of
quantized models to 8 bits, so there the files and the numbers of tokens are the same. llama.cpp
decodes with float32 keys and values, as we do. "share" is the least time that the machine allows, by
what it reads from memory and multiplies in float32 (measured in the same run), of the time taken.

  cmake --preset release -DALAMBIC_BENCH=ON && ninja -C build/release decode_bench alambic
  PYTHON bench/decode.py [--rounds 5] [--threads 2] [--batches 1 16] [--formats f32 q4_k]
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

from measure import ROOT, TOKENIZER, Records, in_turn

VOCABULARY = 32000
SHAPES = {  # width, layers, heads, intermediate
    "110M": (768, 12, 12, 2048),
    "15M": (288, 6, 6, 768),
}


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
    parser.add_argument("--peers", nargs="+", default=["transformers", "llama.cpp"])
    parser.add_argument("--formats", nargs="+", default=["f32", "bf16", "q8_0", "q4_k"])
    parser.add_argument("--json", help="file for the records")
    return parser.parse_args()


options = arguments()
os.environ["OMP_NUM_THREADS"] = str(options.threads)
CONTEXT = max(options.prompt + options.new_tokens, options.prefill) + 8


class Process:
    """A side that reads orders from its standard input."""

    def __init__(self, *command):
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def ask(self, prompts, new_tokens, temperature=0.0, seed=0):
        order = dict(prompts=prompts, new_tokens=new_tokens, temperature=temperature, seed=seed)
        print(json.dumps(order), file=self.process.stdin, flush=True)
        reply = json.loads(self.process.stdout.readline())
        counts = reply.get("counts") or [len(tokens) for tokens in reply["tokens"]]
        assert counts == [new_tokens] * len(prompts), counts
        return reply["seconds"], reply.get("tokens")

    def ceiling(self):
        print(json.dumps(dict(ceiling=True)), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def ours(model, kind):
    dtype = "bfloat16" if kind == "bf16-activations" else "float32"
    return Process(options.build / "bench/decode_bench", model, options.threads, dtype)


def llama_cpp(model, slots):
    return Process(sys.executable, ROOT / "bench/decode_llama_cpp.py", model, options.threads, slots,
                   CONTEXT)


class Transformers:
    def __init__(self, folder, dtype):
        import torch
        import transformers

        self.torch, self.name = torch, f"transformers {transformers.__version__}"
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        self.model.generation_config.eos_token_id = None

    def ask(self, prompts, new_tokens, temperature=0.0, seed=0):
        torch = self.torch
        torch.manual_seed(seed)
        ids = torch.tensor(prompts)
        sampling = dict(do_sample=False)
        if temperature:
            sampling = dict(do_sample=True, temperature=temperature, top_k=0)
        start = time.perf_counter()
        with torch.inference_mode():
            out = self.model.generate(ids, attention_mask=torch.ones_like(ids),
                                      max_new_tokens=new_tokens, eos_token_id=None, pad_token_id=0,
                                      **sampling)
        return time.perf_counter() - start, out[:, ids.shape[1] :].tolist()

    def close(self):
        del self.model


def make_model(folder):
    width, layers, heads, intermediate = SHAPES[options.shape]
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": width,
              "intermediate_size": intermediate, "num_hidden_layers": layers,
              "num_attention_heads": heads, "max_position_embeddings": 1024, "rms_norm_eps": 1e-5,
              "vocab_size": VOCABULARY, "tie_word_embeddings": True, "initializer_range": 0.06}
    (folder / "config.json").write_text(json.dumps(config))
    alambic("init", "--model-config", folder / "config.json", "--tokenizer", TOKENIZER, "--out",
            folder / "f32")
    return folder / "f32"


def alambic(*words):
    subprocess.run([options.build / "alambic", *map(str, words)], check=True, capture_output=True)


def prompts_of(batch, length):
    draw = random.Random(batch)
    return [[draw.randrange(VOCABULARY) for _ in range(length)] for _ in range(batch)]


class Bound:
    """The least seconds that a machine needs for a model: weights and the keys and values of what came
    before are read once a pass, and every weight is multiplied once a token."""

    ceiling = None  # measured while no side has work

    def __init__(self, weight_bytes, number_bytes):
        width, layers, _, intermediate = SHAPES[options.shape]
        self.bytes, self.operations = Bound.ceiling["bytes"], Bound.ceiling["operations"]
        self.weight_bytes = weight_bytes
        self.row_bytes = 2 * layers * width * number_bytes
        self.layer_weights = layers * width * (4 * width + 3 * intermediate)
        self.head_weights = VOCABULARY * width
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


def compare(records, name, peer, sides, exact, weight_bytes, number_bytes=4):
    """Decoding at each batch, greedy and drawn, and one prompt alone."""
    bound = Bound(weight_bytes, number_bytes)
    for batch in options.batches:
        prompts = prompts_of(batch, options.prompt)
        first = {side: s.ask(prompts, options.new_tokens)[1] for side, s in sides.items()}
        if exact:  # the gate: the same greedy tokens for 64 steps
            for mine, other in zip(first["ours"], first["theirs"]):
                assert mine[:64] == other[:64], "greedy tokens differ: no speed to report"
        seconds = in_turn(sides, options.rounds,
                          lambda side, seed: rested(side, prompts, options.new_tokens, seed))
        records.add(f"decode, {name}, batch {batch}", peer, seconds["ours"], seconds["theirs"],
                    "64 greedy tokens" if exact else "model, prompts, number of tokens",
                    batch * options.new_tokens, "tokens/s", bound_seconds=bound.decode(batch))
    if options.prefill:
        prompts = prompts_of(1, options.prefill)
        for side in sides.values():
            side.ask(prompts, 1)
        seconds = in_turn(sides, options.rounds, lambda side, seed: rested(side, prompts, 1, seed))
        records.add(f"prefill, {name}, {options.prefill} tokens", peer, seconds["ours"],
                    seconds["theirs"], "model, prompt", options.prefill, "tokens/s",
                    bound_seconds=bound.prefill(options.prefill))
    for side in sides.values():
        side.close()


def rested(side, prompts, new_tokens, seed):
    time.sleep(0.05)  # the other side's threads stop spinning
    return side.ask(prompts, new_tokens, 1.0 if seed % 2 else 0.0, seed)[0]


def main():
    records = Records(options.json)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = make_model(folder)
        alone = ours(model, "f32")
        Bound.ceiling = alone.ceiling()
        alone.close()
        print("reads {bytes:.3g} bytes/s, multiplies in float32 {operations:.3g} operations/s".format(
            **Bound.ceiling), flush=True)
        if "transformers" in options.peers:
            for kind, dtype in (("f32", "float32"), ("bf16", "bfloat16")):
                if kind not in options.formats:
                    continue
                peer = Transformers(model, dtype)
                sides = {"ours": ours(model, "bf16-activations" if kind == "bf16" else kind),
                         "theirs": peer}
                number_bytes = 4 if kind == "f32" else 2
                weights = (model / "model.safetensors").stat().st_size * number_bytes // 4
                compare(records, kind, peer.name, sides, kind == "f32", weights, number_bytes)
        if "llama.cpp" in options.peers:
            for kind in options.formats:
                file = folder / f"{kind}.gguf"
                alambic("convert", "--model", model, "--type", kind, "--out", file)
                sides = {"ours": ours(file, kind), "theirs": llama_cpp(file, max(options.batches))}
                compare(records, kind.upper(), "llama.cpp", sides, False, file.stat().st_size)
    records.write()


main()
