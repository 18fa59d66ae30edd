// The JSON header of a safetensors file, before anything is compared with the file's length.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "alambic/io/dtype.h"

namespace alambic {

struct HeaderEntry {
  std::string name;
  Dtype dtype = Dtype::F32;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;  ///< bytes, from the end of the header
};

struct HeaderEntries {
  std::vector<HeaderEntry> tensors;
  std::map<std::string, std::string> metadata;
};

/// Input errors begin with "cannot read `where`" and name the tensor.
HeaderEntries read_header_entries(std::string_view json, const std::string& where);

}  // namespace alambic
