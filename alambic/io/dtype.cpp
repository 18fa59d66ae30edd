#include "alambic/io/dtype.h"

#include <algorithm>
#include <array>

namespace alambic {

namespace {

struct Entry {
  Dtype dtype;
  std::string_view name;
  uint64_t bits;
  uint64_t numbers = 1;
};

constexpr std::array entries = {
    Entry{Dtype::BOOL, "BOOL", 8},
    Entry{Dtype::F4, "F4", 4},
    Entry{Dtype::F6_E2M3, "F6_E2M3", 6},
    Entry{Dtype::F6_E3M2, "F6_E3M2", 6},
    Entry{Dtype::U8, "U8", 8},
    Entry{Dtype::I8, "I8", 8},
    Entry{Dtype::F8_E5M2, "F8_E5M2", 8},
    Entry{Dtype::F8_E4M3, "F8_E4M3", 8},
    Entry{Dtype::F8_E8M0, "F8_E8M0", 8},
    Entry{Dtype::F8_E4M3FNUZ, "F8_E4M3FNUZ", 8},
    Entry{Dtype::F8_E5M2FNUZ, "F8_E5M2FNUZ", 8},
    Entry{Dtype::I16, "I16", 16},
    Entry{Dtype::U16, "U16", 16},
    Entry{Dtype::F16, "F16", 16},
    Entry{Dtype::BF16, "BF16", 16},
    Entry{Dtype::I32, "I32", 32},
    Entry{Dtype::U32, "U32", 32},
    Entry{Dtype::F32, "F32", 32},
    Entry{Dtype::C64, "C64", 64},
    Entry{Dtype::F64, "F64", 64},
    Entry{Dtype::I64, "I64", 64},
    Entry{Dtype::U64, "U64", 64},
    Entry{Dtype::Q4_0, "Q4_0", 8 * 18, 32},
    Entry{Dtype::Q4_1, "Q4_1", 8 * 20, 32},
    Entry{Dtype::Q5_0, "Q5_0", 8 * 22, 32},
    Entry{Dtype::Q5_1, "Q5_1", 8 * 24, 32},
    Entry{Dtype::Q8_0, "Q8_0", 8 * 34, 32},
    Entry{Dtype::Q2_K, "Q2_K", 8 * 84, 256},
    Entry{Dtype::Q3_K, "Q3_K", 8 * 110, 256},
    Entry{Dtype::Q4_K, "Q4_K", 8 * 144, 256},
    Entry{Dtype::Q5_K, "Q5_K", 8 * 176, 256},
    Entry{Dtype::Q6_K, "Q6_K", 8 * 210, 256},
    Entry{Dtype::IQ4_NL, "IQ4_NL", 8 * 18, 32},
    Entry{Dtype::MXFP4, "MXFP4", 8 * 17, 32},
    Entry{Dtype::IQ1_S, "IQ1_S", 8 * 50, 256},
    Entry{Dtype::IQ1_M, "IQ1_M", 8 * 56, 256},
    Entry{Dtype::IQ2_XXS, "IQ2_XXS", 8 * 66, 256},
    Entry{Dtype::IQ2_XS, "IQ2_XS", 8 * 74, 256},
    Entry{Dtype::IQ2_S, "IQ2_S", 8 * 82, 256},
    Entry{Dtype::IQ3_XXS, "IQ3_XXS", 8 * 98, 256},
    Entry{Dtype::IQ3_S, "IQ3_S", 8 * 110, 256},
    Entry{Dtype::IQ4_XS, "IQ4_XS", 8 * 136, 256},
    Entry{Dtype::TQ1_0, "TQ1_0", 8 * 54, 256},
    Entry{Dtype::TQ2_0, "TQ2_0", 8 * 66, 256},
};

constexpr bool in_order() {
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].dtype != static_cast<Dtype>(i)) return false;
  }
  return true;
}
static_assert(in_order(), "an entry stands at its dtype's number");

const Entry& entry_of(Dtype dtype) { return entries.at(static_cast<size_t>(dtype)); }

}  // namespace

std::string name_of(Dtype dtype) { return std::string(entry_of(dtype).name); }

std::optional<Dtype> dtype_named(std::string_view name) {
  const auto* found = std::ranges::find(entries, name, &Entry::name);
  if (found == entries.end() || is_block(found->dtype)) return std::nullopt;
  return found->dtype;
}

bool is_block(Dtype dtype) { return entry_of(dtype).numbers > 1; }

uint64_t block_numel(Dtype dtype) { return entry_of(dtype).numbers; }

uint64_t block_bits(Dtype dtype) { return entry_of(dtype).bits; }

std::optional<uint64_t> byte_size(Dtype dtype, const std::vector<int64_t>& shape) {
  const Entry& entry = entry_of(dtype);
  const auto row = static_cast<uint64_t>(shape.empty() ? 1 : shape.back());
  if (row % entry.numbers != 0) return std::nullopt;
  uint64_t bits = entry.bits;
  for (size_t i = 0; i + 1 < shape.size(); ++i) {
    if (__builtin_mul_overflow(bits, static_cast<uint64_t>(shape[i]), &bits)) return std::nullopt;
  }
  if (__builtin_mul_overflow(bits, row / entry.numbers, &bits)) return std::nullopt;
  if (bits % 8 != 0) return std::nullopt;
  return bits / 8;
}

}  // namespace alambic
