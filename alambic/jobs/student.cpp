#include "alambic/jobs/student.h"

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
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

// "LoRA of rank 8, alpha 16, on q_proj, v_proj"
std::string adapter_text(const LoraOptions& lora) {
  return fmt::format("{}{} of rank {}, alpha {}, on {}", lora.rslora ? "rank-stabilized " : "",
                     lora.dora ? "DoRA" : "LoRA", lora.rank, lora.alpha,
                     lora.targets.empty() ? "all-linear" : join(lora.targets));
}

}  // namespace

int64_t trained_parameters(Model& model) {
  int64_t count = 0;
  model.visit([&](const std::string&, Tensor& tensor) {
    if (tensor.requires_grad()) count += tensor.numel();
  });
  return count;
}

void select_trained(Model& model, const TrainableOptions& what, uint64_t seed) {
  check_effects(what);
  model.set_trainable(true);
  if (what.lora.rank > 0) attach_adapter(model, what.lora, seed);
  if (what.freeze == "embeddings") freeze_embeddings(model);
}

Pretrained load_student(const std::string& folder, LoadOptions load, const TrainableOptions& what,
                        uint64_t seed) {
  load.trainable = true;
  Pretrained student = from_pretrained(folder, load);
  Model& model = *student.model;
  select_trained(model, what, seed);
  const int64_t trained = trained_parameters(model), all = model.parameters();
  if (trained < all) {
    say("{} of {} parameters are trained", human_count(static_cast<double>(trained)),
        human_count(static_cast<double>(all)));
  }
  return student;
}

void export_student(Pretrained& student, const std::string& folder, const TrainableOptions& what,
                    const fs::path& run, ModelCard card, const std::string& save_dtype) {
  if (what.freeze != "nothing") card.facts.emplace_back("kept as it was", what.freeze);
  if (what.lora.rank > 0) {
    card.facts.emplace_back("trained", adapter_text(what.lora));
    save_adapter(*student.model, what.lora, folder, run / "adapter");
    ModelCard beside = card;
    beside.library = "peft";
    write_file(run / "adapter" / "README.md", model_card(beside));
    merge_adapter(*student.model);
  }
  export_model(student, run / "model", model_card(card), save_dtype);
}

}  // namespace alambic
