#!/usr/bin/env python3
"""Golden merges of trained byte-level BPE: tests/golden/bpe_training.json.

usage: tools/goldens/bpe_training.py   (with the Python of tools/make-oracle)

{"version", "texts", "cases": [{"pattern", "vocabulary", "least", "merges"}]}: what Hugging Face's
BpeTrainer learns from the texts, each of which is one sequence. Words are numbered by a random hash
there, but nothing depends on the numbers: pairs of the same count go by their ids.
"""
import json
import pathlib
import random

import tokenizers
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def texts():
    rng = random.Random(3)
    words = ("the then there these banana bananas bandana it's aaaa aaaaaaa abab ababab 2026 12345 naïve "
             "你好 你们好 🚀🚀 for(i=0;i<10;++i){ return x; }").split()
    lines = [" ".join(rng.choices(words, k=9)) for _ in range(60)]
    return ["\n".join(lines), "def f(x):\n\treturn x\n\n\n" * 3, "  spaces   and\r\nlines  \n"]


def main():
    cases = []
    for pattern, vocabulary, least in [("gpt2", 400, 0), ("gpt2", 330, 2), ("llama3", 600, 2)]:
        tokenizer = Tokenizer(models.BPE())
        steps = [pre_tokenizers.ByteLevel(add_prefix_space=False)]
        if pattern == "llama3":
            steps = [pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                     pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
        trainer = trainers.BpeTrainer(vocab_size=vocabulary, min_frequency=least, show_progress=False,
                                      special_tokens=["<|endoftext|>", "<|x|>"],
                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
        tokenizer.train_from_iterator(texts(), trainer)
        model = json.loads(tokenizer.to_str())["model"]
        cases.append({"pattern": pattern, "vocabulary": vocabulary, "least": least,
                      "size": tokenizer.get_vocab_size(), "merges": model["merges"]})
    (ROOT / "tests/golden/bpe_training.json").write_text(json.dumps(
        {"version": tokenizers.__version__, "texts": texts(), "cases": cases}, ensure_ascii=False,
        separators=(",", ":")) + "\n")


main()
