#!/usr/bin/env python3
"""Tokens per second of `alambic serve` at 1, 16 and 64 clients, against the engine alone (decode_bench)
and llama.cpp's server on the same file, and the time to the first token under load.

usage: bench/serve.py [--build build/release] [--clients 1 16 64] [--new-tokens 128] [--rounds 3] [--threads 2]

Every client sends one request of equally many tokens at the same time, over loopback, and the sides take
turns. Needs the package xllamacpp for llama.cpp; without it that side is left out.
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from measure import ROOT, TOKENIZER, in_turn

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64])
parser.add_argument("--new-tokens", type=int, default=128)
parser.add_argument("--prompt", type=int, default=16, help="tokens of a prompt")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--width", type=int, default=288)
options = parser.parse_args()
VOCABULARY, CONTEXT = 1024, 512


def make_model(folder):
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": options.width,
              "intermediate_size": 768, "num_hidden_layers": 6, "num_attention_heads": 6,
              "max_position_embeddings": 1024, "rms_norm_eps": 1e-5, "vocab_size": VOCABULARY,
              "tie_word_embeddings": True}
    (folder / "config.json").write_text(json.dumps(config))
    for words in (["init", "--model-config", folder / "config.json", "--tokenizer", TOKENIZER, "--out",
                   folder / "f32"],
                  ["convert", "--model", folder / "f32", "--type", "f32", "--out", folder / "f32.gguf"]):
        subprocess.run([options.build / "alambic", *map(str, words)], check=True, capture_output=True)
    return folder / "f32.gguf"


def post(port, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    reply = connection.getresponse()
    text = reply.read()
    assert reply.status == 200, text[:500]
    return json.loads(text)


class Served:
    """A server: every client's request in a thread of its own."""

    def ask(self, prompts, _):
        wrong = []

        def one(prompt):
            if self.tokens(prompt) != options.new_tokens:
                wrong.append(prompt)

        clients = [threading.Thread(target=one, args=(prompt,)) for prompt in prompts]
        start = time.perf_counter()
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert not wrong, "an answer has another number of tokens"
        return time.perf_counter() - start


class Alambic(Served):
    def __init__(self, model):
        self.process = subprocess.Popen(
            [options.build / "alambic", "serve", "--model", f"m={model}", "--port", "0", "--threads",
             str(options.threads)], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if found := re.search(r"http://127.0.0.1:(\d+) answers", line):
                self.port = int(found.group(1))
                break

    def body(self, prompt):
        return {"prompt": prompt, "max_tokens": options.new_tokens, "ignore_eos": True, "seed": 0}

    def tokens(self, prompt):
        return post(self.port, "/v1/completions", self.body(prompt))["usage"]["completion_tokens"]

    def first_token(self, prompt):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        start = time.perf_counter()
        connection.request("POST", "/v1/completions", json.dumps({**self.body(prompt), "stream": True}))
        connection.getresponse().readline()
        return time.perf_counter() - start

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait() == 0


class LlamaCpp(Served):
    def __init__(self, model):
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.n_parallel = max(options.clients)
        params.n_ctx = max(options.clients) * CONTEXT
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.threads
        params.verbosity = 0
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        self.server = xllamacpp.Server(params)
        self.port = int(self.server.listening_address.rsplit(":", 1)[1])

    def tokens(self, prompt):
        body = {"prompt": prompt, "n_predict": options.new_tokens, "ignore_eos": True, "seed": 0,
                "cache_prompt": False, "samplers": ["temperature"], "temperature": 1.0}
        return post(self.port, "/completion", body)["tokens_predicted"]

    def close(self):
        del self.server


class Engine:
    def __init__(self, model):
        self.process = subprocess.Popen(
            [options.build / "bench/decode_bench", model, str(options.threads), "float32"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, prompts, seed):
        order = dict(prompts=prompts, new_tokens=options.new_tokens, temperature=1.0, seed=seed)
        print(json.dumps(order), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())["seconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def first_token_under_load(server, prompts):
    """Seconds to the first token of a client that comes while the others are being answered."""
    load = threading.Thread(target=server.ask, args=(prompts[:-1] or prompts, 0))
    load.start()
    time.sleep(0.1)
    seconds = server.first_token(prompts[-1])
    load.join()
    return seconds


def rested(side, prompts, seed):
    time.sleep(0.3)  # the other side's threads stop spinning
    return side.ask(prompts, seed)


def main():
    with contextlib.ExitStack() as stack:
        model = make_model(pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory())))
        sides = {}
        for name, side in (("server", Alambic), ("engine", Engine), ("llama.cpp", LlamaCpp)):
            try:
                sides[name] = side(model)
                stack.callback(sides[name].close)
            except (ImportError, OSError) as error:
                print(f"without {name}: {error}", file=sys.stderr)
        for clients in options.clients:
            draw = random.Random(clients)
            prompts = [[draw.randrange(3, VOCABULARY // 2) for _ in range(options.prompt)]
                       for _ in range(clients)]
            for side in sides.values():
                side.ask(prompts, 0)
            seconds = in_turn(sides, options.rounds, lambda side, seed: rested(side, prompts, seed))
            speed = {side: clients * options.new_tokens / statistics.median(times)
                     for side, times in seconds.items()}
            line = ", ".join(f"{side} {value:.0f} tokens/s" for side, value in speed.items())
            ratios = ", ".join(f"{speed['server'] / value:.2f} × {side}" for side, value in speed.items()
                               if side != "server")
            first = first_token_under_load(sides["server"], prompts)
            print(f"{clients} clients: {line}; server is {ratios}; first token under load "
                  f"{1000 * first:.0f} ms; load {os.getloadavg()[0]:.1f}", flush=True)


main()
