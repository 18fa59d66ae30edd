"""The exact loss and its gradient against Python's: full logits, TRL, Liger; in one run, in turns.

Same tensors on all sides (torch's generator, seed 1): hidden states [N, D] of student and teacher and
their heads [V, D], float32 on a CPU unless --dtype says otherwise. Each measurement is a process of its
own: the best time of --repeats after a small warm-up, and the peak above what the inputs occupy, on a
device of what its tensors had. "beside the gradient": without the head's, which all keep. A loss that
differs is printed as such. Liger is compiled, with its own 1,024 rows a chunk, on a device, and
uncompiled on a CPU; "Liger, 128 rows" has the chunks with which it needs least memory.

  cmake --preset release -DALAMBIC_BENCH=ON && ninja -C build/release loss_memory
  PYTHON bench/loss_peers.py [--liger FOLDER_WITH_liger_kernel] [--rounds 2] [--device cuda]
"""

import argparse
import json
import math
import multiprocessing
import os
import pathlib
import re
import subprocess
import sys
import time

from measure import ROOT, Records


def inputs(shape, options):
    import torch

    torch.manual_seed(1)
    graded, vocabulary, student, teacher = shape
    place = dict(device=options.device, dtype=getattr(torch, options.dtype))

    def random(rows, width):
        return torch.randn(rows, width, **place) * math.sqrt(2 / math.sqrt(width))

    return (random(graded, student).requires_grad_(), random(vocabulary, student).requires_grad_(),
            random(graded, teacher), random(vocabulary, teacher))


def full_logits(beta, _):
    import torch
    from torch.nn.functional import kl_div, linear, log_softmax

    def loss(student, student_head, teacher, teacher_head):
        log_q = log_softmax(linear(student, student_head).float(), -1)
        log_p = log_softmax(linear(teacher, teacher_head).float(), -1)
        if beta == 1:
            terms = kl_div(log_p, log_q, reduction="none", log_target=True)
        else:
            log_m = torch.logsumexp(torch.stack([log_q + math.log(1 - beta), log_p + math.log(beta)]), 0)
            terms = beta * kl_div(log_m, log_p, reduction="none", log_target=True) + \
                (1 - beta) * kl_div(log_m, log_q, reduction="none", log_target=True)
        return terms.sum() / len(student)

    return loss


def trl(beta, _):
    import torch
    from torch.nn.functional import linear
    from trl.experimental.gkd.gkd_trainer import GKDTrainer

    def loss(student, student_head, teacher, teacher_head):
        labels = torch.zeros(1, len(student), dtype=torch.long, device=student.device)
        return GKDTrainer.generalized_jsd_loss(linear(student, student_head)[None],
                                               linear(teacher, teacher_head)[None], labels, beta=beta)

    return loss


def liger(beta, options, rows=1024):
    import torch
    from liger_kernel.chunked_loss.jsd_loss import LigerFusedLinearJSDLoss

    module = LigerFusedLinearJSDLoss(weight_hard_loss=0, weight_soft_loss=1, beta=beta,
                                     compiled=options.device != "cpu", chunk_size=rows)

    def loss(student, student_head, teacher, teacher_head):
        return module(student, student_head, teacher, teacher_head,
                      torch.zeros(len(student), dtype=torch.long, device=student.device))

    return loss


def liger_128_rows(beta, options):
    return liger(beta, options, 128)


PEERS = {"full logits": full_logits, "TRL": trl, "Liger": liger, "Liger, 128 rows": liger_128_rows}


class Peak:
    """Most megabytes since it was made, above those of then: of the process, or of a device's tensors."""

    def __init__(self, device):
        self.device = device
        if device == "cpu":
            pathlib.Path("/proc/self/clear_refs").write_text("5")
        else:
            import torch

            torch.cuda.reset_peak_memory_stats()
        self.before = self.now()

    def now(self):
        if self.device == "cpu":
            status = pathlib.Path("/proc/self/status").read_text()
            return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024
        import torch

        return torch.cuda.max_memory_allocated() / 2**20

    def megabytes(self):
        return self.now() - self.before


