#include "alambic/io/generation_settings.h"

#include <cmath>
#include <limits>

#include "alambic/base/error.h"
#include "alambic/base/json_fields.h"
#include "alambic/base/names.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

// Keys of transformers' GenerationConfig that change the tokens that are drawn, with the value that
// does not (null is one for each).
struct Neutral {
  const char* key;
  Json value;
};

const std::vector<Neutral>& neutral_values() {
  static const std::vector<Neutral> values = {{"do_sample", true},
                                              {"temperature", 1.0},
                                              {"top_k", 0},
                                              {"top_p", 1.0},
                                              {"min_p", 0.0},
                                              {"top_h", nullptr},
                                              {"typical_p", 1.0},
                                              {"epsilon_cutoff", 0.0},
                                              {"eta_cutoff", 0.0},
                                              {"encoder_repetition_penalty", 1.0},
                                              {"no_repeat_ngram_size", 0},
                                              {"encoder_no_repeat_ngram_size", 0},
                                              {"bad_words_ids", nullptr},
                                              {"force_words_ids", nullptr},
                                              {"sequence_bias", nullptr},
                                              {"guidance_scale", 1.0},
                                              {"min_length", 0},
                                              {"min_new_tokens", 0},
                                              {"max_new_tokens", nullptr},
                                              {"num_beams", 1},
                                              {"penalty_alpha", 0.0},
                                              {"exponential_decay_length_penalty", nullptr},
                                              {"forced_bos_token_id", nullptr},
                                              {"forced_eos_token_id", nullptr},
                                              {"forced_decoder_ids", nullptr},
                                              {"remove_invalid_values", false},
                                              {"renormalize_logits", false},
                                              {"stop_strings", nullptr},
                                              {"watermarking_config", nullptr},
                                              {"dola_layers", nullptr}};
  return values;
}

Json value_of(const Json& config, const char* key) {
  return config.is_object() && config.contains(key) ? config[key] : Json();
}

std::vector<int32_t> ids_of(const Json& config, const char* key, const std::string& file) {
  const Json value = value_of(config, key);
  std::vector<int32_t> ids;
  const auto refuse = [&] {
    return input_error("{}: {}: expected a list of token ids, found {:.60}", file, key,
                       json_excerpt(value));
  };
  if (value.is_null()) return ids;
  if (!value.is_array()) throw refuse();
  for (const Json& id : value) {
    const int64_t number = id.is_number_integer() ? id.get<int64_t>() : -1;
    if (number < 0 || number > std::numeric_limits<int32_t>::max()) throw refuse();
    ids.push_back(static_cast<int32_t>(number));
  }
  return ids;
}

std::string shown(const std::vector<int32_t>& ids) {
  constexpr size_t most = 6;
  std::vector<std::string> words;
  for (size_t i = 0; i < std::min(ids.size(), most); ++i) words.push_back(std::to_string(ids[i]));
  if (ids.size() > most) words.push_back(fmt::format("… {} in all", ids.size()));
  return "[" + join(words) + "]";
}

}  // namespace

std::string GenerationSettings::processors() const {
  std::vector<std::string> words;
  if (repetition_penalty != 1) {
    words.push_back(fmt::format("repetition_penalty {}", repetition_penalty));
  }
  if (!suppress_tokens.empty()) words.push_back("suppress_tokens " + shown(suppress_tokens));
  if (!begin_suppress_tokens.empty()) {
    words.push_back("begin_suppress_tokens " + shown(begin_suppress_tokens));
  }
  return join(words);
}

GenerationSettings generation_settings(const Json& config, const std::string& file) {
  GenerationSettings settings;
  const Json penalty = value_of(config, "repetition_penalty");
  if (!penalty.is_null()) {
    const double value = penalty.is_number() ? penalty.get<double>() : 0;
    if (!(value > 0) || std::isinf(value)) {
      throw input_error("{}: repetition_penalty: expected a number above 0, found {:.60}", file,
                        json_excerpt(penalty));
    }
    settings.repetition_penalty = value;
  }
  settings.suppress_tokens = ids_of(config, "suppress_tokens", file);
  settings.begin_suppress_tokens = ids_of(config, "begin_suppress_tokens", file);
  for (const auto& [key, neutral] : neutral_values()) {
    const Json value = value_of(config, key);
    if (!value.is_null() && value != neutral) settings.others.emplace_back(key, value);
  }
  if (!config.is_object()) return settings;
  for (const auto& [key, value] : config.items()) {
    if (key.starts_with("general.sampling.")) settings.others.emplace_back(key, value);
  }
  return settings;
}

}  // namespace alambic
