#include "alambic/model/pretrained.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/files.h"
#include "alambic/base/log.h"
#include "alambic/io/generation_config.h"
#include "alambic/kernels/device.h"
#include "alambic/kernels/device_graph.h"
#include "alambic/tensor/device.h"
#include "alambic/text/tokenizer/adapter_tokenizer.h"
#include "alambic/text/tokenizer/load_tokenizer.h"

namespace alambic {

LoadOptions prepare_machine(const MachineOptions& machine) {
  set_threads(machine.threads);
  const at::Device device = choose_device(machine.device);
  kernels::open_device_kernels(device);
  kernels::open_device_graphs(device);
  return {.device = device, .dtype = choose_dtype(machine.dtype, device), .frozen = true};
}

namespace {

std::vector<int32_t> stop_tokens(const Pretrained& loaded) {
  std::vector<int32_t> ids = eos_token_ids(loaded.generation_config);
  if (ids.empty()) ids = eos_token_ids(loaded.model->config);
  if (loaded.tokenizer.eos()) ids.push_back(*loaded.tokenizer.eos());
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
  return ids;
}

}  // namespace

Pretrained from_pretrained(const std::string& folder, const LoadOptions& options) {
  const std::string tokenizer = tokenizer_folder(folder, options.adapter);
  if (tokenizer != folder) say("{}: its tokenizer takes the place of the model's", tokenizer);
  Pretrained loaded{.model = load_model(folder, options),
                    .tokenizer = load_tokenizer(tokenizer),
                    .generation_config = read_generation_config(folder)};
  loaded.stop_tokens = stop_tokens(loaded);
  loaded.vocabulary = loaded.tokenizer.size();
  const int64_t rows = loaded.model->shape().vocabulary;
  if (loaded.vocabulary > rows) {
    throw input_error("{}: the tokenizer has {} tokens, but the model's vocabulary is {}", folder,
                      loaded.vocabulary, rows)
        .with_hint("tokenizer.json and config.json are not of the same model");
  }
  return loaded;
}

void check_same_vocabulary(const Pretrained& student, const Pretrained& teacher,
                           const std::string& student_folder, const std::string& teacher_folder) {
  const std::string difference =
      describe_difference(student.tokenizer, teacher.tokenizer, "the student", "the teacher");
  if (difference.empty()) return;
  throw input_error("cannot distill {} into {}: their vocabularies differ: {}", teacher_folder,
                    student_folder, difference)
      .with_hint(
          "the teacher grades token by token, so both need the same tokenizer: choose a "
          "student of the teacher's family, or make one with `alambic init --tokenizer`; `alambic "
          "distill --cross-tokenizer span` grades runs of tokens that write the same bytes");
}

void export_model(Pretrained& loaded, const std::string& folder, const std::string& card,
                  DtypeChoice save_dtype, LayerWeights* layers) {
  const auto dtype = save_dtype == DtypeChoice::automatic
                         ? loaded.model->options().dtype().toScalarType()
                         : choose_dtype(save_dtype, at::kCPU);
  save_model(*loaded.model, folder, loaded.generation_config, dtype, layers);
  loaded.tokenizer.save_to(folder);
  write_file(fs::path(folder) / "README.md", card);
}

}  // namespace alambic
