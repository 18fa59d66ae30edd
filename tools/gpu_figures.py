"""What the figures of tools/gpu-check are held against: bounds of the card, and the lines of a table.

`found` is what `device_test --speed SHAPE` prints: sizes of the model, seconds and bytes.
"""

import datetime
import os
import re
import shutil
import subprocess

# What a card can do at most: dense bfloat16 operations and bytes of its memory a second.
GPUS = {"A100": (312e12, 2.0e12), "H100": (989e12, 3.35e12), "H200": (989e12, 4.8e12),
        "B200": (2250e12, 8.0e12), "B300": (2250e12, 8.0e12)}
USUAL = "H200"

# Figure, what it is divided by, and the aim for the quotient (smaller is better): 35 % of the peak,
# which FlashAttention-2 reaches on an H100 (arXiv 2407.08608), 75 % of 790 TFLOP/s, 45 % of 989,
# 1.25 times the products, 70 ms for 8.19e9 parameters, 1.6 times the bound.
AIMS = {"attention": ("operations / peak", 1 / 0.35),
        "attention, with backward": ("operations / peak", 1 / 0.35),
        "grade": ("operations / peak", 989 / 790 / 0.75),
        "learn": ("operations / peak", 1 / 0.45),
        "loss": ("its products / peak", 1.25),
        "update": ("30 bytes a parameter / bandwidth", 0.070 / (30 * 8.19e9 / 4.8e12)),
        "decode at batch 1": ("weights and keys / bandwidth", 1.6),
        "decode at batch 64": ("weights and keys / bandwidth", 1.6)}
# Figure and peer, and the aim for ours / theirs.
PEER_TIMES = {("distill", "trl"): 1 / 5}
PEER_MEMORY = {("loss", "Liger"): 1 / 4}
BATCHES = (1, 64)
PROMPT = 3  # tokens before what is decoded


def gpu_names():
    """Of the GPUs that this process may use, as nvidia-smi has them."""
    if shutil.which("nvidia-smi") is None:
        return []
    found = subprocess.run(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
                           capture_output=True, text=True)
    names = found.stdout.splitlines() if found.returncode == 0 else []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    chosen = [names[int(i)] for i in visible if i.strip().isdigit() and int(i) < len(names)]
    return chosen or names


def card_of(name):
    """Of a card's name its kind, or None."""
    return next((kind for kind in GPUS if kind in name), None)


def bounds(found, peak, bandwidth):
    """{figure: (seconds it took, seconds that the hardware needs at least)}"""
    tokens, head = found["tokens"], found["head"]
    body = found["parameters"] - 2 * head  # without the embedding, which is read and not multiplied
    # Scores and weighted values, of half of all pairs.
    attention = 4 * found["layers"] * found["heads_width"] * found["length"] / 2
    forward = tokens * (2 * body + attention)
    # Logits of student and teacher, gradients of hidden states and head.
    loss = 8 * tokens * head
    of_layer = tokens * attention / found["layers"]
    rows = {"attention": (found["attention_seconds"], of_layer / peak),
            # Five products backward for two forward: scores are computed again.
            "attention, with backward": (found["attention_learn_seconds"], 3.5 * of_layer / peak),
            "grade": (found["grade_seconds"], forward / peak),
            # Forward and backward, as MFU counts: recomputed layers are our own affair.
            "learn": (found["learn_seconds"], (3 * forward + loss) / peak),
            "loss": (found["loss_seconds"], loss / peak),
            # Gradient 2 for the norm and 2 for the step, master and moments 3 · 8, weight 2.
            "update": (found["update_seconds"], 30 * found["parameters"] / bandwidth)}
    context = context_of(found)
    keys = 2 * found["layers"] * found["keys_width"] * found["element"] * context
    for batch in BATCHES:
        read = found["element"] * (body + head) + batch * keys
        rows[f"decode at batch {batch}"] = (found[f"decode_seconds_{batch}"], read / bandwidth)
    for name, packed in found.get("packed", {}).items():
        # Without the embedding, of which few rows are read.
        blocks = packed["bytes"] * (body + head) / (body + 2 * head)
        for batch in BATCHES:
            rows[f"decode {name} at batch {batch}"] = (packed[f"decode_seconds_{batch}"],
                                                       (blocks + batch * keys) / bandwidth)
        rows[f"grade {name}"] = (packed["grade_seconds"], forward / peak)
    for name, family in found.get("families", {}).items():
        always = family["parameters"] - family["head"] - family["expert_parameters"]
        for batch in BATCHES:
            # Of experts that tokens choose alike often, so many are some token's.
            chosen = 1 - (1 - family["chosen"] / family["experts"]) ** batch
            read = found["element"] * (always + chosen * family["expert_parameters"])
            rows[f"decode {name} at batch {batch}"] = (
                family[f"decode_seconds_{batch}"],
                (read + batch * family["entry"] * context_of(family)) / bandwidth)
    return rows


def context_of(found):
    """Tokens before the decoded one: of the passes between `decoded` and twice as many tokens."""
    return PROMPT + 1.5 * found["decoded"]


def aim_of(figure):
    """Of a figure: what it is held against and the aim; packed weights and experts have those of
    dense ones."""
    return AIMS[re.sub(r"^(decode|grade) (?!at )\w+", r"\1", figure)]


def memories(found):
    """{figure: (bytes, bytes it is held against or None, what those are)}"""
    logits = 2 * 4 * found["tokens"] * found["vocabulary"]
    return {"memory of the loss": (found["loss_peak_bytes"], logits, "float32 logits of both models"),
            "memory of a learning pass": (found["learn_peak_bytes"], None, "")}


