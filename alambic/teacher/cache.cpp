#include "alambic/teacher/cache.h"

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/sha256.h"
#include "alambic/tensor/view.h"

namespace alambic {
namespace {

constexpr int64_t kKeyLength = 64;
constexpr const char* kAdvice =
    "delete the cache's folder and let the run fill it again, or name another folder";

const TensorView& part_tensor(const SafetensorsFile& file, const fs::path& path, const char* name,
                              Dtype dtype, int64_t rows, int64_t columns) {
  const TensorView* view = file.find(name);
  const std::vector<int64_t> shape =
      columns == 0 ? std::vector<int64_t>{rows} : std::vector<int64_t>{rows, columns};
  if (view == nullptr || view->dtype != dtype || view->shape != shape) {
    throw input_error("cannot read {}: it has no tensor \"{}\" of {} rows as the manifest has it",
                      path.string(), name, rows)
        .with_hint(kAdvice);
  }
  return *view;
}

}  // namespace

std::vector<std::string> sequence_keys(const Rollouts& rollouts) {
  const Tensor tokens_N = rollouts.sequences.tokens_N.to(at::kCPU, at::kLong).contiguous();
  const Tensor completion_mask_N = rollouts.completion_mask_N.to(at::kCPU).contiguous();
  const auto* tokens = reinterpret_cast<const char*>(tokens_N.const_data_ptr<int64_t>());
  const auto* graded = reinterpret_cast<const char*>(completion_mask_N.const_data_ptr<bool>());
  std::vector<std::string> keys;
  for (int64_t s = 0; s < rollouts.sequences.sequences(); ++s) {
    const int64_t begin = rollouts.sequences.offsets[s], length = rollouts.sequences.length(s);
    std::string bytes(tokens + begin * 8, length * 8);
    bytes.append(graded + begin, length);
    keys.push_back(sha256(bytes));
  }
  return keys;
}

TeacherCache::TeacherCache(fs::path folder, CacheManifest needed)
    : folder_(std::move(folder)), manifest_(std::move(needed)) {
  const fs::path file = folder_ / "manifest.json";
  if (!path_exists(file)) {
    if (path_exists(folder_) && !is_folder(folder_)) {
      throw input_error("{} is not a folder", folder_.string());
    }
    if (path_exists(folder_) && !is_empty_folder(folder_)) {
      throw input_error("{} is not a teacher cache: it holds other things and no manifest.json",
                        folder_.string())
          .with_hint("name a folder that is empty or not there yet");
    }
    return;
  }
  CacheManifest stored = CacheManifest::read(file);
  check_same(stored);
  manifest_ = std::move(stored);
  for (const CacheManifest::Part& part : manifest_.parts) open_part(part);
}

void TeacherCache::check_same(const CacheManifest& stored) const {
  const std::string difference = describe_difference(stored, manifest_);
  if (difference.empty()) return;
  throw input_error("the teacher cache {} was made otherwise: {}", folder_.string(), difference)
      .with_hint("it was filled by " + stored.teacher + "; give this run another folder");
}

void TeacherCache::open_part(const CacheManifest::Part& part) {
  const fs::path path = folder_ / part.file;
  if (!is_file(path)) {
    throw input_error("the teacher cache {} lacks {}, which its manifest names", folder_.string(),
                      part.file)
        .with_hint(kAdvice);
  }
  if (sha256_file(path) != part.sha256) {
    throw input_error("{} is damaged: its bytes are not those that the manifest names",
                      path.string())
        .with_hint(kAdvice);
  }
  const auto file = std::make_shared<SafetensorsFile>(SafetensorsFile::open(path));
  const int64_t S = part.sequences, P = part.positions;
  const TensorView& keys = part_tensor(*file, path, "keys", Dtype::U8, S, kKeyLength);
  const TensorView& offsets = part_tensor(*file, path, "offsets", Dtype::I64, S + 1, 0);
  if (manifest_.form == CacheForm::hidden) {
    const Dtype dtype = manifest_.dtype == "float32" ? Dtype::F32 : Dtype::BF16;
    part_tensor(*file, path, "hidden", dtype, P, manifest_.width);
  } else {
    part_tensor(*file, path, "topk_logp", Dtype::F32, P, manifest_.topk);
    part_tensor(*file, path, "topk_token", Dtype::I32, P, manifest_.topk);
  }
  const Tensor rows = to_tensor(offsets, at::kLong, at::kCPU);
  const auto* row = rows.const_data_ptr<int64_t>();
  for (int64_t s = 0; s < S; ++s) {
    if (row[s] < 0 || row[s] > row[s + 1] || row[s + 1] > P) {
      throw input_error("{}: its offsets do not rise within {} rows", path.string(), P)
          .with_hint(kAdvice);
    }
    const auto* key = reinterpret_cast<const char*>(keys.bytes.data()) + s * kKeyLength;
    places_.emplace(std::string(key, kKeyLength),
                    Place{.part = parts_.size(), .begin = row[s], .end = row[s + 1]});
  }
  parts_.push_back(file);
}

Tensor TeacherCache::gather(const std::vector<Place>& places, const std::string& name,
                            at::ScalarType dtype, at::Device device) const {
  std::vector<Tensor> pieces;
  for (const Place& place : places) {
    TensorView rows = *parts_[place.part]->find(name);
    const size_t row_bytes = byte_size(rows.dtype, {1, rows.shape[1]}).value();
    rows.bytes = rows.bytes.subspan(place.begin * row_bytes, (place.end - place.begin) * row_bytes);
    rows.shape[0] = place.end - place.begin;
    pieces.push_back(to_tensor(rows, dtype, at::kCPU));
  }
  return at::cat(pieces).to(device);
}

TeacherOutput TeacherCache::read(const Rollouts& rollouts) const {
  std::vector<Place> places;
  for (const std::string& key : sequence_keys(rollouts)) {
    const auto place = places_.find(key);
    if (place == places_.end()) {
      throw input_error("the teacher cache {} has no grades of a sequence that this step needs",
                        folder_.string())
          .with_hint("a cache holds given completions; the student's own need a live teacher");
    }
    places.push_back(place->second);
  }
  const at::Device device = rollouts.sequences.tokens_N.device();
  if (manifest_.form == CacheForm::hidden) {
    const auto dtype = manifest_.dtype == "float32" ? at::kFloat : at::kBFloat16;
    return HiddenStates{.hidden_MD = gather(places, "hidden", dtype, device)};
  }
  return TopK{.logp_MK = gather(places, "topk_logp", at::kFloat, device),
              .token_MK = gather(places, "topk_token", at::kLong, device)};
}

}  // namespace alambic
