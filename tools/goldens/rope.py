"""Makes tests/golden/rope.json: frequencies and attention factors of every kind of rotary scaling, as
transformers computes them from a configuration in either spelling.

    python tools/goldens/rope.py        (versions: tests/golden/requirements.txt)
"""
import json
import os

from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden")
THETA = dict(rope_theta=50000.0)
YARN = dict(rope_type="yarn", factor=8.0, original_max_position_embeddings=512, **THETA)
CASES = [
    dict(rope_type="linear", factor=3.0, **THETA),
    dict(rope_type="dynamic", factor=3.0, **THETA),
    dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
         original_max_position_embeddings=256, **THETA),
    YARN,
    YARN | dict(truncate=False, beta_fast=20.0, beta_slow=2.0),
    YARN | dict(attention_factor=1.25),
    YARN | dict(mscale=0.707, mscale_all_dim=1.0),
    YARN | dict(partial_rotary_factor=0.5),
    dict(rope_type="longrope", original_max_position_embeddings=1024,
         short_factor=[1 + i / 8 for i in range(16)], long_factor=[2.0] * 16, **THETA),
    dict(rope_type="proportional", partial_rotary_factor=0.25, factor=2.0, **THETA),
]


def main():
    cases = []
    for parameters in CASES:
        config = LlamaConfig(hidden_size=128, num_attention_heads=4, head_dim=32,
                             max_position_embeddings=4096, rope_parameters=dict(parameters))
        frequencies, factor = ROPE_INIT_FUNCTIONS[parameters["rope_type"]](config, "cpu")
        cases.append(dict(config=dict(max_position_embeddings=4096, rope_parameters=parameters),
                          frequencies=[float(f) for f in frequencies], attention_factor=factor))
    # The older spelling of three of them.
    for case in [cases[0], cases[2], cases[4]]:
        scaling = dict(case["config"]["rope_parameters"])
        theta = scaling.pop("rope_theta")
        scaling["type"] = scaling.pop("rope_type")
        cases.append(case | dict(config=dict(max_position_embeddings=4096, rope_theta=theta,
                                             rope_scaling=scaling)))
    with open(os.path.join(OUT, "rope.json"), "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
