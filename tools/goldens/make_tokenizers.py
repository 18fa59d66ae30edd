"""Makes tests/golden/tokenizers: small tokenizers of every shape, and what the reference library
(`tokenizers`, and `transformers` where files around tokenizer.json matter) makes of a nasty list of
texts.

    python tools/goldens/make_tokenizers.py [folder that holds data/]

Writes <name>/tokenizer.json and expected.json: {"versions", "texts", "cases": {name: {"ids",
"ids_special", "decoded", "decoded_skip"}}} (a decode is null where
the text itself comes back), and with the folder shared.json: what
transformers' AutoTokenizer gives for the real folders in it. The oracle for ids and decodes is the library, read back
from the file just written.
"""
import json
import os
import random
import sys
import tempfile

import tokenizers
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers,
                        processors, trainers)

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "tests", "golden", "tokenizers")

CORPUS = [
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park.",
    "Tom has 12 apples. He gives 5 to Ann. How many are left? 12 - 5 = 7. #### 7",
    "def add(a, b):\n    return a + b\n\nfor i in range(10):\n\tprint(add(i, 2))\n",
    "It's what they've said, I'm sure we'll see; he'd know. Don't they're here.",
    "das Mädchen über die Straße, façade, naïve, coöperate, Ελλάδα, Привет, 你好世界, こんにちは",
] * 4

TEXTS = [
    "", " ", "  ", "\t", "\n", "\n\n", "a", " a", "a ", "  leading", "trailing  ", "two  spaces",
    "Once upon a time, there was a girl.", "Hello, World! It's 2024; they've 3.14159 and 10000000.",
    "I'M SHOUTING, DON'T YOU'LL SEE", "def f(x):\n    return x ** 2\n\n\n\tif x:\r\n        pass",
    "你好,世界!我喜欢学习。", "日本語のテキストとカタカナ", "한국어 텍스트", "مرحبا بالعالم ١٢٣",
    "नमस्ते दुनिया १२३ क्षत्रिय", "தமிழ் உரை", "สวัสดีชาวโลก", "👍 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 e\u0301 é",
    "\u0000\u0001\u001f\u007f\u0085\u200b\u200d\ufeff", "a\u00a0b\u2003c\u3000d\u180ee\u202ff",
    " " * 40 + "x" + " " * 33, "<s>", "<s>Hello</s>", "x<|end|> y <|end|>", " <|strip|>  z", "a<|word|>b",
    "a <|word|> b", "caps MiXeD İSTANBUL ẞ", "½ ² Ⅷ ①②③ 123456789", "http://x.y/?a=b&c=d#e_f",
    "▁ already ▁▁marked", "Ġ byte Ċ", "<0x41> <0xE2>", "ﬁ ﬂ Å Å Ⅳ", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈", "_under_score_ __init__",
    "new<|norm|>ized <|norm|> token", "a\r\nb\rc", "''''s 's 'S 't'll'", "ſtreet 'ſ it'ſ", "1a2b3c 4,5.6",
    "x" * 300, "ab" * 150 + " the the the",
]
# Long text is cut where no token can cross; unknown characters that fuse and bytes must not notice.
TEXTS += ["".join(TEXTS), "你好👍a" * 20 + "  q▁▁q好 好" * 12]


def special(*names):
    return [AddedToken(n, special=True, normalized=False) for n in names]


def byte_level(split, vocab_size=300, prefix=False):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = split
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|end|>"], show_progress=False))
    return t


