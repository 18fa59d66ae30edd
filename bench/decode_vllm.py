"""vLLM's side of bench/decode.py, with decode_bench's protocol.

usage: PYTHON bench/decode_vllm.py MODEL DTYPE SLOTS CONTEXT
"""

import json
import os
import sys
import time

os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
# What its parts print is no reply.
replies = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import vllm  # noqa: E402


def completed(model, order):
    sampling = vllm.SamplingParams(temperature=order["temperature"], max_tokens=order["new_tokens"],
                                   ignore_eos=True, detokenize=False)
    prompts = [{"prompt_token_ids": prompt} for prompt in order["prompts"]]
    start = time.perf_counter()
    done = model.generate(prompts, sampling, use_tqdm=False)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "tokens": [list(answer.outputs[0].token_ids) for answer in done]}


def main():
    path, dtype, slots, context = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    # Half of a device: the other side has its model there. Prompts come again, and are to be read again.
    model = vllm.LLM(model=path, dtype=dtype, skip_tokenizer_init=True, max_num_seqs=slots,
                     max_model_len=context, gpu_memory_utilization=0.5, enable_prefix_caching=False)
    for line in sys.stdin:
        print(json.dumps(completed(model, json.loads(line))), file=replies, flush=True)


main()
