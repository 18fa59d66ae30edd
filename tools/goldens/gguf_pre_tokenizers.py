"""Makes tests/golden/gguf/pre_tokenizers.json: what llama.cpp makes of texts by tokenizer.ggml.pre.

usage: PYTHON tools/goldens/gguf_pre_tokenizers.py     PYTHON with xllamacpp 2026.10.11549, gguf 0.19, numpy

The vocabulary's merges are learnt without cutting, so that they cross the words: a cut in another place
gives other tokens. Left out of the texts is what llama.cpp's expressions approximate: marks, U+3000.
"""
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from gguf import GGUFWriter

OUT = pathlib.Path(__file__).parents[2] / "tests/golden/gguf/pre_tokenizers.json"
NAMES = ["trillion", "midm-2.0", "kormo", "solar-open", "minimax-m2", "joyai-llm", "deepseek-llm",
         "deepseek-coder", "kimi-k2", "falcon", "poro-chat", "viking", "seed-coder"]
TEXTS = ["Hello world! I've 12345 apples, don't you?\n\n  def f(x):\n\treturn x*2  # comment...",
         "Ünïcödé — “quotes” … 中文字符测试 日本語テスト 한국어 шрифт ελληνικά",
         "A1b22C333D4444 x=1+2<3>4$5^6~7|8`9` $100 e.g. U.S.A.",
         "  leading spaces\r\n\r\nCRLF lines\r\n trailing   \n\n\n",
         "I'M YOU'LL we'Re it's HTTPServer camelCase snake_case WORD'S don'T",
         "12 345 6789 01234567 1,234,567.89 3.14159\t\t  ，。！？ ½ ²",
         "http://a.b/c?d=e&f=g#h //// ---- ====\n///\r\n x", "  \n \n\n x \n", "中文English混排123数字",
         "end with spaces   "]
SERVE = """
import json, sys, urllib.request, xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx, params.n_parallel, params.warmup, params.verbosity = 512, 1, False, 0
params.cpuparams.n_threads = 1
server = xllamacpp.Server(params)
found = []
for text in json.loads(sys.argv[2]):
    body = json.dumps({"content": text, "add_special": False, "parse_special": False}).encode()
    request = urllib.request.Request(server.listening_address + "/tokenize", body,
                                     {"Content-Type": "application/json"})
    found.append(json.load(urllib.request.urlopen(request))["tokens"])
print("FOUND" + json.dumps(found))
"""


def alphabet():
    """GPT-2's characters for the bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(others)}


def learn(count=300):
    letters = alphabet()
    words = [[letters[b] for b in text.encode()] for text in TEXTS]
    vocabulary, merges = list(letters.values()), []
    for _ in range(count):
        pairs = collections.Counter(p for word in words for p in zip(word, word[1:])
                                    if len(p[0] + p[1]) <= 6)
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(" ".join(best))
        if "".join(best) not in vocabulary:
            vocabulary.append("".join(best))
        for word in words:
            i = 0
            while i + 1 < len(word):
                if (word[i], word[i + 1]) == best:
                    word[i:i + 2] = ["".join(best)]
                i += 1
    return vocabulary, merges


def write(path, name, vocabulary, merges, width=32):
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(width)
    writer.add_head_count(4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(name)
    writer.add_token_list(vocabulary)
    writer.add_token_types([1] * len(vocabulary))
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_tensor("token_embd.weight", np.zeros((len(vocabulary), width), np.float32))
    for norm in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(norm + ".weight", np.ones(width, np.float32))
    for matrix in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{matrix}.weight", np.zeros((width, width), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    vocabulary, merges = learn()
    expected = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            write(folder + "/m.gguf", name, vocabulary, merges)
            out = subprocess.run([sys.executable, "-c", SERVE, folder + "/m.gguf", json.dumps(TEXTS)],
                                 check=True, capture_output=True, text=True).stdout
            expected[name] = json.loads(out[out.index("FOUND") + 5:])
    OUT.write_text(json.dumps({"tokens": vocabulary, "merges": merges, "texts": TEXTS,
                               "expected": expected}, ensure_ascii=False, separators=(",", ":")) + "\n")


main()
