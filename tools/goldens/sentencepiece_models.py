#!/usr/bin/env python3
"""Golden SentencePiece models: tests/golden/sentencepiece/.

usage: tools/goldens/sentencepiece_models.py   (with the Python of tools/make-oracle)

NAME/tokenizer.model, small models of each kind, and expected.json: {"version", "cases": {NAME: ids of
each text of tests/golden/tokenizers/expected.json}}, as the sentencepiece library encodes them; null
where transformers differs, and ours with it: a text that has a control symbol or, for Unigram, a byte's
piece ("<0x41>") written out, and for Unigram long runs, whose ways to be cut tie but for float32.
The normalization rules are a few of our own: those of nmt_nfkc alone take 240 KB.
"""
import json
import os
import pathlib
import random
import re
import tempfile

import sentencepiece

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/golden/sentencepiece"
RULES = {"ａ": "a", "ﬁ": "fi", "½": "1/2", "\t": " ", "\n": " ", "\u00a0": " ", "\u3000": " ", "\u200b": "",
         "e\u0301": "é", "…": "..."}

MODELS = {
    "unigram": dict(model_type="unigram", rules=True),
    "unigram_bytes": dict(model_type="unigram", byte_fallback=True, normalization_rule_name="identity"),
    "unigram_bare": dict(model_type="unigram", add_dummy_prefix=False, remove_extra_whitespaces=False,
                         normalization_rule_name="identity"),
    "llama": dict(model_type="bpe", byte_fallback=True, normalization_rule_name="identity",
                  remove_extra_whitespaces=False, split_digits=True, allow_whitespace_only_pieces=True),
    "bpe": dict(model_type="bpe", rules=True, user_defined_symbols=["<sym>", "==="],
                control_symbols=["<ctl>"]),
}


def corpus(texts):
    rng = random.Random(5)
    words = "the quick brown fox jumps over lazy dogs while seven wizards make toxic brew for kings".split()
    lines = [" ".join(rng.choices(words, k=12)) for _ in range(400)]
    return lines + [line for text in texts for line in text.split("\n") if line.strip()] * 3


def main():
    texts = json.load(open(ROOT / "tests/golden/tokenizers/expected.json"))["texts"]
    cases = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        os.chdir(folder)  # the models remember the names of their files
        (folder / "text").write_text("\n".join(corpus(texts)))
        (folder / "rules.tsv").write_text("".join(
            " ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n"
            for a, b in RULES.items()))
        for name, options in MODELS.items():
            options = dict(options)
            if options.pop("rules", False):
                options["normalization_rule_tsv"] = "rules.tsv"
            size = 600 if options.get("byte_fallback") else 340
            sentencepiece.SentencePieceTrainer.train(
                input="text", model_prefix=name, vocab_size=size,
                hard_vocab_limit=False, num_threads=1, minloglevel=2, character_coverage=0.98, **options)
            (OUT / name).mkdir(parents=True, exist_ok=True)
            (OUT / name / "tokenizer.model").write_bytes((folder / f"{name}.model").read_bytes())
            model = sentencepiece.SentencePieceProcessor(model_file=str(OUT / name / "tokenizer.model"))
            special = [model.id_to_piece(i) for i in range(model.get_piece_size())
                       if model.is_control(i) or model.is_unknown(i)]
            unigram = options["model_type"] == "unigram"
            cases[name] = [None if any(s in text for s in special)
                           or unigram and re.search(r"<0x|(.)\1{40}|(..)\2{40}", text)
                           else model.encode(text) for text in texts]
    (OUT / "expected.json").write_text(json.dumps(
        {"version": sentencepiece.__version__, "cases": cases}, separators=(",", ":")) + "\n")


main()
