"""Other people's programs beside ours on one device, by bench/'s scripts (tools/gpu-check).

A script writes bench/measure.py's records. Ours always runs in processes of its own, so that what ends
the script by a signal is the peer's.
"""
import json
import shlex
import subprocess

PEER_FAILED = 4  # bench/measure.py's exit code

# Ends with 3 where the module is missing, with 4 where its torch sees no GPU.
PROBE = ("import importlib.util, sys\n"
         "if importlib.util.find_spec(sys.argv[1]) is None: sys.exit(3)\n"
         "if sys.argv[2] == 'cuda':\n"
         "    import torch\n"
         "    sys.exit(0 if torch.cuda.is_available() else 4)\n")


class Peer:
    """A script of bench/, the module that its interpreter must have and what pip calls it; words of
    the script for both, for a card and for a trial without one."""

    def __init__(self, script, module, package, words, card, trial):
        self.script, self.module, self.package = script, module, package
        self.words, self.card, self.trial = words, card, trial


# Of an 8B model the head, eight layers, and a student with its teacher whose step is some seconds.
LOSS = (["--tokens", 4096, "--width", 4096, "--vocabularies", 151936, "--rounds", 1, "--repeats", 5],
        ["--tokens", 256, "--width", 128, "--vocabularies", 8192, "--rounds", 1, "--repeats", 1])
DECODE = (["--shape", "8B/8", "--prompt", 128, "--rounds", 2],
          ["--shape", "tiny", "--new-tokens", 16, "--prefill", 64, "--rounds", 1])
STEP = (["--shape", "qwen3", "--rounds", 2], ["--shape", "small", "--rounds", 1, "--steps", 2])
BATCHES = ["--formats", "bf16", "--batches", 1, 16, 64, "--peers"]
NARROW = ["--dtype", "bfloat16"]

PEERS = {
    "loss beside full logits": Peer(
        "loss_peers.py", "torch", "torch", [*NARROW, "--peers", "full logits"], *LOSS),
    "loss beside Liger": Peer(
        "loss_peers.py", "liger_kernel", "liger-kernel",
        [*NARROW, "--peers", "Liger", "Liger, 128 rows"], *LOSS),
    "a distillation step beside TRL": Peer(
        "training_step.py", "trl", "trl", [*NARROW, "--tasks", "distill"], *STEP),
    "decode beside transformers": Peer(
        "decode.py", "transformers", "transformers", [*BATCHES, "transformers"], *DECODE),
    "decode beside transformers' static cache": Peer(
        "decode.py", "transformers", "transformers accelerate", [*BATCHES, "static"], *DECODE),
    "decode beside vLLM": Peer("decode.py", "vllm", "vllm", [*BATCHES, "vLLM"], *DECODE),
}


def python_with(peer, pythons, card):
    """(words of the first interpreter that has the peer, None), or (None, what is missing)."""
    reasons = []
    for python in pythons:
        words = shlex.split(python)
        try:
            code = subprocess.run([*words, "-c", PROBE, peer.module, "cuda" if card else "cpu"],
                                  capture_output=True, timeout=120).returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            code, reason = None, f"{python}: {error}"
        if code == 0:
            return words, None
        if code is not None:
            reason = {3: f"{python} -m pip install {peer.package}",
                      4: f"the torch of {python} sees no GPU"}.get(
                          code, f"{python} cannot look for it: it ended with {code}")
        reasons.append(reason)
    return None, f"no {peer.module}: {'; '.join(reasons)} (--peers names another Python)"


def command(peer, python, device, ceiling, threads, out):
    """The words that measure it; `ceiling` is bytes and operations that a card can do a second."""
    words = [*python, f"bench/{peer.script}", "--build", device.build, "--device",
             device.program, "--threads", threads, "--json", out, *peer.words,
             *(peer.card if device.card else peer.trial)]
    if peer.script == "decode.py":
        words += ["--ceiling", *ceiling]
    return words


def verdict(check, code, file):
    """The check with what the records say, and those: a peer that failed is none of ours."""
    records = json.loads(file.read_text()) if file.exists() else []
    failed = [record for record in records if "failed" in record]
    wrong = [record for record in records if "DIFFERS" in record.get("equal", "")]
    if wrong:
        check.state, check.text = "FAIL", f"{wrong[0]['name']}, {wrong[0]['peer']}: {wrong[0]['equal']}"
    elif failed and code == PEER_FAILED:
        check.state, check.text = "failed-peer", f"{failed[0]['peer']}: {failed[0]['failed']}"
    elif code < -1:
        check.state = "failed-peer"  # by a signal; -1 is too late
    elif check.state == "pass" and not records:
        check.state, check.text = "FAIL", "no figures"
    elif check.state == "pass":
        check.text = ", ".join(sorted({record["peer"] for record in records}))
    return check, records
