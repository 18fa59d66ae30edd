"""Checks that llama.cpp reads the GGUF files that Alambic writes of the golden models, and that it
and Alambic, with the folder (whose logits are those of transformers) and with the file, find the
same greedy continuation.

usage: check_llama_cpp.py ALAMBIC [NAME ...]     needs llama-cpp-python (0.3.36), numpy and safetensors
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import llama_cpp as lc
import numpy as np
from safetensors.numpy import load_file

ROOT = pathlib.Path(__file__).parents[2] / "tests/golden"
# Those whose small random models llama.cpp can express (tests/io/gguf/model_test.cpp says why not
# the others); it has no window for mistral.
NAMES = ["llama", "llama3", "llama_tied", "llama_yarn", "mixtral", "qwen3", "olmo2", "gpt2", "gpt_neox"]
STEPS = 6


def run(*words):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")


def logits_of_llama_cpp(model, tokens):
    settings = lc.llama_context_default_params()
    settings.n_ctx = 64
    settings.type_k = settings.type_v = lc.GGML_TYPE_F32
    settings.flash_attn_type = 0  # off: it computes in half precision
    settings.n_threads = settings.n_threads_batch = 1
    context = lc.llama_init_from_model(model, settings)
    array = (lc.llama_token * len(tokens))(*tokens)  # the batch only points to it
    batch = lc.llama_batch_get_one(array, len(tokens))
    if lc.llama_decode(context, batch) != 0:
        raise SystemExit("llama_decode failed")
    size = lc.llama_vocab_n_tokens(lc.llama_model_get_vocab(model))
    logits = np.ctypeslib.as_array(lc.llama_get_logits_ith(context, -1), (size,)).copy()
    lc.llama_free(context)
    return logits


def check(alambic, name, folder):
    file = folder / f"{name}.gguf"
    run(alambic, "convert", "--model", ROOT / name, "--out", file, "--type", "f32")
    model = lc.llama_model_load_from_file(str(file).encode(), lc.llama_model_default_params())
    if not model:
        return f"{name}: llama.cpp does not load it"
    tokens, worst, same = [5, 9, 33, 2, 17], 0.0, True
    for _ in range(STEPS):
        theirs = logits_of_llama_cpp(model, tokens)
        (folder / "t.json").write_text(json.dumps([tokens]))
        answers = []
        for place in (ROOT / name, file):
            run(alambic, "logits", "--model", place, "--tokens", folder / "t.json", "--out",
                folder / "l.safetensors", "--overwrite", "--device", "cpu", "--dtype", "float32")
            answers.append(load_file(folder / "l.safetensors")["logits.0"][-1])
        worst = max(worst, *(float(np.abs(theirs - ours).max()) for ours in answers))
        same &= all(int(ours.argmax()) == int(theirs.argmax()) for ours in answers)
        tokens.append(int(theirs.argmax()))
    lc.llama_model_free(model)
    return f"{name}: greedy {'equal' if same else 'DIFFERS'}, largest difference of logits {worst:.1e}"


def main():
    lc.llama_log_set(QUIET, None)
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[2:] or NAMES:
            print(check(sys.argv[1], name, pathlib.Path(folder)), flush=True)


QUIET = lc.llama_log_callback(lambda level, text, data: None)
main()
