#include "alambic/model/kept_layers.h"

#include <algorithm>

#include "alambic/io/config/complete_config.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

// Lists with an entry for each layer. Behind the layers they may go on with those for multi-token
// prediction.
constexpr const char* lists[] = {"layer_types", "mlp_layer_types", "no_rope_layers",
                                 "compress_ratios"};

const Json& value_of(const Json& config, const char* key) {
  static const Json null;
  const auto found = config.find(key);
  return found == config.end() ? null : *found;
}

// Of a model of experts without a list, the layers that have none.
bool is_dense(const Json& completed, int64_t layer) {
  const Json& named = value_of(completed, "mlp_only_layers");
  const Json& step = value_of(completed, "decoder_sparse_step");
  if (std::ranges::find(named, Json(layer)) != named.end()) return true;
  return step.is_number_integer() && step > 0 && (layer + 1) % step.get<int64_t>() != 0;
}

void keep_dense_layers(const Json& completed, const std::vector<int64_t>& kept, Json& config) {
  Json dense = Json::array();
  for (size_t i = 0; i < kept.size(); ++i) {
    if (is_dense(completed, kept[i])) dense.push_back(i);
  }
  config["mlp_only_layers"] = std::move(dense);
  config["decoder_sparse_step"] = 1;
}

// Settings by a layer's number.
void keep_settings(const Json& completed, const std::vector<int64_t>& kept, Json& config) {
  Json settings = Json::object();
  for (size_t i = 0; i < kept.size(); ++i) {
    const auto own = completed["per_layer_config"].find(std::to_string(kept[i]));
    if (own != completed["per_layer_config"].end()) settings[std::to_string(i)] = *own;
  }
  config["per_layer_config"] = std::move(settings);
}

}  // namespace

void keep_layers(Json& config, const std::string& where, const std::string& count_key, int64_t all,
                 const std::vector<int64_t>& kept) {
  const Json completed = complete_config(config, where);
  for (const char* key : lists) {
    const Json& own = value_of(completed, key);
    const Json list = own.is_array() ? own : value_of(config, key);
    if (!list.is_array() || std::ssize(list) < all) continue;
    config[key] = Json::array();
    for (const int64_t layer : kept) config[key].push_back(list[layer]);
  }
  const auto below = [&](int64_t end) {
    return std::ranges::count_if(kept, [=](int64_t layer) { return layer < end; });
  };
  if (const Json& dense = value_of(completed, "first_k_dense_replace"); dense.is_number_integer()) {
    config["first_k_dense_replace"] = below(dense);
  }
  if (const Json& readers = value_of(completed, "num_kv_shared_layers");
      readers.is_number_integer()) {
    config["num_kv_shared_layers"] = std::ssize(kept) - below(all - readers.get<int64_t>());
  }
  if (value_of(completed, "mlp_only_layers").is_array()) keep_dense_layers(completed, kept, config);
  if (value_of(completed, "per_layer_config").is_object()) keep_settings(completed, kept, config);
  config[count_key] = kept.size();
}

}  // namespace alambic
