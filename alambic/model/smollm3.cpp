// SmolLM3: Llama with layers that know no positions.
#include "alambic/model/decoder.h"

namespace alambic {

std::unique_ptr<Model> make_smollm3(const Config& config) {
  DecoderShape shape(config);
  shape.attention.qkv_bias = shape.attention.output_bias = config.flag("attention_bias", false);
  shape.mlp.bias = config.flag("mlp_bias", false);
  std::vector<bool> turns;
  const int64_t interval = config.length("no_rope_layer_interval", 4);
  for (int64_t i = 0; i < shape.layers; ++i) turns.push_back((i + 1) % interval != 0);
  if (config.has("no_rope_layers")) {  // which says 1 where a layer does turn
    const auto& list = config.json["no_rope_layers"];
    config.require(list.is_array() && std::ssize(list) >= shape.layers, "no_rope_layers",
                   "a 0 or 1 for each layer");
    for (int64_t i = 0; i < shape.layers; ++i) turns[i] = list[i] != 0;
  }
  std::vector<int64_t> windows;
  if (config.flag("use_sliding_window", false) && config.has("sliding_window")) {
    windows = layer_windows(config, shape.layers, [&](int64_t i) { return !turns[i]; });
  }
  std::unique_ptr<Decoder> model =
      make_plain_decoder(config, shape, windows, /*norm_heads=*/false, /*tied_by_default=*/true);
  for (int64_t i = 0; i < shape.layers; ++i) model->layers[i].rope = turns[i] ? 0 : -1;
  model->ropes = {Rope(shape.attention.head_width, config.rope(2e6))};
  return model;
}

}  // namespace alambic
