#include "alambic/io/count_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "alambic/base/error.h"

namespace alambic {

namespace {

// "a.12.b" is 12, at or behind `begin`; −1: no part of the name is a number.
int64_t number_in(std::string_view name, size_t begin) {
  while (begin < name.size()) {
    const size_t end = std::min(name.find('.', begin), name.size());
    int64_t number = -1;
    const auto [last, error] = std::from_chars(name.data() + begin, name.data() + end, number);
    if (error == std::errc() && last == name.data() + end && number >= 0) return number;
    begin = end + 1;
  }
  return -1;
}

// Experts of a tensor "…experts.3.…", or "…experts.gate_up_proj" and "…_exps.weight" with a
// dimension of them.
int64_t experts_of(const TensorView& tensor) {
  for (const std::string_view block : {".experts.", "_exps."}) {  // not "shared_experts."
    const size_t at = tensor.name.find(block);
    if (at == std::string::npos) continue;
    const int64_t number = number_in(tensor.name, at + block.size());
    if (number >= 0) return number + 1;
    return tensor.shape.empty() ? 0 : tensor.shape[0];
  }
  return 0;
}

// The limit of a kind, for the error about a count beyond it.
std::string held(const CountLimits& limits, CountKind kind) {
  const int64_t most = limits.of(kind);
  switch (kind) {
    case CountKind::layers:
      return limits.of_files ? fmt::format("the tensors of the files are of {} layers", most)
                             : fmt::format("models of at most {} layers are built", most);
    case CountKind::experts:
      return limits.of_files ? fmt::format("the tensors of the files are of {} experts", most)
                             : fmt::format("layers of at most {} experts are built", most);
    case CountKind::size:
      return limits.of_files ? fmt::format("no tensor of the files has a dimension above {}", most)
                             : fmt::format("sizes of at most {} are built", most);
  }
  throw bug("unknown kind of count");
}

// Keys of every family.
struct CommonCount {
  const char* key;
  CountKind kind;
};
constexpr CommonCount common_counts[] = {
    {"num_hidden_layers", CountKind::layers}, {"n_layer", CountKind::layers},
    {"hidden_size", CountKind::size},         {"n_embd", CountKind::size},
    {"num_attention_heads", CountKind::size}, {"n_head", CountKind::size},
    {"num_key_value_heads", CountKind::size}, {"vocab_size", CountKind::size},
};

}  // namespace

int64_t CountLimits::of(CountKind kind) const {
  if (kind == CountKind::layers) return layers;
  return kind == CountKind::experts ? experts : size;
}

CountLimits limits_of(const std::vector<TensorView>& tensors) {
  const int64_t widest = CountLimits().size;
  CountLimits limits = {.layers = 0, .experts = 0, .size = 0, .of_files = true};
  for (const TensorView& tensor : tensors) {
    const int64_t layer = number_in(tensor.name, 0);
    limits.layers = std::max(limits.layers, layer + 1);
    limits.experts = std::max(limits.experts, experts_of(tensor));
    for (const int64_t size : tensor.shape) {
      limits.size = std::max(limits.size, std::min(size, widest));
    }
  }
  if (limits.experts == 0) limits.experts = std::min(CountLimits().experts, limits.size);
  return limits;
}

void check_count(const CountLimits& limits, CountKind kind, int64_t value, const std::string& name,
                 const std::string& where) {
  if (value <= limits.of(kind)) return;
  const Error error =
      input_error("cannot read {}: {} is {}, but {}", where, name, value, held(limits, kind));
  if (!limits.of_files) throw error;
  throw error.with_hint(
      "the configuration and the weights are not of the same model, or the download is incomplete");
}

void check_counts(const CountLimits& limits, const nlohmann::ordered_json& config,
                  const std::string& where) {
  if (!config.is_object()) return;
  const auto text = config.find("text_config");
  if (text != config.end() && text->is_object()) {
    return check_counts(limits, *text, where + ", text_config");
  }
  // Latent attention has no key/value heads: what stands there is not read.
  const bool latent = config.contains("kv_lora_rank");
  for (const auto& [key, kind] : common_counts) {
    if (latent && std::string_view(key) == "num_key_value_heads") continue;
    const auto found = config.find(key);
    if (found == config.end() || !found->is_number_integer()) continue;
    // Beyond 2^63 it would wrap.
    const bool huge = found->is_number_unsigned() &&
                      found->get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()};
    const int64_t value = huge ? std::numeric_limits<int64_t>::max() : found->get<int64_t>();
    check_count(limits, kind, value, fmt::format("\"{}\"", key), where);
  }
}

}  // namespace alambic
