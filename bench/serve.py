#!/usr/bin/env python3
"""Tokens per second of `alambic serve` at 1, 16 and 64 clients, against the engine alone (decode_bench)
and llama.cpp's server on the same file, and the time to the first token under load.

usage: bench/serve.py [--build build/release] [--clients 1 16 64] [--new-tokens 128] [--rounds 3] [--threads 2]
                      [--requests 1]

Every client sends one request of equally many tokens at the same time, over loopback, and the sides take
turns. All seconds are from the first byte that is sent to the last that comes: a server's have connections,
HTTP, JSON and text in them, the engine's its prompts and tokens alone. All clients are one thread that waits
for sockets, so that on the server's own machine they take little of it. "streamed": every client reads its
tokens one by one. The engine waits between its loops as the program does (GOMP_SPINCOUNT), and once as
libgomp does by itself. With --requests 6 every client asks six times, for half to three halves of --new-tokens,
the next time when its answer is there, so that requests come one by one while others are answered; the engine
is left out then, which has no such clients. Needs the package xllamacpp for llama.cpp; without it that side is left out.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import re
import selectors
import signal
import socket
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
parser.add_argument("--requests", type=int, default=1, help="of a client, one after another")
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


def exchange(port, requests, clients):
    """The bodies of the replies to requests, each on a connection of its own: the first of every client are
    sent together, and each later one of a client when the one before is answered."""
    waiting, replies = selectors.DefaultSelector(), [b""] * len(requests)

    def send(number):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(requests[number])
        waiting.register(connection, selectors.EVENT_READ, number)

    for client in range(clients):
        send(client)
    while waiting.get_map():
        for key, _ in waiting.select():
            piece = key.fileobj.recv(1 << 16)
            replies[key.data] += piece
            if not piece:
                waiting.unregister(key.fileobj)
                key.fileobj.close()
                if key.data + clients < len(requests):
                    send(key.data + clients)
    for reply in replies:
        assert b" 200 " in reply[:20], reply[:500]
    return [reply.split(b"\r\n\r\n", 1)[1] for reply in replies]


def lengths(prompts):
    """Tokens of the answers."""
    if options.requests == 1:
        return [options.new_tokens] * len(prompts)
    draw = random.Random(options.requests)
    return [draw.randint(options.new_tokens // 2, 3 * options.new_tokens // 2) for _ in prompts]


class Served:
    """A server, asked over HTTP."""

    def request(self, prompt, tokens):
        body = json.dumps(self.body(prompt, tokens)).encode()
        return (f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body

    def ask(self, prompts, _):
        wanted = lengths(prompts)
        requests = [self.request(*pair) for pair in zip(prompts, wanted)]
        start = time.perf_counter()
        replies = exchange(self.port, requests, len(prompts) // options.requests)
        seconds = time.perf_counter() - start
        for reply, tokens in zip(replies, wanted):
            written = int(self.count.search(reply).group(1))
            assert written == tokens, f"an answer has {written} tokens"
        return seconds


class Alambic(Served):
    path, count = "/v1/completions", re.compile(rb'"completion_tokens":(\d+)')

    def __init__(self, model):
        self.process = subprocess.Popen(
            [options.build / "alambic", "serve", "--model", f"m={model}", "--port", "0", "--threads",
             str(options.threads)], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if found := re.search(r"http://127.0.0.1:(\d+) answers", line):
                self.port = int(found.group(1))
                break

    def body(self, prompt, tokens):
        return {"prompt": prompt, "max_tokens": tokens, "ignore_eos": True, "seed": 0}

    def first_token(self, prompt):
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            start = time.perf_counter()
            connection.sendall(Streamed(self).request(prompt, options.new_tokens))
            reply = b""
            while b"data: " not in reply:
                reply += connection.recv(1 << 16)
            return time.perf_counter() - start

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait() == 0


class Streamed(Served):
    """The same server, read token by token."""

    path, count = Alambic.path, Alambic.count

    def __init__(self, server):
        self.server, self.port = server, server.port

    def body(self, prompt, tokens):
        return {**self.server.body(prompt, tokens), "stream": True, "stream_options": {"include_usage": True}}


class LlamaCpp(Served):
    path, count = "/completion", re.compile(rb'"tokens_predicted": ?(\d+)')

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

    def body(self, prompt, tokens):
        return {"prompt": prompt, "n_predict": tokens, "ignore_eos": True, "seed": 0,
                "cache_prompt": False, "samplers": ["temperature"], "temperature": 1.0}

    def close(self):
        del self.server


class Engine:
    def __init__(self, model, spins):
        environment = {**os.environ, "GOMP_SPINCOUNT": spins} if spins else os.environ
        self.process = subprocess.Popen(
            [options.build / "bench/decode_bench", model, str(options.threads), "float32"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

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


def sides_of(model, stack):
    sides = {"server": Alambic(model)}
    stack.callback(sides["server"].close)
    sides["streamed"] = Streamed(sides["server"])
    own = None if "OMP_WAIT_POLICY" in os.environ else "5000"  # cli/torch_library.cpp
    engines = [("engine", lambda: Engine(model, own)), ("engine, spinning", lambda: Engine(model, None))]
    for name, make in (*(engines if options.requests == 1 else []), ("llama.cpp", lambda: LlamaCpp(model))):
        try:
            sides[name] = make()
            stack.callback(sides[name].close)
        except (ImportError, OSError) as error:
            print(f"without {name}: {error}", file=sys.stderr)
    return sides


def main():
    with contextlib.ExitStack() as stack:
        model = make_model(pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory())))
        sides = sides_of(model, stack)
        for clients in options.clients:
            draw = random.Random(clients)
            prompts = [[draw.randrange(3, VOCABULARY // 2) for _ in range(options.prompt)]
                       for _ in range(clients * options.requests)]
            for side in sides.values():
                side.ask(prompts, 0)
            seconds = in_turn(sides, options.rounds, lambda side, seed: rested(side, prompts, seed))
            speed = {side: sum(lengths(prompts)) / statistics.median(times)
                     for side, times in seconds.items()}
            line = ", ".join(f"{side} {value:.0f}" for side, value in speed.items())
            ratios = ", ".join(f"{speed['server'] / value:.2f} × {side}" for side, value in speed.items()
                               if side != "server")
            first = first_token_under_load(sides["server"], prompts)
            print(f"{clients} clients, tokens/s: {line}; server is {ratios}; first token under load "
                  f"{1000 * first:.0f} ms; load {os.getloadavg()[0]:.1f}", flush=True)


main()
