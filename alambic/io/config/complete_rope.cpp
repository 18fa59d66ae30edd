#include "alambic/io/config/complete_rope.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "alambic/base/error.h"
#include "alambic/base/names.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

const std::vector<std::string> rope_types = {"default", "linear",   "dynamic",     "llama3",
                                             "yarn",    "longrope", "proportional"};

// Settings of a file, on their way to those of a completed configuration.
struct Rope {
  const FamilyKeys& family;
  const JsonFields& raw;  ///< config.json
  const Json& completed;
  ConfigNotes& notes;
  std::string key;      ///< where they stand: "rope_parameters", "rope_scaling"
  bool nested = false;  ///< of one kind of layers

  int64_t positions() const { return completed["max_position_embeddings"].get<int64_t>(); }
  bool is(std::string_view type) const { return family.model_type == type; }
};

bool is_stretched_by_positions(const std::string& type) {
  return type == "llama3" || type == "yarn" || type == "longrope";
}

std::string type_of(const Rope& from, const JsonFields& settings) {
  // "type" is the spelling before "rope_type".
  const bool old = !settings.json.contains("rope_type") && settings.json.contains("type");
  const std::string key = old ? "type" : "rope_type";
  if (!settings.json.contains(key)) return "default";
  std::string type = settings.text(key);
  if (from.is("phi3") && (type == "su" || type == "yarn")) type = "longrope";
  const bool known = std::ranges::find(rope_types, type) != rope_types.end();
  settings.expect(known, key, "one of " + join(rope_types));
  settings.expect(!from.is("phi3") || type == "default" || type == "longrope", key,
                  "\"longrope\" or \"default\" in a model of the type phi3");
  return type;
}

// Positions before they were stretched. A key of config.json itself wins over that of the settings,
// but where each kind of layers has its own.
int64_t original_positions(const Rope& from, const JsonFields& settings) {
  const std::string key = "original_max_position_embeddings";
  const bool outer = !from.nested && (from.raw.json.contains(key) || from.family.reads(key));
  const JsonFields fields =
      outer
          ? JsonFields{from.raw.json.contains(key) ? from.raw.json : from.completed, from.raw.where}
          : settings;
  if (!fields.json.contains(key)) return from.positions();
  const double found = fields.number(key);
  fields.expect(found >= 1 && found < 0x1p31 && found == std::floor(found), key,
                "a number of positions");
  return static_cast<int64_t>(found);
}

// Keys of the settings of each type.
std::set<std::string> keys_of(const std::string& type) {
  std::set<std::string> keys = {"rope_type", "type", "rope_theta", "partial_rotary_factor"};
  if (type != "default") keys.insert("factor");
  if (is_stretched_by_positions(type)) keys.insert("original_max_position_embeddings");
  if (type == "llama3") keys.insert({"low_freq_factor", "high_freq_factor"});
  if (type == "yarn" || type == "longrope") keys.insert("attention_factor");
  if (type == "yarn") {
    keys.insert({"beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate"});
  }
  if (type == "longrope") keys.insert({"short_factor", "long_factor"});
  return keys;
}

void check_keys(const Rope& from, const JsonFields& settings, const std::string& type) {
  const std::set<std::string> known = keys_of(type);
  for (const auto& [key, value] : settings.json.items()) {
    // A table of the layers with windows would be left out without a word.
    settings.expect(!value.is_object(), key,
                    fmt::format("no object: the layers of {} do not differ in their angles",
                                from.family.model_type));
    if (known.contains(key) || key == "mrope_section" || key == "mrope_interleaved") continue;
    from.notes.push_back(
        fmt::format("{}: \"{}\" means nothing to rope_type \"{}\", as in transformers",
                    settings.where, key, type));
  }
}

double positive(const JsonFields& settings, const char* key) {
  const double value = settings.number(key);
  settings.expect(value > 0, key, "a number above 0");
  return value;
}

// What a type needs beyond theta and the share that turns.
void add_scaling(const Rope& from, const JsonFields& settings, const std::string& type,
                 Json& rope) {
  if (is_stretched_by_positions(type)) {
    rope["original_max_position_embeddings"] = original_positions(from, settings);
  }
  const bool may_follow = type == "yarn" || type == "longrope";  // from the positions
  if (may_follow && !settings.has("factor")) {
    settings.expect(type == "longrope" || settings.json.contains("factor"), "factor", "a number");
    rope["factor"] = static_cast<double>(from.positions()) /
                     rope["original_max_position_embeddings"].get<double>();
  } else if (type != "default" && (type != "proportional" || settings.json.contains("factor"))) {
    rope["factor"] = positive(settings, "factor");
  }
  if (type == "llama3") {
    for (const char* key : {"low_freq_factor", "high_freq_factor"}) {
      rope[key] = positive(settings, key);
    }
  }
  if (may_follow && settings.has("attention_factor")) {
    rope["attention_factor"] = settings.number("attention_factor");
  }
  if (type == "yarn") {
    for (const char* key : {"beta_fast", "beta_slow"}) {
      const double value = settings.number(key, 0);
      settings.expect(value >= 0, key, "a number from 0");
      if (value != 0) rope[key] = value;
    }
    for (const char* key : {"mscale", "mscale_all_dim"}) {
      if (settings.number(key, 0) != 0) rope[key] = settings.number(key);
    }
    if (settings.json.contains("truncate")) {
      rope["truncate"] = settings.has("truncate") && settings.flag("truncate");
    }
    settings.expect(!from.nested || rope.value("truncate", true), "truncate",
                    "true: transformers does not read it here");
  }
  if (type == "longrope") {
    for (const char* key : {"short_factor", "long_factor"}) {
      for (const double factor : settings.numbers(key)) {
        settings.expect(factor != 0, key, "a list of numbers other than 0");
      }
      rope[key] = settings.value(key);
    }
  }
}

