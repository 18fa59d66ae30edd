#include "alambic/text/tokenizer/token_facts.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "alambic/base/json_view.h"

namespace alambic {
namespace {

constexpr std::array role_names = {"bos_token", "eos_token", "unk_token", "sep_token",
                                   "pad_token", "cls_token", "mask_token"};

bool is_role(std::string_view name) {
  return std::ranges::find(role_names, name) != role_names.end();
}

// A special token of the files: a text, or an object of its flags.
struct SpecialToken {
  AddedToken token;
  bool text = false;
  bool last = false;  // a model's own role that comes after the others of the kind
};

SpecialToken special_token(const JsonView& json) {
  AddedToken token = read_added_token(json);
  const bool said = json.is_object() && json.find("normalized").has_value();
  if (!said) token.normalized = false;
  token.special = true;
  return {std::move(token), json.is_string()};
}

bool is_empty_text(const JsonView& json) { return json.is_string() && json.string().empty(); }

class Reader {
 public:
  Reader(const std::string& place, const std::map<std::string, std::string>& files)
      : config_(parsed(place, files, "tokenizer_config.json")),
        map_(parsed(place, files, "special_tokens_map.json")),
        added_(parsed(place, files, "added_tokens.json")),
        model_(parsed(place, files, "config.json")) {}

  TokenFacts read(const std::map<int32_t, AddedToken>& in_file, bool byte_level) {
    TokenFacts facts;
    const auto config = root(config_);
    facts.type = tokenizer_class_of(config, root(model_), byte_level);
    const bool lists = config && config->find("added_tokens_decoder");
    facts.forgets = lists && facts.type.rebuilt;
    if (config) read_config(*config, facts);
    if (lists) {
      read_listed(*config->find("added_tokens_decoder"));
    } else {
      if (const auto map = root(map_)) read_map(*map);
      if (const auto added = root(added_)) read_added(*added);
      for (const auto& [id, token] : in_file) list(id, token);
    }
    for (auto& [name, special] : roles_) {
      const auto listed = by_content_.find(special.token.content);
      if (is_role(name) && listed != by_content_.end()) special = {listed->second};
    }
    for (const auto& [role, token] : facts.type.defaults) {
      if (!has_role(role)) roles_.push_back({role, {plain(token), true}});
    }
    sort_roles();
    for (const auto& [name, token] : roles_) facts.roles.emplace_back(name, token.token.content);
    facts.added = in_order(facts, in_file);
    return facts;
  }

 private:
  using Role = std::pair<std::string, SpecialToken>;

  static std::optional<JsonFile> parsed(const std::string& place,
                                        const std::map<std::string, std::string>& files,
                                        const char* name) {
    const auto bytes = files.find(name);
    if (bytes == files.end()) return std::nullopt;
    return JsonFile::parse(place + "/" + name, bytes->second);
  }

  static std::optional<JsonView> root(const std::optional<JsonFile>& file) {
    if (!file) return std::nullopt;
    file->root().object();  // for its error
    return file->root();
  }

  static AddedToken plain(const std::string& text) {
    AddedToken token;
    token.content = text;
    token.special = true;
    return token;
  }

  bool has_role(const std::string& name) const {
    return std::ranges::find(roles_, name, &Role::first) != roles_.end();
  }

  void set_role(const std::string& name, const SpecialToken& token) {
    const auto known = std::ranges::find(roles_, name, &Role::first);
    if (known == roles_.end()) {
      roles_.push_back({name, token});
    } else {
      known->second = token;
    }
  }

  void list(int64_t id, const AddedToken& token) {
    listed_[id] = token;
    by_content_[token.content] = token;
  }

  // A role of a file's field; the model's own are texts or objects too, but never flags
  // (add_bos_token).
  void read_role(const JsonView& json, const std::string& name, bool last = false) {
    const auto value = json.find(name);
    if (!value || is_empty_text(*value)) return;
    const bool object = value->is_object() && value->find("content");
    if (!is_role(name) && !value->is_string() && !object) return;
    SpecialToken token = special_token(*value);
    token.last = last && !is_role(name);
    set_role(name, token);
  }

  void read_roles(const JsonView& json, bool config) {
    for (const auto [key, value] : json.object()) {
      const std::string name(key);
      if (is_role(name) || name.ends_with("_token")) {
        read_role(json, name, config && value.is_string());
      }
    }
  }

  // Tokens without a role of their own; an object gives each a name.
  void read_extra(const JsonView& json) {
    if (json.is_object()) {
      for (const auto [key, value] : json.object())
        read_role(json, std::string(key), /*last=*/true);
      return;
    }
    extra_.clear();
    for (const JsonView& item : json.items()) extra_.push_back(special_token(item));
  }

  void read_extras(const JsonView& json) {
    for (const char* name : {"additional_special_tokens", "extra_special_tokens"}) {
      if (const auto extra = json.find(name)) read_extra(*extra);
    }
  }

  // Where the other keys give no model's own role: as transformers 5 writes them all once more, and
  // reads them again.
  void read_model_specific(const JsonView& config) {
    const auto more = config.find("model_specific_special_tokens");
    const bool others =
        std::ranges::any_of(roles_, [](const Role& role) { return !is_role(role.first); });
    if (!more || others) return;
    for (const auto [key, value] : more->object())
      read_role(*more, std::string(key), /*last=*/true);
  }

