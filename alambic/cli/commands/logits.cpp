#include "alambic/cli/commands/logits_options.h"

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/model/pretrained.h"
#include "alambic/nn/head_logits.h"
#include "alambic/tensor/view.h"

namespace alambic {

namespace {

std::vector<std::vector<int32_t>> read_sequences(const std::string& file, const ModelShape& shape) {
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

}  // namespace

int run(const LogitsOptions& options) {
  const at::NoGradGuard no_grad;
  LoadOptions load = prepare_machine(options.machine);
  load.adapter = options.adapter;
  const std::unique_ptr<Model> model = load_model(options.model, load);
  const auto sequences = read_sequences(options.tokens, model->shape());
  std::vector<std::pair<std::string, Tensor>> outputs;
  const Head head = wide_head(model->head());
  for (size_t i = 0; i < sequences.size(); ++i) {
    const Packed packed = pack({sequences[i]}, load.device);
    const Tensor hidden_TD = model->hidden(Pass(packed));
    outputs.emplace_back(fmt::format("logits.{}", i), head_logits(head, hidden_TD.to(at::kFloat)));
    if (options.hidden) outputs.emplace_back(fmt::format("hidden.{}", i), hidden_TD.to(at::kFloat));
  }
  write_safetensors(options.out, to_views(outputs), {});
  return 0;
}

}  // namespace alambic