// Families whose heads may turn in part; the others turn them whole, whatever is said.
bool turns_in_part(const Rope& from, const std::string& type) {
  constexpr std::array families = {"gpt_neox", "phi3", "qwen3_5_text", "qwen3_5_moe_text",
                                   "deepseek_v4"};
  return type == "proportional" ||
         std::ranges::find(families, from.family.model_type) != families.end();
}

// The settings with everything that is not said: `theta` and `share` are those of the family.
Json completed_rope(const Rope& from, const JsonFields& settings, double theta,
                    std::optional<double> share) {
  const std::string type = type_of(from, settings);
  check_keys(from, settings, type);
  if (settings.json.contains("rope_theta")) theta = settings.number("rope_theta");
  if (!(theta > 1)) settings.wrong("rope_theta", "a number above 1");
  if (settings.json.contains("partial_rotary_factor")) {
    share = settings.number("partial_rotary_factor");
  }
  Json rope = {{"rope_type", type}, {"rope_theta", theta}};
  if (share) {
    const JsonFields& said = settings.json.contains("partial_rotary_factor") ? settings : from.raw;
    said.expect(*share > 0 && *share <= 1, "partial_rotary_factor", "a share in (0, 1]");
    said.expect(*share == 1 || turns_in_part(from, type), "partial_rotary_factor",
                fmt::format("1: transformers turns whole heads of {} whatever it says",
                            from.family.model_type));
    rope["partial_rotary_factor"] = *share;
  }
  add_scaling(from, settings, type, rope);
  // Of models that see: on text all parts of a position are the same.
  if (settings.has("mrope_section")) rope["mrope_section"] = settings.integers("mrope_section");
  if (settings.has("mrope_interleaved")) {
    rope["mrope_interleaved"] = settings.flag("mrope_interleaved");
  }
  return rope;
}

// Whether Python takes a value for true.
bool holds(const Json& value) {
  if (value.is_number()) return value != 0;
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_string()) return !value.get_ref<const std::string&>().empty();
  return !value.is_null() && !value.empty();
}

// Older spellings of the base and the share of a head that turns.
struct Outer {
  double theta;
  std::optional<double> share;
};

Outer outer_settings(const Rope& from) {
  const JsonFields& raw = from.raw;
  const auto number = [&](const char* key, double otherwise) {
    return raw.json.contains(key) ? raw.number(key) : otherwise;
  };
  if (from.is("gpt_neox")) {
    const double share = number("rotary_pct", 0.25);
    raw.expect(share > 0 && share <= 1, "rotary_pct", "a share in (0, 1]");
    return {number("rotary_emb_base", from.family.theta), share};
  }
  Outer outer = {number("rope_theta", from.family.theta), {}};
  if (raw.has("partial_rotary_factor")) outer.share = raw.number("partial_rotary_factor");
  const bool usual = !raw.json.contains("partial_rotary_factor");
  if (usual && from.family.model_type.starts_with("qwen3_5")) outer.share = 0.25;
  if (from.is("phi3") && !outer.share) outer.share = 1;
  return outer;
}

// gpt-oss is stretched where nothing is said.
Json usual_settings(const FamilyKeys& family) {
  if (family.model_type != "gpt_oss") return Json::object();
  return {{"rope_type", "yarn"}, {"factor", 32.0},    {"beta_fast", 32.0},
          {"beta_slow", 1.0},    {"truncate", false}, {"original_max_position_embeddings", 4096}};
}

// Where rope_scaling replaces rope_parameters, with it goes the base that stands there.
void note_lost_theta(const Rope& from, double theta) {
  const Json& lost = from.raw.value("rope_parameters");
  if (!lost.is_object() || !lost.contains("rope_theta") || lost["rope_theta"] == theta) return;
  from.notes.push_back(fmt::format(
      "{}: \"rope_scaling\" replaces \"rope_parameters\", as in transformers: rope_theta "
      "is {}, not {}",
      from.raw.where, theta, json_excerpt(lost["rope_theta"])));
}