def measured(make, shape, beta, options):
    import torch

    torch.set_num_threads(options.threads)
    wait = (lambda: None) if options.device == "cpu" else torch.cuda.synchronize
    loss = make(beta, options)
    tensors = inputs(shape, options)
    loss(*inputs((16, 64, *shape[2:]), options)).backward()
    wait()
    peak, best, megabytes = Peak(options.device), math.inf, None
    for _ in range(options.repeats):
        tensors[0].grad = tensors[1].grad = None
        start = time.perf_counter()
        value = loss(*tensors)
        value.backward()
        wait()
        best = min(best, time.perf_counter() - start)
        megabytes = megabytes or peak.megabytes()
    return {"megabytes": megabytes, "seconds": best, "loss": value.item()}


def child(send, make, shape, beta, options):
    sys.path[:0] = [options.liger] if options.liger else []
    try:
        send.send(measured(make, shape, beta, options))
    except Exception as error:
        send.send({"failed": f"{type(error).__name__}: {error}".strip().splitlines()[0][:200]})


def theirs(make, shape, beta, options):
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(send, make, shape, beta, options))
    process.start()
    send.close()
    try:
        return receive.recv()
    except EOFError:
        return {"failed": "it was ended (memory?)"}
    finally:
        process.join()


def ours(shape, beta, options):
    words = [options.build / "bench/loss_memory", "one", *shape, beta, options.device, options.dtype]
    runs = [json.loads(subprocess.run(list(map(str, words)), check=True, stdout=subprocess.PIPE, text=True,
                                      env={**os.environ, "OMP_NUM_THREADS": str(options.threads)}).stdout)
            # On a device one process repeats.
            for _ in range(options.repeats if options.device == "cpu" else 1)]
    return min(runs, key=lambda run: run["seconds"])


def add(records, name, peer, mine, other, gradient, tolerance):
    """`mine` and `other`: the rounds of a side."""
    seconds, least = [run["seconds"] for run in mine], min(run["megabytes"] for run in mine)
    more = {"ours_megabytes": least - gradient}
    if reason := next((run["failed"] for run in other if "failed" in run), None):
        return records.add_failed(name, peer, seconds, reason, **more)
    apart = abs(other[0]["loss"] - mine[0]["loss"]) / abs(mine[0]["loss"])
    megabytes = min(run["megabytes"] for run in other)
    records.add(name, peer, seconds, [run["seconds"] for run in other],
                "loss" if apart < tolerance else f"LOSS DIFFERS BY {apart:.2g} of itself",
                peer_megabytes=megabytes - gradient, **more)
    print(f"    {megabytes:.0f} MB for our {least:.0f} MB, {megabytes - gradient:.0f} for {least - gradient:.0f} "
          f"beside the gradient; {records.all[-1]['equal']}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--liger", help="folder that holds the package liger_kernel, if not installed")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=["full logits", "TRL", "Liger, 128 rows"])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--vocabularies", type=int, nargs="+", default=[50257, 151936])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", help="file for the records")
    options = parser.parse_args()
    records = Records(options.json)
    element, tolerance = (4, 1e-4) if options.dtype == "float32" else (2, 2e-2)
    for vocabulary in options.vocabularies:
        shape = (options.tokens, vocabulary, options.width, options.width)
        gradient = element * vocabulary * options.width / 2**20
        print(f"{options.tokens} tokens, vocabulary {vocabulary}, width {options.width}; the head's gradient, "
              f"which all keep, is {gradient:.0f} MB", flush=True)
        for name, beta in (("reverse KL", 1), ("JSD 0.5", 0.5)):
            mine, others = [], {peer: [] for peer in options.peers}
            for _ in range(options.rounds):
                mine.append(ours(shape, beta, options))
                for peer in options.peers:
                    others[peer].append(theirs(PEERS[peer], shape, beta, options))
            for peer, other in others.items():
                add(records, f"loss, {name}, V = {vocabulary}", peer, mine, other, gradient, tolerance)
    records.write()
    return records.code()


if __name__ == "__main__":
    sys.exit(main())
