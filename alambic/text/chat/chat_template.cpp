#include "alambic/text/chat/chat_template.h"

#include "alambic/base/file_system.h"
#include "alambic/text/tokenizer/token_facts.h"

namespace alambic {
namespace {

using jinja::Dict;
using jinja::Value;

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

// As apply_chat_template: fields that are None are left out.
Value without_none(const Value& message) {
  const Dict* fields = message.dict();
  if (fields == nullptr) return message;
  Dict kept;
  for (const auto& [key, value] : fields->entries()) {
    if (!value.is_none()) kept.set(key, value);
  }
  return jinja::make_dict(std::move(kept));
}

// The roles of tokens that the files of a folder name.
TokenRoles roles_of(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const char* name : {"config.json", "tokenizer_config.json", "special_tokens_map.json"}) {
    if (path_exists(folder / name)) files[name] = read_file(folder / name, 64 << 20);
  }
  const fs::path tokenizer = folder / "tokenizer.json";
  const bool llama = files["tokenizer_config.json"].find("LlamaTokenizer") != std::string::npos;
  if (files["tokenizer_config.json"].empty()) files.erase("tokenizer_config.json");
  const bool byte_level =
      llama && path_exists(tokenizer) && is_byte_level(read_file(tokenizer, uint64_t{256} << 20));
  return read_token_facts(folder.string(), files, {}, byte_level).roles;
}

}  // namespace

bool ChatTemplate::exists(const fs::path& folder) {
  return !find_template_sources(folder).by_name.empty();
}

ChatTemplate ChatTemplate::load(const fs::path& folder, const std::string& name) {
  const TemplateSources sources = find_template_sources(folder);
  if (sources.by_name.empty()) {
    throw input_error("{} has no chat template", folder.string())
        .with_hint(
            "it would be chat_template.jinja, or \"chat_template\" in "
            "tokenizer_config.json; models without one continue plain text");
  }
  return from_sources(sources, name, roles_of(folder));
}

ChatTemplate ChatTemplate::parse(std::string name, std::string_view source,
                                 std::string_view tokenizer_config,
                                 std::string_view special_tokens_map) {
  TemplateSources sources{.place = std::move(name)};
  sources.by_name["default"] = {sources.place, std::string(source)};
  std::map<std::string, std::string> files;
  if (!tokenizer_config.empty()) files["tokenizer_config.json"] = tokenizer_config;
  if (!special_tokens_map.empty()) files["special_tokens_map.json"] = special_tokens_map;
  return from_sources(sources, "", read_token_facts(sources.place, files, {}, false).roles);
}

ChatTemplate ChatTemplate::from_sources(const TemplateSources& sources, const std::string& name,
                                        const TokenRoles& roles) {
  ChatTemplate made;
  for (const auto& [role, token] : roles) made.special_tokens_.set(Value(role), Value(token));
  const auto parsed = [](const TemplateSource& source) {
    return jinja::Template::parse(source.place, source.text);
  };
  if (!name.empty()) {
    made.source_ = sources.named(name).text;
    made.plain_ = parsed(sources.named(name));
    return made;
  }
  if (sources.by_name.contains("tool_use")) made.tool_use_ = parsed(sources.named("tool_use"));
  try {
    const TemplateSource& plain = sources.choose(/*tools=*/false);
    made.source_ = plain.text;
    made.plain_ = parsed(plain);
  } catch (const Error& error) {
    if (!made.tool_use_) throw;
    made.plain_error_ = error;  // of no matter to rows with tools
  }
  return made;
}

const jinja::Template& ChatTemplate::choose(const Value& tools) const {
  if (tool_use_ && !tools.is_none()) return *tool_use_;
  if (plain_error_) throw *plain_error_;
  return *plain_;
}

jinja::Rendered ChatTemplate::render(const Dict& context, std::optional<std::time_t> now) const {
  Dict all = special_tokens_;
  for (const char* name : {"tools", "documents"}) all.set(Value(name), Value());
  all.set(Value("add_generation_prompt"), false);
  for (const auto& [name, value] : context.entries()) all.set(name, value);
  return choose(*all.find("tools")).render(all, {}, now);
}

jinja::Rendered ChatTemplate::render(const Conversation& conversation) const {
  Dict context = conversation.more;
  context.set(Value("messages"), conversation.messages);
  context.set(Value("tools"), conversation.tools);
  context.set(Value("add_generation_prompt"), conversation.add_generation_prompt);
  return render(as_applied(std::move(context)));
}

Dict as_applied(Dict context) {
  const Value* messages = context.find("messages");
  if (messages == nullptr || messages->list() == nullptr) return context;
  jinja::Values applied;
  for (const Value& message : messages->list()->items) {
    applied.push_back(with_reasoning(without_none(message)));
  }
  context.set(Value("messages"), jinja::make_list(std::move(applied)));
  return context;
}

}  // namespace alambic
