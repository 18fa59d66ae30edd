"""llama.cpp's side of bench/decode.py, with decode_bench's protocol; xllamacpp has its server inside.

usage: PYTHON bench/decode_llama_cpp.py FILE.gguf THREADS SLOTS CONTEXT
"""

import json
import sys
import threading
import time

import xllamacpp


def server_of(path, threads, slots, context):
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_parallel = slots
    params.n_ctx = slots * context
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.verbosity = 0
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32  # as ours
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    return xllamacpp.Server(params)


def complete(server, order):
    """Token counts of the completions; requests come together, so that the server batches them."""
    counts = [0] * len(order["prompts"])

    def ask(i):
        reply = server.handle_completions(
            {"prompt": order["prompts"][i], "n_predict": order["new_tokens"], "ignore_eos": True,
             "temperature": order["temperature"], "seed": order["seed"], "cache_prompt": False,
             "samplers": ["temperature"] if order["temperature"] else ["top_k"], "top_k": 1})
        counts[i] = reply["usage"]["completion_tokens"]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(counts))]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"seconds": time.perf_counter() - start, "counts": counts}


def main():
    path, threads, slots, context = sys.argv[1], *map(int, sys.argv[2:])
    server = server_of(path, threads, slots, context)
    for line in sys.stdin:
        print(json.dumps(complete(server, json.loads(line))), flush=True)


main()
