"""Tokenizing speed against Hugging Face tokenizers, one thread each, in CPU time, interleaved in one run.

10 MB of mixed text of which no line comes twice: English (tinyshakespeare, what Python packages say of
themselves), Python code, and words of the goldens' list of nasty texts (CJK, Arabic, Indic, emoji) put
together at random, in documents of 4 KB. Both sides encode document by document; ids must be equal
before a ratio is printed.

  cmake --preset release -DALAMBIC_BENCH=ON && ninja -C build/release tokenize_bench
  ORACLE/bin/python bench/tokenize_speed.py FOLDER… [--rounds 5]

FOLDER holds tokenizer.json; tests/golden/tokenizers/NAME are small ones of each type.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sysconfig
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import numpy  # noqa: E402
import tokenizers  # noqa: E402
import transformers  # noqa: E402

from measure import ROOT, Records  # noqa: E402


def fresh_lines(files, size, seen):
    """About `size` bytes of the files' lines that are not in `seen`, which grows."""
    lines, total = [], 0
    for file in files:
        for line in file.read_text(errors="replace").replace("\0", " ").splitlines(keepends=True):
            if line in seen:
                continue
            seen.add(line)
            lines.append(line)
            total += len(line.encode())
            if total >= size:
                return "".join(lines)
    return "".join(lines)


def world_lines(size, seed=1):
    """Lines of words cut out of the goldens' texts at random places."""
    texts = json.load(open(ROOT / "tests/golden/tokenizers/expected.json"))["texts"]
    pool = " ".join(t for t in texts[:48] if "\0" not in t)
    draw, parts, total = random.Random(seed), [], 0
    while total < size:
        begin = draw.randrange(len(pool) - 12)
        part = pool[begin : begin + draw.randint(1, 12)] + draw.choice(("", " ", " ", "\n"))
        parts.append(part)
        total += len(part.encode())
    return "".join(parts)


def mixed_text(megabytes):
    packages, share = pathlib.Path(sysconfig.get_path("purelib")), megabytes * 1e6 / 3
    prose = [*(ROOT.parent / "shared/data/tinyshakespeare").glob("*.txt"), *packages.rglob("METADATA"),
             *packages.rglob("*.md"), *packages.rglob("*.rst")]
    seen, world = set(), world_lines(share)
    english = fresh_lines(sorted(prose), share, seen)
    left = megabytes * 1e6 - len(world.encode()) - len(english.encode())
    code = fresh_lines(sorted(packages.rglob("*.py")), left, seen)
    documents = [text[begin : begin + 4096]
                 for text in (english, code, world) for begin in range(0, len(text), 4096)]
    random.Random(2).shuffle(documents)
    return documents


def theirs(tokenizer, documents):
    start = time.process_time()
    ids = [tokenizer.encode(d, add_special_tokens=False).ids for d in documents]
    return time.process_time() - start, ids


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--json", help="file for the records")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=float, default=10)
    options = parser.parse_args()
    documents = mixed_text(options.megabytes)
    records = Records(options.json)
    size = sum(len(d.encode()) for d in documents) / 1e6
    print(f"{size:.1f} MB in {len(documents)} documents, tokenizers {tokenizers.__version__}, "
          f"load average {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        texts, out = os.path.join(folder, "texts"), os.path.join(folder, "ids")
        pathlib.Path(texts).write_bytes(b"".join(d.encode() + b"\0" for d in documents))
        for name in options.folders:
            measure(options, records, name, documents, size, texts, out)
    records.write()


def measure(options, records, name, documents, size, texts, out):
    # The file as it is, with the tokens that tokenizer_config.json adds.
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(name).backend_tokenizer
    ours, reference = [], []
    for _ in range(options.rounds):
        # A fresh process: our cache of words is empty, theirs is only in the first round.
        reply = subprocess.check_output([options.build / "bench/tokenize_bench", name, texts, "1", out], text=True)
        ours.append(json.loads(reply)[0])
        seconds, ids = theirs(tokenizer, documents)
        reference.append(seconds)
    flat = numpy.concatenate([numpy.array(i, dtype=numpy.int32) for i in ids])
    assert numpy.array_equal(numpy.fromfile(out, dtype=numpy.int32), flat), "ids differ: no speed"
    records.add(f"tokenize, {pathlib.Path(name).name}", f"tokenizers {tokenizers.__version__}", ours,
                reference, "all ids", size, "MB/s")


main()
