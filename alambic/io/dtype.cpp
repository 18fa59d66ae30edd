#include "alambic/io/dtype.h"

#include <algorithm>
#include <array>

namespace alambic {

namespace {

struct Entry {
  Dtype dtype;
  std::string_view name;
  uint64_t bits;
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
  if (found == entries.end()) return std::nullopt;
  return found->dtype;
}

uint64_t bits_of(Dtype dtype) { return entry_of(dtype).bits; }

}  // namespace alambic