def spm(normalizer=None, pre=None, decoder=None, byte_fallback=True, **kwargs):
    """SentencePiece-like: words are trained with marks, then the model is rebuilt with byte tokens."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    alphabet = sorted(set("▁" + "".join(CORPUS)) - set(" \n\t"))
    keep = [c for c in alphabet if ord(c) < 0x400 or c == "▁"]
    trained.train_from_iterator(["".join(c for c in s if c in keep or c in " ") for s in CORPUS],
                                trainers.BpeTrainer(vocab_size=len(keep) + 120, show_progress=False))
    model = json.loads(trained.to_str())["model"]
    tokens = ["<unk>", "<s>", "</s>"] + ([f"<0x{b:02X}>" for b in range(256)] if byte_fallback else [])
    tokens += [t for t, _ in sorted(model["vocab"].items(), key=lambda kv: kv[1])]
    vocab = {t: i for i, t in enumerate(tokens)}
    t = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(m) for m in model["merges"]], unk_token="<unk>",
                             fuse_unk=True, byte_fallback=byte_fallback, **kwargs))
    if normalizer:
        t.normalizer = normalizer
    if pre:
        t.pre_tokenizer = pre
    t.decoder = decoder
    t.add_special_tokens(special("<unk>", "<s>", "</s>"))
    return t


def llama_decoder():
    return decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                              decoders.Strip(" ", 1, 0)])


def gpt2():
    t = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    return t


def gpt2_prefix():
    return byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True))


def llama3():
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
               r"|\s*[\r\n]+|\s+(?!\S)|\s+")
    t = byte_level(pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]))
    data = json.loads(t.to_str())
    data["model"]["ignore_merges"] = True
    data["model"]["vocab"]["Ġgirl"] = t.get_vocab_size()  # no merge makes it: only ignore_merges finds it
    t = Tokenizer.from_str(json.dumps(data))
    t.add_special_tokens(special("<s>", "</s>"))
    t.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B",
                                      special_tokens=[("<s>", t.token_to_id("<s>"))])])
    return t


def digits():
    t = byte_level(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                            pre_tokenizers.ByteLevel(add_prefix_space=False)]))
    t.normalizer = normalizers.NFC()
    t.add_tokens([AddedToken("<|strip|>", lstrip=True, rstrip=True, normalized=False),
                  AddedToken("<|word|>", single_word=True, normalized=False),
                  AddedToken("<|norm|>", normalized=True)])
    return t


def llama2():
    t = spm(normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
            decoder=llama_decoder())
    t.add_tokens([AddedToken("<|norm|>", normalized=True), AddedToken("<|strip|>", rstrip=True, normalized=False)])
    t.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A <s> $B", special_tokens=[("<s>", 1), ("</s>", 2)])
    return t


def metaspace(scheme, split=True, **kwargs):
    return spm(pre=pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split),
               decoder=decoders.Metaspace(prepend_scheme=scheme), **kwargs)


def splits(behavior, invert):
    t = spm(normalizers.Sequence([normalizers.NFKD(), normalizers.Lowercase(), normalizers.Strip(),
                                  normalizers.Replace(Regex(r"[0-9]+"), "9")]),
            pre=pre_tokenizers.Split(Regex(r"\s+|\w+(?=[.,])|-"), behavior, invert=invert),
            decoder=decoders.Fuse(), byte_fallback=False)
    return t


def words():
    vocab = {w: i for i, w in enumerate(["<unk>", "Hello", ",", "World", "!", "the", "a", "It", "'", "s"])}
    t = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    return t


def suffixes():
    """continuing_subword_prefix and end_of_word_suffix, no unknown token."""
    t = Tokenizer(models.BPE(continuing_subword_prefix="##", end_of_word_suffix="</w>"))
    t.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    t.train_from_iterator(CORPUS[1:2], trainers.BpeTrainer(
        vocab_size=120, continuing_subword_prefix="##", end_of_word_suffix="</w>", show_progress=False))
    return t


PATTERNS = {
    "qwen": [r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
             r"|\s*[\r\n]+|\s+(?!\S)|\s+"],
    "o200k": [r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m"
              r"|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re"
              r"|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"],
    "deepseek": [r"\p{N}{1,3}", r"[一-龥\u3040-ゟ゠-ヿ]+".replace(r"\u3040", "\u3040"),
                 r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
                 r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"],
}


def pattern(name):
    splits = [pre_tokenizers.Split(Regex(p), "isolated") for p in PATTERNS[name]]
    return byte_level(pre_tokenizers.Sequence(
        splits + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]))


def byte_level_normalizer():
    """The bytes are written as characters before anything else looks at the text."""
    t = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))
    data = json.loads(t.to_str())
    data["normalizer"], data["pre_tokenizer"] = {"type": "ByteLevel"}, None
    t = Tokenizer.from_str(json.dumps(data))
    t.post_processor = processors.RobertaProcessing(("b", t.token_to_id("b")), ("a", t.token_to_id("a")))
    return t


def charsmap():
    """sentencepiece's compiled rules: single characters, clusters, a rule that begins another."""
    import sentencepiece
    rules = [("ﬁ", "fi"), ("½", "1/2"), ("Ⅷ", "VIII"), ("e\u0301", "é"), ("\u3000", " "), ("\t", " "), ("\n", " "),
             ("\u00a0", " "), ("\u200b", ""), ("\u212b", "\u00c5"), ("ａ", "a"), ("①", "1"), ("①②", "12"), ("𝔘", "U"),
             ("द\u093c", "ड"), ("👍", "+1"), ("\u001f", ""), ("İ", "i\u0307")]
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "rules.tsv"), "w") as f:
            for source, target in rules:
                f.write("\t".join(" ".join(f"{ord(c):X}" for c in x) for x in (source, target)) + "\n")
        with open(os.path.join(folder, "text"), "w") as f:
            f.write("\n".join(CORPUS[:3] * 3))
        sentencepiece.SentencePieceTrainer.train(
            input=os.path.join(folder, "text"), model_prefix=os.path.join(folder, "m"), vocab_size=80,
            hard_vocab_limit=False, normalization_rule_tsv=os.path.join(folder, "rules.tsv"), minloglevel=2)
        from sentencepiece import sentencepiece_model_pb2 as pb
        model = pb.ModelProto()
        model.ParseFromString(open(os.path.join(folder, "m.model"), "rb").read())
        return model.normalizer_spec.precompiled_charsmap


