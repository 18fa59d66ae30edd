// Qwen2 and 2.5 (arXiv 2407.10671): biases on queries, keys and values; the last layers may have a
// window. Qwen3 (arXiv 2505.09388): no biases, norms of queries and keys.
#include "alambic/model/decoder.h"

namespace alambic {
std::unique_ptr<Model> make_qwen2(const Config& config) {
  DecoderShape shape(config);
  shape.attention.qkv_bias = true;
  return make_plain_decoder(config, shape, layer_windows(config));
}

std::unique_ptr<Model> make_qwen3(const Config& config) {
  const DecoderShape shape(config);
  return make_plain_decoder(config, shape, layer_windows(config), /*norm_heads=*/true);
}

}  // namespace alambic
