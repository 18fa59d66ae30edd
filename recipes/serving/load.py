#!/usr/bin/env python3
"""Load on `alambic serve`: clients that wait for whole answers, read streams, read them slowly, and leave.

usage: recipes/serving/load.py --alambic build/release/alambic --model FOLDER [--seconds 600] [--clients 64]

Every answer is held against the same request asked alone. At the end the server gets SIGTERM under load:
it must finish or end every answer and exit with 0. Prints how many of each there were and how the server's
memory grew after the first fifth; the exit code is 1 where an answer is wrong or the server does not end well.
"""

import argparse
import collections
import http.client
import json
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

counts, wrong = collections.Counter(), []
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


def body(i, **more):
    return json.dumps({"prompt": [3 + (7 * i + j) % 400 for j in range(4 + i % 20)], "seed": i, "ignore_eos": True,
                       "max_tokens": 8 + 5 * (i % 12), **more})


def ask(i, **more):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("POST", "/v1/completions", body(i, **more), {"Content-Type": "application/json"})
    return connection, connection.getresponse()


def whole(i):
    _, reply = ask(i)
    text = reply.read()
    if reply.status != 200:
        return reply.status, reply.getheader("Retry-After")
    return 200, json.loads(text)["choices"][0]["text"]


def streamed(i, pause, leave_after):
    connection, reply = ask(i, stream=True)
    if reply.status != 200:
        reply.read()
        return reply.status, reply.getheader("Retry-After")
    text, parts, ended = "", 0, False
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
        text += event["choices"][0]["text"]
        parts += 1
        if parts == leave_after:
            connection.close()
            return "left", None
        time.sleep(pause)
    return (200, text) if ended else ("cut", None)


def client(number, expected, stopping):
    draw = random.Random(number)
    kinds = {0: "whole", 1: "streamed", 2: "slow", 3: "leaver"}
    kind = kinds[number % 4]
    while not stopping.is_set():
        i = draw.randrange(len(expected))
        try:
            if kind == "whole":
                status, text = whole(i)
            else:
                status, text = streamed(i, 0.02 if kind == "slow" else 0,
                                        draw.randrange(1, 6) if kind == "leaver" else -1)
        except (OSError, http.client.HTTPException) as error:
            if not stopping.is_set():
                count("lost", f"{kind} {i}: {type(error).__name__}: {error}")
            return
        if status == 200:
            count(kind, None if text == expected[i] else f"{kind} {i}: {text!r} for {expected[i]!r}")
        elif status == 503:
            count("503", None if text else "503 without Retry-After")
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
    for fault in wrong[:10]:
        print("WRONG:", fault)
    grown = late > 1.15 * early + 8
    return 1 if wrong or code != 0 or grown else 0


if __name__ == "__main__":
    sys.exit(main())
