#include "alambic/train/checkpoint.h"

#include <algorithm>
#include <set>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/files.h"
#include "alambic/base/json_fields.h"
#include "alambic/base/json_object.h"
#include "alambic/base/log.h"
#include "alambic/base/sha256.h"
#include "alambic/io/safetensors.h"
#include "alambic/tensor/view.h"

namespace alambic {

namespace {

constexpr const char* weights_name = "model.safetensors";
constexpr const char* optimizer_name = "optimizer.safetensors";
constexpr const char* state_name = "state.json";

std::string checkpoint_name(int64_t steps) { return fmt::format("step-{:08}", steps); }

// Sizes and digests of the checkpoint's files; written last, read first.
void write_manifest(const fs::path& folder) {
  Json manifest = {{"format", 1}, {"files", Json::object()}};
  for (const char* name : {weights_name, optimizer_name, state_name}) {
    manifest["files"][name] = {{"bytes", file_bytes(folder / name)},
                               {"sha256", sha256_file(folder / name)}};
  }
  write_file(folder / "manifest.json", manifest.dump(2) + "\n");
}

void check_manifest(const fs::path& folder) {
  const Json manifest = Json::parse(read_file(folder / "manifest.json"), nullptr, false);
  if (!manifest.is_object() || !manifest.contains("files")) {
    throw input_error("{}/manifest.json is not a manifest", folder.string());
  }
  const JsonFields fields{manifest, (folder / "manifest.json").string()};
  const JsonFields files = fields.object("files");
  for (const char* name : {weights_name, optimizer_name, state_name}) {
    const JsonFields entry = files.object(name);
    const fs::path file = folder / name;
    const double bytes = static_cast<double>(file_bytes(file)), expected = entry.number("bytes", 0);
    if (bytes != expected) {
      throw input_error("{} is not what the manifest says: it has {} bytes, expected {}",
                        file.string(), bytes, expected);
    }
    if (sha256_file(file) != entry.text("sha256", "")) {
      throw input_error("{} is not what the manifest says: its digest differs", file.string());
    }
  }
}

// Removal of the folders that a crash while saving left behind.
void remove_half_written(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const fs::path& entry : list_folder(folder)) {
    if (entry.filename().string().find(".tmp-") != std::string::npos) {
      found.push_back(entry);
    }
  }
  for (const fs::path& path : found) remove_path(path);
}

std::vector<fs::path> newest_first(const fs::path& folder) {
  std::vector<fs::path> checkpoints;
  if (!path_exists(folder)) return checkpoints;
  for (const fs::path& entry : list_folder(folder)) {
    const std::string name = entry.filename();
    if (name.starts_with("step-") && name.find(".tmp-") == std::string::npos) {
      checkpoints.push_back(entry);
    }
  }
  std::ranges::sort(checkpoints, std::greater<>());
  return checkpoints;
}

SafetensorsFile open_saved(const fs::path& file, size_t count) {
  SafetensorsFile saved = SafetensorsFile::open(file);
  if (saved.tensors().size() == count) return saved;
  throw input_error("{} holds {} tensors, this run has {}", file.string(), saved.tensors().size(),
                    count);
}

const TensorView& saved_tensor(const SafetensorsFile& saved, const fs::path& file,
                               const std::string& name, const std::vector<int64_t>& shape) {
  const TensorView* view = saved.find(name);
  if (view != nullptr && view->shape == shape) return *view;
  throw input_error("{} has no tensor {} of this run's shape", file.string(), name);
}

/// Copies what this rank has of a file's tensors, strict both ways.
void restore_state(const fs::path& file, const std::vector<OptimizerTensor>& targets) {
  const at::NoGradGuard no_grad;
  const SafetensorsFile saved = open_saved(file, targets.size());
  for (const OptimizerTensor& target : targets) {
    const TensorView& view = saved_tensor(saved, file, target.name, target.shape);
    const Tensor whole = to_tensor(view, target.part.scalar_type(), target.part.device());
    Tensor part = target.part;
    part.copy_(part.numel() == whole.numel()
                   ? whole.view(part.sizes())
                   : whole.view({-1}).narrow(0, target.first, part.numel()));
  }
}

TrainingState load_one(const fs::path& folder, AdamW& optimizer) {
  check_manifest(folder);
  const Json json = read_json_object(folder / state_name);
  const JsonFields state{json, (folder / state_name).string()};
  std::optional<BestValidation> best = best_of(json);
  if (best) check_best_weights(folder.parent_path(), *best);
  restore_tensors(folder / weights_name, optimizer.weights());
  restore_state(folder / optimizer_name, optimizer.state());
  optimizer.set_steps(state.integer("optimizer_steps"));
  const JsonFields log = state.object("log");
  return {.step = state.integer("step"),
          .seconds = state.number("seconds"),
          .best = std::move(best),
          .log = {log.integer("lines", 0), log.text("hash", "")}};
}

// Error about the newest of the checkpoints, where none can be used.
Error why_unusable(const fs::path& checkpoint, const std::exception& error) {
  const auto* own = dynamic_cast<const Error*>(&error);
  const bool of_system = dynamic_cast<const fs::filesystem_error*>(&error) != nullptr;
  return Error(
      own != nullptr ? own->exit()
      : of_system    ? Exit::environment
                     : Exit::input,
      fmt::format("no checkpoint of {} can be used; the newest, {}: {}",
                  checkpoint.parent_path().string(), checkpoint.filename().string(), error.what()),
      "start again with --overwrite, or bring the files back");
}

// Weights of validations that were the best once and that no checkpoint goes on from.
void remove_other_bests(const fs::path& folder, const std::vector<fs::path>& checkpoints) {
  std::set<fs::path> named;
  for (const fs::path& checkpoint : checkpoints) {
    const Json state = Json::parse(read_file(checkpoint / state_name), nullptr, false);
    if (const auto best = best_of(state)) named.insert(best_weights_file(folder, best->step));
  }
  for (const fs::path& entry : list_folder(folder)) {
    if (is_best_weights(entry) && !named.contains(entry)) remove_path(entry);
  }
}

}  // namespace

