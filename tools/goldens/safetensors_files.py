"""Makes tests/golden/save_file.safetensors: what the Python safetensors library writes for a tensor
of every number format that both it and Alambic know, and for awkward names.

    python tools/goldens/safetensors_files.py        (versions: tests/golden/requirements.txt)
"""
import os

import torch
from safetensors.torch import save_file

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden")
DTYPES = (torch.bool, torch.uint8, torch.int8, torch.float8_e5m2, torch.float8_e4m3fn,
          torch.float8_e8m0fnu, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz, torch.int16,
          torch.uint16, torch.float16, torch.bfloat16, torch.int32, torch.uint32, torch.float32,
          torch.complex64, torch.float64, torch.int64, torch.uint64)


def main():
    tensors = {str(dtype): torch.arange(3).to(dtype) for dtype in DTYPES}
    tensors |= {
        "b": torch.arange(6, dtype=torch.float32).reshape(2, 3),
        "B": torch.arange(2, dtype=torch.bfloat16),
        "scalar": torch.tensor(1.5),
        "empty": torch.zeros(0, 3),
        "quote\" back\\ slash/ tab\t unit\x1f delete\x7f é 語 😀": torch.zeros(1),
    }
    save_file(tensors, os.path.join(OUT, "save_file.safetensors"), metadata={"format": "pt"})


if __name__ == "__main__":
    main()
