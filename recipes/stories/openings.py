#!/usr/bin/env python3
"""Openings of small children's stories, for the student to continue: openings.py --out DIR

Writes prompts.jsonl and valid.jsonl; a (who, name) pair is in one of them only.
"""

import argparse
import itertools
import json
import random
from pathlib import Path

WHO = "girl boy cat dog bird rabbit bear mouse frog fox duck fish".split()
NAMES = "Lily Tom Max Mia Ben Sue Anna Jack Sam Lucy Tim Sara Bob Amy Leo Zoe".split()
OPENINGS = [
    "Once upon a time, there was a little {who} named {name}.",
    "Once upon a time, there was a {who} named {name}. {name} loved to play",
    "One day, a {who} named {name} went to the park.",
    "{name} was a happy {who}. One day, {name} found a",
    "There was a {who} who lived in a big house. The {who} was called {name}.",
    "{name} the {who} was very sad because",
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    pairs = list(itertools.product(WHO, NAMES))
    rng = random.Random(args.seed)
    rng.shuffle(pairs)
    held_out = len(pairs) // 6
    for name, part in (("valid", pairs[:held_out]), ("prompts", pairs[held_out:])):
        rows = [o.format(who=w, name=n) for (w, n), o in itertools.product(part, OPENINGS)]
        rng.shuffle(rows)
        lines = "".join(json.dumps({"prompt": row}) + "\n" for row in rows)
        (args.out / f"{name}.jsonl").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    main()
