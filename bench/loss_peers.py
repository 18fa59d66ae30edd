"""The exact loss and its gradient against Python's: full logits, TRL, Liger; in one run, in turns.

Same tensors on all sides (torch's generator, seed 1): hidden states [N, D] of student and teacher and
their heads [V, D], float32. Each measurement is a process of its own: the best time of --repeats after
a small warm-up, and the peak above what the inputs occupy. A loss that differs is printed as such.

  cmake --preset release -DALAMBIC_BENCH=ON && ninja -C build/release loss_memory
  ORACLE/bin/python bench/loss_peers.py [--liger FOLDER_WITH_liger_kernel] [--rounds 2]
"""

import argparse
import json
import math
import multiprocessing
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def inputs(shape):
    import torch

    torch.manual_seed(1)
    graded, vocabulary, student, teacher = shape

    def random(rows, width):
        return torch.randn(rows, width) * math.sqrt(2 / math.sqrt(width))

    return (random(graded, student).requires_grad_(), random(vocabulary, student).requires_grad_(),
            random(graded, teacher), random(vocabulary, teacher))


def full_logits(beta):
    import torch
    from torch.nn.functional import kl_div, linear, log_softmax

    def loss(student, student_head, teacher, teacher_head):
        log_q = log_softmax(linear(student, student_head), -1)
        log_p = log_softmax(linear(teacher, teacher_head), -1)
        if beta == 1:
            terms = kl_div(log_p, log_q, reduction="none", log_target=True)
        else:
            log_m = torch.logsumexp(torch.stack([log_q + math.log(1 - beta), log_p + math.log(beta)]), 0)
            terms = beta * kl_div(log_m, log_p, reduction="none", log_target=True) + \
                (1 - beta) * kl_div(log_m, log_q, reduction="none", log_target=True)
        return terms.sum() / len(student)

    return loss


def trl(beta):
    import torch
    from torch.nn.functional import linear
    from trl.experimental.gkd.gkd_trainer import GKDTrainer

    def loss(student, student_head, teacher, teacher_head):
        labels = torch.zeros(1, len(student), dtype=torch.long)
        return GKDTrainer.generalized_jsd_loss(linear(student, student_head)[None],
                                               linear(teacher, teacher_head)[None], labels, beta=beta)

    return loss


def liger(beta):
    import torch
    from liger_kernel.chunked_loss.jsd_loss import LigerFusedLinearJSDLoss

    module = LigerFusedLinearJSDLoss(weight_hard_loss=0, weight_soft_loss=1, beta=beta, compiled=False,
                                     chunk_size=128)

    def loss(student, student_head, teacher, teacher_head):
        return module(student, student_head, teacher, teacher_head,
                      torch.zeros(len(student), dtype=torch.long))

    return loss


def peak():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def child(send, make, shape, beta, threads, repeats, path):
    sys.path[:0] = path
    import torch

    torch.set_num_threads(threads)
    loss = make(beta)
    tensors = inputs(shape)
    loss(*inputs((16, 64, *shape[2:]))).backward()
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before, best, megabytes = peak(), math.inf, None
    for _ in range(repeats):
        tensors[0].grad = tensors[1].grad = None
        start = time.perf_counter()
        value = loss(*tensors)
        value.backward()
        best = min(best, time.perf_counter() - start)
        megabytes = megabytes or peak() - before
    send.send({"megabytes": megabytes, "seconds": best, "loss": value.item()})


def theirs(make, shape, beta, args):
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(send, make, shape, beta, args.threads, args.repeats,
                                                  [args.liger] if args.liger else []))
    process.start()
    send.close()
    try:
        return receive.recv()
    except EOFError:
        return None
    finally:
        process.join()


def ours(shape, beta, args):
    words = [args.binary, "one", *map(str, shape), str(beta)]
    runs = [json.loads(subprocess.run(words, check=True, capture_output=True, text=True,
                                      env={"OMP_NUM_THREADS": str(args.threads)}).stdout)
            for _ in range(args.repeats)]
    return min(runs, key=lambda run: run["seconds"])


def best(runs):
    runs = [run for run in runs if run]
    return runs and {key: min(run[key] for run in runs) for key in runs[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default=ROOT / "build/release/bench/loss_memory")
    parser.add_argument("--liger", help="folder that holds the package liger_kernel, if not installed")
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--vocabularies", type=int, nargs="+", default=[50257, 151936])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    peers = {"full logits": full_logits, "TRL": trl, "Liger": liger}
    for vocabulary in args.vocabularies:
        shape = (args.tokens, vocabulary, args.width, args.width)
        gradient = 4 * vocabulary * args.width / 2**20
        print(f"{args.tokens} tokens, vocabulary {vocabulary}, width {args.width}; the head's gradient, "
              f"which all keep, is {gradient:.0f} MB", flush=True)
        for name, beta in (("reverse KL", 1), ("JSD 0.5", 0.5)):
            runs = {peer: [] for peer in ("ours", *peers)}
            for _ in range(args.rounds):
                runs["ours"].append(ours(shape, beta, args))
                for peer, make in peers.items():
                    runs[peer].append(theirs(make, shape, beta, args))
            mine = best(runs["ours"])
            for peer, measured in runs.items():
                run = best(measured)
                if not run:
                    print(f"  {name:<11} {peer:<12} did not finish (memory, or not installed)")
                    continue
                same = abs(run["loss"] - mine["loss"]) < 1e-4 * abs(mine["loss"])
                beside = run["megabytes"] - gradient
                print(f"  {name:<11} {peer:<12} {run['seconds']:7.2f} s  {run['megabytes']:7.0f} MB, "
                      f"{beside:6.0f} MB beside the gradient; its time {run['seconds'] / mine['seconds']:.2f} "
                      f"x ours, its memory {run['megabytes'] / mine['megabytes']:.1f} x ours"
                      f"{'' if same else '; LOSS DIFFERS ' + str(run['loss'])}", flush=True)


if __name__ == "__main__":
    main()
