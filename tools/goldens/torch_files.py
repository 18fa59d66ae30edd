"""Makes tests/golden/torch: files of torch.save, and the tensors in them as safetensors.

    python tools/goldens/torch_files.py        (versions: tests/golden/requirements.txt)

state_dict.bin + expected.safetensors   what a module's state_dict() and plain tensors look like: every
                                        dtype, parameters, attributes (_metadata), views of one
                                        storage, transposed and sliced views, empty and 0-d tensors
expanded.bin, module.bin, legacy.bin    what is refused
sharded/                                two shards with an index, as transformers wrote them
"""
import json
import os

import torch
from safetensors.torch import save_file

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "torch")
DTYPES = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16,
          torch.uint32, torch.uint64, torch.float16, torch.bfloat16, torch.float32, torch.float64,
          torch.complex64, torch.float8_e5m2, torch.float8_e4m3fn, torch.float8_e5m2fnuz,
          torch.float8_e4m3fnuz)


def path(name):
    return os.path.join(OUT, name)


def state_dict():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    tensors = module.state_dict()  # an OrderedDict with the attribute _metadata
    for dtype in DTYPES:
        tensors[str(dtype)] = torch.arange(3).to(dtype)
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    tensors |= {
        "shared.whole": base,
        "shared.row": base[1],
        "shared.transposed": base.permute(2, 0, 1),
        "shared.every_other": base[:, ::2, 1:3],
        "shared.column": base[:, :1, :1],
        "half.transposed": torch.arange(6, dtype=torch.float16).reshape(2, 3).t(),
        "parameter": torch.nn.Parameter(torch.tensor([1.5, -2.5])),
        "scalar": torch.tensor(1.5),
        "empty": torch.zeros(0, 3),
        "é 語 😀": torch.zeros(1),
    }
    return tensors


def main():
    os.makedirs(path("sharded"), exist_ok=True)
    tensors = state_dict()
    torch.save(tensors, path("state_dict.bin"))
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()},
              path("expected.safetensors"))
    torch.save({"wide": torch.ones(1).expand(1000, 1000)}, path("expanded.bin"))
    torch.save(torch.nn.Linear(1, 1), path("module.bin"))
    torch.save({"a": torch.ones(1)}, path("legacy.bin"), _use_new_zipfile_serialization=False)

    shards = {"pytorch_model-00001-of-00002.bin": {"a": torch.tensor([1., 2., 3., 4.])},
              "pytorch_model-00002-of-00002.bin": {"b": torch.tensor([5., 6.]),
                                                   "c": torch.tensor([7.])}}
    for name, shard in shards.items():
        torch.save(shard, path(os.path.join("sharded", name)))
    index = {"metadata": {"total_size": 28},
             "weight_map": {tensor: name for name, shard in shards.items() for tensor in shard}}
    for name, content in (("config.json", {"model_type": "llama"}),
                          ("pytorch_model.bin.index.json", index)):
        with open(path(os.path.join("sharded", name)), "w", encoding="utf8") as file:
            json.dump(content, file, indent=2)
            file.write("\n")


if __name__ == "__main__":
    main()
