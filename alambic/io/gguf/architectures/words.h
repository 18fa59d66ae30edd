// Helpers for what families say in words (GgufWords): values of a config.json whose types its
// author chose, and refusals of what llama.cpp has not.
#pragma once

#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/io/gguf/architectures/tables.h"
#include "alambic/io/gguf/gguf.h"

namespace alambic::gguf {

using Json = nlohmann::ordered_json;

/// Whether the key is present and not null.
bool has(const Json& config, std::string_view key);
/// Value of a key; null when it is absent.
const Json& value_of(const Json& config, std::string_view key);
/// The value, or `otherwise` when it is absent. The keys of a completed configuration
/// (complete_config.h) have their types.
double number_or(const Json& config, const char* key, double otherwise);
int64_t integer_or(const Json& config, const char* key, int64_t otherwise);
bool flag_or(const Json& config, const char* key, bool otherwise);
std::string text_or(const Json& config, const char* key, const std::string& otherwise);

/// A size from 1 to 2^31 - 1; an input error for anything else.
uint32_t size_of(const Json& config, const std::string& key, const std::string& where);

/// "cannot convert `where` to GGUF: `key` is `found`, but llama.cpp has only `expected`".
Error refusal(const std::string& where, const std::string& key, const Json& found,
              const std::string& expected);

/// Sets "architectures" and "model_type".
void name_model(Json& config, const char* architecture, const char* model_type);

/// "layer_types" of `count` layers: full attention in the last of every `period`, windows in the
/// rest.
Json alternating_types(int64_t count, int64_t period);
/// The same as a file says it: attention.sliding_window_pattern, a period or a list of a flag a
/// layer, else `period`.
Json read_layer_types(const GgufReading& from, int64_t count, int64_t period);
/// Adds "layer_types" to the metadata where they are not those of `period`. Refuses other types.
void add_layer_types(const GgufWriting& to, const Json& config, int64_t period);

/// Sets "partial_rotary_factor" even where the whole head turns.
void tell_rotary_share(Json& rope);

}  // namespace alambic::gguf
