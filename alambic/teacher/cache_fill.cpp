#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/sha256.h"
#include "alambic/teacher/cache.h"
#include "alambic/teacher/topk.h"
#include "alambic/tensor/view.h"

namespace alambic {
namespace {

constexpr int64_t kPartBytes = int64_t{64} << 20;

// Held while a process fills: a second one would write parts of the same names.
std::shared_ptr<FileLock> lock_cache(const fs::path& folder) {
  const fs::path file = folder / "fill.lock";
  if (auto lock = FileLock::try_acquire(file)) return std::make_shared<FileLock>(std::move(*lock));
  throw environment_error("{} is filling the teacher cache {}", FileLock::holder_of(file),
                          folder.string())
      .with_hint("wait until it is done; its grades are then replayed");
}

}  // namespace

// Takes the lock before it looks.
void TeacherCache::begin_filling() {
  make_folder(folder_);
  auto lock = lock_cache(folder_);
  read_added();
  lock_ = std::move(lock);
}

void TeacherCache::read_added() {
  const fs::path file = folder_ / "manifest.json";
  if (!path_exists(file)) return;
  CacheManifest stored = CacheManifest::read(file);
  check_same(stored);
  const auto same = [](const CacheManifest::Part& a, const CacheManifest::Part& b) {
    return a.file == b.file && a.sha256 == b.sha256;
  };
  const auto& mine = manifest_.parts;
  if (stored.parts.size() < mine.size() ||
      !std::equal(mine.begin(), mine.end(), stored.parts.begin(), same)) {
    throw environment_error("the teacher cache {} was made anew meanwhile", folder_.string())
        .with_hint("run the command again");
  }
  manifest_ = std::move(stored);
  while (parts_.size() < manifest_.parts.size()) open_part(manifest_.parts[parts_.size()]);
}

TeacherCache::Columns TeacherCache::columns_of(const HiddenStates& graded) const {
  if (manifest_.form == CacheForm::topk) {
    const TopK kept = topk_of(graded, manifest_.topk, manifest_.temperature);
    return {{"topk_logp", kept.logp_MK.cpu()},
            {"topk_token", kept.token_MK.to(at::kCPU, at::kInt)}};
  }
  const auto dtype = manifest_.dtype == "float32" ? at::kFloat : at::kBFloat16;
  return {{"hidden", graded.hidden_MD.to(at::kCPU, dtype)}};
}

void TeacherCache::fill(const Teacher& teacher, const Rollouts& rollouts) {
  if (!lock_) begin_filling();
  const TeacherOutput output = teacher.evaluate(rollouts);
  const Columns all = columns_of(hidden_states(output));
  const std::vector<std::string> keys = sequence_keys(rollouts);
  const Tensor completion_mask_N = rollouts.completion_mask_N.cpu().to(at::kLong);
  int64_t begin = 0;
  for (size_t s = 0; s < keys.size(); ++s) {
    const int64_t graded =
        completion_mask_N.narrow(0, rollouts.sequences.offsets[s], rollouts.sequences.length(s))
            .sum()
            .item<int64_t>();
    if (!holds(keys[s]) && pending_.seen.insert(keys[s]).second) {
      pending_.keys.push_back(keys[s]);
      pending_.offsets.push_back(pending_.offsets.back() + graded);
      Columns& own = pending_.grades.emplace_back();
      for (const auto& [name, rows] : all) own.emplace_back(name, rows.narrow(0, begin, graded));
    }
    begin += graded;
  }
  if (pending_.offsets.back() * manifest_.bytes_per_position() >= kPartBytes) write_part();
}

void TeacherCache::flush() {
  write_part();
  lock_.reset();
}

void TeacherCache::write_part() {
  if (pending_.keys.empty()) return;
  std::string keys;
  for (const std::string& key : pending_.keys) keys += key;
  const auto S = static_cast<int64_t>(pending_.keys.size());
  Columns tensors = {
      {"keys", at::tensor(std::vector<uint8_t>(keys.begin(), keys.end())).view({S, -1})},
      {"offsets", at::tensor(pending_.offsets, at::kLong)}};
  for (size_t c = 0; c < pending_.grades.front().size(); ++c) {
    std::vector<Tensor> rows;
    for (const Columns& grades : pending_.grades) rows.push_back(grades[c].second);
    tensors.emplace_back(pending_.grades.front()[c].first, at::cat(rows));
  }
  CacheManifest::Part part{.file = fmt::format("part-{:05}.safetensors", parts_.size()),
                           .sequences = S,
                           .positions = pending_.offsets.back()};
  write_safetensors(folder_ / part.file, to_views(tensors), {});
  part.sha256 = sha256_file(folder_ / part.file);
  manifest_.parts.push_back(part);
  write_file(folder_ / "manifest.json", manifest_.json());
  open_part(part);
  pending_ = {};
}

}  // namespace alambic
