// The model families: one file each and a line in families.def (docs/add_a_family.md).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "alambic/io/count_limits.h"
#include "alambic/model/model.h"

namespace alambic {

/// Builds the model that config.json describes, all tensors without data. `where` names the file
/// in errors. An unknown architecture is an input error that lists the known ones; a count beyond
/// `limits`, one that names the key. `layers` are built instead of as many as config.json says; 0:
/// as it says.
std::unique_ptr<Model> make_model(const Json& config, const std::string& where,
                                  const CountLimits& limits = {}, int64_t layers = 0);

/// "LlamaForCausalLM", …
std::vector<std::string> known_architectures();

}  // namespace alambic
