// Llama 2/3 (Touvron et al., arXiv 2302.13971) and Mistral (arXiv 2310.06825), which adds a window.
#include "alambic/model/decoder.h"

namespace alambic {

std::unique_ptr<Model> make_llama(const Config& config) {
  DecoderShape shape(config);
  shape.mlp.bias = config.flag("mlp_bias");
  return make_plain_decoder(config, shape);
}

std::unique_ptr<Model> make_mistral(const Config& config) {
  const DecoderShape shape(config);
  const int64_t window = config.has("sliding_window") ? config.length("sliding_window") : 0;
  return make_plain_decoder(config, shape, std::vector<int64_t>(shape.layers, window));
}

}  // namespace alambic