void restore_tensors(const fs::path& file, const NamedTensors& targets) {
  const at::NoGradGuard no_grad;
  const SafetensorsFile saved = open_saved(file, targets.size());
  for (const auto& [name, target] : targets) {
    const TensorView& view = saved_tensor(saved, file, name, target.sizes().vec());
    Tensor destination = target;
    destination.copy_(to_tensor(view, target.scalar_type(), target.device()));
  }
}

void save_checkpoint(const fs::path& folder, const AdamW& optimizer, const TrainingState& state,
                     int64_t keep) {
  auto moments = optimizer.whole_state();
  if (!optimizer.leads()) return;
  const std::string name = checkpoint_name(state.step);
  const fs::path temporary = folder / fmt::format("{}.tmp-{}", name, ::getpid());
  make_folder(folder);
  remove_half_written(folder);
  make_folder(temporary);
  // Frozen tensors come from the model's folder again.
  auto weights = optimizer.weights();
  write_safetensors(temporary / weights_name, to_views(weights), {{"format", "pt"}});
  write_safetensors(temporary / optimizer_name, to_views(moments), {});
  Json json = {
      {"step", state.step}, {"optimizer_steps", optimizer.steps()}, {"seconds", state.seconds}};
  if (state.best) json["best"] = json_of(*state.best);
  if (state.log.lines > 0) json["log"] = {{"lines", state.log.lines}, {"hash", state.log.hash}};
  write_file(temporary / state_name, json.dump(2) + "\n");
  write_manifest(temporary);
  remove_path(folder / name);  // a folder of an earlier attempt at this step
  move_path(temporary, folder / name);
  sync_folder(folder);
  const std::vector<fs::path> checkpoints = newest_first(folder);
  // A later one is damaged, or this run would have gone on from it; kept, it would push this one
  // out.
  const auto own = std::ranges::find(checkpoints, folder / name);
  for (auto other = checkpoints.begin(); other != checkpoints.end(); ++other) {
    if (other < own || other - own >= keep) remove_path(*other);
  }
  remove_other_bests(folder, newest_first(folder));
}

bool has_checkpoint(const fs::path& folder) { return !newest_first(folder).empty(); }

std::optional<TrainingState> load_checkpoint(const fs::path& folder, AdamW& optimizer,
                                             int64_t max_steps) {
  const std::string last = checkpoint_name(max_steps);
  std::optional<Error> newest;
  for (const fs::path& checkpoint : newest_first(folder)) {
    if (max_steps < INT64_MAX && checkpoint.filename().string() > last) continue;
    try {
      return load_one(checkpoint, optimizer);
    } catch (const std::exception& error) {
      warn("checkpoint {} cannot be used: {}", checkpoint.string(), error.what());
      if (!newest) newest = why_unusable(checkpoint, error);
    }
  }
  if (!newest) return {};
  throw *newest;
}

}  // namespace alambic
