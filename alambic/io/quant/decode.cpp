#include "alambic/io/quant/decode.h"

#include <cstring>

#include "alambic/base/error.h"
#include "alambic/io/quant/decode_blocks.h"
#include "alambic/io/quant/half.h"

namespace alambic {

namespace {

using DecodeBlock = void (*)(const uint8_t* block, float* numbers);

template <class Stored>
Stored stored_at(const uint8_t* bytes) {
  Stored stored;
  std::memcpy(&stored, bytes, sizeof stored);
  return stored;
}

void f32(const uint8_t* bytes, float* number) { *number = stored_at<float>(bytes); }
void f64(const uint8_t* bytes, float* number) {
  *number = static_cast<float>(stored_at<double>(bytes));
}
void f16(const uint8_t* bytes, float* number) { *number = blocks::half_at(bytes); }
void bf16(const uint8_t* bytes, float* number) {
  *number = bfloat_to_float(stored_at<uint16_t>(bytes));
}

// Null for the formats that are no floating numbers, or that only tensors can hold.
DecodeBlock decoder_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::F32:
      return f32;
    case Dtype::F64:
      return f64;
    case Dtype::F16:
      return f16;
    case Dtype::BF16:
      return bf16;
    case Dtype::Q4_0:
      return blocks::q4_0;
    case Dtype::Q4_1:
      return blocks::q4_1;
    case Dtype::Q5_0:
      return blocks::q5_0;
    case Dtype::Q5_1:
      return blocks::q5_1;
    case Dtype::Q8_0:
      return blocks::q8_0;
    case Dtype::Q2_K:
      return blocks::q2_k;
    case Dtype::Q3_K:
      return blocks::q3_k;
    case Dtype::Q4_K:
      return blocks::q4_k;
    case Dtype::Q5_K:
      return blocks::q5_k;
    case Dtype::Q6_K:
      return blocks::q6_k;
    case Dtype::IQ4_NL:
      return blocks::iq4_nl;
    case Dtype::MXFP4:
      return blocks::mxfp4;
    case Dtype::IQ1_S:
      return blocks::iq1_s;
    case Dtype::IQ1_M:
      return blocks::iq1_m;
    case Dtype::IQ2_XXS:
      return blocks::iq2_xxs;
    case Dtype::IQ2_XS:
      return blocks::iq2_xs;
    case Dtype::IQ2_S:
      return blocks::iq2_s;
    case Dtype::IQ3_XXS:
      return blocks::iq3_xxs;
    case Dtype::IQ3_S:
      return blocks::iq3_s;
    case Dtype::IQ4_XS:
      return blocks::iq4_xs;
    case Dtype::TQ1_0:
      return blocks::tq1_0;
    case Dtype::TQ2_0:
      return blocks::tq2_0;
    default:
      return nullptr;
  }
}

}  // namespace

bool is_decodable(Dtype dtype) { return decoder_of(dtype) != nullptr; }

void decode(Dtype dtype, std::span<const std::byte> bytes, std::span<float> numbers) {
  const DecodeBlock decode_block = decoder_of(dtype);
  check(decode_block != nullptr, "{} cannot be decoded to float32", name_of(dtype));
  const uint64_t block_bytes = block_bits(dtype) / 8, per_block = block_numel(dtype);
  const uint64_t count = bytes.size() / block_bytes;
  check(count * block_bytes == bytes.size() && count * per_block == numbers.size(),
        "{} bytes of {} do not make {} numbers", bytes.size(), name_of(dtype), numbers.size());
  const auto* block = reinterpret_cast<const uint8_t*>(bytes.data());
  float* out = numbers.data();
  for (uint64_t i = 0; i < count; ++i, block += block_bytes, out += per_block) {
    decode_block(block, out);
  }
}

}  // namespace alambic