def unigram(normalizer=None, pre=None, byte_fallback=False, vocab_size=200):
    trained = Tokenizer(models.Unigram())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(CORPUS, trainers.UnigramTrainer(
        vocab_size=vocab_size, unk_token="<unk>", special_tokens=["<unk>", "<s>", "</s>"], show_progress=False))
    model = json.loads(trained.to_str())["model"]
    vocab = [(t, round(s, 4)) for t, s in model["vocab"]]
    vocab.sort(key=lambda v: (v[1] != 0, -v[1], v[0]))  # the trainer's order of equals is not its own
    vocab = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0)] + [v for v in vocab if v[0] not in ("<unk>", "<s>", "</s>")]
    if byte_fallback:
        vocab += [(f"<0x{b:02X}>", 0.0) for b in range(256)]
    t = Tokenizer(models.Unigram(vocab, unk_id=0, byte_fallback=byte_fallback))
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer = pre
    t.decoder = (decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()]) if byte_fallback
                 else decoders.Metaspace())
    t.add_special_tokens(special("<unk>", "<s>", "</s>"))
    return t


def unigram_precompiled():
    """As XLM-RoBERTa and T5 have it."""
    t = unigram(normalizers.Sequence([normalizers.Precompiled(charsmap()), normalizers.Replace(Regex(" {2,}"), " ")]),
                pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]))
    t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    return t


def word_piece(normalizer, pre, lower=True, cleanup=True):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=60))
    t.normalizer, t.pre_tokenizer = normalizer, pre
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(
        vocab_size=260, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"], show_progress=False))
    t.decoder = decoders.WordPiece(cleanup=cleanup)
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return t


def bert():
    return word_piece(normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer())


def bert_cased():
    return word_piece(normalizers.BertNormalizer(lowercase=False, handle_chinese_chars=False),
                      pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("contiguous")]),
                      cleanup=False)


def accents():
    """Nmt and StripAccents, words cut at a character, the decoder of words that end with </w>."""
    t = suffixes()
    t.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFD(), normalizers.StripAccents()])
    t.pre_tokenizer = pre_tokenizers.CharDelimiterSplit(" ")
    t.decoder = decoders.BPEDecoder()
    return t


def fixed_length():
    t = spm(pre=pre_tokenizers.Sequence([pre_tokenizers.Punctuation("merged_with_previous"),
                                         pre_tokenizers.FixedLength(3)]), decoder=decoders.CTC("<s>", "▁"))
    return t


