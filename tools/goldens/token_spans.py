"""Makes tests/golden/token_spans.json: texts in the tokens of two tokenizers, and the shortest spans of
both that write the same bytes, by sets of byte ends.

    python tools/goldens/token_spans.py [folder that holds data/]

{"texts", "pairs": {"A/B": [per text [ids of A, ids of B, spans as [tokens of A, tokens of B]]]}}; null
where a tokenizer changes the text's bytes or finds a special token in it. With the folder, token_spans_shared.json has the real
vocabularies in it, without ids. The ids are those of `tokenizers` for text that goes on from another:
no space is put before it, and special tokens stay text.
"""
import functools
import json
import os
import re
import sys

from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
GOLDEN = os.path.join(ROOT, "tests", "golden")

TEXTS = [
    "", "a", " a", "  leading", "two  spaces   three", "trailing  ", "\n\n", "a\r\nb\rc\n", "\t\tx",
    "Once upon a time, there was a girl.", " Tom has 12 apples. 12 - 5 = 7\n#### 7",
    "201 and 20100 and 3.14159", "def f(x):\n    return x ** 2\n\n\n\tif x:\n        pass",
    "你好,世界!我喜欢学习。", "👍 👨‍👩‍👧‍👦 🇩🇪 done", "naïve façade über", "e\u0301 cafe\u0301",
    "a\u0000b\u0001", "<|im_start|>user\nHi<|im_end|>\n</s><s>", "'s 't they've I'LL",
    "x" * 40, "ab" * 20 + " the the the",
]
PAIRS = ["gpt2/llama2", "llama2/gpt2", "gpt2/deepseek", "llama3/qwen", "unigram_bytes/gpt2",
         "metaspace_first/o200k", "metaspace_always/llama3", "deepseek/word_problems", "gpt2/gpt2"]
SHARED_PAIRS = ["gpt2/stories", "stories/gpt2", "torchtitan/gpt2", "gpt2/llama", "llama/torchtitan",
                "word_problems/gpt2", "llama/stories"]


def folder_of(name, shared):
    if name == "word_problems":
        return os.path.join(ROOT, "recipes/word_problems/tokenizer")
    if name == "stories":
        return f"{shared}/data/stories260K/hf"
    return f"{shared}/data/tokenizers/{name}" if shared else os.path.join(GOLDEN, "tokenizers", name)


def llama_of_gguf(path):
    """Merges are all splits of a token into two, those of the highest score first."""
    from gguf import GGUFReader
    fields = GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    scores = fields["tokenizer.ggml.scores"].contents()
    kinds = fields["tokenizer.ggml.token_type"].contents()
    vocabulary = {token: i for i, token in enumerate(tokens)}
    merges = []
    for i in sorted((i for i in range(len(tokens)) if kinds[i] == 1), key=lambda i: (-scores[i], i)):
        token = tokens[i]
        splits = [(token[:j], token[j:]) for j in range(1, len(token))]
        merges += sorted((s for s in splits if s[0] in vocabulary and s[1] in vocabulary),
                         key=lambda s: (vocabulary[s[0]], vocabulary[s[1]]))
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [
                {"id": i, "content": tokens[i], "single_word": False, "lstrip": False, "rstrip": False,
                 "normalized": False, "special": True} for i in range(len(tokens)) if kinds[i] in (2, 3)],
            "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            "pre_tokenizer": None, "post_processor": None,
            "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"}]},
            "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True,
                      "vocab": vocabulary, "merges": [list(m) for m in merges]}}


def byte_of_character():
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in visible]
    return {chr(b): b for b in visible} | {chr(256 + n): b for n, b in enumerate(rest)}


BYTE = byte_of_character()


class Side:
    def __init__(self, data):
        def steps(part):
            part = part or {"decoders": []}
            return next((part[k] for k in ("normalizers", "pretokenizers", "decoders") if k in part), [part])
        self.special = {t["id"] for t in data["added_tokens"] if t["special"]}
        data["added_tokens"] = [t for t in data["added_tokens"] if not t["special"]]
        if data["normalizer"]:
            data["normalizer"] = {"type": "Sequence", "normalizers":
                                  [s for s in steps(data["normalizer"]) if s["type"] != "Prepend"]}
        for step in steps(data["pre_tokenizer"]):
            if step["type"] == "Metaspace":
                step["prepend_scheme"] = "never"
                step.pop("add_prefix_space", None)
            if step["type"] == "ByteLevel":
                step["add_prefix_space"] = False
        self.byte_level = any(s["type"] == "ByteLevel" for s in steps(data["decoder"]))
        data["post_processor"] = None
        self.tokenizer = Tokenizer.from_str(json.dumps(data))

    def ids(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def bytes_of(self, id):
        token = self.tokenizer.id_to_token(id)
        if self.byte_level:
            return bytes(BYTE[c] for c in token)
        if re.fullmatch(r"<0x[0-9A-F]{2}>", token):
            return bytes([int(token[3:5], 16)])
        return token.replace("▁", " ").encode()

    def ends(self, ids):
        ends, end = [], 0
        for id in ids:
            end += len(self.bytes_of(id))
            ends.append(end)
        return ends


def spans(ends_a, ends_b):
    common = sorted(set(ends_a) & set(ends_b))
    found, i, j = [], 0, 0
    for end in common:
        a, b = ends_a.index(end) + 1, ends_b.index(end) + 1
        found.append([a - i, b - j])
        i, j = a, b
    return found


def rows(a, b, texts, with_ids):
    result = []
    for text in texts:
        ids_a, ids_b = a.ids(text), b.ids(text)
        changed = any(s.special & set(ids) or b"".join(map(s.bytes_of, ids)) != text.encode()
                      for s, ids in ((a, ids_a), (b, ids_b)))
        if changed:
            result.append(None)
            continue
        found = spans(a.ends(ids_a), b.ends(ids_b))
        result.append([ids_a, ids_b, found] if with_ids else found)
    return result


def write(name, texts, pairs, sides, with_ids):
    data = {"texts": texts, "pairs": {}}
    for pair in pairs:
        a, b = pair.split("/")
        data["pairs"][pair] = rows(sides(a), sides(b), texts, with_ids)
    path = os.path.join(GOLDEN, name)
    with open(path, "w") as f:
        f.write("{\"texts\": " + json.dumps(texts, ensure_ascii=False) + ",\n \"pairs\": {\n" + ",\n".join(
            f"  {json.dumps(pair)}: {json.dumps(r, separators=(',', ':'))}" for pair, r in data["pairs"].items()) + "}}\n")
    known = [r for rs in data["pairs"].values() for r in rs if r is not None]
    print(name, os.path.getsize(path), "bytes;", len(known), "rows with spans")


@functools.cache
def side(name, shared):
    if name == "llama":
        return Side(llama_of_gguf(f"{shared}/data/tokenizers/gguf-vocab/ggml-vocab-llama-spm.gguf"))
    with open(os.path.join(folder_of(name, shared), "tokenizer.json")) as f:
        return Side(json.load(f))


def main():
    write("token_spans.json", TEXTS, PAIRS, lambda name: side(name, None), True)
    if len(sys.argv) > 1:
        shared = sys.argv[1]
        with open(f"{shared}/data/gsm8k/test.jsonl") as f:
            answers = [" " + json.loads(f.readline())["answer"] for _ in range(3)]
        write("token_spans_shared.json", TEXTS + answers, SHARED_PAIRS, lambda name: side(name, shared), False)


if __name__ == "__main__":
    main()