  // transformers takes a tokenizer.VERSION.json from this list, of its own version at most.
  static void refuse_other_file(const JsonView& config) {
    const auto files = config.find("fast_tokenizer_files");
    if (!files || !files->is_array()) return;
    for (const JsonView& file : files->items()) {
      const std::string_view name = file.string();
      if (name == "tokenizer.json" || !name.starts_with("tokenizer.")) continue;
      throw file.wrong("transformers may take this file for tokenizer.json, which alone is read");
    }
  }

  void read_config(const JsonView& config, TokenFacts& facts) {
    refuse_other_file(config);
    read_roles(config, /*config=*/true);
    read_extras(config);
    read_model_specific(config);
    const auto flag = [&](const char* name) -> std::optional<bool> {
      const auto value = config.find(name);
      if (!value) return std::nullopt;
      return value->boolean();
    };
    const auto bos = flag("add_bos_token"), eos = flag("add_eos_token");
    facts.says_around = bos || eos;
    facts.adds_bos = bos.value_or(false);
    facts.adds_eos = eos.value_or(false);
    facts.add_prefix_space = flag("add_prefix_space");
    facts.splits_special = flag("split_special_tokens").value_or(false);
  }

  void read_map(const JsonView& map) {
    read_roles(map, /*config=*/false);
    read_extras(map);
  }

  void read_listed(const JsonView& decoder) {
    for (const auto [key, value] : decoder.object()) {
      const std::string id(key);
      const JsonView token(decoder.file(), fmt::format("{}.{}", decoder.path(), id), value);
      list(std::strtoll(id.c_str(), nullptr, 10), read_added_token(token));
    }
  }

  // added_tokens.json: text -> id; special are those with a role.
  void read_added(const JsonView& added) {
    for (const auto [key, value] : added.object()) {
      AddedToken token;
      token.content = key;
      if (token.content.empty()) throw added.wrong("an added token is empty");
      token.special = std::ranges::any_of(roles_,
                                          [&](const Role& role) {
                                            return is_role(role.first) &&
                                                   role.second.token.content == token.content;
                                          }) ||
                      std::ranges::any_of(extra_, [&](const SpecialToken& extra) {
                        return extra.token.content == token.content;
                      });
      token.normalized = !token.special;
      const JsonView id(added.file(), token.content, value);
      list(id.integer(0, INT32_MAX), token);
    }
  }

  void sort_roles() {
    const auto place = [](const Role& role) {
      const auto known = std::ranges::find(role_names, role.first) - role_names.begin();
      return known + (role.second.last ? 1 : 0);
    };
    std::ranges::stable_sort(roles_, {}, place);
  }

  static bool same(const AddedToken& a, const AddedToken& b) {
    return a.content == b.content && a.special == b.special && a.lstrip == b.lstrip &&
           a.rstrip == b.rstrip && a.single_word == b.single_word && a.normalized == b.normalized;
  }

  std::vector<AddedToken> in_order(const TokenFacts& facts,
                                   const std::map<int32_t, AddedToken>& in_file) {
    std::vector<AddedToken> known;
    if (!facts.type.rebuilt) {
      for (const auto& [id, token] : in_file) known.push_back(token);
    }
    const auto has = [](const std::vector<AddedToken>& tokens, const std::string& content) {
      return std::ranges::find(tokens, content, &AddedToken::content) != tokens.end();
    };
    std::vector<AddedToken> order;
    for (const auto& listed : listed_) {
      const AddedToken& token = listed.second;
      const bool kept = std::ranges::any_of(known, [&](const auto& t) { return same(t, token); });
      if (!kept) order.push_back(token);
    }
    std::vector<AddedToken> before = known;
    before.insert(before.end(), order.begin(), order.end());
    std::vector<SpecialToken> specials;
    // One that was said twice, once as a text and once with flags, is added twice: the last wins.
    const auto add = [&](const SpecialToken& special) {
      const bool twice = std::ranges::any_of(specials, [&](const SpecialToken& other) {
        return other.text == special.text && same(other.token, special.token);
      });
      if (has(before, special.token.content) || twice) return;
      specials.push_back(special);
      order.push_back(special.token);
    };
    for (const auto& [name, special] : roles_) add(special);
    for (const SpecialToken& special : extra_) add(special);
    for (AddedToken& token : order) {
      token.special |= std::ranges::any_of(
          roles_, [&](const Role& role) { return role.second.token.content == token.content; });
    }
    if (facts.type.plain_roles) {
      for (const auto& [name, special] : roles_) order.push_back(plain(special.token.content));
      for (const SpecialToken& special : extra_) order.push_back(plain(special.token.content));
    }
    return order;
  }

  std::optional<JsonFile> config_, map_, added_, model_;
  std::vector<Role> roles_;
  std::vector<SpecialToken> extra_;
  std::map<int64_t, AddedToken> listed_;
  std::map<std::string, AddedToken> by_content_;  // of two with one id in different files, both
};

}  // namespace

bool is_byte_level(std::string_view tokenizer_json) {
  return tokenizer_json.find("\"ByteLevel\"") != tokenizer_json.npos;
}

TokenFacts read_token_facts(const std::string& place,
                            const std::map<std::string, std::string>& files,
                            const std::map<int32_t, AddedToken>& in_file, bool byte_level) {
  return Reader(place, files).read(in_file, byte_level);
}

}  // namespace alambic
