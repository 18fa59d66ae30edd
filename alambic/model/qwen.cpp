// Qwen2 and 2.5 (arXiv 2407.10671): biases on queries, keys and values; the last layers may have a
// window. Qwen3 (arXiv 2505.09388): no biases, norms of queries and keys.
#include "alambic/model/decoder.h"

namespace alambic {
namespace {

// "sliding_window" is in most files and means nothing unless "use_sliding_window" says so.
std::vector<int64_t> windows(const Config& config, int64_t layers) {
  if (!config.flag("use_sliding_window", false) || !config.has("sliding_window")) return {};
  const int64_t full = config.integer("max_window_layers", 28);
  return layer_windows(config, layers, [=](int64_t i) { return i >= full; });
}

}  // namespace

std::unique_ptr<Model> make_qwen2(const Config& config) {
  DecoderShape shape(config);
  shape.attention.qkv_bias = true;
  return make_plain_decoder(config, shape, windows(config, shape.layers));
}

std::unique_ptr<Model> make_qwen3(const Config& config) {
  DecoderShape shape(config);
  if (!config.has("head_dim")) shape.attention.head_width = 128;
  shape.attention.qkv_bias = shape.attention.output_bias = config.flag("attention_bias", false);
  return make_plain_decoder(config, shape, windows(config, shape.layers), /*norm_heads=*/true);
}

}  // namespace alambic
