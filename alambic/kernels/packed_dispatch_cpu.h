// Formats of packed rows by number: those of blocks, and plain ones.
#pragma once

#include "alambic/kernels/packed_formats_cpu.h"
#include "alambic/kernels/packed_k_formats_cpu.h"

namespace alambic::kernels::ALAMBIC_ISA {

/// Formats of 16 bits, a vector as a block. Their rows may end within one.
struct Bfloat16 {
  static constexpr int numbers = lanes, bytes = 2 * lanes;
  [[gnu::always_inline]] static Vec vector(const uint8_t* from) { return bfloats(from); }
};
struct Float16 {
  static constexpr int numbers = lanes, bytes = 2 * lanes;
  [[gnu::always_inline]] static Vec vector(const uint8_t* from) { return halves(from); }
};

template <class Format>
inline constexpr bool is_plain = Format::numbers == lanes;

/// The first n < lanes numbers of a plain format, then zeros.
template <class Format>
[[gnu::always_inline]] inline Vec some(const uint8_t* from, int64_t n) {
  uint8_t copy[2 * lanes] = {};
  for (int64_t i = 0; i < 2 * n; ++i) copy[i] = from[i];
  return Format::vector(copy);
}

/// Kernel<Format>::run for the type of the format; null for PackedFormat::other.
template <template <class Format> class Kernel>
[[gnu::always_inline]] inline auto kernel_of(PackedFormat format) -> decltype(&Kernel<Q8_0>::run) {
  switch (format) {
    case PackedFormat::other:
      return nullptr;
    case PackedFormat::bf16:
      return Kernel<Bfloat16>::run;
    case PackedFormat::f16:
      return Kernel<Float16>::run;
    case PackedFormat::q4_0:
      return Kernel<Q4_0>::run;
    case PackedFormat::q4_1:
      return Kernel<Q4_1>::run;
    case PackedFormat::q5_0:
      return Kernel<Q5_0>::run;
    case PackedFormat::q5_1:
      return Kernel<Q5_1>::run;
    case PackedFormat::q8_0:
      return Kernel<Q8_0>::run;
    case PackedFormat::q2_k:
      return Kernel<Q2_K>::run;
    case PackedFormat::q3_k:
      return Kernel<Q3_K>::run;
    case PackedFormat::q4_k:
      return Kernel<Q4_K>::run;
    case PackedFormat::q5_k:
      return Kernel<Q5_K>::run;
    case PackedFormat::q6_k:
      return Kernel<Q6_K>::run;
    case PackedFormat::iq4_nl:
      return Kernel<IQ4_NL>::run;
    case PackedFormat::mxfp4:
      return Kernel<Mxfp4>::run;
  }
  return nullptr;
}

/// Writes numbers k … k + n of a packed row; k and, unless the row ends there, k + n are at the
/// border of a block.
void decode_packed(const PackedArgs& job, const uint8_t* row, int64_t k, int64_t n, float* to);

}  // namespace alambic::kernels::ALAMBIC_ISA
