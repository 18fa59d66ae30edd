// Phi-3 (arXiv 2404.14219): one matrix for queries, keys and values, one for gate and up.
#include "alambic/model/decoder.h"

namespace alambic {

std::unique_ptr<Model> make_phi3(const Config& config) {
  DecoderShape shape(config);
  shape.attention.fused = shape.mlp.fused = true;
  const int64_t window = config.has("sliding_window") ? config.length("sliding_window") : 0;
  return make_plain_decoder(config, shape, std::vector<int64_t>(shape.layers, window));
}

}  // namespace alambic
