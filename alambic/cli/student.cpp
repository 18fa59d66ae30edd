#include "alambic/cli/student.h"

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/units.h"

namespace alambic {

namespace {

void check_effects(const TrainableOptions& what) {
  const LoraOptions& lora = what.lora;
  const LoraOptions defaults;
  if (lora.rank > 0) {
    if (what.freeze == "nothing") return;
    throw input_error("--freeze {} has no effect with --lora-rank: an adapter freezes everything",
                      what.freeze);
  }
  const std::pair<bool, const char*> given[] = {{lora.alpha != defaults.alpha, "--lora-alpha"},
                                                {lora.dropout != 0, "--lora-dropout"},
                                                {!lora.targets.empty(), "--lora-targets"},
                                                {lora.rslora, "--rslora"},
                                                {lora.dora, "--dora"}};
  for (const auto& [changed, name] : given) {
    if (!changed) continue;
    throw input_error("{} has no effect without --lora-rank", name)
        .with_hint("--lora-rank 16 trains an adapter of rank 16");
  }
}

int64_t trained_parameters(Model& model) {
  int64_t count = 0;
  model.visit([&](const std::string&, Tensor& tensor) {
    if (tensor.requires_grad()) count += tensor.numel();
  });
  return count;
}

}  // namespace

LoadedModel load_student(const std::string& folder, LoadOptions load, const TrainableOptions& what,
                         uint64_t seed) {
  check_effects(what);
  load.trainable = true;
  LoadedModel student = load_with_tokenizer(folder, load);
  Model& model = *student.model;
  if (what.lora.rank > 0) attach_adapter(model, what.lora, seed);
  if (what.freeze == "embeddings") freeze_embeddings(model);
  const int64_t trained = trained_parameters(model), all = model.parameters();
  if (trained < all) {
    say("{} of {} parameters are trained", human_count(static_cast<double>(trained)),
        human_count(static_cast<double>(all)));
  }
  return student;
}

void export_student(LoadedModel& student, const std::string& folder, const TrainableOptions& what,
                    const fs::path& run, const std::string& card, const std::string& save_dtype) {
  if (what.lora.rank > 0) {
    save_adapter(*student.model, what.lora, folder, run / "adapter");
    merge_adapter(*student.model);
  }
  export_model(student, run / "model", card, save_dtype);
}

}  // namespace alambic
