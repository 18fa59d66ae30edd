"""What transformers' processors of generation_config.json make of logits: tests/golden/logits_processors.json.

Run: /path/to/oracle/bin/python tools/goldens/logits_processors.py > tests/golden/logits_processors.json

Each case goes through the processors that GenerationMixin makes of the settings, in its order.
"""

import json
import sys

import torch
import transformers
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
)

CASES = [
    dict(settings=dict(repetition_penalty=1.3), prompt=[3, 5, 3, 11], completion=[]),
    dict(settings=dict(repetition_penalty=1.3), prompt=[3, 5], completion=[7, 5, 0]),
    dict(settings=dict(repetition_penalty=0.7), prompt=[1, 2], completion=[2]),
    dict(settings=dict(suppress_tokens=[0, 4, 900]), prompt=[1], completion=[4]),
    dict(settings=dict(begin_suppress_tokens=[2, 6]), prompt=[1], completion=[]),
    dict(settings=dict(begin_suppress_tokens=[2, 6]), prompt=[1], completion=[3]),
    dict(settings=dict(repetition_penalty=2.0, suppress_tokens=[3], begin_suppress_tokens=[5]),
         prompt=[3, 5, 8], completion=[]),
]


def processors(prompt, repetition_penalty=1.0, suppress_tokens=None, begin_suppress_tokens=None):
    """In the order of GenerationMixin._get_logits_processor."""
    chain = LogitsProcessorList()
    if repetition_penalty != 1.0:
        chain.append(RepetitionPenaltyLogitsProcessor(penalty=repetition_penalty))
    if suppress_tokens is not None:
        chain.append(SuppressTokensLogitsProcessor(suppress_tokens))
    if begin_suppress_tokens is not None:
        chain.append(SuppressTokensAtBeginLogitsProcessor(begin_suppress_tokens, len(prompt)))
    return chain


def main():
    generator = torch.Generator().manual_seed(0)
    logits = (torch.randn(12, generator=generator) * 3).round(decimals=3)
    for case in CASES:
        ids = torch.tensor([case["prompt"] + case["completion"]])
        scores = processors(case["prompt"], **case["settings"])(ids, logits[None].clone())[0]
        # null: the token is never drawn
        case["processed"] = [x if x > -1e30 else None for x in scores.tolist()]
    made_by = f"tools/goldens/logits_processors.py, transformers {transformers.__version__}, torch {torch.__version__}"
    json.dump(dict(made_by=made_by, logits=logits.tolist(), cases=CASES), sys.stdout, indent=1)
    print()


main()
