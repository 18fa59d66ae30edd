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
#include "alambic/train/part_files.h"

namespace alambic {

namespace {

constexpr const char* weights_stem = "model";
constexpr const char* optimizer_stem = "optimizer";
constexpr const char* state_name = "state.json";

std::string checkpoint_name(int64_t steps) { return fmt::format("step-{:08}", steps); }

// Size and digest of a file as the manifest has them.
Json vouched(const fs::path& file) {
  return {{"bytes", file_bytes(file)}, {"sha256", sha256_file(file)}};
}

// The files of a checkpoint, which are what its manifest says. Every rank looks at some of the
// digests.
std::vector<fs::path> vouched_files(const fs::path& folder, const World& world) {
  const fs::path path = folder / "manifest.json";
  const Json manifest = Json::parse(read_file(path), nullptr, false);
  if (!manifest.is_object() || !manifest.contains("files")) {
    throw input_error("{} is not a manifest", path.string());
  }
  const JsonFields fields{manifest, path.string()};
  const JsonFields files = fields.object("files");
  std::vector<fs::path> paths;
  for (const auto& item : manifest["files"].items()) {
    const std::string& name = item.key();
    const JsonFields entry = files.object(name.c_str());
    const fs::path file = folder / name;
    const double bytes = static_cast<double>(file_bytes(file)), expected = entry.number("bytes", 0);
    if (bytes != expected) {
      throw input_error("{} is not what the manifest says: it has {} bytes, expected {}",
                        file.string(), bytes, expected);
    }
    const bool own = std::ssize(paths) % world.size() == world.rank();
    if (own && sha256_file(file) != entry.text("sha256", "")) {
      throw input_error("{} is not what the manifest says: its digest differs", file.string());
    }
    paths.push_back(file);
  }
  if (std::ranges::find(paths, folder / state_name) == paths.end()) {
    throw input_error("{} does not name {}", path.string(), state_name);
  }
  return paths;
}

std::vector<fs::path> with_stem(const std::vector<fs::path>& files, const std::string& stem) {
  std::vector<fs::path> chosen = files;
  std::erase_if(chosen, [&](const fs::path& file) { return !is_part_file(file.filename(), stem); });
  return chosen;
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

TrainingState load_one(const fs::path& folder, AdamW& optimizer) {
  const std::vector<fs::path> files = vouched_files(folder, optimizer.world());
  const Json json = read_json_object(folder / state_name);
  const JsonFields state{json, (folder / state_name).string()};
  std::optional<BestValidation> best = best_of(json);
  if (best) check_best_weights(folder.parent_path(), *best);
  read_parts(with_stem(files, weights_stem), optimizer.weights_here());
  read_parts(with_stem(files, optimizer_stem), optimizer.state());
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

// What a rank tells of its files: their entries in the manifest, or why it could not write them.
struct RankFiles {
  Json files = Json::object();
  std::optional<Error> error;

  std::string text() const {
    return Json({{"files", files}, {"error", error ? error->what() : ""}}).dump();
  }
};

template <class Act>
void keep_error(RankFiles& own, const Act& act) {
  try {
    act();
  } catch (const Error& error) {
    own.error = error;
  } catch (const std::exception& error) {
    own.error = environment_error("{}", error.what());
  }
}

// All ranks' entries; an error of all where one could not write.
Json files_of_all(const World& world, const RankFiles& own) {
  Json files = Json::object();
  std::string failures;
  const auto texts = world.gather(own.text(), "collecting what was saved");
  for (size_t rank = 0; rank < texts.size(); ++rank) {
    const Json told = Json::parse(texts[rank]);
    files.update(told["files"]);
    const std::string error = told["error"];
    if (!error.empty()) failures += fmt::format("; rank {}: {}", rank, error);
  }
  if (own.error) throw *own.error;
  if (failures.empty()) return files;
  throw environment_error("the checkpoint could not be written{}", failures)
      .with_hint("--resume goes on from the one before");
}

// A disk may be slower than what ranks are given to answer each other.
constexpr double disk_seconds = 24 * 3600.0;

// Writes this rank's files into `folder`, which rank 0 makes; the entries of all ranks' files.
Json write_by_rank(const fs::path& folder, const AdamW& optimizer,
                   const std::function<void()>& progress) {
  const World& world = optimizer.world();
  RankFiles own;
  keep_error(own, [&] {
    const auto write = [&](const char* stem, const std::vector<TensorPart>& parts) {
      const std::string name = part_file(stem, world);
      if (write_parts(folder / name, parts, progress)) own.files[name] = vouched(folder / name);
    };
    // Frozen tensors come from the model's folder again.
    write(weights_stem, optimizer.weight_parts());
    write(optimizer_stem, optimizer.state());
  });
  world.wait_for_all("waiting for the ranks' disks", disk_seconds);
  return files_of_all(world, own);
}

// A new folder for a checkpoint that is not whole yet, made by rank 0.
fs::path make_temporary(const fs::path& folder, const std::string& name, const World& world) {
  RankFiles made;
  std::string temporary = fmt::format("{}.tmp-{}", name, ::getpid());
  if (world.leads()) {
    keep_error(made, [&] {
      make_folder(folder);
      remove_half_written(folder);
      make_folder(folder / temporary);
    });
  }
  temporary = world.from_first(temporary, "beginning a checkpoint");
  files_of_all(world, made);
  return folder / temporary;
}

}  // namespace

void save_checkpoint(const fs::path& folder, const AdamW& optimizer, const TrainingState& state,
                     int64_t keep, const std::function<void()>& progress) {
  const std::string name = checkpoint_name(state.step);
  const fs::path temporary = make_temporary(folder, name, optimizer.world());
  Json files;
  try {
    files = write_by_rank(temporary, optimizer, progress);
  } catch (const Error&) {
    // A disk may be full of it.
    if (optimizer.world().leads()) remove_path(temporary);
    throw;
  }
  if (!optimizer.world().leads()) return;
  Json json = {
      {"step", state.step}, {"optimizer_steps", optimizer.steps()}, {"seconds", state.seconds}};
  if (state.best) json["best"] = json_of(*state.best);
  if (state.log.lines > 0) json["log"] = {{"lines", state.log.lines}, {"hash", state.log.hash}};
  write_file(temporary / state_name, json.dump(2) + "\n");
  files[state_name] = vouched(temporary / state_name);
  const Json manifest = {{"format", 1}, {"files", files}};
  write_file(temporary / "manifest.json", manifest.dump(2) + "\n");
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
