#!/usr/bin/env python3
"""Golden ids of tokenizer folders: tests/golden/tokenizers/folders.json.

usage: tools/goldens/tokenizer_folders.py [SEED [COUNT [OUT]]]   (with the Python of tools/make-oracle)

Folders whose tokens are said in random files: tokenizer.json or vocab.json and merges.txt, with or
without tokenizer_config.json, special_tokens_map.json, added_tokens.json and config.json; roles as
texts or with flags; tokens that several files say differently. The ids that AutoTokenizer gives
TEXTS, with what goes around a text, and those of its special tokens.

{"vocab", "merges", "texts", "cases": [{"files", "ids", "special", "size"}]}; "tokenizer.json" in
files is what goes over tokenizer_json()'s, and vocab.json and merges.txt are written where it is
missing. "numbered": [{"files", "ids"}], folders in which a token has another id than a file says, or
gets one where the vocabulary has gaps.
"""
import json
import pathlib
import random
import sys
import tempfile

import transformers
from transformers import AutoTokenizer

ROOT = pathlib.Path(__file__).parents[2]
TEXTS = ["a the", " <x> b<y>c ", "<|endoftext|>he<z> the", "Ünï <Y>  re\n<s>", "the<x>the <|end|> x <w>y"]
TOKENS = ["<x>", "<y>", "<z>", "<|end|>", "<s>", "the", "<Y>", "<w>y", "<|endoftext|>"]
ROLES = ["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "image_token"]
CLASSES = [None, "GPT2Tokenizer", "GPT2TokenizerFast", "Qwen2Tokenizer", "Qwen2TokenizerFast", "GPTNeoXTokenizer", "PreTrainedTokenizerFast",
           "TokenizersBackend", "NoSuchTokenizer"]
TYPES = [None, "gpt2", "qwen2", "qwen3", "gpt_neox", "llama", "mistral", "phi3"]


def tokenizer_json(vocab, merges, over):
    made = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
            "post_processor": None, "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": vocab, "merges": merges}}
    return {**made, **over}


def flags(draw, special=True):
    return {"lstrip": draw.random() < 0.4, "rstrip": draw.random() < 0.4, "normalized": draw.random() < 0.4,
            "single_word": draw.random() < 0.3, "special": special}


