// SmolLM3: Llama with layers that know no positions.
#include "alambic/model/decoder.h"

namespace alambic {

std::unique_ptr<Model> make_smollm3(const Config& config) {
  DecoderShape shape(config);
  shape.mlp.bias = config.flag("mlp_bias");
  std::unique_ptr<Decoder> model = make_plain_decoder(config, shape, layer_windows(config));
  const std::vector<int64_t> turns = config.integers("no_rope_layers");  // 1 where one does turn
  for (int64_t i = 0; i < shape.layers; ++i) model->layers[i].rope = turns[i] != 0 ? 0 : -1;
  return model;
}

}  // namespace alambic
