// float32 weights in the formats that files are written in.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "alambic/io/dtype.h"

namespace alambic {

/// True for F32, F16, BF16, Q8_0, Q4_0, Q4_K, Q6_K and MXFP4.
bool is_encodable(Dtype dtype);

/// Whole blocks (or plain numbers) of `dtype`. F16 and BF16 round to the nearest, ties to even.
/// Q8_0, Q4_0 and MXFP4 give the bytes that gguf-py gives; Q4_K and Q6_K search the scales of least
/// weighted square error. The numbers of a block format must be finite and those of F16 within its
/// range: see fault_of.
std::vector<std::byte> encode(Dtype dtype, std::span<const float> numbers);

/// Reason why `dtype` cannot hold the numbers ("it holds 70000, beyond the range of F16"), or "".
std::string fault_of(Dtype dtype, std::span<const float> numbers);

}  // namespace alambic
