// Small models with fixed random weights: what `alambic selftest` and the tests of the rooms above
// model/ run.
#pragma once

#include <memory>

#include "alambic/model/families.h"

namespace alambic {

/// Two layers, width 32, four heads with two key/value heads, context of 64 positions.
Json small_llama_config(int64_t vocabulary = 50);

/// Two layers, width 32, four heads, context of 64 positions.
Json small_gpt2_config(int64_t vocabulary = 50);

/// Fills every tensor with values that depend on the seed, the tensor's place in visit() and the
/// element alone. Matrices have the standard deviation 1 / sqrt(columns) times `spread`, which
/// makes next-token distributions neither flat nor certain; norms lie around one and biases
/// around zero.
void fill(Model& model, uint64_t seed = 1, double spread = 1.5, at::ScalarType dtype = at::kFloat);

/// A filled model on the CPU.
std::unique_ptr<Model> random_model(const Json& config, uint64_t seed = 1, double spread = 1.5,
                                    at::ScalarType dtype = at::kFloat);

}  // namespace alambic
