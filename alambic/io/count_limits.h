// Limits of a configuration's counts: nothing may be built, or looped over, by a number that stands
// in config.json alone.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "alambic/io/tensor_view.h"

namespace alambic {

/// Quantity of the files that a count of a configuration is held against.
enum class CountKind {
  layers,
  experts,  ///< experts of one layer
  size,     ///< a dimension of tensors, or a divisor of one: widths, heads, the vocabulary
};

/// The largest counts that a configuration may have; as they stand, those of a model that has no
/// files yet.
struct CountLimits {
  int64_t layers = 4096, experts = 4096, size = int64_t{1} << 24;
  bool of_files = false;  ///< read off tensors' names and shapes

  int64_t of(CountKind kind) const;
};

/// Limits by tensors under the names of a Hugging Face folder or of GGUF: the layers and experts
/// that the names number (stacked experts: the first dimension; none: what a model without files
/// may have, for configurations tell of experts that no layer has), and the largest dimension of
/// all. Reads no bytes of the tensors.
CountLimits limits_of(const std::vector<TensorView>& tensors);

/// An input error "cannot read `where`: …" where `value` is beyond the limit; it calls the count
/// `name`, as in "\"num_hidden_layers\"", and tells what the files hold.
void check_count(const CountLimits& limits, CountKind kind, int64_t value, const std::string& name,
                 const std::string& where);

/// The same of the counts of a config.json, or of its "text_config", that mean the same in every
/// family: layers, width, heads, vocabulary.
void check_counts(const CountLimits& limits, const nlohmann::ordered_json& config,
                  const std::string& where);

}  // namespace alambic
