#!/usr/bin/env python3
"""Load on `alambic serve`: clients that wait for whole answers, read streams, read them slowly, and leave.

usage: recipes/serving/load.py --alambic build/release/alambic --model FOLDER [--seconds 600] [--clients 64]

Every answer is held against the same request asked alone. Sums of a pass with many rows are in another order
than those of one with few, so that a coin which falls within rounding of the edge between two tokens may draw
the other: such an answer (nothing lies between the two in the order of draws) is counted, and may be one in a
thousand; any other that differs is wrong. At the end the server gets SIGTERM under load:
it must finish or end every answer and exit with 0. Prints how many of each there were and how the server's
memory grew after the first fifth; the exit code is 1 where an answer is wrong or the server does not end well.
"""

import argparse
import collections
import http.client
import json
import math
import random
import re
import signal
import subprocess
import sys
import threading
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--alambic", required=True)
parser.add_argument("--model", required=True)
parser.add_argument("--seconds", type=float, default=600)
parser.add_argument("--clients", type=int, default=64)
parser.add_argument("--threads", type=int, default=2)
options = parser.parse_args()

counts, wrong, differing = collections.Counter(), [], []
MOST_AT_EDGES = 1e-3  # share of answers
NOTHING = 1e-5  # probability between two tokens that share an edge, but for rounding
lock = threading.Lock()


def count(what, fault=None):
    with lock:
        counts[what] += 1
        if fault:
            wrong.append(fault)


class Server:
    def __init__(self):
        self.process = subprocess.Popen(
            [options.alambic, "serve", "--model", f"m={options.model}", "--port", "0", "--threads",
             str(options.threads), "--batch", "32", "--max-waiting", "48", "--drain-seconds", "20"],
            stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if found := re.search(r"http://127.0.0.1:(\d+) answers", line):
                self.port = int(found.group(1))
                break
        self.said = []
        threading.Thread(target=lambda: self.said.extend(self.process.stderr), daemon=True).start()

    def memory(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024

    def open_files(self):
        import os
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path)
        return connection.getresponse().read().decode()


server = Server()


def prompt_of(i):
    return [3 + (7 * i + j) % 400 for j in range(4 + i % 20)]


def body(i, **more):
    return json.dumps({"prompt": prompt_of(i), "seed": i, "ignore_eos": True,
                       "max_tokens": 8 + 5 * (i % 12), "return_token_ids": True, **more})


def ask(i, **more):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("POST", "/v1/completions", body(i, **more), {"Content-Type": "application/json"})
    return connection, connection.getresponse()


def whole(i):
    _, reply = ask(i)
    text = reply.read()
    if reply.status != 200:
        return reply.status, reply.getheader("Retry-After")
    return 200, json.loads(text)["choices"][0]["token_ids"]


def streamed(i, pause, leave_after):
    connection, reply = ask(i, stream=True)
    if reply.status != 200:
        reply.read()
        return reply.status, reply.getheader("Retry-After")
    ids, parts, ended = [], 0, False
    while line := reply.readline():
        if not line.startswith(b"data: "):
            continue
        data = line[6:].strip()
        if data == b"[DONE]":
            ended = True
            break
        event = json.loads(data)
        if "error" in event:
            return "ended by the server", None
        ids += event["choices"][0]["token_ids"]
        parts += 1
        if parts == leave_after:
            connection.close()
            return "left", None
        time.sleep(pause)
    return (200, ids) if ended else ("cut", None)


def at_an_edge(server, i, found, expected):
    """Whether the first tokens in which two answers differ are neighbors in the order of draws, by id."""
    at = next((k for k, (a, b) in enumerate(zip(found, expected)) if a != b), None)
    if at is None:
        return False
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("POST", "/v1/completions", json.dumps(
        {"prompt": prompt_of(i) + expected[: at + 1], "max_tokens": 1, "prompt_logprobs": -1}),
        {"Content-Type": "application/json"})
    row = json.loads(connection.getresponse().read())["choices"][0]["prompt_logprobs"][-1]
    low, high = sorted((found[at], expected[at]))
    return sum(math.exp(row[str(token)]["logprob"]) for token in range(low + 1, high)) < NOTHING


def client(number, expected, stopping):
    draw = random.Random(number)
    kinds = {0: "whole", 1: "streamed", 2: "slow", 3: "leaver"}
    kind = kinds[number % 4]
    while not stopping.is_set():
        i = draw.randrange(len(expected))
        try:
            if kind == "whole":
                status, answer = whole(i)
            else:
                status, answer = streamed(i, 0.02 if kind == "slow" else 0,
                                        draw.randrange(1, 6) if kind == "leaver" else -1)
        except (OSError, http.client.HTTPException) as error:
            if not stopping.is_set():
                count("lost", f"{kind} {i}: {type(error).__name__}: {error}")
            return
        if status == 200:
            count(kind)
            if answer != expected[i]:
                differing.append((kind, i, answer))
        elif status == 503:
            count("503", None if answer else "503 without Retry-After")
            time.sleep(0.2 + 0.3 * draw.random())
        elif status == "left" or stopping.is_set():
            count(str(status))
        else:
            count("refused", f"{kind} {i}: {status}")


def main():
    expected = [whole(i)[1] for i in range(48)]
    stopping = threading.Event()
    clients = [threading.Thread(target=client, args=(n, expected, stopping)) for n in range(options.clients)]
    for one in clients:
        one.start()
    time.sleep(options.seconds / 5)
    early = server.memory()
    time.sleep(options.seconds * 4 / 5)
    late, files = server.memory(), server.open_files()
    running = re.search(r"num_requests_running\S* (\d+)", server.get("/metrics")).group(1)
    stopping.set()
    server.process.send_signal(signal.SIGTERM)
    for one in clients:
        one.join()
    code = server.process.wait(timeout=60)
    print(dict(counts))
    print(f"memory {early:.0f} MiB after a fifth, {late:.0f} MiB at the end; {files} open files; {running} running "
          f"at the end; exit code {code} after SIGTERM")
    answers = counts["whole"] + counts["streamed"] + counts["slow"]
    if differing:
        other, edges = Server(), 0
        for kind, i, found in differing:
            if at_an_edge(other, i, found, expected[i]):
                edges += 1
            else:
                wrong.append(f"{kind} {i}: {found} for {expected[i]}")
        other.process.terminate()
        print(f"{edges} of {answers} answers differ where a coin fell on an edge between two tokens")
        if edges > MOST_AT_EDGES * answers:
            wrong.append("more of them than rounding explains")
    for fault in wrong[:10]:
        print("WRONG:", fault)
    grown = late > 1.15 * early + 8
    return 1 if wrong or code != 0 or grown else 0


if __name__ == "__main__":
    sys.exit(main())
