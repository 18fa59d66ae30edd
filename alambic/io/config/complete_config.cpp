#include "alambic/io/config/complete_config.h"

#include <algorithm>
#include <array>
#include <set>

#include "alambic/base/error.h"
#include "alambic/io/config/complete_layers.h"
#include "alambic/io/config/complete_rope.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

// Keys of the authors' code that a family's class in transformers does not read: they stay, for the
// family's code refuses what it does not do.
const FamilyKey authors_keys[] = {
    {"scoring_func", FamilyKey::text, true, {}},
    {"topk_method", FamilyKey::text, true, {}},
    {"rope_interleave", FamilyKey::flag, true, {}},
    {"attn_output_gate", FamilyKey::flag, true, {}},
    {"moe_layer_freq", FamilyKey::integer, true, {}},
    {"num_nextn_predict_layers", FamilyKey::integer, true, {}},
    {"mtp_num_hidden_layers", FamilyKey::integer, true, {}},
};

constexpr std::array rope_keys = {"rope_scaling",    "rope_theta", "partial_rotary_factor",
                                  "rotary_emb_base", "rotary_pct", "rope_local_base_freq"};

const WholeModel* whole_model(const std::string& model_type) {
  const auto& all = whole_models();
  const auto found = std::ranges::find(all, model_type, &WholeModel::model_type);
  return found == all.end() ? nullptr : &*found;
}

// The text model that "architectures" names, for a file that says the type of the whole one and has
// no "text_config"; "": none.
std::string text_type_by_architecture(const JsonFields& config) {
  const Json list = config.value("architectures");
  if (!list.is_array() || list.empty()) return "";
  const Json named = {{"architectures", list}};
  const std::string type = model_type_of({named, config.where});
  return whole_model(type) == nullptr ? type : "";
}

void name_text_model(Json& text, const std::string& model_type) {
  text["architectures"] = Json::array();
  text["architectures"].push_back(family_keys(model_type).architecture);
  text["model_type"] = model_type;
}

// The value of a key: under another spelling, under its own, or the default.
Json value_of(const FamilyKey& key, const FamilyKeys& family, const JsonFields& raw,
              ConfigNotes& notes) {
  std::string spelling = key.name;
  for (const auto& [other, own] : family.spellings) {
    if (own == key.name && raw.json.contains(other)) spelling = other;
  }
  if (!raw.json.contains(spelling)) return key.otherwise;
  key.check(raw, spelling);
  const Json& value = raw.value(spelling);
  if (spelling != key.name && raw.has(key.name) && raw.value(key.name) != value) {
    notes.push_back(fmt::format(
        "{}: \"{}\" is {} and \"{}\" is {}: as in transformers, \"{}\" is what counts", raw.where,
        spelling, json_excerpt(value), key.name, json_excerpt(raw.value(key.name)), spelling));
  }
  return key.kind == FamilyKey::whole ? Json(static_cast<int64_t>(value.get<double>())) : value;
}

// Leaves nothing of other families, which code that several families share would read.
void erase_foreign(const FamilyKeys& family, const JsonFields& raw, Json& config) {
  for (const std::string& key : all_family_keys()) {
    const bool stays =
        std::ranges::find(authors_keys, key, &FamilyKey::name) != std::end(authors_keys);
    if (!family.reads(key) && !stays) config.erase(key);
  }
  for (const char* key : rope_keys) config.erase(key);
  for (const FamilyKey& key : authors_keys) {
    if (family.reads(key.name) || !config.contains(key.name)) continue;
    key.check(raw, key.name);
    if (!raw.has(key.name)) config.erase(key.name);
  }
}

// transformers 5.2x lets layers of any family differ.
void refuse_layers_that_differ(const FamilyKeys& family, const JsonFields& raw) {
  const Json& own = raw.value("per_layer_config");
  if (family.model_type == "gemma4_text" || own.is_null() || (own.is_object() && own.empty())) {
    return;
  }
  throw input_error("cannot read {}: \"per_layer_config\" makes layers of {} differ, found {}",
                    raw.where, family.model_type, json_excerpt(own))
      .with_hint("layers that differ are read of Gemma 4 only");
}

// AutoConfig makes a Ministral of a Mistral with a list of types, whose layers may differ.
void refuse_ministral(const FamilyKeys& family, const JsonFields& raw) {
  if (family.model_type != "mistral" || !raw.has("layer_types")) return;
  const bool slides = !raw.json.contains("sliding_window") || raw.has("sliding_window");
  const Json expected = slides ? "sliding_attention" : "full_attention",
             &found = raw.value("layer_types");
  const auto fits = [&](const Json& type) { return type == expected; };
  if (found.is_array() && std::ranges::all_of(found, fits)) return;
  throw input_error(
      "cannot read {}: \"layer_types\" makes it a Ministral for transformers, whose layers differ: "
      "expected {} for each, as \"sliding_window\" says, found {}",
      raw.where, expected.dump(), json_excerpt(found))
      .with_hint("Mistral has one kind of layers; without the list it is read as that");
}

}  // namespace

Json text_config(const Json& config, const std::string& where) {
  const JsonFields fields{config, where};
  const std::string type = model_type_of(fields);
  const WholeModel* whole = whole_model(type);
  if (whole == nullptr) return config;
  if (!fields.has("text_config")) {
    const std::string named = text_type_by_architecture(fields);
    if (named.empty()) fields.wrong("text_config", "an object");
    Json text = config;
    name_text_model(text, named);
    return text;
  }
  Json text = fields.object("text_config").json;
  name_text_model(text, whole->text_type);
  const bool own = text.contains("tie_word_embeddings");
  if (config.contains("tie_word_embeddings") && (whole->ties_from_whole || !own)) {
    text["tie_word_embeddings"] = config["tie_word_embeddings"];
  } else if (whole->ties_from_whole) {
    text.erase("tie_word_embeddings");  // tied, whatever it says
  }
  if (text["tie_word_embeddings"].is_null()) text.erase("tie_word_embeddings");
  return text;
}

Json complete_config(const Json& config, const std::string& where, const CountLimits& limits,
                     int64_t layers, std::vector<std::string>* notes) {
  const std::string whole_type = model_type_of({config, where});
  const Json own = text_config(config, where);
  const std::string own_where =
      whole_model(whole_type) != nullptr && own != config ? where + ", text_config" : where;
  const JsonFields raw{own, own_where};
  const std::string type = model_type_of(raw);
  if (type.empty()) return own;
  const FamilyKeys family = family_keys(type);
  refuse_layers_that_differ(family, raw);
  refuse_ministral(family, raw);
  Json completed = own;
  erase_foreign(family, raw, completed);
  name_text_model(completed, type);
  ConfigNotes all_notes;
  for (const FamilyKey& key : family.keys)
    completed[key.name] = value_of(key, family, raw, all_notes);
  const char* count_key = completed.contains("n_layer") ? "n_layer" : "num_hidden_layers";
  if (layers > 0) completed[count_key] = layers;
  const JsonFields fields{completed, own_where};
  check_count(limits, CountKind::layers, fields.integer(count_key),
              layers > 0 ? "the number of layers asked for" : fmt::format("\"{}\"", count_key),
              own_where);
  complete_layers(family, own_where, completed, all_notes);
  Json rope = complete_rope(raw, family, completed, all_notes);
  completed.erase("rope_parameters");
  if (!rope.is_null()) completed["rope_parameters"] = std::move(rope);
  if (notes != nullptr) *notes = std::move(all_notes);
  return completed;
}

}  // namespace alambic
