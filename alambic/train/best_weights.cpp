#include "alambic/train/best_weights.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/base/sha256.h"
#include "alambic/dist/layer_stream.h"
#include "alambic/io/safetensors.h"
#include "alambic/nn/layer_of_name.h"
#include "alambic/tensor/view.h"
#include "alambic/train/checkpoint.h"
#include "alambic/train/part_files.h"

namespace alambic {
namespace {

// What decides where no --best-metric is given: the first that a validation has.
constexpr std::array best_metrics = {"valid_loss", "valid_reverse_kl", "valid_exact_match"};

// Shares of what is right; of all other figures less is better.
bool more_is_better(const std::string& metric) {
  constexpr std::array shares = {"valid_exact_match", "valid_agreement", "valid_rouge_l"};
  return std::ranges::find(shares, metric) != shares.end();
}

std::optional<double> figure(const Metrics& figures, const std::string& name) {
  for (const auto& [other, value] : figures) {
    if (other == name) return value;
  }
  return std::nullopt;
}

std::string deciding_metric(const std::string& chosen, const Metrics& figures) {
  if (!chosen.empty()) {
    if (figure(figures, chosen)) return chosen;
  } else {
    for (const char* name : best_metrics) {
      if (figure(figures, name)) return name;
    }
  }
  std::vector<std::string> names;
  for (const auto& [name, value] : figures) names.push_back(name);
  const std::string near = nearest_name(chosen, names);
  throw input_error("--best-metric {}: a validation of this run has no such figure; it has {}",
                    chosen.empty() ? "is missing" : chosen, join(names))
      .with_hint(near.empty() ? "name one of them" : fmt::format("did you mean {}?", near));
}

void write_weights(const fs::path& file, const AdamW& optimizer) {
  const LayerWeights* const layers = optimizer.layers();
  LayerStream stream(optimizer.layers());
  std::vector<TensorSource> tensors;
  for (const auto& [name, weight] : optimizer.weights()) {
    const auto make = [&stream, layer = layer_of_name(name), weight = weight] {
      stream.at(layer);
      return weight.detach();
    };
    tensors.push_back(
        source_of(name, weight.scalar_type(),
                  layers == nullptr ? weight.sizes().vec() : layers->whole_shape(weight), make));
  }
  write_safetensors(file, std::move(tensors), {{"format", "pt"}});
}

}  // namespace

BestWeights::BestWeights(const TrainingOptions& options, fs::path checkpoints, const World& world)
    : options_(options), checkpoints_(std::move(checkpoints)), world_(world) {}

void BestWeights::see(int64_t step, const Metrics& validation, const AdamW& optimizer) {
  if (!watches()) return;
  const std::string metric = deciding_metric(options_.best_metric, validation);
  const double value = *figure(validation, metric);
  const bool better =
      std::isfinite(value) &&
      (!best_ || (more_is_better(metric) ? value > best_->value : value < best_->value));
  if (!better) {
    if (best_) ++best_->since;
    return;
  }
  const int64_t before = best_ ? best_->step : 0;
  best_ = {.metric = metric, .value = value, .step = step, .figures = validation};
  if (!options_.load_best) return;
  if (!world_.leads()) {
    if (optimizer.layers() != nullptr) optimizer.layers()->follow_stream();
    return;
  }
  make_folder(checkpoints_);
  const fs::path file = best_weights_file(checkpoints_, step);
  write_weights(file, optimizer);
  best_->sha256 = sha256_file(file);
  // Those before are a checkpoint's to go on from; where there is none they are of no use.
  if (before > 0 && !has_checkpoint(checkpoints_)) {
    remove_file(best_weights_file(checkpoints_, before));
  }
}

bool BestWeights::patience_is_over() const {
  return options_.early_stopping > 0 && best_ && best_->since >= options_.early_stopping;
}

std::optional<Metrics> BestWeights::load(AdamW& optimizer) const {
  if (!options_.load_best || !best_) return std::nullopt;
  const fs::path file = best_weights_file(checkpoints_, best_->step);
  world_.wait_for_all("loading the best weights");
  read_parts({file}, optimizer.weights_here());
  world_.wait_for_all("loading the best weights");
  // Nothing goes on from it without a checkpoint.
  if (world_.leads() && !has_checkpoint(checkpoints_)) remove_file(file);
  say("the weights after step {} are the best: {} {:.6g}", best_->step, best_->metric,
      best_->value);
  return best_->figures;
}

}  // namespace alambic
