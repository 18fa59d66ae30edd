"""Makes tests/golden/gguf/: a GGUF file that gguf-py wrote, with a tensor of every format that
Alambic reads and a metadata entry of every type, and what `gguf.quants` decodes the tensors to.

    python tools/goldens/gguf_files.py        (versions: tests/golden/requirements.txt)

Blocks are random bytes, so that every bit counts; only their half-precision scales are drawn, lest
they be infinite.
"""
import os

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFValueType as Value
from gguf import GGUFWriter
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize
from safetensors.numpy import save_file

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "gguf")
# Where the half-precision scales of a block stand.
SCALES = {Type.Q4_0: (0,), Type.Q4_1: (0, 2), Type.Q5_0: (0,), Type.Q5_1: (0, 2), Type.Q8_0: (0,),
          Type.Q2_K: (80, 82), Type.Q3_K: (108,), Type.Q4_K: (0, 2), Type.Q5_K: (0, 2),
          Type.Q6_K: (208,), Type.IQ4_NL: (0,), Type.MXFP4: ()}
# Those with grids, and of three levels, in a file of their own.
GRIDS = {Type.IQ1_S: (0,), Type.IQ1_M: (), Type.IQ2_XXS: (0,), Type.IQ2_XS: (0,), Type.IQ2_S: (0,),
         Type.IQ3_XXS: (0,), Type.IQ3_S: (0,), Type.IQ4_XS: (0,), Type.TQ1_0: (52,), Type.TQ2_0: (64,)}
PLAIN = {Type.F32: np.float32, Type.F16: np.float16, Type.F64: np.float64, Type.I8: np.int8,
         Type.I16: np.int16, Type.I32: np.int32, Type.I64: np.int64}


def random_blocks(rng, kind, scales, rows=2):
    size = GGML_QUANT_SIZES[kind][1]
    blocks = rng.integers(0, 256, (rows, size), dtype=np.uint8)
    if kind == Type.MXFP4:
        blocks[:, 0] = (0, 131)  # the subnormal end of the exponents, and an ordinary one
    if kind == Type.IQ1_M:
        blocks[:, 49:56:2] &= 0xbf  # the scale below infinity
    for row in blocks:
        for at in scales:
            row[at:at + 2] = np.float16(rng.normal() * 0.1).reshape(1).view(np.uint8)
    return blocks


def add_metadata(writer):
    writer.add_key_value("a.u8", 255, Value.UINT8)
    writer.add_key_value("a.i8", -128, Value.INT8)
    writer.add_key_value("a.u16", 65535, Value.UINT16)
    writer.add_key_value("a.i16", -32768, Value.INT16)
    writer.add_key_value("a.u32", 2**32 - 1, Value.UINT32)
    writer.add_key_value("a.i32", -2**31, Value.INT32)
    writer.add_key_value("a.f32", 0.1, Value.FLOAT32)
    writer.add_key_value("a.bool", True, Value.BOOL)
    writer.add_key_value("a.string", "Ġ語", Value.STRING)
    writer.add_key_value("a.u64", 2**64 - 1, Value.UINT64)
    writer.add_key_value("a.i64", -2**63, Value.INT64)
    writer.add_key_value("a.f64", 0.1, Value.FLOAT64)
    writer.add_array("a.strings", ["", "b", "cc"])
    writer.add_array("a.ints", [1, -2, 3])
    writer.add_array("a.floats", [0.5, -1.5])
    writer.add_array("a.bools", [True, False])


def save_encoded(rng):
    """What `gguf.quants` makes of normal numbers, of a block of nothing and of ties."""
    numbers = rng.normal(size=(6, 32)).astype(np.float32)
    numbers[1] = 0
    numbers[2] = np.round(numbers[2] * 4) / 4
    numbers[3] = np.arange(32) - 16
    numbers[4] *= np.float32(1e-6)
    encoded = {kind.name: quantize(numbers, kind).view(np.uint8)
               for kind in (Type.Q8_0, Type.Q4_0, Type.BF16, Type.F16, Type.MXFP4)}
    save_file(encoded | {"numbers": numbers}, os.path.join(OUT, "encoded.safetensors"))


def save_grids(rng):
    writer = GGUFWriter(os.path.join(OUT, "grids.gguf"), "test")
    expected = {}
    for kind, scales in GRIDS.items():
        blocks = random_blocks(rng, kind, scales, rows=6)
        writer.add_tensor(kind.name, blocks, raw_dtype=kind)
        expected[kind.name] = dequantize(blocks, kind)
        assert np.isfinite(expected[kind.name]).all(), kind
    write(writer)
    save_file(expected, os.path.join(OUT, "grids.safetensors"))


def write(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    os.makedirs(OUT, exist_ok=True)
    rng = np.random.default_rng(7)
    writer = GGUFWriter(os.path.join(OUT, "types.gguf"), "test")
    add_metadata(writer)
    expected = {}
    for kind, dtype in PLAIN.items():
        data = (rng.normal(size=(2, 3)) * 50).astype(dtype)
        writer.add_tensor(kind.name, data)
        expected[kind.name] = data
    for kind in SCALES:
        blocks = random_blocks(rng, kind, SCALES[kind])
        writer.add_tensor(kind.name, blocks, raw_dtype=kind)
        expected[kind.name] = dequantize(blocks, kind)
    brain = rng.integers(0, 0x7f80, (2, 8), dtype=np.uint16)
    writer.add_tensor("BF16", brain.view(np.uint8), raw_dtype=Type.BF16)
    expected["BF16"] = dequantize(brain.view(np.uint8), Type.BF16)
    # Half-precision numbers of every exponent, subnormal ones among them.
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    interesting = halves[(np.arange(65536) % 61 == 0) & np.isfinite(halves)]
    writer.add_tensor("halves", interesting)
    expected["halves"] = interesting.astype(np.float32)
    write(writer)
    save_file(expected, os.path.join(OUT, "expected.safetensors"))
    save_encoded(rng)
    save_grids(np.random.default_rng(8))


if __name__ == "__main__":
    main()