SHAPES = {
    "gpt2": gpt2, "gpt2_prefix": gpt2_prefix, "llama3": llama3, "digits": digits, "llama2": llama2,
    "metaspace_first": lambda: metaspace("first"), "metaspace_always": lambda: metaspace("always"),
    "metaspace_never": lambda: metaspace("never", byte_fallback=False),
    "metaspace_whole": lambda: metaspace("first", split=False),
    "split_removed": lambda: splits("removed", False),
    "split_removed_invert": lambda: splits("removed", True),
    "split_isolated": lambda: splits("isolated", False),
    "split_previous": lambda: splits("merged_with_previous", False),
    "split_next": lambda: splits("merged_with_next", False),
    "split_contiguous": lambda: splits("contiguous", True),
    "words": words, "suffixes": suffixes,
    "qwen": lambda: pattern("qwen"), "o200k": lambda: pattern("o200k"), "deepseek": lambda: pattern("deepseek"),
    "byte_level_normalizer": byte_level_normalizer,
    "unigram": lambda: unigram(pre=pre_tokenizers.Metaspace()),
    "unigram_bytes": lambda: unigram(pre=pre_tokenizers.Metaspace(), byte_fallback=True),
    "unigram_whole": lambda: unigram(normalizers.Replace(" ", "▁")),
    "unigram_precompiled": unigram_precompiled,
    "bert": bert, "bert_cased": bert_cased, "accents": accents, "fixed_length": fixed_length,
}


def real_folders(data):
    """A folder's tokenizer.json decides; transformers 5 rebuilds some classes (LlamaTokenizer) from
    the vocabulary alone, so every folder is loaded as PreTrainedTokenizerFast."""
    import transformers
    cases = {}
    for name in ["stories260K/hf", "tokenizers/torchtitan", "tokenizers/gpt2"]:
        t = transformers.PreTrainedTokenizerFast.from_pretrained(os.path.join(data, name))
        if name == "tokenizers/gpt2":  # no tokenizer_config.json; config.json has the ids
            t.bos_token = t.eos_token = "<|endoftext|>"
        ids = [t(x)["input_ids"] for x in TEXTS]
        cases[name] = {
            "ids": ids,
            "decoded_skip": unless_same([t.decode(i, skip_special_tokens=True) for i in ids], TEXTS),
            "bos": t.bos_token_id, "eos": t.eos_token_id, "pad": t.pad_token_id,
            "size": max(t.get_vocab().values()) + 1}
    versions = {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}
    return {"versions": versions, "cases": cases}


def write(name, value):
    with open(os.path.join(OUT, name), "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=True, separators=(",", ":"))
        f.write("\n")


def unless_same(values, texts):
    """null where the text itself comes back."""
    return [None if v == x else v for v, x in zip(values, texts)]


def main():
    expected = {"versions": {"tokenizers": tokenizers.__version__}, "texts": TEXTS, "cases": {}}
    for name, make in SHAPES.items():
        os.makedirs(os.path.join(OUT, name), exist_ok=True)
        path = os.path.join(OUT, name, "tokenizer.json")
        text = make().to_str()
        if name == "gpt2":  # the older spelling of merges, and of a file without a model type
            data = json.loads(text)
            data["model"]["merges"] = [" ".join(m) for m in data["model"]["merges"]]
            del data["model"]["type"]
            text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        t = Tokenizer.from_file(path)
        ids = [t.encode(x, add_special_tokens=False).ids for x in TEXTS]
        ids_special = [t.encode(x).ids for x in TEXTS]
        decoded = [t.decode(i, skip_special_tokens=False) for i in ids_special]
        skipped = [t.decode(i, skip_special_tokens=True) for i in ids_special]
        draw = random.Random(7)  # ids in an order that no text has: broken UTF-8, marks in the middle
        shuffled = [[draw.randrange(t.get_vocab_size() + 2) for _ in range(12)] for _ in range(20)]
        expected["cases"][name] = {
            "size": max(t.get_vocab().values()) + 1, "ids": ids,
            "around": [t.encode("a").ids, t.encode("a", add_special_tokens=False).ids],
            "decoded": unless_same(decoded, TEXTS), "decoded_skip": unless_same(skipped, TEXTS),
            "shuffled": shuffled,
            "shuffled_decoded": [t.decode(i, skip_special_tokens=False) for i in shuffled],
        }
    write("expected.json", expected)
    if len(sys.argv) > 1:
        write("shared.json", real_folders(os.path.join(sys.argv[1], "data")))


if __name__ == "__main__":
    main()