Json one_for_all_layers(Rope from) {
  const JsonFields& raw = from.raw;
  const bool old = holds(raw.value("rope_scaling"));
  from.key = old ? "rope_scaling" : "rope_parameters";
  const Json usual = usual_settings(from.family);
  const bool said = old || raw.has("rope_parameters");
  const JsonFields settings = said ? raw.object(from.key) : JsonFields{usual, raw.where};
  const Outer outer = outer_settings(from);
  Json rope = completed_rope(from, settings, outer.theta, outer.share);
  if (old) note_lost_theta(from, rope["rope_theta"].get<double>());
  return rope;
}

// Gemma 3: settings of its two kinds of layers, of which older files scale one.
Json of_gemma3(Rope from) {
  const JsonFields& raw = from.raw;
  from.key = "rope_parameters";
  from.nested = true;
  const JsonFields both = raw.object(from.key);
  for (const auto& [key, value] : both.json.items()) {
    both.expect(key == "full_attention" || key == "sliding_attention", key,
                "within \"full_attention\" or \"sliding_attention\"");
  }
  Json whole = both.object("full_attention").json;
  if (raw.has("rope_scaling")) {
    const JsonFields scaling = raw.object("rope_scaling");
    scaling.expect(!scaling.json.contains("type") || scaling.json.contains("rope_type"), "type",
                   "called \"rope_type\": transformers does not read it of Gemma 3");
    whole.update(scaling.json);
  }
  const auto base = [&](const char* key, double otherwise) {
    return raw.json.contains(key) ? raw.number(key) : otherwise;
  };
  const std::optional<double> share = outer_settings(from).share;
  const bool old = raw.has("rope_scaling");
  const JsonFields full{whole,
                        old ? raw.where + ", rope_scaling" : both.where + ", full_attention"};
  return {{"full_attention", completed_rope(from, full, base("rope_theta", 1e6), share)},
          {"sliding_attention", completed_rope(from, both.object("sliding_attention"),
                                               base("rope_local_base_freq", 1e4), share)}};
}

Json of_gemma4(Rope from) {
  const JsonFields& raw = from.raw;
  from.key = "rope_parameters";
  from.nested = true;
  raw.expect(!raw.has("rope_scaling"), "rope_scaling",
             "left out: the angles of Gemma 4 stand in \"rope_parameters\"");
  if (!raw.has(from.key)) {
    return {{"full_attention",
             {{"rope_type", "proportional"}, {"rope_theta", 1e6}, {"partial_rotary_factor", 0.25}}},
            {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 1e4}}}};
  }
  const JsonFields both = raw.object(from.key);
  Json ropes = Json::object();
  for (const char* kind : {"full_attention", "sliding_attention"}) {
    both.expect(both.has(kind), kind, "an object");
    const JsonFields settings = both.object(kind);
    const bool outer = raw.json.contains("rope_theta") && type_of(from, settings) != "default";
    settings.expect(settings.json.contains("rope_theta") || outer, "rope_theta", "a number");
    ropes[kind] = completed_rope(from, settings, outer ? raw.number("rope_theta") : 0,
                                 outer_settings(from).share);
  }
  return ropes;
}

// DeepSeek-V4: layers that see entries of many positions turn by stretched angles.
Json of_deepseek_v4(Rope from) {
  const JsonFields& raw = from.raw;
  const JsonFields fields{from.completed, raw.where};
  const double theta = fields.number("rope_theta"), share = fields.number("partial_rotary_factor");
  for (const char* key : {"rope_theta", "compress_rope_theta"}) {
    fields.expect(fields.number(key) > 1, key, "a number above 1");
  }
  from.key = holds(raw.value("rope_scaling")) ? "rope_scaling" : "rope_parameters";
  const JsonFields all = raw.object(from.key);
  from.nested = true;
  if (all.value("main").is_object() && all.value("compress").is_object()) {
    const std::optional<double> said =
        raw.has("partial_rotary_factor") ? std::optional<double>(share) : std::optional<double>();
    return {{"main", completed_rope(from, all.object("main"), theta, said)},
            {"compress", completed_rope(from, all.object("compress"), theta, said)}};
  }
  Json stretched = all.json;
  for (const char* key : {"main", "compress"}) stretched.erase(key);
  stretched["rope_theta"] = fields.number("compress_rope_theta");
  stretched["partial_rotary_factor"] = share;
  Json compress = completed_rope(from, {stretched, all.where}, theta, share);
  if (compress["rope_type"] == "yarn" && !stretched.contains("attention_factor")) {
    compress["attention_factor"] = 1.0;
  }
  const Json plain = Json::object();
  return {{"main", completed_rope(from, {plain, raw.where}, theta, share)},
          {"compress", std::move(compress)}};
}

}  // namespace

Json complete_rope(const JsonFields& raw, const FamilyKeys& family, const Json& completed,
                   ConfigNotes& notes) {
  if (family.model_type == "gpt2") return nullptr;
  const Rope from{.family = family, .raw = raw, .completed = completed, .notes = notes, .key = ""};
  if (family.model_type == "gemma3_text") return of_gemma3(from);
  if (family.model_type == "gemma4_text") return of_gemma4(from);
  if (family.model_type == "deepseek_v4") return of_deepseek_v4(from);
  return one_for_all_layers(from);
}

}  // namespace alambic
