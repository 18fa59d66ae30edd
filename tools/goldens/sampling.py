"""Which tokens transformers' logits warpers keep: tests/golden/sampling.json.

Run: /path/to/oracle/bin/python tools/goldens/sampling.py > tests/golden/sampling.json
"""

import json
import sys

import torch
import transformers
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

SETTINGS = [
    dict(top_k=1),
    dict(top_k=5),
    dict(top_k=2000),
    dict(top_p=0.0),
    dict(top_p=0.3),
    dict(top_p=0.9),
    dict(top_p=0.999),
    dict(min_p=0.01),
    dict(min_p=0.3),
    dict(min_p=1.0),
    dict(top_k=20, top_p=0.7),
    dict(top_p=0.9, min_p=0.05),
    dict(top_k=12, top_p=0.95, min_p=0.1),
    dict(temperature=0.5, top_p=0.9),
    dict(temperature=3.0, top_k=30, top_p=0.8),
    dict(temperature=0.25, min_p=0.02),
]


def warpers(temperature=1.0, top_k=0, top_p=1.0, min_p=None):
    """In the order of GenerationMixin._get_logits_processor."""
    chain = LogitsProcessorList()
    if temperature != 1.0:
        chain.append(TemperatureLogitsWarper(temperature))
    if top_k:
        chain.append(TopKLogitsWarper(top_k))
    if top_p < 1.0:
        chain.append(TopPLogitsWarper(top_p))
    if min_p is not None:
        chain.append(MinPLogitsWarper(min_p))
    return chain


def rows():
    generator = torch.Generator().manual_seed(0)
    yield "skewed", (torch.randn(60, generator=generator) * 3)
    yield "flat", (torch.randn(60, generator=generator) * 0.1)
    # Small integers: many equal logits, so that thresholds fall among ties.
    yield "ties", torch.randint(0, 4, (60,), generator=generator).float()
    yield "equal", torch.zeros(16)
    yield "one", torch.tensor([0.5])
    # Longer than one block of the sampler, not a multiple of it.
    yield "long", (torch.randn(1100, generator=generator) * 4).round(decimals=2)


def main():
    cases = []
    for name, logits in rows():
        # Decimal text of a float32 reads back to the same float32.
        logits = torch.tensor([float(f"{x:.4f}") for x in logits.tolist()])
        kept = []
        for settings in SETTINGS:
            scores = warpers(**settings)(None, logits[None].clone())[0]
            kept.append(torch.isfinite(scores).nonzero().flatten().tolist())
        cases.append(
            dict(name=name, logits=[round(x, 4) for x in logits.tolist()], kept=kept)
        )
    made_by = f"tools/goldens/sampling.py, transformers {transformers.__version__}, torch {torch.__version__}"
    json.dump(dict(made_by=made_by, settings=SETTINGS, cases=cases), sys.stdout, separators=(",", ":"))
    print()


main()
