#!/usr/bin/env python3
"""Makes the word-problem tokenizer: byte-level BPE, digits kept single, most words one token.

    python3 make_tokenizer.py --data DIR --out tokenizer    (needs the `tokenizers` package; DIR from generate.py)

One special token, <|endoftext|>, ends an answer; nothing is put in front of a text.
"""

import argparse
import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

EOS = "<|endoftext|>"


def texts(path):
    for line in path.read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        yield item["prompt"] + item["completion"]


def train(path, vocabulary):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[EOS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(path), trainer)
    return tokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--vocabulary", type=int, default=700)
    args = parser.parse_args()

    args.out.mkdir(parents=True, exist_ok=True)
    train(args.data / "train.jsonl", args.vocabulary).save(str(args.out / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": EOS,
        "pad_token": EOS,
        "model_max_length": 128,
        "clean_up_tokenization_spaces": False,
    }
    text = json.dumps(config, indent=2) + "\n"
    (args.out / "tokenizer_config.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
