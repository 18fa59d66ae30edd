#include "alambic/flow/packed.h"

namespace alambic {

Packed pack(const std::vector<std::vector<int32_t>>& sequences, at::Device device) {
  std::vector<int64_t> tokens;
  Packed packed{.tokens_N = {}, .offsets = {0}};
  for (const std::vector<int32_t>& sequence : sequences) {
    tokens.insert(tokens.end(), sequence.begin(), sequence.end());
    packed.offsets.push_back(static_cast<int64_t>(tokens.size()));
  }
  packed.tokens_N = at::tensor(tokens, at::kLong).to(device);
  return packed;
}

}  // namespace alambic
