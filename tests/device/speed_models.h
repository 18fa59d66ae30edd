// What `device_test --speed` times: sizes, and random models of them.
#pragma once

#include "alambic/io/dtype.h"
#include "alambic/model/model.h"

namespace alambic {

struct Workload {
  Json config;
  at::ScalarType dtype;
  int64_t sequences, length, decoded, repeats;
  std::vector<Dtype> packed;  ///< formats of packed weights, whose blocks fit the widths

  int64_t size(const char* name) const { return config.at(name).get<int64_t>(); }
  int64_t vocabulary() const { return size("vocab_size"); }
};

/// An 8B model's layers, eight of them ("8b"), and the same ways in a size for a simulated device
/// ("tiny"); an input error for another name.
Workload workload(const std::string& shape);

/// The same with widths that FP8 products take (kernels/device_fp8.h), where it has others.
Workload in_whole_tiles(const Workload& work);

/// A model with experts, and what a pass of it reads.
struct ExpertFamily {
  std::string name;  ///< model_type
  Workload work;
  int64_t experts, chosen;    ///< of a layer; a token
  int64_t expert_parameters;  ///< of all experts that tokens choose
  int64_t entry;              ///< bytes that a token leaves in the cache, of all layers
};

/// Four layers of Qwen3-30B-A3B, and of Moonlight-16B-A3B, DeepSeek-V3's family; or tiny ones.
std::vector<ExpertFamily> expert_families(const Workload& work);

std::shared_ptr<Model> random_on_device(const Workload& work, at::Device device, bool trainable);

/// The same model with packed weights: the same random rows again and again. FP8 weights have tiles
/// of 128 × 128, and products with many rows are FP8 too. Bytes of them are added to `bytes`.
std::shared_ptr<Model> packed_on_device(const Workload& work, at::Device device, Dtype dtype,
                                        int64_t& bytes);

}  // namespace alambic
