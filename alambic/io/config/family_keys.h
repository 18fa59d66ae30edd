// The keys of config.json by family, as transformers' configuration classes declare them.
#pragma once

#include <nlohmann/json.hpp>

#include <set>
#include <string>
#include <vector>

#include "alambic/base/json_fields.h"

namespace alambic {

/// A key that a family reads.
struct FamilyKey {
  std::string name;
  enum Kind { integer, whole, real, flag, text, texts, integers, object } kind = integer;
  bool nullable = false;             ///< null is a value of its own, not the default
  nlohmann::ordered_json otherwise;  ///< value of a config.json without the key

  /// Refuses a value of another type; `fields` has it under `spelling`. A number may be written
  /// without a point; a whole one with it.
  void check(const JsonFields& fields, const std::string& spelling) const;
};

struct FamilyKeys {
  std::string model_type, architecture;
  double theta = 1e4;  ///< base of the rotary angles of a config.json that does not say
  /// Other spellings of keys and the key: what stands under them wins.
  std::vector<std::pair<std::string, std::string>> spellings;
  std::vector<FamilyKey> keys;

  bool reads(const std::string& key) const;
};

/// The families' model types.
std::vector<std::string> config_model_types();
/// Keys of a family by its model_type; a bug where there is none.
FamilyKeys family_keys(const std::string& model_type);
/// Names of all keys of all families.
const std::set<std::string>& all_family_keys();

/// Sentences about a configuration for the person whose it is.
using ConfigNotes = std::vector<std::string>;

/// A model that also sees or hears, whose "text_config" is one of the families.
struct WholeModel {
  std::string model_type, architecture, text_type;
  /// The head of the text model is tied where the whole model's settings say so, else where its own
  /// do: AutoModelForCausalLM makes the one or the other.
  bool ties_from_whole = false;
};
const std::vector<WholeModel>& whole_models();

/// "model_type", or where there is none that of the first of "architectures"; "": one that we do
/// not know. transformers goes by the type alone, and so a type that is unknown is not made up for.
std::string model_type_of(const JsonFields& config);

}  // namespace alambic
