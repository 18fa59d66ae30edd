#include "alambic/text/chat/chat_template.h"

#include "alambic/base/file_system.h"
#include "alambic/base/json_view.h"
#include "alambic/base/names.h"

namespace alambic {
namespace {

using jinja::Dict;
using jinja::Value;

constexpr const char* token_names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                       "pad_token", "cls_token", "mask_token"};

struct Source {
  std::string name;
  std::string text;
};

Value read_json(const fs::path& path) {
  return jinja::parse_json(path.string(), read_file(path, 64 << 20));
}

std::optional<std::string> text_of(const Value* value) {
  return value != nullptr && value->is_string() ? std::optional(*value->string()) : std::nullopt;
}

// "chat_template" is a text, or a list of {"name": …, "template": …}.
std::optional<Source> source_in(const fs::path& path, const std::string& wanted) {
  if (!path_exists(path)) return std::nullopt;
  const Value json = read_json(path);
  const Value* field = json.dict() == nullptr ? nullptr : json.dict()->find("chat_template");
  if (field == nullptr || field->is_none()) return std::nullopt;
  const std::string place = path.string() + " (chat_template)";
  if (const auto text = text_of(field)) return Source{place, *text};
  if (field->list() == nullptr) {
    throw input_error("{}: expected a text or a list of named templates, found {}", place,
                      jinja::type_name(*field));
  }
  std::vector<std::string> names;
  for (const Value& entry : field->list()->items) {
    const Dict* dict = entry.dict();
    const auto name = dict == nullptr ? std::nullopt : text_of(dict->find("name"));
    const auto text = dict == nullptr ? std::nullopt : text_of(dict->find("template"));
    if (!name || !text) throw input_error("{}: expected entries with name and template", place);
    if (*name == wanted) return Source{fmt::format("{} {}", place, wanted), *text};
    names.push_back(*name);
  }
  throw input_error("{}: no template is called \"{}\"; there are: {}", place, wanted, join(names));
}

std::optional<Source> find_source(const fs::path& folder, const std::string& name) {
  const fs::path file = folder / "chat_template.jinja";
  if (path_exists(file)) return Source{file.string(), read_file(file, 4 << 20)};
  if (auto source = source_in(folder / "chat_template.json", name)) return source;
  return source_in(folder / "tokenizer_config.json", name);
}

// A token is a text, or an object with "content".
void add_tokens(const Value& json, Dict& tokens) {
  if (json.dict() == nullptr) return;
  for (const char* name : token_names) {
    const Value* token = json.dict()->find(name);
    if (token == nullptr || tokens.find(name) != nullptr) continue;
    const Value* content = token->dict() != nullptr ? token->dict()->find("content") : token;
    if (content != nullptr && content->is_string()) tokens.set(Value(name), *content);
  }
}

// A message whose first such field stands under all names that templates read, as in transformers.
Value with_reasoning(const Value& message) {
  const Dict* fields = message.dict();
  if (fields == nullptr) return message;
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    const Value* found = fields->find(name);
    if (found == nullptr || found->is_none()) continue;
    const Value reasoning = *found;
    Dict aliased;
    aliased.set(Value("thinking"), reasoning);
    for (const auto& [key, value] : fields->entries()) aliased.set(key, value);
    aliased.set(Value("reasoning_content"), reasoning);
    return jinja::make_dict(std::move(aliased));
  }
  return message;
}

}  // namespace

bool ChatTemplate::exists(const fs::path& folder) {
  return find_source(folder, "default").has_value();
}

ChatTemplate ChatTemplate::load(const fs::path& folder, const std::string& name) {
  const auto source = find_source(folder, name);
  if (!source) {
    throw input_error("{} has no chat template", folder.string())
        .with_hint(
            "it would be chat_template.jinja, or \"chat_template\" in "
            "tokenizer_config.json; models without one continue plain text");
  }
  Dict tokens;
  for (const char* file : {"tokenizer_config.json", "special_tokens_map.json"}) {
    if (path_exists(folder / file)) add_tokens(read_json(folder / file), tokens);
  }
  return {jinja::Template::parse(source->name, source->text), std::move(tokens)};
}

ChatTemplate ChatTemplate::parse(std::string name, std::string_view source,
                                 std::string_view tokenizer_config,
                                 std::string_view special_tokens_map) {
  Dict tokens;
  for (const std::string_view json : {tokenizer_config, special_tokens_map}) {
    if (!json.empty()) add_tokens(jinja::parse_json(name, json), tokens);
  }
  return {jinja::Template::parse(std::move(name), source), std::move(tokens)};
}

jinja::Rendered ChatTemplate::render(const Dict& context, std::optional<std::time_t> now) const {
  Dict all = special_tokens_;
  for (const char* name : {"tools", "documents"}) all.set(Value(name), Value());
  all.set(Value("add_generation_prompt"), false);
  for (const auto& [name, value] : context.entries()) all.set(name, value);
  return template_.render(all, {}, now);
}

jinja::Rendered ChatTemplate::render(const Conversation& conversation) const {
  jinja::Values messages;
  if (conversation.messages.list() != nullptr) {
    for (const Value& message : conversation.messages.list()->items) {
      messages.push_back(with_reasoning(message));
    }
  }
  Dict context = conversation.more;
  context.set(Value("messages"), jinja::make_list(std::move(messages)));
  context.set(Value("tools"), conversation.tools);
  context.set(Value("add_generation_prompt"), conversation.add_generation_prompt);
  return render(context);
}

}  // namespace alambic
