#include "alambic/model/logits.h"

#include "alambic/base/error.h"
#include "alambic/nn/head_logits.h"

namespace alambic {

std::vector<std::vector<int32_t>> read_sequences(const fs::path& path, const ModelShape& shape) {
  const std::string file = path.string();
  const Json json = Json::parse(read_file(file), nullptr, /*allow_exceptions=*/false);
  if (!json.is_array()) {
    throw input_error("cannot read {}: expected a list of lists of token ids", file)
        .with_hint("for example [[1, 2, 3], [4, 5]]");
  }
  std::vector<std::vector<int32_t>> sequences;
  for (size_t i = 0; i < json.size(); ++i) {
    if (!json[i].is_array() || json[i].empty()) {
      throw input_error("cannot read {}: sequence {} is not a list of token ids", file, i);
    }
    if (static_cast<int64_t>(json[i].size()) > shape.positions) {
      throw input_error("{}: sequence {} has {} tokens, but the model's context is {}", file, i,
                        json[i].size(), shape.positions);
    }
    std::vector<int32_t>& sequence = sequences.emplace_back();
    for (const Json& id : json[i]) {
      if (!id.is_number_integer() || id < 0 || id >= shape.vocabulary) {
        throw input_error("{}: sequence {} holds {}, but token ids are 0 to {}", file, i, id.dump(),
                          shape.vocabulary - 1);
      }
      sequence.push_back(id);
    }
  }
  return sequences;
}

std::vector<std::pair<std::string, Tensor>> logits_of(
    const Model& model, const std::vector<std::vector<int32_t>>& sequences, at::Device device,
    bool hidden) {
  const at::NoGradGuard no_grad;
  std::vector<std::pair<std::string, Tensor>> outputs;
  const Head head = wide_head(model.head());
  for (size_t i = 0; i < sequences.size(); ++i) {
    const Packed packed = pack({sequences[i]}, device);
    const Tensor hidden_TD = model.hidden(Pass(packed)).to(at::kFloat);
    outputs.emplace_back(fmt::format("logits.{}", i), head_logits(head, hidden_TD));
    if (hidden) outputs.emplace_back(fmt::format("hidden.{}", i), hidden_TD);
  }
  return outputs;
}

}  // namespace alambic
