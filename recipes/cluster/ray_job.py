#!/usr/bin/env python3
"""Runs an alambic command in several processes on a Ray cluster.

    python ray_job.py --ranks 16 --gpus 1 -- distill --student … --teacher … --data … --out …

The exit code is 0, 75 (stopped after saving), or that of the first rank that failed.
"""
import argparse
import os
import socket
import subprocess
import sys

import ray


@ray.remote
class Rank:
    def address(self):
        with socket.socket() as free:
            free.bind(("", 0))
            return ray.util.get_node_ip_address(), free.getsockname()[1]

    def run(self, words, variables):
        return subprocess.run(words, env={**os.environ, **variables}).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ranks", type=int, required=True)
    parser.add_argument("--gpus", type=float, default=0, help="of each rank")
    parser.add_argument("--cpus", type=float, default=1, help="of each rank")
    parser.add_argument("--alambic", default="alambic", help="the program, on every machine")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    words = [args.alambic, *[word for word in args.command if word != "--"]]
    ray.init()
    ranks = [Rank.options(num_gpus=args.gpus, num_cpus=args.cpus).remote()
             for _ in range(args.ranks)]
    host, port = ray.get(ranks[0].address.remote())
    # Ray shows each process its own GPU: a rank is alone on its part of a machine.
    waiting = [rank.run.remote(words, {"RANK": str(i), "WORLD_SIZE": str(args.ranks),
                                       "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1",
                                       "MASTER_ADDR": host, "MASTER_PORT": str(port)})
               for i, rank in enumerate(ranks)]
    stopped = False
    while waiting:
        done, waiting = ray.wait(waiting)
        code = ray.get(done[0])
        stopped |= code == 75
        if code not in (0, 75):
            sys.exit(code)
    sys.exit(75 if stopped else 0)


if __name__ == "__main__":
    main()
