// What the licenses of a run's ingredients ask of those who pass its model on, written beside it.
#pragma once

#include <string>
#include <vector>

#include "alambic/base/files.h"
#include "alambic/jobs/run_facts.h"

namespace alambic {

/// Duties by the policy's verdict, "llama-3.1 (teacher meta-llama/…): display Built with Llama".
std::vector<std::string> duties_of(const nlohmann::json& policy);

/// Into the finished `model`: NOTICE with the duties, where there are any, and in
/// provenance/licenses the license files that lie beside the models the run was made from, and
/// those that such a model keeps of the ones before it.
void write_duties(const fs::path& model, const RunIngredients& of);

}  // namespace alambic
