"""Tokenising speed against Hugging Face tokenizers, one thread each, in CPU time, interleaved in one run.

10 MB of mixed text: English, Python, and the goldens' list of nasty texts (CJK, Arabic, Indic, emoji),
in documents of 4 KB. The text repeats itself (3 MB of code, 1 MB of English, 15 KB of the rest), which
suits both caches of words. Both sides encode document by document; ids must be equal before a ratio is
printed.

  cmake --preset release -DALAMBIC_BENCH=ON && ninja -C build/release tokenize_bench
  ORACLE/bin/python bench/tokenize_speed.py FOLDER… [--rounds 5]

FOLDER holds tokenizer.json; tests/golden/tokenizers/NAME are small ones of each type.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sysconfig
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import numpy  # noqa: E402
import tokenizers  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent


def mixed_text(megabytes):
    nasty = json.load(open(ROOT / "tests/golden/tokenizers/expected.json"))["texts"]
    world = "\n".join(t for t in nasty[:48] if "\0" not in t)
    english = (ROOT / "bench/tokenize_speed.py").read_text()
    shakespeare = next(iter((ROOT.parent / "shared/data/tinyshakespeare").glob("*.txt")), None)
    english = shakespeare.read_text() if shakespeare else english
    stdlib = pathlib.Path(sysconfig.get_path("stdlib"))
    code = "".join(p.read_text(errors="replace") for p in sorted(stdlib.glob("*.py"))).replace("\0", " ")
    documents, size, i = [], 0, 0
    while size < megabytes * 1_000_000:
        source = (english, code, world * 4)[i % 3]
        begin = i // 3 * 4096 % max(1, len(source) - 4096)
        documents.append(source[begin : begin + 4096])
        size += len(documents[-1].encode())
        i += 1
    return documents


def theirs(tokenizer, documents):
    start = time.process_time()
    ids = [tokenizer.encode(d, add_special_tokens=False).ids for d in documents]
    return time.process_time() - start, ids


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--binary", default=ROOT / "build/release/bench/tokenize_bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=float, default=10)
    options = parser.parse_args()
    documents = mixed_text(options.megabytes)
    size = sum(len(d.encode()) for d in documents) / 1e6
    print(f"{size:.1f} MB in {len(documents)} documents, tokenizers {tokenizers.__version__}, "
          f"load average {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        texts, out = os.path.join(folder, "texts"), os.path.join(folder, "ids")
        pathlib.Path(texts).write_bytes(b"".join(d.encode() + b"\0" for d in documents))
        for name in options.folders:
            measure(options, name, documents, size, texts, out)


def measure(options, name, documents, size, texts, out):
    tokenizer = tokenizers.Tokenizer.from_file(os.path.join(name, "tokenizer.json"))
    ours, reference = [], []
    for _ in range(options.rounds):
        # A fresh process: our cache of words is empty, theirs is only in the first round.
        reply = subprocess.check_output([options.binary, name, texts, "1", out], text=True)
        ours.append(json.loads(reply)[0])
        seconds, ids = theirs(tokenizer, documents)
        reference.append(seconds)
    flat = numpy.concatenate([numpy.array(i, dtype=numpy.int32) for i in ids])
    assert numpy.array_equal(numpy.fromfile(out, dtype=numpy.int32), flat), "ids differ: no speed"
    a, b = statistics.median(ours), statistics.median(reference)
    print(f"{os.path.basename(name):20} ours {size / a:6.1f} MB/s, tokenizers {size / b:6.1f} MB/s, "
          f"ratio of medians {b / a:.2f}, of bests {min(reference) / min(ours):.2f}", flush=True)


main()
