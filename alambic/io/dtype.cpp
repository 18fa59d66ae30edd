#include "alambic/io/dtype.h"

#include <array>

namespace alambic {

namespace {

struct Entry {
  Dtype dtype;
  const char* name;
  uint64_t bytes;
};

// In the order of the safetensors library's enum, by which it sorts the tensors of a file.
constexpr std::array entries = {
    Entry{Dtype::BOOL, "BOOL", 1},       Entry{Dtype::U8, "U8", 1},
    Entry{Dtype::I8, "I8", 1},           Entry{Dtype::F8_E5M2, "F8_E5M2", 1},
    Entry{Dtype::F8_E4M3, "F8_E4M3", 1}, Entry{Dtype::I16, "I16", 2},
    Entry{Dtype::U16, "U16", 2},         Entry{Dtype::F16, "F16", 2},
    Entry{Dtype::BF16, "BF16", 2},       Entry{Dtype::I32, "I32", 4},
    Entry{Dtype::U32, "U32", 4},         Entry{Dtype::F32, "F32", 4},
    Entry{Dtype::F64, "F64", 8},         Entry{Dtype::I64, "I64", 8},
    Entry{Dtype::U64, "U64", 8},
};

}  // namespace

std::string name_of(Dtype dtype) { return entries[static_cast<size_t>(dtype)].name; }

std::optional<Dtype> dtype_named(std::string_view name) {
  for (const Entry& entry : entries) {
    if (name == entry.name) return entry.dtype;
  }
  return std::nullopt;
}

uint64_t bytes_of(Dtype dtype) { return entries[static_cast<size_t>(dtype)].bytes; }

}  // namespace alambic
