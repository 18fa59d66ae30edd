"""Makes tests/golden/vocabulary_files: folders without tokenizer.json, and the ids that
transformers' converters give them, for the texts of tests/golden/tokenizers/expected.json.

    python tools/goldens/make_vocabulary_files.py

tiktoken/ranks.tiktoken (TikTokenConverter), gpt2/ (GPT2Converter), qwen2/ (Qwen2Converter), and
expected.json: {"versions", "cases": {folder: ids of each text}}.
"""
import base64
import json
import os
import types

import tokenizers
import transformers
from transformers.convert_slow_tokenizer import (GPT2Converter, Qwen2Converter, TikTokenConverter,
                                                 bytes_to_unicode)

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "..", "tests", "golden")
OUT = os.path.join(GOLDEN, "vocabulary_files")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def main():
    texts = json.load(open(os.path.join(GOLDEN, "tokenizers", "expected.json")))["texts"]
    model = json.load(open(os.path.join(GOLDEN, "tokenizers", "digits", "tokenizer.json")))["model"]
    byte = {c: b for b, c in bytes_to_unicode().items()}
    # tiktoken's ranks are bytes first, then tokens in the order of their merges.
    tokens = sorted((bytes(byte[c] for c in t) for t in model["vocab"] if "<" not in t or len(t) == 1),
                    key=lambda t: (len(t) > 1, model["vocab"]["".join(bytes_to_unicode()[b] for b in t)]))
    ranks = os.path.join(OUT, "tiktoken", "ranks.tiktoken")
    write(ranks, "".join(f"{base64.b64encode(t).decode()} {i}\n" for i, t in enumerate(tokens)))
    made = {"tiktoken": TikTokenConverter(vocab_file=ranks).converted()}
    merges = [tuple(m) for m in model["merges"]]
    for name, converter in [("gpt2", GPT2Converter), ("qwen2", Qwen2Converter)]:
        write(os.path.join(OUT, name, "vocab.json"), json.dumps(model["vocab"], ensure_ascii=False))
        write(os.path.join(OUT, name, "merges.txt"),
              "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
        slow = types.SimpleNamespace(encoder=model["vocab"], bpe_ranks={m: i for i, m in enumerate(merges)},
                                     add_prefix_space=False, add_bos_token=False, unk_token="")
        made[name] = converter(slow).converted(model["vocab"], merges)
    write(os.path.join(OUT, "qwen2", "tokenizer_config.json"), '{"tokenizer_class": "Qwen2Tokenizer"}\n')
    cases = {name: [t.encode(x, add_special_tokens=False).ids for x in texts] for name, t in made.items()}
    versions = {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}
    write(os.path.join(OUT, "expected.json"),
          json.dumps({"versions": versions, "cases": cases}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