def around(draw, size):
    """A post-processor that puts a known token around a text."""
    token = {"SpecialToken": {"id": "the", "type_id": 0}}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    single = draw.choice([[token, text], [text, token], [token, text, token]])
    return {"type": "TemplateProcessing", "single": single, "pair": single + [{"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"the": {"id": "the", "ids": [size], "tokens": ["the"]}}}


def folder_of(draw, vocab):
    size = len(vocab)
    files = {}
    whole = draw.random() < 0.5
    kind, model = draw.choice(CLASSES), draw.choice(TYPES)
    if not whole:  # the classes that read vocab.json
        kind = draw.choice([k for k in CLASSES if k and ("GPT" in k or "Qwen" in k)] + [None])
        model = draw.choice(["gpt2", "qwen2", "qwen3", "gpt_neox"]) if kind is None else draw.choice([None, "gpt2", "qwen3", "llama"])
    if kind is None and model is None:
        model = "gpt2"
    if whole:
        over = {"added_tokens": [{"id": size + i, "content": token, **flags(draw, draw.random() < 0.7)}
                                 for i, token in enumerate(draw.sample(TOKENS[:-1], draw.randint(0, 3))) if token not in vocab]}
        for i, token in enumerate(over["added_tokens"]):
            token["id"] = size + i
        if draw.random() < 0.3 and "the" in vocab:
            over["post_processor"] = around(draw, vocab["the"])
        if kind and ("GPT" in kind or "Qwen" in kind) or model in ("gpt2", "qwen2", "qwen3", "gpt_neox"):
            over["pre_tokenizer"], over["normalizer"] = "of class", "of class"
        files["tokenizer.json"] = over
    if model:
        files["config.json"] = {"model_type": model}
        if draw.random() < 0.2 and whole:
            files["config.json"]["tokenizer_class"] = draw.choice(["GPT2Tokenizer", "Qwen2Tokenizer"])
            files["tokenizer.json"]["pre_tokenizer"] = files["tokenizer.json"]["normalizer"] = "of class"
    config = {}
    if kind:
        config["tokenizer_class"] = kind
    if draw.random() < 0.7:
        for role in draw.sample(ROLES, draw.randint(0, 4)):
            token = draw.choice(TOKENS)
            config[role] = token if draw.random() < 0.6 else {"__type": "AddedToken", "content": token, **flags(draw)}
        if draw.random() < 0.3:
            config["additional_special_tokens"] = draw.sample(TOKENS, 2)
        if draw.random() < 0.2:
            config["extra_special_tokens"] = draw.choice([["<z>"], {"audio_token": "<y>"}])
        if draw.random() < 0.4:
            listed = draw.sample(TOKENS, draw.randint(1, 4))
            config["added_tokens_decoder"] = {str(vocab.get(token, size + 7 - i)): {"content": token, **flags(draw, draw.random() < 0.7)}
                                              for i, token in enumerate(listed)}
        for name in ["add_bos_token", "add_eos_token"]:
            if draw.random() < 0.3:
                config[name] = draw.random() < 0.6
        if draw.random() < 0.5:
            config["add_prefix_space"] = draw.choice([True, True, False, None])
        if draw.random() < 0.2:
            config["split_special_tokens"] = draw.choice([True, True, False])
    if config or draw.random() < 0.3:
        files["tokenizer_config.json"] = config
    if draw.random() < 0.5:
        files["special_tokens_map.json"] = {}
        for role in draw.sample(ROLES[:-1], draw.randint(0, 3)):
            token = draw.choice(TOKENS)
            said = {k: v for k, v in flags(draw).items() if k != "special"}
            files["special_tokens_map.json"][role] = token if draw.random() < 0.5 else {"content": token, **said}
        if draw.random() < 0.3:
            files["special_tokens_map.json"]["additional_special_tokens"] = draw.sample(TOKENS, 2)
    if draw.random() < 0.4:
        files["added_tokens.json"] = {token: vocab.get(token, size + i)
                                      for i, token in enumerate(draw.sample(TOKENS, draw.randint(1, 4)))}
    return files


def write(folder, files, vocab, merges):
    for name, json_value in files.items():
        value = json_value
        if name == "tokenizer.json":
            value = tokenizer_json(vocab, merges, of_class(json_value, files))
        (folder / name).write_text(json.dumps(value, ensure_ascii=False))
    if "tokenizer.json" not in files:
        (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False))
        (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(" ".join(m) + "\n" for m in merges))


def numbered(vocab):
    """Folders whose added tokens are not those that come next, and other places of roles."""
    size = len(vocab)
    last = next(token for token, i in vocab.items() if i == size - 1)
    gap = {**{token: i for token, i in vocab.items() if i < size - 1}, last: size + 10}

    def added(token, place, **more):
        return {"id": place, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                "special": True, **more}

    def folder(tokens, vocab=vocab, **config):
        model = {**tokenizer_json(vocab, [], {})["model"]}
        return {"tokenizer.json": {"added_tokens": tokens, "model": model},
                "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", **config}}

    return [folder([added("<x>", size + 5)]), folder([added("<x>", size + 1), added("<y>", size)]),
            folder([added("<x>", size + 5), added("<y>", size + 3, special=False)], eos_token="<z>"),
            folder([added("<x>", size + 11)], gap), folder([added("<x>", size)], gap), folder([], gap, eos_token="<x>", pad_token="<y>"),
            folder([], model_specific_special_tokens={"image_token": "<x>", "boi": {"__type": "AddedToken", **added("<y>", 0, rstrip=True)}}),
            folder([], model_specific_special_tokens={"boi": "<x>"}, image_token="<y>"),
            folder([], model_specific_special_tokens={"boi": "<x>"}, extra_special_tokens={"eoi": "<z>"})]


QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def of_class(over, files):
    """tokenizer.json decides how text is cut; transformers makes some classes anew, so the file says the same."""
    if over.get("pre_tokenizer") != "of class":
        return over
    over = {k: v for k, v in over.items() if v != "of class"}
    kind = files.get("class", "")
    if kind == "Qwen2Tokenizer":
        over["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": QWEN}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]}
    if kind in ("Qwen2Tokenizer", "GPTNeoXTokenizer"):
        over["normalizer"] = {"type": "NFC"}
    return over


def loaded(files, vocab, merges):
    with tempfile.TemporaryDirectory() as name:
        write(pathlib.Path(name), {k: v for k, v in files.items() if k != "class"} if "tokenizer.json" not in files else files, vocab, merges)
        return AutoTokenizer.from_pretrained(name)


def main():
    transformers.logging.set_verbosity_error()
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 70
    out = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else ROOT / "tests/golden/tokenizers/folders.json"
    model = ROOT / "tests/golden/vocabulary_files/gpt2"
    vocab = json.loads((model / "vocab.json").read_text())
    merges = [line.split(" ") for line in (model / "merges.txt").read_text().split("\n")[1:] if line]
    draw = random.Random(seed)
    cases, raised = [], {}
    while len(cases) < count:
        files = folder_of(draw, vocab)
        try:
            kind = type(loaded({**files, "class": ""}, vocab, merges)).__name__
            files["class"] = kind
            tokenizer = loaded(files, vocab, merges)
        except Exception as error:  # the reference refuses what it cannot read in a hundred ways
            raised[str(error)[:60]] = raised.get(str(error)[:60], 0) + 1
            continue
        special = {role: getattr(tokenizer, role + "_id") for role in ROLES[:4]}
        files["class"] = kind
        cases.append({"files": {**files, **({"tokenizer.json": of_class(files["tokenizer.json"], files)} if "tokenizer.json" in files else {})},
                      "ids": [tokenizer.encode(text) for text in TEXTS], "special": special, "size": len(tokenizer),
                      "roles": {k: str(v) for k, v in tokenizer.special_tokens_map.items()}})
        cases[-1]["files"].pop("class")
    more = [{"files": files, "ids": [loaded(files, vocab, merges).encode(text) for text in TEXTS]} for files in numbered(vocab)]
    out.write_text(json.dumps({"texts": TEXTS, "cases": cases, "numbered": more}, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(len(cases), "folders;", raised)


if __name__ == "__main__":
    main()
