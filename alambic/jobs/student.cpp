#include "alambic/jobs/student.h"

#include "alambic/base/files.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/base/units.h"
#include "alambic/dist/layer_weights.h"
#include "alambic/jobs/sharding.h"

namespace alambic {

namespace {

// "LoRA of rank 8, alpha 16, on q_proj, v_proj"
std::string adapter_text(const LoraOptions& lora) {
  return fmt::format("{}{} of rank {}, alpha {}, on {}", lora.rslora ? "rank-stabilized " : "",
                     lora.dora ? "DoRA" : "LoRA", lora.rank, lora.alpha,
                     lora.targets.empty() ? "all-linear" : join(lora.targets)) +
         (lora.modules_to_save.empty() ? "" : "; whole: " + join(lora.modules_to_save));
}

}  // namespace

int64_t trained_parameters(Model& model) {
  int64_t count = 0;
  model.visit([&](const std::string&, const Weight& weight) {
    if (weight.requires_grad()) count += weight.numel();
  });
  return count;
}

LoadOptions load_for(const TrainableOptions& what, LoadOptions load) {
  if (what.lora.rank == 0) return load;
  load.lora = what.lora;
  // What is whole on every rank and only read stays packed or in its file.
  if (load.layers != nullptr && !load.layers->comes_and_goes()) load.layers = nullptr;
  return load;
}

void select_trained(Model& model, const TrainableOptions& what, uint64_t seed,
                    LayerWeights* layers) {
  if (what.lora.rank > 0) {
    attach_adapter(model, what.lora, seed, layers);
  } else {
    model.set_trainable(true);
  }
  if (what.freeze == Frozen::embeddings) freeze_embeddings(model);
}

namespace {

void make_trainable(Model& model, const TrainableOptions& what, uint64_t seed,
                    LayerWeights* layers) {
  select_trained(model, what, seed, layers);
  const int64_t trained = trained_parameters(model), all = whole_parameters(model, layers);
  if (trained < all) {
    say("{} of {} parameters are trained", human_count(static_cast<double>(trained)),
        human_count(static_cast<double>(all)));
  }
}

}  // namespace

Pretrained load_student(const std::string& folder, LoadOptions load, const TrainableOptions& what,
                        uint64_t seed) {
  load = load_for(what, load);
  load.trainable = !load.lora;
  Pretrained student = from_pretrained(folder, load);
  make_trainable(*student.model, what, seed, load.layers);
  return student;
}

void load_student_weights(Pretrained& student, const std::string& folder, LoadOptions load,
                          const TrainableOptions& what, uint64_t seed) {
  load = load_for(what, load);
  load.trainable = !load.lora;
  student.model = load_model(folder, load);
  make_trainable(*student.model, what, seed, load.layers);
}

void accompany_export(LayerWeights* layers, const TrainableOptions& what) {
  if (layers == nullptr) return;
  if (what.lora.rank > 0) layers->follow_stream();
  layers->follow_stream();
}

void export_student(Pretrained& student, const std::string& folder, const TrainableOptions& what,
                    const fs::path& run, ModelCard card, DtypeChoice save_dtype,
                    LayerWeights* layers) {
  if (what.freeze == Frozen::embeddings) card.facts.emplace_back("kept as it was", "embeddings");
  if (what.lora.rank > 0) {
    card.facts.emplace_back("trained", adapter_text(what.lora));
    save_adapter(*student.model, what.lora, folder, run / "adapter", layers);
    ModelCard beside = card;
    beside.library = "peft";
    write_file(run / "adapter" / "README.md", model_card(beside));
  }
  export_model(student, run / "model", model_card(card), save_dtype, layers);
}

}  // namespace alambic
