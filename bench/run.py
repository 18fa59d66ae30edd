#!/usr/bin/env python3
"""Every comparison with other programs in one run: `make bench`.

usage: bench/run.py [--only decode distill …] [--quick] [--threads 2] [--python PYTHON]
       [--build build/release] [--out docs/bench]

Makes an environment of pinned peers (bench/requirements.txt, about 4 GB with what torch asks for) in
the cache folder, unless --python names one that has them; runs the comparisons one after another, both
sides of each in turn and with equal work checked, and last how our own costs grow; writes DATE.json,
DATE.svg and DATE-growth.svg after each, and prints tables. Parts that --only leaves out are kept as that
day's file has them. The whole takes about 40 minutes on two cores; --quick makes small models and one
round, to see that it works, and writes nothing but what --out names.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

from chart import chart
from growth_chart import growth_chart
from measure import ROOT

BENCH = ROOT / "bench"
TOKENIZERS = [ROOT / "tests/golden/tokenizers" / name for name in ("gpt2", "llama3", "qwen")]
STEP = ["training_step.py", "--tasks"]

# A comparison's script with its arguments, and those of a quick run.
PARTS = {
    "decode": (["decode.py", "--peers", "transformers", "--formats", "f32", "bf16"],
               ["--shape", "15M", "--rounds", "2", "--new-tokens", "64", "--prefill", "128"]),
    "quantized": (["decode.py", "--peers", "llama.cpp"],
                  ["--shape", "15M", "--rounds", "2", "--new-tokens", "64", "--prefill", "128"]),
    "distill": ([*STEP, "distill"], ["--small", "--rounds", "1"]),
    "sft": ([*STEP, "sft"], ["--small", "--rounds", "1"]),
    "grpo": ([*STEP, "grpo"], ["--small", "--rounds", "1"]),
    "pretrain": ([*STEP, "pretrain"], ["--small", "--rounds", "1"]),
    "load": (["load_speed.py"], ["--rounds", "1"]),
    "tokenize": (["tokenize_speed.py", *map(str, TOKENIZERS)], ["--rounds", "1", "--megabytes", "1"]),
    "ranks": (["ranks.py"], ["--rounds", "1", "--steps", "2", "--width", "64"]),
    "growth": (["growth.py"], ["--steps", "2", "--points", "2"]),
}
THREADED = ("decode.py", "training_step.py", "growth.py")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--python", help="an environment that has the peers")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--out", type=pathlib.Path)
    return parser.parse_args()


def cache_folder():
    return pathlib.Path(os.environ.get("ALAMBIC_CACHE") or pathlib.Path(
        os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "alambic")


def environment():
    """The Python of the pinned peers; made anew when the pins change."""
    pins = [BENCH / "requirements.txt", ROOT / "tests/golden/requirements.txt"]
    wanted = "".join(file.read_text() for file in pins)
    place = cache_folder() / "bench-peers"
    done, python = place / ".complete", place / "bin/python"
    if not done.exists() or done.read_text() != wanted:
        print(f"to be installed: the peers of {pins[0].relative_to(ROOT)}, from PyPI, in {place}",
              flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", pins[0]], check=True)
        done.write_text(wanted)
    return python


def machine():
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if "model name" in line]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{len(names)} cores of {names[0] if names else platform.machine()}, {memory:.0f} GiB"


def commit():
    found = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"],
                           capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


def measured(options, python, part):
    """The records of a part; those of one that fails are an error of its own."""
    words, quick = PARTS[part]
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "records.json"
        command = [python, BENCH / words[0], *words[1:], "--build", options.build, "--json", out]
        if words[0] in THREADED:
            command += ["--threads", options.threads]
        if options.quick:
            command += quick
        start = time.monotonic()
        done = subprocess.run(list(map(str, command)), stdout=sys.stderr)
        records = json.loads(out.read_text()) if done.returncode == 0 else []
    print(f"{part}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    return [dict(part=part, **record) for record in records], done.returncode


def split(records):
    """The comparisons, and the curves of how costs grow."""
    comparisons = [r for r in records if r["part"] != "growth"]
    return comparisons, [r for r in records if r["part"] == "growth"]


def table(records):
    comparisons, curves = split(records)
    lines = []
    if comparisons:
        lines += ["| comparison | peer | ours | peer's | times as fast | 95 % | of the machine's most |",
                  "|---|---|---:|---:|---:|---|---:|"]
    for r in comparisons:
        share = f"{r['share']:.0%}" if "share" in r else ""
        lines.append(f"| {r['name']} | {r['peer']} | {r['ours']:.3g} {r['unit']} | {r['peers']:.3g} "
                     f"| {r['ratio']:.2f} | {r['ratio_low']:.2f} to {r['ratio_high']:.2f} | {share} |")
    if curves:
        lines += ["", "| phase | over | seconds grow with the power | operations |", "|---|---|---:|---:|"]
    for c in curves:
        lines.append(f"| {c['phase']} | {c['varied']} | {c['exponent']:.2f} | "
                     f"{c['operations_exponent']:.2f} |")
    return "\n".join(lines)


def kept(file, parts):
    """The records of a day's file whose parts are not measured anew."""
    if not file.exists():
        return []
    return [record for record in json.loads(file.read_text())["records"] if record["part"] not in parts]


def write(out, about, records):
    out.mkdir(parents=True, exist_ok=True)
    day = about["date"].split()[0]
    (out / f"{day}.json").write_text(json.dumps(dict(**about, records=records), indent=1) + "\n")
    comparisons, curves = split(records)
    if comparisons:
        (out / f"{day}.svg").write_text(chart(comparisons, about))
    if curves:
        (out / f"{day}-growth.svg").write_text(growth_chart(curves, about))


def main():
    options = arguments()
    python = options.python or environment()
    start, failed = datetime.datetime.now(), []
    out = options.out or (None if options.quick else ROOT / "docs/bench")
    records = kept(out / f"{start:%Y-%m-%d}.json", options.only) if out else []
    about = dict(date=start.strftime("%Y-%m-%d %H:%M"), machine=machine(), commit=commit(),
                 threads=options.threads, quick=options.quick)
    for part in options.only:
        found, code = measured(options, python, part)
        records = sorted(records + found, key=lambda record: list(PARTS).index(record["part"]))
        failed += [part] if code else []
        if out and found:
            write(out, about, records)
    if out and records:
        print(f"{out}/{start:%Y-%m-%d}.json and its charts\n")
    print(f"{about['date']}, {about['machine']}, {about['threads']} threads, commit {about['commit']}\n")
    print(table(records))
    if failed:
        sys.exit(f"error: no figures of {', '.join(failed)}: what they say is above")


main()
