#include "alambic/io/quant/encode.h"

#include <cmath>
#include <cstring>

#include "alambic/base/error.h"
#include "alambic/io/quant/encode_blocks.h"
#include "alambic/io/quant/half.h"

namespace alambic {

namespace {

using EncodeBlock = void (*)(const float* numbers, uint8_t* block);

void f32(const float* number, uint8_t* bytes) { std::memcpy(bytes, number, sizeof *number); }
void f16(const float* number, uint8_t* bytes) { blocks::put_half(*number, bytes); }
void bf16(const float* number, uint8_t* bytes) {
  const uint16_t bits = float_to_bfloat(*number);
  std::memcpy(bytes, &bits, sizeof bits);
}

EncodeBlock encoder_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::F32:
      return f32;
    case Dtype::F16:
      return f16;
    case Dtype::BF16:
      return bf16;
    case Dtype::Q4_0:
      return blocks::encode_q4_0;
    case Dtype::Q8_0:
      return blocks::encode_q8_0;
    case Dtype::MXFP4:
      return blocks::encode_mxfp4;
    case Dtype::Q4_K:
      return blocks::encode_q4_k;
    case Dtype::Q6_K:
      return blocks::encode_q6_k;
    default:
      return nullptr;
  }
}

}  // namespace

bool is_encodable(Dtype dtype) { return encoder_of(dtype) != nullptr; }

std::vector<std::byte> encode(Dtype dtype, std::span<const float> numbers) {
  const EncodeBlock encode_block = encoder_of(dtype);
  check(encode_block != nullptr, "{} cannot be written", name_of(dtype));
  const uint64_t per_block = block_numel(dtype), block_bytes = block_bits(dtype) / 8;
  const uint64_t count = numbers.size() / per_block;
  check(count * per_block == numbers.size(), "{} numbers are no whole blocks of {}", numbers.size(),
        name_of(dtype));
  std::vector<std::byte> bytes(count * block_bytes);
  auto* block = reinterpret_cast<uint8_t*>(bytes.data());
  for (uint64_t i = 0; i < count; ++i) {
    encode_block(numbers.data() + i * per_block, block + i * block_bytes);
  }
  return bytes;
}

std::string fault_of(Dtype dtype, std::span<const float> numbers) {
  constexpr float beyond_half = 65520;  // rounds to infinity; scales are halves too
  for (const float number : numbers) {
    if (is_block(dtype) && !std::isfinite(number)) {
      return fmt::format("it holds {}, which {} cannot", number, name_of(dtype));
    }
    const bool halves = is_block(dtype) && dtype != Dtype::MXFP4;
    const bool narrow = dtype == Dtype::F16 || halves;
    if (narrow && std::isfinite(number) && std::fabs(number) >= beyond_half) {
      return fmt::format("it holds {}, beyond the range of {}", number, name_of(dtype));
    }
  }
  return "";
}

}  // namespace alambic