def beside_full_logits(found):
    """Lines of the loss beside its formula over all logits at once, of the rows that it took."""
    own = found["loss_seconds"] * found["full_rows"] / found["tokens"]
    seconds, size = found["full_seconds"], found["full_peak_bytes"]
    return [f"| full logits, {found['full_rows']} rows | {1e3 * seconds:.2f} ms | ours "
            f"{1e3 * own:.2f} ms | {own / seconds:.2f} | |",
            f"| their memory | {1e-9 * size:.4g} GB | ours, of all rows, "
            f"{1e-9 * found['loss_peak_bytes']:.4g} GB | {found['loss_peak_bytes'] / size:.3f} | |"]


def beside_enqueued(found):
    """Lines of decoding by recorded passes beside the same ones whose kernels are launched one by one."""
    lines = []
    for batch in BATCHES:
        if f"enqueue_seconds_{batch}" in found:
            recorded, enqueued = (found[f"{way}_seconds_{batch}"] for way in ("decode", "enqueue"))
            lines.append(f"| decode at batch {batch}, ALAMBIC_GRAPHS=none | {1e3 * enqueued:.2f} ms, "
                         f"{batch / enqueued:.0f} tokens/s | recorded {1e3 * recorded:.2f} ms, "
                         f"{batch / recorded:.0f} tokens/s | {recorded / enqueued:.2f} | |")
    return lines


def beside_bfloat16(found):
    """The line of a teacher's pass with FP8 products, or of why there is none."""
    if "fp8_fault" in found:
        reason = " ".join(found["fp8_fault"].split()).replace("|", "/")
        return [f"| grade with FP8 products | skipped: {reason} | | | |"]
    if "fp8_grade_seconds" not in found:
        return []
    own, beside = found["fp8_grade_seconds"], found["fp8_beside_seconds"]
    return [f"| grade in bfloat16 | {1e3 * beside:.2f} ms | with FP8 products {1e3 * own:.2f} ms | "
            f"{own / beside:.2f} | |"]


def beside_peers(records):
    """A table of bench/'s records: times and memory of other people's programs and ours."""
    lines = ["| figure | theirs | ours | ours / theirs | aim |", "|---|---|---|---|---|"]
    for record in records:
        name, peer = record["name"], record["peer"]
        share = f", {record['share']:.0%} of the bound" if "share" in record else ""
        if "failed" in record:
            reason = record["failed"].replace("|", "/")
            lines.append(f"| {name}, {peer} | failed: {reason} | {amount(record, 'ours')}{share} | | |")
        else:
            lines.append(f"| {name}, {peer} | {amount(record, 'peers')} | "
                         f"{amount(record, 'ours')}{share} | {1 / record['ratio']:.2f} | "
                         f"{aim_beside(name, peer, PEER_TIMES)} |")
        if record.get("peer_megabytes"):
            ours, theirs = (record[f"{side}_megabytes"] for side in ("ours", "peer"))
            lines.append(f"| {name}, {peer}: memory | {theirs:.0f} MiB | {ours:.0f} MiB | "
                         f"{ours / theirs:.3f} | {aim_beside(name, peer, PEER_MEMORY)} |")
    return lines if records else []


def amount(record, side):
    value = record[side]
    return f"{1e3 * value:.2f} ms" if record["unit"] == "s" else f"{value:.0f} {record['unit']}"


def aim_beside(name, peer, aims):
    """Of the first aim whose words begin the figure and are the peer, whatever its version."""
    return next((f"{aim:.2f}" for (figure, rival), aim in aims.items()
                 if name.startswith(figure) and peer.split(" ")[0] == rival), "")


def table(found, card):
    """Lines of the table; `card` is a kind of GPUS, or None where no card has been measured."""
    lines = ["| figure | found | bound | found / bound | aim |", "|---|---|---|---|---|"]
    for name, (seconds, bound) in bounds(found, *GPUS[card or USUAL]).items():
        what, aim = aim_of(name)
        held = (f"{1e3 * bound:.2f} ms ({what}) | {seconds / bound:.2f} | {aim:.2f} |" if card
                else f"no card ({what}) | | {aim:.2f} |")
        lines.append(f"| {name} | {1e3 * seconds:.2f} ms | {held}")
    for name, (size, bound, what) in memories(found).items():
        held = (f"{1e-9 * bound:.4g} GB ({what}) | {size / bound:.3f} | |" if card and bound
                else "| | |")
        lines.append(f"| {name} | {1e-9 * size:.4g} GB | {held}")
    return lines + beside_enqueued(found) + beside_full_logits(found) + beside_bfloat16(found)


def log_text(title, done, seconds):
    """All checks and their figures, as docs/LOG.md has them."""
    states = [check.state for check in done.values()]
    lines = [f"## {datetime.date.today()}: tools/gpu-check on {title}", "",
             f"{os.cpu_count()} cores, {seconds / 60:.1f} minutes: {states.count('pass')} passed, "
             f"{states.count('FAIL')} failed, {states.count('skipped')} skipped, "
             f"{states.count('failed-peer')} peers failed.", "",
             "| check | | seconds | |", "|---|---|---|---|"]
    for name, check in done.items():
        told = " ".join(check.text.split()).replace("|", "/")
        lines.append(f"| {name} | {check.state} | {check.seconds:.1f} | {told} |")
    for check in done.values():
        if check.figures:
            lines += ["", *check.figures]
    return "\n".join(lines) + "\n"
